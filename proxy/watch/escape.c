#include "proxy/watch/escape.h"

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/* What one character becomes. */
struct piece {
	uint8_t bytes[6];
	uint8_t len;
	uint8_t taken; /* bytes of the text that it stands for */
};

typedef struct piece (*escape_fn)(struct slice text);

static bool is_plain(uint8_t byte)
{
	return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

/* Eight bytes at once: is any of them below 0x20, above 0x7e, a quote or a backslash? A borrow from
 * a lower byte can only say so of a byte beside one that is. */
static bool are_plain(const uint8_t bytes[8])
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
	uint64_t word;
	memcpy(&word, bytes, sizeof word);
	uint64_t quotes = word ^ ones * '"';
	uint64_t backslashes = word ^ ones * '\\';
	uint64_t low = (word - ones * 0x20) & ~word;
	uint64_t high = word | (word + ones);
	uint64_t marks = ((quotes - ones) & ~quotes) | ((backslashes - ones) & ~backslashes);
	return ((low | high | marks) & tops) == 0;
}

static size_t plain_run(struct slice text, size_t max)
{
	size_t end = text.len < max ? text.len : max;
	size_t run = 0;
	while (end - run >= 8 && are_plain(text.at + run))
		run += 8;
	while (run < end && is_plain(text.at[run]))
		run++;
	return run;
}

static struct piece piece_of(const char *bytes, size_t len, size_t taken)
{
	struct piece piece = { .len = (uint8_t)len, .taken = (uint8_t)taken };
	memcpy(piece.bytes, bytes, len);
	return piece;
}

/* How many bytes the well-formed UTF-8 sequence at the front has (Unicode table 3-7: no overlong
 * forms, no surrogates, nothing above U+10FFFF); 0 when there is none. */
static size_t utf8_len(struct slice text)
{
	static const struct {
		uint8_t first_low, first_high, second_low, second_high, len;
	} forms[] = {
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		if (text.at[0] < forms[i].first_low || text.at[0] > forms[i].first_high)
			continue;
		if (text.len < forms[i].len || text.at[1] < forms[i].second_low ||
			text.at[1] > forms[i].second_high)
			return 0;
		for (size_t k = 2; k < forms[i].len; k++)
			if ((text.at[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].len;
	}
	return 0;
}

/* A character beyond ASCII: itself, or U+FFFD when it is malformed or a C1 control, which some
 * terminals obey. */
static struct piece piece_of_utf8(struct slice text)
{
	size_t len = utf8_len(text);
	bool is_control = len == 2 && text.at[0] == 0xc2 && text.at[1] < 0xa0;
	if (len && !is_control)
		return piece_of((const char *)text.at, len, len);
	return piece_of(replacement, 3, len ? len : 1);
}

static struct piece json_piece(struct slice text)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t byte = text.at[0];
	if (byte >= 0x80)
		return piece_of_utf8(text);
	if (byte == '"' || byte == '\\')
		return piece_of((char[]){ '\\', (char)byte }, 2, 1);
	return piece_of(
		(char[]){ '\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15] }, 6, 1);
}

static struct piece label_piece(struct slice text)
{
	uint8_t byte = text.at[0];
	if (byte >= 0x80)
		return piece_of_utf8(text);
	if (byte == '"' || byte == '\\')
		return piece_of((char[]){ '\\', (char)byte }, 2, 1);
	if (byte == '\n')
		return piece_of("\\n", 2, 1);
	return piece_of(replacement, 3, 1);
}

static struct piece text_piece(struct slice text)
{
	uint8_t byte = text.at[0];
	if (byte >= 0x80)
		return piece_of_utf8(text);
	return byte < 0x20 || byte == 0x7f ? piece_of(replacement, 3, 1)
					   : piece_of((char[]){ (char)byte }, 1, 1);
}

static void escape(struct writer *to, struct slice text, size_t max, escape_fn next)
{
	while (text.len && max) {
		size_t run = plain_run(text, max);
		writer_bytes(to, text.at, run);
		text = slice_of(text.at + run, text.len - run);
		max -= run;
		if (!text.len || !max)
			return;
		struct piece piece = next(text);
		if (piece.len > max)
			return;
		writer_bytes(to, piece.bytes, piece.len);
		text = slice_of(text.at + piece.taken, text.len - piece.taken);
		max -= piece.len;
	}
}

void escape_json(struct writer *to, struct slice text, size_t max)
{
	escape(to, text, max, json_piece);
}

void escape_label(struct writer *to, struct slice text, size_t max)
{
	escape(to, text, max, label_piece);
}

void escape_text(struct writer *to, struct slice text, size_t max)
{
	escape(to, text, max, text_piece);
}
