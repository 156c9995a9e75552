/* cache.c - one mapping: this head, the shards, the shards' memory. Which shard is the name's to
 * say, so that all types of a name stand under one lock: the two look-ups of cache_find(), and a
 * put that forgets an NXDOMAIN, are one hold, and flushing a name walks one shard. */
#include "proxy/cache/cache.h"

#include "proxy/cache/shard.h"

#include <assert.h>
#include <sys/mman.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { SHARD_SIZE = 2 * 1024 * 1024, SHARDS_MAX = 64 };

struct cache {
	size_t size;
	uint64_t salt;
	_Atomic uint32_t stale_s;
	_Atomic uint32_t refresh_percent;
	unsigned shard_count; /* a power of two */
	struct shard shards[];
};

/* --- birth and death --- */

static unsigned count_shards(size_t size)
{
	unsigned count = 1;
	while (count < SHARDS_MAX && size / SHARD_SIZE >= count * 2)
		count *= 2;
	return count;
}

/* Nothing of it is resident until it is touched, in pages of the least size: an empty cache costs
 * next to nothing. */
static void *map(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return NULL;
	madvise(at, size, MADV_NOHUGEPAGE); /* an old kernel without them: as well */
	return at;
}

struct cache *cache_new(const struct cache_settings *settings)
{
	assert(settings->size >= CACHE_SIZE_MIN);
	size_t size = settings->size & ~(size_t)4095;
	struct cache *cache = map(size);
	if (!cache)
		return NULL;
	cache->size = size;
	cache->salt = settings->salt;
	cache->shard_count = count_shards(size);
	cache_configure(cache, settings);
	size_t head = sizeof *cache + cache->shard_count * sizeof cache->shards[0];
	size_t each = (size - head) / cache->shard_count & ~(size_t)63;
	uint8_t *memory = (uint8_t *)cache + head;
	for (unsigned i = 0; i < cache->shard_count; i++)
		shard_init(&cache->shards[i], memory + i * each, each);
	return cache;
}

void cache_free(struct cache *cache)
{
	if (!cache)
		return;
	for (unsigned i = 0; i < cache->shard_count; i++)
		shard_deinit(&cache->shards[i]);
	munmap(cache, cache->size);
}

void cache_configure(struct cache *cache, const struct cache_settings *settings)
{
	uint32_t stale_s =
		settings->stale_s < ENTRY_TTL_MAX_S ? settings->stale_s : ENTRY_TTL_MAX_S;
	atomic_store_explicit(&cache->stale_s, stale_s, memory_order_relaxed);
	atomic_store_explicit(
		&cache->refresh_percent, settings->refresh_percent, memory_order_relaxed);
}

/* --- keys --- */

static struct entry_clock clock_of(const struct cache *cache, uint32_t now_s)
{
	return (struct entry_clock){
		.now_s = now_s,
		.stale_s = atomic_load_explicit(&cache->stale_s, memory_order_relaxed),
		.refresh_percent =
			atomic_load_explicit(&cache->refresh_percent, memory_order_relaxed),
	};
}

static uint64_t hash_name(const struct cache *cache, struct slice name)
{
	return XXH3_64bits_withSeed(name.at, name.len, cache->salt);
}

static struct shard *shard_of(struct cache *cache, uint64_t name_hash)
{
	return &cache->shards[name_hash & (cache->shard_count - 1)];
}

/* The rest of the key is hashed with the name's hash for a seed. */
static struct shard_key shard_key_of(const struct cache_key *key, uint16_t type, uint64_t name_hash)
{
	const uint32_t rest[] = { (uint32_t)type << 16 | key->class, key->flags, key->group };
	uint64_t hash = XXH3_64bits_withSeed(rest, sizeof rest, name_hash);
	return (struct shard_key){
		.key = key,
		.type = type,
		.fingerprint = (uint16_t)hash,
		.tag = (uint32_t)(hash >> 32),
	};
}

/* All that a call needs, made before the lock is taken. */
struct place {
	struct shard *shard;
	struct shard_key own;
	struct shard_key for_any_type;
	const struct shard_key *any; /* the one above, or NULL when the key's own type is that */
	struct entry_clock clock;
};

static void find_place(
	struct place *place, struct cache *cache, const struct cache_key *key, uint32_t now_s)
{
	uint64_t name_hash = hash_name(cache, key->name);
	place->shard = shard_of(cache, name_hash);
	place->own = shard_key_of(key, key->type, name_hash);

	place->for_any_type = shard_key_of(key, CACHE_ANY_TYPE, name_hash);
	place->any = key->type == CACHE_ANY_TYPE ? NULL : &place->for_any_type;
	place->clock = clock_of(cache, now_s);
}

/* --- the three calls of a query --- */

void cache_find(struct cache *cache, const struct cache_key *key, uint32_t now_s, void *buffer,
	struct cache_hit *hit)
{
	struct place place;
	find_place(&place, cache, key, now_s);
	shard_lock(place.shard);
	shard_find(place.shard, &place.own, place.any, &place.clock, buffer, hit);
	shard_unlock(place.shard);
}

void cache_put(struct cache *cache, const struct cache_key *key, struct slice value, uint32_t ttl_s,
	uint32_t now_s)
{
	struct place place;
	find_place(&place, cache, key, now_s);
	shard_lock(place.shard);
	shard_put(place.shard, &place.own, place.any, value, ttl_s, &place.clock);
	shard_unlock(place.shard);
}

void cache_fail(struct cache *cache, const struct cache_key *key, struct slice value,
	uint32_t most_s, uint32_t now_s)
{
	struct place place;
	find_place(&place, cache, key, now_s);
	shard_lock(place.shard);
	shard_fail(place.shard, &place.own, place.any, value, most_s, &place.clock);
	shard_unlock(place.shard);
}

/* --- flushing --- */

struct flush {
	struct slice name;
	bool below;
	size_t count;
};

static enum shard_visit flush_entry(void *context, const struct entry *entry)
{
	struct flush *flush = context;
	struct slice name = entry_name(entry);
	bool hit = flush->below ? dns_name_is_under(name, flush->name)
				: slice_equals(name, flush->name);
	flush->count += hit;
	return hit ? SHARD_VISIT_FORGET : SHARD_VISIT_NEXT;
}

static void flush_shard(struct shard *shard, struct flush *flush)
{
	struct cache_walk walk = { 0 };
	bool more = true;
	while (more) {
		shard_lock(shard);
		more = shard_walk(shard, &walk, flush_entry, flush);
		shard_unlock(shard);
	}
}

size_t cache_flush(struct cache *cache, struct slice name, bool below)
{
	struct dns_name lower = { .len = (uint8_t)name.len };
	struct flush flush = { .name = dns_name_slice(&lower), .below = below };
	assert(name.len <= DNS_NAME_MAX);
	dns_name_lower(lower.wire, name.at, name.len);
	flush.name.len = name.len;
	if (!below)
		flush_shard(shard_of(cache, hash_name(cache, flush.name)), &flush);
	for (unsigned i = 0; below && i < cache->shard_count; i++)
		flush_shard(&cache->shards[i], &flush);
	return flush.count;
}

/* --- what is in it --- */

void cache_stats(struct cache *cache, struct cache_stats *stats)
{
	*stats = (struct cache_stats){ .size = cache->size };
	for (unsigned i = 0; i < cache->shard_count; i++) {
		struct shard *shard = &cache->shards[i];
		shard_lock(shard);
		stats->used += shard->used;
		stats->entries += shard->slots.count;
		stats->inserted += shard->inserted;
		stats->evicted += shard->evicted;
		stats->contended += shard->contended;
		shard_unlock(shard);
	}
}

struct telling {
	const struct shard *shard;
	struct entry_clock clock;
	cache_record_fn on_record;
	void *context;
};

static enum shard_visit tell_entry(void *context, const struct entry *entry)
{
	const struct telling *telling = context;
	if (entry->kind != ENTRY_ANSWER || entry_is_over(entry, &telling->clock))
		return SHARD_VISIT_NEXT;
	bool proved = shard_is_main(telling->shard, entry) && entry->frequency < ENTRY_POPULAR;
	struct cache_record record = {
		.key = { .name = entry_name(entry),
			.type = entry->type,
			.class = entry->class,
			.flags = entry->flags,
			.group = entry->group },
		.value = entry_value(entry),
		.age_s = entry_age_s(entry, telling->clock.now_s),
		.lifetime_s = entry->expires_s - entry->stored_s,
		.weight = proved ? ENTRY_POPULAR : entry->frequency,
	};
	return telling->on_record(telling->context, &record) ? SHARD_VISIT_NEXT : SHARD_VISIT_STOP;
}

bool cache_walk(struct cache *cache, struct cache_walk *walk, uint32_t now_s,
	cache_record_fn on_record, void *context)
{
	if (walk->shard == cache->shard_count)
		return false;
	struct shard *shard = &cache->shards[walk->shard];
	struct telling telling = { .shard = shard,
		.clock = clock_of(cache, now_s),
		.on_record = on_record,
		.context = context };
	shard_lock(shard);
	bool more = shard_walk(shard, walk, tell_entry, &telling);
	shard_unlock(shard);
	if (!more)
		*walk = (struct cache_walk){ .shard = walk->shard + 1 };
	return walk->shard < cache->shard_count;
}

bool cache_restore(struct cache *cache, const struct cache_record *record, uint32_t now_s)
{
	struct place place;
	find_place(&place, cache, &record->key, now_s);
	if (record->lifetime_s > ENTRY_TTL_MAX_S || record->age_s > ENTRY_TTL_MAX_S ||
		record->age_s >= (uint64_t)record->lifetime_s + place.clock.stale_s)
		return false;
	shard_lock(place.shard);
	bool taken = shard_restore(place.shard, &place.own, record, &place.clock);
	shard_unlock(place.shard);
	return taken;
}
