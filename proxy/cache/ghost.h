/* ghost.h - whom a shard has thrown out lately: fingerprints of 16 bits in sets of 16, the latest
 * first; the oldest of a set makes room. A stranger is taken for an acquaintance once in 4096
 * times, which costs a place in the main log and nothing else. */
#ifndef PROXY_CACHE_GHOST_H
#define PROXY_CACHE_GHOST_H

#include "base/slice.h"

enum { GHOST_WAYS = 16 };

struct ghost_set {
	uint16_t fingerprints[GHOST_WAYS]; /* 0: nobody */
};

struct ghost {
	struct ghost_set *sets; /* zeroed at birth; borrowed */
	uint32_t count;
};

void ghost_put(struct ghost *ghost, uint32_t tag, uint16_t fingerprint);

/* Was it there? Then it is not any more. */
bool ghost_take(struct ghost *ghost, uint32_t tag, uint16_t fingerprint);

#endif
