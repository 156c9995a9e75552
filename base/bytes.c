#include "base/bytes.h"

#include <stdlib.h>

#include "base/error.h"

enum { BYTES_SMALLEST = 1024 };

void bytes_init(struct bytes *queue, size_t ceiling)
{
	*queue = (struct bytes){ .ceiling = ceiling };
}

void bytes_deinit(struct bytes *queue)
{
	free(queue->at);
	*queue = (struct bytes){ .ceiling = queue->ceiling };
}

static void bytes_move_to_front(struct bytes *queue)
{
	size_t len = bytes_len(queue);
	if (queue->start == 0)
		return;
	memmove(queue->at, queue->at + queue->start, len);
	queue->start = 0;
	queue->end = len;
}

static int bytes_grow(struct bytes *queue, size_t needed)
{
	size_t capacity = queue->capacity ? queue->capacity : BYTES_SMALLEST;
	while (capacity < needed && capacity < queue->ceiling / 2)
		capacity *= 2;
	/* The ceiling is what a connection may cost, so it bounds the memory too. */
	if (capacity < needed || capacity > queue->ceiling)
		capacity = queue->ceiling;
	uint8_t *at = realloc(queue->at, capacity);
	if (!at)
		return ERR_NO_MEMORY;
	queue->at = at;
	queue->capacity = capacity;
	return 0;
}

static int bytes_make_room(struct bytes *queue, size_t len)
{
	size_t used = bytes_len(queue);
	if (len > queue->ceiling || used > queue->ceiling - len)
		return ERR_TOO_LONG;
	if (queue->at && queue->capacity - queue->end >= len)
		return 0;
	bytes_move_to_front(queue);
	if (queue->at && queue->capacity - queue->end >= len)
		return 0;
	return bytes_grow(queue, used + len);
}

uint8_t *bytes_reserve(struct bytes *queue, size_t len)
{
	return bytes_make_room(queue, len) ? NULL : queue->at + queue->end;
}

void bytes_claim(struct bytes *queue, size_t len)
{
	queue->end += len;
}

int bytes_append(struct bytes *queue, const void *at, size_t len)
{
	if (len == 0)
		return 0;
	int error = bytes_make_room(queue, len);
	if (error)
		return error;
	memcpy(queue->at + queue->end, at, len);
	queue->end += len;
	return 0;
}

void bytes_consume(struct bytes *queue, size_t len)
{
	queue->start += len;
	if (queue->start >= queue->end)
		bytes_deinit(queue);
}

size_t bytes_take(struct bytes *queue, void *to, size_t capacity)
{
	struct slice queued = bytes_peek(queue);
	size_t len = queued.len < capacity ? queued.len : capacity;
	if (len == 0)
		return 0;
	memcpy(to, queued.at, len);
	bytes_consume(queue, len);
	return len;
}
