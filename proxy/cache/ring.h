/* ring.h - a log of entries in a ring of bytes: appended at the head, taken from the tail, dead
 * where they stand. Entries are never split: where one does not fit in front of the ring's end,
 * a dead one fills the gap. Positions count bytes since birth, never wrap and never go back. */
#ifndef PROXY_CACHE_RING_H
#define PROXY_CACHE_RING_H

#include "proxy/cache/entry.h"

struct ring {
	uint8_t *start; /* aligned to ENTRY_ALIGN; borrowed */
	size_t size;    /* a multiple of ENTRY_ALIGN */
	uint64_t tail;
	uint64_t head;
};

static inline struct entry *ring_entry(const struct ring *ring, uint64_t position)
{
	return (struct entry *)(void *)(ring->start + position % ring->size);
}

static inline bool ring_is_empty(const struct ring *ring)
{
	return ring->tail == ring->head;
}

static inline size_t ring_len(const struct ring *ring)
{
	return (size_t)(ring->head - ring->tail);
}

static inline struct entry *ring_tail(const struct ring *ring)
{
	return ring_entry(ring, ring->tail);
}

/* Gives up the entry at the tail; its bytes stay as they are until the next append. */
static inline void ring_take_tail(struct ring *ring)
{
	ring->tail += ring_tail(ring)->size;
}

/* Is there room for `size` bytes in one piece? Taking entries from the tail makes some: all of the
 * ring at most; and who takes an entry of this size always has room to append it again. */
bool ring_has_room(const struct ring *ring, size_t size);

/* Takes `size` bytes, for which there is room, at the head. What is there is not cleared. */
struct entry *ring_append(struct ring *ring, size_t size);

#endif
