#include "tests/unit/policy_fixture.h"

struct row {
	const char *const rules[6];
	const char *name;
	uint16_t type;
	const char *records; /* of the answer */
	const char *expected;
	enum action default_action; /* ACTION_NONE stands for ALLOW */
	enum fail_mode fail_mode;
};

static void check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct policy_fixture fixture;
		char said[2048];
		policy_fixture_init(&fixture, rows[i].rules);
		if (rows[i].default_action)
			fixture.view.default_action = rows[i].default_action;
		fixture.view.fail_mode = rows[i].fail_mode;
		struct policy *policy = policy_fixture_build(&fixture, i);
		struct verdict verdict =
			fixture_judge(policy, rows[i].name, rows[i].type, rows[i].records, NULL);
		fixture_say(policy, &verdict, rows[i].name, said, sizeof said);
		if (strcmp(said, rows[i].expected) != 0)
			fail_msg(
				"row %zu: %s: %s, not %s", i, rows[i].name, said, rows[i].expected);
		policy_fixture_free(&fixture);
	}
}

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof *(rows))

/* The table that explains order and outcome, row by row. */
static void test_order_and_outcome(void **state)
{
	(void)state;
	static const struct row rows[] = {
		/* 10 ALERT *.a.test; 20 BLOCK x.a.test: rule 20 never seen */
		{ { "10 ALERT *.a.test", "20 BLOCK x.a.test" }, "x.a.test", DNS_TYPE_A, "",
			"ALERT 10 by *.a.test.", 0, 0 },
		/* the apex pattern does not cover www */
		{ { "10 ALLOW a.test", "20 BLOCK *" }, "www.a.test", DNS_TYPE_A, "",
			"BLOCK 20 by *.", 0, 0 },
		{ { "10 BLOCK *.a.test TXT" }, "x.a.test", DNS_TYPE_A, "", "NONE", 0, 0 },
		/* association order beats rule priority */
		{ { "102/1 BLOCK a.test", "101/500 ALLOW *" }, "a.test", DNS_TYPE_A, "",
			"ALLOW 500 by *.", 0, 0 },
		/* BLOCK at the second name */
		{ { "10 ALLOW a.test", "20 BLOCK *" }, "a.test", DNS_TYPE_A,
			"a.test CNAME c.cdn.test, c.cdn.test A", "BLOCK 20 1 c.cdn.test. by *.", 0,
			0 },
		{ { "10 ALLOW a.test TRUST", "20 BLOCK *" }, "a.test", DNS_TYPE_A,
			"a.test CNAME c.cdn.test, c.cdn.test A", "ALLOW 10 by a.test.", 0, 0 },
		/* trust does not outlive the transaction */
		{ { "10 ALLOW a.test TRUST", "20 BLOCK *" }, "c.cdn.test", DNS_TYPE_A,
			"c.cdn.test A", "BLOCK 20 by *.", 0, 0 },
	};
	CHECK_ROWS(rows);
}

static void test_rules(void **state)
{
	(void)state;
	static const struct row rows[] = {
		/* No association: off. */
		{ { NULL }, "a.test", DNS_TYPE_A, "a.test CNAME a.test", "NONE", 0, 0 },
		/* Order in the file says nothing. */
		{ { "30 BLOCK a.test", "10 ALLOW a.test", "20 ALERT a.test" }, "a.test", DNS_TYPE_A,
			"", "ALLOW 10 by a.test.", 0, 0 },
		/* Types. */
		{ { "10 BLOCK * AAAA", "20 ALERT * A" }, "a.test", DNS_TYPE_A, "", "ALERT 20 by *.",
			0, 0 },
		{ { "10 BLOCK * AAAA" }, "a.test", DNS_TYPE_AAAA, "", "BLOCK 10 by *.", 0, 0 },
		{ { "10 BLOCK * TYPE28" }, "a.test", DNS_TYPE_AAAA, "", "BLOCK 10 by *.", 0, 0 },
		{ { "10 BLOCK * A" }, "a.test", DNS_TYPE_ANY, "", "NONE", 0, 0 },
		{ { "10 BLOCK * TYPE255" }, "a.test", DNS_TYPE_ANY, "", "BLOCK 10 by *.", 0, 0 },
		{ { "10 BLOCK *" }, "a.test", DNS_TYPE_ANY, "", "BLOCK 10 by *.", 0, 0 },
		/* At later hops it is still the question's type. */
		{ { "10 BLOCK b.test CNAME" }, "a.test", DNS_TYPE_A, "a.test CNAME b.test", "NONE",
			0, 0 },
		{ { "10 BLOCK b.test A" }, "a.test", DNS_TYPE_A, "a.test CNAME b.test",
			"BLOCK 10 1 b.test. by b.test.", 0, 0 },
		/* An entry that another one of its list covers is none. */
		{ { "10 BLOCK *,*.test,*.a.test" }, "x.a.test", DNS_TYPE_A, "", "BLOCK 10 by *.", 0,
			0 },
		{ { "10 BLOCK test,*.a.test" }, "x.a.test", DNS_TYPE_A, "", "BLOCK 10 by *.a.test.",
			0, 0 },
		/* The root. */
		{ { "10 BLOCK *" }, ".", DNS_TYPE_NS, "", "BLOCK 10 by *.", 0, 0 },
		{ { "10 BLOCK *.test" }, ".", DNS_TYPE_NS, "", "NONE", 0, 0 },
		/* Names that text would confuse. */
		{ { "10 BLOCK a.test" }, "a\\.test", DNS_TYPE_A, "", "NONE", 0, 0 },
		{ { "10 BLOCK *.test" }, "x.a\\.test", DNS_TYPE_A, "", "NONE", 0, 0 },
		{ { "10 BLOCK a.test" }, "a\\000.test", DNS_TYPE_A, "", "NONE", 0, 0 },
		{ { "10 BLOCK a\\000.test" }, "a\\000.test", DNS_TYPE_A, "",
			"BLOCK 10 by a\\000.test.", 0, 0 },
		{ { "10 BLOCK *.\\255.test" }, "x.\\255.test", DNS_TYPE_A, "",
			"BLOCK 10 by *.\\255.test.", 0, 0 },
		{ { "10 BLOCK \\*.test" }, "x.test", DNS_TYPE_A, "", "NONE", 0, 0 },
		{ { "10 BLOCK \\*.test" }, "*.test", DNS_TYPE_A, "", "BLOCK 10 by \\042.test.", 0,
			0 },
		{ { "10 BLOCK A.TeSt." }, "a.tEST", DNS_TYPE_A, "", "BLOCK 10 by a.test.", 0, 0 },
		/* Only ASCII letters fold (RFC 4343): 0xc0 and 0xe0 are two bytes. */
		{ { "10 BLOCK \\192.test" }, "\\224.test", DNS_TYPE_A, "", "NONE", 0, 0 },
		/* And '[' is not '{'. */
		{ { "10 BLOCK \\091.test" }, "\\123.test", DNS_TYPE_A, "", "NONE", 0, 0 },
		/* default_action BLOCK: one more last rule, at every inspected hop. */
		{ { NULL }, "a.test", DNS_TYPE_A, "", "BLOCK default", ACTION_BLOCK, 0 },
		{ { "10 ALERT a.test" }, "a.test", DNS_TYPE_A, "", "ALERT 10 by a.test.",
			ACTION_BLOCK, 0 },
		{ { "10 ALLOW a.test" }, "a.test", DNS_TYPE_A, "a.test CNAME b.test",
			"BLOCK default 1 b.test.", ACTION_BLOCK, 0 },
		{ { "10 ALLOW a.test TRUST" }, "a.test", DNS_TYPE_A, "a.test CNAME b.test",
			"ALLOW 10 by a.test.", ACTION_BLOCK, 0 },
		{ { "10 MONITOR a.test" }, "a.test", DNS_TYPE_A, "", "BLOCK default", ACTION_BLOCK,
			0 },
	};
	CHECK_ROWS(rows);
}

static void test_answers(void **state)
{
	(void)state;
	static const struct row rows[] = {
		/* Block beats alert, whichever comes first; the first alert is told. */
		{ { "10 ALERT b.test,c.test" }, "a.test", DNS_TYPE_A,
			"a.test CNAME b.test, b.test CNAME c.test", "ALERT 10 1 b.test. by b.test.",
			0, 0 },
		{ { "10 ALERT b.test", "20 BLOCK d.test" }, "a.test", DNS_TYPE_A,
			"a.test CNAME b.test, b.test CNAME c.test, c.test CNAME d.test",
			"BLOCK 20 3 d.test. by d.test.", 0, 0 },
		{ { "10 ALERT a.test,b.test" }, "a.test", DNS_TYPE_A, "a.test CNAME b.test",
			"ALERT 10 by a.test.", 0, 0 },
		/* ALLOW of a later name is not told. */
		{ { "10 ALLOW b.test" }, "a.test", DNS_TYPE_A, "a.test CNAME b.test", "NONE", 0,
			0 },
		{ { "10 ALLOW a.test", "20 ALERT *" }, "a.test", DNS_TYPE_A, "a.test CNAME b.test",
			"ALERT 20 1 b.test. by *.", 0, 0 },
		/* Case. */
		{ { "10 BLOCK b.test" }, "a.test", DNS_TYPE_A, "A.TEST CNAME B.tEsT",
			"BLOCK 10 1 b.test. by b.test.", 0, 0 },
		/* Trust at a middle name. */
		{ { "10 ALLOW b.test TRUST", "20 BLOCK c.test" }, "a.test", DNS_TYPE_A,
			"a.test CNAME b.test, b.test CNAME c.test", "NONE", 0, 0 },
		{ { "10 ALERT b.test TRUST", "20 BLOCK c.test" }, "a.test", DNS_TYPE_A,
			"a.test CNAME b.test, b.test CNAME c.test", "ALERT 10 1 b.test. by b.test.",
			0, 0 },
		{ { "10 ALLOW b.test", "20 BLOCK c.test" }, "a.test", DNS_TYPE_A,
			"a.test CNAME b.test, b.test CNAME c.test", "BLOCK 20 2 c.test. by c.test.",
			0, 0 },
		/* Trust is of the rule that matched, not of one that would have. */
		{ { "10 ALLOW a.test", "20 ALLOW a.test TRUST", "30 BLOCK b.test" }, "a.test",
			DNS_TYPE_A, "a.test CNAME b.test", "BLOCK 30 1 b.test. by b.test.", 0, 0 },
		{ { "10 MONITOR a.test TRUST", "30 BLOCK b.test" }, "a.test", DNS_TYPE_A,
			"a.test CNAME b.test", "BLOCK 30 1 b.test. by b.test.", 0, 0 },
		/* DNAME. */
		{ { "10 BLOCK www.e.test" }, "www.d.test", DNS_TYPE_A, "d.test DNAME e.test",
			"BLOCK 10 1 www.e.test. by www.e.test.", 0, 0 },
		{ { "10 BLOCK *.e.test" }, "www.d.test", DNS_TYPE_A,
			"d.test DNAME e.test, www.d.test CNAME good.test",
			"BLOCK 10 1 www.e.test. by *.e.test.", 0, 0 },
		{ { "10 BLOCK e.test" }, "www.d.test", DNS_TYPE_A, "d.test DNAME e.test",
			"BLOCK 10 2 e.test. by e.test.", 0, 0 },
		/* HTTPS and SVCB. */
		{ { "10 BLOCK svc.test" }, "a.test", DNS_TYPE_HTTPS, "a.test HTTPS svc.test",
			"BLOCK 10 1 svc.test. by svc.test.", 0, 0 },
		{ { "10 BLOCK svc.test" }, "a.test", DNS_TYPE_SVCB,
			"a.test CNAME b.test, b.test SVCB svc.test",
			"BLOCK 10 2 svc.test. by svc.test.", 0, 0 },
		{ { "10 ALLOW a.test TRUST", "20 BLOCK svc.test" }, "a.test", DNS_TYPE_HTTPS,
			"a.test HTTPS svc.test", "ALLOW 10 by a.test.", 0, 0 },
		{ { "10 ALLOW a.test", "20 BLOCK *" }, "a.test", DNS_TYPE_HTTPS,
			"a.test HTTPS ., a.test HTTPS a.test", "ALLOW 10 by a.test.", 0, 0 },
		/* A record that does not belong is no way round. */
		{ { "10 BLOCK evil.test" }, "a.test", DNS_TYPE_A,
			"a.test A, z.test CNAME evil.test", "BLOCK 10 1 evil.test. by evil.test.",
			0, 0 },
		/* MX and SRV targets are no part of a chain. */
		{ { "10 BLOCK *.test" }, "a", DNS_TYPE_NS, "a NS ns.test", "NONE", 0, 0 },
	};
	CHECK_ROWS(rows);
}

static void test_failures(void **state)
{
	(void)state;
#define SEVENTEEN                                                                                  \
	"a CNAME b, b CNAME c, c CNAME d, d CNAME e, e CNAME f, f CNAME g, g CNAME h, h CNAME i, " \
	"i CNAME j, j CNAME k, k CNAME l, l CNAME m, m CNAME n, n CNAME o, o CNAME p, p CNAME q, " \
	"q CNAME r"
	static const struct row rows[] = {
		/* A list that could not be loaded. */
		{ { "10 ALLOW a.test", "20 BLOCK !" }, "a.test", DNS_TYPE_A, "", "SERVFAIL", 0,
			FAIL_CLOSED },
		{ { "10 BLOCK a.test", "20 BLOCK !" }, "a.test", DNS_TYPE_A, "", "OPEN NONE", 0,
			FAIL_OPEN },
		{ { "10 BLOCK !" }, "a.test", DNS_TYPE_A, "a.test CNAME a.test", "OPEN NONE",
			ACTION_BLOCK, FAIL_OPEN },
		/* A loop, and too many names. */
		{ { "10 ALLOW a.test" }, "a.test", DNS_TYPE_A, "a.test CNAME a.test", "SERVFAIL", 0,
			FAIL_CLOSED },
		{ { "10 ALLOW a.test" }, "a.test", DNS_TYPE_A, "a.test CNAME a.test",
			"OPEN ALLOW 10 by a.test.", 0, FAIL_OPEN },
		{ { "10 ALERT b.test" }, "a.test", DNS_TYPE_A,
			"a.test CNAME b.test, b.test CNAME a.test",
			"OPEN ALERT 10 1 b.test. by b.test.", 0, FAIL_OPEN },
		{ { "10 ALERT b.test" }, "a.test", DNS_TYPE_A,
			"a.test CNAME b.test, b.test CNAME a.test", "SERVFAIL", 0, FAIL_CLOSED },
		{ { "10 ALLOW x.test" }, "a", DNS_TYPE_A, SEVENTEEN, "SERVFAIL", 0, FAIL_CLOSED },
		{ { "10 ALLOW x.test" }, "b", DNS_TYPE_A, SEVENTEEN, "NONE", 0, FAIL_CLOSED },
		{ { "10 ALLOW x.test" }, "a", DNS_TYPE_A, SEVENTEEN, "OPEN NONE", 0, FAIL_OPEN },
		/* What blocks, blocks. */
		{ { "10 BLOCK c.test" }, "a.test", DNS_TYPE_A,
			"a.test CNAME b.test, b.test CNAME a.test, b.test CNAME c.test",
			"BLOCK 10 2 c.test. by c.test.", 0, FAIL_OPEN },
		{ { "10 BLOCK q" }, "a", DNS_TYPE_A, SEVENTEEN, "BLOCK 10 16 q. by q.", 0,
			FAIL_OPEN },
		/* With trust nobody looks. */
		{ { "10 ALLOW a TRUST", "20 BLOCK q" }, "a", DNS_TYPE_A, SEVENTEEN,
			"ALLOW 10 by a.", 0, FAIL_CLOSED },
		/* No association: the failure mode is not consulted either. */
		{ { NULL }, "a", DNS_TYPE_A, SEVENTEEN, "NONE", 0, FAIL_CLOSED },
	};
	CHECK_ROWS(rows);
}

/* Sixteen names are judged. */
static void test_sixteen_names(void **state)
{
	(void)state;
	static const char *const rules[] = { "10 ALLOW a", NULL };
	struct policy_fixture fixture;
	char records[512];
	snprintf(records, sizeof records, "%.*s", (int)(strstr(SEVENTEEN, ", q ") - SEVENTEEN),
		SEVENTEEN);
	policy_fixture_init(&fixture, rules);
	struct policy *policy = policy_fixture_build(&fixture, 1);
	struct verdict verdict = fixture_judge(policy, "a", DNS_TYPE_A, records, NULL);
	assert_int_equal(verdict.reason, REASON_RULE);
	assert_int_equal(verdict.action, ACTION_ALLOW);
	policy_fixture_free(&fixture);
}

static void test_monitors(void **state)
{
	(void)state;
	static const char *const rules[] = { "10 MONITOR a.test", "20 MONITOR * AAAA",
		"30 MONITOR *", "40 ALERT a.test", "50 MONITOR a.test", NULL };
	struct policy_fixture fixture;
	char said[512];
	policy_fixture_init(&fixture, rules);
	struct policy *policy = policy_fixture_build(&fixture, 1);
	struct verdict verdict = fixture_judge(policy, "a.test", DNS_TYPE_A,
		"a.test CNAME b.test, b.test CNAME c.test, c.test CNAME d.test", NULL);
	fixture_say(policy, &verdict, "a.test", said, sizeof said);
	assert_string_equal(said, "ALERT 40 by a.test.");
	/* 10 and 30 for the question, 30 for b.test and c.test; d.test does not fit. */
	static const struct {
		uint32_t priority;
		uint16_t hop;
	} expected[VERDICT_MONITORS_MAX] = { { 10, 0 }, { 30, 0 }, { 30, 1 }, { 30, 2 } };
	assert_int_equal(verdict.monitor_count, VERDICT_MONITORS_MAX);
	for (size_t i = 0; i < VERDICT_MONITORS_MAX; i++) {
		const struct rule_match *match = &verdict.monitors[i];
		assert_int_equal(policy_rule(policy, match->rule)->priority, expected[i].priority);
		assert_int_equal(match->hop, expected[i].hop);
		assert_int_not_equal(match->entry.kind, 0);
	}
	policy_fixture_free(&fixture);
}

struct traced {
	char text[4096];
	struct writer to;
	const struct policy *policy;
	struct dns_name name; /* of the hop */
};

static void on_name(void *context, unsigned hop, struct slice name)
{
	struct traced *traced = context;
	traced->name.len = (uint8_t)name.len;
	memcpy(traced->name.wire, name.at, name.len);
	writer_decimal(&traced->to, hop);
	writer_text(&traced->to, ":");
	dns_name_write_text(&traced->to, name);
	writer_text(&traced->to, " ");
}

static void on_rule(void *context, const struct rule_match *match, const struct rule_fit *fit)
{
	struct traced *traced = context;
	writer_decimal(&traced->to, policy_rule(traced->policy, match->rule)->priority);
	writer_text(&traced->to, fit->type_matched ? "t" : "");
	writer_text(&traced->to, fit->schedule_on ? "" : "s");
	writer_text(&traced->to, fit->list_matched ? "l" : "");
	writer_text(&traced->to, match->observed ? "o" : "");
	writer_text(&traced->to, fit->decisive ? "!" : "");
	if (match->entry.kind) {
		writer_text(&traced->to, "=");
		policy_entry_write_text(
			&traced->to, &match->entry, dns_name_slice(&traced->name), NULL);
	}
	writer_text(&traced->to, " ");
}

/* An exception is told, and why nothing comes of it can be seen. */
static void test_trace_of_exceptions(void **state)
{
	(void)state;
	static const char *const rules[] = { "10 BLOCK *.test=NXDOMAIN1,a.test=EXCEPT2",
		"20 BLOCK a.test=PASS", "30 GIVEN a.test=TCP", "40 GIVEN a.test=PASS", NULL };
	struct policy_fixture fixture;
	struct traced traced = { .to = { 0 } };
	struct policy_trace trace = { .on_name = on_name, .on_rule = on_rule, .context = &traced };
	policy_fixture_init(&fixture, rules);
	traced.policy = policy_fixture_build(&fixture, 1);
	traced.to = writer_of(traced.text, sizeof traced.text);
	fixture_judge(traced.policy, "a.test", DNS_TYPE_A, NULL, &trace);
	fixture_judge(traced.policy, "b.test", DNS_TYPE_A, NULL, &trace);
	writer_u8(&traced.to, 0);
	assert_string_equal(traced.text,
		"0:a.test. 10t=a.test. 20t=a.test. 30t=a.test. 40tl!=a.test. "
		"0:b.test. 10tl!=*.test. 20t 30t 40t ");
	policy_fixture_free(&fixture);
}

static void test_trace(void **state)
{
	(void)state;
	static const char *const rules[] = { "10 MONITOR *.test", "20 BLOCK a.test AAAA",
		"30 ALLOW a.test", "40 BLOCK *", "50 ALERT b.test", NULL };
	struct policy_fixture fixture;
	struct traced traced = { .to = { 0 } };
	struct policy_trace trace = { .on_name = on_name, .on_rule = on_rule, .context = &traced };
	policy_fixture_init(&fixture, rules);
	struct policy *policy = policy_fixture_build(&fixture, 1);
	traced.policy = policy;
	traced.to = writer_of(traced.text, sizeof traced.text);
	struct verdict with =
		fixture_judge(policy, "a.test", DNS_TYPE_A, "a.test CNAME b.test", &trace);
	writer_u8(&traced.to, 0);
	assert_string_equal(traced.text,
		"0:a.test. 10tl=*.test. 20l=a.test. 30tl!=a.test. 40tl=*. 50t "
		"1:b.test. 10tl=*.test. 20 30t 40tl!=*. 50tl=b.test. ");
	/* Being watched changes nothing. */
	struct verdict without =
		fixture_judge(policy, "a.test", DNS_TYPE_A, "a.test CNAME b.test", NULL);
	char one[512];
	char other[512];
	fixture_say(policy, &with, "a.test", one, sizeof one);
	fixture_say(policy, &without, "a.test", other, sizeof other);
	assert_string_equal(one, other);
	assert_string_equal(one, "BLOCK 40 1 b.test. by *.");
	assert_int_equal(with.monitor_count, without.monitor_count);
	policy_fixture_free(&fixture);
}

/* A caller that forgets to fold the question's name opens no hole. */
static void test_facts_in_capitals(void **state)
{
	(void)state;
	static const char *const rules[] = { "10 BLOCK a.test", NULL };
	struct policy_fixture fixture;
	struct verdict verdict;
	policy_fixture_init(&fixture, rules);
	struct policy *policy = policy_fixture_build(&fixture, 1);
	struct dns_name name = fixture_name("A.Test");
	struct facts facts = { .query_type = DNS_TYPE_A, .name = dns_name_slice(&name) };
	policy_judge_query(policy, &facts, &verdict, NULL);
	assert_int_equal(verdict.action, ACTION_BLOCK);
	/* No such view, no name: nothing goes through. */
	facts.view = 1;
	policy_judge_query(policy, &facts, &verdict, NULL);
	assert_int_equal(verdict.reason, REASON_FAIL_CLOSED);
	assert_true(verdict_is_final(&verdict));
	facts.view = 0;
	facts.name.len = 0;
	policy_judge_query(policy, &facts, &verdict, NULL);
	assert_int_equal(verdict.reason, REASON_FAIL_CLOSED);
	policy_fixture_free(&fixture);
}

/* The question's answer is `chain`, and 10.0.0.1 for `owner`. */
static struct verdict judge_private(
	const struct policy *policy, const char *question, const char *chain, const char *owner)
{
	static const uint8_t private[4] = { 10, 0, 0, 1 };
	static struct fixture_answer answer;
	struct verdict verdict;
	struct dns_name name = fixture_name(question);
	struct dns_name last = fixture_name(owner);
	struct facts facts = { .query_type = DNS_TYPE_A, .name = dns_name_slice(&name) };
	policy_judge_query(policy, &facts, &verdict, NULL);
	fixture_answer_begin(&answer, dns_name_slice(&name), DNS_TYPE_A);
	fixture_answer_records(&answer, chain);
	fixture_answer_add(
		&answer, dns_name_slice(&last), DNS_TYPE_A, slice_of(private, sizeof private));
	policy_judge_answer(policy, &facts, fixture_answer_open(&answer), &verdict, NULL);
	return verdict;
}

static void test_rebinding(void **state)
{
	(void)state;
	static const struct {
		const char *rules[4];
		const char *question, *chain, *owner;
		const char *verdict;
		enum fail_mode fail_mode;
		enum action default_action;
	} rows[] = {
		{ { NULL }, "a.test", "", "a.test", "BLOCK rebinding", 0, 0 },
		{ { NULL }, "a.test", "a.test CNAME b.test", "B.test", "BLOCK rebinding b.test.", 0,
			0 },
		{ { "10 ALLOW a.test" }, "a.test", "", "a.test", "BLOCK rebinding", 0, 0 },
		{ { "10 ALERT a.test" }, "a.test", "", "a.test", "BLOCK rebinding", 0, 0 },
		{ { "10 ALLOW a.test TRUST" }, "a.test", "", "a.test", "ALLOW 10 by a.test.", 0,
			0 },
		{ { "10 ALLOW a.test TRUST" }, "a.test", "a.test CNAME b.test", "b.test",
			"ALLOW 10 by a.test.", 0, 0 },
		/* Trust in a name on the way is about the names behind it. */
		{ { "10 ALLOW b.test TRUST" }, "a.test", "a.test CNAME b.test", "b.test",
			"BLOCK rebinding b.test.", 0, 0 },
		{ { "10 ALERT b.test TRUST" }, "a.test", "a.test CNAME b.test", "b.test",
			"BLOCK rebinding b.test.", 0, 0 },
		/* A rule that blocks comes first. */
		{ { "10 BLOCK b.test" }, "a.test", "a.test CNAME b.test", "b.test",
			"BLOCK 10 1 b.test. by b.test.", 0, 0 },
		{ { NULL }, "a.test", "", "a.test", "BLOCK default", 0, ACTION_BLOCK },
		/* The name that was asked is what counts. */
		{ { NULL }, "corp.test", "", "corp.test", "NONE", 0, 0 },
		{ { NULL }, "a.corp.test", "a.corp.test CNAME b.test", "b.test", "NONE", 0, 0 },
		{ { NULL }, "a.test", "a.test CNAME b.corp.test", "b.corp.test",
			"BLOCK rebinding b.corp.test.", 0, 0 },
		{ { "10 ALLOW a.corp.test" }, "a.corp.test", "", "a.corp.test",
			"ALLOW 10 by a.corp.test.", 0, 0 },
		{ { NULL }, "ours.test", "", "ours.test", "NONE", 0, 0 },
		{ { NULL }, "below.ours.test", "", "below.ours.test", "BLOCK rebinding", 0, 0 },
		{ { NULL }, "nas.home.arpa", "", "nas.home.arpa", "NONE", 0, 0 },
		/* No list is needed for this. */
		{ { "10 ALLOW !" }, "a.test", "", "a.test", "SERVFAIL", FAIL_CLOSED, 0 },
		{ { "10 ALLOW !" }, "a.test", "", "a.test", "BLOCK rebinding", FAIL_OPEN, 0 },
		{ { "10 ALLOW !" }, "corp.test", "", "corp.test", "OPEN NONE", FAIL_OPEN, 0 },
	};
	const struct dns_name exceptions[] = { fixture_name("z.test"), fixture_name("Corp.Test"),
		fixture_name("a.long.name.test") };
	const struct local_record_spec record = { fixture_name("ours.test"), DNS_TYPE_A, 60,
		slice_of_text("aaaa") };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct policy_fixture fixture;
		char text[512];
		policy_fixture_init(&fixture, rows[i].rules);
		fixture.view.fail_mode = rows[i].fail_mode;
		fixture.view.default_action =
			rows[i].default_action ? rows[i].default_action : ACTION_ALLOW;
		fixture.spec.rebinding_exceptions = exceptions;
		fixture.spec.rebinding_exception_count = 3;
		fixture.spec.local_records = &record;
		fixture.spec.local_record_count = 1;
		for (int protected = 0; protected < 2; protected ++) {
			fixture.view.rebinding_protection = protected;
			struct policy *policy = policy_fixture_build(&fixture, 1);
			struct verdict verdict = judge_private(
				policy, rows[i].question, rows[i].chain, rows[i].owner);
			fixture_say(policy, &verdict, rows[i].question, text, sizeof text);
			bool as_told = strcmp(text, rows[i].verdict) == 0;
			if (as_told != (protected || !strstr(rows[i].verdict, "rebinding")))
				fail_msg("row %zu, protected %d: %s", i, protected, text);
			if (verdict.reason == REASON_REBINDING)
				assert_int_equal(verdict.block_response, BLOCK_NODATA);
			assert_int_equal(policy_view(policy, 0)->rebinding_protection, protected);
			policy_fixture_free(&fixture);
		}
	}
}

static uint16_t view_of(const struct policy *policy, const char *client, uint16_t listener)
{
	struct address address;
	assert_true(address_parse(&address, client));
	const struct claims claims = { .client = address, .listener = listener };
	return policy_find_view(policy, &claims).view;
}

static void test_views(void **state)
{
	(void)state;
	struct network networks[5];
	assert_true(network_parse(&networks[0], "10.0.0.0/8"));
	assert_true(network_parse(&networks[1], "10.1.0.0/16"));
	assert_true(network_parse(&networks[2], "2001:db8::/32"));
	assert_true(network_parse(&networks[3], "10.0.0.0/8"));
	assert_true(network_parse(&networks[4], "10.0.0.0/8"));
	static const uint16_t second[] = { 1 };
	static const uint16_t third[] = { 2 };
	struct view_spec views[] = {
		{ .name = "lan", .clients = networks, .client_count = 1 },
		{ .name = "lab", .clients = networks + 1, .client_count = 2 },
		{ .name = "lan on the second",
			.clients = networks + 3,
			.client_count = 1,
			.listeners = second,
			.listener_count = 1 },
		{ .name = "everyone on the third", .listeners = third, .listener_count = 1 },
	};
	struct policy_spec spec = { .views = views, .view_count = 4, .listener_count = 3 };
	int error;
	uint16_t a;
	uint16_t b;
	struct policy *policy = policy_build(&spec, NULL, &error);
	assert_non_null(policy);
	static const struct {
		const char *client;
		uint16_t listener;
		uint16_t view;
	} expected[] = {
		{ "10.2.3.4", 0, 0 },
		{ "10.1.3.4", 0, 1 },
		{ "2001:db8::1", 0, 1 },
		{ "192.0.2.1", 0, POLICY_NO_ID },
		{ "::1", 0, POLICY_NO_ID },
		{ "10.2.3.4", 1, 2 },
		{ "10.1.3.4", 1, 1 }, /* the longer network beats the named listener */
		{ "10.2.3.4", 2, 0 },
		{ "192.0.2.1", 2, 3 },
		{ "::1", 2, 3 },
		{ "10.2.3.4", 3, POLICY_NO_ID },
		{ "10.2.3.4", POLICY_NO_ID, POLICY_NO_ID },
	};
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
		assert_int_equal(view_of(policy, expected[i].client, expected[i].listener),
			expected[i].view);
	assert_string_equal(policy_view(policy, 3)->name, "everyone on the third");
	assert_null(policy_view(policy, 4));
	policy_free(policy);
	assert_false(policy_view_tie(&spec, &a, &b, NULL));
}

static void test_view_ties(void **state)
{
	(void)state;
	struct network lan;
	struct network lab;
	struct network all_v4;
	assert_true(network_parse(&lan, "10.0.0.0/8"));
	assert_true(network_parse(&lab, "10.0.0.0/9"));
	assert_true(network_parse(&all_v4, "0.0.0.0/0"));
	static const uint16_t zero_one[] = { 0, 1 };
	static const uint16_t one_two[] = { 1, 2 };
	static const uint16_t two[] = { 2 };
	const struct {
		struct view_spec one;
		struct view_spec other;
		bool tie;
	} rows[] = {
		{ { .clients = &lan, .client_count = 1 }, { .clients = &lan, .client_count = 1 },
			true },
		{ { .clients = &lan, .client_count = 1 }, { .clients = &lab, .client_count = 1 },
			false },
		{ { .client_count = 0 }, { .client_count = 0 }, true },
		{ { .client_count = 0 }, { .clients = &all_v4, .client_count = 1 }, true },
		{ { .clients = &lan, .client_count = 1 },
			{ .clients = &lan,
				.client_count = 1,
				.listeners = two,
				.listener_count = 1 },
			false },
		{ { .listeners = zero_one, .listener_count = 2 },
			{ .listeners = one_two, .listener_count = 2 }, true },
		{ { .listeners = zero_one, .listener_count = 2 },
			{ .listeners = two, .listener_count = 1 }, false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct view_spec views[] = { rows[i].one, rows[i].other };
		struct policy_spec spec = { .views = views, .view_count = 2, .listener_count = 3 };
		struct network network;
		uint16_t a = 9;
		uint16_t b = 9;
		assert_int_equal(policy_view_tie(&spec, &a, &b, &network), rows[i].tie);
		if (rows[i].tie)
			assert_true(a == 0 && b == 1);
	}
	/* The same network twice in one view is no tie. */
	struct network twice[] = { lan, lan };
	struct view_spec alone = { .clients = twice, .client_count = 2 };
	struct policy_spec spec = { .views = &alone, .view_count = 1, .listener_count = 1 };
	uint16_t a;
	uint16_t b;
	assert_false(policy_view_tie(&spec, &a, &b, NULL));
}

static void on_record(void *context, uint16_t type, uint32_t ttl_s, struct slice rdata)
{
	struct writer *to = context;
	dns_type_write(to, type);
	writer_text(to, " ");
	writer_decimal(to, ttl_s);
	writer_text(to, " ");
	writer_slice_bytes(to, rdata);
	writer_text(to, "; ");
}

static void test_local_records(void **state)
{
	(void)state;
	struct local_record_spec records[] = {
		{ fixture_name("B.Home"), DNS_TYPE_A, 60, slice_of_text("b1") },
		{ fixture_name("a.home"), DNS_TYPE_TXT, 1, slice_of_text("") },
		{ fixture_name("b.home"), DNS_TYPE_A, 61, slice_of_text("b0") },
		{ fixture_name("alias.home"), DNS_TYPE_CNAME, 5, slice_of_text("c") },
		{ fixture_name("b.home"), DNS_TYPE_AAAA, 62, slice_of_text("b6") },
	};
	static const struct {
		const char *name;
		uint16_t type;
		bool local;
		const char *told;
	} rows[] = {
		{ "b.home", DNS_TYPE_A, true, "A 60 b1; A 61 b0; " },
		{ "b.home", DNS_TYPE_AAAA, true, "AAAA 62 b6; " },
		{ "b.home", DNS_TYPE_MX, true, "" },
		{ "b.home", DNS_TYPE_ANY, true, "A 60 b1; A 61 b0; AAAA 62 b6; " },
		{ "a.home", DNS_TYPE_TXT, true, "TXT 1 ; " },
		{ "alias.home", DNS_TYPE_A, true, "CNAME 5 c; " },
		{ "alias.home", DNS_TYPE_CNAME, true, "CNAME 5 c; " },
		{ "home", DNS_TYPE_A, false, "" },
		{ "x.b.home", DNS_TYPE_A, false, "" },
		{ "zzzzzzzzzzz.home", DNS_TYPE_A, false, "" },
		{ ".", DNS_TYPE_A, false, "" },
	};
	struct policy_spec spec = { .local_records = records,
		.local_record_count = sizeof records / sizeof *records };
	int error;
	struct policy *policy = policy_build(&spec, NULL, &error);
	assert_non_null(policy);
	memset(records, 0xa5, sizeof records); /* nothing of it is kept */
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[256];
		struct writer to = writer_of(text, sizeof text);
		struct dns_name name = fixture_name(rows[i].name);
		assert_int_equal(policy_local_records(policy, dns_name_slice(&name), rows[i].type,
					 on_record, &to),
			rows[i].local);
		writer_u8(&to, 0);
		assert_string_equal(text, rows[i].told);
	}
	policy_free(policy);
	struct policy_spec none = { .list_count = 0 };
	policy = policy_build(&none, NULL, &error);
	struct dns_name name = fixture_name("b.home");
	assert_false(
		policy_local_records(policy, dns_name_slice(&name), DNS_TYPE_A, on_record, NULL));
	policy_free(policy);
}

/* Everything is copied and can be told again; what the image counted is told too. */
static void test_what_is_kept(void **state)
{
	(void)state;
	struct domain_list_spec lists[] = {
		{ .name = "first", .format = LIST_DOMAINS, .file = "first.txt" },
		{ .name = "second", .format = LIST_WILDCARD },
		{ .name = "lost", .format = LIST_HOSTS, .file = "lost.txt" },
	};
	char first[] = "a.test\n*.a.test\nb..test\nA.test.\n*.a.test\nc.test\n";
	char second[] = "a.test\n*.a.test\n1.2.3.4\n";
	struct list_text texts[] = {
		{ .text = slice_of_text(first) },
		{ .text = slice_of_text(second) },
		{ .error = -ENOENT },
	};
	struct address address = address_of_v4((const uint8_t[]){ 192, 0, 2, 1 });
	struct rule_spec rules[] = {
		{ .name = "later", .priority = 20, .action = ACTION_ALERT, .list = 1 },
		{ .name = "sooner",
			.priority = 10,
			.action = ACTION_BLOCK,
			.block_response = BLOCK_OVERRIDE,
			.override_domain = fixture_name("o.test"),
			.override_ttl_s = 7,
			.addresses = &address,
			.address_count = 1,
			.list = 0,
			.query_type = DNS_TYPE_A,
			.redirection = REDIRECTION_TRUST },
		{ .name = "unused", .priority = 30, .action = ACTION_BLOCK, .list = 2 },
	};
	struct rule_group_spec groups[] = {
		{ .name = "others", .rules = rules + 2, .rule_count = 1 },
		{ .name = "base", .rules = rules, .rule_count = 2 },
	};
	struct association_spec associations[] = { { 1, 200, false }, { 1, 100, false } };
	struct view_spec views[] = { { .name = "view",
		.associations = associations,
		.association_count = 2,
		.default_action = ACTION_ALLOW } };
	struct policy_spec spec = { .lists = lists,
		.list_count = 3,
		.groups = groups,
		.group_count = 2,
		.views = views,
		.view_count = 1,
		.listener_count = 1 };
	struct policy_texts built;
	assert_int_equal(policy_texts_build(&built, &spec, texts, 1), 0);
	const struct policy *policy = built.policy;
	memset(first, 'x', sizeof first - 1);
	memset(second, 'x', sizeof second - 1);
	memset(rules, 0xa5, sizeof rules);
	memset(associations, 0xa5, sizeof associations);
	assert_int_equal(policy_list_count(policy), 3);
	for (uint16_t i = 0; i < 2; i++) {
		const struct image_list *counted = image_list(built.image, i);
		const struct list_info *list = policy_list(policy, i);
		assert_int_equal(list->number, i);
		assert_int_equal(list->entry_count, counted->entry_count);
		assert_int_equal(list->covered_count, counted->covered_count);
		assert_in_range(list->entry_count, 1, 3);
	}
	assert_int_equal(policy_list(policy, 0)->reject_counts[LIST_REJECT_DUPLICATE], 2);
	assert_int_equal(policy_list(policy, 1)->reject_counts[LIST_REJECT_ADDRESS], 1);
	assert_int_equal(policy_list(policy, 2)->error, -ENOENT);
	assert_int_equal(policy_list(policy, 2)->number, POLICY_NO_ID);
	assert_int_equal(policy_list(policy, 2)->entry_count, 0);
	assert_string_equal(policy_list(policy, 0)->file, "first.txt");
	assert_null(policy_list(policy, 1)->file);
	assert_null(policy_list(policy, POLICY_NO_ID));
	assert_int_equal(policy_rule_count(policy), 3);
	const struct rule_info *rule = policy_rule(policy, 1);
	assert_string_equal(rule->name, "sooner");
	assert_string_equal(policy_group_name(policy, rule->group), "base");
	struct dns_name override = fixture_name("o.test");
	assert_true(slice_equals(rule->override_domain, dns_name_slice(&override)));
	assert_int_equal(rule->override_ttl_s, 7);
	assert_int_equal(rule->address_count, 1);
	assert_true(address_is_v4(&rule->addresses[0]));
	assert_int_equal(rule->query_type, DNS_TYPE_A);
	assert_null(policy_rule(policy, POLICY_NO_ID));
	assert_null(policy_group_name(policy, POLICY_NO_ID));
	/* The group with the lost list is not in use. */
	assert_false(policy_view(policy, 0)->failed);
	assert_int_equal(policy_view(policy, 0)->associations[0].priority, 100);
	assert_in_range(policy_memory(policy), 1000, 1000000);
	struct verdict verdict = fixture_judge(policy, "x.a.test", DNS_TYPE_A, NULL, NULL);
	struct dns_name asked = fixture_name("x.a.test");
	struct dns_name listed = fixture_name("a.test");
	assert_true(slice_equals(policy_entry_name(&verdict.match.entry, dns_name_slice(&asked)),
		dns_name_slice(&listed)));
	assert_true(verdict.match.entry.kind & PATTERN_BELOW);
	assert_int_equal(policy_facet(policy, verdict.match.entry.facet)->effect, FACET_LISTED);
	assert_true(verdict.trusted);
	policy_texts_free(&built);
	policy_free(NULL);
}

static void test_limits(void **state)
{
	(void)state;
	static struct rule_spec rules[POLICY_RULES_MAX + 1];
	static struct domain_list_spec lists[POLICY_LISTS_MAX + 1];
	static struct list_text texts[POLICY_LISTS_MAX + 1];
	static uint16_t numbers[POLICY_LISTS_MAX + 1];
	static int errors[POLICY_LISTS_MAX + 1];
	struct association_spec nowhere = { .group = 1 };
	struct rule_group_spec group = { .rules = rules, .rule_count = POLICY_RULES_MAX };
	struct view_spec view = { .name = "v" };
	struct policy_spec spec = { .lists = lists,
		.list_count = POLICY_LISTS_MAX,
		.groups = &group,
		.group_count = 1,
		.views = &view,
		.view_count = 1 };
	int error;
	for (size_t i = 0; i < POLICY_LISTS_MAX; i++)
		texts[i].text = slice_of_text("*");
	for (uint32_t i = 0; i < POLICY_RULES_MAX; i++)
		rules[i] = (struct rule_spec){ .priority = POLICY_RULES_MAX - i,
			.list = (uint16_t)(i % POLICY_LISTS_MAX),
			.action = ACTION_ALLOW };
	struct policy_texts built;
	assert_int_equal(policy_texts_build(&built, &spec, texts, 1), 0);
	assert_int_equal(
		policy_rule(built.policy, POLICY_RULES_MAX - 1)->priority, POLICY_RULES_MAX);
	struct policy_lists there = { built.image, numbers, errors };
	for (size_t i = 0; i < POLICY_LISTS_MAX; i++)
		numbers[i] = (uint16_t)i;
	group.rule_count++;
	assert_null(policy_build(&spec, &there, &error));
	assert_int_equal(error, ERR_TOO_LONG);
	group.rule_count = 1;
	spec.list_count++;
	assert_null(policy_build(&spec, &there, &error));
	assert_int_equal(error, ERR_TOO_LONG);
	spec.list_count = 0;
	assert_null(policy_build(&spec, &there, &error));
	assert_int_equal(error, ERR_INVALID);
	/* A list that the image does not have, and one that is nowhere for no reason. */
	spec.list_count = 1;
	numbers[0] = POLICY_LISTS_MAX;
	assert_null(policy_build(&spec, &there, &error));
	assert_int_equal(error, ERR_INVALID);
	numbers[0] = POLICY_NO_ID;
	assert_null(policy_build(&spec, &there, &error));
	assert_int_equal(error, ERR_INVALID);
	there.image = NULL;
	numbers[0] = 0;
	assert_null(policy_build(&spec, &there, &error));
	assert_int_equal(error, ERR_INVALID);
	there.image = built.image;
	rules[0].list = 0;
	view.associations = &nowhere;
	view.association_count = 1;
	assert_null(policy_build(&spec, &there, &error));
	assert_int_equal(error, ERR_INVALID);
	spec.view_count = POLICY_VIEWS_MAX + 1;
	assert_null(policy_build(&spec, &there, &error));
	assert_int_equal(error, ERR_TOO_LONG);
	policy_texts_free(&built);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_outcome),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_sixteen_names),
		cmocka_unit_test(test_monitors),
		cmocka_unit_test(test_trace),
		cmocka_unit_test(test_trace_of_exceptions),
		cmocka_unit_test(test_facts_in_capitals),
		cmocka_unit_test(test_rebinding),
		cmocka_unit_test(test_views),
		cmocka_unit_test(test_view_ties),
		cmocka_unit_test(test_local_records),
		cmocka_unit_test(test_what_is_kept),
		cmocka_unit_test(test_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
