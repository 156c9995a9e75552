#include "bench/load/latency.h"

/* Row `doubling` counts from 64 << doubling ns to twice that, in 64 steps. */
void latency_add(struct latency *latency, int64_t ns)
{
	uint64_t value = (uint64_t)(ns > 0 ? ns : 0) + LATENCY_STEPS;
	unsigned doubling = 63 - (unsigned)__builtin_clzll(value) - 6;

	if (doubling >= LATENCY_DOUBLINGS)
		doubling = LATENCY_DOUBLINGS - 1, value = UINT64_C(127) << doubling;
	latency->counts[doubling * LATENCY_STEPS + (value >> doubling) - LATENCY_STEPS]++;
	latency->count++;
	if (ns > latency->most_ns)
		latency->most_ns = ns;
}

double latency_us(const struct latency *latency, double share)
{
	uint64_t wanted = (uint64_t)(share * (double)latency->count), passed = 0;

	for (unsigned i = 0; i < LATENCY_STEPS * LATENCY_DOUBLINGS; i++) {
		passed += latency->counts[i];
		if (passed > wanted)
			return (double)((uint64_t)(LATENCY_STEPS + i % LATENCY_STEPS)
				       << i / LATENCY_STEPS) /
				1e3;
	}
	return (double)latency->most_ns / 1e3;
}
