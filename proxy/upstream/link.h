/* link.h - one connection to a DoT or DoH upstream: socket, TLS, asker. The counterpart of
 * front/conn.h. Knows bytes and time; whose questions they are is secure.c's matter.
 *
 * Whatever finds a link to be over only marks it: it is told from a later step of the loop
 * (on_over), never from within a call, and so is nothing freed that a callback works on. What is
 * asked during a turn leaves together, in one TLS record and one write, before the loop waits
 * again. An idle link holds what TLS and HTTP/2 cannot do without; buffers are shared. */
#ifndef PROXY_UPSTREAM_LINK_H
#define PROXY_UPSTREAM_LINK_H

#include <uv.h>

#include "base/address.h"
#include "base/list.h"
#include "proxy/framing/asker.h"
#include "tls/client.h"

enum link_phase {
	LINK_CONNECTING, /* TCP */
	LINK_SHAKING,    /* TLS */
	LINK_UP,         /* takes questions */
};

/* Why it is over. */
enum link_end {
	LINK_GOES_ON,
	LINK_CONNECT_FAILED,   /* `error` is libuv's */
	LINK_HANDSHAKE_FAILED, /* `word` and `reason` */
	LINK_LEFT,             /* the peer closed it in good order */
	LINK_BROKEN,           /* reset, or bytes that are no TLS, no HTTP/2, no DNS */
	LINK_LOST,             /* silent for too long, in the eyes of the owner */
	LINK_DONE,             /* not needed any more */
};

struct link;

struct link_events {
	/* The handshake is done: it takes questions. */
	void (*on_up)(struct link *link);
	/* From an asker, see there. */
	void (*on_answer)(struct link *link, uint32_t number, struct slice message);
	void (*on_failed)(struct link *link, uint32_t number, int error);
	/* So many answers came to what nobody had asked. */
	void (*on_strays)(struct link *link, unsigned count);
	/* It is over: takes back what was asked on it and calls link_close(). */
	void (*on_over)(struct link *link);
	/* A handle was closed; see link_host.handles. */
	void (*on_closed)(void *context);
};

/* What the links to one upstream share; embedded in their owner. All but the last three fields is
 * filled in by the owner, `settings.events` and `settings.host` excepted. */
struct link_host {
	uv_loop_t *loop;
	const struct asker_type *asker;
	struct asker_settings settings;
	struct tls_client *tls;
	uint16_t port;
	uint8_t *plain_buffer; /* as in exchange.h */
	uint8_t *cipher_buffer;
	const struct link_events *events;
	void *context;
	struct list dirty;
	uv_idle_t turn;
	unsigned handles; /* those of links and `turn`, also while they close */
};

struct link {
	uv_tcp_t tcp;
	uv_connect_t connect;
	struct link_host *host;
	struct address address;
	struct tls_stream *tls;
	struct asker *asker;
	struct list in_dirty;
	uint64_t opened_ms;
	uint64_t heard_ms; /* the last byte from the peer, over DoT the last whole answer; else when
			    * it was opened */
	uint64_t strays;   /* that the owner knows of */
	size_t unsent;     /* bytes that the socket did not take yet */
	enum link_phase phase;
	enum link_end end;
	int error;
	const char *word;   /* as tls_stream_error(), and "closed", "timeout" */
	const char *reason; /* as tls_stream_reason() */
	bool closing;

	/* The owner's: */
	struct list in_links;
	struct list questions; /* those on it, oldest first */
	unsigned question_count;
	uint64_t busy_ms;  /* the last question or answer, else when it came up */
	uint64_t serial;   /* counts links that came up: a later one has a higher number */
	uint64_t doubtful; /* serial of the last link when this one fell silent; UINT64_MAX: it
			      did not */
	unsigned strikes;  /* answers to what was not asked, since the last good one */
	bool retired;      /* nothing new is put on it */
	bool answered;     /* at least once */
};

/* Begins to connect. NULL when out of memory; any other failure is told by on_over. */
struct link *link_open(struct link_host *host, const struct address *address);

/* The handshake is done, and it is not over. */
bool link_is_up(const struct link *link);

/* Would it take questions, if not now? Not one that is on its way out, or silent. */
bool link_is_usable(const struct link *link);

/* How many questions it takes now. */
unsigned link_room(const struct link *link);

/* Does the peer, or the owner, want it to end when the last question was answered? The peer's wish
 * is fulfilled from here, the owner's by the owner. */
bool link_is_leaving(const struct link *link);

/* Queues a question, as asker_type.ask. */
int link_ask(struct link *link, uint32_t number, struct slice message);
void link_cancel(struct link *link, uint32_t number);

/* During on_answer and on_failed: what HTTP said beside it; zeros over DoT. */
struct asker_http link_http(const struct link *link);

/* What was sent at `asked_ms` at the latest was not even acknowledged by the peer's kernel, though
 * it was sent again and again (TCP): the path is broken, it is not the upstream that is slow. */
bool link_is_cut(const struct link *link);

/* Marks it as over: on_over follows from a later step of the loop, unless it is closed before. */
void link_end(struct link *link, enum link_end end);

/* Says goodbye if there is somebody to say it to, and closes; no event follows but on_closed, after
 * which it is gone. */
void link_close(struct link *link);

/* Before the first link_open(), and when all links are closed. */
void link_host_start(struct link_host *host);
void link_host_stop(struct link_host *host);

#endif
