/* plain.h - classic DNS to one upstream: UDP first, TCP where UDP does not do, through c-ares.
 * Takes a request, and reports once how it went: an answer that was judged to be the answer, or why
 * there is none. Which upstream is asked, and when the next one, is upstream.c's matter.
 * The only part of namegate that knows c-ares; docs/decisions/002-upstream-cares.md says why it is
 * used the way it is. */
#ifndef PROXY_UPSTREAM_PLAIN_H
#define PROXY_UPSTREAM_PLAIN_H

#include <uv.h>

#include "base/random.h"
#include "dns/answer.h"
#include "dns/request.h"
#include "proxy/config.h"
#include "proxy/upstream/counters.h"
#include "proxy/upstream/health.h"
#include "proxy/upstream/udp_pool.h"

enum plain_outcome {
	PLAIN_ANSWER,    /* whatever the rcode */
	PLAIN_SILENT,    /* nothing within UPSTREAM_DEADLINE_MS */
	PLAIN_FAILED,    /* network: could not be sent, refused, connection lost */
	PLAIN_MALFORMED, /* answered, but it cannot be read */
	PLAIN_NO_MEMORY,
};

struct plain_report {
	enum plain_outcome outcome;
	unsigned index;                  /* of the upstream */
	uint64_t owner;                  /* as given to plain_ask() */
	const struct dns_answer *answer; /* PLAIN_ANSWER only; lives during the call */
};

/* What all upstreams of a worker share. */
struct plain_host {
	uv_loop_t *loop;
	struct random_pool random;
	struct udp_batch *batch;
	void (*on_report)(struct plain_host *host, const struct plain_report *report);
	/* Something ended at once, while asking: call plain_work() from a later turn. */
	void (*on_work)(struct plain_host *host);
	void (*on_closed)(struct plain_host *host); /* a handle; see plain_is_closed() */
};

struct plain;

/* NULL when out of memory. `upstream` and `host` must outlive it. */
struct plain *plain_new(
	struct plain_host *host, const struct upstream_config *upstream, unsigned index);

/* Closes; free it with plain_free() once plain_is_closed(). Nothing is reported any more. */
void plain_close(struct plain *plain);
bool plain_is_closed(const struct plain *plain);
void plain_free(struct plain *plain);

/* Asks. 0: exactly one report follows, never from within; ERR_BUSY or ERR_NO_MEMORY: none. */
int plain_ask(struct plain *plain, const struct dns_request *request, uint64_t owner);

/* Reports what ended; from the loop only. */
void plain_work(struct plain *plain);

/* To be called every few dozen milliseconds while plain_is_busy(), and every second or so while
 * plain_has_sockets(). Notices silence, gives up on what is too old, reports. */
void plain_tick(struct plain *plain, uint64_t now_ms);
bool plain_is_busy(const struct plain *plain);
bool plain_has_sockets(const struct plain *plain);

struct health *plain_health(struct plain *plain);
struct upstream_counters *plain_counters(struct plain *plain);

#endif
