/* Hexadecimal digits: which bytes are some, and how many of them make a key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/hex.h"

static void test_every_byte(void **state)
{
	(void)state;
	static const char digits[] = "0123456789abcdef", capitals[] = "0123456789ABCDEF";
	for (int byte = 0; byte < 256; byte++) {
		const char *low = byte ? strchr(digits, byte) : NULL;
		const char *high = byte ? strchr(capitals, byte) : NULL;
		int value = low ? (int)(low - digits) : high ? (int)(high - capitals) : -1;
		assert_int_equal(hex_digit((uint8_t)byte), value);
	}
}

static void test_what_is_read(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool good;
	} cases[] = {
		{ "00ff7F", true },
		{ "00FF7f", true },
		{ "00ff7", false },
		{ "00ff7f0", false },
		{ "00ff7f00", false },
		{ "", false },
		{ "00ff7g", false },
		{ "g0ff7f", false },
		{ "00 f7f", false },
		{ "0x0f7f", false },
	};
	static const uint8_t expected[] = { 0, 0xff, 0x7f };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t bytes[sizeof expected];
		bool good = hex_read(bytes, sizeof bytes, slice_of_text(cases[i].text));
		assert_int_equal(good, cases[i].good);
		if (good)
			assert_memory_equal(bytes, expected, sizeof expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_what_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
