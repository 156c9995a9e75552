/* policy_lint_test.c - each finding with its smallest case and the smallest one that is none, and
 * which rules decide anything against brute force: small policies, every name that they can tell
 * apart. A failure prints the seed; POLICY_LINT_SEED=<seed> runs that one alone. */
#include "rules/policy_lint.h"

#include "rules/policy_reach.h"
#include "tests/unit/policy_fixture.h"

static const char *const kinds[POLICY_LINT_KINDS] = {
	[POLICY_LINT_EMPTY] = "empty",
	[POLICY_LINT_NOTHING] = "nothing",
	[POLICY_LINT_NEVER_ON] = "never_on",
	[POLICY_LINT_SHADOWED] = "shadowed",
	[POLICY_LINT_NOT_EXAMINED] = "not_examined",
	[POLICY_LINT_UNREACHABLE] = "unreachable",
	[POLICY_LINT_OBSERVED] = "observed",
	[POLICY_LINT_GROUP_UNUSED] = "group",
	[POLICY_LINT_LIST_UNUSED] = "list",
	[POLICY_LINT_SCHEDULE_UNUSED] = "schedule",
	[POLICY_LINT_TOKEN_UNUSED] = "token_unused",
	[POLICY_LINT_TOKEN_EXPIRED] = "token_expired",
	[POLICY_LINT_APEX] = "apex",
};

enum { NOW_S = 1000000 };

struct said {
	const struct policy *policy;
	struct writer to;
};

/* "shadowed 20 by 10; apex 1 *.a.": rules by their priority. */
static void on_finding(void *context, const struct policy_finding *finding)
{
	struct said *said = context;
	struct writer *to = &said->to;
	if (to->len)
		writer_text(to, "; ");
	writer_text(to, kinds[finding->kind]);
	if (finding->rule != POLICY_NO_ID) {
		writer_text(to, " ");
		writer_decimal(to, policy_rule(said->policy, finding->rule)->priority);
	}
	if (finding->by != POLICY_NO_ID) {
		writer_text(to, " by ");
		writer_decimal(to, policy_rule(said->policy, finding->by)->priority);
		writer_text(to, finding->by_others ? "+" : "");
	}
	if (finding->count) {
		writer_text(to, " ");
		writer_decimal(to, finding->count);
		writer_text(to, " ");
		list_pattern_write_text(to, finding->name, finding->pattern);
	}
}

static void check_spec(struct policy_fixture *fixture, const char *expected, uint64_t steps_max)
{
	char text[1024];
	const struct policy_lint_options options = { .now_s = NOW_S, .steps_max = steps_max };
	struct said said = { .policy = policy_fixture_build(fixture, 7),
		.to = writer_of(text, sizeof text - 1) };
	assert_int_equal(policy_lint(said.policy, &fixture->spec, &options, on_finding, &said), 0);
	text[said.to.len] = '\0';
	assert_string_equal(text, expected);
	policy_fixture_free(fixture);
}

static void begin_fixture(struct policy_fixture *fixture, const char *const *rules)
{
	policy_fixture_init(fixture, rules);
	fixture->spec.schedule_count = 0;
}

#define RULES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void check_rules(const char *const *rules, const char *expected)
{
	struct policy_fixture fixture;
	begin_fixture(&fixture, rules);
	check_spec(&fixture, expected, 0);
}

static void rules_that_decide_nothing(void **state)
{
	(void)state;
	check_rules(RULES("10 BLOCK a"), "");
	check_rules(RULES("10 BLOCK #"), "empty 10");
	/* the same, more, and less */
	check_rules(RULES("10 ALLOW a", "20 BLOCK a"), "shadowed 20 by 10");
	check_rules(RULES("10 ALLOW a", "20 BLOCK a,b"), "");
	check_rules(RULES("10 ALERT *.a", "20 BLOCK x.a"), "shadowed 20 by 10; apex 1 *.a.");
	check_rules(RULES("10 ALERT *,a", "20 BLOCK a"), "shadowed 20 by 10");
	check_rules(RULES("10 BLOCK a", "20 BLOCK *.a,a"), "");
	/* by two of them, by those of another group, and by none that only looks */
	check_rules(RULES("10 ALLOW a", "20 BLOCK b", "30 BLOCK a,b"), "shadowed 30 by 10+");
	check_rules(RULES("101/10 ALLOW *", "102/20 BLOCK a"), "shadowed 20 by 10");
	check_rules(RULES("10 MONITOR *", "20 BLOCK a"), "");
	check_rules(RULES("10 BLOCK *", "20 MONITOR a"), "shadowed 20 by 10");
	/* types */
	check_rules(RULES("10 ALLOW a TXT", "20 BLOCK a"), "");
	check_rules(RULES("10 ALLOW a", "20 BLOCK a TXT"), "shadowed 20 by 10");
	check_rules(RULES("10 ALLOW a TXT", "20 BLOCK a TXT"), "shadowed 20 by 10");
	check_rules(RULES("10 ALLOW a=NODATA/AAAA", "20 BLOCK a AAAA"), "shadowed 20 by 10");
	check_rules(RULES("10 ALLOW a=NODATA/AAAA", "20 BLOCK a A"), "");
	/* what entries say */
	check_rules(RULES("10 BLOCK a=PASS"), "nothing 10");
	check_rules(RULES("10 GIVEN a=PASS"), "");
	check_rules(RULES("10 BLOCK a=EXCEPT"), "nothing 10");
	check_rules(RULES("10 BLOCK a=NODATA/A AAAA"), "nothing 10");
	check_rules(RULES("10 GIVEN a=TCP", "20 BLOCK a"), "");
	check_rules(RULES("10 BLOCK a=TCP", "20 BLOCK a"), "shadowed 20 by 10");
	check_rules(RULES("10 BLOCK *,x.a=EXCEPT2", "20 BLOCK a,*.a"), "");
	check_rules(RULES("10 BLOCK *,x.a=EXCEPT2", "20 BLOCK a,y.a"), "shadowed 20 by 10");
}

static void rules_about_addresses(void **state)
{
	(void)state;
	check_rules(RULES("10 ALERT 192.0.2.0/24", "20 BLOCK 192.0.2.16/28"), "shadowed 20 by 10");
	check_rules(RULES("10 ALERT 192.0.2.16/28", "20 BLOCK 192.0.2.0/24"), "");
	check_rules(RULES("10 ALERT 192.0.2.0/25,192.0.2.128/25", "20 BLOCK 192.0.2.0/24"),
		"shadowed 20 by 10");
	check_rules(RULES("10 ALERT 192.0.2.0/25,192.0.2.128/26", "20 BLOCK 192.0.2.0/24"), "");
	check_rules(RULES("10 ALERT 192.0.2.0/24", "20 BLOCK 192.0.2.0/24,a"), "");
	check_rules(RULES("10 ALERT ::/0", "20 BLOCK 192.0.2.0/24"), "");
	check_rules(RULES("10 ALERT ::/0", "20 BLOCK 2001:db8::/32"), "shadowed 20 by 10");
}

static void lists_that_cannot_be_looked_at(void **state)
{
	(void)state;
	check_rules(RULES("10 BLOCK a", "20 BLOCK !"), "not_examined 20");
	struct policy_fixture fixture;
	begin_fixture(&fixture, RULES("10 BLOCK a", "20 BLOCK a"));
	check_spec(&fixture, "not_examined 20", 1);
}

static void schedules(void **state)
{
	(void)state;
	const struct schedule_spec specs[] = { { .name = "never" }, { .name = "mon", .days = 1 },
		{ .name = "tue", .days = 2 } };
	static const struct {
		uint8_t first, second;
		const char *expected;
	} rows[] = {
		{ 0, 1, "never_on 20; schedule; schedule" },
		{ 2, 0, "schedule; schedule" },
		{ 2, 2, "shadowed 20 by 10; schedule; schedule" },
		{ 2, 3, "schedule" },
		{ 0, 2, "shadowed 20 by 10; schedule; schedule" },
		{ 1, 0, "never_on 10; schedule; schedule" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct policy_fixture fixture;
		begin_fixture(&fixture, RULES("10 BLOCK a", "20 BLOCK a"));
		fixture.spec.schedules = specs;
		fixture.spec.schedule_count = 3;
		fixture.rules[0][0].schedule = rows[i].first;
		fixture.rules[0][1].schedule = rows[i].second;
		check_spec(&fixture, rows[i].expected, 0);
	}
}

static void associations_that_observe(void **state)
{
	(void)state;
	struct policy_fixture fixture;
	begin_fixture(&fixture, RULES("101/10 BLOCK a", "102/20 BLOCK a"));
	fixture.associations[0].observe = true;
	check_spec(&fixture, "observed", 0);
	/* within the group the first one is the one that is noted */
	begin_fixture(&fixture, RULES("101/10 BLOCK a", "101/15 BLOCK a", "102/20 BLOCK a"));
	fixture.associations[0].observe = true;
	check_spec(&fixture, "shadowed 15 by 10; observed", 0);
}

static void what_nothing_refers_to(void **state)
{
	(void)state;
	struct policy_fixture fixture;
	begin_fixture(&fixture, RULES("101/10 BLOCK a", "102/20 BLOCK b"));
	fixture.view.association_count = 1;
	check_spec(&fixture, "group", 0);
	begin_fixture(&fixture, RULES("101/10 BLOCK a", "101/20 BLOCK b"));
	fixture.rules[0][1].list = 0;
	check_spec(&fixture, "shadowed 20 by 10; list", 0);
}

static void tokens(void **state)
{
	(void)state;
	const uint16_t all[] = { 0, 1 };
	const struct token_spec specs[] = { { .name = "old", .sha256 = { 1 }, .until_s = NOW_S },
		{ .name = "new", .sha256 = { 2 }, .until_s = NOW_S + 1 } };
	static const struct {
		size_t count;
		const char *expected;
	} rows[] = {
		{ 0, "token_unused; token_unused" },
		{ 1, "unreachable; token_unused; token_expired" },
		{ 2, "token_expired" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct policy_fixture fixture;
		begin_fixture(&fixture, RULES("10 BLOCK a"));
		fixture.spec.tokens = specs;
		fixture.spec.token_count = 2;
		fixture.view.tokens = all;
		fixture.view.token_count = rows[i].count;
		check_spec(&fixture, rows[i].expected, 0);
	}
}

static struct network network_of(const char *text)
{
	struct network network;
	assert_true(network_parse(&network, text));
	return network;
}

static void views(void **state)
{
	(void)state;
	static const struct {
		const char *first; /* of the view that is looked at */
		const char *others[2];
		const char *expected;
	} rows[] = {
		{ "10.0.0.0/8", { "10.0.0.0/9" }, "" },
		{ "10.0.0.0/8", { "10.0.0.0/9", "10.128.0.0/9" }, "unreachable" },
		{ "10.0.0.0/8", { "10.0.0.0/9", "10.128.0.0/10" }, "" },
		{ "::/0", { "0.0.0.0/0" }, "" },
		{ "::/0", { "::/1", "8000::/1" }, "unreachable" },
		{ "255.255.255.255", { "0.0.0.0/0" }, "" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct policy_fixture fixture;
		struct network networks[3];
		struct view_spec specs[3];
		begin_fixture(&fixture, RULES("10 BLOCK a"));
		fixture.spec.views = specs;
		for (size_t j = 0; j < 3; j++) {
			const char *text = j ? rows[i].others[j - 1] : rows[i].first;
			if (!text)
				break;
			networks[j] = network_of(text);
			specs[j] = fixture.view;
			specs[j].clients = &networks[j];
			specs[j].client_count = 1;
			fixture.spec.view_count = j + 1;
		}
		check_spec(&fixture, rows[i].expected, 0);
	}
	/* a view for a listener, and one for all of them that is left with none */
	struct policy_fixture fixture;
	struct view_spec specs[2];
	const uint16_t listener = 0;
	for (size_t listeners = 1; listeners <= 2; listeners++) {
		begin_fixture(&fixture, RULES("10 BLOCK a"));
		specs[0] = specs[1] = fixture.view;
		specs[1].listeners = &listener;
		specs[1].listener_count = 1;
		fixture.spec.views = specs;
		fixture.spec.view_count = 2;
		fixture.spec.listener_count = listeners;
		check_spec(&fixture, listeners == 1 ? "unreachable" : "", 0);
	}
}

static void wildcards_that_miss_their_apex(void **state)
{
	(void)state;
	check_rules(RULES("10 BLOCK *.a"), "apex 1 *.a.");
	check_rules(RULES("10 BLOCK *.a,a"), "");
	check_rules(RULES("10 BLOCK *.b,*.a,*.c,c"), "apex 2 *.a.");
	check_rules(RULES("10 BLOCK *.x.a,*.a,a"), "");
	check_rules(RULES("10 BLOCK *"), "");
	check_rules(RULES("10 BLOCK *.a=EXCEPT,b"), "");
	struct policy_fixture fixture;
	begin_fixture(&fixture, RULES("10 BLOCK *.a"));
	fixture.lists[0].format = LIST_WILDCARD; /* there it means both */
	check_spec(&fixture, "", 0);
}

/* ---- against brute force ---- */

enum {
	POLICIES = 1000,
	RULES_MAX = 4, /* as many as a verdict can note */
	NAMES = 1 + 3 + 9 + 27 + 81,
	SCHEDULES = 3,
};

static uint64_t random_state;

static unsigned below(unsigned bound)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)((random_state >> 33) % bound);
}

/* A list of everything decides about every name before an answer's addresses are seen, and those
 * are looked at apart: a policy has one or the other. */
static void write_pattern(struct writer *to, bool with_networks)
{
	static const char *const names[] = { "a", "b", "a.a", "b.a", "a.b", "a.a.b" };
	static const char *const says[] = { "", "", "", "", "", "", "=NODATA/AAAA", "=TCP",
		"=EXCEPT", "=EXCEPT2", "=PASS", "=NXDOMAIN2", "=EXCEPT2/AAAA" };
	static const char *const networks[] = { "192.0.2.0/28", "192.0.2.0/29", "192.0.2.8/29",
		"192.0.2.4/30", "192.0.2.5/32", "::/0", "192.0.2.0/30=EXCEPT2" };
	if (with_networks && below(3) == 0) {
		writer_text(to, networks[below(sizeof networks / sizeof *networks)]);
		return;
	}
	unsigned shape = with_networks + below(8);
	if (shape == 0)
		writer_text(to, "*");
	else if (shape < 4)
		writer_text(to, "*.");
	if (shape)
		writer_text(to, names[below(sizeof names / sizeof *names)]);
	writer_text(to, says[below(sizeof says / sizeof *says)]);
}

/* The texts belong to `texts`. */
static void make_policy(struct policy_fixture *fixture, char texts[RULES_MAX][256])
{
	static const char *const actions[] = { "BLOCK", "ALERT", "MONITOR", "GIVEN", "ALLOW" };
	static const char *const types[] = { "", "", "", " AAAA", " TXT" };
	const char *rules[RULES_MAX + 1] = { NULL };
	unsigned count = 1 + below(RULES_MAX);
	bool with_networks = below(3) == 0; /* an ALLOW of an address is nowhere noted */
	unsigned action_count = sizeof actions / sizeof *actions - with_networks;
	for (unsigned i = 0; i < count; i++) {
		struct writer to = writer_of(texts[i], sizeof texts[i] - 1);
		writer_decimal(&to, 101 + below(2));
		writer_text(&to, "/");
		writer_decimal(&to, 10 * (i + 1));
		writer_text(&to, " ");
		writer_text(&to, actions[below(action_count)]);
		for (unsigned n = 1 + below(4), k = 0; k < n; k++) {
			writer_text(&to, k ? "," : " ");
			write_pattern(&to, with_networks);
		}
		writer_text(&to, types[below(sizeof types / sizeof *types)]);
		texts[i][to.len] = '\0';
		rules[i] = texts[i];
	}
	begin_fixture(fixture, rules);
}

/* Schedules, observing, and lists that are shared. */
static void bend_policy(struct policy_fixture *fixture)
{
	static const struct schedule_spec schedules[SCHEDULES] = { { .name = "never" },
		{ .name = "mon", .days = 1 }, { .name = "tue", .days = 2 } };
	fixture->spec.schedules = schedules;
	fixture->spec.schedule_count = SCHEDULES;
	for (size_t g = 0; g < fixture->spec.group_count; g++) {
		fixture->associations[g].observe = below(5) == 0;
		for (size_t i = 0; i < fixture->groups[g].rule_count; i++) {
			struct rule_spec *rule = &fixture->rules[g][i];
			if (below(4) == 0)
				rule->schedule = (uint8_t)(1 + below(SCHEDULES));
			if (below(4) == 0)
				rule->list = (uint16_t)below((unsigned)fixture->rule_count);
		}
	}
}

static void note_decided(const struct verdict *verdict, uint64_t *decided)
{
	if (verdict->reason == REASON_RULE)
		*decided |= UINT64_C(1) << verdict->match.rule;
	for (unsigned i = 0; i < verdict->monitor_count; i++)
		*decided |= UINT64_C(1) << verdict->monitors[i].rule;
}

static void judge_name(const struct policy *policy, struct facts *facts, uint64_t *decided)
{
	struct verdict verdict;
	struct dns_name name;
	for (unsigned i = 0; i < NAMES; i++) {
		static const char labels[] = { 'a', 'b', 'z' };
		uint8_t depth = i < 1 ? 0 : i < 4 ? 1 : i < 13 ? 2 : i < 40 ? 3 : 4;
		unsigned rest = i;
		struct writer to = writer_of(name.wire, sizeof name.wire);
		for (uint8_t k = 0; k < depth; k++, rest /= 3) {
			writer_u8(&to, 1);
			writer_u8(&to, (uint8_t)labels[rest % 3]);
		}
		writer_u8(&to, 0);
		facts->name = writer_slice(&to);
		policy_judge_query(policy, facts, &verdict, NULL);
		note_decided(&verdict, decided);
	}
}

/* What an answer with nothing but this address comes to, if its name is nobody's. */
static void judge_address(const struct policy *policy, struct facts *facts,
	const struct address *address, uint64_t *decided)
{
	static struct fixture_answer answer;
	struct verdict verdict;
	struct dns_name name = fixture_name("q");
	bool v4 = address_is_v4(address);
	facts->name = dns_name_slice(&name);
	policy_judge_query(policy, facts, &verdict, NULL);
	if (verdict.reason != REASON_NO_MATCH || verdict.monitor_count)
		return;
	fixture_answer_begin(&answer, facts->name, facts->query_type);
	fixture_answer_add(&answer, facts->name, v4 ? DNS_TYPE_A : DNS_TYPE_AAAA,
		slice_of(address->bytes + (v4 ? 12 : 0), v4 ? 4 : 16));
	policy_judge_answer(policy, facts, fixture_answer_open(&answer), &verdict, NULL);
	note_decided(&verdict, decided);
}

static void judge_addresses(const struct policy *policy, struct facts *facts, uint64_t *decided)
{
	struct address address;
	for (uint8_t i = 0; i < 20; i++) {
		address = address_of_v4((const uint8_t[4]){ 192, 0, 2, i });
		judge_address(policy, facts, &address, decided);
	}
	assert_true(address_parse(&address, "2001:db8::1"));
	judge_address(policy, facts, &address, decided);
}

static uint64_t decided_by_force(const struct policy *policy)
{
	static const uint16_t types[] = { DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_TXT };
	static const uint64_t on[] = { 0, 2, 4 };
	uint64_t decided = 0;
	for (unsigned i = 0; i < 3 * 3 * 2; i++) {
		struct facts facts = { .view = FIXTURE_VIEW,
			.query_type = types[i % 3],
			.schedules = on[i / 3 % 3],
			.is_datagram = i / 9 };
		judge_name(policy, &facts, &decided);
		judge_addresses(policy, &facts, &decided);
	}
	return decided;
}

static unsigned check_policy(uint64_t seed)
{
	char texts[RULES_MAX][256];
	struct policy_fixture fixture;
	random_state = seed;
	make_policy(&fixture, texts);
	bend_policy(&fixture);
	struct policy *policy = policy_fixture_build(&fixture, seed);
	struct policy_reach *reach = policy_reach_new(policy, &fixture.spec, UINT64_MAX);
	assert_non_null(reach);
	assert_true(policy_reach_is_whole(reach));
	uint64_t decided = decided_by_force(policy);
	unsigned dead = 0;
	uint16_t number = 0;
	for (uint16_t g = 0; g < fixture.spec.group_count; g++) {
		for (uint16_t i = 0; i < fixture.groups[g].rule_count; i++, number++) {
			/* associations are in the order of their priority, groups as written */
			const struct view_info *view = policy_view(policy, FIXTURE_VIEW);
			size_t at = view->associations[0].group == g ? 0 : 1;
			struct rule_reach found = policy_reach_rule(reach, FIXTURE_VIEW, at, i);
			if (found.decides != (decided >> number & 1))
				fail_msg("POLICY_LINT_SEED=%llu: rule %u (\"%s\") %s",
					(unsigned long long)seed, number,
					policy_rule(policy, number)->name,
					found.decides ? "decides nothing" : "decides something");
			dead += !found.decides;
		}
	}
	policy_reach_free(reach);
	policy_fixture_free(&fixture);
	return dead;
}

static void as_brute_force_finds(void **state)
{
	(void)state;
	const char *seed = getenv("POLICY_LINT_SEED");
	unsigned dead = 0;
	if (seed) {
		check_policy(strtoull(seed, NULL, 10));
		return;
	}
	for (uint64_t i = 1; i <= POLICIES; i++)
		dead += check_policy(i);
	assert_in_range(dead, POLICIES / 5, 2 * POLICIES); /* both happen */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_that_decide_nothing),
		cmocka_unit_test(rules_about_addresses),
		cmocka_unit_test(lists_that_cannot_be_looked_at),
		cmocka_unit_test(schedules),
		cmocka_unit_test(associations_that_observe),
		cmocka_unit_test(what_nothing_refers_to),
		cmocka_unit_test(tokens),
		cmocka_unit_test(views),
		cmocka_unit_test(wildcards_that_miss_their_apex),
		cmocka_unit_test(as_brute_force_finds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
