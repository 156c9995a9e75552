/* cache.h - what upstreams said, kept for all workers: facts only, never a verdict (design,
 * decision 2). Steps 6 and 10 of a query's journey.
 *
 * Limited in bytes, not in entries: all memory is mapped once, touched when used, never grown. The
 * keys are spread over shards with a lock each; a call holds one lock for a search and one copy, so
 * nothing that it gives out can change or vanish. Within a shard entries stand in logs (rings of
 * bytes) that S3-FIFO evicts from, O(1): see shard.h. Values are packed answers (dns/packed.h); the
 * cache itself does not look into them.
 *
 * Safe from any thread. Time is passed in: seconds of a clock that never goes back and counts
 * suspend (CLOCK_BOOTTIME). */
#ifndef PROXY_CACHE_CACHE_H
#define PROXY_CACHE_CACHE_H

#include <stdatomic.h>

#include "dns/name.h"

struct cache;

struct cache_settings {
	size_t size;      /* bytes in all, index included; at least CACHE_SIZE_MIN */
	uint32_t stale_s; /* how long an entry is kept behind its end for cache_find() to give out
			     as stale; 0: not at all (RFC 8767 5) */
	uint32_t refresh_percent; /* of the lifetime left: then a popular entry is to be refreshed;
				 0: never */
	uint64_t salt;            /* keys the hash against crafted collisions */
};

enum { CACHE_SIZE_MIN = 1024 * 1024 };

/* NULL when out of memory. */
struct cache *cache_new(const struct cache_settings *settings);
void cache_free(struct cache *cache);

/* Takes stale_s and refresh_percent of a reload; size and salt stay. */
void cache_configure(struct cache *cache, const struct cache_settings *settings);

/* What makes two questions the same one for the cache. */
enum cache_key_flag { CACHE_KEY_DO = 1, CACHE_KEY_CD = 2 };
struct cache_key {
	struct slice name; /* wire, lower case */
	uint16_t type;     /* CACHE_ANY_TYPE: of a name that does not exist at all */
	uint16_t class;
	uint8_t flags;  /* enum cache_key_flag */
	uint32_t group; /* identity of the upstream group that said it */
};
enum { CACHE_ANY_TYPE = 0 };

enum cache_state {
	CACHE_MISS,
	CACHE_FRESH,  /* answer with it */
	CACHE_STALE,  /* its time is over: only when nobody can be asked, or does not answer in time
		       */
	CACHE_FAILED, /* resolution failed a moment ago: answer with it, ask nobody (RFC 9520 3.2)
		       */
};

struct cache_hit {
	enum cache_state state;
	struct slice value; /* a copy in the caller's buffer; empty for CACHE_MISS */
	uint32_t age_s;     /* since it was stored */
	bool refresh;     /* CACHE_FRESH: asked for often and about to end. Said to one caller, who
			     is to ask again in the background */
	bool retry_later; /* CACHE_STALE: the last attempt to renew it failed a moment ago, so give
			     it out at once and ask nobody (RFC 8767 5, failure recheck timer) */
};

/* Looks for the key's type, then for CACHE_ANY_TYPE. `buffer` must hold DNS_PACKED_MAX bytes. */
void cache_find(struct cache *cache, const struct cache_key *key, uint32_t now_s, void *buffer,
	struct cache_hit *hit);

/* Keeps a value for ttl_s seconds in the place of what was there. A value that is too large for a
 * shard, or a ttl_s of 0, is not kept; what was there then ends now. A put for a type says that the
 * name exists: CACHE_ANY_TYPE of the same name, class, flags and group is forgotten. */
void cache_put(struct cache *cache, const struct cache_key *key, struct slice value, uint32_t ttl_s,
	uint32_t now_s);

/* The question could not be resolved. An answer that is there, stale or not, stays and is not asked
 * for again for a while; where there is none, `value` (SERVFAIL with its reason) is kept for that
 * while. It is CACHE_FAIL_FIRST_S, doubled by each failure in a row up to `most_s`. */
enum { CACHE_FAIL_FIRST_S = 1, CACHE_FAIL_MOST_S = 300 /* RFC 9520 3.2 */ };
void cache_fail(struct cache *cache, const struct cache_key *key, struct slice value,
	uint32_t most_s, uint32_t now_s);

/* Forgets: one name with all its types, flags and groups; it and everything below; or all (`name`
 * is the root and `below` is set). Returns the number of entries. Holds each lock only for short
 * moments; entries that are put meanwhile may stay. */
size_t cache_flush(struct cache *cache, struct slice name, bool below);

struct cache_stats {
	size_t size; /* bytes that it may use */
	size_t used; /* bytes of entries that can be found */
	size_t entries;
	uint64_t inserted;
	uint64_t evicted;   /* made room for others, although their time was not over */
	uint64_t contended; /* times that somebody else had the lock */
};
void cache_stats(struct cache *cache, struct cache_stats *stats);

/* --- for the file: answers with their age, one by one --- */

struct cache_record {
	struct cache_key key;
	struct slice value;
	uint32_t age_s;      /* since it was stored */
	uint32_t lifetime_s; /* from then on; may be over */
	uint8_t weight;      /* how much it was asked for: 0 to 3 */
};

/* A walk over all answers that are not over. Zero-initialise. */
struct cache_walk {
	unsigned shard;
	unsigned part;
	bool begun;
	uint64_t at;
	uint64_t limit;
};

/* Tells what stands in one portion of a shard, holding its lock: `on_record` only copies. When it
 * says false, the portion ends, and the same record comes again. Returns false at the end. What
 * moves about meanwhile may come twice. */
typedef bool (*cache_record_fn)(void *context, const struct cache_record *record);
bool cache_walk(struct cache *cache, struct cache_walk *walk, uint32_t now_s,
	cache_record_fn on_record, void *context);

/* Takes a record back; false when there is one in its place, or it is over or too large. */
bool cache_restore(struct cache *cache, const struct cache_record *record, uint32_t now_s);

#endif
