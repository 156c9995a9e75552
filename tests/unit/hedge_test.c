#include "proxy/upstream/hedge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static unsigned after(unsigned usual_ms, unsigned slow_ms, unsigned slow_percent)
{
	struct latency latency = { 0 };
	for (unsigned i = 0; i < 100; i++)
		latency_add(&latency, (i < slow_percent ? slow_ms : usual_ms) * 1000ull);
	return hedge_after_ms(&latency);
}

static void test_after(void **state)
{
	(void)state;
	static const struct {
		unsigned usual_ms, slow_ms, slow_percent;
		unsigned at_least_ms, at_most_ms;
	} rows[] = {
		{ 0, 0, 0, HEDGE_MIN_MS, HEDGE_MIN_MS },
		{ 1, 1, 0, HEDGE_MIN_MS, HEDGE_MIN_MS },
		{ 12, 12, 0, HEDGE_MIN_MS, 23 },
		{ 40, 40, 0, 60, 76 },
		{ 40, 200, 4, 60, 76 },    /* a tail is what hedges are for */
		{ 40, 200, 10, 300, 376 }, /* but not so big a one */
		{ 250, 250, 0, 375, HEDGE_MAX_MS },
		{ 3000, 3000, 0, HEDGE_MAX_MS, HEDGE_MAX_MS },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		unsigned ms = after(rows[i].usual_ms, rows[i].slow_ms, rows[i].slow_percent);
		assert_in_range(ms, rows[i].at_least_ms, rows[i].at_most_ms);
	}
	struct latency latency = { 0 };
	assert_int_equal(hedge_after_ms(&latency), HEDGE_MAX_MS);
}

static void test_steps(void **state)
{
	(void)state;
	static const struct {
		unsigned after_ms, tries, step_ms;
	} rows[] = {
		{ 400, 1, 400 },
		{ 400, 2, 200 },
		{ 400, 3, 100 },
		{ 400, 4, 100 },
		{ 400, 30, 100 },
		{ 20, 1, 20 },
		{ 20, 2, 20 },
		{ 150, 2, 150 },
		{ 150, 3, 100 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(hedge_step_ms(rows[i].after_ms, rows[i].tries), rows[i].step_ms);
	unsigned total_ms = 0;
	for (unsigned tries = 1; tries <= 5; tries++)
		total_ms += hedge_step_ms(HEDGE_MAX_MS, tries);
	assert_true(total_ms < 1000);
}

static void test_budget(void **state)
{
	(void)state;
	struct hedge_budget budget = { 0 };
	unsigned taken = 0;
	assert_false(hedge_take(&budget));
	for (unsigned i = 0; i < 10000; i++) {
		hedge_on_ask(&budget);
		taken += hedge_take(&budget);
	}
	assert_int_equal(taken, 1000);
	/* What is saved up in peace is not without an end. */
	for (unsigned i = 0; i < 10000; i++)
		hedge_on_ask(&budget);
	for (taken = 0; hedge_take(&budget);)
		taken++;
	assert_int_equal(taken, HEDGE_BURST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_after),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_budget),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
