/* Expectations: what holds, what is said of those that do not, and that no rule can be changed
 * unnoticed by those that were derived from what the policy does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proxy/expect.h"

#include <stdio.h>
#include <stdlib.h>

#include "proxy/policy_load.h"

/* ---- a policy from a text ---- */

struct world {
	struct config *config;
	struct lists *lists;
	struct policy *policy;
};

static void on_error(
	void *context, const char *file, unsigned line, const char *path, const char *message)
{
	(void)context;
	fail_msg("%s:%u: %s: %s", file, line, path, message);
}

static void open_world(struct world *world, const char *text)
{
	char hash[POLICY_HASH_TEXT_MAX];
	struct config_errors errors = { .on_error = on_error };
	const struct lists_options options = { .must_load = true, .salt = 7 };
	world->config = config_load_text("test.conf", slice_of_text(text), &errors);
	assert_non_null(world->config);
	world->lists = lists_load(world->config, &options, &errors);
	assert_non_null(world->lists);
	world->policy = policy_load(world->config, world->lists, hash, &errors);
	assert_non_null(world->policy);
}

static void close_world(struct world *world)
{
	policy_free(world->policy);
	lists_unref(world->lists);
	config_free(world->config);
}

/* ---- one by one ---- */

/* A Monday, at ten and at twenty o'clock. */
#define AT_WORK    "at = \"2026-11-23T10:00:00Z\"; "
#define AFTER_WORK "at = \"2026-11-23T20:00:00Z\"; "
enum { WORK_S = 1795428000, AFTER_WORK_S = WORK_S + 10 * 3600 };

static const char policy_text[] =
	"listeners = ( { name = \"dns\"; protocol = \"dns\"; address = \"127.0.0.1\"; },"
	" { name = \"dot\"; protocol = \"dot\"; address = \"127.0.0.1\"; } );"
	"tls = { certificate = \"c\"; key = \"k\"; };"
	"domain_lists = ( { name = \"bad\"; domains = [ \"bad.example\", \"*.bad.example\" ]; },"
	" { name = \"good\"; domains = [ \"*.good.example\" ]; },"
	" { name = \"odd\"; domains = [ \"odd.example\" ]; },"
	" { name = \"nets\"; format = \"networks\"; domains = [ \"192.0.2.0/24\" ]; },"
	" { name = \"zone\"; format = \"rpz\"; domains = [ "
	"\"tcp.example CNAME rpz-tcp-only.\" ]; },"
	" { name = \"asked\"; domains = [ \"asked.example\" ]; } );"
	"schedules = ( { name = \"work\"; days = [ \"mon-fri\" ]; hours = [ \"08:00-17:00\" ]; } );"
	"rule_groups = ( { name = \"g\"; rules = ("
	" { name = \"good\"; priority = 1; action = \"ALLOW\"; domain_list = \"good\";"
	"   redirection = \"TRUST\"; },"
	" { name = \"odd\"; priority = 2; action = \"ALERT\"; domain_list = \"odd\"; },"
	" { name = \"bad\"; priority = 3; action = \"BLOCK\"; block_response = \"NXDOMAIN\";"
	"   domain_list = \"bad\"; schedule = \"work\"; },"
	" { name = \"nets\"; priority = 4; action = \"BLOCK\"; block_response = \"NODATA\";"
	"   domain_list = \"nets\"; },"
	" { name = \"zone\"; priority = 5; action = \"GIVEN\"; domain_list = \"zone\"; } ); },"
	" { name = \"walled\"; rules = ( { name = \"asked\"; priority = 1; action = \"ALLOW\";"
	"   domain_list = \"asked\"; } ); } );"
	"views = ( { name = \"lan\"; clients = [ \"10.0.0.0/8\" ];"
	" associations = ( { rule_group = \"g\"; priority = 1; } ); },"
	" { name = \"garden\"; clients = [ \"10.1.0.0/16\" ]; listeners = [ \"dot\", \"dns\" ];"
	" default_action = \"BLOCK\"; default_block_response = \"REFUSED\";"
	" associations = ( { rule_group = \"walled\"; priority = 1; } ); },"
	" { name = \"safe\"; clients = [ \"10.2.0.0/16\" ]; rebinding_protection = true; } );"
	"local_data = ( { name = \"ours.example\"; type = \"A\"; value = \"192.0.2.5\"; },"
	" { name = \"away.example\"; type = \"CNAME\"; value = \"x.bad.example\"; },"
	" { name = \"out.example\"; type = \"CNAME\"; value = \"x.elsewhere.example\"; } );";

static void check_one(const char *expectation, int64_t now_s, const char *message)
{
	static char text[8192];
	char told[EXPECT_MESSAGE_MAX] = "";
	struct world world;
	struct expect_judge judge;
	snprintf(text, sizeof text, "%sexpect = ( { %s } );", policy_text, expectation);
	open_world(&world, text);
	expect_judge_init(&judge, world.config, world.policy, now_s);
	bool holds = expect_holds(&judge, 0, told);
	assert_string_equal(told, message);
	assert_int_equal(holds, *message == '\0');
	assert_int_equal(expect_holds(&judge, 0, NULL), holds);
	close_world(&world);
}

#define LAN        "view = \"lan\"; "
#define GARDEN     "view = \"garden\"; "
#define NAME(text) "name = \"" text "\"; "
#define BLOCK      "verdict = \"BLOCK\"; "
#define ALLOW      "verdict = \"ALLOW\"; "
#define ALERT      "verdict = \"ALERT\"; "

static void test_what_holds(void **state)
{
	(void)state;
	static const struct {
		const char *expectation;
		int64_t now_s;
	} cases[] = {
		{ LAN NAME("X.Bad.example") BLOCK AT_WORK "rule = \"bad\";", 0 },
		{ LAN NAME("x.bad.example") BLOCK AT_WORK "block_response = \"NXDOMAIN\";", 0 },
		{ LAN NAME("x.bad.example") ALLOW AFTER_WORK "rule = \"none\";", 0 },
		{ LAN NAME("x.bad.example") BLOCK, WORK_S },
		{ LAN NAME("x.bad.example") ALLOW, AFTER_WORK_S },
		{ LAN NAME("x.bad.example") BLOCK AT_WORK, AFTER_WORK_S },
		{ LAN NAME("odd.example") ALERT "rule = \"g/odd\";", 0 },
		{ LAN NAME("a.good.example") ALLOW "rule = \"g/good\";", 0 },
		{ LAN NAME("other.example") ALLOW, 0 },
		/* What the answer leads to. */
		{ LAN NAME("a.example") BLOCK AT_WORK "answer = [ \"CNAME x.bad.example\" ];", 0 },
		{ LAN NAME("a.example") ALERT
			"answer = [ \"CNAME odd.example\", \"A 192.0.1.1\" ];",
			0 },
		{ LAN NAME("a.good.example") ALLOW AT_WORK "answer = [ \"CNAME x.bad.example\" ];",
			0 },
		{ LAN NAME("a.example") BLOCK AT_WORK
			"answer = [ \"example. DNAME bad.example.\", \"A 192.0.1.1\" ];",
			0 },
		{ LAN NAME("a.example") BLOCK "rule = \"nets\"; answer = [ \"A 192.0.2.7\" ];", 0 },
		{ LAN NAME("a.example") BLOCK "rule = \"nets\"; type = \"HTTPS\";"
					      "answer = [ \"HTTPS 1 . ipv4hint=192.0.2.7\" ];",
			0 },
		{ LAN NAME("a.example") ALLOW "answer = [ \"A 192.0.1.7\" ];", 0 },
		/* Our own records; behind those that lead away somebody else's. */
		{ LAN NAME("ours.example") ALLOW "answer = [ \"CNAME x.bad.example\" ];" AT_WORK,
			0 },
		{ LAN NAME("away.example") BLOCK "rule = \"bad\";" AT_WORK, 0 },
		{ LAN NAME("out.example") ALLOW, 0 },
		{ LAN NAME("out.example") BLOCK
			"rule = \"nets\"; answer = [ \"x.elsewhere.example A 192.0.2.1\" ];",
			0 },
		/* Who asks, and by what. */
		{ "client = \"10.3.0.1\"; " NAME("x.bad.example") BLOCK AT_WORK, 0 },
		{ "client = \"10.1.0.1\"; " NAME("x.example") BLOCK "block_response = \"REFUSED\";",
			0 },
		{ LAN NAME("tcp.example") BLOCK "block_response = \"TRUNCATE\";", 0 },
		{ LAN NAME("tcp.example") ALLOW "listener = \"dot\";", 0 },
		{ GARDEN NAME("x.example") BLOCK "rule = \"none\";", 0 },
		{ GARDEN NAME("asked.example") ALLOW "rule = \"walled/asked\";", 0 },
		{ "view = \"safe\"; " NAME("x.example") BLOCK
			"rule = \"none\"; answer = [ \"A 10.0.0.1\" ];",
			0 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		check_one(cases[i].expectation, cases[i].now_s, "");
}

static void test_what_is_said_of_failures(void **state)
{
	(void)state;
	static const struct {
		const char *expectation, *message;
	} cases[] = {
		{ LAN NAME("x.Bad.example") ALLOW AT_WORK,
			"x.Bad.example. A in view \"lan\": expected ALLOW, came BLOCK "
			"NXDOMAIN by rule "
			"\"g/bad\" (list \"bad\", entry \"*.bad.example.\")" },
		{ LAN NAME("x.bad.example") BLOCK AFTER_WORK
			"type = \"AAAA\"; title = \"no \\\"bad\\\" ones\";",
			"\"no \"bad\" ones\": x.bad.example. AAAA in view \"lan\": expected BLOCK, "
			"came ALLOW, no rule matches" },
		{ LAN NAME("x.bad.example") BLOCK AT_WORK "block_response = \"NODATA\";",
			"x.bad.example. A in view \"lan\": expected BLOCK NODATA, "
			"came BLOCK NXDOMAIN "
			"by rule \"g/bad\" (list \"bad\", entry \"*.bad.example.\")" },
		{ LAN NAME("odd.example") ALLOW "rule = \"g/good\";",
			"odd.example. A in view \"lan\": expected ALLOW by rule "
			"\"g/good\", came ALERT "
			"by rule \"g/odd\" (list \"odd\", entry \"odd.example.\")" },
		{ LAN NAME("a.good.example") ALLOW "rule = \"none\";",
			"a.good.example. A in view \"lan\": expected ALLOW by no "
			"rule, came ALLOW by "
			"rule \"g/good\" (list \"good\", entry \"*.good.example.\")" },
		{ LAN NAME("a.good.example") ALLOW "rule = \"walled/asked\";",
			"a.good.example. A in view \"lan\": expected ALLOW by rule "
			"\"walled/asked\", "
			"came ALLOW by rule \"g/good\" (list \"good\", entry "
			"\"*.good.example.\")" },
		{ LAN NAME("a.example") ALLOW AT_WORK
			"answer = [ \"CNAME b.example.\", \"CNAME y.bad.example.\" ];",
			"a.example. A in view \"lan\": expected ALLOW, came BLOCK NXDOMAIN by rule "
			"\"g/bad\" (list \"bad\", entry \"*.bad.example.\"), at "
			"y.bad.example. of the "
			"answer" },
		{ LAN NAME("a.example") ALLOW "answer = [ \"A 192.0.2.9\" ];",
			"a.example. A in view \"lan\": expected ALLOW, came BLOCK NODATA by rule "
			"\"g/nets\" (list \"nets\", entry \"192.0.2.0/24\"), at a.example. of the "
			"answer" },
		{ GARDEN NAME("x.example") ALLOW,
			"x.example. A in view \"garden\": expected ALLOW, came BLOCK REFUSED by "
			"default_action" },
		{ "client = \"10.2.0.1\"; " NAME("x.example") ALLOW "answer = [ \"A 10.0.0.1\" ];",
			"x.example. A from 10.2.0.1: expected ALLOW, came BLOCK NODATA by "
			"rebinding_protection" },
		{ "client = \"192.0.2.1\"; " NAME("x.example") BLOCK,
			"x.example. A from 192.0.2.1: expected BLOCK, came REFUSED: "
			"no view claims this "
			"client" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		check_one(cases[i].expectation, 0, cases[i].message);
}

/* ---- all at once ---- */

struct told {
	unsigned count;
	unsigned last_line;
	char last_path[64];
};

static void on_failure(
	void *context, const char *file, unsigned line, const char *path, const char *message)
{
	struct told *told = context;
	assert_string_equal(file, "test.conf");
	assert_true(*message != '\0');
	told->count++;
	told->last_line = line;
	snprintf(told->last_path, sizeof told->last_path, "%s", path);
}

/* As many as there may be; every tenth fails, and each is told at its own line. */
static void test_all_are_told(void **state)
{
	(void)state;
	enum { SIZE = 4 * 1024 * 1024 };
	char *text = malloc(SIZE);
	assert_non_null(text);
	size_t len = (size_t)snprintf(text, SIZE, "%s\nexpect = (\n", policy_text);
	for (int i = 0; i < CONFIG_EXPECTS_MAX; i++)
		len += (size_t)snprintf(text + len, SIZE - len,
			"%s{ view = \"lan\"; name = \"n%d.bad.example\"; verdict = \"%s\"; " AT_WORK
			" }",
			i ? ",\n" : "", i, i % 10 == 9 ? "ALLOW" : "BLOCK");
	snprintf(text + len, SIZE - len, ");");
	struct world world;
	struct told told = { 0 };
	struct expect_judge judge;
	struct config_errors errors = { .on_error = on_failure, .context = &told };
	open_world(&world, text);
	expect_judge_init(&judge, world.config, world.policy, 0);
	assert_false(expect_all_hold(&judge, &errors));
	assert_int_equal(told.count, CONFIG_EXPECTS_MAX / 10);
	assert_int_equal(errors.count, CONFIG_EXPECTS_MAX / 10);
	assert_int_equal(told.last_line, 2 + CONFIG_EXPECTS_MAX);
	assert_string_equal(told.last_path, "expect[9999]");
	close_world(&world);
	free(text);
}

/* ---- no rule can be changed unnoticed ---- */

enum {
	LISTS = 4,
	GROUPS = 2,
	RULES = 3, /* of a group */
	NAMES = 6,
	MOMENTS = 2, /* at work and after */
	TYPES = 2,
	ANSWERS = NAMES + 1, /* none, and a CNAME to each name */
	QUERIES = NAMES * TYPES * MOMENTS * ANSWERS,
	POLICIES = 40,
};

static uint64_t chance_state;

static unsigned chance(unsigned below)
{
	chance_state ^= chance_state << 13;
	chance_state ^= chance_state >> 7;
	chance_state ^= chance_state << 17;
	return (unsigned)(chance_state >> 33) % below;
}

struct toy_rule {
	enum action action;
	enum block_response response;
	unsigned list, priority;
	unsigned type; /* 0: every; else one more than its index in types */
	bool at_work;
	bool trusts;
};

/* A policy, small enough to judge by hand: all in the order of the text. */
struct toy {
	bool has[LISTS][NAMES];
	struct toy_rule rules[GROUPS][RULES];
	bool blocks_by_default;
};

static const uint16_t types[TYPES] = { DNS_TYPE_A, DNS_TYPE_AAAA };

static void make_toy(struct toy *toy)
{
	static const enum action actions[] = { ACTION_ALLOW, ACTION_ALERT, ACTION_BLOCK };
	memset(toy, 0, sizeof *toy);
	toy->blocks_by_default = chance(4) == 0;
	for (int i = 0; i < LISTS; i++)
		for (int j = 0; j < NAMES; j++)
			toy->has[i][j] = chance(2);
	for (int i = 0; i < GROUPS; i++)
		for (unsigned j = 0; j < RULES; j++)
			toy->rules[i][j] = (struct toy_rule){ .action = actions[chance(3)],
				.response = chance(2) ? BLOCK_NODATA : BLOCK_NXDOMAIN,
				.list = chance(LISTS),
				.priority = 10 * (j + 1),
				.type = chance(2) ? chance(TYPES) + 1 : 0,
				.at_work = chance(3) == 0,
				.trusts = chance(3) == 0 };
}

struct query {
	unsigned name, type, moment;
	unsigned answer; /* 0: none; else one more than the name that it leads to */
};

static struct query query_of(unsigned number)
{
	struct query query = { .name = number % NAMES };
	number /= NAMES;
	query.type = number % TYPES;
	number /= TYPES;
	query.moment = number % MOMENTS;
	query.answer = number / MOMENTS;
	return query;
}

/* Which rule decides; -1 in `group`: none does. */
struct toy_verdict {
	enum action action;
	enum block_response response;
	int group, rule;
	bool trusted;
};

static bool toy_matches(const struct toy *toy, const struct toy_rule *rule,
	const struct query *query, unsigned name)
{
	return toy->has[rule->list][name] && (!rule->type || rule->type == query->type + 1) &&
		(!rule->at_work || query->moment == 0);
}

/* The rule that comes first by priority of those that match. */
static struct toy_verdict toy_hop(const struct toy *toy, const struct query *query, unsigned name)
{
	struct toy_verdict verdict = { .action = ACTION_NONE, .group = -1 };
	for (int i = 0; i < GROUPS && verdict.group < 0; i++) {
		unsigned best = UINT32_MAX;
		for (int j = 0; j < RULES; j++) {
			const struct toy_rule *rule = &toy->rules[i][j];
			if (rule->priority >= best || !toy_matches(toy, rule, query, name))
				continue;
			best = rule->priority;
			verdict = (struct toy_verdict){ rule->action, rule->response, i, j,
				rule->trusts };
		}
	}
	if (verdict.group < 0 && toy->blocks_by_default)
		verdict = (struct toy_verdict){ ACTION_BLOCK, BLOCK_REFUSED, -1, 0, false };
	return verdict;
}

static struct toy_verdict toy_judge(const struct toy *toy, const struct query *query)
{
	struct toy_verdict verdict = toy_hop(toy, query, query->name);
	if (verdict.action == ACTION_BLOCK || verdict.trusted || query->answer == 0 ||
		query->answer - 1 == query->name)
		return verdict;
	struct toy_verdict next = toy_hop(toy, query, query->answer - 1);
	bool is_worse = next.action == ACTION_BLOCK ||
		(next.action == ACTION_ALERT && verdict.action != ACTION_ALERT);
	return is_worse ? next : verdict;
}

static bool same_verdict(const struct toy_verdict *a, const struct toy_verdict *b)
{
	bool allow_both = a->action <= ACTION_ALLOW && b->action <= ACTION_ALLOW;
	if (a->group != b->group || (a->group >= 0 && a->rule != b->rule))
		return false;
	return (a->action == b->action || allow_both) &&
		(a->action != ACTION_BLOCK || a->response == b->response);
}

/* Would any query of the universe come to something else? */
static bool does_the_same(const struct toy *a, const struct toy *b)
{
	for (unsigned i = 0; i < QUERIES; i++) {
		struct query query = query_of(i);
		struct toy_verdict one = toy_judge(a, &query), other = toy_judge(b, &query);
		if (!same_verdict(&one, &other))
			return false;
	}
	return true;
}

struct text {
	char at[256 * 1024];
	size_t len;
};

static __attribute__((format(printf, 2, 3))) void put(struct text *text, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	text->len += (size_t)vsnprintf(
		text->at + text->len, sizeof text->at - text->len, format, arguments);
	va_end(arguments);
	assert_true(text->len < sizeof text->at);
}

static void put_lists(struct text *text, const struct toy *toy)
{
	put(text, "domain_lists = (");
	for (int i = 0; i < LISTS; i++) {
		const char *comma = "";
		put(text, "%s{ name = \"l%d\"; domains = [", i ? "," : "", i);
		for (int j = 0; j < NAMES; j++) {
			if (!toy->has[i][j])
				continue;
			put(text, "%s\"n%d.example\"", comma, j);
			comma = ",";
		}
		put(text, "]; }");
	}
	put(text, ");\n");
}

static void put_rules(struct text *text, const struct toy *toy)
{
	put(text, "rule_groups = (");
	for (int i = 0; i < GROUPS; i++) {
		put(text, "%s{ name = \"g%d\"; rules = (", i ? "," : "", i);
		for (int j = 0; j < RULES; j++) {
			const struct toy_rule *rule = &toy->rules[i][j];
			put(text,
				"%s{ name = \"r%d\"; priority = %u; action = \"%s\"; domain_list = "
				"\"l%u\"; redirection = \"%s\";",
				j ? "," : "", j, rule->priority, action_name(rule->action),
				rule->list, rule->trusts ? "TRUST" : "INSPECT");
			if (rule->action == ACTION_BLOCK)
				put(text, "block_response = \"%s\";",
					block_response_name(rule->response));
			if (rule->type)
				put(text, "query_type = \"TYPE%u\";", types[rule->type - 1]);
			if (rule->at_work)
				put(text, "schedule = \"work\";");
			put(text, "}");
		}
		put(text, "); }");
	}
	put(text, ");\n");
}

/* What it does now is what is expected of it. */
static void put_expectation(struct text *text, const struct toy *toy, unsigned number)
{
	struct query query = query_of(number);
	struct toy_verdict verdict = toy_judge(toy, &query);
	put(text,
		"%s{ view = \"v\"; name = \"n%u.example\"; type = \"TYPE%u\"; %s verdict = \"%s\";",
		number ? ",\n" : "\n", query.name, types[query.type],
		query.moment ? AFTER_WORK : AT_WORK,
		verdict.action == ACTION_NONE ? "ALLOW" : action_name(verdict.action));
	if (verdict.action == ACTION_BLOCK)
		put(text, "block_response = \"%s\";", block_response_name(verdict.response));
	if (verdict.group < 0)
		put(text, "rule = \"none\";");
	else
		put(text, "rule = \"g%d/r%d\";", verdict.group, verdict.rule);
	if (query.answer && query.answer - 1 != query.name)
		put(text, "answer = [ \"CNAME n%u.example\" ];", query.answer - 1);
	put(text, "}");
}

static void put_toy(struct text *text, const struct toy *toy)
{
	text->len = 0;
	put(text,
		"listeners = ( { protocol = \"dns\"; address = \"127.0.0.1\"; } );\n"
		"schedules = ( { name = \"work\"; hours = [ \"08:00-17:00\" ]; } );\n");
	put_lists(text, toy);
	put_rules(text, toy);
	put(text,
		"views = ( { name = \"v\"; default_action = \"%s\"; default_block_response = "
		"\"REFUSED\"; associations = ( { rule_group = \"g0\"; priority = 1; },"
		" { rule_group = \"g1\"; priority = 2; } ); } );\nexpect = (",
		toy->blocks_by_default ? "BLOCK" : "ALLOW");
	for (unsigned i = 0; i < QUERIES; i++)
		put_expectation(text, toy, i);
	put(text, ");\n");
}

/* How one rule may be changed; false when that changes nothing of it. */
static bool mutate(struct toy *toy, int group, int number, int kind)
{
	struct toy_rule *rule = &toy->rules[group][number];
	struct toy_rule *next = &toy->rules[group][(number + 1) % RULES];
	unsigned priority = rule->priority;
	switch (kind) {
	case 0: rule->action = rule->action == ACTION_ALLOW ? ACTION_ALERT : ACTION_ALLOW; break;
	case 1: rule->action = rule->action == ACTION_BLOCK ? ACTION_ALERT : ACTION_BLOCK; break;
	case 2: rule->response = (enum block_response) !rule->response; break;
	case 3: rule->list = (rule->list + 1) % LISTS; break;
	case 4:
		rule->priority = next->priority;
		next->priority = priority;
		break;
	case 5: rule->trusts = !rule->trusts; break;
	case 6: rule->type = (rule->type + 1) % (TYPES + 1); break;
	case 7: rule->at_work = !rule->at_work; break;
	default: return false;
	}
	return true;
}

/* The same lists and expectations, and the rules as they are now. */
static struct policy *build_mutant(const struct world *world, const struct toy *toy)
{
	struct policy_spec spec = world->config->policy;
	struct rule_group_spec groups[GROUPS];
	struct rule_spec rules[GROUPS][RULES];
	const struct policy_lists lists = lists_for_policy(world->lists);
	int error;
	for (int i = 0; i < GROUPS; i++) {
		for (int j = 0; j < RULES; j++) {
			const struct toy_rule *rule = &toy->rules[i][j];
			rules[i][j] = spec.groups[i].rules[j];
			rules[i][j].action = rule->action;
			rules[i][j].block_response = rule->response;
			rules[i][j].list = (uint16_t)rule->list;
			rules[i][j].priority = rule->priority;
			rules[i][j].query_type = rule->type ? types[rule->type - 1] : 0;
			rules[i][j].schedule = rule->at_work;
			rules[i][j].redirection =
				rule->trusts ? REDIRECTION_TRUST : REDIRECTION_INSPECT;
		}
		groups[i] = (struct rule_group_spec){ spec.groups[i].name, rules[i], RULES };
	}
	spec.groups = groups;
	struct policy *policy = policy_build(&spec, &lists, &error);
	assert_non_null(policy);
	return policy;
}

static bool all_hold(const struct world *world, const struct policy *policy)
{
	struct expect_judge judge;
	bool all = true;
	expect_judge_init(&judge, world->config, policy, 0);
	for (size_t i = 0; i < world->config->expect_count && all; i++)
		all = expect_holds(&judge, i, NULL);
	return all;
}

/* Every rule, in every way: noticed when anything of what is asked comes to something else, and
 * only then. */
static unsigned check_mutants(const struct world *world, const struct toy *toy)
{
	unsigned noticed = 0;
	for (int group = 0; group < GROUPS; group++) {
		for (int rule = 0; rule < RULES; rule++) {
			struct toy mutant = *toy;
			for (int kind = 0; mutate(&mutant, group, rule, kind); kind++) {
				struct policy *policy = build_mutant(world, &mutant);
				bool is_same = does_the_same(toy, &mutant);
				assert_int_equal(all_hold(world, policy), is_same);
				noticed += !is_same;
				policy_free(policy);
				mutant = *toy;
			}
		}
	}
	return noticed;
}

static void test_no_rule_changes_unnoticed(void **state)
{
	(void)state;
	static struct text text;
	unsigned noticed = 0;
	chance_state = 0x9e3779b97f4a7c15;
	for (int i = 0; i < POLICIES; i++) {
		struct toy toy;
		struct world world;
		make_toy(&toy);
		put_toy(&text, &toy);
		open_world(&world, text.at);
		assert_int_equal(world.config->expect_count, QUERIES);
		assert_true(all_hold(&world, world.policy));
		noticed += check_mutants(&world, &toy);
		close_world(&world);
	}
	assert_true(noticed > POLICIES * GROUPS * RULES * 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_holds),
		cmocka_unit_test(test_what_is_said_of_failures),
		cmocka_unit_test(test_all_are_told),
		cmocka_unit_test(test_no_rule_changes_unnoticed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
