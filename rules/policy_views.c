/* policy_views.c - which view has a client? And the views themselves. */
#include "rules/policy_parts.h"

#include "base/error.h"

#include <stdlib.h>

/* "::/0" and "0.0.0.0/0". */
static const struct network every_client[] = {
	{ .prefix_len = 0 },
	{ .address = { { [10] = 0xff, [11] = 0xff } }, .prefix_len = 96 },
};

/* A view without `clients` is for all of them. */
static size_t network_count(const struct view_spec *view)
{
	return view->client_count ? view->client_count : 2;
}

static const struct network *network_of(const struct view_spec *view, size_t i)
{
	return view->client_count ? &view->clients[i] : &every_client[i];
}

static bool names_listener(const struct view_spec *view, size_t listener)
{
	for (size_t i = 0; i < view->listener_count; i++)
		if (view->listeners[i] == listener)
			return true;
	return false;
}

static size_t count_networks(const struct policy_spec *spec)
{
	size_t count = 0;
	for (size_t i = 0; i < spec->view_count; i++)
		count += network_count(&spec->views[i]);
	return count;
}

/* The networks of all views that hold on a listener; returns how many. */
static size_t collect_networks(
	const struct policy_spec *spec, size_t listener, struct net_set_entry *entries)
{
	size_t count = 0;
	for (size_t i = 0; i < spec->view_count; i++) {
		const struct view_spec *view = &spec->views[i];
		bool named = names_listener(view, listener);
		if (!named && view->listener_count > 0)
			continue;
		for (size_t n = 0; n < network_count(view); n++)
			entries[count++] = (struct net_set_entry){
				.network = *network_of(view, n),
				.value = (uint16_t)i,
				.rank = named,
			};
	}
	return count;
}

static int build_listeners(struct policy *policy, const struct policy_spec *spec)
{
	policy->listeners =
		arena_take(&policy->memory, spec->listener_count, sizeof *policy->listeners);
	struct net_set_entry *entries = malloc((count_networks(spec) + 1) * sizeof *entries);
	int error = policy->listeners && entries ? 0 : ERR_NO_MEMORY;
	for (size_t i = 0; i < spec->listener_count && !error; i++) {
		size_t count = collect_networks(spec, i, entries);
		error = net_set_build(&policy->listeners[i], entries, count);
		policy->listener_count += !error;
	}
	free(entries);
	return error;
}

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
	return build_listeners(policy, spec);
}

struct admission policy_find_view(const struct policy *policy, const struct claims *claims)
{
	struct admission found = { .view = POLICY_NO_ID, .by = CLAIM_NETWORK };
	if (claims->listener < policy->listener_count)
		found.view = net_set_find(&policy->listeners[claims->listener], &claims->client);
	found.fault = found.view == POLICY_NO_ID ? ADMISSION_NO_VIEW : ADMISSION_FINE;
	return found;
}

const struct view_info *policy_view(const struct policy *policy, uint16_t view)
{
	return view < policy->view_count ? &policy->views[view] : NULL;
}

size_t policy_view_count(const struct policy *policy)
{
	return policy->view_count;
}

/* Both for every listener, or one listener named by both. */
static bool share_listener(const struct view_spec *a, const struct view_spec *b)
{
	if (a->listener_count == 0 || b->listener_count == 0)
		return a->listener_count == b->listener_count;
	for (size_t i = 0; i < a->listener_count; i++)
		if (names_listener(b, a->listeners[i]))
			return true;
	return false;
}

struct claim {
	struct network network;
	uint16_t view;
};

static int compare_networks(const struct claim *a, const struct claim *b)
{
	int order = memcmp(a->network.address.bytes, b->network.address.bytes,
		sizeof a->network.address.bytes);
	return order ? order : a->network.prefix_len - b->network.prefix_len;
}

static int compare_claims(const void *a, const void *b)
{
	const struct claim *one = a;
	const struct claim *other = b;
	int order = compare_networks(one, other);
	return order ? order : one->view - other->view;
}

/* The first claim behind `claim` that ties with it; NULL when there is none. */
static const struct claim *find_rival(
	const struct policy_spec *spec, const struct claim *claim, const struct claim *end)
{
	for (const struct claim *other = claim + 1; other < end; other++) {
		if (compare_networks(claim, other) != 0)
			return NULL;
		if (other->view != claim->view &&
			share_listener(&spec->views[claim->view], &spec->views[other->view]))
			return other;
	}
	return NULL;
}

static struct claim *sorted_claims(const struct policy_spec *spec, size_t *count)
{
	struct claim *claims = malloc((count_networks(spec) + 1) * sizeof *claims);
	*count = 0;
	if (!claims)
		return NULL;
	for (size_t i = 0; i < spec->view_count; i++)
		for (size_t n = 0; n < network_count(&spec->views[i]); n++)
			claims[(*count)++] = (struct claim){
				.network = *network_of(&spec->views[i], n),
				.view = (uint16_t)i,
			};
	qsort(claims, *count, sizeof *claims, compare_claims);
	return claims;
}

bool policy_view_tie(
	const struct policy_spec *spec, uint16_t *a, uint16_t *b, struct network *network)
{
	size_t count;
	struct claim *claims = sorted_claims(spec, &count);
	const struct claim *rival = NULL;
	for (size_t i = 0; i < count && !rival; i++) {
		rival = find_rival(spec, &claims[i], claims + count);
		if (!rival)
			continue;
		*a = claims[i].view;
		*b = rival->view;
		if (network)
			*network = claims[i].network;
	}
	free(claims);
	return rival != NULL;
}
