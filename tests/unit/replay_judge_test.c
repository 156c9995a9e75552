#include "proxy/replay/replay_judge.h"

#include "tests/unit/policy_fixture.h"

static const char *const rules[] = {
	"10 BLOCK *.bad.test NXDOMAIN",
	"20 ALERT *.odd.test",
	"30 ALLOW *.good.test TRUST",
	"40 BLOCK aaaa.test AAAA",
	NULL,
};

static struct policy_fixture fixture;
static struct config config;
static struct replay_line line;
static struct log_line from;

/* "OUTCOME by WHO, saw" */
static void say(
	const struct replay_outcome *outcome, enum replay_sight sight, char *text, size_t size)
{
	static const char *const sights[] = { "", ", part", ", nothing" };
	char word[REPLAY_OUTCOME_TEXT_MAX];
	snprintf(text, size, "%s by %.12s%s%s%s", replay_outcome_text(outcome, word), outcome->by,
		outcome->entry[0] ? " " : "", outcome->entry, sights[sight]);
}

static void read_line(const char *name, const char *type, const char *rest)
{
	static char text[2048]; /* the line points into it */
	snprintf(text, sizeof text,
		"{\"query_name\":\"%s\",\"query_type\":\"%s\",\"srcaddr\":\"192.0.2.1\","
		"\"transport\":\"DOH\",%s}",
		name, type, rest);
	if (!log_line_read(&from, slice_of_text(text)))
		fail_msg("not read: %s", text);
	replay_line_init(&line, &from);
}

#define VIEW "\"vpc_id\":\"view\""
#define ANSWERS                                                                                    \
	"\"answers\":[{\"Type\":\"CNAME\",\"Rdata\":\"a.bad.test.\"},"                             \
	"{\"Type\":\"A\",\"Rdata\":\"192.0.2.9\"}]"
#define BLOCKED VIEW ",\"ext\":{\"action\":\"BLOCK\",\"block_response\":\"NODATA\","

static void lines_are_judged_anew(void **state)
{
	static const struct {
		const char *name, *type, *rest, *expected;
	} cases[] = {
		{ "fine.test.", "A", VIEW, "ALLOW by no rule" },
		{ "X.BAD.test.", "A", VIEW, "BLOCK NXDOMAIN by group/10 BLO *.bad.test." },
		{ "x.odd.test.", "A", VIEW, "ALERT by group/20 ALE *.odd.test." },
		{ "aaaa.test.", "AAAA", VIEW, "BLOCK NODATA by group/40 BLO aaaa.test." },
		{ "aaaa.test.", "A", VIEW, "ALLOW by no rule" },
		/* By what the answer leads to; not behind TRUST. */
		{ "fine.test.", "A", VIEW "," ANSWERS,
			"BLOCK NXDOMAIN by group/10 BLO *.bad.test." },
		{ "x.odd.test.", "A", VIEW "," ANSWERS,
			"BLOCK NXDOMAIN by group/10 BLO *.bad.test." },
		{ "x.good.test.", "A", VIEW "," ANSWERS, "ALLOW by group/30 ALL *.good.test." },
		/* No such view, or none said: by the client. */
		{ "x.bad.test.", "A", "\"vpc_id\":\"other\"",
			"BLOCK NXDOMAIN by group/10 BLO *.bad.test." },
		{ "x.bad.test.", "A", "\"t\":1", "BLOCK NXDOMAIN by group/10 BLO *.bad.test." },
		{ "x.bad.test.", "A", "\"vpc_id\":\"other\",\"srcaddr\":\"\"",
			"REFUSED by no view" },
		/* Blocked then: what is known of the answer is why. */
		{ "fine.test.", "A", BLOCKED "\"hop\":0,\"rule\":\"gone\"}",
			"ALLOW by no rule, nothing" },
		{ "fine.test.", "A",
			BLOCKED "\"hop\":1,\"matched_name\":\"b.bad.test.\",\"rule\":\"r\"}",
			"BLOCK NXDOMAIN by group/10 BLO *.bad.test., part" },
		{ "fine.test.", "A", BLOCKED "\"hop\":1,\"matched_name\":\"b.fine.test.\"}",
			"ALLOW by no rule, part" },
		{ "x.good.test.", "A", BLOCKED "\"hop\":0}", "ALLOW by group/30 ALL *.good.test." },
	};
	struct replay_judge judge;
	struct replay_verdict verdict;
	struct replay_outcome outcome;
	char text[1600];
	(void)state;
	policy_fixture_init(&fixture, rules);
	const struct policy *policy = policy_fixture_build(&fixture, 1);
	replay_judge_init(&judge, policy, &config);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		read_line(cases[i].name, cases[i].type, cases[i].rest);
		replay_judge(&judge, &line, &verdict);
		replay_outcome_judged(&outcome, &judge, &from, &verdict);
		say(&outcome, verdict.sight, text, sizeof text);
		if (strcmp(text, cases[i].expected) != 0)
			fail_msg("%s %s: is \"%s\", not \"%s\"", cases[i].name, cases[i].rest, text,
				cases[i].expected);
	}
	policy_fixture_free(&fixture);
}

static void what_a_line_recorded(void **state)
{
	static const struct {
		const char *rest, *expected;
	} cases[] = {
		{ VIEW, "ALLOW by no rule" },
		{ VIEW ",\"ext\":{}", "ALLOW by no rule" },
		{ BLOCKED "\"rule_group\":\"g\",\"rule\":\"r\",\"entry\":\"*.x.\"}",
			"BLOCK NODATA by g/r *.x." },
		{ BLOCKED "\"reason\":\"default_action\"}", "BLOCK NODATA by default acti" },
		{ BLOCKED "\"reason\":\"rebinding\"}", "BLOCK NODATA by rebinding pr" },
		{ VIEW ",\"rcode\":\"SERVFAIL\",\"ext\":{\"reason\":\"policy_failed\"}",
			"SERVFAIL by policy faile" },
		{ VIEW ",\"rcode\":\"NOERROR\",\"ext\":{\"reason\":\"policy_failed\"}",
			"ALLOW by policy faile" },
		{ VIEW ",\"firewall_rule_action\":\"ALERT\",\"firewall_rule_group_id\":\"frg\"",
			"ALERT by frg" },
		{ VIEW ",\"firewall_rule_action\":\"BLOCK\"", "BLOCK by no rule" },
	};
	struct replay_outcome outcome;
	char text[1600];
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		read_line("x.test.", "A", cases[i].rest);
		replay_outcome_recorded(&outcome, &from);
		say(&outcome, REPLAY_SAW_ALL, text, sizeof text);
		if (strcmp(text, cases[i].expected) != 0)
			fail_msg("%s: is \"%s\", not \"%s\"", cases[i].rest, text,
				cases[i].expected);
	}
}

static void what_counts_as_different(void **state)
{
	static const struct {
		struct replay_outcome before, after;
		enum replay_change change;
	} cases[] = {
		{ { .word = REPLAY_ALLOW }, { .word = REPLAY_ALLOW }, REPLAY_SAME },
		{ { .word = REPLAY_ALLOW }, { .word = REPLAY_ALERT }, REPLAY_DIFFERENT },
		{ { .word = REPLAY_BLOCK, .response = BLOCK_NODATA },
			{ .word = REPLAY_BLOCK, .response = BLOCK_NXDOMAIN }, REPLAY_DIFFERENT },
		{ { .word = REPLAY_BLOCK, .response = -1 },
			{ .word = REPLAY_BLOCK, .response = BLOCK_NXDOMAIN }, REPLAY_SAME },
		{ { .word = REPLAY_ALLOW, .by = "a", .is_rule_known = true },
			{ .word = REPLAY_ALLOW, .by = "b", .is_rule_known = true }, REPLAY_MOVED },
		{ { .word = REPLAY_ALLOW, .by = "a" },
			{ .word = REPLAY_ALLOW, .by = "b", .is_rule_known = true }, REPLAY_SAME },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(
			replay_compare(&cases[i].before, &cases[i].after), cases[i].change);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_judged_anew),
		cmocka_unit_test(what_a_line_recorded),
		cmocka_unit_test(what_counts_as_different),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
