#include "proxy/cache/ghost.h"

static uint16_t *set_of(const struct ghost *ghost, uint32_t tag)
{
	return ghost->sets[(uint64_t)tag * ghost->count >> 32].fingerprints;
}

/* 0 means an empty place. */
static uint16_t visible(uint16_t fingerprint)
{
	return fingerprint ? fingerprint : 1;
}

void ghost_put(struct ghost *ghost, uint32_t tag, uint16_t fingerprint)
{
	uint16_t *set = set_of(ghost, tag);
	memmove(set + 1, set, (GHOST_WAYS - 1) * sizeof *set);
	set[0] = visible(fingerprint);
}

bool ghost_take(struct ghost *ghost, uint32_t tag, uint16_t fingerprint)
{
	uint16_t *set = set_of(ghost, tag);
	for (unsigned i = 0; i < GHOST_WAYS; i++) {
		if (set[i] != visible(fingerprint))
			continue;
		memmove(set + i, set + i + 1, (GHOST_WAYS - 1 - i) * sizeof *set);
		set[GHOST_WAYS - 1] = 0;
		return true;
	}
	return false;
}
