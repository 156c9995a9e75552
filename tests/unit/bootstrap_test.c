#include "proxy/upstream/bootstrap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/wire.h"

static struct dns_name host;

/* A question for the host, then these answer records. */
static bool take(struct bootstrap *bootstrap, unsigned count, const char *records)
{
	char notation[4096];
	struct dns_answer answer;
	snprintf(notation, sizeof notation,
		"1234 8180 0001 00%02x 0000 0000 'dns.test' 0001 0001 %s", count, records);
	assert_int_equal(dns_answer_open(&answer, wire(notation)), 0);
	return bootstrap_take(bootstrap, &answer, dns_name_slice(&host));
}

/* "2001:db8::1 192.0.2.1" */
static void assert_known(const struct bootstrap *bootstrap, const char *expected)
{
	char got[1024] = "";
	for (unsigned i = 0; i < bootstrap->known_count; i++) {
		char text[ADDRESS_TEXT_MAX];
		address_text(&bootstrap->known[i], text);
		strcat(got, i ? " " : "");
		strcat(got, text);
	}
	assert_string_equal(got, expected);
}

static void test_answers(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		unsigned count;
		const char *records;
		const char *known;
	} rows[] = {
		{ "nothing", 0, "", "" },
		{ "one", 1, "'dns.test' 0001 0001 00000100 0004 c0000201", "192.0.2.1" },
		{ "case", 1, "'DNS.Test' 0001 0001 00000100 0004 c0000201", "192.0.2.1" },
		{ "two, as answered", 2,
			"'dns.test' 0001 0001 00000100 0004 c0000209 "
			"'dns.test' 0001 0001 00000100 0004 c0000201",
			"192.0.2.9 192.0.2.1" },
		{ "families in turns", 3,
			"'dns.test' 0001 0001 00000100 0004 c0000201 "
			"'dns.test' 0001 0001 00000100 0004 c0000202 "
			"'dns.test' 001c 0001 00000100 0010 20010db8 00*11 01",
			"2001:db8::1 192.0.2.1 192.0.2.2" },
		{ "an alias", 2,
			"'dns.test' 0005 0001 00000100 000c 'other.test' "
			"'other.test' 0001 0001 00000100 0004 c0000201",
			"192.0.2.1" },
		{ "an alias, the wrong way round", 2,
			"'other.test' 0001 0001 00000100 0004 c0000201 "
			"'dns.test' 0005 0001 00000100 000c 'other.test'",
			"192.0.2.1" },
		{ "an alias of itself", 2,
			"'dns.test' 0005 0001 00000100 000a 'dns.test' "
			"'other.test' 0001 0001 00000100 0004 c0000201",
			"" },
		{ "somebody else's", 1, "'evil.test' 0001 0001 00000100 0004 c0000242", "" },
		{ "another class", 1, "'dns.test' 0001 0003 00000100 0004 c0000242", "" },
		{ "another type", 1, "'dns.test' 0010 0001 00000100 0004 03\"abc\"", "" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct bootstrap bootstrap = { 0 };
		bootstrap_begin(&bootstrap, 1, 1000);
		assert_true(take(&bootstrap, rows[i].count, rows[i].records));
		assert_int_equal(bootstrap_end(&bootstrap, 1000), rows[i].known[0] != '\0');
		assert_known(&bootstrap, rows[i].known);
	}
}

/* Itself many times, in one answer: the work is bounded, and so is the list. */
static void test_bounds(void **state)
{
	(void)state;
	struct bootstrap bootstrap = { 0 };
	char records[4000] = "'dns.test' 0005 0001 00000100 000a 'dns.test' ";
	for (unsigned i = 0; i < 20; i++)
		sprintf(records + strlen(records), "'dns.test' 0001 0001 00000100 0004 c00002%02x ",
			i + 1);
	bootstrap_begin(&bootstrap, 1, 1000);
	take(&bootstrap, 21, records);
	assert_true(bootstrap_end(&bootstrap, 1000));
	assert_int_equal(bootstrap.known_count, BOOTSTRAP_ADDRESSES);
}

#define ONE_A(ttl) "'dns.test' 0001 0001 " ttl " 0004 c0000201"

static void test_times(void **state)
{
	(void)state;
	static const struct {
		const char *records;
		unsigned good_for_s;
	} rows[] = {
		{ ONE_A("00000000"), BOOTSTRAP_MIN_TTL_S },
		{ ONE_A("00000001"), BOOTSTRAP_MIN_TTL_S }, { ONE_A("00000100"), 256 },
		{ ONE_A("00020000"), BOOTSTRAP_MAX_TTL_S },
		{ ONE_A("80000001"), BOOTSTRAP_MIN_TTL_S }, /* RFC 2181 8: reads as 0 */
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct bootstrap bootstrap = { 0 };
		assert_true(bootstrap_is_due(&bootstrap, 1000));
		bootstrap_begin(&bootstrap, 1, 1000);
		assert_false(bootstrap_is_due(&bootstrap, 1000));
		take(&bootstrap, 1, rows[i].records);
		bootstrap_end(&bootstrap, 2000);
		uint64_t end_ms = 2000 + rows[i].good_for_s * 1000ull;
		assert_false(bootstrap_is_due(&bootstrap, end_ms - 1));
		assert_true(bootstrap_is_due(&bootstrap, end_ms));
	}
}

static void find_nothing(struct bootstrap *bootstrap, uint64_t now_ms)
{
	bootstrap_begin(bootstrap, 2, now_ms);
	assert_false(bootstrap_take(bootstrap, NULL, dns_name_slice(&host)));
	assert_true(bootstrap_take(bootstrap, NULL, dns_name_slice(&host)));
	assert_false(bootstrap_end(bootstrap, now_ms));
}

static void test_failure_keeps_the_old_ones_and_backs_off(void **state)
{
	(void)state;
	static const unsigned waits_ms[] = { 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000 };
	struct bootstrap bootstrap = { 0 };
	bootstrap_begin(&bootstrap, 1, 1000);
	take(&bootstrap, 1, ONE_A("00000100"));
	bootstrap_end(&bootstrap, 1000);
	uint64_t now_ms = 1000000;
	for (size_t i = 0; i < sizeof waits_ms / sizeof *waits_ms; i++) {
		find_nothing(&bootstrap, now_ms);
		assert_known(&bootstrap, "192.0.2.1");
		assert_false(bootstrap_is_due(&bootstrap, now_ms + waits_ms[i] - 1));
		assert_false(bootstrap_want(&bootstrap, now_ms + waits_ms[i] - 1));
		assert_true(bootstrap_is_due(&bootstrap, now_ms + waits_ms[i]));
		assert_true(bootstrap_want(&bootstrap, now_ms + waits_ms[i]));
		now_ms += 100000;
	}
	bootstrap_begin(&bootstrap, 1, now_ms);
	take(&bootstrap, 1, "'dns.test' 0001 0001 00000100 0004 c0000209");
	assert_true(bootstrap_end(&bootstrap, now_ms));
	assert_known(&bootstrap, "192.0.2.9");
	assert_int_equal(bootstrap.failures, 0);
}

static void test_half_is_better_than_nothing(void **state)
{
	(void)state;
	struct bootstrap bootstrap = { 0 };
	bootstrap_begin(&bootstrap, 2, 1000);
	assert_false(bootstrap_take_half(&bootstrap));
	assert_false(take(&bootstrap, 1, ONE_A("00000100")));
	assert_true(bootstrap_take_half(&bootstrap));
	assert_known(&bootstrap, "192.0.2.1");
	assert_false(bootstrap_take_half(&bootstrap)); /* is known already */
	assert_true(take(&bootstrap, 1, "'dns.test' 001c 0001 00000100 0010 20010db8 00*11 01"));
	assert_true(bootstrap_end(&bootstrap, 1500));
	assert_known(&bootstrap, "2001:db8::1 192.0.2.1");
}

/* Asked for again while they hold: somebody has tried them, so look again, but not in a hurry. */
static void test_wanted_again(void **state)
{
	(void)state;
	struct bootstrap bootstrap = { 0 };
	assert_true(bootstrap_want(&bootstrap, 1000));
	bootstrap_begin(&bootstrap, 1, 1000);
	assert_false(bootstrap_want(&bootstrap, 1000)); /* under way */
	assert_true(bootstrap.is_wanted);
	take(&bootstrap, 1, ONE_A("00000100"));
	bootstrap_end(&bootstrap, 1000);
	assert_false(bootstrap_want(&bootstrap, 1000 + BOOTSTRAP_AGAIN_MS - 1));
	assert_true(bootstrap_want(&bootstrap, 1000 + BOOTSTRAP_AGAIN_MS));
}

int main(void)
{
	assert_true(dns_name_from_text(&host, slice_of_text("dns.test")));
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_failure_keeps_the_old_ones_and_backs_off),
		cmocka_unit_test(test_half_is_better_than_nothing),
		cmocka_unit_test(test_wanted_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
