/* hedge.h - when the next upstream is asked as well, because the last one is silent: soon after it
 * usually answers, and not too often. Nine in ten answers that are late come yet, and an upstream
 * that has become slow must not double the load of the others; so hedges of one that answers
 * others are paid for from a budget. Those of one that answers nobody are free. Pure. */
#ifndef PROXY_UPSTREAM_HEDGE_H
#define PROXY_UPSTREAM_HEDGE_H

#include <stdbool.h>

#include "proxy/upstream/latency.h"

enum {
	HEDGE_MIN_MS = 20,
	HEDGE_MAX_MS = 400,
	HEDGE_PERCENTILE = 95,
	HEDGE_ASKS = 10,  /* that pay for one hedge */
	HEDGE_BURST = 16, /* hedges that can be saved up */
};

/* How long an upstream is waited for: its 95th percentile and half of that again. HEDGE_MAX_MS
 * until it is learned. */
unsigned hedge_after_ms(const struct latency *latency);

/* The same for the upstream that was asked as number `tries`, from 1, with nobody before it having
 * answered: impatience grows, so that five can be dead and the sixth is still asked within a
 * second.
 */
unsigned hedge_step_ms(unsigned after_ms, unsigned tries);

struct hedge_budget {
	unsigned asks; /* not used up, at most HEDGE_BURST * HEDGE_ASKS */
};

void hedge_on_ask(struct hedge_budget *budget);
bool hedge_take(struct hedge_budget *budget);

#endif
