/* cares.h - the one door to c-ares: a channel that asks one server over TCP.
 *
 * c-ares' three generations (1.18, 1.27, 1.34) differ in what they put on the wire and what they
 * accept from it: the last cannot even ask for a name with a space in it. And each would lose all
 * queries in flight by one answer that it does not like. So c-ares is given a numbered stand-in
 * question, and the wire is ours in both directions: where it sends the stand-in, the caller's
 * message goes out; when the caller has seen the answer, c-ares gets a stand-in answer. It keeps
 * the queries, the connection and its queue. docs/decisions/002-upstream-cares.md has the reasons;
 * 012-udp-batches.md, why UDP is not asked through it any more. */
#ifndef PROXY_UPSTREAM_CARES_H
#define PROXY_UPSTREAM_CARES_H

#include <uv.h>

#include "base/list.h"
#include "base/slice.h"
#include "proxy/config.h"

/* How a query ended, from c-ares' point of view. */
enum cares_end { CARES_OVER, CARES_FAILED, CARES_NO_MEMORY };

struct cares;

/* A query that c-ares has. Embedded by the caller; it must stay where it is until on_over. */
struct cares_query {
	struct cares *channel; /* NULL: c-ares does not have it */
	struct list node;      /* not written yet */
	struct slice message;  /* what goes on the wire; must live as long */
	uint32_t token;        /* its stand-in's name */
	uint16_t ares_id;      /* c-ares from 1.22 on takes its own */
};

/* Called from within c-ares, except on_turn: nothing may be called from there but what queues. */
struct cares_events {
	/* A whole message has come. Returns the query that it answers, which is over by it, or
	 * NULL. The bytes live until on_turn has returned. */
	struct cares_query *(*on_message)(void *context, struct slice message);
	void (*on_over)(void *context, struct cares_query *query, enum cares_end end);
	/* The connection has had its turn. Not from within c-ares: everything is allowed. */
	void (*on_turn)(void *context);
	/* A handle was opened or has been closed: `by` is 1 or -1. */
	void (*on_handle)(void *context, int by);
	void *context;
};

/* Once per process, from any thread, as often as one likes: initialises the library, keeps the
 * environment out of it and warns about versions known to be bad. */
void cares_start(void);

/* NULL when out of memory. `events` must outlive the channel and its handles. */
struct cares *cares_new(uv_loop_t *loop, const struct address *address, uint16_t port,
	const struct cares_events *events);

/* Ends open queries with CARES_FAILED. Never from within c-ares. */
void cares_free(struct cares *channel);

/* Hands a query to c-ares; `id` is one that is unique in the channel. on_over may be called from
 * within. */
void cares_send(
	struct cares *channel, struct cares_query *query, struct slice message, uint16_t id);

/* Lets c-ares look at its clock; every second is often enough. */
void cares_tick(struct cares *channel);

unsigned cares_in_flight(const struct cares *channel);

#endif
