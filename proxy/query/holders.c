#include "proxy/query/holders.h"

#include <stdlib.h>
#include <xxhash.h>

#include "base/random.h"

enum { SHARE_OF_LEFT = 3, KEPT_SHARE = 8 };

struct holder {
	struct address client; /* its first address */
	bool is_proven;
	uint32_t count;
	uint32_t next; /* in its bucket, or in the free list */
};

struct holders {
	uint64_t salt; /* clients choose their addresses */
	size_t capacity;
	size_t untouched; /* first that was never used */
	size_t bucket_mask;
	struct holder *all;
	uint32_t *buckets;
	uint32_t free;
};

struct holders *holders_new(size_t capacity)
{
	struct holders *holders = calloc(1, sizeof *holders);
	size_t bucket_count = 16;
	while (bucket_count < capacity)
		bucket_count *= 2;
	if (!holders)
		return NULL;
	random_fill(&holders->salt, sizeof holders->salt);
	holders->capacity = capacity;
	holders->bucket_mask = bucket_count - 1;
	holders->free = HOLDERS_NONE;
	holders->all = calloc(capacity, sizeof *holders->all);
	holders->buckets = malloc(bucket_count * sizeof *holders->buckets);
	if (!holders->all || !holders->buckets) {
		holders_free(holders);
		return NULL;
	}
	memset(holders->buckets, 0xff, bucket_count * sizeof *holders->buckets);
	return holders;
}

void holders_free(struct holders *holders)
{
	if (!holders)
		return;
	free(holders->all);
	free(holders->buckets);
	free(holders);
}

static uint32_t *bucket_of(
	const struct holders *holders, const struct address *first, bool is_proven)
{
	uint64_t hash =
		XXH3_64bits_withSeed(first->bytes, sizeof first->bytes, holders->salt + is_proven);
	return &holders->buckets[hash & holders->bucket_mask];
}

static bool is_of(const struct holder *holder, const struct address *first, bool is_proven)
{
	return holder->is_proven == is_proven && memcmp(&holder->client, first, sizeof *first) == 0;
}

static uint32_t find(
	const struct holders *holders, uint32_t bucket, const struct address *first, bool is_proven)
{
	while (bucket != HOLDERS_NONE && !is_of(&holders->all[bucket], first, is_proven))
		bucket = holders->all[bucket].next;
	return bucket;
}

static uint32_t add(
	struct holders *holders, uint32_t *bucket, const struct address *first, bool is_proven)
{
	uint32_t added = holders->free;
	if (added != HOLDERS_NONE)
		holders->free = holders->all[added].next;
	else if (holders->untouched < holders->capacity)
		added = (uint32_t)holders->untouched++;
	else
		return HOLDERS_NONE;
	holders->all[added] =
		(struct holder){ .client = *first, .is_proven = is_proven, .next = *bucket };
	*bucket = added;
	return added;
}

uint32_t holders_take(
	struct holders *holders, const struct address *client, bool is_proven, size_t most)
{
	struct address first = address_of_client(client);
	uint32_t *bucket = bucket_of(holders, &first, is_proven);
	uint32_t holder = find(holders, *bucket, &first, is_proven);
	if (holder == HOLDERS_NONE && most > 0)
		holder = add(holders, bucket, &first, is_proven);
	if (holder == HOLDERS_NONE || holders->all[holder].count >= most)
		return HOLDERS_NONE;
	holders->all[holder].count++;
	return holder;
}

void holders_give(struct holders *holders, uint32_t holder)
{
	struct holder *gone = &holders->all[holder];
	if (--gone->count > 0)
		return;
	uint32_t *link = bucket_of(holders, &gone->client, gone->is_proven);
	while (*link != holder)
		link = &holders->all[*link].next;
	*link = gone->next;
	gone->next = holders->free;
	holders->free = holder;
}

size_t holders_left(size_t capacity, size_t waiting, bool is_proven)
{
	size_t left = capacity - waiting, kept = is_proven ? 0 : capacity / KEPT_SHARE;
	return left > kept ? left - kept : 0;
}

size_t holders_share(size_t configured, size_t left)
{
	size_t share = SHARE_OF_LEFT * left;
	return share < configured ? share : configured;
}
