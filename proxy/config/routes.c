/* routes.c - names that are asked elsewhere than the rest; and the names that may have private
 * addresses, which those are by themselves. */
#include "proxy/config/resolve.h"

#include <stdlib.h>

#include "rules/policy.h"

enum { VIEW_WORDS = POLICY_VIEWS_MAX / 64 };

/* The views of a route as bits. */
struct view_set {
	uint64_t words[VIEW_WORDS];
	bool is_every; /* it names none */
};

struct route_checks {
	struct resolve *resolve;
	const struct draft_route *drafts;
	struct route_config *routes;
	struct view_set *views;
	size_t count;
};

static struct dns_name *copy_domains(struct dns_name *to, const struct draft_list *from)
{
	const struct draft_domain *domains = from->at;
	for (size_t i = 0; i < from->count; i++)
		*to++ = domains[i].name;
	return to;
}

static void resolve_route(struct route_checks *checks, size_t index)
{
	struct resolve *resolve = checks->resolve;
	const struct draft_route *from = &checks->drafts[index];
	struct route_config *to = &checks->routes[index];
	struct view_set *views = &checks->views[index];
	struct dns_name *domains = resolve_take(resolve, from->domains.count, sizeof *domains);
	to->line = from->element.at->line;
	to->views = resolve_references(resolve, &from->views, &resolve->views, &to->view_count);
	if (resolve->no_memory)
		return;
	copy_domains(domains, &from->domains);
	to->domains = domains;
	to->domain_count = from->domains.count;
	if (from->upstream_group)
		to->group = names_find(&resolve->upstream_groups, from->upstream_group,
			setting_child(from->element.at, "upstream_group"), resolve->errors);
	views->is_every = from->views.count == 0;
	for (size_t i = 0; i < to->view_count; i++)
		views->words[to->views[i] / 64] |= UINT64_C(1) << to->views[i] % 64;
}

/* One domain of one route. */
struct claim {
	const struct draft_domain *domain;
	size_t route;
};

static int compare_names(const struct dns_name *a, const struct dns_name *b)
{
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return memcmp(a->wire, b->wire, a->len);
}

static int compare_claims(const void *a, const void *b)
{
	const struct claim *left = a, *right = b;
	int order = compare_names(&left->domain->name, &right->domain->name);
	if (order)
		return order;
	if (left->route != right->route)
		return left->route < right->route ? -1 : 1;
	return (left->domain > right->domain) - (left->domain < right->domain);
}

/* A route that names a view stands above one that names none, so these two get on. */
static bool share_view(const struct view_set *a, const struct view_set *b)
{
	bool shared = a->is_every && b->is_every;
	for (size_t i = 0; i < VIEW_WORDS; i++)
		shared |= (a->words[i] & b->words[i]) != 0;
	return shared;
}

static bool are_at_odds(
	const struct route_checks *checks, const struct claim *a, const struct claim *b)
{
	if (a->route == b->route)
		return true;
	return !checks->drafts[a->route].element.broken &&
		!checks->drafts[b->route].element.broken &&
		share_view(&checks->views[a->route], &checks->views[b->route]);
}

static void tell_twice(
	const struct route_checks *checks, const struct claim *claim, const struct claim *first)
{
	const struct setting *at = claim->domain->at;
	const struct setting *other = first->domain->at;
	if (claim->route == first->route)
		problem_in(checks->resolve->errors, at, "%s is in this route already: %s",
			QUOTED(at->text), LINE_OF(other, at));
	else
		problem_in(checks->resolve->errors, at,
			"the route of %s has this domain for the same views; nothing says which "
			"of the two is meant",
			LINE_OF(checks->drafts[first->route].element.at, at));
}

/* Sorted, equal domains stand side by side. */
static void check_claims(
	const struct route_checks *checks, const struct claim *claims, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		for (size_t j = i; j-- > 0;) {
			if (compare_names(&claims[j].domain->name, &claims[i].domain->name) != 0)
				break;
			if (!are_at_odds(checks, &claims[j], &claims[i]))
				continue;
			tell_twice(checks, &claims[i], &claims[j]);
			break;
		}
	}
}

static size_t count_domains(const struct route_checks *checks)
{
	size_t count = 0;
	for (size_t i = 0; i < checks->count; i++)
		count += checks->drafts[i].domains.count;
	return count;
}

static void check_twice(const struct route_checks *checks)
{
	size_t count = 0;
	struct claim *claims =
		arena_take(checks->resolve->scratch, count_domains(checks), sizeof *claims);
	checks->resolve->no_memory |= !claims;
	for (size_t i = 0; claims && i < checks->count; i++) {
		const struct draft_domain *domains = checks->drafts[i].domains.at;
		for (size_t j = 0; j < checks->drafts[i].domains.count; j++)
			claims[count++] = (struct claim){ &domains[j], i };
	}
	if (count)
		qsort(claims, count, sizeof *claims, compare_claims);
	check_claims(checks, claims, count);
}

/* Whoever routes a zone of the own network wants its addresses. */
static void resolve_exceptions(const struct route_checks *checks)
{
	const struct draft_list *given = &checks->resolve->draft->rebinding_exceptions;
	struct policy_spec *policy = &checks->resolve->config->policy;
	size_t count = given->count + count_domains(checks);
	struct dns_name *names = resolve_take(checks->resolve, count, sizeof *names);
	if (!names)
		return;
	struct dns_name *end = copy_domains(names, given);
	for (size_t i = 0; i < checks->count; i++)
		end = copy_domains(end, &checks->drafts[i].domains);
	policy->rebinding_exceptions = names;
	policy->rebinding_exception_count = count;
}

void resolve_routes(struct resolve *resolve)
{
	struct route_checks checks = {
		.resolve = resolve,
		.drafts = resolve->draft->routes.at,
		.count = resolve->draft->routes.count,
	};
	checks.routes = resolve_take(resolve, checks.count, sizeof *checks.routes);
	checks.views = arena_take(resolve->scratch, checks.count, sizeof *checks.views);
	resolve->no_memory |= !checks.views;
	for (size_t i = 0; !resolve->no_memory && i < checks.count; i++)
		resolve_route(&checks, i);
	if (resolve->no_memory)
		return;
	check_twice(&checks);
	resolve_exceptions(&checks);
	resolve->config->routes = checks.routes;
	resolve->config->route_count = checks.count;
}
