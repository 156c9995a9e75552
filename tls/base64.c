#include "tls/base64.h"

static int digit_value(uint8_t digit)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = digit ? strchr(digits, digit) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* The last digit may have bits too many, which must be zero: else it was cut or mistyped. */
static bool read_digits(struct slice digits, uint8_t *to)
{
	uint32_t bits = 0;
	unsigned bit_count = 0;
	for (size_t i = 0; i < digits.len; i++) {
		int value = digit_value(digits.at[i]);
		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
		bit_count += 6;
		if (bit_count < 8)
			continue;
		bit_count -= 8;
		*to++ = (uint8_t)(bits >> bit_count);
	}
	return (bits & ((1u << bit_count) - 1)) == 0;
}

bool base64_read(struct slice text, uint8_t *to, size_t len)
{
	size_t digit_count = (len * 8 + 5) / 6;
	if (text.len != (len + 2) / 3 * 4)
		return false;
	for (size_t i = digit_count; i < text.len; i++)
		if (text.at[i] != '=')
			return false;
	return read_digits(slice_of(text.at, digit_count), to);
}
