/* writer.h - a cursor that writes into the caller's buffer.
 * Overflow is sticky, as in reader.h: write a whole structure, then ask once. After an overflow
 * nothing more is written and the length stays within the buffer. */
#ifndef BASE_WRITER_H
#define BASE_WRITER_H

#include "base/slice.h"

struct writer {
	uint8_t *at;     /* start of the buffer */
	size_t len;      /* bytes written */
	size_t capacity; /* bytes that may be written; may be lowered and raised again by the owner
			  */
	bool failed;
};

static inline struct writer writer_of(void *buffer, size_t capacity)
{
	return (struct writer){ .at = buffer, .capacity = capacity };
}

static inline struct slice writer_slice(const struct writer *w)
{
	return slice_of(w->at, w->len);
}

static inline bool writer_has(struct writer *w, size_t count)
{
	if (w->failed || w->capacity < w->len || w->capacity - w->len < count)
		w->failed = true;
	return !w->failed;
}

static inline void writer_u8(struct writer *w, uint8_t value)
{
	if (writer_has(w, 1))
		w->at[w->len++] = value;
}

static inline void writer_u16(struct writer *w, uint16_t value)
{
	if (!writer_has(w, 2))
		return;
	w->at[w->len++] = (uint8_t)(value >> 8);
	w->at[w->len++] = (uint8_t)value;
}

static inline void writer_u32(struct writer *w, uint32_t value)
{
	writer_u16(w, (uint16_t)(value >> 16));
	writer_u16(w, (uint16_t)value);
}

static inline void writer_bytes(struct writer *w, const void *bytes, size_t count)
{
	if (!writer_has(w, count) || count == 0)
		return;
	memcpy(w->at + w->len, bytes, count);
	w->len += count;
}

static inline void writer_slice_bytes(struct writer *w, struct slice bytes)
{
	writer_bytes(w, bytes.at, bytes.len);
}

static inline void writer_text(struct writer *w, const char *text)
{
	writer_bytes(w, text, strlen(text));
}

static inline void writer_zeros(struct writer *w, size_t count)
{
	if (!writer_has(w, count) || count == 0)
		return;
	memset(w->at + w->len, 0, count);
	w->len += count;
}

/* Overwrites two bytes written before, e.g. a length or a count known only later. */
static inline void writer_patch_u16(struct writer *w, size_t position, uint16_t value)
{
	if (position + 2 > w->len) {
		w->failed = true;
		return;
	}
	w->at[position] = (uint8_t)(value >> 8);
	w->at[position + 1] = (uint8_t)value;
}

/* Decimal digits of `value`, without printf: log lines and headers are written on the query path.
 */
static inline void writer_decimal(struct writer *w, uint64_t value)
{
	char digits[20];
	size_t count = 0;
	do {
		digits[sizeof digits - ++count] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	writer_bytes(w, digits + sizeof digits - count, count);
}

#endif
