#include "proxy/framing/percent.h"

#include "base/hex.h"

bool percent_decode(struct writer *to, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] != '%') {
			writer_u8(to, text.at[i]);
			continue;
		}
		if (text.len - i < 3)
			return false;
		int high = hex_digit(text.at[i + 1]), low = hex_digit(text.at[i + 2]);
		if (high < 0 || low < 0)
			return false;
		writer_u8(to, (uint8_t)(high << 4 | low));
		i += 2;
	}
	return !to->failed;
}
