#include "tests/unit/rules_fixture.h"

#include "rules/distinct.h"

static uint32_t put(struct distinct *distinct, const char *text)
{
	uint32_t number;
	assert_int_equal(distinct_put(distinct, slice_of_text(text), &number), 0);
	return number;
}

static void test_same_bytes_have_one_number(void **state)
{
	(void)state;
	struct distinct distinct = { .salt = 3 };
	assert_int_equal(put(&distinct, "one"), 0);
	assert_int_equal(put(&distinct, "two"), 1);
	assert_int_equal(put(&distinct, ""), 2);
	assert_int_equal(put(&distinct, "one"), 0);
	assert_int_equal(put(&distinct, ""), 2);
	assert_int_equal(put(&distinct, "on"), 3);
	assert_true(slice_equals_text(distinct_get(&distinct, 1), "two"));
	assert_int_equal(distinct_get(&distinct, 2).len, 0);
	assert_int_equal(distinct.count, 4);
	distinct_deinit(&distinct);
	assert_int_equal(put(&distinct, "again"), 0);
	distinct_deinit(&distinct);
}

static void test_many(void **state)
{
	(void)state;
	enum { MANY = 20000 };
	struct distinct distinct = { .salt = 0 };
	char text[16];
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < MANY; i++) {
			snprintf(text, sizeof text, "%x", i * 7);
			assert_int_equal(put(&distinct, text), i);
		}
	}
	assert_int_equal(distinct.count, MANY);
	distinct_deinit(&distinct);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_bytes_have_one_number),
		cmocka_unit_test(test_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
