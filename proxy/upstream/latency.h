/* latency.h - how long an upstream takes, learned from its answers and forgotten with them: a
 * histogram on a logarithmic scale that is halved whenever it holds LATENCY_WINDOW of them. Says
 * when to stop waiting for it and ask the next one as well. Pure. */
#ifndef PROXY_UPSTREAM_LATENCY_H
#define PROXY_UPSTREAM_LATENCY_H

#include <stdint.h>

enum {
	LATENCY_BUCKETS = 64, /* four to the doubling, from 64 us on */
	LATENCY_WINDOW = 256,
	LATENCY_LEARNED = 16, /* answers until a percentile means something */
};

struct latency {
	uint16_t buckets[LATENCY_BUCKETS];
	uint16_t count;
	uint32_t smooth_us; /* moving average over about eight answers; 0: none yet */
};

void latency_add(struct latency *latency, uint64_t took_us);

/* Upper end of the bucket that holds this percentile; 0 when too little is known. */
uint32_t latency_percentile_us(const struct latency *latency, unsigned percent);

void latency_forget(struct latency *latency);

#endif
