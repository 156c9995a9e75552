/* lookup.h - the addresses of a list's host, asked of our own upstreams: the system's resolver may
 * be ourselves, and we may be about to start. */
#ifndef PROXY_FETCH_LOOKUP_H
#define PROXY_FETCH_LOOKUP_H

#include "proxy/upstream/bootstrap.h"
#include "proxy/upstream_plan.h"

enum { LOOKUP_ADDRESSES_MAX = 2 * BOOTSTRAP_ADDRESSES, LOOKUP_MESSAGE_MAX = 160 };

struct lookup {
	struct address addresses[LOOKUP_ADDRESSES_MAX]; /* IPv6 and IPv4 in turns */
	unsigned count;
};

/* Asks for A and AAAA, and follows CNAMEs. The group is that of the longest route for all views
 * that the name is under, else the default. 0, with one address at least; ERR_TIMEOUT (also after
 * `timeout_ms`), ERR_UNREACHABLE, ERR_NO_MEMORY, or ERR_INVALID: the name does not exist or has no
 * address; with a message. */
int lookup_run(struct lookup *lookup, const struct upstream_plan *plan, const struct dns_name *host,
	unsigned timeout_ms, char message[LOOKUP_MESSAGE_MAX]);

#endif
