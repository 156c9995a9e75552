/* listener.h - sockets that wait for clients: bound once at start by the main thread, so that a
 * mistake is told before anything serves, then handed to the workers (SO_REUSEPORT, one each). */
#ifndef PROXY_FRONT_LISTENER_H
#define PROXY_FRONT_LISTENER_H

#include <uv.h>

#include "proxy/config.h"
#include "proxy/framing/framer.h"
#include "tls/stream.h"

struct worker;

/* What a kind of listener accepts over TCP. To add a protocol: a row in listener.c. */
struct stream_protocol {
	enum protocol protocol;
	const struct framer_type *framer;
	bool encrypted;
	enum tls_alpn alpn; /* when encrypted */
};
const struct stream_protocol *listener_stream_protocol(enum listener_kind kind);

/* One worker's socket of one listener. */
struct listener_socket {
	uv_poll_t poll;
	int fd;
	int accepted; /* a connection that waits for room; -1: none */
	struct worker *worker;
	uint16_t index; /* into the configuration's listeners */
	const struct stream_protocol *protocol;
	const char *path; /* of DoH; copied, as listeners outlive configurations */
	bool open;
	bool waits; /* somebody does, for whom the last turn had no place; not polled meanwhile */
};

/* Is the address free? Asked once per listener before the sockets that share it are made: with
 * SO_REUSEPORT alone a second program would quietly take half of the queries. 0 or -errno. */
int listener_probe(const struct listener_config *config);

/* A bound socket of SOCK_STREAM or SOCK_DGRAM, not yet listening; or -errno. */
int listener_bind(const struct listener_config *config, int type);

/* Opens all listeners of a configuration in a worker that is not yet running. On failure an error
 * was logged. */
int listeners_open(struct worker *worker, const struct config *config);

/* A turn begins: who had to wait for it is accepted. */
void listeners_turn(struct worker *worker);

/* No new connections, no new datagrams. The sockets are closed on the worker's loop. */
void listeners_close(struct worker *worker);

#endif
