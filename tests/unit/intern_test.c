#include "tests/unit/rules_fixture.h"

#include "rules/intern.h"

static uint32_t put(struct intern *intern, const char *text)
{
	uint32_t number;
	assert_int_equal(intern_put(intern, slice_of_text(text), &number), 0);
	return number;
}

static void test_same_bytes_have_one_number(void **state)
{
	(void)state;
	struct intern intern = { .salt = 3 };
	assert_int_equal(put(&intern, "one"), 0);
	assert_int_equal(put(&intern, "two"), 1);
	assert_int_equal(put(&intern, ""), 2);
	assert_int_equal(put(&intern, "one"), 0);
	assert_int_equal(put(&intern, ""), 2);
	assert_int_equal(put(&intern, "on"), 3);
	assert_true(slice_equals_text(intern_get(&intern, 1), "two"));
	assert_int_equal(intern_get(&intern, 2).len, 0);
	assert_int_equal(intern.count, 4);
	intern_deinit(&intern);
	assert_int_equal(put(&intern, "again"), 0);
	intern_deinit(&intern);
}

static void test_many(void **state)
{
	(void)state;
	enum { MANY = 20000 };
	struct intern intern = { .salt = 0 };
	char text[16];
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < MANY; i++) {
			snprintf(text, sizeof text, "%x", i * 7);
			assert_int_equal(put(&intern, text), i);
		}
	}
	assert_int_equal(intern.count, MANY);
	intern_deinit(&intern);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_bytes_have_one_number),
		cmocka_unit_test(test_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
