#include "proxy/framing/base64url.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Value of a character plus one; 0 is foreign. */
static uint8_t values[256];

__attribute__((constructor)) static void fill_values(void)
{
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

void base64url_encode(struct writer *to, struct slice bytes)
{
	uint32_t bits = 0;
	unsigned bit_count = 0;
	for (size_t i = 0; i < bytes.len; i++) {
		bits = bits << 8 | bytes.at[i];
		for (bit_count += 8; bit_count >= 6; bit_count -= 6)
			writer_u8(to, (uint8_t)alphabet[bits >> (bit_count - 6) & 63]);
	}
	if (bit_count > 0)
		writer_u8(to, (uint8_t)alphabet[bits << (6 - bit_count) & 63]);
}
