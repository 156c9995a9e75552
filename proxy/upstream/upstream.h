/* upstream.h - asks a resolver: choose, ask, fail over, give up in time. Step 8 of a query's
 * journey and its only wait. One set per worker, used by its thread alone.
 * Behind it: plain.c (classic DNS through c-ares) and health.c (who is asked first). */
#ifndef PROXY_UPSTREAM_UPSTREAM_H
#define PROXY_UPSTREAM_UPSTREAM_H

#include <uv.h>

#include "dns/request.h"
#include "proxy/config.h"

/* Chosen by the asker; nothing but this number crosses the wait. */
typedef uint64_t upstream_ask_id;

enum {
	UPSTREAM_DEADLINE_MS = 4500, /* a stub gives up after 5 s */
	UPSTREAM_HEDGE_MS = 400,     /* silence after which the next server is asked as well */
	UPSTREAM_NO_INDEX = 0xffff,
};

struct upstream_result {
	int error; /* 0, ERR_TIMEOUT (all silent), ERR_UNREACHABLE, ERR_BUSY, ERR_NO_MEMORY */
	struct slice answer; /* one whole DNS message that answers the question: QR, opcode and
				question were checked; id is meaningless. Lives during the call
				only. Set for error 0, which includes SERVFAIL and REFUSED answers
				once nobody gave a better one. */
	uint16_t upstream;   /* index of who answered, UPSTREAM_NO_INDEX when nobody */
	uint32_t duration_us;
};

/* Called once for each successful upstream_ask(), always from the loop, never from within
 * upstream_ask() itself. */
typedef void (*upstream_done_fn)(
	void *context, upstream_ask_id id, const struct upstream_result *result);

/* Counters of one upstream, for the metrics; written by the worker's thread with relaxed stores. */
struct upstream_counters;

struct upstream_set;

/* `upstreams` must outlive the set. NULL on failure (*error). */
struct upstream_set *upstream_set_new(uv_loop_t *loop, const struct upstream_config *upstreams,
	size_t count, upstream_done_fn on_done, void *context, int *error);

/* Ends the set: nothing more is asked; asks still open are completed with ERR_UNREACHABLE from a
 * later turn of the loop; its handles are closed and its memory is freed by itself after that. */
void upstream_set_close(struct upstream_set *set);

/* Asks. 0, or ERR_BUSY when the table is full (then on_done is not called). The request is copied.
 */
int upstream_ask(struct upstream_set *set, upstream_ask_id id, const struct dns_request *request);

/* Asks that have not been answered yet. */
size_t upstream_in_flight(const struct upstream_set *set);

#endif
