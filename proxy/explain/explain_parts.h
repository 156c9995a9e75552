/* explain_parts.h - what explain.c is made of. Only for the explain_*.c files. */
#ifndef PROXY_EXPLAIN_EXPLAIN_PARTS_H
#define PROXY_EXPLAIN_EXPLAIN_PARTS_H

#include "proxy/explain/explain.h"

/* explain_admit.c: the view that claims the client, why, and what others would have said. */
uint16_t explain_admit(struct trace *trace, const struct explain_world *world,
	const struct claims *claims, struct trace_view *row);

/* explain_lists.c: every list that a rule of the trace looks into. */
void explain_take_lists(struct trace *trace, const struct explain_world *world);

/* explain_near.c: the rule came near, if it did. `name` is empty for an address. */
struct explain_near {
	const struct explain_world *world;
	const struct facts *facts;
};
void explain_near_rule(struct trace *trace, const struct explain_near *near, struct slice name,
	const struct rule_match *match, const struct trace_rule *rule);

const char *explain_entry_text(struct trace *trace, const struct list_entry *entry,
	struct slice name, const struct address *address);

#endif
