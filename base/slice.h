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

/* The same of secrets: how long it takes depends on the lengths alone. */
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
