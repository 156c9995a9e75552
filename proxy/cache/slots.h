/* slots.h - the index of a shard: {tag, place} in open addressing, Robin Hood order (Celis, 1986):
 * whoever is farther from home keeps the slot. So a search for what is not there ends at the first
 * one that is nearer to its home, also in a table that is nearly full; and who leaves is closed
 * up behind, so that there are no tombstones. */
#ifndef PROXY_CACHE_SLOTS_H
#define PROXY_CACHE_SLOTS_H

#include "base/slice.h"

struct slot {
	uint32_t tag;
	uint32_t place; /* 0: empty */
};

struct slots {
	struct slot *at; /* zeroed at birth; borrowed */
	uint32_t capacity;
	uint32_t count;
};

static inline uint32_t slots_home(const struct slots *slots, uint32_t tag)
{
	return (uint32_t)((uint64_t)tag * slots->capacity >> 32);
}

/* How far behind its home the slot's owner stands. */
static inline uint32_t slots_distance(const struct slots *slots, uint32_t at, uint32_t tag)
{
	uint32_t home = slots_home(slots, tag);
	return at >= home ? at - home : at + slots->capacity - home;
}

struct slots_search {
	uint32_t at;
	uint32_t distance;
};

static inline struct slots_search slots_search_of(const struct slots *slots, uint32_t tag)
{
	return (struct slots_search){ .at = slots_home(slots, tag) };
}

/* The next place under this tag; 0 when there is none any more. */
static inline uint32_t slots_next(
	const struct slots *slots, struct slots_search *search, uint32_t tag)
{
	while (search->distance < slots->capacity) {
		const struct slot *slot = &slots->at[search->at];
		if (!slot->place || slots_distance(slots, search->at, slot->tag) < search->distance)
			return 0;
		search->at = search->at + 1 == slots->capacity ? 0 : search->at + 1;
		search->distance++;
		if (slot->tag == tag)
			return slot->place;
	}
	return 0;
}

/* There must be an empty slot. */
void slots_add(struct slots *slots, uint32_t tag, uint32_t place);

/* Both must be there. */
void slots_remove(struct slots *slots, uint32_t tag, uint32_t place);
void slots_move(struct slots *slots, uint32_t tag, uint32_t place, uint32_t to);

#endif
