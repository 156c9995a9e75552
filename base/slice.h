/* slice.h - borrowed bytes.
 * A slice never owns what it points at; whoever hands one out says how long it lives. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const uint8_t *at;
	size_t len;
};

static inline struct slice slice_of(const void *at, size_t len)
{
	return (struct slice){ .at = at, .len = len };
}

static inline struct slice slice_of_text(const char *text)
{
	return slice_of(text, strlen(text));
}

static inline bool slice_equals(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline bool slice_equals_text(struct slice a, const char *text)
{
	return slice_equals(a, slice_of_text(text));
}

/* Takes the first line off, and its line break; the last line may lack one. */
static inline struct slice slice_take_line(struct slice *text)
{
	const uint8_t *newline =
		text->len ? (const uint8_t *)memchr(text->at, '\n', text->len) : NULL;
	struct slice line = slice_of(text->at, newline ? (size_t)(newline - text->at) : text->len);
	size_t taken = line.len + (newline != NULL);
	*text = slice_of(taken ? text->at + taken : text->at, text->len - taken);
	return line;
}

/* By their bytes; of two that begin alike the shorter one. */
static inline bool slice_precedes(struct slice a, struct slice b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len ? memcmp(a.at, b.at, len) : 0;
	return order ? order < 0 : a.len < b.len;
}

/* slice_equals() of secrets: how long it takes depends on the lengths alone. */
static inline bool slice_equals_secret(struct slice a, struct slice b)
{
	unsigned different = 0;
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		different |= (unsigned)(a.at[i] ^ b.at[i]);
	return different == 0;
}

#endif
