/* udp_pool.h - connected UDP sockets to one upstream: where a query's source port comes from.
 * Each query takes one of UDP_POOL_SLOTS at random (RFC 5452 9.2); each socket is replaced after
 * some use or age, and lives on unseen until its last answer is in. The kernel drops what does not
 * come from the upstream's address and port. All are polled for ever: no epoll_ctl per query. */
#ifndef PROXY_UPSTREAM_UDP_POOL_H
#define PROXY_UPSTREAM_UDP_POOL_H

#include <uv.h>

#include "base/list.h"
#include "base/random.h"
#include "base/slice.h"

#include <sys/socket.h>

enum {
	UDP_POOL_SLOTS = 32,
	UDP_POOL_USES = 256,     /* queries from one port, then another: a socket costs 20 us */
	UDP_POOL_AGE_MS = 5000,  /* so that a quiet upstream sees a fresh port per query, nearly */
	UDP_POOL_SOCKETS = 512,  /* with those that wait for their last answers */
	UDP_POOL_BATCH = 16,     /* datagrams per recvmmsg */
	UDP_POOL_BUDGET = 64,    /* datagrams per socket and turn */
	UDP_DATAGRAM_MAX = 4096, /* longer answers are cut and asked for over TCP */
};

/* Receive buffers, shared by all pools of a thread. */
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

/* What the pool tells. */
struct udp_pool_events {
	/* One datagram from the upstream; `cut` when it was longer than UDP_DATAGRAM_MAX. The bytes
	 * live until on_batch returns. */
	void (*on_datagram)(void *context, struct udp_socket *socket, struct slice bytes, bool cut);
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
	struct list sockets; /* all that are not closed */
	unsigned handles;    /* all, also those still closing */
};

void udp_pool_init(struct udp_pool *pool);
/* Closes all; udp_pool_events.on_closed follows for each. */
void udp_pool_close(struct udp_pool *pool);

/* Sends from a random socket. The socket, with one more in flight, to be given back with
 * udp_socket_release(); NULL with errno when the network or the system refused. */
struct udp_socket *udp_pool_send(struct udp_pool *pool, struct slice bytes, uint64_t now_ms);
void udp_socket_release(struct udp_socket *socket);

/* Closes sockets that are too old. */
void udp_pool_tick(struct udp_pool *pool, uint64_t now_ms);

/* The next query leaves from a new socket; the old ones close with their last answer. */
void udp_pool_retire(struct udp_pool *pool);

#endif
