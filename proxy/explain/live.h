/* live.h - asks the upstreams that the policy would ask, now, as traffic does: over their own
 * protocols, with fail-over and within UPSTREAM_DEADLINE_MS. Blocks; for the command line. */
#ifndef PROXY_EXPLAIN_LIVE_H
#define PROXY_EXPLAIN_LIVE_H

#include "proxy/snapshot.h"

/* The answer of upstream group `group`, in `buffer` (DNS_MESSAGE_MAX bytes). 0 and its length, or
 * an error: of upstream_result, or ERR_INVALID when there is nobody to ask or the settings about
 * upstreams are wrong, which is told to `errors` then. */
int live_ask(struct snapshot *snapshot, uint16_t group, const struct dns_name *name, uint16_t type,
	uint8_t *buffer, size_t *len, struct config_errors *errors);

#endif
