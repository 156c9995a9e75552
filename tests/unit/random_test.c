#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* With 2000 draws of 64 bits a repetition has a chance of 1 in 10^13. */
static void draws_do_not_repeat(void **state)
{
	(void)state;
	enum { DRAWS = 2000 };
	static uint64_t drawn[DRAWS];
	struct random_pool pool;
	random_pool_init(&pool);
	for (size_t i = 0; i < DRAWS; i++) {
		drawn[i] = random_u64(&pool);
		for (size_t j = 0; j < i; j++)
			assert_true(drawn[i] != drawn[j]);
	}
}

/* A worker that is allocated zeroed and not initialised must not draw 512 zeros as its ids. */
static void a_zeroed_pool_is_an_empty_pool(void **state)
{
	(void)state;
	struct random_pool pool = { 0 };
	uint64_t any = 0;
	for (int i = 0; i < 64; i++)
		any |= random_u64(&pool);
	assert_true(any != 0);
}

static void what_was_drawn_is_wiped(void **state)
{
	(void)state;
	struct random_pool pool;
	random_pool_init(&pool);
	for (int i = 0; i < 50; i++) {
		uint64_t drawn = random_u64(&pool);
		for (size_t at = 0; at + sizeof drawn <= sizeof pool.bytes; at++)
			assert_memory_not_equal(pool.bytes + at, &drawn, sizeof drawn);
	}
}

static void every_bit_of_an_id_moves(void **state)
{
	(void)state;
	struct random_pool pool;
	random_pool_init(&pool);
	uint16_t ones = 0, zeros = 0;
	for (int i = 0; i < 64; i++) {
		uint16_t id = random_u16(&pool);
		ones |= id;
		zeros |= (uint16_t)~id;
	}
	assert_int_equal(ones, 0xffff); /* each fails by chance once in 10^18 */
	assert_int_equal(zeros, 0xffff);
}

/* Chi-squared over 16 boxes: 15 degrees of freedom, 60 is passed by chance once in a million. */
static void draws_below_a_bound_are_fair(void **state)
{
	(void)state;
	enum { BOXES = 16, DRAWS = 16000 };
	struct random_pool pool;
	unsigned counts[BOXES] = { 0 };
	double chi = 0;
	random_pool_init(&pool);
	for (int i = 0; i < DRAWS; i++)
		counts[random_below(&pool, BOXES)]++; /* the sanitizer watches the bound */
	for (int i = 0; i < BOXES; i++) {
		double off = counts[i] - (double)DRAWS / BOXES;
		chi += off * off / ((double)DRAWS / BOXES);
	}
	assert_true(chi < 60);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(random_below(&pool, 1), 0);
		assert_in_range(random_below(&pool, 3), 0, 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(draws_do_not_repeat),
		cmocka_unit_test(a_zeroed_pool_is_an_empty_pool),
		cmocka_unit_test(what_was_drawn_is_wiped),
		cmocka_unit_test(every_bit_of_an_id_moves),
		cmocka_unit_test(draws_below_a_bound_are_fair),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
