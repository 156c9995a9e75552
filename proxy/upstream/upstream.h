/* upstream.h - asks a resolver: choose, ask, fail over, give up in time. Step 8 of a query's
 * journey and its only wait. One set per worker, used by its thread alone.
 * Behind it: ask.c (one ask, with set.h), choice.c (who is asked first, and who next), hedge.c
 * (when), health.c and latency.c (what is known of each), bootstrap.c (addresses of those that are
 * named by host), exchange.h with plain.c (classic DNS) and secure.c (DoT and DoH),
 * and judge.c (is this the answer to what we asked?). */
#ifndef PROXY_UPSTREAM_UPSTREAM_H
#define PROXY_UPSTREAM_UPSTREAM_H

#include <uv.h>

#include "dns/answer.h"
#include "dns/request.h"
#include "proxy/config.h"
#include "proxy/upstream/counters.h"

/* Chosen by the asker; nothing but this number crosses the wait. */
typedef uint64_t upstream_ask_id;

enum {
	UPSTREAM_DEADLINE_MS = 4500, /* a stub gives up after 5 s */
	UPSTREAM_HEDGE_MS = 400, /* silence after which the next server is asked as well, until it
				    is known how long this one takes (latency.h) */
	UPSTREAM_NO_INDEX = 0xffff,
	UPSTREAM_MAX = CONFIG_UPSTREAMS_MAX, /* upstreams in a set */
	UPSTREAM_ASKS_MAX = 4096,            /* asks in flight in a set */
	UPSTREAM_IN_FLIGHT = 4096,           /* queries in flight to one upstream */
	UPSTREAM_PATIENCE_MS = 1000 /* for a better answer once one has failed: see below */
};

struct upstream_result {
	int error; /* 0, ERR_TIMEOUT (silence), ERR_UNREACHABLE (network errors only), ERR_MALFORMED
		      (somebody answered, but nothing that can be read), ERR_NO_MEMORY */
	struct slice answer; /* one whole DNS message that answers the question: QR, opcode and
				question were checked; id is meaningless. Lives during the call
				only. Set for error 0, which includes SERVFAIL and REFUSED answers
				once nobody gave a better one within UPSTREAM_PATIENCE_MS. */
	const struct dns_answer *opened; /* the same, opened: it need not be opened twice. Lives as
					    long. NULL with an error. */
	uint16_t upstream;               /* index of who answered, UPSTREAM_NO_INDEX when nobody */
	uint32_t duration_us;
};

/* Called once for each successful upstream_ask(), always from the loop (the end of a poll, timer
 * or idle callback), never from within upstream_ask() itself. It may ask again and may close the
 * set. */
typedef void (*upstream_done_fn)(
	void *context, upstream_ask_id id, const struct upstream_result *result);

struct upstream_set;

/* Once per process, best before there are threads, as it takes LOCALDOMAIN and RES_OPTIONS out of
 * the environment. upstream_set_new() sees to it otherwise. Warns about versions of c-ares with
 * known faults. */
void upstream_start(void);

struct upstream_parts {
	uv_loop_t *loop;
	const struct upstream_config *upstreams;
	size_t count;
	const struct upstream_group_config *groups;
	size_t group_count;
	struct tls_client *const *tls; /* by index of the upstream; NULL for plain ones */
	upstream_done_fn on_done;
	void *context;
};

/* All that `parts` points to must outlive the set. NULL on failure (*error): ERR_NO_MEMORY, or
 * ERR_INVALID when there are none or more than UPSTREAM_MAX. */
struct upstream_set *upstream_set_new(const struct upstream_parts *parts, int *error);

/* Ends the set: nothing more is asked; asks still open are completed with ERR_UNREACHABLE from a
 * later turn of the loop; its handles are closed and its memory is freed by itself after that. */
void upstream_set_close(struct upstream_set *set);

/* Asks the upstreams of a group (its index). The request is copied. 0; ERR_BUSY when the table is
 * full or every upstream has as much in flight as it may, or when the set is closing; ERR_INVALID
 * for a request without a name. On error on_done is not called. */
int upstream_ask(struct upstream_set *set, uint16_t group, upstream_ask_id id,
	const struct dns_request *request);

/* The machine slept, or the network changed: forgets what was learned about upstreams and closes
 * idle connections; what is in flight over them is asked again. */
void upstream_distrust(struct upstream_set *set);

/* Asks that have not been answered yet. */
size_t upstream_in_flight(const struct upstream_set *set);

/* The counters of one upstream, in the order of the configuration. They live as long as the set and
 * may be read by any thread meanwhile. */
const struct upstream_counters *upstream_counters(const struct upstream_set *set, size_t index);

#endif
