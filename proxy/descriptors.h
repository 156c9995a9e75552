/* descriptors.h - how many file descriptors a configuration can need. Reckoned before anything is
 * opened, so that they are there when they are wanted: a server without descriptors can neither
 * accept, nor ask an upstream, nor open a certificate. */
#ifndef PROXY_DESCRIPTORS_H
#define PROXY_DESCRIPTORS_H

#include "base/writer.h"
#include "proxy/config.h"

struct descriptors {
	size_t connections; /* of clients */
	size_t upstreams;
	size_t others; /* listeners, loops, logs, lists, admin, control, and some to spare */
};

static inline size_t descriptors_sum(const struct descriptors *need)
{
	return need->connections + need->upstreams + need->others;
}

/* With so many workers, and at most `limit` descriptors (RLIMIT_NOFILE). Where the configuration
 * does not say how many connections there may be, as many as fit, CONFIG_CONNECTIONS at most. */
struct descriptors descriptors_needed(const struct config *config, unsigned workers, size_t limit);

/* How many may be open so that what is needed is within limits.pressure, `limit` at most. */
size_t descriptors_wanted(
	const struct descriptors *need, const struct limits_config *limits, size_t limit);

/* Does it fit? */
bool descriptors_fit(const struct descriptors *need, size_t limit);

enum { DESCRIPTORS_TEXT_MAX = 512 };

/* A sentence for whoever wrote a configuration that does not. */
void descriptors_explain(struct writer *to, const struct descriptors *need, size_t limit);

/* The limit of this process that it may raise its own to. */
size_t descriptors_hard_limit(void);

/* Raises the soft limit to this when it is lower. */
void descriptors_raise(size_t wanted);

#endif
