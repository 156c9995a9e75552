/* shard.h - one part of the cache: a lock, an index, and two logs that S3-FIFO evicts from (Yang,
 * Zhang, Qiu, Yue, Vigfusson: FIFO queues are all you need for cache eviction, SOSP 2023).
 *
 *   small   a tenth of the bytes:  who is new. At its tail those asked for again go over to the
 * main log, the others out; their fingerprints stay in the ghost table for a while main    the
 * rest: who has proved itself, or came back while the ghost table knew it. At its tail those asked
 * for since they came here go round once more, for each time asked
 *
 * So a flood of names that are asked for once passes through the small log and leaves the main one
 * alone, and a hit changes two counters and nothing else. While the main log has room to spare,
 * nobody is thrown out of the small one.
 *
 * The work of one put is bounded: it copies at most SHARD_PATIENCE bytes and one entry; whoever is
 * in its way after that is dropped, asked for or not. So it also drops no more than it brings and
 * copies, and what the edges of three entries waste. In sum a copy is paid by the hit that it
 * honours: O(1) amortised.
 *
 * The caller holds the lock. A shard never allocates; its memory, zeroed and untouched at birth, is
 * touched only where it is used. */
#ifndef PROXY_CACHE_SHARD_H
#define PROXY_CACHE_SHARD_H

#include "proxy/cache/ghost.h"
#include "proxy/cache/ring.h"
#include "proxy/cache/slots.h"

#include <pthread.h>

enum { SHARD_PATIENCE = 64 * 1024, SHARD_SIZE_MIN = 1000 * 1000 };

struct shard {
	_Alignas(64) pthread_mutex_t lock; /* beside what every holder changes; no line is shared
					      with another shard */
	uint64_t contended;
	uint64_t inserted;
	uint64_t evicted;
	size_t used;      /* bytes of entries in the index */
	size_t main_used; /* of those in the main log */
	size_t patience;  /* bytes that the put at hand may still copy */
	struct slots slots;
	uint32_t slots_most; /* that the index may grow to */
	struct ring small;
	struct ring main;
	struct ghost ghost;
	uint8_t *memory;
};

/* `memory` is aligned to 64 bytes; at least SHARD_SIZE_MIN of them, at most 32 GiB. */
void shard_init(struct shard *shard, void *memory, size_t size);
void shard_deinit(struct shard *shard);

void shard_lock(struct shard *shard);
void shard_unlock(struct shard *shard);

/* One of the two things that a question looks for, and its hash. */
struct shard_key {
	const struct cache_key *key;
	uint16_t type; /* the key's own, or CACHE_ANY_TYPE */
	uint16_t fingerprint;
	uint32_t tag;
};

/* Below, `any` is the same key with CACHE_ANY_TYPE, or NULL when that is `own`.
 *
 * Which of the two is given out: the answer for the type while it is fresh; else the one for any
 * type, fresh or stale, for a put for a type forgets it, so that where there are both it is the
 * newer one; else what there is for the type. */
void shard_find(struct shard *shard, const struct shard_key *own, const struct shard_key *any,
	const struct entry_clock *clock, void *buffer, struct cache_hit *hit);

void shard_put(struct shard *shard, const struct shard_key *own, const struct shard_key *any,
	struct slice value, uint32_t ttl_s, const struct entry_clock *clock);

void shard_fail(struct shard *shard, const struct shard_key *own, const struct shard_key *any,
	struct slice value, uint32_t most_s, const struct entry_clock *clock);

/* Takes an answer as it stood in a file. Nothing when there is one; true when it was taken. */
bool shard_restore(struct shard *shard, const struct shard_key *own,
	const struct cache_record *record, const struct entry_clock *clock);

/* A walk over all entries in portions, between which the lock may be given up: everything that was
 * there when it began, and stays, is met once at least. */
enum shard_walk_part { SHARD_WALK_SMALL, SHARD_WALK_MAIN, SHARD_WALK_OVER };

enum shard_visit {
	SHARD_VISIT_NEXT,
	SHARD_VISIT_FORGET,
	SHARD_VISIT_STOP, /* ends this portion; the same entry comes again */
};
typedef enum shard_visit (*shard_visit_fn)(void *context, const struct entry *entry);

/* One portion; false when the walk is over. */
bool shard_walk(
	struct shard *shard, struct cache_walk *walk, shard_visit_fn on_entry, void *context);

/* Is this entry one that has proved itself? */
bool shard_is_main(const struct shard *shard, const struct entry *entry);

#endif
