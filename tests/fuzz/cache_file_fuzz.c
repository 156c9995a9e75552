/* cache_file_fuzz.c - the records of a cache file, behind the checksum, as an enemy would write
 * them. Input: eight bytes of how long they lay there, then records. Checked: all that was taken is
 * a packed answer to its own question, is not over, and comes out of a walk as often as it is
 * found. */
#include <stdlib.h>

#include "proxy/cache/cache_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(what)                                                                                 \
	do {                                                                                       \
		if (!(what))                                                                       \
			abort();                                                                   \
	} while (0)

enum { NOW_S = 500, STALE_S = 86400 };

static bool on_record(void *context, const struct cache_record *record)
{
	size_t *count = context;
	struct dns_packed packed;
	struct slice name = record->key.name;
	MUST(dns_name_check(name) == name.len);
	MUST(dns_packed_check(record->value));
	dns_packed_open(&packed, record->value);
	MUST(record->lifetime_s <= packed.ttl_s);
	MUST(record->age_s < (uint64_t)record->lifetime_s + STALE_S);
	MUST(slice_equals(slice_of(packed.message.at + DNS_HEADER_LEN, name.len), name));
	++*count;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct cache_settings settings = { .size = CACHE_SIZE_MIN, .stale_s = STALE_S };
	struct cache_file_age age = { .now_s = NOW_S };
	struct cache_stats stats;
	struct cache_walk walk = { 0 };
	long taken = 0;
	if (size < 8 || size > 400000)
		return 0;
	memcpy(&age.gone_s, data, 8);
	age.gone_s &= INT64_MAX;
	struct cache *cache = cache_new(&settings);
	MUST(cache);
	long whole = cache_file_take(cache, slice_of(data + 8, size - 8), &age, &taken);
	MUST(whole < 0 || (size_t)whole <= size - 8);
	size_t count = 0;
	while (cache_walk(cache, &walk, NOW_S, on_record, &count))
		;
	cache_stats(cache, &stats);
	MUST(stats.entries <= (size_t)taken && count <= stats.entries);
	cache_free(cache);
	return 0;
}
