/* What entries themselves want: exceptions, answers of their own, networks. */
#include "tests/unit/policy_fixture.h"

#include "rules/given.h"
#include "rules/image_layout.h"

struct row {
	const char *const rules[5];
	const char *name;
	const char *records; /* of the answer; its A records have 192.0.2.1 */
	const char *expected;
	const char *response; /* NULL: it is no BLOCK */
	bool is_datagram;
	enum fail_mode fail_mode;
	uint16_t type; /* 0: A */
};

static struct verdict judge(const struct policy *policy, const struct row *row)
{
	static struct fixture_answer answer;
	struct verdict verdict;
	struct dns_name asked = fixture_name(row->name);
	const struct facts facts = { .view = FIXTURE_VIEW,
		.query_type = row->type ? row->type : DNS_TYPE_A,
		.is_datagram = row->is_datagram,
		.name = dns_name_slice(&asked) };
	memset(&verdict, 0xa5, sizeof verdict);
	policy_judge_query(policy, &facts, &verdict, NULL);
	if (verdict_is_final(&verdict) || !row->records)
		return verdict;
	fixture_answer_begin(&answer, facts.name, facts.query_type);
	fixture_answer_records(&answer, row->records);
	policy_judge_answer(policy, &facts, fixture_answer_open(&answer), &verdict, NULL);
	return verdict;
}

static void check_rows(const struct row *rows, size_t count)
{
	static const struct local_record_spec ours = { .name = { 11,
							       "\x04ours\x04"
							       "test" },
		.type = DNS_TYPE_A,
		.ttl_s = 1,
		.rdata = { (const uint8_t *)"abcd", 4 } };
	for (size_t i = 0; i < count; i++) {
		struct policy_fixture fixture;
		char said[2048];
		policy_fixture_init(&fixture, rows[i].rules);
		fixture.view.fail_mode = rows[i].fail_mode;
		fixture.spec.local_records = &ours;
		fixture.spec.local_record_count = 1;
		struct policy *policy = policy_fixture_build(&fixture, i);
		struct verdict verdict = judge(policy, &rows[i]);
		fixture_say(policy, &verdict, rows[i].name, said, sizeof said);
		if (strcmp(said, rows[i].expected) != 0)
			fail_msg(
				"row %zu: %s: %s, not %s", i, rows[i].name, said, rows[i].expected);
		assert_int_equal(verdict.action == ACTION_BLOCK, rows[i].response != NULL);
		if (rows[i].response)
			assert_string_equal(
				block_response_name(verdict.block_response), rows[i].response);
		policy_fixture_free(&fixture);
	}
}

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof *(rows))

static void test_what_entries_want(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ { "10 GIVEN a.test=NXDOMAIN" }, "a.test", NULL, "BLOCK 10 by a.test.", "NXDOMAIN",
			0, 0, 0 },
		{ { "10 GIVEN a.test=NODATA" }, "a.test", NULL, "BLOCK 10 by a.test.", "NODATA", 0,
			0, 0 },
		{ { "10 GIVEN a.test=REFUSED" }, "a.test", NULL, "BLOCK 10 by a.test.", "REFUSED",
			0, 0, 0 },
		{ { "10 GIVEN a.test=DROP" }, "a.test", NULL, "BLOCK 10 by a.test.", "DROP", 0, 0,
			0 },
		{ { "10 GIVEN a.test=A" }, "a.test", NULL, "BLOCK 10 by a.test.", "RECORDS", 0, 0,
			0 },
		/* Nothing of its own: what the rule says. */
		{ { "10 GIVEN a.test REFUSED" }, "a.test", NULL, "BLOCK 10 by a.test.", "REFUSED",
			0, 0, 0 },
		/* Another action does not ask the entry. */
		{ { "10 ALERT a.test=NXDOMAIN" }, "a.test", NULL, "ALERT 10 by a.test.", NULL, 0, 0,
			0 },
		{ { "10 BLOCK a.test=DROP REFUSED" }, "a.test", NULL, "BLOCK 10 by a.test.",
			"REFUSED", 0, 0, 0 },
		{ { "10 ALLOW a.test=DROP" }, "a.test", NULL, "ALLOW 10 by a.test.", NULL, 0, 0,
			0 },
		/* Each entry for itself; the closest wins. */
		{ { "10 GIVEN *.test=NXDOMAIN,a.test=NODATA" }, "a.test", NULL,
			"BLOCK 10 by a.test.", "NODATA", 0, 0, 0 },
		{ { "10 GIVEN *.test=NXDOMAIN,a.test=NODATA" }, "b.test", NULL,
			"BLOCK 10 by *.test.", "NXDOMAIN", 0, 0, 0 },
		/* Names of the answer. */
		{ { "10 GIVEN b.test=REFUSED" }, "a.test", "a.test CNAME b.test",
			"BLOCK 10 1 b.test. by b.test.", "REFUSED", 0, 0, 0 },
		/* Types of an entry. */
		{ { "10 GIVEN a.test=REFUSED/AAAA" }, "a.test", NULL, "NONE", NULL, 0, 0, 0 },
		{ { "10 GIVEN a.test=REFUSED/AAAA" }, "a.test", NULL, "BLOCK 10 by a.test.",
			"REFUSED", 0, 0, DNS_TYPE_AAAA },
	};
	CHECK_ROWS(rows);
}

static void test_exceptions(void **state)
{
	(void)state;
	static const struct row rows[] = {
		/* PASS: GIVEN allows, which ends it; for others the list has nothing. */
		{ { "10 GIVEN *.test=NXDOMAIN,a.test=PASS", "20 BLOCK *" }, "a.test", NULL,
			"ALLOW 10 by a.test.", NULL, 0, 0, 0 },
		{ { "10 BLOCK *.test=NXDOMAIN,a.test=PASS", "20 ALERT *" }, "a.test", NULL,
			"ALERT 20 by *.", NULL, 0, 0, 0 },
		{ { "10 ALLOW a.test=PASS", "20 ALERT *" }, "a.test", NULL, "ALERT 20 by *.", NULL,
			0, 0, 0 },
		{ { "10 MONITOR a.test=PASS" }, "a.test", NULL, "NONE", NULL, 0, 0, 0 },
		/* EXCEPT: the list has nothing, for anybody. */
		{ { "10 GIVEN *.test=NXDOMAIN1,a.test=EXCEPT2", "20 BLOCK * DROP" }, "a.test", NULL,
			"BLOCK 20 by *.", "DROP", 0, 0, 0 },
		{ { "10 BLOCK *.test=NXDOMAIN1,a.test=EXCEPT2", "20 ALERT *" }, "a.test", NULL,
			"ALERT 20 by *.", NULL, 0, 0, 0 },
		/* Ranks come before labels. */
		{ { "10 BLOCK *.test=EXCEPT2,a.test" }, "a.test", NULL, "NONE", NULL, 0, 0, 0 },
		{ { "10 BLOCK *.test=EXCEPT2,a.test=NXDOMAIN3" }, "a.test", NULL,
			"BLOCK 10 by a.test.", "NODATA", 0, 0, 0 },
		/* Allowed is the name, not what it leads to; TRUST means that. */
		{ { "10 GIVEN a.test=PASS,b.test=REFUSED" }, "a.test", "a.test CNAME b.test",
			"BLOCK 10 1 b.test. by b.test.", "REFUSED", 0, 0, 0 },
		{ { "10 GIVEN a.test=PASS,b.test=REFUSED TRUST" }, "a.test", "a.test CNAME b.test",
			"ALLOW 10 by a.test.", NULL, 0, 0, 0 },
	};
	CHECK_ROWS(rows);
}

static void test_tcp_only(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ { "10 GIVEN a.test=TCP" }, "a.test", NULL, "BLOCK 10 by a.test.", "TRUNCATE",
			true, 0, 0 },
		/* As if it were not listed: evaluation goes on. */
		{ { "10 GIVEN a.test=TCP" }, "a.test", NULL, "NONE", NULL, false, 0, 0 },
		{ { "10 GIVEN a.test=TCP", "20 BLOCK a.test DROP" }, "a.test", NULL,
			"BLOCK 20 by a.test.", "DROP", false, 0, 0 },
		{ { "10 GIVEN a.test=TCP", "20 BLOCK a.test DROP" }, "a.test", NULL,
			"BLOCK 10 by a.test.", "TRUNCATE", true, 0, 0 },
		{ { "10 BLOCK a.test=TCP DROP" }, "a.test", NULL, "BLOCK 10 by a.test.", "DROP",
			false, 0, 0 },
	};
	CHECK_ROWS(rows);
}

#define L61 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define L53 "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"

/* The longest name that goes in front of garden.test, and one that is longer. */
static void test_long_aliases(void **state)
{
	(void)state;
#define FITS  L61 "." L61 "." L61 "." L53 ".t" /* 243 bytes */
#define LARGE L61 "." L61 "." L61 "." L53 "z.t"
	static const struct row rows[] = {
		{ { "10 GIVEN *=CNAME:*.garden.test" }, FITS, NULL, "BLOCK 10 by *.", "RECORDS", 0,
			0, 0 },
		{ { "10 GIVEN *=CNAME:*.garden.test" }, LARGE, NULL, "SERVFAIL", NULL, 0,
			FAIL_CLOSED, 0 },
		{ { "10 GIVEN *=CNAME:*.garden.test" }, LARGE, NULL, "OPEN NONE", NULL, 0,
			FAIL_OPEN, 0 },
		/* It ends the evaluation, and what blocks first blocks. */
		{ { "10 GIVEN *=CNAME:*.garden.test", "20 ALLOW *" }, LARGE, NULL, "SERVFAIL", NULL,
			0, FAIL_CLOSED, 0 },
		{ { "10 BLOCK *.t", "20 GIVEN *=CNAME:*.garden.test" }, LARGE, NULL,
			"BLOCK 10 by *.t.", "NODATA", 0, FAIL_CLOSED, 0 },
		/* Of a name that the answer leads to. */
		{ { "10 GIVEN *.t=CNAME:*.garden.test" }, "a.test", "a.test CNAME " LARGE,
			"SERVFAIL", NULL, 0, FAIL_CLOSED, 0 },
		{ { "10 GIVEN *.t=CNAME:*.garden.test" }, "a.test", "a.test CNAME " LARGE,
			"OPEN NONE", NULL, 0, FAIL_OPEN, 0 },
		{ { "10 GIVEN *.t=CNAME:*.garden.test,b.test=DROP" }, "a.test",
			"a.test CNAME " LARGE ", " LARGE " CNAME b.test",
			"BLOCK 10 2 b.test. by b.test.", "DROP", 0, FAIL_CLOSED, 0 },
		/* One without an asterisk fits everybody. */
		{ { "10 GIVEN *=CNAME:garden.test" }, LARGE, NULL, "BLOCK 10 by *.", "RECORDS", 0,
			0, 0 },
	};
	CHECK_ROWS(rows);
}

static void test_networks(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ { "10 BLOCK 192.0.2.0/24=NXDOMAIN REFUSED" }, "a.test", "a.test A",
			"BLOCK 10 a.test. 192.0.2.1 by 192.0.2.0/24", "REFUSED", 0, 0, 0 },
		{ { "10 GIVEN 192.0.2.0/24=NXDOMAIN" }, "a.test", "a.test CNAME B.test, B.test A",
			"BLOCK 10 b.test. 192.0.2.1 by 192.0.2.0/24", "NXDOMAIN", 0, 0, 0 },
		{ { "10 BLOCK 192.0.3.0/24=NXDOMAIN" }, "a.test", "a.test A", "NONE", NULL, 0, 0,
			0 },
		{ { "10 ALERT 192.0.2.1/32=NXDOMAIN" }, "a.test", "a.test A",
			"ALERT 10 a.test. 192.0.2.1 by 192.0.2.1/32", NULL, 0, 0, 0 },
		/* The longest of a list, and an exception. */
		{ { "10 GIVEN 192.0.2.0/24=DROP,192.0.2.1/32=PASS" }, "a.test", "a.test A", "NONE",
			NULL, 0, 0, 0 },
		{ { "10 GIVEN 192.0.2.1/32=PASS", "20 BLOCK 192.0.2.0/24=DROP" }, "a.test",
			"a.test A", "NONE", NULL, 0, 0, 0 },
		{ { "10 BLOCK 192.0.2.1/32=PASS,192.0.2.0/24", "20 ALERT 192.0.2.0/24=DROP" },
			"a.test", "a.test A", "ALERT 20 a.test. 192.0.2.1 by 192.0.2.0/24", NULL, 0,
			0, 0 },
		/* The question's type counts, for the rule and for the entry. */
		{ { "10 BLOCK 192.0.2.0/24=DROP TXT" }, "a.test", "a.test A", "NONE", NULL, 0, 0,
			0 },
		{ { "10 BLOCK 192.0.2.0/24=DROP/AAAA" }, "a.test", "a.test A", "NONE", NULL, 0, 0,
			0 },
		/* Names come first; names that pass do not let addresses pass; trust does. */
		{ { "10 BLOCK a.test,192.0.2.0/24=DROP" }, "a.test", "a.test A",
			"BLOCK 10 by a.test.", "NODATA", 0, 0, 0 },
		{ { "10 ALLOW a.test", "20 BLOCK 192.0.2.0/24=DROP" }, "a.test", "a.test A",
			"BLOCK 20 a.test. 192.0.2.1 by 192.0.2.0/24", "NODATA", 0, 0, 0 },
		{ { "10 ALLOW a.test TRUST", "20 BLOCK 192.0.2.0/24=DROP" }, "a.test", "a.test A",
			"ALLOW 10 by a.test.", NULL, 0, 0, 0 },
		{ { "10 ALERT a.test", "20 ALERT 192.0.2.0/24=DROP" }, "a.test", "a.test A",
			"ALERT 10 by a.test.", NULL, 0, 0, 0 },
		/* Our own word. */
		{ { "10 BLOCK 192.0.2.0/24=DROP" }, "ours.test", "ours.test A", "NONE", NULL, 0, 0,
			0 },
		/* TCP and aliases, as for names. */
		{ { "10 GIVEN 192.0.2.0/24=TCP" }, "a.test", "a.test A",
			"BLOCK 10 a.test. 192.0.2.1 by 192.0.2.0/24", "TRUNCATE", true, 0, 0 },
		{ { "10 GIVEN 192.0.2.0/24=TCP" }, "a.test", "a.test A", "NONE", NULL, false, 0,
			0 },
		{ { "10 GIVEN 192.0.2.0/24=CNAME:*.garden.test" }, LARGE, LARGE " A", "SERVFAIL",
			NULL, 0, FAIL_CLOSED, 0 },
		{ { "10 GIVEN 192.0.2.0/24=CNAME:*.garden.test" }, LARGE, LARGE " A", "OPEN NONE",
			NULL, 0, FAIL_OPEN, 0 },
		/* An answer that fails is still looked at: what blocks, blocks. */
		{ { "10 BLOCK 192.0.2.0/24=DROP" }, "a.test", "a.test CNAME a.test, a.test A",
			"BLOCK 10 a.test. 192.0.2.1 by 192.0.2.0/24", "NODATA", 0, FAIL_OPEN, 0 },
		/* A list that could not be loaded. */
		{ { "10 BLOCK 192.0.2.0/24=DROP", "20 BLOCK !" }, "a.test", "a.test A", "OPEN NONE",
			NULL, 0, FAIL_OPEN, 0 },
	};
	CHECK_ROWS(rows);
}

static struct verdict judge_addresses(
	const struct policy *policy, const uint8_t (*addresses)[4], size_t count)
{
	static struct fixture_answer answer;
	struct verdict verdict;
	struct dns_name name = fixture_name("a.test");
	const struct facts facts = { .query_type = DNS_TYPE_A, .name = dns_name_slice(&name) };
	policy_judge_query(policy, &facts, &verdict, NULL);
	fixture_answer_begin(&answer, facts.name, DNS_TYPE_A);
	for (size_t i = 0; i < count; i++)
		fixture_answer_add(&answer, facts.name, DNS_TYPE_A, slice_of(addresses[i], 4));
	policy_judge_answer(policy, &facts, fixture_answer_open(&answer), &verdict, NULL);
	return verdict;
}

/* The worst of them counts, and a network that has many is noted once. */
static void test_many_addresses(void **state)
{
	(void)state;
	static const char *const rules[] = { "5 MONITOR 192.0.0.0/16=DROP",
		"10 ALERT 192.0.2.0/24=DROP,192.0.9.0/24=DROP", "20 BLOCK 192.0.3.7/32=DROP",
		"30 MONITOR *", NULL };
	static const uint8_t addresses[][4] = { { 10, 0, 0, 1 }, { 192, 0, 2, 1 }, { 192, 0, 9, 1 },
		{ 192, 0, 3, 7 }, { 192, 0, 2, 2 } };
	struct policy_fixture fixture;
	char said[512];
	policy_fixture_init(&fixture, rules);
	struct policy *policy = policy_fixture_build(&fixture, 1);
	assert_true(policy_view(policy, 0)->has_networks);
	struct verdict verdict = judge_addresses(policy, addresses, 3);
	fixture_say(policy, &verdict, "a.test", said, sizeof said);
	assert_string_equal(said, "ALERT 10 a.test. 192.0.2.1 by 192.0.2.0/24");
	assert_int_equal(verdict.monitor_count, 2);
	verdict = judge_addresses(policy, addresses, 5);
	fixture_say(policy, &verdict, "a.test", said, sizeof said);
	assert_string_equal(said, "BLOCK 20 a.test. 192.0.3.7 by 192.0.3.7/32");
	policy_fixture_free(&fixture);
}

static void test_where_there_are_no_networks(void **state)
{
	(void)state;
	static const char *const rules[] = { "10 BLOCK a.test", "20 GIVEN b.test=A", NULL };
	struct policy_fixture fixture;
	policy_fixture_init(&fixture, rules);
	assert_false(policy_view(policy_fixture_build(&fixture, 1), 0)->has_networks);
	policy_fixture_free(&fixture);
}

/* Another name in the place of a listed one, as if both had the same hash. */
static void take_for_another(struct policy_fixture *fixture, const char *listed, const char *other)
{
	struct policy_texts *built = &fixture->built;
	struct slice cold = image_cold(built->image);
	struct dns_name from = fixture_name(listed);
	struct dns_name to = fixture_name(other);
	uint8_t *at = memmem(cold.at, cold.len, from.wire, from.len);
	uint8_t *bytes = (uint8_t *)(uintptr_t)built->bytes.at;
	const char *why;
	assert_int_equal(from.len, to.len);
	assert_non_null(at);
	memcpy(at, to.wire, to.len);
	image_checksum(built->bytes, bytes + IMAGE_HASH_AT);
	policy_free(built->policy);
	image_close(built->image);
	built->image = image_open(built->bytes, &why);
	assert_non_null(built->image);
	static const uint16_t numbers[] = { 0, 1, 2, 3, 4, 5, 6, 7 };
	static const int errors[8];
	const struct policy_lists lists = { built->image, numbers, errors };
	int error;
	built->policy = policy_build(&fixture->spec, &lists, &error);
	assert_int_equal(error, 0);
}

/* A false hit may block, and does no more. */
static void test_what_lets_through_is_compared(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ { "10 ALLOW a.test", "20 BLOCK *" }, "a.test", NULL, "BLOCK 20 by *.", NULL, 0, 0,
			0 },
		{ { "10 ALERT a.test", "20 BLOCK *" }, "a.test", NULL, "BLOCK 20 by *.", NULL, 0, 0,
			0 },
		{ { "10 GIVEN a.test=PASS", "20 BLOCK *" }, "a.test", NULL, "BLOCK 20 by *.", NULL,
			0, 0, 0 },
		{ { "10 BLOCK *.test=NODATA1,a.test=EXCEPT2" }, "a.test", NULL,
			"BLOCK 10 by *.test.", NULL, 0, 0, 0 },
		{ { "10 ALLOW *.a.test", "20 BLOCK *" }, "x.a.test", NULL, "BLOCK 20 by *.", NULL,
			0, 0, 0 },
		{ { "10 BLOCK a.test" }, "a.test", NULL, "BLOCK 10 by a.test.", NULL, 0, 0, 0 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct policy_fixture fixture;
		char said[512];
		policy_fixture_init(&fixture, rows[i].rules);
		policy_fixture_build(&fixture, i);
		take_for_another(&fixture, "a.test", "b.test");
		struct verdict verdict = judge(fixture.built.policy, &rows[i]);
		fixture_say(fixture.built.policy, &verdict, rows[i].name, said, sizeof said);
		if (strcmp(said, rows[i].expected) != 0)
			fail_msg("row %zu: %s, not %s", i, said, rows[i].expected);
		policy_fixture_free(&fixture);
	}
}

static void test_entry_texts(void **state)
{
	(void)state;
	static const struct {
		struct list_entry entry;
		const char *of; /* a name or an address */
		const char *text;
	} rows[] = {
		{ { PATTERN_EXACT, 2, 0 }, "A.Test", "a.test." },
		{ { PATTERN_BELOW, 2, 0 }, "x.y.a.test", "*.a.test." },
		{ { PATTERN_BOTH, 2, 0 }, "x.a.test", "a.test." },
		{ { PATTERN_BOTH, 0, 0 }, "x.a.test", "*." },
		{ { PATTERN_BOTH, 0, 0 }, ".", "*." },
		{ { PATTERN_BELOW, 1, 0 }, "\\*.a", "*.a." },
		{ { PATTERN_EXACT, 2, 0 }, "\\*.a", "\\042.a." },
		{ { LIST_ENTRY_NETWORK, 128, 0 }, "192.0.2.7", "192.0.2.7/32" },
		{ { LIST_ENTRY_NETWORK, 120, 0 }, "192.0.2.7", "192.0.2.0/24" },
		{ { LIST_ENTRY_NETWORK, 125, 0 }, "192.0.2.15", "192.0.2.8/29" },
		{ { LIST_ENTRY_NETWORK, 96, 0 }, "192.0.2.15", "0.0.0.0/0" },
		{ { LIST_ENTRY_NETWORK, 32, 0 }, "2001:db8:ffff::1", "2001:db8::/32" },
		{ { LIST_ENTRY_NETWORK, 128, 0 }, "2001:db8::1", "2001:db8::1/128" },
		{ { LIST_ENTRY_NETWORK, 0, 0 }, "2001:db8::1", "::/0" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[512];
		struct writer to = writer_of(text, sizeof text);
		struct dns_name name = { .len = 1 };
		struct address address;
		if (rows[i].entry.kind == LIST_ENTRY_NETWORK)
			assert_true(address_parse(&address, rows[i].of));
		else
			name = fixture_name(rows[i].of);
		policy_entry_write_text(&to, &rows[i].entry, dns_name_slice(&name), &address);
		writer_u8(&to, 0);
		assert_string_equal(text, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_entries_want),
		cmocka_unit_test(test_exceptions),
		cmocka_unit_test(test_tcp_only),
		cmocka_unit_test(test_long_aliases),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_many_addresses),
		cmocka_unit_test(test_where_there_are_no_networks),
		cmocka_unit_test(test_what_lets_through_is_compared),
		cmocka_unit_test(test_entry_texts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
