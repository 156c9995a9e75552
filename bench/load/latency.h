/* latency.h - times that are counted in steps of 1.6 %, for percentiles of any number of them. */
#ifndef BENCH_LOAD_LATENCY_H
#define BENCH_LOAD_LATENCY_H

#include <stdint.h>

enum { LATENCY_STEPS = 64, LATENCY_DOUBLINGS = 40 };

struct latency {
	uint32_t counts[LATENCY_STEPS * LATENCY_DOUBLINGS];
	uint64_t count;
	int64_t most_ns;
};

void latency_add(struct latency *latency, int64_t ns);

/* The time that this share of them does not exceed, in microseconds. */
double latency_us(const struct latency *latency, double share);

#endif
