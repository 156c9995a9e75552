/* cache_threads_test.c - four threads at one cache: the same few keys, and many. Each value says of
 * which key it is and carries a sum, so that a torn or foreign one is seen. Built with the thread
 * sanitizer it also finds what is touched without the lock. */
#include "proxy/cache/cache.h"

#include "tests/unit/cache_fixture.h"

#include <pthread.h>

enum { THREADS = 4, OPERATIONS = 60000, HOT = 8, NAMES = 20000, VALUE_MAX = 1024 };

struct thread {
	pthread_t id;
	struct cache *cache;
	unsigned number;
	uint64_t hits, wrong, refreshes;
};

static uint64_t sum_of(const uint8_t *at, size_t len)
{
	uint64_t sum = len;
	for (size_t i = 0; i < len; i++)
		sum = sum * 31 + at[i];
	return sum;
}

/* Number of the key, sum, noise. */
static struct slice make_value(uint8_t value[VALUE_MAX], uint64_t key, uint64_t noise)
{
	size_t len = 16 + (size_t)(fixture_mix(noise) % (VALUE_MAX - 16));
	for (size_t i = 16; i < len; i++)
		value[i] = (uint8_t)(noise >> (i % 7));
	uint64_t sum = sum_of(value + 16, len - 16);
	memcpy(value, &key, 8);
	memcpy(value + 8, &sum, 8);
	return slice_of(value, len);
}

static bool is_whole(struct slice value, uint64_t key)
{
	uint64_t found, sum;
	if (value.len < 16)
		return false;
	memcpy(&found, value.at, 8);
	memcpy(&sum, value.at + 8, 8);
	return found == key && sum == sum_of(value.at + 16, value.len - 16);
}

static void find(
	struct thread *thread, const struct cache_key *key, uint64_t number, uint32_t now_s)
{
	static _Thread_local uint8_t buffer[DNS_PACKED_MAX];
	struct cache_hit hit;
	cache_find(thread->cache, key, now_s, buffer, &hit);
	if (hit.state == CACHE_MISS)
		return;
	thread->hits++;
	thread->refreshes += hit.refresh;
	thread->wrong += !is_whole(hit.value, number) || hit.age_s > 1000;
}

static void flush_or_count(struct thread *thread, const struct cache_key *key, uint64_t bits)
{
	struct cache_stats stats;
	if (bits % 200 == 0) {
		cache_flush(thread->cache, slice_of("", 1), true);
		return;
	}
	cache_flush(thread->cache, key->name, bits % 10 == 0);
	cache_stats(thread->cache, &stats);
	thread->wrong += stats.used > stats.size;
}

static void *hammer(void *context)
{
	struct thread *thread = context;
	uint8_t value[VALUE_MAX];
	for (uint64_t i = 0; i < OPERATIONS; i++) {
		uint64_t bits = fixture_mix(i * THREADS + thread->number);
		uint64_t number = bits % 2 ? bits / 2 % HOT : bits / 2 % NAMES;
		uint64_t what = (bits >> 32) % 1000;
		/* The clocks of threads differ by a second. */
		uint32_t now_s = 1000 + (uint32_t)(i / 500) - thread->number % 2;
		struct dns_name name;
		fixture_name(&name, number);
		struct cache_key key = { .name = dns_name_slice(&name), .type = 1, .class = 1 };
		if (what < 600)
			find(thread, &key, number, now_s);
		else if (what < 900)
			cache_put(thread->cache, &key, make_value(value, number, bits),
				(uint32_t)(bits >> 50) % 60, now_s);
		else if (what < 998)
			cache_fail(
				thread->cache, &key, make_value(value, number, bits), 300, now_s);
		else
			flush_or_count(thread, &key, bits);
	}
	return NULL;
}

static void run(size_t size)
{
	struct cache_settings settings = { .size = size, .stale_s = 30, .refresh_percent = 50 };
	struct thread threads[THREADS];
	struct cache_stats stats;
	struct cache *cache = cache_new(&settings);
	assert_non_null(cache);
	for (unsigned i = 0; i < THREADS; i++) {
		threads[i] = (struct thread){ .cache = cache, .number = i };
		assert_int_equal(pthread_create(&threads[i].id, NULL, hammer, &threads[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i].id, NULL);
		assert_int_equal(threads[i].wrong, 0);
		assert_true(threads[i].hits > OPERATIONS / 10);
	}
	cache_stats(cache, &stats);
	assert_true(stats.used <= stats.size);
	cache_free(cache);
}

static void test_one_shard(void **state)
{
	(void)state;
	run(CACHE_SIZE_MIN);
}

static void test_many_shards(void **state)
{
	(void)state;
	run(16 << 20);
}

/* A refresh is said to one of all. */
struct asking {
	pthread_t id;
	struct cache *cache;
	pthread_barrier_t *barrier;
	unsigned said;
};

enum { ROUNDS = 300 };

static struct cache_key round_key(struct dns_name *name, uint64_t round)
{
	fixture_name(name, round);
	return (struct cache_key){ .name = dns_name_slice(name), .type = 1, .class = 1 };
}

static void *ask(void *context)
{
	struct asking *asking = context;
	static _Thread_local uint8_t buffer[DNS_PACKED_MAX];
	for (uint64_t round = 0; round < ROUNDS; round++) {
		struct dns_name name;
		struct cache_key key = round_key(&name, round);
		struct cache_hit hit;
		pthread_barrier_wait(asking->barrier);
		for (unsigned i = 0; i < 3; i++) {
			cache_find(asking->cache, &key, 1095, buffer, &hit);
			asking->said += hit.refresh;
		}
	}
	return NULL;
}

static void test_one_is_to_refresh(void **state)
{
	struct cache_settings settings = { .size = CACHE_SIZE_MIN, .refresh_percent = 10 };
	struct cache *cache = cache_new(&settings);
	struct asking askings[THREADS];
	pthread_barrier_t barrier;
	unsigned said = 0;
	(void)state;
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (uint64_t round = 0; round < ROUNDS; round++) {
		struct dns_name name;
		struct cache_key key = round_key(&name, round);
		cache_put(cache, &key, slice_of_text("v"), 100, 1000);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		askings[i] = (struct asking){ .cache = cache, .barrier = &barrier };
		assert_int_equal(pthread_create(&askings[i].id, NULL, ask, &askings[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(askings[i].id, NULL);
		said += askings[i].said;
	}
	assert_int_equal(said, ROUNDS);
	pthread_barrier_destroy(&barrier);
	cache_free(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_shard),
		cmocka_unit_test(test_many_shards),
		cmocka_unit_test(test_one_is_to_refresh),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
