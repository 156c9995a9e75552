/* bytes.h - a byte queue with a ceiling given at birth: what a stream has yet to send, a message
 * that arrives in pieces. Memory is taken when needed, never more than the ceiling, and given back
 * when the queue runs empty, so that an idle connection holds none. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include "base/slice.h"

struct bytes {
	uint8_t *at;
	size_t start; /* first byte not yet consumed */
	size_t end;   /* one past the last byte */
	size_t capacity;
	size_t ceiling; /* most bytes that may be queued at once */
};

void bytes_init(struct bytes *queue, size_t ceiling);
void bytes_deinit(struct bytes *queue);

static inline size_t bytes_len(const struct bytes *queue)
{
	return queue->end - queue->start;
}

/* What is queued; valid until the queue is touched again. */
static inline struct slice bytes_peek(const struct bytes *queue)
{
	return slice_of(queue->at ? queue->at + queue->start : NULL, bytes_len(queue));
}

/* 0, ERR_TOO_LONG over the ceiling, or ERR_NO_MEMORY; on error nothing was queued. */
int bytes_append(struct bytes *queue, const void *at, size_t len);

/* Room for `len` more bytes at the end, to be filled by the caller and then claimed with
 * bytes_claim(); NULL on error, as above. */
uint8_t *bytes_reserve(struct bytes *queue, size_t len);
void bytes_claim(struct bytes *queue, size_t len);

/* Drops `len` bytes from the front; frees the memory when the queue is empty. */
void bytes_consume(struct bytes *queue, size_t len);

/* Moves up to `capacity` bytes from the front to `to`; gives how many. */
size_t bytes_take(struct bytes *queue, void *to, size_t capacity);

#endif
