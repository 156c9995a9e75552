/* firewall.c - rule groups: what policy_build() compiles. */
#include "proxy/config/resolve.h"

#include "proxy/config/builtin.h"
#include "rules/policy.h"

#include <stdlib.h>

/* Can a rule of this action block? GIVEN: where the entry says nothing else. */
static bool may_block(const struct draft_rule *rule)
{
	return rule->action == ACTION_BLOCK || rule->action == ACTION_GIVEN;
}

/* What goes with the action and what does not. */
static void check_block_response(struct resolve *resolve, const struct draft_rule *rule)
{
	bool given = is_given(rule, "block_response");
	if (rule->action == ACTION_BLOCK && !given)
		problem_in(resolve->errors, rule->element.at,
			"a BLOCK rule needs a \"block_response\", such as \"NXDOMAIN\"");
	if (!may_block(rule) && given && rule->action != DRAFT_NO_WORD)
		problem_with(resolve, rule, "block_response",
			"only a BLOCK or GIVEN rule has a block_response");
}

/* Keys that one block response needs and the others must not have. */
static void check_response_key(struct resolve *resolve, const struct draft_rule *rule,
	const char *key, enum block_response owner, bool needed)
{
	bool owns = may_block(rule) && rule->block_response == (int)owner;
	bool unknown = rule->action == DRAFT_NO_WORD ||
		(rule->action == ACTION_BLOCK && rule->block_response == DRAFT_NO_WORD) ||
		(rule->action == ACTION_GIVEN && is_given(rule, "block_response") &&
			rule->block_response == DRAFT_NO_WORD);
	if (owns && needed && !is_given(rule, key))
		problem_in(resolve->errors, rule->element.at, "block_response %s needs \"%s\"",
			block_response_name(owner), key);
	if (!owns && !unknown && is_given(rule, key))
		problem_with(resolve, rule, key, "only block_response %s has %s",
			block_response_name(owner), key);
}

static void check_override_domain(struct resolve *resolve, const struct draft_rule *rule)
{
	if (rule->override_domain.len &&
		memchr(rule->override_domain.wire, '*', rule->override_domain.len))
		problem_with(resolve, rule, "override_domain",
			"an asterisk stands for nothing here: write one name");
}

static void resolve_rule_schedule(
	struct resolve *resolve, const struct draft_rule *from, struct rule_spec *to)
{
	uint16_t found = names_find(&resolve->schedules, from->schedule,
		setting_child(from->element.at, "schedule"), resolve->errors);
	to->schedule = found == POLICY_NO_ID ? 0 : (uint8_t)(found + 1);
}

static void resolve_rule(
	struct resolve *resolve, const struct draft_rule *from, struct rule_spec *to)
{
	check_block_response(resolve, from);
	check_response_key(resolve, from, "override_domain", BLOCK_OVERRIDE, true);
	check_response_key(resolve, from, "override_ttl", BLOCK_OVERRIDE, false);
	check_response_key(resolve, from, "addresses", BLOCK_ADDRESS, true);
	check_override_domain(resolve, from);
	*to = (struct rule_spec){
		.name = from->name,
		.priority = from->priority,
		.action = (enum action)from->action,
		.override_domain = from->override_domain,
		.override_ttl_s = from->override_ttl_s,
		.addresses = from->addresses.at,
		.address_count = from->addresses.count,
		.list = POLICY_NO_ID,
		.query_type = from->query_type,
		.redirection = (enum redirection)from->redirection,
	};
	if (may_block(from))
		to->block_response = from->block_response == DRAFT_NO_WORD
			? BLOCK_NXDOMAIN
			: (enum block_response)from->block_response;
	if (from->schedule)
		resolve_rule_schedule(resolve, from, to);
	if (from->domain_list)
		to->list = names_find(&resolve->domain_lists, from->domain_list,
			setting_child(from->element.at, "domain_list"), resolve->errors);
}

struct priority {
	unsigned priority;
	const struct setting *at;
	size_t index;
};

static int compare_priorities(const void *a, const void *b)
{
	const struct priority *left = a, *right = b;
	if (left->priority != right->priority)
		return left->priority < right->priority ? -1 : 1;
	return (left->index > right->index) - (left->index < right->index);
}

static void check_rule_priorities(struct resolve *resolve, const struct draft_rule_group *group)
{
	const struct draft_rule *rules = group->rules.at;
	size_t count = 0;
	struct priority *priorities =
		arena_take(resolve->scratch, group->rules.count, sizeof *priorities);
	resolve->no_memory |= !priorities;
	for (size_t i = 0; priorities && i < group->rules.count; i++)
		if (rules[i].priority)
			priorities[count++] = (struct priority){ rules[i].priority,
				setting_child_or_self(rules[i].element.at, "priority"), i };
	if (count)
		qsort(priorities, count, sizeof *priorities, compare_priorities);
	for (size_t i = 1; i < count; i++)
		if (priorities[i].priority == priorities[i - 1].priority)
			problem_in(resolve->errors, priorities[i].at,
				"priority %u is already that of a rule of this group: %s",
				priorities[i].priority,
				LINE_OF(priorities[i - 1].at, priorities[i].at));
}

static void resolve_group(
	struct resolve *resolve, const struct draft_rule_group *from, struct rule_group_spec *to)
{
	const struct draft_rule *rules = from->rules.at;
	struct rule_spec *specs = resolve_take(resolve, from->rules.count, sizeof *specs);
	struct names names = names_new("rule of this group", from->rules.count, resolve->scratch);
	resolve->no_memory |= !names.at;
	for (size_t i = 0; !resolve->no_memory && i < from->rules.count; i++) {
		resolve_rule(resolve, &rules[i], &specs[i]);
		names_add(&names, rules[i].name, setting_child_or_self(rules[i].element.at, "name"),
			i);
	}
	names_check(&names, resolve->errors);
	check_rule_priorities(resolve, from);
	*to = (struct rule_group_spec){ from->name, specs, from->rules.count };
}

void resolve_rules(struct resolve *resolve)
{
	const struct draft_rule_group *from = resolve->draft->rule_groups.at;
	size_t count = resolve->draft->rule_groups.count;
	size_t rule_count = 0;
	struct rule_group_spec *to = resolve_take(resolve, count + 1, sizeof *to);
	resolve->rule_groups = names_new("rule group", count + 1, resolve->scratch);
	resolve->no_memory |= !resolve->rule_groups.at;
	for (size_t i = 0; !resolve->no_memory && i < count; i++) {
		resolve_group(resolve, &from[i], &to[i]);
		names_add(&resolve->rule_groups, from[i].name,
			setting_child_or_self(from[i].element.at, "name"), i);
		rule_count += from[i].rules.count;
	}
	names_add(&resolve->rule_groups, builtin_client_health, NULL, count);
	names_check(&resolve->rule_groups, resolve->errors);
	if (rule_count > POLICY_RULES_MAX)
		problem_in(resolve->errors,
			setting_child_or_self(resolve->draft->element.at, "rule_groups"),
			"%zu rules in all groups together; at most %d are allowed", rule_count,
			POLICY_RULES_MAX);
	resolve->groups = to;
	resolve->config->policy.groups = to;
	resolve->config->policy.group_count = count;
}
