/* local.h - answers of our own: local_data, discovery, and names that are never asked elsewhere.
 * The answer is written as a DNS message of its own, so that it takes the same way back through the
 * firewall as one from an upstream. */
#ifndef PROXY_QUERY_LOCAL_H
#define PROXY_QUERY_LOCAL_H

#include "dns/query.h"
#include "proxy/query/ddr.h"
#include "rules/policy.h"

struct local_answer {
	struct slice message; /* in the caller's buffer */
	struct dns_name
		chase; /* a CNAME led to this name, which is not ours: to be asked; len 0: no */
};

struct local_sources {
	const struct policy *policy;
	const bool *special_names; /* SPECIAL_NAMES switches */
	const struct ddr *ddr;     /* may be NULL */
	bool is_routed;   /* an explicit route says whom to ask: it wins over special names */
	bool minimal_any; /* a question for all types gets one record, which says why (RFC 8482 4.2)
			   */
};

/* True when the name (lower-case wire) is ours; then *answer is filled. Records that do not
 * fit into `capacity` make it a SERVFAIL. */
bool local_answer(struct local_answer *answer, const struct local_sources *sources,
	const struct dns_query *query, struct slice name, void *buffer, size_t capacity);

/* The same for local_data alone. */
bool local_data_answer(struct local_answer *answer, const struct policy *policy,
	const struct dns_query *query, struct slice name, void *buffer, size_t capacity);

#endif
