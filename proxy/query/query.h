/* query.h - the life of one query. */
#ifndef PROXY_QUERY_QUERY_H
#define PROXY_QUERY_QUERY_H

#include <netinet/in.h>

#include "proxy/config.h"
#include "proxy/upstream/upstream.h"

struct worker;

/* Where a datagram came from and by which of our addresses, so that the reply leaves from there. */
struct udp_peer {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} from;
	struct address local; /* with has_local */
	uint32_t interface;
	bool has_local;
};

/* Names a connection for as long as it is there: ids, not pointers, cross a wait. */
struct conn_id {
	uint32_t slot;
	uint32_t generation;
};

/* Where a reply goes; copied by value. */
struct reply_to {
	enum protocol protocol;
	uint16_t listener;
	uint16_t client_port;
	struct address client;
	struct conn_id conn;  /* all but UDP */
	int32_t stream;       /* DoH */
	struct udp_peer peer; /* UDP */
};

/* One whole message arrived. Ends with exactly one reply, or with silence where that is right.
 * `claims` has what the transport knows of the client (neither now_s nor the token's digest);
 * `token` is the text of one that came beside the message (DoH; empty: none), a DoT client's is in
 * it. */
void query_begin(struct worker *worker, const struct reply_to *to, const struct claims *claims,
	struct slice token, struct slice message);

/* The fixed table of queries that wait for an upstream. NULL when out of memory. */
struct query_table *query_table_new(size_t capacity);
void query_table_free(struct query_table *table);
size_t query_table_waiting(const struct query_table *table);
/* Answers with something stale whoever has waited long enough. To be called a few times a second.
 */
void query_table_tick(struct worker *worker);

/* The upstreams' way back, an upstream_done_fn; `context` is their struct worker_upstreams. */
void query_on_upstream(void *context, upstream_ask_id id, const struct upstream_result *result);

#endif
