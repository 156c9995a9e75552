/* list_recognise.c - which format a text is in. Every format says of each line how much it looks
 * like one of its own; one format, and no other, must know most of them. */
#include "rules/lists/format.h"

enum {
	LINES_MAX = 400,        /* that are looked at */
	BYTES_MAX = 256 * 1024, /* of the text; comments can be long */
	STRANGERS = 20,         /* one line in so many may be of no kind that the format knows */
};

static struct slice front(struct slice text)
{
	list_take_prefix(&text, "\xef\xbb\xbf");
	if (text.len <= BYTES_MAX)
		return text;
	const uint8_t *newline = memrchr(text.at, '\n', BYTES_MAX);
	return slice_of(text.at, newline ? (size_t)(newline - text.at) : 0);
}

static bool is_of(const struct list_format_type *type, struct slice text)
{
	unsigned counts[LIST_SURE + 1] = { 0 };
	unsigned lines = 0;
	struct slice line;
	while (lines < LINES_MAX && list_take_line(&text, LIST_COMMENTS_APART, &line)) {
		if (line.len == 0)
			continue;
		counts[type->resembles(line)]++;
		lines++;
	}
	return counts[LIST_SURE] > 0 && counts[LIST_SURE] >= counts[LIST_POSSIBLE] &&
		counts[LIST_FOREIGN] * STRANGERS <= lines;
}

bool list_recognise(struct slice text, enum list_format *format)
{
	unsigned found = 0;
	text = front(text);
	for (unsigned i = 0; i < LIST_FORMAT_COUNT; i++) {
		const struct list_format_type *type = list_format_of((enum list_format)i);
		if (!type->resembles || !is_of(type, text))
			continue;
		*format = (enum list_format)i;
		found++;
	}
	return found == 1;
}
