/* query_log.h - the query log: one JSON object a line, for every readable question (design, section
 * 6). A worker writes finished lines into its own ring; one thread writes the rings to the sink.
 * The log can not hurt: when a ring is full, or the sink does not take more, lines are dropped and
 * counted, and nobody waits. Half of each ring is kept for BLOCK and ALERT lines. */
#ifndef PROXY_WATCH_QUERY_LOG_H
#define PROXY_WATCH_QUERY_LOG_H

#include "dns/answer.h"
#include "proxy/config.h"
#include "rules/policy.h"

struct query_log;      /* the sink and its thread; one per process */
struct query_log_ring; /* one per worker: written by it alone */

/* What the candidate beside the policy in force would have done with it. */
struct query_log_shadow {
	const struct policy *policy;
	const char *policy_hash;
	const struct verdict *verdict; /* NULL when no view of it claims the client */
	bool is_unknown;               /* let through, but there is no answer to judge */
	bool differs;
};

/* What happened to one query. Slices are borrowed during the call. */
struct query_log_event {
	int64_t time_s; /* wall clock when the query arrived */
	uint32_t time_us;
	enum protocol protocol;
	struct address client;
	uint16_t client_port;
	const char *client_by;  /* by what it was known, other than its address; or NULL */
	struct slice client_id; /* who it is then */
	enum log_clients log_clients;
	bool is_rate_limited; /* beyond the limit of its view, answered or not */
	struct slice name;    /* wire, as asked */
	uint16_t type;
	uint16_t class;
	uint16_t rcode;
	struct slice reply; /* the DNS message that was sent; empty when none was */
	const struct policy *policy;
	const char *policy_hash; /* content hash, hexadecimal */
	uint32_t revision;
	uint16_t view;                 /* POLICY_NO_ID: no view claims the client */
	const struct verdict *verdict; /* NULL: no view claims the client, or it was not judged */
	const struct exception *exception; /* that of the verdict; NULL: none, or it has ended */
	const char *upstream;              /* name of who answered; NULL when nobody was asked */
	const char *source; /* "upstream", "rule", "local", "error": where the reply is from */
	uint32_t upstream_us;
	bool is_kept;   /* from the cache */
	uint32_t age_s; /* since an upstream said it; with is_kept */
	uint32_t duration_us;
	int ede;                               /* DNS_EDE_NONE when none was sent */
	const struct query_log_shadow *shadow; /* NULL: no candidate judged it */
};

/* Opens the sink and starts its thread. NULL with errno set when the file cannot be opened; a
 * configuration without a query log gives NULL with errno 0. */
struct query_log *query_log_open(const struct query_log_config *config, unsigned ring_count);

/* Writes out what is in the rings (for at most one second), ends the thread, frees all. No worker
 * may use its ring any more. */
void query_log_close(struct query_log *log);

struct query_log_ring *query_log_ring(struct query_log *log, unsigned index);

/* The sink is opened again by its name before the next line: logrotate moved it. From any thread.
 */
void query_log_reopen(struct query_log *log);

/* Formats the line into the ring, or drops it, counts, and gives false. Never waits, never
 * allocates. NULL ring: there is no log, and nothing was dropped. */
bool query_log_write(struct query_log_ring *ring, const struct query_log_event *event);

/* Would a line be lost now: has the ring no room for one, or did the sink not take the last ones?
 * By the worker of the ring. Whoever does not want to answer without a line asks before, and is
 * told by query_log_write() after. */
bool query_log_is_blocked(struct query_log_ring *ring);

struct query_log_counters {
	uint64_t lines;          /* handed to the sink in full */
	uint64_t dropped_full;   /* the ring had no room */
	uint64_t dropped_failed; /* the sink did not take it: full disk, closed pipe */
};
struct query_log_counters query_log_counters(const struct query_log *log);

#endif
