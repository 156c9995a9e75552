/* zone_fuzz.c - any bytes as a TZif file. What is read has an offset at every time, and one that a
 * place on earth can have. */
#include "base/error.h"
#include "base/zone.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OFFSET_MIN_S = -89999, OFFSET_MAX_S = 93599 };

static void check(const struct zone *zone, int64_t now_s)
{
	int32_t offset_s = zone_offset_s(zone, now_s);
	if (offset_s < OFFSET_MIN_S || offset_s > OFFSET_MAX_S)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena memory = { 0 };
	struct zone *zone;
	int error = zone_read(&zone, slice_of(data, size), &memory);
	if (error && error != ERR_MALFORMED)
		abort();
	if (!error) {
		check(zone, INT64_MIN);
		check(zone, INT64_MAX);
		for (int64_t now_s = -5000000000; now_s <= 15000000000; now_s += 99999937)
			check(zone, now_s);
	}
	arena_free(&memory);
	return 0;
}
