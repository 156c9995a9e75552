#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void random_fill(void *at, size_t len)
{
	uint8_t *to = at;
	while (len > 0) {
		ssize_t got = getrandom(to, len, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			abort();
		to += got;
		len -= (size_t)got;
	}
}

void random_pool_init(struct random_pool *pool)
{
	pool->left = 0;
}

static void random_take(struct random_pool *pool, void *at, size_t len)
{
	if (pool->left < len) {
		random_fill(pool->bytes, sizeof pool->bytes);
		pool->left = sizeof pool->bytes;
	}
	pool->left -= len;
	memcpy(at, pool->bytes + pool->left, len);
	memset(pool->bytes + pool->left, 0, len); /* what was drawn cannot be read back later */
}

uint16_t random_u16(struct random_pool *pool)
{
	uint16_t value;
	random_take(pool, &value, sizeof value);
	return value;
}

uint64_t random_u64(struct random_pool *pool)
{
	uint64_t value;
	random_take(pool, &value, sizeof value);
	return value;
}

uint32_t random_below(struct random_pool *pool, uint32_t bound)
{
	/* Multiply and shift; the bias is below bound / 2^64. */
	return (uint32_t)(((__uint128_t)random_u64(pool) * bound) >> 64);
}
