#include "rules/policy_reach.h"

#include <stdlib.h>

#include "rules/policy_parts.h"

enum {
	LOOK_UP_STEPS = 16,
	ROUNDS_MAX = SCHEDULES_MAX + 1,
};

struct policy_reach {
	const struct policy *policy;
	struct rule_reach *rules; /* of all associations of all views, one after the other */
	size_t *firsts;           /* of each view; one more at the end */
	uint32_t *open_in_view;   /* rules of which nothing is known to be decided */
	uint32_t open_of_list[IMAGE_LISTS_MAX]; /* the same, by their list's number in the image */
	size_t open;
	uint16_t *types; /* that rules or entries speak of, and one more */
	size_t type_count;
	bool has_tcp_only;
	uint8_t rounds[ROUNDS_MAX]; /* schedules that are tried, as rules have them */
	size_t round_count;
	uint64_t never; /* bits of schedules that are never on */
	uint64_t steps;
	uint64_t steps_max;
};

/* What is tried: one name or address, with what the lists say of it. */
struct probe {
	uint16_t type;
	bool is_datagram;
	uint8_t schedule; /* the only one that is on */
	const struct image_matches *matches;
};

/* ---- one probe ---- */

/* As find_outcome() of policy_judge.c has it; the tests compare both. */
static bool entry_counts(
	const struct policy *policy, const struct rule_info *rule, const struct probe *probe)
{
	const struct list_entry *entry = &probe->matches->entries[policy->lists[rule->list].number];
	const struct facet *facet = image_facet(policy->image, entry->facet);
	if (rule->action != ACTION_GIVEN || facet->effect == FACET_PASS)
		return rule->action == ACTION_GIVEN || facet->effect != FACET_PASS;
	return facet->given != GIVEN_TCP_ONLY || probe->is_datagram;
}

static bool rule_matches(
	const struct policy *policy, const struct rule_info *rule, const struct probe *probe)
{
	uint16_t number = policy->lists[rule->list].number;
	return (rule->query_type == 0 || rule->query_type == probe->type) &&
		(rule->schedule == 0 || rule->schedule == probe->schedule) &&
		number < IMAGE_LISTS_MAX && image_matches_have(probe->matches, number) &&
		entry_counts(policy, rule, probe);
}

static void close_rule(struct policy_reach *reach, uint16_t view, const struct rule_info *rule)
{
	reach->open--;
	reach->open_in_view[view]--;
	reach->open_of_list[reach->policy->lists[rule->list].number]--;
}

static bool is_open(const struct policy_reach *reach, const struct rule_info *rule,
	const struct rule_reach *found)
{
	return !found->decides && reach->policy->lists[rule->list].number < IMAGE_LISTS_MAX &&
		!(rule->schedule && reach->never >> (rule->schedule - 1) & 1);
}

/* A rule that matches, and who decided before it did. */
static void take_match(struct policy_reach *reach, uint16_t view, const struct rule_info *rule,
	struct rule_reach *found, uint16_t decided_by)
{
	found->matches = true;
	if (decided_by == POLICY_NO_ID) {
		if (is_open(reach, rule, found))
			close_rule(reach, view, rule);
		found->decides = true;
		return;
	}
	found->by_others |= found->by != POLICY_NO_ID && found->by != decided_by;
	if (found->by == POLICY_NO_ID)
		found->by = decided_by;
}

/* Who decides about the probe in this group, if nobody did before. */
static uint16_t try_group(struct policy_reach *reach, uint16_t view, uint16_t number,
	struct rule_reach *found, const struct probe *probe, uint16_t decided_by)
{
	const struct policy_group *group = &reach->policy->groups[number];
	for (uint16_t i = 0; i < group->rule_count; i++) {
		uint16_t at = (uint16_t)(group->first_rule + i);
		const struct rule_info *rule = &reach->policy->rules[at];
		if (!rule_matches(reach->policy, rule, probe))
			continue;
		take_match(reach, view, rule, &found[i], decided_by);
		if (decided_by == POLICY_NO_ID && rule->action != ACTION_MONITOR)
			decided_by = at;
	}
	reach->steps += group->rule_count;
	return decided_by;
}

static void try_view(struct policy_reach *reach, uint16_t number, const struct probe *probe)
{
	const struct view_info *view = &reach->policy->views[number];
	struct rule_reach *found = reach->rules + reach->firsts[number];
	uint16_t decided_by = POLICY_NO_ID;
	for (size_t i = 0; i < view->association_count; i++) {
		const struct association_spec *association = &view->associations[i];
		uint16_t by =
			try_group(reach, number, association->group, found, probe, decided_by);
		if (!association->observe)
			decided_by = by;
		found += reach->policy->groups[association->group].rule_count;
	}
}

static void try_views(struct policy_reach *reach, struct probe *probe)
{
	for (size_t round = 0; round < reach->round_count; round++) {
		probe->schedule = reach->rounds[round];
		for (size_t view = 0; view < reach->policy->view_count; view++)
			if (reach->open_in_view[view])
				try_view(reach, (uint16_t)view, probe);
	}
}

static void try_matches(
	struct policy_reach *reach, uint16_t type, const struct image_matches *matches)
{
	struct probe probe = { .type = type, .matches = matches };
	try_views(reach, &probe);
	probe.is_datagram = true;
	if (reach->has_tcp_only)
		try_views(reach, &probe);
}

static bool is_done(const struct policy_reach *reach)
{
	return reach->open == 0 || reach->steps > reach->steps_max;
}

/* ---- names ---- */

static void try_name(struct policy_reach *reach, struct slice name)
{
	struct image_matches matches;
	for (size_t i = 0; i < reach->type_count && !is_done(reach); i++) {
		reach->steps += LOOK_UP_STEPS;
		if (image_find(reach->policy->image, name, reach->types[i], &matches))
			try_matches(reach, reach->types[i], &matches);
	}
}

/* Does an entry do more than add its name, so that what is below may be another matter? */
static bool is_odd(const struct facet *facet)
{
	return facet->effect != FACET_LISTED || facet->type_count > 0 ||
		facet->given == GIVEN_TCP_ONLY;
}

/* Where plain entries of other lists stand and none of ours, a rule that decides decides about what
 * is above as well: those entries do not help it. */
static bool matters(const struct policy_reach *reach, const struct image_name *name)
{
	const struct image *image = reach->policy->image;
	for (size_t i = 0; i < name->count; i++) {
		struct image_says says = image_name_says(image, name, i);
		if (reach->open_of_list[says.list] > 0 || is_odd(image_facet(image, says.facet)))
			return true;
	}
	return false;
}

static bool on_name(void *context, const struct image_name *name)
{
	struct policy_reach *reach = context;
	uint8_t buffer[DNS_NAME_MAX];
	if (!matters(reach, name))
		return true;
	try_name(reach, name->name);
	struct slice below = image_name_below(name->name, buffer);
	if (below.len)
		try_name(reach, below);
	return !is_done(reach);
}

/* ---- addresses ---- */

static void try_address(struct policy_reach *reach, const struct address *address)
{
	struct image_matches matches;
	for (size_t i = 0; i < reach->type_count && !is_done(reach); i++) {
		memset(matches.lists, 0, sizeof matches.lists);
		reach->steps += LOOK_UP_STEPS;
		if (image_find_address(reach->policy->image, address, reach->types[i], &matches))
			try_matches(reach, reach->types[i], &matches);
	}
}

/* Where one network begins or ends, and nowhere else, addresses change their class. */
static bool on_network(void *context, const struct network *network, uint16_t facet)
{
	struct policy_reach *reach = context;
	struct address behind;
	(void)facet;
	try_address(reach, &network->address);
	if (network_behind(network, &behind))
		try_address(reach, &behind);
	return !is_done(reach);
}

static void try_networks(struct policy_reach *reach)
{
	const struct policy *policy = reach->policy;
	static const struct network v4 = { .address = { { [10] = 0xff, [11] = 0xff } },
		.prefix_len = 96 };
	bool any = false;
	for (size_t i = 0; i < policy->list_count; i++)
		any |= policy->lists[i].has_networks &&
			reach->open_of_list[policy->lists[i].number];
	if (!any)
		return;
	on_network(reach, &v4, 0);
	for (size_t i = 0; i < policy->list_count && !is_done(reach); i++)
		if (policy->lists[i].has_networks)
			image_each_network(
				policy->image, policy->lists[i].number, on_network, reach);
}

/* ---- what has to be tried ---- */

static int compare_types(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

/* Sorted, each once, and behind them one that is none of them. */
static void settle_types(struct policy_reach *reach)
{
	uint16_t *types = reach->types;
	size_t count = 0;
	uint16_t other = DNS_TYPE_A;
	if (reach->type_count)
		qsort(types, reach->type_count, sizeof *types, compare_types);
	for (size_t i = 0; i < reach->type_count; i++)
		if (count == 0 || types[count - 1] != types[i])
			types[count++] = types[i];
	for (size_t i = 0; i < count; i++)
		if (types[i] == other)
			other++;
	types[count++] = other;
	reach->type_count = count;
}

static void add_types_of(struct policy_reach *reach, const struct facet *facet)
{
	reach->has_tcp_only |= facet->given == GIVEN_TCP_ONLY;
	for (unsigned i = 0; i < facet->type_count; i++)
		reach->types[reach->type_count++] = facet->types[i];
}

static bool collect_types(struct policy_reach *reach)
{
	const struct policy *policy = reach->policy;
	size_t facet_count = image_facet_count(policy->image);
	size_t most = policy->rule_count + 1 + facet_count * FACET_TYPES_MAX;
	reach->types = calloc(most, sizeof *reach->types);
	if (!reach->types)
		return false;
	for (size_t i = 0; i < policy->rule_count; i++)
		if (policy->rules[i].query_type)
			reach->types[reach->type_count++] = policy->rules[i].query_type;
	for (size_t i = 0; i < facet_count; i++)
		add_types_of(reach, image_facet(policy->image, (uint16_t)i));
	settle_types(reach);
	return true;
}

static void collect_rounds(struct policy_reach *reach, const struct policy_spec *spec)
{
	uint64_t used = 0;
	for (size_t i = 0; i < spec->schedule_count; i++)
		if (!schedule_is_ever_on(&spec->schedules[i]))
			reach->never |= UINT64_C(1) << i;
	for (size_t i = 0; i < reach->policy->rule_count; i++)
		if (reach->policy->rules[i].schedule)
			used |= UINT64_C(1) << (reach->policy->rules[i].schedule - 1);
	reach->rounds[reach->round_count++] = 0;
	for (uint8_t i = 0; i < SCHEDULES_MAX; i++)
		if ((used & ~reach->never) >> i & 1)
			reach->rounds[reach->round_count++] = (uint8_t)(i + 1);
}

static size_t count_rules(const struct policy *policy, const struct view_info *view)
{
	size_t count = 0;
	for (size_t i = 0; i < view->association_count; i++)
		count += policy->groups[view->associations[i].group].rule_count;
	return count;
}

static void open_view(struct policy_reach *reach, uint16_t number)
{
	const struct view_info *view = &reach->policy->views[number];
	struct rule_reach *found = reach->rules + reach->firsts[number];
	for (size_t i = 0; i < view->association_count; i++) {
		const struct policy_group *group =
			&reach->policy->groups[view->associations[i].group];
		for (uint16_t n = 0; n < group->rule_count; n++, found++) {
			const struct rule_info *rule = &reach->policy->rules[group->first_rule + n];
			found->by = POLICY_NO_ID;
			if (!is_open(reach, rule, found))
				continue;
			reach->open++;
			reach->open_in_view[number]++;
			reach->open_of_list[reach->policy->lists[rule->list].number]++;
		}
	}
}

static bool open_views(struct policy_reach *reach)
{
	const struct policy *policy = reach->policy;
	reach->firsts = calloc(policy->view_count + 1, sizeof *reach->firsts);
	reach->open_in_view = calloc(policy->view_count + 1, sizeof *reach->open_in_view);
	if (!reach->firsts || !reach->open_in_view)
		return false;
	for (size_t i = 0; i < policy->view_count; i++)
		reach->firsts[i + 1] = reach->firsts[i] + count_rules(policy, &policy->views[i]);
	reach->rules = calloc(reach->firsts[policy->view_count] + 1, sizeof *reach->rules);
	if (!reach->rules)
		return false;
	for (size_t i = 0; i < policy->view_count; i++)
		open_view(reach, (uint16_t)i);
	return true;
}

struct policy_reach *policy_reach_new(
	const struct policy *policy, const struct policy_spec *spec, uint64_t steps_max)
{
	struct policy_reach *reach = calloc(1, sizeof *reach);
	if (!reach)
		return NULL;
	reach->policy = policy;
	reach->steps_max = steps_max;
	collect_rounds(reach, spec);
	if (!open_views(reach) || (policy->image && !collect_types(reach))) {
		policy_reach_free(reach);
		return NULL;
	}
	if (policy->image && reach->open)
		image_each_name(policy->image, on_name, reach);
	if (policy->image && !is_done(reach))
		try_networks(reach);
	return reach;
}

void policy_reach_free(struct policy_reach *reach)
{
	if (!reach)
		return;
	free(reach->rules);
	free(reach->firsts);
	free(reach->open_in_view);
	free(reach->types);
	free(reach);
}

bool policy_reach_is_whole(const struct policy_reach *reach)
{
	return reach->steps <= reach->steps_max;
}

struct rule_reach policy_reach_rule(
	const struct policy_reach *reach, uint16_t view, size_t association, uint16_t rule)
{
	const struct view_info *info = &reach->policy->views[view];
	size_t at = reach->firsts[view];
	for (size_t i = 0; i < association; i++)
		at += reach->policy->groups[info->associations[i].group].rule_count;
	return reach->rules[at + rule];
}
