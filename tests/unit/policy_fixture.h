/* policy_fixture.h - a policy from a few lines of text, and verdicts as text.
 *
 * A rule is "[ASSOCIATION/]PRIORITY ACTION PATTERN[,PATTERN...] [TYPE] [TRUST] [NXDOMAIN ...]
 * [DURING1] [OBSERVE]"; rules of one association (101 unless given) form one group, which OBSERVE
 * makes one that only observes; every rule has a list of its own, in the domains format; what an
 * entry says may stand behind it (facet_words.h). A list "!" could not be loaded. DURING1 is the
 * first schedule. */
#ifndef TESTS_UNIT_POLICY_FIXTURE_H
#define TESTS_UNIT_POLICY_FIXTURE_H

#include "tests/unit/facet_words.h"
#include "tests/unit/policy_texts.h"
#include "tests/unit/rules_fixture.h"

enum { FIXTURE_RULES_MAX = 16, FIXTURE_GROUPS_MAX = 4, FIXTURE_VIEW = 0 };

struct policy_fixture {
	struct domain_list_spec lists[FIXTURE_RULES_MAX];
	struct list_text texts[FIXTURE_RULES_MAX];
	char patterns[FIXTURE_RULES_MAX][DNS_NAME_TEXT_MAX];
	size_t rule_count;
	struct rule_spec rules[FIXTURE_GROUPS_MAX][FIXTURE_RULES_MAX];
	struct rule_group_spec groups[FIXTURE_GROUPS_MAX];
	struct association_spec associations[FIXTURE_GROUPS_MAX];
	struct view_spec view;
	struct policy_spec spec;
	struct policy_texts built;
};

static inline size_t fixture_group(struct policy_fixture *fixture, uint32_t priority)
{
	size_t i = 0;
	while (i < fixture->spec.group_count && fixture->associations[i].priority != priority)
		i++;
	if (i < fixture->spec.group_count)
		return i;
	assert_true(i < FIXTURE_GROUPS_MAX);
	fixture->associations[i] = (struct association_spec){ (uint16_t)i, priority, false };
	fixture->groups[i].name = "group";
	fixture->groups[i].rules = fixture->rules[i];
	fixture->spec.group_count++;
	return i;
}

static inline void fixture_list(struct policy_fixture *fixture, const char *patterns)
{
	size_t i = fixture->rule_count++;
	assert_true(i < FIXTURE_RULES_MAX);
	memcpy(fixture->patterns[i], patterns, strlen(patterns) + 1);
	for (char *comma; (comma = strchr(fixture->patterns[i], ','));)
		*comma = '\n';
	fixture->lists[i] = (struct domain_list_spec){ .name = "list", .format = LIST_DOMAINS };
	fixture->texts[i].text = slice_of_text(fixture->patterns[i]);
	fixture->texts[i].error = strcmp(patterns, "!") == 0 ? -ENOENT : 0;
}

static inline void fixture_rule(struct policy_fixture *fixture, const char *text)
{
	char word[DNS_NAME_TEXT_MAX];
	char *end;
	struct rule_spec rule = { .name = text, .list = (uint16_t)fixture->rule_count };
	assert_true(fixture_word(&text, word, ""));
	uint32_t association = 101;
	rule.priority = (uint32_t)strtoul(word, &end, 10);
	if (*end == '/') {
		association = rule.priority;
		rule.priority = (uint32_t)strtoul(end + 1, &end, 10);
	}
	assert_true(fixture_word(&text, word, "") && action_parse(word, &rule.action));
	assert_true(fixture_word(&text, word, ""));
	fixture_list(fixture, word);
	bool observe = false;
	while (fixture_word(&text, word, "")) {
		if (strcmp(word, "TRUST") == 0)
			rule.redirection = REDIRECTION_TRUST;
		else if (strcmp(word, "OBSERVE") == 0)
			observe = true;
		else if (strncmp(word, "DURING", 6) == 0)
			rule.schedule = (uint8_t)strtoul(word + 6, NULL, 10);
		else if (!block_response_parse(word, &rule.block_response))
			assert_true(dns_type_parse(slice_of_text(word), &rule.query_type));
	}
	size_t group = fixture_group(fixture, association);
	fixture->associations[group].observe |= observe;
	fixture->rules[group][fixture->groups[group].rule_count++] = rule;
}

/* `rules` ends with NULL. */
static inline void policy_fixture_init(struct policy_fixture *fixture, const char *const *rules)
{
	memset(fixture, 0, sizeof *fixture);
	fixture->view = (struct view_spec){ .name = "view",
		.default_action = ACTION_ALLOW,
		.default_block_response = BLOCK_REFUSED,
		.associations = fixture->associations };
	for (; *rules; rules++)
		fixture_rule(fixture, *rules);
	fixture->view.association_count = fixture->spec.group_count;
	fixture->spec.lists = fixture->lists;
	fixture->spec.list_count = fixture->rule_count;
	fixture->spec.groups = fixture->groups;
	fixture->spec.views = &fixture->view;
	fixture->spec.view_count = 1;
	fixture->spec.listener_count = 1;
	fixture->spec.schedule_count = SCHEDULES_MAX; /* the facts say which are on */
}

/* To be freed before it is built again. */
static inline struct policy *policy_fixture_build(struct policy_fixture *fixture, uint64_t salt)
{
	int error = policy_texts_build_with(
		&fixture->built, &fixture->spec, fixture->texts, salt, facet_words_add);
	assert_int_equal(error, 0);
	return fixture->built.policy;
}

static inline void policy_fixture_free(struct policy_fixture *fixture)
{
	policy_texts_free(&fixture->built);
}

/* `when` has the schedules, the exceptions and the time. */
static inline struct verdict fixture_judge_when(const struct policy *policy,
	const struct facts *when, const char *name, uint16_t type, const char *records,
	const struct policy_trace *trace)
{
	struct fixture_answer *answer = malloc(sizeof *answer);
	struct verdict verdict;
	assert_non_null(answer);
	memset(&verdict, 0xa5, sizeof verdict);
	struct dns_name asked = fixture_name(name);
	dns_name_lower(asked.wire, asked.wire, asked.len);
	struct facts facts = *when;
	facts.view = FIXTURE_VIEW;
	facts.query_type = type;
	facts.name = dns_name_slice(&asked);
	policy_judge_query(policy, &facts, &verdict, trace);
	if (!verdict_is_final(&verdict) && records) {
		fixture_answer_begin(answer, dns_name_slice(&asked), type);
		fixture_answer_records(answer, records);
		policy_judge_answer(policy, &facts, fixture_answer_open(answer), &verdict, trace);
	}
	free(answer);
	return verdict;
}

static inline struct verdict fixture_judge(const struct policy *policy, const char *name,
	uint16_t type, const char *records, const struct policy_trace *trace)
{
	const struct facts when = { .now_s = 0 };
	return fixture_judge_when(policy, &when, name, type, records, trace);
}

/* "BLOCK 20 1 c.cdn.test. by *." : action (or how it failed), priority of the rule, hop, the name
 * of the hop when it is not the question (as which `question` is taken), and the entry that
 * matched. */
static inline void fixture_say(const struct policy *policy, const struct verdict *verdict,
	const char *question, char *text, size_t size)
{
	struct dns_name asked = fixture_name(question);
	static const char *const failures[] = {
		[REASON_FAIL_CLOSED] = "SERVFAIL", [REASON_FAIL_OPEN] = "OPEN "
	};
	struct writer to = writer_of(text, size - 1);
	const struct rule_match *match = &verdict->match;
	if (verdict->reason == REASON_FAIL_CLOSED || verdict->reason == REASON_FAIL_OPEN)
		writer_text(&to, failures[verdict->reason]);
	if (verdict->reason != REASON_FAIL_CLOSED)
		writer_text(&to, action_name(verdict->action));
	if (verdict->reason == REASON_DEFAULT)
		writer_text(&to, " default");
	if (verdict->reason == REASON_REBINDING)
		writer_text(&to, " rebinding");
	if (verdict->reason == REASON_EXCEPTION) {
		writer_text(&to, " exception ");
		writer_decimal(&to, verdict->exception);
	}
	if (match->rule != POLICY_NO_ID) {
		writer_text(&to, " ");
		writer_decimal(&to, policy_rule(policy, match->rule)->priority);
	}
	if (match->hop) {
		writer_text(&to, " ");
		writer_decimal(&to, match->hop);
		writer_text(&to, " ");
		dns_name_write_text(&to, dns_name_slice(&verdict->matched_name));
	} else if (match->entry.kind == LIST_ENTRY_NETWORK) {
		writer_text(&to, " ");
		dns_name_write_text(&to, dns_name_slice(&verdict->matched_name));
		writer_text(&to, " ");
		address_write(&to, &verdict->matched_address);
	} else if (verdict->reason == REASON_REBINDING && verdict->matched_name.len) {
		writer_text(&to, " ");
		dns_name_write_text(&to, dns_name_slice(&verdict->matched_name));
	} else {
		assert_int_equal(verdict->matched_name.len, 0);
	}
	if (match->entry.kind) {
		writer_text(&to, " by ");
		policy_entry_write_text(&to, &match->entry,
			verdict_matched_name(verdict, dns_name_slice(&asked)),
			&verdict->matched_address);
	}
	if (verdict->exception && verdict->reason != REASON_EXCEPTION) {
		writer_text(&to, " (");
		writer_decimal(&to, verdict->exception);
		writer_text(&to, ")");
	}
	assert_false(to.failed);
	text[to.len] = '\0';
}

#endif
