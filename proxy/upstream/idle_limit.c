#include "proxy/upstream/idle_limit.h"

/* A part of what the upstream allows, within our own bounds. */
static uint32_t below(uint64_t allowed_ms)
{
	uint64_t limit_ms = allowed_ms * IDLE_LIMIT_PERCENT / 100;
	if (limit_ms < IDLE_LIMIT_MIN_MS)
		return IDLE_LIMIT_MIN_MS;
	return limit_ms > IDLE_LIMIT_MAX_MS ? IDLE_LIMIT_MAX_MS : (uint32_t)limit_ms;
}

void idle_limit_init(struct idle_limit *limit)
{
	*limit = (struct idle_limit){ .limit_ms = IDLE_LIMIT_START_MS };
}

void idle_limit_on_peer_close(struct idle_limit *limit, uint64_t idle_ms)
{
	uint32_t seen_ms = below(idle_ms);
	uint32_t half_ms = limit->limit_ms / 2;
	if (seen_ms < half_ms)
		seen_ms = half_ms < IDLE_LIMIT_MIN_MS ? IDLE_LIMIT_MIN_MS : half_ms;
	if (seen_ms < limit->limit_ms)
		limit->limit_ms = seen_ms;
}

void idle_limit_on_own_close(struct idle_limit *limit)
{
	uint32_t most_ms = limit->told_ms ? below(limit->told_ms) : IDLE_LIMIT_MAX_MS;
	uint32_t grown_ms = limit->limit_ms + limit->limit_ms * IDLE_LIMIT_GROWTH_PERCENT / 100;
	limit->limit_ms = grown_ms < most_ms ? grown_ms : most_ms;
}

void idle_limit_on_told(struct idle_limit *limit, uint32_t told_ms)
{
	/* Said with every answer; what was learned since stands until something else is said. */
	if (told_ms == limit->told_ms)
		return;
	limit->told_ms = told_ms;
	limit->limit_ms = below(told_ms);
}
