#include "proxy/query/rate_limit.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/random.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Times are counted in eighths of microseconds, so that the fastest limit (1,000,000 a second) is
 * still exact to an eighth; 48 bits of them pass in 407 days, and are compared modulo that. */
enum { TICKS_PER_US = 8, TIME_BITS = 48, TRIES = 8 };

static const uint64_t time_mask = (UINT64_C(1) << TIME_BITS) - 1;
static const uint64_t ticks_per_s = UINT64_C(1000000) * TICKS_PER_US;

enum { ROW_SIZE = 64 /* a line of the processor's cache */ };

struct row {
	_Atomic uint64_t places[RATE_LIMIT_PLACES]; /* 0: free */
};

_Static_assert(sizeof(struct row) == ROW_SIZE, "a row is looked at as one");

struct rate_limits {
	uint64_t salt;
	struct row *rows;
	void *memory; /* of the rows */
};

struct rate_limits *rate_limits_new(void)
{
	struct rate_limits *limits = calloc(1, sizeof *limits);
	if (!limits)
		return NULL;
	random_fill(&limits->salt, sizeof limits->salt);
	limits->memory = calloc(RATE_LIMIT_ROWS + 1, sizeof *limits->rows);
	if (!limits->memory) {
		free(limits);
		return NULL;
	}
	uintptr_t at = (uintptr_t)limits->memory;
	limits->rows = (struct row *)(at + (ROW_SIZE - at % ROW_SIZE) % ROW_SIZE);
	return limits;
}

void rate_limits_free(struct rate_limits *limits)
{
	if (!limits)
		return;
	free(limits->memory);
	free(limits);
}

/* ---- who ---- */

static struct address network_of(
	const struct address *client, const struct rate_limit_config *config)
{
	bool v4 = address_is_v4(client);
	return address_masked(client, v4 ? 96u + config->prefix_v4 : config->prefix_v6);
}

static uint64_t hash_of(const struct rate_limits *limits, const struct rate_limit_config *config,
	const struct rate_limit_client *client)
{
	struct address network = network_of(client->address, config);
	uint64_t seed = XXH3_64bits_withSeed(
		client->view, strlen(client->view), limits->salt + client->is_unproven);
	return XXH3_64bits_withSeed(network.bytes, sizeof network.bytes, seed);
}

/* The part of a place that says whose it is; never 0. */
static uint64_t mark_of(uint64_t hash)
{
	uint64_t mark = hash >> TIME_BITS;
	return (mark ? mark : 1) << TIME_BITS;
}

/* ---- how fast ---- */

/* How far `time` is ahead of `now`, which is no more than a full bucket; what seems farther ahead
 * is long past. */
static uint64_t ahead(uint64_t time, uint64_t now, uint64_t most)
{
	uint64_t distance = (time - now) & time_mask;
	return distance <= most ? distance : 0;
}

struct bucket {
	uint64_t now;      /* ticks */
	uint64_t interval; /* of one question */
	uint64_t most;     /* all of the burst */
};

static struct bucket bucket_of(const struct rate_limit_config *config, uint64_t now_us)
{
	struct bucket bucket = { .now = now_us * TICKS_PER_US,
		.interval = ticks_per_s / config->per_second };
	bucket.most = bucket.interval * config->burst;
	return bucket;
}

/* What the place is after one more question; false when that is one too many. */
static bool step(const struct bucket *bucket, uint64_t place, uint64_t mark, uint64_t *next)
{
	uint64_t used = place ? ahead(place, bucket->now, bucket->most) : 0;
	*next = mark | ((bucket->now + used + bucket->interval) & time_mask);
	return used + bucket->interval <= bucket->most;
}

/* ---- where ---- */

/* The client's own place, a free one, or that of whoever was silent for longest. */
static unsigned choose(
	const uint64_t places[RATE_LIMIT_PLACES], uint64_t mark, const struct bucket *bucket)
{
	unsigned best = 0;
	uint64_t best_age = 0;
	for (unsigned i = 0; i < RATE_LIMIT_PLACES; i++) {
		if ((places[i] & ~time_mask) == mark)
			return i;
		/* Half of all time is added, so that who is ahead of now is younger than all. */
		uint64_t half = time_mask >> 1;
		uint64_t age =
			places[i] ? (bucket->now - places[i] + half) & time_mask : UINT64_MAX;
		if (age > best_age) {
			best = i;
			best_age = age;
		}
	}
	return best;
}

bool rate_limits_take(struct rate_limits *limits, const struct rate_limit_config *config,
	const struct rate_limit_client *client, uint64_t now_us)
{
	uint64_t hash = hash_of(limits, config, client);
	struct row *row = &limits->rows[hash % RATE_LIMIT_ROWS];
	struct bucket bucket = bucket_of(config, now_us);
	uint64_t mark = mark_of(hash);
	for (int tries = 0; tries < TRIES; tries++) {
		uint64_t places[RATE_LIMIT_PLACES];
		uint64_t next;
		for (unsigned i = 0; i < RATE_LIMIT_PLACES; i++)
			places[i] = atomic_load_explicit(&row->places[i], memory_order_relaxed);
		unsigned i = choose(places, mark, &bucket);
		bool is_own = (places[i] & ~time_mask) == mark;
		if (!step(&bucket, is_own ? places[i] : 0, mark, &next))
			return false;
		if (atomic_compare_exchange_weak_explicit(&row->places[i], &places[i], next,
			    memory_order_relaxed, memory_order_relaxed))
			return true;
	}
	return true; /* others are quicker, again and again: nobody is refused for that */
}
