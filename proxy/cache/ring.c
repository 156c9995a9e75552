#include "proxy/cache/ring.h"

#include <assert.h>

/* Bytes between the head and the end of the ring that an entry would have to leave. */
static size_t gap_before(const struct ring *ring, size_t size)
{
	size_t to_end = ring->size - (size_t)(ring->head % ring->size);
	return size <= to_end ? 0 : to_end;
}

bool ring_has_room(const struct ring *ring, size_t size)
{
	size_t gap = ring_is_empty(ring) ? 0 : gap_before(ring, size);
	return size <= ring->size && ring_len(ring) + gap + size <= ring->size;
}

struct entry *ring_append(struct ring *ring, size_t size)
{
	assert(ring_has_room(ring, size));
	size_t gap = gap_before(ring, size);
	if (gap > 0 && ring_is_empty(ring)) {
		ring->tail += gap;
		ring->head += gap;
	} else if (gap > 0) {
		struct entry *filler = ring_entry(ring, ring->head);
		filler->size = (uint32_t)gap;
		filler->kind = ENTRY_DEAD;
		ring->head += gap;
	}
	struct entry *entry = ring_entry(ring, ring->head);
	ring->head += size;
	return entry;
}
