#include "proxy/front/crowd.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/random.h"

enum {
	BITS = 128,
	V4_FIRST = 96, /* bits of a struct address in front of an IPv4 one */
	V6_CLIENT = 64,
	ROWS_PER_CONNECTION = 2, /* its client's and its prefix's */
};

/* A client or a prefix that has a connection. */
struct row {
	struct address first;
	uint8_t bits;   /* of it that count */
	bool is_prefix; /* which an IPv6 client of the same length is not */
	uint32_t count;
	uint32_t handshakes;
	uint32_t next; /* in its bucket, or of those that are free: a row's number and 1; 0: none */
};

struct crowd {
	pthread_mutex_t lock; /* of the rows */
	_Atomic size_t count;
	atomic_bool is_called;
	size_t capacity;
	uint64_t salt;
	uint32_t mask; /* of buckets */
	uint32_t untouched;
	uint32_t free;
	uint32_t *buckets;
	struct row *rows;
};

struct crowd *crowd_new(size_t capacity)
{
	struct crowd *crowd = calloc(1, sizeof *crowd);
	size_t buckets = 1;
	if (!crowd)
		return NULL;
	while (buckets < capacity)
		buckets *= 2;
	pthread_mutex_init(&crowd->lock, NULL);
	random_fill(&crowd->salt, sizeof crowd->salt);
	crowd->capacity = capacity;
	crowd->mask = (uint32_t)(buckets - 1);
	crowd->buckets = calloc(buckets, sizeof *crowd->buckets);
	crowd->rows = calloc(capacity, ROWS_PER_CONNECTION * sizeof *crowd->rows);
	if (crowd->buckets && crowd->rows)
		return crowd;
	crowd_free(crowd);
	return NULL;
}

void crowd_free(struct crowd *crowd)
{
	if (!crowd)
		return;
	pthread_mutex_destroy(&crowd->lock);
	free(crowd->buckets);
	free(crowd->rows);
	free(crowd);
}

/* ---- rows ---- */

static struct row key_of(const struct address *client, unsigned bits, bool is_prefix)
{
	return (struct row){
		.first = address_masked(client, bits), .bits = (uint8_t)bits, .is_prefix = is_prefix
	};
}

static bool same_key(const struct row *a, const struct row *b)
{
	return a->bits == b->bits && a->is_prefix == b->is_prefix &&
		memcmp(&a->first, &b->first, sizeof a->first) == 0;
}

static uint32_t *bucket_of(struct crowd *crowd, const struct row *key)
{
	uint64_t seed = crowd->salt ^ ((uint64_t)key->bits << 1 | key->is_prefix);
	uint64_t hash = XXH3_64bits_withSeed(&key->first, sizeof key->first, seed);
	return &crowd->buckets[hash & crowd->mask];
}

/* NULL: nobody with that key has a connection. */
static struct row *row_find(struct crowd *crowd, const struct row *key)
{
	for (uint32_t at = *bucket_of(crowd, key); at; at = crowd->rows[at - 1].next)
		if (same_key(&crowd->rows[at - 1], key))
			return &crowd->rows[at - 1];
	return NULL;
}

static struct row *row_add(struct crowd *crowd, const struct row *key)
{
	uint32_t *bucket = bucket_of(crowd, key), at = crowd->free;
	if (at)
		crowd->free = crowd->rows[at - 1].next;
	else
		at = ++crowd->untouched;
	assert(at <= ROWS_PER_CONNECTION * crowd->capacity);
	struct row *row = &crowd->rows[at - 1];
	*row = *key;
	row->next = *bucket;
	*bucket = at;
	return row;
}

static void row_drop(struct crowd *crowd, uint32_t at)
{
	struct row *row = &crowd->rows[at - 1];
	uint32_t *link = bucket_of(crowd, row);
	while (*link != at)
		link = &crowd->rows[*link - 1].next;
	*link = row->next;
	row->next = crowd->free;
	crowd->free = at;
}

/* One more of that key; gives the row's number and 1. */
static uint32_t row_count(struct crowd *crowd, struct row *row, const struct row *key)
{
	if (!row)
		row = row_add(crowd, key);
	row->count++;
	return (uint32_t)(row - crowd->rows) + 1;
}

static void row_discount(struct crowd *crowd, uint32_t at)
{
	if (at && --crowd->rows[at - 1].count == 0)
		row_drop(crowd, at);
}

/* ---- */

bool crowd_enter(struct crowd *crowd)
{
	size_t count = atomic_load_explicit(&crowd->count, memory_order_relaxed);
	do
		if (count >= crowd->capacity)
			return false;
	while (!atomic_compare_exchange_weak_explicit(
		&crowd->count, &count, count + 1, memory_order_relaxed, memory_order_relaxed));
	return true;
}

static bool is_full(const struct row *row, unsigned most)
{
	return most && row && row->count >= most;
}

enum crowd_word crowd_claim(struct crowd *crowd, const struct crowd_limits *limits,
	const struct address *client, bool shakes_hands, struct crowd_place *place)
{
	bool v4 = address_is_v4(client);
	unsigned prefix_bits = v4 ? V4_FIRST + limits->prefix_v4 : limits->prefix_v6;
	struct row address_key = key_of(client, v4 ? BITS : V6_CLIENT, false);
	struct row prefix_key = key_of(client, prefix_bits, true);
	enum crowd_word word = CROWD_WELCOME;
	pthread_mutex_lock(&crowd->lock);
	struct row *address = row_find(crowd, &address_key);
	struct row *prefix = limits->per_prefix ? row_find(crowd, &prefix_key) : NULL;
	if (is_full(address, limits->per_address))
		word = CROWD_ADDRESS_FULL;
	else if (shakes_hands && limits->handshakes_per_address && address &&
		address->handshakes >= limits->handshakes_per_address)
		word = CROWD_HANDSHAKES_FULL;
	else if (is_full(prefix, limits->per_prefix))
		word = CROWD_PREFIX_FULL;
	if (word == CROWD_WELCOME) {
		place->address = row_count(crowd, address, &address_key);
		place->prefix = limits->per_prefix ? row_count(crowd, prefix, &prefix_key) : 0;
		place->shakes_hands = shakes_hands;
		crowd->rows[place->address - 1].handshakes += shakes_hands;
	}
	pthread_mutex_unlock(&crowd->lock);
	return word;
}

/* With the lock held. */
static void settle(struct crowd *crowd, struct crowd_place *place)
{
	if (place->shakes_hands)
		crowd->rows[place->address - 1].handshakes--;
	place->shakes_hands = false;
}

void crowd_settle(struct crowd *crowd, struct crowd_place *place)
{
	pthread_mutex_lock(&crowd->lock);
	settle(crowd, place);
	pthread_mutex_unlock(&crowd->lock);
}

void crowd_leave(struct crowd *crowd, struct crowd_place *place)
{
	pthread_mutex_lock(&crowd->lock);
	settle(crowd, place);
	row_discount(crowd, place->address);
	row_discount(crowd, place->prefix);
	pthread_mutex_unlock(&crowd->lock);
	*place = (struct crowd_place){ 0 };
	atomic_fetch_sub_explicit(&crowd->count, 1, memory_order_relaxed);
}

void crowd_call(struct crowd *crowd)
{
	atomic_store_explicit(&crowd->is_called, true, memory_order_relaxed);
}

bool crowd_hear(struct crowd *crowd)
{
	return atomic_load_explicit(&crowd->is_called, memory_order_relaxed) &&
		atomic_exchange_explicit(&crowd->is_called, false, memory_order_relaxed);
}

size_t crowd_count_at(struct crowd *crowd, const struct crowd_place *place)
{
	if (!place->address)
		return 0;
	pthread_mutex_lock(&crowd->lock);
	size_t count = crowd->rows[place->address - 1].count;
	pthread_mutex_unlock(&crowd->lock);
	return count;
}

size_t crowd_count(const struct crowd *crowd)
{
	return atomic_load_explicit(&crowd->count, memory_order_relaxed);
}

size_t crowd_capacity(const struct crowd *crowd)
{
	return crowd->capacity;
}

size_t crowd_excess(const struct crowd *crowd, unsigned percent)
{
	size_t line = (crowd->capacity * percent + 99) / 100, count = crowd_count(crowd);
	return count > line ? count - line : 0;
}
