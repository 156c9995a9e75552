#include "proxy/query/join.h"

#include <stdlib.h>
#include <xxhash.h>

#include "base/random.h"

struct join_table {
	size_t capacity;
	size_t bucket_mask;
	uint64_t salt; /* clients choose the names */
	struct join_ask *asks;
	struct join_ask **buckets;
	struct join_ask *free;
	size_t untouched; /* first slot that was never used */
};

struct join_table *join_table_new(size_t capacity)
{
	struct join_table *table = calloc(1, sizeof *table);
	size_t bucket_count = 16;
	while (bucket_count < capacity)
		bucket_count *= 2;
	if (!table)
		return NULL;
	table->capacity = capacity;
	table->bucket_mask = bucket_count - 1;
	random_fill(&table->salt, sizeof table->salt);
	table->asks = calloc(capacity, sizeof *table->asks);
	table->buckets = calloc(bucket_count, sizeof(struct join_ask *));
	if (!table->asks || !table->buckets) {
		join_table_free(table);
		return NULL;
	}
	return table;
}

void join_table_free(struct join_table *table)
{
	if (!table)
		return;
	free(table->asks);
	free(table->buckets);
	free(table);
}

struct join_key join_key_of(const struct dns_request *request, uint32_t group)
{
	struct join_key key = {
		.type = request->type,
		.class = request->class,
		.flags = (uint8_t)((request->recursion_desired ? JOIN_RD : 0) |
			(request->checking_disabled ? JOIN_CD : 0) |
			(request->dnssec_ok ? JOIN_DO : 0) |
			(request->authentic_wanted ? JOIN_AD : 0)),
		.group = group,
	};
	key.name.len = (uint8_t)request->name.len;
	dns_name_lower(key.name.wire, request->name.at, request->name.len);
	return key;
}

static bool same_key(const struct join_key *a, const struct join_key *b)
{
	return a->type == b->type && a->class == b->class && a->flags == b->flags &&
		a->group == b->group &&
		slice_equals(dns_name_slice(&a->name), dns_name_slice(&b->name));
}

static struct join_ask **bucket_of(const struct join_table *table, const struct join_key *key)
{
	uint64_t seed = table->salt ^ (uint64_t)key->type << 48 ^ (uint64_t)key->class << 40 ^
		(uint64_t)key->flags << 32 ^ key->group;
	uint64_t hash = XXH3_64bits_withSeed(key->name.wire, key->name.len, seed);
	return &table->buckets[hash & table->bucket_mask];
}

/* Slots that were never used come one after the other, so that untouched memory stays untouched. */
static struct join_ask *take_free(struct join_table *table)
{
	struct join_ask *ask = table->free;
	if (!ask)
		return table->untouched < table->capacity ? &table->asks[table->untouched++] : NULL;
	table->free = ask->next;
	return ask;
}

struct join_ask *join_find_or_add(struct join_table *table, const struct join_key *key, bool *fresh)
{
	struct join_ask **bucket = bucket_of(table, key);
	*fresh = false;
	for (struct join_ask *ask = *bucket; ask; ask = ask->next)
		if (same_key(&ask->key, key))
			return ask;
	struct join_ask *ask = take_free(table);
	if (!ask)
		return NULL;
	*fresh = true;
	ask->used = true;
	ask->key = *key;
	list_init(&ask->waiting);
	ask->next = *bucket;
	*bucket = ask;
	return ask;
}

uint64_t join_ask_number(const struct join_table *table, const struct join_ask *ask)
{
	return (uint64_t)ask->generation << 32 | (uint64_t)(ask - table->asks);
}

struct join_ask *join_find_number(const struct join_table *table, uint64_t number)
{
	uint32_t slot = (uint32_t)number;
	if (slot >= table->capacity)
		return NULL;
	struct join_ask *ask = &table->asks[slot];
	return ask->used && ask->generation == number >> 32 ? ask : NULL;
}

void join_end(struct join_table *table, struct join_ask *ask)
{
	struct join_ask **link = bucket_of(table, &ask->key);
	while (*link != ask)
		link = &(*link)->next;
	*link = ask->next;
	ask->used = false;
	ask->generation++;
	ask->next = table->free;
	table->free = ask;
}
