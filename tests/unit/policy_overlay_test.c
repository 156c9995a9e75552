/* policy_overlay_test.c - what stands over the rules or beside them: schedules, groups that only
 * observe, exceptions. */
#include "tests/unit/policy_fixture.h"

enum { NOW = 5000, EXCEPTIONS_IN_ROW = 3 };

struct row {
	const char *const rules[6];
	/* "ALLOW exact a.test [VIEW]": their ids count from 1. */
	const char *const exceptions[EXCEPTIONS_IN_ROW + 1];
	uint64_t schedules;
	const char *name;
	const char *records;  /* of the answer */
	const char *expected; /* the verdict, and behind ";" what was noted */
	enum action default_action;
	enum fail_mode fail_mode;
};

static struct exception exception_of(const char *word, uint32_t id)
{
	struct exception exception = { .id = id, .until_s = NOW + 1 };
	char action[16], kind[16], name[256], view[EXCEPTION_VIEW_MAX] = "";
	assert_true(sscanf(word, "%15s %15s %255s %64s", action, kind, name, view) >= 3);
	assert_true(action_parse(action, &exception.action));
	exception.kind = strcmp(kind, "exact") == 0 ? PATTERN_EXACT
		: strcmp(kind, "below") == 0        ? PATTERN_BELOW
						    : PATTERN_BOTH;
	exception.name = fixture_name(name);
	strcpy(exception.view, view);
	return exception;
}

static struct exceptions *exceptions_of(const char *const *words)
{
	struct exception at[EXCEPTIONS_IN_ROW];
	size_t count = 0;
	for (; words[count]; count++)
		at[count] = exception_of(words[count], (uint32_t)count + 1);
	return count ? exceptions_new(at, count) : NULL;
}

static void say_monitors(
	const struct policy *policy, const struct verdict *verdict, char *text, size_t size)
{
	struct writer to = writer_of(text, size - 1);
	for (unsigned i = 0; i < verdict->monitor_count; i++) {
		const struct rule_match *match = &verdict->monitors[i];
		writer_text(&to, i ? ", " : "; ");
		writer_text(&to, match->observed ? "would " : "");
		writer_text(&to, action_name(policy_match_action(policy, match)));
		writer_text(&to, " ");
		writer_decimal(&to, policy_rule(policy, match->rule)->priority);
		if (match->hop)
			writer_text(&to, " at ");
		if (match->hop)
			writer_decimal(&to, match->hop);
	}
	text[to.len] = '\0';
}

static void ignore_name(void *context, unsigned hop, struct slice name)
{
	(void)context;
	(void)hop;
	(void)name;
}

static void ignore_rule(void *context, const struct rule_match *match, const struct rule_fit *fit)
{
	(void)context;
	(void)match;
	(void)fit;
}

/* Being watched changes nothing. */
static void check_row(const struct row *row, size_t number)
{
	static const struct policy_trace trace = { .on_name = ignore_name, .on_rule = ignore_rule };
	struct policy_fixture fixture;
	struct exceptions *exceptions = exceptions_of(row->exceptions);
	const struct facts when = {
		.now_s = NOW, .schedules = row->schedules, .exceptions = exceptions
	};
	policy_fixture_init(&fixture, row->rules);
	if (row->default_action)
		fixture.view.default_action = row->default_action;
	fixture.view.fail_mode = row->fail_mode;
	struct policy *policy = policy_fixture_build(&fixture, number);
	for (unsigned watched = 0; watched < 2; watched++) {
		char said[2048];
		struct verdict verdict = fixture_judge_when(policy, &when, row->name, DNS_TYPE_A,
			row->records, watched ? &trace : NULL);
		fixture_say(policy, &verdict, row->name, said, sizeof said / 2);
		size_t len = strlen(said);
		say_monitors(policy, &verdict, said + len, sizeof said - len);
		if (strcmp(said, row->expected) != 0)
			fail_msg("row %zu: %s: %s, not %s", number, row->name, said, row->expected);
	}
	policy_fixture_free(&fixture);
	exceptions_unref(exceptions);
}

#define CHECK_ROWS(rows)                                                                           \
	for (size_t i = 0; i < sizeof(rows) / sizeof *(rows); i++)                                 \
	check_row(&(rows)[i], i)

static void schedules(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ { "10 BLOCK a.test DURING1" }, { NULL }, 0, "a.test", "", "NONE", 0, 0 },
		{ { "10 BLOCK a.test DURING1" }, { NULL }, 1, "a.test", "", "BLOCK 10 by a.test.",
			0, 0 },
		{ { "10 BLOCK a.test DURING64" }, { NULL }, UINT64_C(1) << 63, "a.test", "",
			"BLOCK 10 by a.test.", 0, 0 },
		{ { "10 BLOCK a.test DURING64" }, { NULL }, ~(UINT64_C(1) << 63), "a.test", "",
			"NONE", 0, 0 },
		/* What is off is not there: the next rule has its turn. */
		{ { "10 ALLOW a.test DURING1", "20 BLOCK *" }, { NULL }, 2, "a.test", "",
			"BLOCK 20 by *.", 0, 0 },
		{ { "10 ALLOW a.test DURING1", "20 BLOCK *" }, { NULL }, 1, "a.test", "",
			"ALLOW 10 by a.test.", 0, 0 },
		{ { "10 MONITOR a.test DURING1" }, { NULL }, 0, "a.test", "", "NONE", 0, 0 },
		{ { "10 MONITOR a.test DURING1" }, { NULL }, 1, "a.test", "", "NONE; MONITOR 10", 0,
			0 },
		/* At later names as well. */
		{ { "10 BLOCK b.test DURING2" }, { NULL }, 2, "a.test", "a.test CNAME b.test",
			"BLOCK 10 1 b.test. by b.test.", 0, 0 },
		{ { "10 BLOCK b.test DURING2" }, { NULL }, 1, "a.test", "a.test CNAME b.test",
			"NONE", 0, 0 },
		{ { "10 ALLOW a.test TRUST DURING1", "20 BLOCK b.test" }, { NULL }, 0, "a.test",
			"a.test CNAME b.test", "BLOCK 20 1 b.test. by b.test.", 0, 0 },
	};
	CHECK_ROWS(rows);
}

static void groups_that_observe(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ { "10 BLOCK a.test OBSERVE" }, { NULL }, 0, "a.test", "", "NONE; would BLOCK 10",
			0, 0 },
		/* The first rule of the group would have decided; a MONITOR rule would not. */
		{ { "10 MONITOR * OBSERVE", "20 ALERT a.test", "30 BLOCK a.test", "40 MONITOR *" },
			{ NULL }, 0, "a.test", "", "NONE; MONITOR 10, would ALERT 20", 0, 0 },
		{ { "10 BLOCK a.test AAAA OBSERVE", "20 BLOCK a.test DURING1", "30 ALLOW *" },
			{ NULL }, 0, "a.test", "", "NONE; would ALLOW 30", 0, 0 },
		/* The next groups decide. */
		{ { "1/10 ALLOW a.test TRUST OBSERVE", "2/20 BLOCK a.test" }, { NULL }, 0, "a.test",
			"", "BLOCK 20 by a.test.; would ALLOW 10", 0, 0 },
		{ { "1/10 BLOCK a.test OBSERVE", "2/20 BLOCK a.test OBSERVE", "3/30 ALERT *" },
			{ NULL }, 0, "a.test", "", "ALERT 30 by *.; would BLOCK 10, would BLOCK 20",
			0, 0 },
		/* What was decided before is not asked about. */
		{ { "1/10 ALLOW a.test", "2/20 BLOCK a.test OBSERVE" }, { NULL }, 0, "a.test", "",
			"ALLOW 10 by a.test.", 0, 0 },
		{ { "10 ALLOW a.test OBSERVE" }, { NULL }, 0, "a.test", "",
			"BLOCK default; would ALLOW 10", ACTION_BLOCK, 0 },
		/* Trust that is only observed trusts nothing. */
		{ { "1/10 ALLOW a.test TRUST OBSERVE", "2/20 BLOCK b.test" }, { NULL }, 0, "a.test",
			"a.test CNAME b.test", "BLOCK 20 1 b.test. by b.test.; would ALLOW 10", 0,
			0 },
		{ { "10 BLOCK b.test,c.test OBSERVE" }, { NULL }, 0, "a.test",
			"a.test CNAME b.test, b.test CNAME c.test",
			"NONE; would BLOCK 10 at 1, would BLOCK 10 at 2", 0, 0 },
		/* What entries want. */
		{ { "10 GIVEN a.test=PASS OBSERVE" }, { NULL }, 0, "a.test", "",
			"NONE; would ALLOW 10", 0, 0 },
		{ { "10 GIVEN a.test=NXDOMAIN1 OBSERVE" }, { NULL }, 0, "a.test", "",
			"NONE; would BLOCK 10", 0, 0 },
		/* It does no harm: neither by a list that is not there, nor by an answer that
		 * cannot be followed. */
		{ { "10 BLOCK ! OBSERVE", "20 BLOCK a.test" }, { NULL }, 0, "a.test", "",
			"NONE; would BLOCK 20", 0, 0 },
		{ { "1/10 BLOCK ! OBSERVE", "2/20 BLOCK ! " }, { NULL }, 0, "a.test", "",
			"SERVFAIL", 0, 0 },
		{ { "10 BLOCK b.test OBSERVE" }, { NULL }, 0, "a.test",
			"a.test CNAME b.test, b.test CNAME a.test", "NONE; would BLOCK 10 at 1", 0,
			0 },
		{ { "1/10 BLOCK b.test OBSERVE", "2/20 BLOCK c.test" }, { NULL }, 0, "a.test",
			"a.test CNAME b.test, b.test CNAME a.test", "SERVFAIL; would BLOCK 10 at 1",
			0, 0 },
	};
	CHECK_ROWS(rows);
}

static void exceptions(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ { "10 BLOCK *" }, { "ALLOW exact a.test" }, 0, "a.test", "", "ALLOW exception 1",
			0, 0 },
		{ { "10 BLOCK *" }, { "ALLOW exact a.test" }, 0, "x.a.test", "", "BLOCK 10 by *.",
			0, 0 },
		{ { "10 BLOCK *" }, { "ALLOW both a.test" }, 0, "X.A.test", "", "ALLOW exception 1",
			0, 0 },
		{ { "10 ALLOW * TRUST" }, { "BLOCK exact a.test" }, 0, "a.test", "",
			"BLOCK exception 1", 0, 0 },
		{ { NULL }, { "BLOCK exact a.test" }, 0, "a.test", "", "BLOCK exception 1", 0, 0 },
		{ { NULL }, { "ALLOW exact a.test" }, 0, "a.test", "", "ALLOW exception 1",
			ACTION_BLOCK, 0 },
		/* Only of this view. */
		{ { "10 BLOCK *" }, { "ALLOW exact a.test view" }, 0, "a.test", "",
			"ALLOW exception 1", 0, 0 },
		{ { "10 BLOCK *" }, { "ALLOW exact a.test other" }, 0, "a.test", "",
			"BLOCK 10 by *.", 0, 0 },
		/* ALLOW trusts what is behind it. */
		{ { "10 BLOCK b.test" }, { "ALLOW exact a.test" }, 0, "a.test",
			"a.test CNAME b.test", "ALLOW exception 1", 0, 0 },
		{ { "10 BLOCK b.test,c.test" }, { "ALLOW exact b.test" }, 0, "a.test",
			"a.test CNAME b.test, b.test CNAME c.test", "NONE (1)", 0, 0 },
		{ { "10 BLOCK b.test,c.test", "20 ALERT a.test" }, { "ALLOW exact b.test" }, 0,
			"a.test", "a.test CNAME b.test, b.test CNAME c.test",
			"ALERT 20 by a.test. (1)", 0, 0 },
		{ { "10 ALLOW a.test", "20 BLOCK *" }, { "ALLOW exact b.test" }, 0, "a.test",
			"a.test CNAME b.test", "ALLOW 10 by a.test. (1)", 0, 0 },
		{ { "10 ALLOW a.test" }, { "ALLOW exact b.test" }, 0, "a.test",
			"a.test CNAME b.test", "ALLOW 10 by a.test. (1)", ACTION_BLOCK, 0 },
		/* Something else alerts, or blocks, in the end. */
		{ { "10 ALERT c.test" }, { "ALLOW exact b.test" }, 0, "a.test",
			"a.test HTTPS b.test, a.test HTTPS c.test",
			"ALERT 10 2 c.test. by c.test. (1)", 0, 0 },
		{ { "10 BLOCK c.test" }, { "ALLOW exact b.test" }, 0, "a.test",
			"a.test HTTPS b.test, a.test HTTPS c.test", "BLOCK 10 2 c.test. by c.test.",
			0, 0 },
		/* BLOCK anywhere in the chain, also where no rule looks. */
		{ { "10 ALERT *" }, { "BLOCK exact b.test" }, 0, "a.test", "a.test CNAME b.test",
			"BLOCK exception 1 1 b.test.", 0, 0 },
		{ { NULL }, { "BLOCK below test" }, 0, "a.example",
			"a.example CNAME b.example, b.example CNAME x.test",
			"BLOCK exception 1 2 x.test.", 0, 0 },
		{ { "10 ALLOW a.test TRUST" }, { "BLOCK exact b.test" }, 0, "a.test",
			"a.test CNAME b.test", "ALLOW 10 by a.test.", 0, 0 },
		{ { NULL }, { "ALLOW exact a.test", "BLOCK exact b.test" }, 0, "a.test",
			"a.test CNAME b.test", "ALLOW exception 1", 0, 0 },
		/* A firewall that is off has no failure mode because of them. */
		{ { NULL }, { "BLOCK exact x.test" }, 0, "a.test",
			"a.test CNAME b.test, b.test CNAME a.test", "NONE", 0, 0 },
		/* Rules are not asked, MONITOR ones neither. */
		{ { "10 MONITOR *" }, { "ALLOW exact a.test" }, 0, "a.test", "",
			"ALLOW exception 1", 0, 0 },
		{ { "10 BLOCK * OBSERVE" }, { "BLOCK exact a.test" }, 0, "a.test", "",
			"BLOCK exception 1", 0, 0 },
		/* They decide where the rules cannot be evaluated. */
		{ { "10 BLOCK !" }, { "ALLOW exact a.test" }, 0, "a.test", "a.test CNAME b.test",
			"ALLOW exception 1", 0, 0 },
		{ { "10 BLOCK !" }, { "ALLOW exact a.test" }, 0, "b.test", "", "SERVFAIL", 0, 0 },
		{ { "10 BLOCK !" }, { "BLOCK exact a.test" }, 0, "a.test", "", "BLOCK exception 1",
			0, FAIL_OPEN },
		{ { "10 BLOCK !" }, { "BLOCK exact a.test" }, 0, "b.test", "", "OPEN NONE", 0,
			FAIL_OPEN },
		{ { "10 BLOCK !" }, { "BLOCK exact b.test" }, 0, "a.test", "a.test CNAME b.test",
			"BLOCK exception 1 1 b.test.", 0, FAIL_OPEN },
		{ { "10 BLOCK !" }, { "ALLOW exact b.test", "BLOCK exact c.test" }, 0, "a.test",
			"a.test CNAME b.test, b.test CNAME c.test", "OPEN NONE (1)", 0, FAIL_OPEN },
		{ { "10 BLOCK !" }, { "BLOCK exact c.test" }, 0, "a.test", "a.test CNAME b.test",
			"OPEN NONE", ACTION_BLOCK, FAIL_OPEN },
	};
	CHECK_ROWS(rows);
}

/* Blocks as the view's default does. */
static void an_exception_blocks_as_its_view_does(void **state)
{
	static const char *const rules[] = { "10 BLOCK a.test NXDOMAIN", NULL };
	static const char *const words[] = { "BLOCK exact a.test", NULL };
	struct policy_fixture fixture;
	struct exceptions *made = exceptions_of(words);
	struct facts when = { .now_s = NOW, .exceptions = made };
	(void)state;
	policy_fixture_init(&fixture, rules);
	struct policy *policy = policy_fixture_build(&fixture, 1);
	struct verdict verdict =
		fixture_judge_when(policy, &when, "a.test", DNS_TYPE_A, NULL, NULL);
	assert_int_equal(verdict.reason, REASON_EXCEPTION);
	assert_int_equal(verdict.block_response, BLOCK_REFUSED);
	assert_int_equal(verdict.match.rule, POLICY_NO_ID);
	/* Its time is over. */
	when.now_s = NOW + 1;
	verdict = fixture_judge_when(policy, &when, "a.test", DNS_TYPE_A, NULL, NULL);
	assert_int_equal(verdict.reason, REASON_RULE);
	assert_int_equal(verdict.block_response, BLOCK_NXDOMAIN);
	assert_int_equal(verdict.exception, 0);
	policy_fixture_free(&fixture);
	exceptions_unref(made);
}

/* ---- what can be seen ---- */

struct seen {
	const struct policy *policy;
	char text[512];
	struct writer to;
};

static void see_name(void *context, unsigned hop, struct slice name)
{
	struct seen *seen = context;
	writer_decimal(&seen->to, hop);
	writer_text(&seen->to, ":");
	dns_name_write_text(&seen->to, name);
	writer_text(&seen->to, " ");
}

static void see_exception(void *context, const struct exception *exception)
{
	struct seen *seen = context;
	writer_text(&seen->to, "exception ");
	writer_decimal(&seen->to, exception->id);
	writer_text(&seen->to, " ");
}

static void see_rule(void *context, const struct rule_match *match, const struct rule_fit *fit)
{
	struct seen *seen = context;
	writer_decimal(&seen->to, policy_rule(seen->policy, match->rule)->priority);
	writer_text(&seen->to, fit->schedule_on ? "" : " off");
	writer_text(&seen->to, rule_fits(fit) ? " fits" : "");
	writer_text(&seen->to, match->observed ? " observed" : "");
	writer_text(&seen->to, fit->decisive ? " decides" : "");
	writer_text(&seen->to, ", ");
}

static void a_trace_tells_why(void **state)
{
	static const char *const rules[] = { "1/10 ALLOW a.test DURING2", "1/20 BLOCK a.test",
		"2/30 ALERT * OBSERVE", "2/40 BLOCK *", "3/50 BLOCK b.test", NULL };
	static const char *const words[] = { "ALLOW exact c.test", NULL };
	static const struct {
		const char *name, *records, *expected;
	} rows[] = {
		{ "a.test", "", "0:a.test. 10 off, 20 fits decides, 30 fits, 40 fits, 50, " },
		{ "b.test", "",
			"0:b.test. 10 off, 20, 30 fits observed, 40 fits, 50 fits decides, " },
		{ "x.test", "x.test CNAME c.test",
			"0:x.test. 10 off, 20, 30 fits observed, 40 fits, 50, "
			"1:c.test. exception 1 10 off, 20, 30 fits, 40 fits, 50, " },
	};
	struct policy_fixture fixture;
	struct seen seen;
	const struct policy_trace trace = { .on_name = see_name,
		.on_exception = see_exception,
		.on_rule = see_rule,
		.context = &seen };
	struct exceptions *made = exceptions_of(words);
	const struct facts when = { .now_s = NOW, .schedules = 1, .exceptions = made };
	(void)state;
	policy_fixture_init(&fixture, rules);
	seen.policy = policy_fixture_build(&fixture, 1);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		seen.to = writer_of(seen.text, sizeof seen.text);
		fixture_judge_when(
			seen.policy, &when, rows[i].name, DNS_TYPE_A, rows[i].records, &trace);
		writer_u8(&seen.to, 0);
		assert_false(seen.to.failed);
		assert_string_equal(seen.text, rows[i].expected);
	}
	policy_fixture_free(&fixture);
	exceptions_unref(made);
}

/* A rule cannot have a schedule that there is not. */
static void a_schedule_that_leads_nowhere(void **state)
{
	struct rule_spec rule = { .name = "rule", .action = ACTION_BLOCK };
	const struct rule_group_spec group = { "group", &rule, 1 };
	const struct domain_list_spec list = { .name = "list" };
	const struct schedule_spec schedule = { .days = 1 };
	struct policy_spec spec = { .schedules = &schedule,
		.schedule_count = 1,
		.lists = &list,
		.list_count = 1,
		.groups = &group,
		.group_count = 1 };
	const struct list_text text = { slice_of_text("a.test"), 0 };
	struct policy_texts built;
	(void)state;
	rule.schedule = 1;
	assert_int_equal(policy_texts_build(&built, &spec, &text, 1), 0);
	assert_int_equal(policy_rule(built.policy, 0)->schedule, 1);
	policy_texts_free(&built);
	rule.schedule = 2;
	assert_int_equal(policy_texts_build(&built, &spec, &text, 1), ERR_INVALID);
	spec.schedule_count = SCHEDULES_MAX + 1;
	assert_int_equal(policy_texts_build(&built, &spec, &text, 1), ERR_TOO_LONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schedules),
		cmocka_unit_test(groups_that_observe),
		cmocka_unit_test(exceptions),
		cmocka_unit_test(an_exception_blocks_as_its_view_does),
		cmocka_unit_test(a_trace_tells_why),
		cmocka_unit_test(a_schedule_that_leads_nowhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
