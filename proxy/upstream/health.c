#include "proxy/upstream/health.h"

void health_on_answer(struct health *health)
{
	health->silences = 0;
}

void health_on_silence(struct health *health, uint64_t now_ms)
{
	bool was_up = health_is_up(health, now_ms);
	/* Silence of long ago is no part of a row. Just one is kept of what led to the last time
	 * down, so that a server that is still dead needs no third victim. */
	if (was_up && health->silences > 0 && now_ms - health->silent_ms >= HEALTH_DOWN_MS)
		health->silences = health->silences == HEALTH_SILENCES ? HEALTH_SILENCES - 1 : 0;
	if (health->silences < HEALTH_SILENCES)
		health->silences++;
	health->silent_ms = now_ms;
	if (was_up && !health_is_up(health, now_ms))
		health->probed_ms = now_ms;
}

bool health_is_up(const struct health *health, uint64_t now_ms)
{
	return health->silences < HEALTH_SILENCES || now_ms - health->silent_ms >= HEALTH_DOWN_MS;
}

bool health_take_probe(struct health *health, uint64_t now_ms)
{
	if (health_is_up(health, now_ms) || now_ms - health->probed_ms < HEALTH_PROBE_MS)
		return false;
	health->probed_ms = now_ms;
	return true;
}
