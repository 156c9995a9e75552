/* policy_fuzz.c - a policy from fuzzed lists judges a fuzzed question and a fuzzed answer.
 *
 * Input: a byte of options, three bytes of rules, a byte with the question's type; then, each
 * behind a length of two bytes, the texts of three lists; what is left is an answer as it came from
 * an upstream. The same is judged once more in a group that only observes, and with exceptions of
 * names of the lists. Checked: the image says what a linear scan of the lists says, for every name
 * of the answer; a verdict is one that the semantics allow, and is never made better by an answer.
 */
#include "tests/unit/policy_texts.h"

#include "dns/types.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LISTS = 3, SCANNED_MAX = 512, EXCEPTIONS = 4 };

#define MUST(what)                                                                                 \
	do {                                                                                       \
		if (!(what))                                                                       \
			abort();                                                                   \
	} while (0)

struct scanned {
	struct dns_name name;
	enum pattern_kind kind;
	unsigned list;
};

struct scan {
	struct scanned *patterns;
	size_t count;
	unsigned list;
};

static int on_scanned(void *context, const struct list_pattern *pattern)
{
	struct scan *scan = context;
	if (scan->count == SCANNED_MAX)
		return -1;
	scan->patterns[scan->count++] =
		(struct scanned){ *pattern->name, pattern->kind, scan->list };
	return 0;
}

/* The length of the shortest or longest pattern of a list that matches; 0 when none does. */
static size_t scan_list(const struct scan *scan, unsigned list, struct slice name, bool shortest)
{
	size_t best = 0;
	for (size_t i = 0; i < scan->count; i++) {
		const struct scanned *pattern = &scan->patterns[i];
		struct slice own = dns_name_slice(&pattern->name);
		bool below = dns_name_is_under(name, own) && name.len > own.len;
		bool hit = (pattern->kind & PATTERN_EXACT && dns_name_equals(name, own)) ||
			(pattern->kind & PATTERN_BELOW && below);
		if (pattern->list != list || !hit)
			continue;
		if (best == 0 || (shortest ? own.len < best : own.len > best))
			best = own.len;
	}
	return best;
}

struct watching {
	const struct policy *policy;
	const struct scan *scan;
	struct dns_name name; /* of the hop */
	unsigned hop;
	bool decided;
};

static void on_name(void *context, unsigned hop, struct slice name)
{
	struct watching *watching = context;
	MUST(hop == 0 || hop > watching->hop);
	MUST(hop <= POLICY_HOPS_MAX);
	MUST(dns_name_check(name) == name.len);
	watching->hop = hop;
	watching->decided = false;
	watching->name.len = (uint8_t)name.len;
	memcpy(watching->name.wire, name.at, name.len);
}

static void on_rule(void *context, const struct rule_match *match, const struct rule_fit *fit)
{
	struct watching *watching = context;
	const struct rule_info *rule = policy_rule(watching->policy, match->rule);
	struct slice name = dns_name_slice(&watching->name);
	size_t longest = scan_list(watching->scan, match->list, name, false);
	MUST(match->hop == watching->hop && match->group == rule->group);
	MUST(fit->list_matched == (longest > 0));
	MUST(fit->list_matched == (match->entry.kind != 0));
	/* What a shorter one covers is left out. */
	if (fit->list_matched) {
		size_t len = policy_entry_name(&match->entry, name).len;
		MUST(len <= longest && len >= scan_list(watching->scan, match->list, name, true));
	}
	MUST((fit->decisive || match->observed) ==
		(rule_fits(fit) && !watching->decided && rule->action != ACTION_MONITOR));
	watching->decided |= fit->decisive || match->observed;
}

static void on_exception(void *context, const struct exception *exception)
{
	struct watching *watching = context;
	struct slice name = dns_name_slice(&watching->name);
	MUST(dns_name_is_under(name, dns_name_slice(&exception->name)));
	watching->decided = true;
}

static unsigned badness(const struct verdict *verdict)
{
	if (verdict_is_final(verdict))
		return 2;
	return verdict->action == ACTION_ALERT;
}

static void check_verdict(const struct policy *policy, const struct verdict *verdict)
{
	const struct rule_match *match = &verdict->match;
	MUST(verdict->action < ACTION_MONITOR);
	MUST(verdict->monitor_count <= VERDICT_MONITORS_MAX);
	MUST((verdict->reason == REASON_RULE) <= (match->rule != POLICY_NO_ID));
	if (verdict->reason != REASON_REBINDING)
		MUST((match->hop > 0) == (verdict->matched_name.len > 0));
	if (verdict->reason == REASON_REBINDING)
		MUST(verdict->action == ACTION_BLOCK && match->rule == POLICY_NO_ID);
	MUST(verdict->reason != REASON_FAIL_CLOSED || verdict->action == ACTION_NONE);
	for (unsigned i = 0; i < verdict->monitor_count; i++)
		MUST((policy_rule(policy, verdict->monitors[i].rule)->action == ACTION_MONITOR) !=
			verdict->monitors[i].observed);
	MUST(verdict->reason != REASON_EXCEPTION ||
		(verdict->exception != 0 && match->rule == POLICY_NO_ID));
	if (match->rule == POLICY_NO_ID)
		return;
	enum action action = policy_rule(policy, match->rule)->action;
	MUST(action == verdict->action ||
		(action == ACTION_GIVEN && verdict->action == ACTION_BLOCK));
	MUST(match->entry.kind >= PATTERN_EXACT && match->entry.kind <= PATTERN_BOTH);
}

static bool same_verdicts(const struct verdict *a, const struct verdict *b)
{
	return a->action == b->action && a->reason == b->reason && a->trusted == b->trusted &&
		a->match.rule == b->match.rule && a->match.hop == b->match.hop &&
		a->match.entry.kind == b->match.entry.kind &&
		a->match.entry.labels == b->match.entry.labels && a->exception == b->exception &&
		a->monitor_count == b->monitor_count;
}

static struct verdict judge(const struct policy *policy, const struct facts *facts,
	const struct dns_answer *answer, const struct policy_trace *trace)
{
	struct verdict verdict;
	policy_judge_query(policy, facts, &verdict, trace);
	check_verdict(policy, &verdict);
	unsigned before = badness(&verdict);
	policy_judge_answer(policy, facts, answer, &verdict, trace);
	check_verdict(policy, &verdict);
	MUST(badness(&verdict) >= before);
	return verdict;
}

/* Of the names that the first list has, in turn. */
static struct exceptions *exceptions_of(const struct scan *scan)
{
	struct exception at[EXCEPTIONS];
	size_t count = 0;
	for (size_t i = 0; i < scan->count && count < EXCEPTIONS; i++, count++)
		at[count] = (struct exception){ .id = (uint32_t)count + 1,
			.action = count % 2 ? ACTION_ALLOW : ACTION_BLOCK,
			.kind = scan->patterns[i].kind,
			.name = scan->patterns[i].name,
			.until_s = 1 };
	return exceptions_new(at, count);
}

static void judge_message(
	const struct policy *policy, const struct scan *scan, uint16_t type, struct slice message)
{
	struct dns_answer answer;
	struct dns_name name;
	struct watching watching = { .policy = policy, .scan = scan };
	struct policy_trace trace = { .on_name = on_name,
		.on_exception = on_exception,
		.on_rule = on_rule,
		.context = &watching };
	if (dns_answer_open(&answer, message) != 0)
		return;
	name.len = (uint8_t)answer.name.len;
	dns_name_lower(name.wire, answer.name.at, answer.name.len);
	struct facts facts = { .query_type = type, .name = dns_name_slice(&name) };
	struct verdict watched = judge(policy, &facts, &answer, &trace);
	struct verdict unwatched = judge(policy, &facts, &answer, NULL);
	MUST(same_verdicts(&watched, &unwatched));
	facts.exceptions = exceptions_of(scan);
	MUST(facts.exceptions);
	watching.hop = 0;
	watched = judge(policy, &facts, &answer, &trace);
	unwatched = judge(policy, &facts, &answer, NULL);
	MUST(same_verdicts(&watched, &unwatched));
	exceptions_unref((struct exceptions *)(uintptr_t)facts.exceptions);
}

static struct slice take_text(struct reader *input)
{
	size_t len = reader_u16(input);
	return reader_bytes(input, len < reader_left(input) ? len : reader_left(input));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct scanned patterns[SCANNED_MAX];
	struct reader input = reader_of(slice_of(data, size));
	struct scan scan = { .patterns = patterns };
	struct domain_list_spec lists[LISTS] = { { .name = "0" }, { .name = "1" },
		{ .name = "2" } };
	struct list_text texts[LISTS];
	struct rule_spec rules[LISTS];
	struct association_spec association = { 0, 1, false };
	uint8_t options = reader_u8(&input);
	const enum action actions[4] = { ACTION_ALLOW, ACTION_ALERT,
		options & 0x80 ? ACTION_GIVEN : ACTION_BLOCK, ACTION_MONITOR };
	for (unsigned i = 0; i < LISTS; i++) {
		uint8_t bits = reader_u8(&input);
		rules[i] = (struct rule_spec){ .name = "rule",
			.priority = bits & 7u,
			.list = (uint16_t)i,
			.action = actions[(bits >> 3) % 4],
			.redirection = bits & 0x20 ? REDIRECTION_TRUST : REDIRECTION_INSPECT,
			.query_type = bits & 0x40 ? DNS_TYPE_A : 0 };
	}
	uint16_t type = reader_u8(&input);
	for (unsigned i = 0; i < LISTS; i++) {
		struct list_sink sink = { .on_pattern = on_scanned, .context = &scan };
		texts[i] = (struct list_text){ .text = take_text(&input) };
		lists[i].format = (enum list_format)((options + i) % (LIST_WILDCARD + 1));
		scan.list = i;
		if (list_read(lists[i].format, texts[i].text, &sink) != 0)
			return 0;
	}
	struct rule_group_spec group = { "group", rules, LISTS };
	struct view_spec view = { .name = "view",
		.default_action = options & 0x10 ? ACTION_BLOCK : ACTION_ALLOW,
		.fail_mode = options & 0x20 ? FAIL_OPEN : FAIL_CLOSED,
		.rebinding_protection = options & 0x40,
		.associations = &association,
		.association_count = 1 };
	const struct dns_name exception = { 9,
		"\x07"
		"example" };
	struct policy_spec spec = { .lists = lists,
		.list_count = LISTS,
		.groups = &group,
		.group_count = 1,
		.views = &view,
		.view_count = 1,
		.rebinding_exceptions = &exception,
		.rebinding_exception_count = 1 };
	struct policy_texts built;
	MUST(policy_texts_build(&built, &spec, texts, options) == 0);
	struct slice message = reader_bytes(&input, reader_left(&input));
	judge_message(built.policy, &scan, type, message);
	policy_texts_free(&built);
	association.observe = true;
	MUST(policy_texts_build(&built, &spec, texts, options) == 0);
	judge_message(built.policy, &scan, type, message);
	policy_texts_free(&built);
	return 0;
}
