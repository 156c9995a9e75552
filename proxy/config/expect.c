/* expect.c - tests of the policy: whom, what and when they ask, and what is to come of it. They are
 * run by proxy/expect.c. */
#include "proxy/config/resolve.h"

#include <stdio.h>

/* All rules under their names and under "group/rule"; the same name may be in many groups. */
static struct names name_rules(struct resolve *resolve)
{
	const struct policy_spec *policy = &resolve->config->policy;
	size_t most = 1;
	for (size_t i = 0; i < policy->group_count; i++)
		most += 2 * policy->groups[i].rule_count;
	struct names names = names_new("rule", most, resolve->scratch);
	resolve->no_memory |= !names.at;
	for (size_t i = 0; !resolve->no_memory && i < policy->group_count; i++) {
		const struct rule_group_spec *group = &policy->groups[i];
		for (size_t j = 0; j < group->rule_count; j++) {
			char text[256];
			const char *rule = group->rules[j].name;
			if (!rule || !group->name)
				continue;
			snprintf(text, sizeof text, "%s/%s", group->name, rule);
			names_add(&names, rule, NULL, j);
			names_add(&names, arena_text(resolve->scratch, text), NULL, j);
		}
	}
	names_add(&names, EXPECT_NO_RULE, NULL, 0);
	names_check(&names, resolve->errors);
	return names;
}

static void resolve_listener(
	struct resolve *resolve, const struct draft_expect *from, struct expect_config *to)
{
	const struct view_spec *views = resolve->config->policy.views;
	if (from->listener)
		to->listener = names_find(&resolve->listeners, from->listener,
			setting_child(from->element.at, "listener"), resolve->errors);
	else if (to->view != POLICY_NO_ID && views[to->view].listener_count)
		to->listener = views[to->view].listeners[0];
}

static void resolve_asker(
	struct resolve *resolve, const struct draft_expect *from, struct expect_config *to)
{
	bool has_client = is_given(from, "client");
	to->client = from->client;
	to->view = POLICY_NO_ID;
	if (from->view)
		to->view = names_find(&resolve->views, from->view,
			setting_child(from->element.at, "view"), resolve->errors);
	if (from->element.broken)
		return;
	if (memchr(from->name.wire, '*', from->name.len))
		problem_with(resolve, from, "name",
			"an asterisk stands for nothing here: write one name");
	if (!has_client && !from->view)
		problem_in(resolve->errors, from->element.at,
			"who asks? it needs a \"view\" or a \"client\"");
	if (has_client && from->view)
		problem_with(resolve, from, "client",
			"a \"client\" finds its view itself: leave one of the two out");
}

static void resolve_verdict(struct resolve *resolve, const struct draft_expect *from,
	struct expect_config *to, const struct names *rules)
{
	to->verdict = (enum action)from->verdict;
	to->block_response = from->block_response;
	to->rule = from->rule;
	if (from->rule)
		names_find(rules, from->rule, setting_child(from->element.at, "rule"),
			resolve->errors);
	if (is_given(from, "block_response") && from->verdict != ACTION_BLOCK &&
		from->verdict != DRAFT_NO_WORD)
		problem_with(resolve, from, "block_response", "only a BLOCK has a block_response");
}

/* The same text once for all that stand in a file. */
static const char *keep_file(
	struct resolve *resolve, const char *file, const struct expect_config *before)
{
	if (before && strcmp(before->file, file) == 0)
		return before->file;
	const char *kept = arena_text(&resolve->config->memory, file);
	resolve->no_memory |= !kept;
	return kept ? kept : "";
}

void resolve_expects(struct resolve *resolve)
{
	const struct draft_expect *from = resolve->draft->expects.at;
	size_t count = resolve->draft->expects.count;
	struct expect_config *to = resolve_take(resolve, count, sizeof *to);
	if (resolve->no_memory || count == 0)
		return;
	struct names rules = name_rules(resolve);
	for (size_t i = 0; !resolve->no_memory && i < count; i++) {
		to[i].title = from[i].title;
		to[i].question = from[i].name;
		to[i].type = from[i].type;
		to[i].now_s = from[i].at_s;
		to[i].file =
			keep_file(resolve, from[i].element.at->file, i > 0 ? &to[i - 1] : NULL);
		to[i].line = from[i].element.at->line;
		resolve_asker(resolve, &from[i], &to[i]);
		resolve_listener(resolve, &from[i], &to[i]);
		resolve_verdict(resolve, &from[i], &to[i], &rules);
	}
	resolve_expect_answers(resolve, from, to, count);
	resolve->config->expects = to;
	resolve->config->expect_count = count;
}
