/* views.c - views: who may ask, and by which rules. Here stand the two promises about clients: no
 * query has two views that claim it alike, and nobody becomes an open resolver by accident. */
#include "proxy/config/resolve.h"

#include <stdlib.h>

struct view_checks {
	struct resolve *resolve;
	const struct draft_view *drafts;
	struct view_spec *specs;
	size_t count;
};

static void resolve_associations(
	struct resolve *resolve, const struct draft_view *from, struct view_spec *to)
{
	const struct draft_association *associations = from->associations.at;
	size_t count = from->associations.count;
	struct association_spec *specs = resolve_take(resolve, count, sizeof *specs);
	for (size_t i = 0; specs && i < count; i++) {
		specs[i].group = POLICY_NO_ID;
		specs[i].priority = associations[i].priority;
		specs[i].observe = associations[i].mode == DRAFT_OBSERVE;
		if (associations[i].rule_group)
			specs[i].group =
				names_find(&resolve->rule_groups, associations[i].rule_group,
					setting_child(associations[i].element.at, "rule_group"),
					resolve->errors);
	}
	to->associations = specs;
	to->association_count = specs ? count : 0;
}

/* A priority or a group that one view has twice. A view has few associations. */
static void check_associations(
	struct resolve *resolve, const struct draft_view *from, const struct view_spec *spec)
{
	const struct draft_association *drafts = from->associations.at;
	const struct association_spec *all = spec->associations;
	for (size_t i = 1; i < spec->association_count; i++) {
		size_t same_priority = i, same_group = i;
		for (size_t j = i; j-- > 0;) {
			if (all[i].priority && all[j].priority == all[i].priority)
				same_priority = j;
			if (all[i].group != POLICY_NO_ID && all[j].group == all[i].group)
				same_group = j;
		}
		if (same_priority != i)
			problem_with(resolve, &drafts[i], "priority",
				"priority %u is already that of an association of this view: %s",
				all[i].priority,
				LINE_OF(drafts[same_priority].element.at, drafts[i].element.at));
		if (same_group != i)
			problem_with(resolve, &drafts[i], "rule_group",
				"%s is already associated with this view: %s",
				QUOTED(drafts[i].rule_group),
				LINE_OF(drafts[same_group].element.at, drafts[i].element.at));
	}
}

/* Whom the view's questions go to: the first group unless another one is named. */
static void resolve_view_group(struct resolve *resolve, const struct draft_view *from, uint16_t *to)
{
	uint16_t found = 0;
	if (from->upstream_group)
		found = names_find(&resolve->upstream_groups, from->upstream_group,
			setting_child(from->element.at, "upstream_group"), resolve->errors);
	*to = found;
}

static void resolve_view(
	struct resolve *resolve, const struct draft_view *from, struct view_spec *to)
{
	*to = (struct view_spec){
		.name = from->name,
		.clients = from->clients.at,
		.client_count = from->clients.count,
		.default_action = (enum action)from->default_action,
		.default_block_response = (enum block_response)from->default_block_response,
		.fail_mode = (enum fail_mode)from->fail_mode,
		.rebinding_protection = from->rebinding_protection,
	};
	to->listeners = resolve_references(
		resolve, &from->listeners, &resolve->listeners, &to->listener_count);
	resolve_view_identity(resolve, from, to);
	resolve_associations(resolve, from, to);
	check_associations(resolve, from, to);
}

static bool contains_network(const struct network *outer, const char *inner_text)
{
	struct network inner;
	return network_parse(&inner, inner_text) && outer->prefix_len <= inner.prefix_len &&
		network_contains(outer, &inner.address);
}

/* All of the IPv4 internet, or all of IPv6's global unicast (RFC 4291 2.4). */
static bool is_everybody(const struct network *network)
{
	return contains_network(network, "0.0.0.0/0") || contains_network(network, "2000::/3");
}

/* Nothing in it was wrong so far, so it can be compared with others. */
static bool is_sound(const struct draft_view *from, const struct view_spec *view)
{
	return !from->element.broken && view->listener_count == from->listeners.count &&
		view->certificate_count == from->certificates.count &&
		view->token_count == from->tokens.count && view->path_count == from->paths.count &&
		view->tls_name_count == from->tls_names.count;
}

/* The index of a listener through which strangers can reach the view, or POLICY_NO_ID. */
static size_t reachable_listener(const struct resolve *resolve, const struct view_spec *view)
{
	const struct config *config = resolve->config;
	const struct draft_listener *drafts = resolve->draft->listeners.at;
	size_t count = view->listener_count ? view->listener_count : config->listener_count;
	for (size_t i = 0; i < count; i++) {
		size_t index = view->listener_count ? view->listeners[i] : i;
		if (!drafts[index].element.broken &&
			view_identity_fits(view, config->listeners[index].kind) &&
			!resolve_is_loopback(&config->listeners[index].address))
			return index;
	}
	return POLICY_NO_ID;
}

static void check_open(
	struct resolve *resolve, const struct draft_view *from, const struct view_spec *view)
{
	size_t index = reachable_listener(resolve, view);
	if (resolve->config->allow_open_resolver || !is_sound(from, view) || index == POLICY_NO_ID)
		return;
	if (view_identity_is_secret(view))
		return;
	const struct draft_listener *listeners = resolve->draft->listeners.at;
	const char *name = resolve->config->listeners[index].name;
	const char *why = view->client_count ? NULL : "it has no \"clients\"";
	for (size_t i = 0; i < view->client_count; i++)
		if (is_everybody(&view->clients[i]))
			why = "its clients are everybody";
	if (why)
		problem_with(resolve, from, "clients",
			"anybody could use this view through listener \"%s\" (%s), as %s: an "
			"open resolver, which strangers use to flood others; name the networks of "
			"your clients, or set allow_open_resolver = true",
			name ? name : "", LINE_OF(listeners[index].element.at, from->element.at),
			why);
}

/* One network of one view; no clients is the network of everybody. */
struct claim {
	struct network network;
	size_t view;
};

static int compare_claims(const void *a, const void *b)
{
	const struct claim *left = a, *right = b;
	int order = memcmp(&left->network, &right->network, sizeof left->network);
	if (order)
		return order;
	return (left->view > right->view) - (left->view < right->view);
}

/* A listener decides between two views of the same clients only when one names it and the other
 * does not. */
static bool share_listener(const struct view_spec *a, const struct view_spec *b)
{
	if (a->listener_count == 0 || b->listener_count == 0)
		return a->listener_count == b->listener_count;
	for (size_t i = 0; i < a->listener_count; i++)
		for (size_t j = 0; j < b->listener_count; j++)
			if (a->listeners[i] == b->listeners[j])
				return true;
	return false;
}

/* "::/0" and "0.0.0.0/0": who names no clients claims both. */
enum { FAMILIES = 2, V4_PREFIX = 96 };
static const struct network everybody[FAMILIES] = {
	{ .prefix_len = 0 },
	{ .address = { { [10] = 0xff, [11] = 0xff } }, .prefix_len = V4_PREFIX },
};

static size_t collect_claims(const struct view_checks *checks, struct claim *claims)
{
	size_t count = 0;
	for (size_t i = 0; i < checks->count; i++) {
		const struct view_spec *view = &checks->specs[i];
		if (!is_sound(&checks->drafts[i], view))
			continue;
		for (size_t j = 0; view->client_count == 0 && j < FAMILIES; j++)
			claims[count++] = (struct claim){ everybody[j], i };
		for (size_t j = 0; j < view->client_count; j++)
			claims[count++] = (struct claim){ view->clients[j], i };
	}
	return count;
}

static void tell_tie(const struct view_checks *checks, const struct claim *claim, size_t first,
	const struct view_tie_text *by)
{
	const struct draft_view *from = &checks->drafts[claim->view];
	const struct draft_view *other = &checks->drafts[first];
	char text[ADDRESS_TEXT_MAX];
	address_text(&claim->network.address, text);
	unsigned prefix_len = claim->network.prefix_len;
	if (address_is_v4(&claim->network.address) && prefix_len >= 96)
		prefix_len -= 96;
	if (by->text[0])
		problem_in(checks->resolve->errors, from->element.at,
			"view %s of %s claims the clients with %s on the same networks and "
			"listeners as well; nothing says which of the two is meant",
			QUOTED(other->name), LINE_OF(other->element.at, from->element.at),
			by->text);
	else if (checks->specs[claim->view].client_count == 0)
		problem_in(checks->resolve->errors, from->element.at,
			"view %s of %s claims everybody on the same listeners as well; "
			"nothing says which of the two is meant",
			QUOTED(other->name), LINE_OF(other->element.at, from->element.at));
	else
		problem_with(checks->resolve, from, "clients",
			"view %s of %s claims %s/%u on the same listeners as well; nothing "
			"says which of the two is meant",
			QUOTED(other->name), LINE_OF(other->element.at, from->element.at), text,
			prefix_len);
}

/* Do both claim the same client with the same right, who have the same network? Two that claim
 * everybody do so twice; that is told once. */
static bool tie(const struct view_checks *checks, size_t a, size_t b, unsigned prefix_len,
	struct view_tie_text *by)
{
	const struct view_spec *one = &checks->specs[a];
	const struct view_spec *other = &checks->specs[b];
	bool told = one->client_count == 0 && other->client_count == 0 && prefix_len == V4_PREFIX;
	return a != b && !told && share_listener(one, other) &&
		view_identity_ties(checks->resolve, one, other, by);
}

static void check_ties(const struct view_checks *checks)
{
	struct view_tie_text by;
	size_t most = FAMILIES * checks->count;
	for (size_t i = 0; i < checks->count; i++)
		most += checks->specs[i].client_count;
	struct claim *claims = arena_take(checks->resolve->scratch, most, sizeof *claims);
	checks->resolve->no_memory |= !claims;
	size_t count = claims ? collect_claims(checks, claims) : 0;
	if (count)
		qsort(claims, count, sizeof *claims, compare_claims);
	for (size_t i = 1; i < count; i++) {
		for (size_t j = i; j-- > 0;) {
			if (memcmp(&claims[j].network, &claims[i].network,
				    sizeof claims[j].network) != 0)
				break;
			if (!tie(checks, claims[j].view, claims[i].view,
				    claims[i].network.prefix_len, &by))
				continue;
			tell_tie(checks, &claims[i], claims[j].view, &by);
			break;
		}
	}
}

void resolve_views(struct resolve *resolve)
{
	struct view_checks checks = {
		.resolve = resolve,
		.drafts = resolve->draft->views.at,
		.count = resolve->draft->views.count,
	};
	uint16_t *groups = resolve_take(resolve, checks.count, sizeof *groups);
	struct view_config *conducts = resolve_take(resolve, checks.count, sizeof *conducts);
	checks.specs = resolve_take(resolve, checks.count, sizeof *checks.specs);
	resolve->views = names_new("view", checks.count, resolve->scratch);
	resolve->no_memory |= !resolve->views.at;
	for (size_t i = 0; !resolve->no_memory && i < checks.count; i++) {
		const struct draft_view *from = &checks.drafts[i];
		resolve_view(resolve, from, &checks.specs[i]);
		resolve_view_conduct(resolve, from, &checks.specs[i], &conducts[i]);
		resolve_view_group(resolve, from, &groups[i]);
		names_add(&resolve->views, from->name,
			setting_child_or_self(from->element.at, "name"), i);
		check_open(resolve, from, &checks.specs[i]);
	}
	names_check(&resolve->views, resolve->errors);
	if (!resolve->no_memory)
		check_ties(&checks);
	resolve->config->view_groups = groups;
	resolve->config->views = conducts;
	resolve->config->policy.views = checks.specs;
	resolve->config->policy.view_count = checks.count;
	resolve->config->policy.listener_count = resolve->config->listener_count;
}
