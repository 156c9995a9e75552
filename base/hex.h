/* hex.h - hexadecimal digits. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include "base/slice.h"

/* 0 to 15, of either case; -1 when it is none. */
static inline int hex_digit(uint8_t byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	byte |= 0x20;
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* `len` bytes from twice as many digits; false when it is anything else. */
static inline bool hex_read(uint8_t *to, size_t len, struct slice digits)
{
	if (digits.len != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++) {
		int high = hex_digit(digits.at[2 * i]), low = hex_digit(digits.at[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		to[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

#endif
