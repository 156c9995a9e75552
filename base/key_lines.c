#include "base/key_lines.h"

#include <stdio.h>

/* ---- writing ---- */

static bool put(struct bytes *to, const char *text)
{
	return bytes_append(to, text, strlen(text)) == 0;
}

bool key_lines_put_line(struct bytes *to, const char *line)
{
	return put(to, line) && put(to, "\n");
}

bool key_lines_put(struct bytes *to, const char *key, const char *value)
{
	bool good = put(to, key) && put(to, " ");
	for (; good && *value; value++) {
		char byte = (unsigned char)*value < ' ' ? ' ' : *value;
		good = bytes_append(to, &byte, 1) == 0;
	}
	return good && put(to, "\n");
}

bool key_lines_put_number(struct bytes *to, const char *key, int64_t number)
{
	char text[24];
	snprintf(text, sizeof text, "%lld", (long long)number);
	return key_lines_put(to, key, text);
}

/* ---- reading ---- */

bool key_lines_begin(struct slice *text, const char *first)
{
	size_t len = strlen(first);
	if (text->len <= len || memcmp(text->at, first, len) != 0 || text->at[len] != '\n')
		return false;
	*text = slice_of(text->at + len + 1, text->len - len - 1);
	return true;
}

struct key_line key_lines_next(struct slice *text)
{
	struct slice line = slice_take_line(text);
	const uint8_t *space = line.len ? memchr(line.at, ' ', line.len) : NULL;
	size_t key = space ? (size_t)(space - line.at) : line.len;
	size_t behind = space ? key + 1 : key;
	return (struct key_line){ .key = slice_of(line.at, key),
		.value = slice_of(line.at + behind, line.len - behind) };
}

bool key_lines_text(char *to, size_t size, struct slice value)
{
	if (value.len >= size || (value.len && memchr(value.at, 0, value.len)))
		return false;
	if (value.len)
		memcpy(to, value.at, value.len);
	to[value.len] = '\0';
	return true;
}

bool key_lines_number(int64_t *to, struct slice value)
{
	int64_t number = 0;
	if (value.len == 0 || value.len > 18)
		return false;
	for (size_t i = 0; i < value.len; i++) {
		if (value.at[i] < '0' || value.at[i] > '9')
			return false;
		number = number * 10 + (value.at[i] - '0');
	}
	*to = number;
	return true;
}
