#include "proxy/framing/percent.h"

static int digit_of(uint8_t byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	byte |= 0x20;
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

bool percent_decode(struct writer *to, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] != '%') {
			writer_u8(to, text.at[i]);
			continue;
		}
		if (text.len - i < 3)
			return false;
		int high = digit_of(text.at[i + 1]), low = digit_of(text.at[i + 2]);
		if (high < 0 || low < 0)
			return false;
		writer_u8(to, (uint8_t)(high << 4 | low));
		i += 2;
	}
	return !to->failed;
}
