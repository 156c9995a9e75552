/* rate_limit.h - how fast does a client ask? A token bucket for each client of each view that has a
 * limit, in a table of fixed size that all workers share, so that a limit is what was configured
 * however a client's questions are spread over them.
 *
 * A bucket is one word: the time at which it would be full again (the generic cell rate algorithm,
 * ITU-T I.371 A), beside some bits that say whose it is. So it takes one compare-and-swap and no
 * lock. Clients are found by a keyed hash; who comes to a full row takes the place of the one that
 * was silent for longest, whose bucket is as a rule full anyway: being forgotten costs it nothing.
 */
#ifndef PROXY_QUERY_RATE_LIMIT_H
#define PROXY_QUERY_RATE_LIMIT_H

#include "proxy/config.h"

enum { RATE_LIMIT_ROWS = 8192, RATE_LIMIT_PLACES = 8 }; /* 65,536 clients, 512 KiB */

struct rate_limits;

/* NULL when out of memory. Pages that no client falls into are not touched. */
struct rate_limits *rate_limits_new(void);
void rate_limits_free(struct rate_limits *limits);

struct rate_limit_client {
	const char *view; /* its name, so that buckets survive a reload */
	const struct address *address;
	bool is_unproven; /* by a datagram whose address may be forged: a bucket of its own */
};

/* One question of a client: is it within the limit? From any thread. `now_us` is monotonic, the
 * same clock for all. */
bool rate_limits_take(struct rate_limits *limits, const struct rate_limit_config *config,
	const struct rate_limit_client *client, uint64_t now_us);

#endif
