#include "proxy/control/control_request.h"

#include "base/reader.h"

static bool is_printable(uint8_t byte)
{
	return byte > ' ' && byte < 0x7f;
}

bool control_request_read(struct control_request *request, struct slice line)
{
	request->uid = CONTROL_NOBODY;
	request->count = 0;
	for (size_t at = 0; at < line.len;) {
		size_t start = at;
		while (at < line.len && is_printable(line.at[at]))
			at++;
		if (at > start && request->count == CONTROL_WORDS_MAX)
			return false;
		if (at > start)
			request->words[request->count++] = slice_of(line.at + start, at - start);
		if (at < line.len && line.at[at++] != ' ')
			return false;
	}
	return request->count > 0;
}

static void write_byte(struct writer *to, uint8_t byte)
{
	if (is_printable(byte) && byte != '\\') {
		writer_u8(to, byte);
		return;
	}
	writer_u8(to, '\\');
	writer_u8(to, (uint8_t)('0' + byte / 100));
	writer_u8(to, (uint8_t)('0' + byte / 10 % 10));
	writer_u8(to, (uint8_t)('0' + byte % 10));
}

void control_word_write(struct writer *to, struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		write_byte(to, text.at[i]);
}

/* The three digits of an escape; 0, which no text has, when they are none. */
static uint8_t read_escape(struct reader *from)
{
	unsigned value = 0;
	for (int i = 0; i < 3; i++) {
		uint8_t digit = reader_u8(from);
		if (digit < '0' || digit > '9')
			return 0;
		value = value * 10 + (unsigned)(digit - '0');
	}
	return value <= 255 ? (uint8_t)value : 0;
}

bool control_word_read(struct slice word, char *text, size_t size)
{
	struct reader from = reader_of(word);
	size_t len = 0;
	while (reader_left(&from)) {
		uint8_t byte = reader_u8(&from);
		if (byte == '\\')
			byte = read_escape(&from);
		if (byte == 0 || len + 1 >= size)
			return false;
		text[len++] = (char)byte;
	}
	text[len] = '\0';
	return len > 0;
}
