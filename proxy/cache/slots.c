#include "proxy/cache/slots.h"

#include <assert.h>

static uint32_t next_of(const struct slots *slots, uint32_t at)
{
	return at + 1 == slots->capacity ? 0 : at + 1;
}

void slots_add(struct slots *slots, uint32_t tag, uint32_t place)
{
	struct slot moving = { tag, place };
	uint32_t at = slots_home(slots, tag);
	uint32_t distance = 0;
	assert(place != 0 && slots->count < slots->capacity);
	for (; slots->at[at].place; at = next_of(slots, at), distance++) {
		uint32_t other = slots_distance(slots, at, slots->at[at].tag);
		if (other >= distance)
			continue;
		struct slot nearer = slots->at[at];
		slots->at[at] = moving;
		moving = nearer;
		distance = other;
	}
	slots->at[at] = moving;
	slots->count++;
}

static uint32_t find(const struct slots *slots, uint32_t tag, uint32_t place)
{
	uint32_t at = slots_home(slots, tag);
	while (slots->at[at].place != place) {
		assert(slots->at[at].place);
		at = next_of(slots, at);
	}
	assert(slots->at[at].tag == tag);
	return at;
}

void slots_remove(struct slots *slots, uint32_t tag, uint32_t place)
{
	uint32_t at = find(slots, tag, place);
	for (;;) {
		uint32_t next = next_of(slots, at);
		const struct slot *behind = &slots->at[next];
		if (!behind->place || slots_distance(slots, next, behind->tag) == 0)
			break;
		slots->at[at] = *behind;
		at = next;
	}
	slots->at[at] = (struct slot){ 0 };
	slots->count--;
}

void slots_move(struct slots *slots, uint32_t tag, uint32_t place, uint32_t to)
{
	slots->at[find(slots, tag, place)].place = to;
}
