#include "tests/unit/rules_fixture.h"

#include "proxy/query/rate_limit.h"

#include <pthread.h>

static struct address address_of(const char *text)
{
	struct address address;
	assert_true(address_parse(&address, text));
	return address;
}

static const struct rate_limit_config ten = {
	.per_second = 10, .burst = 20, .prefix_v4 = 32, .prefix_v6 = 56
};

static bool take_one(struct rate_limits *limits, const struct rate_limit_config *config,
	const struct address *address, uint64_t now_us)
{
	const struct rate_limit_client client = { .view = "lan", .address = address };
	return rate_limits_take(limits, config, &client, now_us);
}

/* How many of `count` questions at one time are within the limit. */
static unsigned take(struct rate_limits *limits, const struct rate_limit_config *config,
	const char *client, uint64_t now_us, unsigned count)
{
	struct address address = address_of(client);
	unsigned taken = 0;
	for (unsigned i = 0; i < count; i++)
		taken += take_one(limits, config, &address, now_us);
	return taken;
}

static void test_burst_and_rate(void **state)
{
	(void)state;
	struct rate_limits *limits = rate_limits_new();
	uint64_t now_us = 5000000;
	assert_non_null(limits);
	assert_int_equal(take(limits, &ten, "10.0.0.1", now_us, 100), 20);
	assert_int_equal(take(limits, &ten, "10.0.0.1", now_us + 99999, 100), 0);
	assert_int_equal(take(limits, &ten, "10.0.0.1", now_us + 100000, 100), 1);
	now_us += 1100000; /* a second later */
	assert_int_equal(take(limits, &ten, "10.0.0.1", now_us, 100), 10);
	now_us += 60000000; /* no more than the burst is saved up */
	assert_int_equal(take(limits, &ten, "10.0.0.1", now_us, 100), 20);
	/* Over a long time it is the rate, whatever the pace. */
	unsigned taken = 0;
	for (unsigned i = 0; i < 10000; i++)
		taken += take(limits, &ten, "10.0.0.1", now_us += 7001, 1);
	assert_in_range(taken, 699, 701); /* 70 s */
	rate_limits_free(limits);
}

static void test_fast(void **state)
{
	(void)state;
	static const unsigned rates[] = { 1, 3, 1000, 300000, 999999, 1000000 };
	for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
		struct rate_limit_config config = {
			.per_second = rates[i], .burst = rates[i], .prefix_v4 = 32, .prefix_v6 = 56
		};
		struct rate_limits *limits = rate_limits_new();
		unsigned most = rates[i] * 2 + 10;
		assert_non_null(limits);
		assert_int_equal(take(limits, &config, "10.0.0.1", 1, most), rates[i]);
		unsigned taken = take(limits, &config, "10.0.0.1", 500001, most);
		assert_in_range(taken, rates[i] / 2, rates[i] / 2 + rates[i] / 50);
		rate_limits_free(limits);
	}
}

/* Time may be what it likes: also beyond the 48 bits that are kept of it, and a client that comes
 * back after half of them. */
static void test_wrap(void **state)
{
	(void)state;
	const uint64_t all_us = (UINT64_C(1) << 48) / 8;
	static const uint64_t offsets_us[] = { 0, 1, 1000000, 3600000000 };
	for (size_t i = 0; i < 4; i++) {
		struct rate_limits *limits = rate_limits_new();
		uint64_t now_us = 3 * all_us - offsets_us[i];
		assert_non_null(limits);
		assert_int_equal(take(limits, &ten, "10.0.0.1", now_us, 100), 20);
		assert_int_equal(take(limits, &ten, "10.0.0.1", now_us + 1000000, 100), 10);
		assert_int_equal(take(limits, &ten, "10.0.0.1", now_us + all_us / 2, 100), 20);
		rate_limits_free(limits);
	}
}

static void test_who(void **state)
{
	(void)state;
	static const struct rate_limit_config wide = {
		.per_second = 10, .burst = 20, .prefix_v4 = 20, .prefix_v6 = 60
	};
	static const struct {
		const char *one;
		const char *other;
		const struct rate_limit_config *config;
		bool same;
	} rows[] = {
		{ "10.0.0.1", "10.0.0.1", &ten, true },
		{ "10.0.0.1", "10.0.0.2", &ten, false },
		{ "10.0.0.1", "10.0.15.255", &wide, true },
		{ "10.0.0.1", "10.0.16.0", &wide, false },
		{ "2001:db8:0:0::1", "2001:db8:0:ff:ffff::", &ten, true },
		{ "2001:db8:0:0::1", "2001:db8:0:100::1", &ten, false },
		{ "2001:db8:0:0::1", "2001:db8:0:f::1", &wide, true },
		{ "2001:db8:0:0::1", "2001:db8:0:10::1", &wide, false },
		{ "::a00:1", "10.0.0.1", &ten, false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct rate_limits *limits = rate_limits_new();
		struct address other = address_of(rows[i].other);
		assert_non_null(limits);
		assert_int_equal(take(limits, rows[i].config, rows[i].one, 9, 100), 20);
		assert_int_equal(
			take(limits, rows[i].config, rows[i].other, 9, 100), rows[i].same ? 0 : 20);
		/* Another view is another bucket. */
		const struct rate_limit_client dmz = { .view = "dmz", .address = &other };
		assert_true(rate_limits_take(limits, rows[i].config, &dmz, 9));
		rate_limits_free(limits);
	}
}

/* Whoever forges a client's address in datagrams does not shut it out of its connections. */
static void test_datagrams_apart(void **state)
{
	(void)state;
	struct rate_limits *limits = rate_limits_new();
	struct address victim = address_of("10.0.0.1");
	const struct rate_limit_client forged = { "lan", &victim, .is_unproven = true };
	unsigned taken = 0;
	assert_non_null(limits);
	for (unsigned i = 0; i < 100; i++)
		taken += rate_limits_take(limits, &ten, &forged, 9);
	assert_int_equal(taken, 20);
	assert_int_equal(take(limits, &ten, "10.0.0.1", 9, 100), 20);
	rate_limits_free(limits);
}

/* Eight times as many clients as there are places, each once: all are let in, and those who come
 * again soon are still known, as the oldest go. */
static void test_full(void **state)
{
	(void)state;
	enum { CLIENTS = 8 * RATE_LIMIT_ROWS * RATE_LIMIT_PLACES, LATE = 1000 };
	static const struct rate_limit_config once = {
		.per_second = 1, .burst = 1, .prefix_v4 = 32, .prefix_v6 = 128
	};
	struct rate_limits *limits = rate_limits_new();
	unsigned refused = 0;
	unsigned remembered = 0;
	assert_non_null(limits);
	for (uint32_t i = 0; i < CLIENTS; i++) {
		uint8_t bytes[4] = { (uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8),
			(uint8_t)i };
		struct address client = address_of_v4(bytes);
		refused += !take_one(limits, &once, &client, 1000000 + i);
	}
	for (uint32_t i = CLIENTS - LATE; i < CLIENTS; i++) {
		uint8_t bytes[4] = { (uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8),
			(uint8_t)i };
		struct address client = address_of_v4(bytes);
		remembered += !take_one(limits, &once, &client, 1000000 + CLIENTS);
	}
	/* Two clients can share a mark of 16 bits: of half a million questions some 60 in
	 * expectation find such a namesake. */
	assert_in_range(refused, 0, 200);
	assert_in_range(remembered, LATE * 99 / 100, LATE);
	rate_limits_free(limits);
}

/* Workers share a client's bucket: together they get what one would. */
static void *run(void *context)
{
	struct rate_limits *limits = context;
	struct address client = address_of("10.0.0.1");
	static const struct rate_limit_config thousand = {
		.per_second = 1000, .burst = 1000, .prefix_v4 = 32, .prefix_v6 = 56
	};
	uintptr_t taken = 0;
	for (unsigned i = 0; i < 2000; i++)
		taken += take_one(limits, &thousand, &client, 1);
	return (void *)taken;
}

static void test_threads(void **state)
{
	(void)state;
	struct rate_limits *limits = rate_limits_new();
	pthread_t threads[4];
	uintptr_t sum = 0;
	assert_non_null(limits);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run, limits), 0);
	for (int i = 0; i < 4; i++) {
		void *taken;
		pthread_join(threads[i], &taken);
		sum += (uintptr_t)taken;
	}
	/* A worker that loses the race eight times over lets its question through uncounted. */
	assert_in_range(sum, 1000, 1100);
	rate_limits_free(limits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_burst_and_rate),
		cmocka_unit_test(test_fast),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_who),
		cmocka_unit_test(test_datagrams_apart),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
