#include "rules/policy_lint.h"

#include <stdlib.h>

#include "base/error.h"
#include "rules/policy_parts.h"
#include "rules/policy_reach.h"

struct lint {
	const struct policy *policy;
	const struct policy_spec *spec;
	const struct policy_lint_options *options;
	struct policy_reach *reach;
	policy_lint_fn on_finding;
	void *context;
};

struct policy_finding policy_finding_of(enum policy_lint_kind kind)
{
	return (struct policy_finding){
		.kind = kind,
		.view = POLICY_NO_ID,
		.group = POLICY_NO_ID,
		.rule = POLICY_NO_ID,
		.list = POLICY_NO_ID,
		.token = POLICY_NO_ID,
		.schedule = POLICY_NO_ID,
		.by = POLICY_NO_ID,
	};
}

static void tell(const struct lint *lint, const struct policy_finding *finding)
{
	lint->on_finding(lint->context, finding);
}

/* ---- rules ---- */

/* What all associations of a rule's group say of it. */
struct rule_state {
	uint32_t views;
	uint32_t dead;
	uint16_t dead_in; /* the first view */
	bool matches;
	uint16_t by;
	bool by_others;
};

static void add_association(struct rule_state *state, uint16_t view, const struct rule_reach *found)
{
	state->views++;
	state->matches |= found->matches;
	if (found->decides)
		return;
	if (state->dead++ == 0)
		state->dead_in = view;
	state->by_others |= found->by_others ||
		(state->by != POLICY_NO_ID && found->by != POLICY_NO_ID && state->by != found->by);
	if (state->by == POLICY_NO_ID)
		state->by = found->by;
}

static struct rule_state state_of(const struct lint *lint, uint16_t group, uint16_t rule)
{
	struct rule_state state = { .dead_in = POLICY_NO_ID, .by = POLICY_NO_ID };
	for (size_t i = 0; i < lint->policy->view_count; i++) {
		const struct view_info *view = &lint->policy->views[i];
		for (size_t j = 0; j < view->association_count; j++) {
			if (view->associations[j].group != group)
				continue;
			struct rule_reach found =
				policy_reach_rule(lint->reach, (uint16_t)i, j, rule);
			add_association(&state, (uint16_t)i, &found);
		}
	}
	return state;
}

static bool is_never_on(const struct lint *lint, const struct rule_info *rule)
{
	return rule->schedule && !schedule_is_ever_on(&lint->spec->schedules[rule->schedule - 1]);
}

static enum policy_lint_kind kind_of(
	const struct lint *lint, const struct rule_info *rule, const struct rule_state *state)
{
	const struct list_info *list = &lint->policy->lists[rule->list];
	if (is_never_on(lint, rule))
		return POLICY_LINT_NEVER_ON;
	if (list->number == POLICY_NO_ID)
		return POLICY_LINT_NOT_EXAMINED;
	if (list->entry_count == 0)
		return POLICY_LINT_EMPTY;
	if (!policy_reach_is_whole(lint->reach))
		return POLICY_LINT_NOT_EXAMINED;
	return state->matches ? POLICY_LINT_SHADOWED : POLICY_LINT_NOTHING;
}

static void look_at_rule(const struct lint *lint, enum policy_lint_kind wanted, uint16_t at)
{
	const struct rule_info *rule = &lint->policy->rules[at];
	uint16_t first = lint->policy->groups[rule->group].first_rule;
	struct rule_state state = state_of(lint, rule->group, (uint16_t)(at - first));
	if (state.dead == 0 || kind_of(lint, rule, &state) != wanted)
		return;
	struct policy_finding finding = policy_finding_of(wanted);
	finding.view = state.dead_in;
	finding.group = rule->group;
	finding.rule = at;
	finding.list = rule->list;
	finding.schedule = rule->schedule ? (uint16_t)(rule->schedule - 1) : POLICY_NO_ID;
	finding.view_count = state.dead;
	finding.view_total = state.views;
	finding.by = wanted == POLICY_LINT_SHADOWED ? state.by : POLICY_NO_ID;
	finding.by_others = state.by_others;
	tell(lint, &finding);
}

static void look_at_rules(const struct lint *lint, enum policy_lint_kind wanted)
{
	for (size_t i = 0; i < lint->policy->rule_count; i++)
		look_at_rule(lint, wanted, (uint16_t)i);
}

/* ---- views ---- */

/* Does anything but its address and the listener make a client this view's? */
static bool wants_identity(const struct view_spec *view)
{
	return view->certificate_count || view->token_count || view->path_count ||
		view->tls_name_count;
}

static bool is_found(
	const struct lint *lint, uint16_t view, uint16_t listener, const struct address *client)
{
	const struct claims claims = {
		.client = *client, .listener = listener, .now_s = lint->options->now_s
	};
	return policy_find_view(lint->policy, &claims).view == view;
}

/* Who has an address changes only where a network begins or ends. */
static bool is_found_at_edges(const struct lint *lint, uint16_t view, uint16_t listener,
	const struct network *networks, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct address behind;
		network_behind(&networks[i], &behind); /* all zeros behind the last */
		if (is_found(lint, view, listener, &networks[i].address) ||
			is_found(lint, view, listener, &behind))
			return true;
	}
	return false;
}

static bool is_found_at_all(const struct lint *lint, uint16_t view, uint16_t listener)
{
	static const struct network all[] = {
		{ .prefix_len = 0 },
		{ .address = { { [10] = 0xff, [11] = 0xff } }, .prefix_len = 96 },
	};
	const struct policy_spec *spec = lint->spec;
	const struct view_spec *own = &spec->views[view];
	if (is_found_at_edges(lint, view, listener, own->clients, own->client_count) ||
		is_found_at_edges(lint, view, listener, all, sizeof all / sizeof *all))
		return true;
	for (size_t i = 0; i < spec->view_count; i++)
		if (is_found_at_edges(lint, view, listener, spec->views[i].clients,
			    spec->views[i].client_count))
			return true;
	return false;
}

/* A token of which nobody knows another that is still good. */
static bool all_tokens_expired(const struct lint *lint, const struct view_spec *view)
{
	for (size_t i = 0; i < view->token_count; i++) {
		int64_t until_s = lint->spec->tokens[view->tokens[i]].until_s;
		if (until_s == 0 || until_s > lint->options->now_s)
			return false;
	}
	return view->token_count > 0;
}

/* Of views that want more than an address no more is said than that their tokens are no good: who
 * else claims a client depends on what the client shows. */
static bool is_reachable(const struct lint *lint, uint16_t number)
{
	const struct view_spec *view = &lint->spec->views[number];
	if (wants_identity(view))
		return !all_tokens_expired(lint, view);
	for (size_t i = 0; i < lint->spec->listener_count; i++)
		if (is_found_at_all(lint, number, (uint16_t)i))
			return true;
	return lint->spec->listener_count == 0;
}

static void look_for_unreachable(const struct lint *lint, enum policy_lint_kind kind)
{
	for (size_t i = 0; i < lint->spec->view_count; i++) {
		if (is_reachable(lint, (uint16_t)i))
			continue;
		struct policy_finding finding = policy_finding_of(kind);
		finding.view = (uint16_t)i;
		tell(lint, &finding);
	}
}

static void look_for_observed(const struct lint *lint, enum policy_lint_kind kind)
{
	for (size_t i = 0; i < lint->policy->view_count; i++) {
		const struct view_info *view = &lint->policy->views[i];
		for (size_t j = 0; j < view->association_count; j++) {
			if (!view->associations[j].observe)
				continue;
			struct policy_finding finding = policy_finding_of(kind);
			finding.view = (uint16_t)i;
			finding.group = view->associations[j].group;
			tell(lint, &finding);
		}
	}
}

/* ---- what nothing refers to ---- */

static bool group_is_used(const struct policy_spec *spec, size_t group)
{
	for (size_t i = 0; i < spec->view_count; i++)
		for (size_t j = 0; j < spec->views[i].association_count; j++)
			if (spec->views[i].associations[j].group == group)
				return true;
	return false;
}

static void look_for_idle_groups(const struct lint *lint, enum policy_lint_kind kind)
{
	for (size_t i = 0; i < lint->spec->group_count; i++) {
		if (group_is_used(lint->spec, i))
			continue;
		struct policy_finding finding = policy_finding_of(kind);
		finding.group = (uint16_t)i;
		tell(lint, &finding);
	}
}

static void look_for_idle_lists(const struct lint *lint, enum policy_lint_kind kind)
{
	uint64_t used[POLICY_LISTS_MAX / 64 + 1] = { 0 };
	for (size_t i = 0; i < lint->policy->rule_count; i++) {
		uint16_t list = lint->policy->rules[i].list;
		used[list / 64] |= UINT64_C(1) << list % 64;
	}
	for (size_t i = 0; i < lint->spec->list_count; i++) {
		if (used[i / 64] >> i % 64 & 1)
			continue;
		struct policy_finding finding = policy_finding_of(kind);
		finding.list = (uint16_t)i;
		tell(lint, &finding);
	}
}

static void look_for_idle_schedules(const struct lint *lint, enum policy_lint_kind kind)
{
	uint64_t used = 0;
	for (size_t i = 0; i < lint->policy->rule_count; i++)
		if (lint->policy->rules[i].schedule)
			used |= UINT64_C(1) << (lint->policy->rules[i].schedule - 1);
	for (size_t i = 0; i < lint->spec->schedule_count; i++) {
		if (used >> i & 1)
			continue;
		struct policy_finding finding = policy_finding_of(kind);
		finding.schedule = (uint16_t)i;
		tell(lint, &finding);
	}
}

static uint16_t view_of_token(const struct policy_spec *spec, size_t token)
{
	for (size_t i = 0; i < spec->view_count; i++)
		for (size_t j = 0; j < spec->views[i].token_count; j++)
			if (spec->views[i].tokens[j] == token)
				return (uint16_t)i;
	return POLICY_NO_ID;
}

static void look_at_tokens(const struct lint *lint, enum policy_lint_kind kind)
{
	for (size_t i = 0; i < lint->spec->token_count; i++) {
		int64_t until_s = lint->spec->tokens[i].until_s;
		bool is_over = until_s && until_s <= lint->options->now_s;
		struct policy_finding finding = policy_finding_of(kind);
		finding.token = (uint16_t)i;
		finding.view = view_of_token(lint->spec, i);
		bool is_used = finding.view != POLICY_NO_ID;
		if (kind == POLICY_LINT_TOKEN_UNUSED ? !is_used : is_used && is_over)
			tell(lint, &finding);
	}
}

/* ---- wildcards that miss their apex ---- */

struct apexes {
	const struct lint *lint;
	struct policy_finding *found; /* of each list of the image */
};

static bool is_wildcard(const struct image *image, const struct image_says *says)
{
	return says->kind == PATTERN_BELOW &&
		image_list(image, says->list)->format == LIST_DOMAINS &&
		image_facet(image, says->facet)->effect == FACET_LISTED;
}

static bool on_apex(void *context, const struct image_name *name)
{
	struct apexes *apexes = context;
	const struct image *image = apexes->lint->policy->image;
	struct image_matches matches;
	for (size_t i = 0; i < name->count && name->name.len > 1; i++) {
		struct image_says says = image_name_says(image, name, i);
		struct policy_finding *found = &apexes->found[says.list];
		if (!is_wildcard(image, &says) ||
			(image_find(image, name->name, DNS_TYPE_A, &matches) &&
				image_matches_have(&matches, says.list)))
			continue;
		if (found->count++ > 0 && !slice_precedes(name->name, found->name))
			continue;
		found->name = name->name;
		found->pattern = says.kind;
	}
	return true;
}

static int look_for_apexes(const struct lint *lint, enum policy_lint_kind kind)
{
	const struct policy *policy = lint->policy;
	struct apexes apexes = { .lint = lint };
	if (!policy->image)
		return 0;
	apexes.found = calloc(image_list_count(policy->image) + 1, sizeof *apexes.found);
	if (!apexes.found)
		return ERR_NO_MEMORY;
	image_each_name(policy->image, on_apex, &apexes);
	for (size_t i = 0; i < policy->list_count; i++) {
		uint16_t number = policy->lists[i].number;
		if (number == POLICY_NO_ID || apexes.found[number].count == 0)
			continue;
		struct policy_finding finding = policy_finding_of(kind);
		finding.list = (uint16_t)i;
		finding.count = apexes.found[number].count;
		finding.name = apexes.found[number].name;
		finding.pattern = apexes.found[number].pattern;
		tell(lint, &finding);
	}
	free(apexes.found);
	return 0;
}

/* A row for each kind. */
static void (*const looks[POLICY_LINT_KINDS])(
	const struct lint *lint, enum policy_lint_kind kind) = {
	[POLICY_LINT_EMPTY] = look_at_rules,
	[POLICY_LINT_NOTHING] = look_at_rules,
	[POLICY_LINT_NEVER_ON] = look_at_rules,
	[POLICY_LINT_SHADOWED] = look_at_rules,
	[POLICY_LINT_NOT_EXAMINED] = look_at_rules,
	[POLICY_LINT_UNREACHABLE] = look_for_unreachable,
	[POLICY_LINT_OBSERVED] = look_for_observed,
	[POLICY_LINT_GROUP_UNUSED] = look_for_idle_groups,
	[POLICY_LINT_LIST_UNUSED] = look_for_idle_lists,
	[POLICY_LINT_SCHEDULE_UNUSED] = look_for_idle_schedules,
	[POLICY_LINT_TOKEN_UNUSED] = look_at_tokens,
	[POLICY_LINT_TOKEN_EXPIRED] = look_at_tokens,
};

int policy_lint(const struct policy *policy, const struct policy_spec *spec,
	const struct policy_lint_options *options, policy_lint_fn on_finding, void *context)
{
	struct lint lint = { policy, spec, options, NULL, on_finding, context };
	uint64_t steps_max = options->steps_max ? options->steps_max : POLICY_LINT_STEPS_MAX;
	lint.reach = policy_reach_new(policy, spec, steps_max);
	if (!lint.reach)
		return ERR_NO_MEMORY;
	for (unsigned kind = 0; kind < POLICY_LINT_KINDS; kind++)
		if (looks[kind])
			looks[kind](&lint, (enum policy_lint_kind)kind);
	policy_reach_free(lint.reach);
	return look_for_apexes(&lint, POLICY_LINT_APEX);
}
