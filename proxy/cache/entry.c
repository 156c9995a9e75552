#include "proxy/cache/entry.h"

enum cache_state entry_state(const struct entry *entry, const struct entry_clock *clock)
{
	int64_t left_s = entry_time_between(entry->expires_s, clock->now_s);
	if (entry->kind == ENTRY_FAILURE)
		return left_s > 0 ? CACHE_FAILED : CACHE_MISS;
	if (left_s > 0)
		return CACHE_FRESH;
	return left_s + clock->stale_s > 0 ? CACHE_STALE : CACHE_MISS;
}

bool entry_is_over(const struct entry *entry, const struct entry_clock *clock)
{
	int64_t left_s = entry_time_between(entry->expires_s, clock->now_s);
	uint32_t after_s = entry->kind == ENTRY_FAILURE ? CACHE_FAIL_MOST_S : clock->stale_s;
	return left_s + after_s <= 0;
}

uint32_t entry_age_s(const struct entry *entry, uint32_t now_s)
{
	int64_t age_s = entry_time_between(now_s, entry->stored_s);
	return age_s > 0 ? (uint32_t)age_s : 0;
}

bool entry_take_refresh(struct entry *entry, const struct entry_clock *clock)
{
	int64_t left_s = entry_time_between(entry->expires_s, clock->now_s);
	int64_t lifetime_s = entry_time_between(entry->expires_s, entry->stored_s);
	if (entry->hits < ENTRY_POPULAR || left_s * 100 > lifetime_s * clock->refresh_percent)
		return false;
	if (entry_is_backing_off(entry, clock->now_s) ||
		entry_time_between(entry->refresh_s, clock->now_s) > 0)
		return false;
	entry->refresh_s = clock->now_s + ENTRY_REFRESH_EVERY_S;
	return true;
}

bool entry_is_backing_off(const struct entry *entry, uint32_t now_s)
{
	return entry->failures > 0 && entry_time_between(entry->retry_s, now_s) > 0;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

void entry_fail(struct entry *entry, uint32_t most_s, uint32_t now_s)
{
	enum { DOUBLINGS_MAX = 9 }; /* more than CACHE_FAIL_MOST_S has */
	if (entry_is_backing_off(entry, now_s))
		return;
	if (entry_time_between(now_s, entry->retry_s) >= CACHE_FAIL_MOST_S)
		entry->failures = 0; /* long ago: not in a row */
	uint32_t wait_s = (uint32_t)CACHE_FAIL_FIRST_S << least(entry->failures, DOUBLINGS_MAX);
	if (entry->failures < DOUBLINGS_MAX)
		entry->failures++;
	entry->retry_s = now_s + least(wait_s, least(most_s, CACHE_FAIL_MOST_S));
}
