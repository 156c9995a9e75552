/* suggest.h - the smallest changes that would make the opposite of a verdict: of blocked, not
 * blocked, and the other way round. Each is tried, by judging again with it, before it is told. */
#ifndef PROXY_EXPLAIN_SUGGEST_H
#define PROXY_EXPLAIN_SUGGEST_H

#include "proxy/explain/excerpt.h"

/* Exceptions for a time, tried on the policy itself: reads no file, so the running program can do
 * it. Adds rows of changes to the trace. */
void suggest_exceptions(struct trace *trace, const struct explain_world *world,
	const struct explain_outcome *outcome);

/* Changes of lists and configuration, tried on the excerpt. Says so when the excerpt does not
 * decide as the whole did, and tells none then. */
void suggest_changes(struct trace *trace, struct excerpt *excerpt);

#endif
