/* crowd.h - the connections of all workers together: how many there are, and whose. Sockets that
 * share a port (SO_REUSEPORT) spread the connections of one client over the workers, so none of
 * them could tell by itself.
 *
 * One lock for all: it is taken when a connection begins, becomes established and ends, never for a
 * query. Whoever may have a connection has a row for it, so nothing here runs full by itself. */
#ifndef PROXY_FRONT_CROWD_H
#define PROXY_FRONT_CROWD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"

struct crowd;

/* What one may have; 0: no limit. */
struct crowd_limits {
	unsigned per_address; /* of an IPv4 address or an IPv6 /64 */
	unsigned handshakes_per_address;
	unsigned per_prefix;
	uint8_t prefix_v4; /* of the 32 */
	uint8_t prefix_v6;
};

enum crowd_word {
	CROWD_WELCOME,
	CROWD_ADDRESS_FULL,
	CROWD_HANDSHAKES_FULL,
	CROWD_PREFIX_FULL,
};

/* Where a connection is counted. Zeros: nowhere; crowd_claim() and crowd_leave() keep it. */
struct crowd_place {
	uint32_t address; /* a row's number and 1 */
	uint32_t prefix;
	bool shakes_hands;
};

/* For `capacity` connections, 1 to 2^30. NULL when out of memory. Pages of rows that nobody needed
 * are not touched. */
struct crowd *crowd_new(size_t capacity);
void crowd_free(struct crowd *crowd);

/* All of these are safe from any thread. */

/* One more, of whomever; false when there are as many as there may be. */
bool crowd_enter(struct crowd *crowd);
/* It is this client's. Counted when it is welcome, and only then. */
enum crowd_word crowd_claim(struct crowd *crowd, const struct crowd_limits *limits,
	const struct address *client, bool shakes_hands, struct crowd_place *place);
/* Its handshake is over. */
void crowd_settle(struct crowd *crowd, struct crowd_place *place);
/* One less. */
void crowd_leave(struct crowd *crowd, struct crowd_place *place);

/* A worker needs room and has nobody who could end. Whoever hears it first has it to himself. */
void crowd_call(struct crowd *crowd);
bool crowd_hear(struct crowd *crowd);

/* How many the client at `place` has. */
size_t crowd_count_at(struct crowd *crowd, const struct crowd_place *place);
size_t crowd_count(const struct crowd *crowd);
size_t crowd_capacity(const struct crowd *crowd);
/* How many there are beyond `percent` of the capacity; 0: no more than that. */
size_t crowd_excess(const struct crowd *crowd, unsigned percent);

#endif
