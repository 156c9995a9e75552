#include "tests/unit/rules_fixture.h"

#include "rules/chain.h"

/* The names that come, in order; "!" behind them when the answer cannot be followed to its end. A
 * name that is `trusted` is said to be so when it comes. */
static void follow(
	const char *question, const char *records, const char *trusted, char *said, size_t size)
{
	struct fixture_answer *answer = malloc(sizeof *answer);
	struct chain *chain = malloc(sizeof *chain);
	assert_non_null(answer);
	assert_non_null(chain);
	memset(chain, 0xa5, sizeof *chain);
	struct dns_name name = fixture_name(question);
	struct dns_name trusted_name = fixture_name(trusted);
	fixture_answer_begin(answer, dns_name_slice(&name), DNS_TYPE_A);
	fixture_answer_records(answer, records);
	struct writer to = writer_of(said, size);
	chain_begin(chain, dns_name_slice(&name), fixture_answer_open(answer));
	unsigned last = 0;
	for (unsigned hop; (hop = chain_next(chain)) != 0; last = hop) {
		assert_true(hop > last);
		writer_text(&to, to.len ? " " : "");
		dns_name_write_text(&to, dns_name_slice(&chain->names[hop]));
		if (slice_equals(dns_name_slice(&chain->names[hop]), dns_name_slice(&trusted_name)))
			chain_trust(chain, hop);
	}
	assert_int_equal(chain_next(chain), 0);
	writer_text(&to, chain_has_failed(chain) ? "!" : "");
	writer_u8(&to, 0);
	assert_false(to.failed);
	free(chain);
	free(answer);
}

static void test_order(void **state)
{
	(void)state;
	static const struct {
		const char *records;
		const char *trusted;
		const char *names;
	} rows[] = {
		/* The question is a.test. */
		{ "", ".", "" },
		{ "a.test A, b.test A", ".", "" },
		{ "a.test CNAME b.test, b.test A", ".", "b.test." },
		{ "A.TeSt CNAME b.TEST, B.test CNAME c.test", ".", "b.test. c.test." },
		/* In odd order. */
		{ "c.test CNAME d.test, b.test CNAME c.test, a.test CNAME b.test", ".",
			"b.test. c.test. d.test." },
		/* The same record again. */
		{ "a.test CNAME b.test, a.test CNAME b.test, A.test CNAME B.test", ".", "b.test." },
		/* Two at one owner: both are followed. */
		{ "a.test CNAME b.test, a.test CNAME c.test, c.test CNAME d.test", ".",
			"b.test. c.test. d.test." },
		/* What does not belong comes last. */
		{ "x.test CNAME y.test, a.test CNAME b.test, z.test HTTPS w.test", ".",
			"b.test. y.test. w.test." },
		/* A DNAME: what it makes, its own target; the CNAME made from it is the same. */
		{ "test DNAME example, a.test CNAME a.example", ".", "a.example. example." },
		{ "a.test CNAME w.v.d.test, d.test DNAME e.test", ".",
			"w.v.d.test. w.v.e.test. e.test." },
		/* A DNAME says nothing of its owner (RFC 6672 2.3). */
		{ "a.test DNAME b.test", ".", "b.test." },
		{ "xa.test DNAME b.test, est DNAME c.test", ".", "b.test. c.test." },
		/* A CNAME that belies its DNAME hides nothing. */
		{ "test DNAME example, a.test CNAME good.test", ".",
			"a.example. example. good.test. good.example." },
		{ ". DNAME example", ".", "a.test.example. example. a.test.example.example.!" },
		/* Services. */
		{ "a.test HTTPS svc.test", ".", "svc.test." },
		{ "a.test HTTPS .", ".", "" },
		{ "a.test HTTPS a.test", ".", "" },
		{ "a.test CNAME b.test, b.test HTTPS ., b.test SVCB s.test, s.test CNAME t.test",
			".", "b.test. s.test. t.test." },
		{ "x.test SVCB .", ".", "x.test." },
		/* Loops. */
		{ "a.test CNAME a.test", ".", "!" },
		{ "a.test CNAME b.test, b.test CNAME A.test", ".", "b.test.!" },
		{ "a.test CNAME b.test, b.test CNAME c.test, c.test CNAME b.test", ".",
			"b.test. c.test.!" },
		{ "a.test CNAME b.test, a.test CNAME c.test,"
		  " b.test CNAME d.test, c.test CNAME d.test",
			".", "b.test. c.test. d.test." },
		{ "a.test CNAME b.test, a.test CNAME c.test,"
		  " b.test CNAME c.test, c.test CNAME b.test",
			".", "b.test. c.test.!" },
		{ "a.test HTTPS b.test, b.test HTTPS a.test", ".", "b.test." },
		/* Trust: what only the trusted name leads to rides along. */
		{ "a.test CNAME t.test, t.test CNAME u.test, u.test CNAME v.test", "t.test",
			"t.test." },
		{ "a.test CNAME b.test, b.test CNAME t.test, t.test HTTPS u.test", "t.test",
			"b.test. t.test." },
		{ "a.test CNAME t.test, t.test CNAME u.test, x.test CNAME y.test", "t.test",
			"t.test. y.test." },
		{ "a.test CNAME t.test, a.test CNAME u.test,"
		  " t.test CNAME u.test, u.test CNAME v.test",
			"t.test", "t.test. u.test. v.test." },
		{ "x.test CNAME t.test, t.test CNAME u.test", "t.test", "t.test." },
		{ "y.test CNAME z.test, x.test CNAME y.test", "y.test", "z.test. y.test." },
		/* Bytes that text would confuse. */
		{ "a.test CNAME a\\.test, a\\.test CNAME n\\000.test, a.test.test CNAME q.test",
			".", "a\\046test. n\\000.test. q.test." },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char said[8192];
		follow("a.test", rows[i].records, rows[i].trusted, said, sizeof said);
		if (strstr(rows[i].records, ". DNAME"))
			/* It grows until there are too many names. */
			assert_memory_equal(said, rows[i].names, strlen(rows[i].names) - 1);
		else
			assert_string_equal(said, rows[i].names);
	}
}

/* n0.test CNAME n1.test ..., `count` of them. */
static void long_chain(char *records, unsigned count)
{
	*records = '\0';
	for (unsigned i = 0; i < count; i++)
		records += sprintf(records, "%sn%u.test CNAME n%u.test", i ? ", " : "", i, i + 1);
}

static unsigned count_names(const char *said)
{
	unsigned count = *said && *said != '!';
	for (; *said; said++)
		count += *said == ' ';
	return count;
}

static void test_limits(void **state)
{
	(void)state;
	char records[8192];
	char said[16384];
	long_chain(records, POLICY_HOPS_MAX);
	follow("n0.test", records, ".", said, sizeof said);
	assert_null(strchr(said, '!'));
	assert_int_equal(count_names(said), POLICY_HOPS_MAX);
	long_chain(records, POLICY_HOPS_MAX + 1);
	follow("n0.test", records, ".", said, sizeof said);
	assert_non_null(strchr(said, '!'));
	assert_int_equal(count_names(said), POLICY_HOPS_MAX);
	long_chain(records, 200);
	follow("n0.test", records, ".", said, sizeof said);
	assert_non_null(strchr(said, '!'));
	/* As many records that say one thing are one. */
	char *to = records;
	for (unsigned i = 0; i < 200; i++)
		to += sprintf(to, "%sn0.test HTTPS .", i ? ", " : "");
	follow("n0.test", records, ".", said, sizeof said);
	assert_string_equal(said, "");
}

/* RFC 6672 2.2: what a DNAME makes may be too long for a name. */
static void test_dname_makes_it_too_long(void **state)
{
	(void)state;
	char said[16384];
	char label[64];
	char question[300];
	char records[2048];
	memset(label, 'x', 63);
	label[63] = '\0';
	for (size_t cut = 0; cut < 3; cut++) {
		/* 63 + 63 + 63 and what is left in 255 less "d.test." and the target's labels. */
		char rest[64];
		size_t rest_len = 255 - 1 - 3 * 64 - (4 + 1) - (6 + 1) - 1 + 2 - cut;
		memset(rest, 'y', rest_len);
		rest[rest_len] = '\0';
		snprintf(question, sizeof question, "%s.%s.%s.%s.d", rest, label, label, label);
		snprintf(records, sizeof records, "d DNAME target.four");
		follow(question, records, ".", said, sizeof said);
		struct dns_name name = fixture_name(question);
		bool too_long = name.len - 3u + 13u > DNS_NAME_MAX;
		assert_int_equal(strchr(said, '!') != NULL, too_long);
		assert_int_equal(count_names(said), too_long ? 1 : 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_dname_makes_it_too_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
