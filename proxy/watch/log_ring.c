#include "proxy/watch/log_ring.h"

#include <stdlib.h>

#include "base/error.h"

int log_ring_init(struct log_ring *ring, size_t size)
{
	uint64_t rounded = LOG_RING_MIN;
	while (rounded < size)
		rounded *= 2;
	*ring = (struct log_ring){ .size = rounded };
	ring->at = malloc(rounded + LOG_LINE_MAX);
	return ring->at ? 0 : ERR_NO_MEMORY;
}

void log_ring_deinit(struct log_ring *ring)
{
	free(ring->at);
	ring->at = NULL;
}

static bool has_room(const struct log_ring *ring, uint64_t head, bool important)
{
	uint64_t limit = important ? ring->size : ring->size / 2;
	return head - ring->tail_seen + LOG_LINE_MAX <= limit;
}

bool log_ring_reserve(struct log_ring *ring, bool important, struct writer *line)
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	if (!has_room(ring, head, important)) {
		/* The reader's line is fetched from its core only when ours looks full. */
		ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
		if (!has_room(ring, head, important))
			return false;
	}
	*line = writer_of(ring->at + (head & (ring->size - 1)), LOG_LINE_MAX);
	return true;
}

/* A line that begins near the end of the ring was written past it; that part belongs to the
 * beginning, which reserve() found free. */
static void wrap(struct log_ring *ring, uint64_t offset, size_t len)
{
	if (offset + len > ring->size)
		memcpy(ring->at, ring->at + ring->size, offset + len - ring->size);
}

uint64_t log_ring_commit(struct log_ring *ring, const struct writer *line)
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	wrap(ring, head & (ring->size - 1), line->len);
	head += line->len;
	/* Sequentially consistent: the writer asks next whether the reader sleeps, and the reader,
	 * before it sleeps, whether we wrote. One of both must see the other. */
	atomic_store(&ring->head, head);
	/* An old look would say for ever after that the ring fills up, and the reader would be
	 * woken for every line. */
	if (head - ring->tail_seen >= ring->size / 4)
		ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
	return head - ring->tail_seen;
}

void log_ring_peek(struct log_ring *ring, struct slice pieces[2])
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	size_t offset = (size_t)(tail & (ring->size - 1));
	size_t len = (size_t)(head - tail);
	size_t first = len < ring->size - offset ? len : (size_t)(ring->size - offset);
	pieces[0] = slice_of(ring->at + offset, first);
	pieces[1] = slice_of(ring->at, len - first);
}

void log_ring_release(struct log_ring *ring, size_t len)
{
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	atomic_store_explicit(&ring->tail, tail + len, memory_order_release);
}

uint64_t log_ring_waiting(const struct log_ring *ring)
{
	uint64_t tail = atomic_load(&ring->tail); /* first: it never overtakes the head */
	return atomic_load(&ring->head) - tail;
}
