/* shadow.h - a candidate beside the policy in force: real queries are judged by it too, and what it
 * would have done is counted and logged. What clients get stays the same byte for byte.
 *
 * A shadow belongs to one snapshot: it knows what the indices of that one's views, rules and
 * listeners mean in the candidate. Made by the main thread, immutable once published with its
 * snapshot, counted between threads. The candidate itself is a snapshot that was loaded offline:
 * it has no certificate and asks nobody. */
#ifndef PROXY_SHADOW_SHADOW_H
#define PROXY_SHADOW_SHADOW_H

#include "proxy/shadow/shadow_tally.h"
#include "proxy/snapshot.h"

/* What is wanted of a shadow. */
struct shadow_order {
	const char *file;
	unsigned share;           /* percent of the clients, 1 to 100 */
	const char *const *views; /* of the policy in force; none: every client, also those that no
				     view of it claims */
	size_t view_count;
};

struct shadow {
	_Atomic unsigned references;
	struct snapshot *candidate;
	struct shadow_tally *tally;
	unsigned share;
	bool has_views;
	const bool *takes_view;    /* by the view in force */
	const uint16_t *listeners; /* by the listener in force: the candidate's, or POLICY_NO_ID */
	size_t listener_count;
	/* Names in the tally: of views and rules in force, and of the candidate's rules. */
	const uint16_t *views;
	const uint16_t *rules_in_force;
	const uint16_t *rules;
	uint16_t reasons[REASON_EXCEPTION + 1];
	struct arena memory;
};

/* Takes references. NULL when out of memory. */
struct shadow *shadow_new(struct snapshot *candidate, const struct snapshot *in_force,
	const struct shadow_order *order, struct shadow_tally *tally);
struct shadow *shadow_ref(struct shadow *shadow);
void shadow_unref(struct shadow *shadow); /* NULL is fine */

/* Is a client of this view (in force; POLICY_NO_ID: none claims it) in the share? The same one
 * always or never, as long as the shadow runs. */
bool shadow_takes(const struct shadow *shadow, uint16_t view, const struct address *client);

/* The candidate's view of a client; POLICY_NO_ID when none claims it. */
uint16_t shadow_find_view(const struct shadow *shadow, const struct claims *claims);

/* What one of the two policies made of a query. */
struct shadow_judged {
	const struct policy *policy;
	const uint16_t *rules; /* names in the tally */
	uint16_t view;         /* POLICY_NO_ID: refused, and there is no verdict */
	const struct verdict *verdict;
	bool is_unknown; /* let through by the question, and nobody knows the answer */
};

enum metrics_outcome shadow_outcome(const struct shadow_judged *judged);

/* Would the client get something else, or would something else be reported? No rule at all and an
 * ALLOW are the same; a BLOCK is another when what is answered instead is. */
bool shadow_differs(const struct shadow_judged *in_force, const struct shadow_judged *candidate);

/* Counts a query into a worker's table. */
void shadow_count(const struct shadow *shadow, struct shadow_table *table, uint16_t view,
	const struct shadow_judged *in_force, const struct shadow_judged *candidate,
	struct slice name, uint16_t type);

#endif
