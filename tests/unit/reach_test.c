#include "proxy/upstream/reach.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

/* 192.0.2.<digit> for each digit. */
static struct reach reach_of(const char *digits)
{
	struct reach reach = { 0 };
	struct address addresses[16];
	for (size_t i = 0; digits[i]; i++)
		addresses[i] = address_of_v4((uint8_t[]){ 192, 0, 2, (uint8_t)(digits[i] - '0') });
	reach_take(&reach, addresses, strlen(digits));
	return reach;
}

static void expect_order(const struct reach *reach, const char *digits)
{
	char seen[16] = "";
	const struct address *address;
	for (size_t i = 0; (address = reach_nth(reach, i)); i++)
		seen[i] = (char)('0' + address->bytes[15]);
	assert_string_equal(seen, digits);
}

static void the_good_one_comes_first(void **state)
{
	(void)state;
	const struct {
		const char *addresses;
		unsigned good;
		const char *order;
	} rows[] = {
		{ "", 1, "" }, { "1", 1, "1" }, { "1234", 1, "1234" }, { "1234", 2, "2134" },
		{ "1234", 4, "4123" }, { "1234", 9, "1234" }, /* no longer one of them */
		{ "123456789", 8, "81234567" },               /* no more than eight */
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct reach reach = reach_of(rows[i].addresses);
		struct address good =
			address_of_v4((uint8_t[]){ 192, 0, 2, (uint8_t)rows[i].good });
		reach_on_reached(&reach, &good);
		expect_order(&reach, rows[i].order);
	}
}

static void what_was_good_stays_first(void **state)
{
	(void)state;
	struct reach reach = reach_of("123");
	reach_on_reached(&reach, reach_nth(&reach, 2));
	expect_order(&reach, "312");
	struct reach other = reach_of("543");
	reach_take(&reach, other.addresses, other.count);
	expect_order(&reach, "354");
	reach_take(&reach, other.addresses, 2);
	expect_order(&reach, "54");
	reach_take(&reach, NULL, 0);
	expect_order(&reach, "");
	reach_take(&reach, other.addresses, 3);
	assert_int_equal(reach.count, 3);
}

static void pauses_double_and_are_forgotten(void **state)
{
	(void)state;
	static const unsigned pauses[] = { 100, 200, 400, 800, 1600, 2000, 2000 };
	struct reach reach = reach_of("1");
	uint64_t now = 5000;
	for (unsigned round = 0; round < 2; round++) {
		for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
			assert_true(reach_may_try(&reach, now));
			reach_on_failure(&reach, now, now);
			assert_false(reach_may_try(&reach, now + pauses[i] - 1));
			now += pauses[i];
		}
		assert_true(reach_may_try(&reach, now));
		reach_on_failure(&reach, now, now);
		reach_on_success(&reach);
		assert_true(reach_may_try(&reach, now));
	}
}

static void a_long_attempt_was_pause_enough(void **state)
{
	(void)state;
	struct reach reach = reach_of("1");
	uint64_t now = 0;
	for (unsigned i = 0; i < 8; i++) {
		uint64_t began = now;
		now += 3000;
		reach_on_failure(&reach, began, now);
		assert_false(reach_may_try(&reach, now + REACH_PAUSE_MIN_MS - 1));
		assert_true(reach_may_try(&reach, now + REACH_PAUSE_MIN_MS));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_good_one_comes_first),
		cmocka_unit_test(what_was_good_stays_first),
		cmocka_unit_test(pauses_double_and_are_forgotten),
		cmocka_unit_test(a_long_attempt_was_pause_enough),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
