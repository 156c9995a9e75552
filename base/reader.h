/* reader.h - the one door for hostile bytes: a cursor over a slice.
 * A read past the end makes the reader failed, and it stays failed: read a whole structure, then
 * ask once. Failed reads give zeros. Nothing is allocated; slices point into the reader's bytes. */
#ifndef BASE_READER_H
#define BASE_READER_H

#include "base/slice.h"

struct reader {
	const uint8_t *start;
	const uint8_t *at;
	const uint8_t *end;
	bool failed;
};

static inline struct reader reader_of(struct slice bytes)
{
	/* An empty slice may have no address, and adding even 0 to a null pointer is undefined. */
	const uint8_t *start = bytes.at ? bytes.at : (const uint8_t *)"";
	return (struct reader){ .start = start, .at = start, .end = start + bytes.len };
}

static inline size_t reader_left(const struct reader *r)
{
	return r->failed ? 0 : (size_t)(r->end - r->at);
}

static inline size_t reader_position(const struct reader *r)
{
	return (size_t)(r->at - r->start);
}

/* True when `count` more bytes can be read; otherwise the reader is failed from now on. */
static inline bool reader_has(struct reader *r, size_t count)
{
	if (r->failed || (size_t)(r->end - r->at) < count)
		r->failed = true;
	return !r->failed;
}

static inline void reader_seek(struct reader *r, size_t position)
{
	if (r->failed || position > (size_t)(r->end - r->start))
		r->failed = true;
	else
		r->at = r->start + position;
}

static inline uint8_t reader_u8(struct reader *r)
{
	if (!reader_has(r, 1))
		return 0;
	return *r->at++;
}

static inline uint16_t reader_u16(struct reader *r)
{
	if (!reader_has(r, 2))
		return 0;
	const uint8_t *p = r->at;
	r->at += 2;
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t reader_u32(struct reader *r)
{
	if (!reader_has(r, 4))
		return 0;
	const uint8_t *p = r->at;
	r->at += 4;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline struct slice reader_bytes(struct reader *r, size_t count)
{
	if (!reader_has(r, count))
		return slice_of(NULL, 0);
	struct slice bytes = slice_of(r->at, count);
	r->at += count;
	return bytes;
}

static inline void reader_skip(struct reader *r, size_t count)
{
	if (reader_has(r, count))
		r->at += count;
}

#endif
