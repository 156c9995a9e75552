/* udp_pool.h - connected UDP sockets to one upstream: where a query's source port comes from.
 * What is asked in one turn of the loop leaves in calls of UDP_POOL_TOGETHER, the last few before
 * the loop waits, each from another one of UDP_POOL_SLOTS (RFC 5452 9.2): half of them in an order
 * drawn at random, then the other half in a new one, so that 64 questions at once have 16 ports or
 * more. Each socket is replaced after some use or age, and lives on unseen until its last answer is
 * in. The kernel drops what does not come from the upstream's address and port. All are polled for
 * ever: no epoll_ctl per query.
 *
 * What a forger has to guess, besides the question in its random case: 16 bits of id, and the port
 * that the kernel bound at random (28,232 by default: 14.8 bits). 4 bits of the latter are left for
 * somebody who has found all ports that are open, and they are others a few seconds later. That
 * other questions leave from the same port does not help him: an id counts for its own alone. */
#ifndef PROXY_UPSTREAM_UDP_POOL_H
#define PROXY_UPSTREAM_UDP_POOL_H

#include <uv.h>

#include "base/list.h"
#include "base/random.h"
#include "base/slice.h"

#include <sys/socket.h>

enum {
	UDP_POOL_SLOTS = 32,     /* a power of two */
	UDP_POOL_USES = 256,     /* queries from one port, then another: a socket costs 20 us; the
				  * last batch may be more */
	UDP_POOL_AGE_MS = 5000,  /* so that a quiet upstream sees a fresh port per query, nearly */
	UDP_POOL_SOCKETS = 512,  /* with those that wait for their last answers */
	UDP_POOL_TOGETHER = 4,   /* datagrams per sendmmsg: 64 at once still leave from 16 ports */
	UDP_POOL_BATCH = 16,     /* datagrams per recvmmsg */
	UDP_POOL_BUDGET = 64,    /* datagrams per socket and turn */
	UDP_DATAGRAM_MAX = 4096, /* longer answers are cut and asked for over TCP */
};

/* Buffers to receive into and lists of what is sent, shared by all pools of a thread. */
struct udp_batch;
struct udp_batch *udp_batch_new(void);
void udp_batch_free(struct udp_batch *batch);

struct udp_pool;

struct udp_socket {
	uv_poll_t poll;
	struct list link;
	struct udp_pool *pool;
	int fd;
	unsigned uses;
	unsigned in_flight; /* queries whose answer is awaited here */
	uint64_t opened_ms;
	bool retired; /* out of its slot: closes with its last answer */
	bool closed;  /* freed when libuv says so */
};

/* A message that leaves, or has left and waits for its answer. Embedded by the caller. */
struct udp_query {
	struct list unsent;        /* in udp_pool.unsent */
	struct udp_socket *socket; /* where it left from, and its answer must arrive; or NULL */
	struct slice message;
};

/* What the pool tells. */
struct udp_pool_events {
	/* One datagram from the upstream; `cut` when it was longer than UDP_DATAGRAM_MAX. The bytes
	 * live until on_batch returns. */
	void (*on_datagram)(void *context, struct udp_socket *socket, struct slice bytes, bool cut);
	/* The network or the system refused to send it. Nothing may be sent from here. */
	void (*on_unsent)(void *context, struct udp_query *query);
	/* Behind those of one turn of a socket. */
	void (*on_batch)(void *context);
	/* ICMP or the like: what is in flight on this socket will not be answered. */
	void (*on_error)(void *context, struct udp_socket *socket);
	/* A handle was closed; the pool may be freed when `handles` is 0. */
	void (*on_closed)(void *context);
	void *context;
};

struct udp_pool {
	uv_loop_t *loop;
	struct random_pool *random;
	struct udp_batch *batch;
	struct udp_pool_events events;
	struct sockaddr_storage to;
	socklen_t to_len;
	struct udp_socket *slots[UDP_POOL_SLOTS];
	unsigned batches;    /* sent, or tried: says which slot is next */
	unsigned slot_start; /* of this half of the slots */
	unsigned slot_step;  /* to the next one; odd, so that all have their turn */
	struct list sockets; /* all that are not closed */
	struct list unsent;
	uv_idle_t turn; /* sends; begins with the first query */
	bool has_turn;
	unsigned handles; /* all, also those still closing */
};

void udp_pool_init(struct udp_pool *pool);
/* Closes all; udp_pool_events.on_closed follows for each. */
void udp_pool_close(struct udp_pool *pool);

/* Sends the message, at once or before the loop waits. Query and message must stay where they are
 * until udp_query_forget(). From then on nothing is awaited for it; it may be called again. */
void udp_pool_send(struct udp_pool *pool, struct udp_query *query, struct slice message);
void udp_query_init(struct udp_query *query);
void udp_query_forget(struct udp_query *query);

/* Closes sockets that are too old. */
void udp_pool_tick(struct udp_pool *pool, uint64_t now_ms);

/* The next query leaves from a new socket; the old ones close with their last answer. */
void udp_pool_retire(struct udp_pool *pool);

#endif
