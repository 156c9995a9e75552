/* routes.h - which upstream group is asked for a name: the longest domain of a route that the name
 * is under; of two alike, the one that names the view; else the view's own group. Compiled with the
 * configuration, immutable, pure; the cost depends on the labels of the name alone. */
#ifndef PROXY_QUERY_ROUTES_H
#define PROXY_QUERY_ROUTES_H

#include "proxy/config.h"

struct routes;

/* NULL when out of memory. `salt` keys the table against crafted collisions. The configuration must
 * outlive it. */
struct routes *routes_new(const struct config *config, uint64_t salt);
void routes_free(struct routes *routes);

struct route {
	uint16_t group;   /* index into config->upstream_groups */
	bool is_explicit; /* by a route, not by the view's default: it wins over special names */
};

/* `name` is lower-case wire. */
struct route routes_find(const struct routes *routes, uint16_t view, struct slice name);

#endif
