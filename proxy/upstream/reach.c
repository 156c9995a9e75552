#include "proxy/upstream/reach.h"

/* SIZE_MAX when it is none of them. */
static size_t find(const struct reach *reach, const struct address *address)
{
	for (size_t i = 0; i < reach->count; i++) {
		if (memcmp(&reach->addresses[i], address, sizeof *address) == 0)
			return i;
	}
	return SIZE_MAX;
}

void reach_take(struct reach *reach, const struct address *addresses, size_t count)
{
	struct address good = reach->addresses[reach->good];
	reach->count = count < REACH_ADDRESSES_MAX ? count : REACH_ADDRESSES_MAX;
	if (reach->count > 0)
		memcpy(reach->addresses, addresses, reach->count * sizeof *addresses);
	reach->good = 0;
	reach_on_reached(reach, &good);
}

const struct address *reach_nth(const struct reach *reach, size_t n)
{
	if (n >= reach->count)
		return NULL;
	/* The good one, then the others in their order. */
	if (n == 0)
		n = reach->good;
	else if (n <= reach->good)
		n--;
	return &reach->addresses[n];
}

void reach_on_reached(struct reach *reach, const struct address *address)
{
	size_t index = find(reach, address);
	if (index != SIZE_MAX)
		reach->good = index;
}

void reach_on_failure(struct reach *reach, uint64_t began_ms, uint64_t now_ms)
{
	unsigned pause_ms = reach->pause_ms ? reach->pause_ms * 2 : REACH_PAUSE_MIN_MS;
	reach->pause_ms = pause_ms < REACH_PAUSE_MAX_MS ? pause_ms : REACH_PAUSE_MAX_MS;
	reach->until_ms = began_ms + reach->pause_ms;
	if (reach->until_ms < now_ms + REACH_PAUSE_MIN_MS)
		reach->until_ms = now_ms + REACH_PAUSE_MIN_MS;
}

void reach_on_success(struct reach *reach)
{
	reach->pause_ms = 0;
	reach->until_ms = 0;
}

bool reach_may_try(const struct reach *reach, uint64_t now_ms)
{
	return now_ms >= reach->until_ms;
}
