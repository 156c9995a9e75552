#include "base/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void compares_bytes_not_text(void **state)
{
	(void)state;
	assert_true(slice_equals(slice_of("a\0b", 3), slice_of("a\0b", 3)));
	assert_false(slice_equals(slice_of("a\0b", 3), slice_of("a\0c", 3)));
	assert_false(slice_equals(slice_of("ab", 2), slice_of("ab", 1)));
	assert_true(slice_equals_text(slice_of("ab", 2), "ab"));
	assert_false(slice_equals_text(slice_of("a\0", 2), "a"));
}

static void empty_slices_are_equal_wherever_they_are(void **state)
{
	(void)state;
	assert_true(slice_equals(slice_of(NULL, 0), slice_of("", 0)));
	assert_true(slice_equals_text(slice_of(NULL, 0), ""));
	assert_false(slice_equals(slice_of(NULL, 0), slice_of("a", 1)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compares_bytes_not_text),
		cmocka_unit_test(empty_slices_are_equal_wherever_they_are),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
