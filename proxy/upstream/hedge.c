#include "proxy/upstream/hedge.h"

unsigned hedge_after_ms(const struct latency *latency)
{
	uint32_t usual_us = latency_percentile_us(latency, HEDGE_PERCENTILE);
	if (usual_us == 0)
		return HEDGE_MAX_MS;
	uint32_t after_ms = (usual_us + usual_us / 2 + 999) / 1000;
	if (after_ms < HEDGE_MIN_MS)
		return HEDGE_MIN_MS;
	return after_ms < HEDGE_MAX_MS ? after_ms : HEDGE_MAX_MS;
}

unsigned hedge_step_ms(unsigned after_ms, unsigned tries)
{
	static const unsigned at_most_ms[] = { HEDGE_MAX_MS, 200, 100 };
	const unsigned rows = sizeof at_most_ms / sizeof *at_most_ms;
	unsigned row = tries ? tries - 1 : 0;
	unsigned limit_ms = at_most_ms[row < rows ? row : rows - 1];
	return after_ms < limit_ms ? after_ms : limit_ms;
}

void hedge_on_ask(struct hedge_budget *budget)
{
	if (budget->asks < HEDGE_BURST * HEDGE_ASKS)
		budget->asks++;
}

bool hedge_take(struct hedge_budget *budget)
{
	if (budget->asks < HEDGE_ASKS)
		return false;
	budget->asks -= HEDGE_ASKS;
	return true;
}
