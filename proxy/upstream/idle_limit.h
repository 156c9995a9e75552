/* idle_limit.h - how long a connection to an upstream may idle, learned: we close it before the
 * upstream does, so that no question is sent into a connection that is just going away. Pure.
 * Shrinks to IDLE_LIMIT_PERCENT of what the upstream was seen to allow, by half at most at a time
 * (one restart over there is no habit), and grows a little whenever we were first. What an upstream
 * says itself (RFC 7828) is the most that is ever taken. */
#ifndef PROXY_UPSTREAM_IDLE_LIMIT_H
#define PROXY_UPSTREAM_IDLE_LIMIT_H

#include <stdint.h>

enum {
	IDLE_LIMIT_START_MS = 10000,
	IDLE_LIMIT_MIN_MS = 1000,
	IDLE_LIMIT_MAX_MS = 60000,
	IDLE_LIMIT_PERCENT = 80,
	IDLE_LIMIT_GROWTH_PERCENT = 5,
};

struct idle_limit {
	uint32_t limit_ms;
	uint32_t told_ms; /* what the upstream said last; 0: nothing */
};

void idle_limit_init(struct idle_limit *limit);

/* The upstream closed a connection that had been idle for so long. */
void idle_limit_on_peer_close(struct idle_limit *limit, uint64_t idle_ms);

/* We closed one, and it was still good. */
void idle_limit_on_own_close(struct idle_limit *limit);

/* The upstream said how long it keeps idle connections (edns-tcp-keepalive). */
void idle_limit_on_told(struct idle_limit *limit, uint32_t told_ms);

#endif
