#include "proxy/framing/base64url.h"

/* Value of a character plus one; 0 is foreign. */
static uint8_t values[256];

__attribute__((constructor)) static void fill_values(void)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	for (uint8_t i = 0; i < 64; i++)
		values[(uint8_t)alphabet[i]] = (uint8_t)(i + 1);
}

static struct slice without_padding(struct slice text)
{
	for (unsigned i = 0; i < 2 && text.len > 0 && text.at[text.len - 1] == '='; i++)
		text.len--;
	return text;
}

bool base64url_decode(struct writer *to, struct slice text)
{
	uint32_t bits = 0;
	unsigned bit_count = 0;
	text = without_padding(text);
	if (text.len % 4 == 1 || !writer_has(to, text.len * 3 / 4))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t value = values[text.at[i]];
		if (value == 0)
			return false;
		bits = bits << 6 | (value - 1u);
		bit_count += 6;
		if (bit_count < 8)
			continue;
		bit_count -= 8;
		writer_u8(to, (uint8_t)(bits >> bit_count));
	}
	return (bits & ((1u << bit_count) - 1)) == 0;
}
