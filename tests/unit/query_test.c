#include "dns/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/wire.h"

static const char *const fault_names[] = {
	[DNS_QUERY_FINE] = "FINE",
	[DNS_QUERY_SILENCE] = "SILENCE",
	[DNS_QUERY_FORMERR] = "FORMERR",
	[DNS_QUERY_NOTIMP] = "NOTIMP",
	[DNS_QUERY_BADVERS] = "BADVERS",
	[DNS_QUERY_REFUSED] = "REFUSED",
	[DNS_QUERY_KEEPALIVE] = "KEEPALIVE",
	[DNS_QUERY_OPTION] = "OPTION",
	[DNS_QUERY_NO_QUESTION] = "NO_QUESTION",
	[DNS_QUERY_NOTAUTH] = "NOTAUTH",
};

static void check_vector(const char *expected, const char *title, struct slice message)
{
	struct dns_query query;
	const char *fault = fault_names[dns_query_open(&query, message)];
	if (strcmp(fault, expected) != 0)
		fail_msg("%s: %s, not %s", title, fault, expected);
}

static void every_vector_gets_its_fault(void **state)
{
	(void)state;
	assert_in_range(wire_vectors(TEST_VECTORS "/queries.txt", check_vector), 60, 1000);
}

/* RFC 1035: a broken body is a format error, less than a header is not answered at all. */
static void check_prefixes(const char *expected, const char *title, struct slice message)
{
	struct dns_query query;
	if (strcmp(expected, "FINE") != 0)
		return;
	for (size_t len = 0; len < message.len; len++) {
		enum dns_query_fault fault =
			dns_query_open(&query, wire_keep(slice_of(message.at, len)));
		if (fault != (len < DNS_HEADER_LEN ? DNS_QUERY_SILENCE : DNS_QUERY_FORMERR))
			fail_msg("%s: %s at %zu bytes", title, fault_names[fault], len);
	}
}

static void every_prefix_of_a_good_query_is_malformed(void **state)
{
	(void)state;
	wire_vectors(TEST_VECTORS "/queries.txt", check_prefixes);
}

/* Any one byte wrong: whatever comes out, the name that is shown can be trusted. */
static void check_damage(const char *expected, const char *title, struct slice message)
{
	(void)expected;
	(void)title;
	uint8_t *bytes = (uint8_t *)(uintptr_t)wire_keep(message).at;
	for (size_t at = 0; at < message.len; at++) {
		static const uint8_t damage[] = { 0x00, 0xff, 0xc0, 0x40, 0x01 };
		for (size_t i = 0; i < sizeof damage; i++) {
			struct dns_query query;
			bytes[at] = damage[i];
			dns_query_open(&query, slice_of(bytes, message.len));
			assert_int_equal(dns_name_check(query.name), query.name.len);
		}
		bytes[at] = message.at[at];
	}
}

static void damaged_queries_do_no_harm(void **state)
{
	(void)state;
	wire_vectors(TEST_VECTORS "/queries.txt", check_damage);
}

static void shows_what_was_asked(void **state)
{
	(void)state;
	struct slice message = wire("beef 0130 0001 0000 0000 0001 'wWw.eXample.com' 001c 0003"
				    "00 0029 04d0 00 00 8000 000e"
				    "000b 0000 000c 0002 0000 000a 0000");
	struct dns_query query;
	assert_int_equal(dns_query_open(&query, message), DNS_QUERY_FINE);
	assert_int_equal(query.id, 0xbeef);
	assert_int_equal(query.flags, DNS_FLAG_RD | DNS_FLAG_AD | DNS_FLAG_CD);
	assert_true(slice_equals(query.name, wire("'wWw.eXample.com'")));
	assert_ptr_equal(query.name.at, message.at + 12); /* borrowed, not copied */
	assert_int_equal(query.type, DNS_TYPE_AAAA);
	assert_int_equal(query.class, DNS_CLASS_CH);
	assert_true(query.opt.present && query.opt.dnssec_ok);
	assert_true(query.opt.has_keepalive && query.opt.has_padding);
	assert_int_equal(query.opt.payload_size, 1232);
	assert_int_equal(query.opt.options.len, 14);
}

static void a_query_without_opt_has_none(void **state)
{
	(void)state;
	struct dns_query query;
	assert_int_equal(
		dns_query_open(&query, wire("1234 0100 0001 0000 0000 0000 'a' 0001 0001")),
		DNS_QUERY_FINE);
	assert_false(query.opt.present || query.opt.dnssec_ok || query.opt.has_padding ||
		query.opt.has_keepalive);
	assert_int_equal(query.opt.payload_size, 0);
}

/* The error answer echoes what could be read. */
static void malformed_queries_show_what_could_be_read(void **state)
{
	(void)state;
	const struct {
		const char *message;
		const char *name;
		bool has_opt;
	} rows[] = {
		{ "1234 0100 0001 0000 0000 0001 'www.example' 0001 0001", "'www.example'", false },
		{ "1234 0100 0001 0000 0000 0000 'www.example' 0001 00", "", false },
		{ "1234 0100 0002 0000 0000 0000 'www.example' 0001 0001", "", false },
		{ "1234 0100 0001 0000 0000 0001 'a' 0001 0001"
		  "00 0029 04d0 00 00 0000 0003 000a00",
			"'a'", true },
		{ "1234 0100 0001 0000 0000 0001 'a' 0001 0001 00 0029 04d0 00 00 0000 0001", "'a'",
			false },
		{ "1234 7800 0001 0000 0000 0000 'www.example' 0001 0001", "", false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct dns_query query;
		assert_int_not_equal(dns_query_open(&query, wire(rows[i].message)), DNS_QUERY_FINE);
		assert_int_equal(query.id, 0x1234);
		assert_true(slice_equals(query.name, wire(rows[i].name)));
		assert_int_equal(query.opt.present, rows[i].has_opt);
	}
}

static void reads_options(void **state)
{
	(void)state;
	const struct {
		const char *rdata;
		bool good;
		const char *ede; /* NULL: none */
	} rows[] = {
		{ "", true, NULL },
		{ "0003 0000", true, NULL },
		{ "000f 0002 000f", true, "000f" },
		{ "000f 0005 000f 616263", true, "000f 616263" },
		{ "000f 0002 000f 000f 0002 0010", true, "000f" },
		{ "000f 0001 00 000f 0002 0010", true, "0010" }, /* the first has no code */
		{ "000f 0000", true, NULL },
		{ "00", false, NULL },
		{ "0003", false, NULL },
		{ "0003 00", false, NULL },
		{ "0003 0001", false, NULL },
		{ "0003 ffff 00", false, NULL },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct dns_opt opt = { 0 };
		assert_int_equal(dns_opt_read(&opt, wire(rows[i].rdata)), rows[i].good);
		if (rows[i].good)
			assert_true(slice_equals(opt.ede, wire(rows[i].ede ? rows[i].ede : "")));
	}
	struct dns_opt opt = { 0 };
	assert_true(dns_opt_read(&opt, slice_of(NULL, 0)));
}

static void finds_an_option(void **state)
{
	(void)state;
	struct dns_opt opt = { 0 };
	struct slice value;
	assert_false(dns_opt_find(&opt, 0xffa0, &value));
	assert_true(dns_opt_read(&opt, wire("000c0002 0000 ffa00000 ffa00003 616263")));
	assert_true(dns_opt_find(&opt, 0xffa0, &value)); /* the first one */
	assert_int_equal(value.len, 0);
	assert_true(dns_opt_find(&opt, 12, &value));
	assert_int_equal(value.len, 2);
	assert_false(dns_opt_find(&opt, 0xffa1, &value));
	opt.options = wire("ffa00004 616263"); /* not one that dns_opt_read() takes */
	assert_false(dns_opt_find(&opt, 0xffa0, &value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_vector_gets_its_fault),
		cmocka_unit_test(every_prefix_of_a_good_query_is_malformed),
		cmocka_unit_test(damaged_queries_do_no_harm),
		cmocka_unit_test(shows_what_was_asked),
		cmocka_unit_test(a_query_without_opt_has_none),
		cmocka_unit_test(malformed_queries_show_what_could_be_read),
		cmocka_unit_test(reads_options),
		cmocka_unit_test(finds_an_option),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
