/* Moments: what is read and written, compared with the C library's calendar. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/utc.h"

#include <stdio.h>
#include <time.h>

static void test_what_is_read(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t seconds;
	} cases[] = {
		{ "1970-01-01", 0 },
		{ "1970-01-01T00:00:01Z", 1 },
		{ "2000-02-29", 951782400 },
		{ "2026-11-22T10:00:00Z", 1795341600 },
		{ "2027-03-01", 1803859200 },
		{ "2038-01-19T03:14:08Z", INT64_C(0x80000000) },
		{ "9999-12-31T23:59:59Z", INT64_C(253402300799) },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int64_t seconds = -1;
		assert_true(utc_parse(slice_of_text(cases[i].text), &seconds));
		assert_int_equal(seconds, cases[i].seconds);
	}
}

static void test_what_is_none(void **state)
{
	(void)state;
	static const char *const wrong[] = { "", "2027", "2027-3-1", "2027-03-01 ", " 2027-03-01",
		"2027-13-01", "2027-00-01", "2027-02-29", "2100-02-29", "2027-04-31", "2027-03-00",
		"1969-12-31", "2027/03/01", "2027-03-01T12:00:00", "2027-03-01T12:00:00+01:00",
		"2027-03-01t12:00:00z", "2027-03-01 12:00:00Z", "2027-03-01T24:00:00Z",
		"2027-03-01T12:60:00Z", "2027-03-01T23:59:60Z", "2027-03-01T1a:00:00Z",
		"-027-03-01", "2027-03-01T12:00:00Z ", "2027-03-01T12:00:00.Z" };
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		int64_t seconds = 7;
		if (utc_parse(slice_of_text(wrong[i]), &seconds))
			fail_msg("\"%s\" was read", wrong[i]);
		assert_int_equal(seconds, 7);
	}
}

static void assert_written(int64_t seconds, const char *expected)
{
	char text[32] = "";
	struct writer to = writer_of(text, sizeof text - 1);
	utc_write(&to, seconds);
	text[to.len] = '\0';
	assert_string_equal(text, expected);
}

static void test_what_is_too_early_or_late_is_cut(void **state)
{
	(void)state;
	assert_written(-1, "1970-01-01T00:00:00Z");
	assert_written(INT64_MIN, "1970-01-01T00:00:00Z");
	assert_written(INT64_C(253402300799), "9999-12-31T23:59:59Z");
	assert_written(INT64_C(253402300800), "9999-12-31T23:59:59Z");
	assert_written(INT64_MAX, "9999-12-31T23:59:59Z");
}

/* Every day for 500 years: the library says the same, and what is written is read again. */
static void test_days_are_those_of_the_library(void **state)
{
	(void)state;
	for (int64_t day = 0; day < 500 * 366; day++) {
		int64_t seconds = day * 86400 + day % 86400, again;
		char text[32];
		time_t moment = (time_t)seconds;
		struct tm parts;
		assert_non_null(gmtime_r(&moment, &parts));
		assert_int_equal(strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts), 20);
		assert_written(seconds, text);
		assert_true(utc_parse(slice_of_text(text), &again));
		assert_int_equal(again, seconds);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_read),
		cmocka_unit_test(test_what_is_none),
		cmocka_unit_test(test_what_is_too_early_or_late_is_cut),
		cmocka_unit_test(test_days_are_those_of_the_library),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
