#include "proxy/upstream/health.h"

static bool is_recent(uint64_t then_ms, uint64_t now_ms)
{
	return now_ms - then_ms < HEALTH_DOWN_MS;
}

/* The first probe is not due before one more second: what is in flight is probe enough. */
static void note_change(struct health *health, enum health_state before, uint64_t now_ms)
{
	if (before == HEALTH_UP && health_state(health, now_ms) != HEALTH_UP)
		health->probed_ms = now_ms;
}

/* What happened long ago is no part of a row. Just one is kept of what led to the last time down,
 * so that a server that is still dead needs no third victim. */
static unsigned row(unsigned count, unsigned limit, uint64_t then_ms, uint64_t now_ms)
{
	if (is_recent(then_ms, now_ms))
		return count < limit ? count + 1 : limit;
	return count == limit ? limit : 1;
}

void health_on_answer(struct health *health)
{
	health->silences = 0;
	health->overdue = 0;
}

void health_on_loss(struct health *health)
{
	health->silences = 0;
}

void health_on_overdue(struct health *health, uint64_t now_ms)
{
	enum health_state before = health_state(health, now_ms);
	health->overdue = row(health->overdue, HEALTH_OVERDUE, health->overdue_ms, now_ms);
	health->overdue_ms = now_ms;
	note_change(health, before, now_ms);
}

void health_on_silence(struct health *health, uint64_t now_ms)
{
	enum health_state before = health_state(health, now_ms);
	health->silences = row(health->silences, HEALTH_SILENCES, health->silent_ms, now_ms);
	health->silent_ms = now_ms;
	note_change(health, before, now_ms);
}

enum health_state health_state(const struct health *health, uint64_t now_ms)
{
	bool is_silent = is_recent(health->silent_ms, now_ms);
	if (health->silences == HEALTH_SILENCES && is_silent)
		return HEALTH_DOWN;
	if (health->overdue == HEALTH_OVERDUE &&
		(is_recent(health->overdue_ms, now_ms) || (health->silences > 0 && is_silent)))
		return HEALTH_SUSPECT;
	return HEALTH_UP;
}

bool health_is_up(const struct health *health, uint64_t now_ms)
{
	return health_state(health, now_ms) == HEALTH_UP;
}

bool health_take_probe(struct health *health, uint64_t now_ms)
{
	if (health_is_up(health, now_ms) || now_ms - health->probed_ms < HEALTH_PROBE_MS)
		return false;
	health->probed_ms = now_ms;
	return true;
}
