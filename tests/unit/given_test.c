#include "tests/unit/rules_fixture.h"

#include "base/writer.h"
#include "rules/given.h"

/* A 192.0.2.9 TTL 7; AAAA too short a one, which is nobody's concern here; TXT. */
static const uint8_t records[] = { 0, 1, 0, 0, 0, 7, 0, 4, 192, 0, 2, 9, 0, 28, 0, 0, 0, 8, 0, 1,
	0xaa, 0, 16, 0, 0, 0, 9, 0, 0 };

static void test_records_of_a_type(void **state)
{
	(void)state;
	static const struct {
		uint16_t type;
		unsigned count;
	} rows[] = { { DNS_TYPE_A, 1 }, { DNS_TYPE_AAAA, 1 }, { DNS_TYPE_TXT, 1 },
		{ DNS_TYPE_ANY, 3 }, { DNS_TYPE_MX, 0 } };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct reader reader = reader_of(slice_of(records, sizeof records));
		struct given_record record;
		unsigned count = 0;
		while (given_next(&reader, rows[i].type, &record)) {
			assert_true(record.type == rows[i].type || rows[i].type == DNS_TYPE_ANY);
			count++;
		}
		assert_int_equal(count, rows[i].count);
	}
	struct reader reader = reader_of(slice_of(records, sizeof records));
	struct given_record record;
	assert_true(given_next(&reader, DNS_TYPE_A, &record));
	assert_int_equal(record.ttl_s, 7);
	assert_true(slice_equals(record.rdata, slice_of("\xc0\x00\x02\x09", 4)));
}

/* Bytes that end too soon are the end. */
static void test_cut_records(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof records; len++) {
		uint8_t *cut = malloc(len + 1);
		struct given_record record;
		unsigned count = 0;
		memcpy(cut, records, len);
		struct reader reader = reader_of(slice_of(cut, len));
		while (given_next(&reader, DNS_TYPE_ANY, &record))
			count++;
		assert_int_equal(count, len < 12 ? 0 : len < 21 ? 1 : 2);
		free(cut);
	}
}

static void test_targets(void **state)
{
	(void)state;
	static const struct {
		const char *rdata;
		const char *name;
		const char *target;
	} rows[] = {
		{ "garden.test", "a.test", "garden.test" },
		{ "*.garden.test", "a.test", "a.test.garden.test" },
		{ "*.garden.test", ".", "garden.test" },
		{ "x.*.test", "a.test", "x.*.test" },
		{ "**.test", "a.test", "**.test" },
		{ ".", "a.test", "." },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct dns_name rdata = fixture_name(rows[i].rdata);
		struct dns_name name = fixture_name(rows[i].name);
		struct dns_name expected = fixture_name(rows[i].target);
		struct dns_name target;
		assert_true(given_target(dns_name_slice(&rdata), dns_name_slice(&name), &target));
		assert_true(slice_equals(dns_name_slice(&target), dns_name_slice(&expected)));
	}
}

static struct dns_name name_of_length(size_t len)
{
	struct dns_name name = { .len = 0 };
	for (size_t left = len - 1; left > 0;) {
		size_t label = left > 64 ? 63 : left - 1;
		if (left - label - 1 == 1) /* no room for another label */
			label--;
		name.wire[name.len++] = (uint8_t)label;
		memset(name.wire + name.len, 'x', label);
		name.len = (uint8_t)(name.len + label);
		left -= label + 1;
	}
	name.wire[name.len++] = 0;
	assert_int_equal(dns_name_check(dns_name_slice(&name)), len);
	return name;
}

/* Every length up to the longest name: it fits exactly when the sum does. */
static void test_targets_that_are_too_long(void **state)
{
	(void)state;
	struct dns_name rdata = fixture_name("*.garden.test");
	size_t behind = rdata.len - 2u;
	uint8_t bytes[8 + DNS_NAME_MAX];
	struct writer to = writer_of(bytes, sizeof bytes);
	writer_u16(&to, DNS_TYPE_CNAME);
	writer_u32(&to, 1);
	writer_u16(&to, rdata.len);
	writer_slice_bytes(&to, dns_name_slice(&rdata));
	const struct facet facet = { .given = GIVEN_RECORDS, .records = writer_slice(&to) };
	for (size_t len = 3; len <= DNS_NAME_MAX; len++) {
		struct dns_name name = name_of_length(len);
		struct dns_name target;
		bool fits = len - 1 + behind <= DNS_NAME_MAX;
		assert_int_equal(
			given_target(dns_name_slice(&rdata), dns_name_slice(&name), &target), fits);
		assert_int_equal(given_fits(&facet, dns_name_slice(&name)), fits);
		if (!fits)
			continue;
		assert_int_equal(dns_name_check(dns_name_slice(&target)), target.len);
		assert_int_equal(target.len, len - 1 + behind);
	}
}

static void test_what_is_no_name(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t len;
	} rows[] = { { "", 0 }, { "\1", 1 }, { "\1a", 2 }, { "\xc0\x0c", 2 }, { "\1*", 2 },
		{ "\0\0", 2 } };
	struct dns_name name = fixture_name("a.test");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct dns_name target;
		assert_false(given_target(
			slice_of(rows[i].bytes, rows[i].len), dns_name_slice(&name), &target));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records_of_a_type),
		cmocka_unit_test(test_cut_records),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_targets_that_are_too_long),
		cmocka_unit_test(test_what_is_no_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
