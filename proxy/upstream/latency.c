#include "proxy/upstream/latency.h"

#include <string.h>

enum { FIRST_US = 64, STEPS = 4 /* to the doubling */, SMOOTHING = 8 };

/* Within a doubling the buckets are equally wide: the leading bit says which doubling, the two
 * behind it which quarter. */
static unsigned bucket_of(uint64_t took_us)
{
	if (took_us < FIRST_US)
		return 0;
	unsigned doubling = 63 - (unsigned)__builtin_clzll(took_us) - 6;
	unsigned bucket = doubling * STEPS + ((unsigned)(took_us >> (doubling + 4)) & 3);
	return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

static uint32_t upper_us(unsigned bucket)
{
	uint32_t start_us = (uint32_t)FIRST_US << bucket / STEPS;
	return start_us + start_us / STEPS * (bucket % STEPS + 1);
}

static void halve(struct latency *latency)
{
	latency->count = 0;
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		latency->buckets[i] /= 2;
		latency->count = (uint16_t)(latency->count + latency->buckets[i]);
	}
}

void latency_add(struct latency *latency, uint64_t took_us)
{
	uint32_t took = took_us > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)took_us;
	latency->buckets[bucket_of(took)]++;
	if (++latency->count >= LATENCY_WINDOW)
		halve(latency);
	if (latency->smooth_us)
		took = (uint32_t)(((uint64_t)latency->smooth_us * (SMOOTHING - 1) + took) /
			SMOOTHING);
	latency->smooth_us = took ? took : 1;
}

uint32_t latency_percentile_us(const struct latency *latency, unsigned percent)
{
	if (latency->count < LATENCY_LEARNED)
		return 0;
	unsigned wanted = (latency->count * percent + 99) / 100;
	unsigned bucket = 0;
	for (unsigned seen = latency->buckets[0]; seen < wanted && bucket < LATENCY_BUCKETS - 1;)
		seen += latency->buckets[++bucket];
	return upper_us(bucket);
}

void latency_forget(struct latency *latency)
{
	memset(latency, 0, sizeof *latency);
}
