/* Numbers that somebody has written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/number.h"

static void test_what_is_read(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t least, most;
		bool good;
		uint64_t number;
	} cases[] = {
		{ "0", 0, 10, true, 0 },
		{ "007", 0, 10, true, 7 },
		{ "10", 0, 10, true, 10 },
		{ "18446744073709551615", 0, UINT64_MAX, true, UINT64_MAX },
		{ "11", 0, 10, false, 0 },
		{ "0", 1, 10, false, 0 },
		{ "18446744073709551616", 0, UINT64_MAX, false, 0 },
		{ "", 0, 10, false, 0 },
		{ "-1", 0, UINT64_MAX, false, 0 },
		{ "+1", 0, 10, false, 0 },
		{ " 1", 0, 10, false, 0 },
		{ "1 ", 0, 10, false, 0 },
		{ "0x1", 0, 10, false, 0 },
		{ "1k", 0, 10, false, 0 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint64_t number = 99;
		assert_int_equal(
			number_parse(cases[i].text, cases[i].least, cases[i].most, &number),
			cases[i].good);
		if (cases[i].good)
			assert_true(number == cases[i].number);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
