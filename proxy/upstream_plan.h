/* upstream_plan.h - what upstreams are opened with: the configuration, and how we know each of
 * them. Counted by itself: what is open to upstreams outlives the reloads that change nothing about
 * them, and must not keep an old policy with all its lists in memory for that. */
#ifndef PROXY_UPSTREAM_PLAN_H
#define PROXY_UPSTREAM_PLAN_H

#include <stdatomic.h>

#include "proxy/config.h"

struct upstream_plan {
	_Atomic unsigned references;
	struct config *config;
	struct tls_client **tls; /* by index of the upstream; NULL for plain ones */
};

/* Takes the configuration over, also when it fails: NULL when out of memory. */
struct upstream_plan *upstream_plan_new(struct config *config);

/* Takes the system's resolvers where the configuration names nobody. False when there are none
 * either, or out of memory. Before the plan is shared. */
bool upstream_plan_find(struct upstream_plan *plan, struct config_errors *errors);

/* Loads what certificates of upstreams are checked by. False when something is wrong; all that is
 * has been told. Before the plan is shared. */
bool upstream_plan_load(struct upstream_plan *plan, struct config_errors *errors);

struct upstream_plan *upstream_plan_ref(struct upstream_plan *plan);
void upstream_plan_unref(struct upstream_plan *plan);

#endif
