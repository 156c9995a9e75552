/* random.h - unpredictable numbers from the kernel (getrandom), never from rand().
 * A pool per owner, so that a draw is not a system call; single-threaded. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include "base/slice.h"

struct random_pool {
	uint8_t bytes[512];
	size_t left; /* not yet drawn; 0, so that a zeroed pool is an empty one, never zeros drawn
		      */
};

void random_pool_init(struct random_pool *pool);
uint16_t random_u16(struct random_pool *pool);
uint64_t random_u64(struct random_pool *pool);

/* A fair draw from 0 to bound - 1; bound must not be 0. */
uint32_t random_below(struct random_pool *pool, uint32_t bound);

/* Straight from the kernel; the process ends if the kernel has none to give, as nothing that
 * depends on it would be safe. */
void random_fill(void *at, size_t len);

#endif
