#include "proxy/upstream/latency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <cmocka.h>

static void add(struct latency *latency, unsigned times, uint64_t took_us)
{
	while (times-- > 0)
		latency_add(latency, took_us);
}

static void test_nothing_is_said_before_it_is_learned(void **state)
{
	(void)state;
	struct latency latency = { 0 };
	for (unsigned i = 1; i < LATENCY_LEARNED; i++) {
		latency_add(&latency, 1000);
		assert_int_equal(latency_percentile_us(&latency, 95), 0);
	}
	assert_int_equal(latency.smooth_us, 1000);
	latency_add(&latency, 1000);
	assert_true(latency_percentile_us(&latency, 95) >= 1000);
}

/* Whatever the value: the end of its bucket is not below it, and not far above. */
static void test_buckets_hold_what_they_say(void **state)
{
	(void)state;
	for (uint64_t us = 1; us < 4000000; us += us / 50 + 1) {
		struct latency latency = { 0 };
		add(&latency, LATENCY_LEARNED, us);
		uint32_t upper_us = latency_percentile_us(&latency, 50);
		assert_true(upper_us > us);
		assert_true(upper_us <= (us < 64 ? 80 : us + us / 4 + 1));
		assert_int_equal(latency_percentile_us(&latency, 1), upper_us);
		assert_int_equal(latency_percentile_us(&latency, 100), upper_us);
	}
}

static void test_beyond_all_buckets(void **state)
{
	(void)state;
	struct latency latency = { 0 };
	add(&latency, LATENCY_LEARNED, 0);
	assert_int_equal(latency_percentile_us(&latency, 100), 80);
	assert_int_equal(latency.smooth_us, 1); /* 0 means that nothing is known */
	add(&latency, LATENCY_LEARNED, UINT64_MAX);
	assert_int_equal(latency_percentile_us(&latency, 100), 64u << 16);
}

static void test_percentiles(void **state)
{
	(void)state;
	static const struct {
		unsigned quick; /* of 100 at 1 ms, the others take 100 ms */
		unsigned percent;
		bool is_quick;
	} rows[] = {
		{ 100, 95, true },
		{ 96, 95, true },
		{ 95, 95, true },
		{ 94, 95, false },
		{ 94, 90, true },
		{ 50, 50, true },
		{ 49, 50, false },
		{ 0, 1, false },
		{ 1, 1, true },
		{ 99, 100, false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct latency latency = { 0 };
		add(&latency, rows[i].quick, 1000);
		add(&latency, 100 - rows[i].quick, 100000);
		bool is_quick = latency_percentile_us(&latency, rows[i].percent) < 2000;
		assert_int_equal(is_quick, rows[i].is_quick);
	}
}

/* A server that changes is known by its new face within two windows, in both directions. */
static void test_the_past_is_forgotten(void **state)
{
	(void)state;
	struct latency latency = { 0 };
	add(&latency, 100000, 200000);
	assert_true(latency_percentile_us(&latency, 95) >= 200000);
	add(&latency, 3 * LATENCY_WINDOW, 1000);
	assert_true(latency_percentile_us(&latency, 95) < 2000);
	assert_true(latency.smooth_us < 1100);
	add(&latency, LATENCY_WINDOW / 8, 200000);
	assert_true(latency_percentile_us(&latency, 95) >= 200000);
}

static void test_smooth(void **state)
{
	(void)state;
	struct latency latency = { 0 };
	add(&latency, 100, 1000);
	latency_add(&latency, 9000);
	assert_int_equal(latency.smooth_us, 2000);
	add(&latency, 30, 9000);
	assert_true(latency.smooth_us > 8500 && latency.smooth_us <= 9000);
}

static void test_forget(void **state)
{
	(void)state;
	struct latency latency = { 0 };
	add(&latency, 1000, 1000);
	latency_forget(&latency);
	assert_int_equal(latency.smooth_us, 0);
	assert_int_equal(latency_percentile_us(&latency, 95), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_said_before_it_is_learned),
		cmocka_unit_test(test_buckets_hold_what_they_say),
		cmocka_unit_test(test_beyond_all_buckets),
		cmocka_unit_test(test_percentiles),
		cmocka_unit_test(test_the_past_is_forgotten),
		cmocka_unit_test(test_smooth),
		cmocka_unit_test(test_forget),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
