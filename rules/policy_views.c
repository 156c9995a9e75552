/* policy_views.c - the views themselves; whose they are is in policy_classes.c and
 * policy_admit.c. */
#include "rules/policy_parts.h"

#include "base/error.h"

#include <stdlib.h>

static int compare_associations(const void *a, const void *b)
{
	const struct association_spec *one = a;
	const struct association_spec *other = b;
	if (one->priority != other->priority)
		return one->priority < other->priority ? -1 : 1;
	return one->group < other->group ? -1 : one->group > other->group;
}

/* What the lists of a group mean for a view that uses it. A group that only observes does the view
 * no harm: without its list a rule does not match. */
static void note_lists(const struct policy *policy, const struct policy_group *group, bool observe,
	struct view_info *view)
{
	for (unsigned i = 0; i < group->rule_count; i++) {
		const struct rule_info *rule = &policy->rules[group->first_rule + i];
		view->failed |= policy->lists[rule->list].error != 0 && !observe;
		view->has_networks |= policy->lists[rule->list].has_networks;
	}
}

static int build_associations(
	struct policy *policy, struct view_info *to, const struct view_spec *from)
{
	struct association_spec *associations =
		arena_take(&policy->memory, from->association_count, sizeof *associations);
	if (!associations)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < from->association_count; i++) {
		associations[i] = from->associations[i];
		if (associations[i].group >= policy->group_count)
			return ERR_INVALID;
		note_lists(policy, &policy->groups[associations[i].group], associations[i].observe,
			to);
		to->enforces |= !associations[i].observe;
	}
	qsort(associations, from->association_count, sizeof *associations, compare_associations);
	to->associations = associations;
	to->association_count = from->association_count;
	return 0;
}

static int build_view(struct policy *policy, struct view_info *to, const struct view_spec *from)
{
	to->default_action = from->default_action;
	to->default_block_response = from->default_block_response;
	to->fail_mode = from->fail_mode;
	to->rebinding_protection = from->rebinding_protection;
	to->svcb = from->svcb;
	to->enforces = from->default_action == ACTION_BLOCK;
	to->name = from->name ? arena_text(&policy->memory, from->name) : NULL;
	if (from->name && !to->name)
		return ERR_NO_MEMORY;
	return build_associations(policy, to, from);
}

int policy_views_build(struct policy *policy, const struct policy_spec *spec)
{
	policy->view_count = spec->view_count;
	policy->views = arena_take(&policy->memory, spec->view_count, sizeof *policy->views);
	if (!policy->views)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < spec->view_count; i++) {
		int error = build_view(policy, &policy->views[i], &spec->views[i]);
		if (error)
			return error;
	}
	return policy_classes_build(policy, spec);
}

const struct view_info *policy_view(const struct policy *policy, uint16_t view)
{
	return view < policy->view_count ? &policy->views[view] : NULL;
}

size_t policy_view_count(const struct policy *policy)
{
	return policy->view_count;
}
