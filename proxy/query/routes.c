/* routes.c - an open-addressed table of {domain, view}: a route that names three views has three
 * rows for each of its domains, so that a look-up costs two probes a label, however many routes
 * share a domain. The hash of a suffix is that of its first label keyed with the hash of the rest:
 * one walk over the name gives them all. */
#include "proxy/query/routes.h"
#include "base/not_cleared.h"

#include <stdlib.h>

#include "dns/name.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { ANY_VIEW = 0xffff };

struct row {
	const struct dns_name *domain; /* NULL: empty */
	uint32_t tag;
	uint16_t view;
	uint16_t group;
};

struct routes {
	const uint16_t *view_groups;
	uint64_t root_hash;
	uint64_t depths[2]; /* which numbers of labels a domain has */
	size_t depth_max;
	size_t mask; /* number of rows, a power of two, less one */
	struct row rows[];
};

static inline uint64_t hash_label(uint64_t parent, const uint8_t *label)
{
	return XXH3_64bits_withSeed(label, (size_t)label[0] + 1, parent);
}

static inline uint64_t hash_view(uint64_t domain, uint16_t view)
{
	return XXH3_64bits_withSeed(&view, sizeof view, domain);
}

static inline uint32_t tag_of(uint64_t hash)
{
	return (uint32_t)(hash >> 32);
}

static uint64_t hash_domain(const struct routes *routes, const struct dns_name *domain)
{
	uint8_t offsets[DNS_NAME_LABELS_MAX];
	uint64_t hash = routes->root_hash;
	for (size_t i = dns_name_labels(dns_name_slice(domain), offsets); i-- > 0;)
		hash = hash_label(hash, domain->wire + offsets[i]);
	return hash;
}

/* The row of a domain and view, or the empty one where it would stand. A quarter of the rows is
 * empty at least, so this ends. */
static size_t place_of(
	const struct routes *routes, uint64_t hash, struct slice domain, uint16_t view)
{
	size_t at = (size_t)hash & routes->mask;
	for (;; at = (at + 1) & routes->mask) {
		const struct row *row = &routes->rows[at];
		if (!row->domain)
			return at;
		if (row->tag == tag_of(hash) && row->view == view &&
			slice_equals(dns_name_slice(row->domain), domain))
			return at;
	}
}

/* Of two routes for the same domain and view the first one stays. */
static void put(struct routes *routes, const struct dns_name *domain, uint16_t view, uint16_t group)
{
	uint64_t hash = hash_view(hash_domain(routes, domain), view);
	struct row *row = &routes->rows[place_of(routes, hash, dns_name_slice(domain), view)];
	if (row->domain)
		return;
	*row = (struct row){ domain, tag_of(hash), view, group };
}

static void note_depth(struct routes *routes, const struct dns_name *domain)
{
	uint8_t offsets[DNS_NAME_LABELS_MAX];
	size_t depth = dns_name_labels(dns_name_slice(domain), offsets);
	routes->depths[depth / 64] |= UINT64_C(1) << depth % 64;
	if (depth > routes->depth_max)
		routes->depth_max = depth;
}

static void put_route(struct routes *routes, const struct route_config *route)
{
	for (size_t i = 0; i < route->domain_count; i++) {
		const struct dns_name *domain = &route->domains[i];
		note_depth(routes, domain);
		if (route->view_count == 0)
			put(routes, domain, ANY_VIEW, route->group);
		for (size_t j = 0; j < route->view_count; j++)
			put(routes, domain, route->views[j], route->group);
	}
}

static size_t rows_for(const struct config *config)
{
	size_t needed = 1;
	size_t count = 2;
	for (size_t i = 0; i < config->route_count; i++) {
		const struct route_config *route = &config->routes[i];
		needed += route->domain_count * (route->view_count ? route->view_count : 1);
	}
	while (count < needed + needed / 3)
		count *= 2;
	return count;
}

struct routes *routes_new(const struct config *config, uint64_t salt)
{
	uint8_t root = 0;
	size_t count = rows_for(config);
	struct routes *routes = calloc(1, sizeof *routes + count * sizeof *routes->rows);
	if (!routes)
		return NULL;
	routes->view_groups = config->view_groups;
	routes->root_hash = XXH3_64bits_withSeed(&root, 1, salt);
	routes->mask = count - 1;
	for (size_t i = 0; i < config->route_count; i++)
		put_route(routes, &config->routes[i]);
	return routes;
}

void routes_free(struct routes *routes)
{
	free(routes);
}

static const struct row *find_row(
	const struct routes *routes, uint64_t domain_hash, struct slice domain, uint16_t view)
{
	uint64_t hash = hash_view(domain_hash, view);
	const struct row *row = &routes->rows[place_of(routes, hash, domain, view)];
	return row->domain ? row : NULL;
}

/* What a domain says: to the view that it names, else to everybody. */
static const struct row *find_domain(
	const struct routes *routes, uint64_t hash, struct slice domain, uint16_t view)
{
	const struct row *row = find_row(routes, hash, domain, view);
	return row ? row : find_row(routes, hash, domain, ANY_VIEW);
}

static inline bool depth_is_used(const struct routes *routes, size_t depth)
{
	return routes->depths[depth / 64] >> depth % 64 & 1;
}

struct route routes_find(const struct routes *routes, uint16_t view, struct slice name)
{
	NOT_CLEARED uint8_t offsets[DNS_NAME_LABELS_MAX];
	NOT_CLEARED uint64_t hashes[DNS_NAME_LABELS_MAX + 1]; /* by number of labels */
	const struct route otherwise = { .group = routes->view_groups ? routes->view_groups[view]
								      : 0 };
	if (!(routes->depths[0] | routes->depths[1])) /* there are no routes */
		return otherwise;
	size_t depth = dns_name_labels(name, offsets);
	size_t deepest = depth < routes->depth_max ? depth : routes->depth_max;
	hashes[0] = routes->root_hash;
	for (size_t i = 1; i <= deepest; i++)
		hashes[i] = hash_label(hashes[i - 1], name.at + offsets[depth - i]);
	for (size_t i = deepest + 1; i-- > 0;) {
		if (!depth_is_used(routes, i))
			continue;
		size_t at = i > 0 ? offsets[depth - i] : name.len - 1;
		const struct row *row =
			find_domain(routes, hashes[i], slice_of(name.at + at, name.len - at), view);
		if (row)
			return (struct route){ .group = row->group, .is_explicit = true };
	}
	return otherwise;
}
