/* framer.h - what a protocol must be able to do: plain bytes to whole DNS messages and back.
 * To add a protocol: a file beside this one that fills a framer_type, and a row in the table of
 * front/listener.c. A framer is sans-I/O: it has never heard of sockets, TLS or the loop. */
#ifndef PROXY_FRAMING_FRAMER_H
#define PROXY_FRAMING_FRAMER_H

#include "base/slice.h"

struct framer;

/* Methods and statuses as the metrics tell them; closed sets. */
enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_OTHER, HTTP_METHOD_COUNT };

/* What a request says of its client, beside the message (DoH only; else all empty). Borrowed. */
struct framer_claims {
	struct slice path;  /* the one segment behind our path and a '/'; "%" is not decoded */
	struct slice token; /* of the query part's "token" */
	/* All fields of that name as one list, as written there; what of it is believed is for the
	 * host to say. */
	struct slice forwarded;       /* Forwarded, RFC 7239 */
	struct slice x_forwarded_for; /* X-Forwarded-For */
};

/* The side that feeds a framer; `host` is what was given to framer_type.open. None of these may
 * free the framer. */
struct framer_events {
	/* One whole message. `stream` names it for the reply; bytes and claims die with the call.
	 */
	void (*on_message)(void *host, int32_t stream, const struct framer_claims *claims,
		struct slice message);
	/* A response with this status was queued (HTTP only). */
	void (*on_status)(void *host, enum http_method method, unsigned status);
	/* A stream ended before its reply: whoever still works for it is working for nobody. */
	void (*on_abandoned)(void *host, int32_t stream);
	/* Streams were begun and reset too often: the connection ends (HTTP only). */
	void (*on_reset_flood)(void *host);
};

struct framer_settings {
	const struct framer_events *events;
	void *host;
	const char *path;      /* of DoH; must outlive the framer */
	bool wants_forwarded;  /* of DoH: claims have the fields of proxies */
	bool wants_json;       /* of DoH: application/dns-json is spoken as well */
	unsigned requests_max; /* of HTTP/1.1: how many are read ahead of their answers; not 0 */
};

struct framer_type {
	/* NULL when out of memory. */
	struct framer *(*open)(const struct framer_settings *settings);
	void (*free)(struct framer *framer);

	/* TLS is up, and this is what ALPN chose; empty: the client offered nothing. Not called
	 * without TLS. NULL where it makes no difference. */
	void (*agree)(struct framer *framer, struct slice protocol);

	/* Plain bytes from the client. 0, or a negative error: the connection is over; what drain()
	 * still gives may be sent before it is closed. */
	int (*feed)(struct framer *framer, struct slice plain);

	/* Queues the reply of a stream; one that is gone is ignored. `max_age_s` is how long the
	 * answer may be kept by an HTTP cache. 0, or an error: the connection is over. */
	int (*reply)(
		struct framer *framer, int32_t stream, struct slice message, uint32_t max_age_s);

	/* Ends a stream whose message was not DNS, or that gets no answer; `status` is what HTTP
	 * says then. */
	void (*reject)(struct framer *framer, int32_t stream, unsigned status);

	/* Writes what is to be sent, at most `capacity` bytes; with less than that it was all, but
	 * for what the client's flow control holds back (see queued). */
	size_t (*drain)(struct framer *framer, uint8_t *to, size_t capacity);

	/* We are going soon: tells the client, and takes what it sends before it knows (RFC 9113
	 * 6.8). When it knows, the framer finishes by itself; who never says so needs finish().
	 * False, or NULL: the protocol can not, or it is over; finish() at once. */
	bool (*announce)(struct framer *framer);

	/* We are going: tells the client where the protocol can (then no new requests are taken),
	 * and what was begun will be finished. */
	void (*finish)(struct framer *framer);

	/* The oldest request that has begun and is not complete, by a number that is never used
	 * again; 0: there is none. Who waits for requests sees by it whether the same one is still
	 * late. */
	uint64_t (*late_request)(const struct framer *framer);

	/* Has it as many requests as it takes at once? What it was given beyond them waits inside,
	 * and should not become more; when it is full no longer, feed() goes on with that, also of
	 * nothing. NULL: never. */
	bool (*is_full)(const struct framer *framer);

	/* Bytes of replies that are waiting to be drained. */
	size_t (*queued)(const struct framer *framer);

	/* After finish(): nothing is open any more. Also when the protocol is at its end because
	 * the client broke it or said goodbye, and all that is to be said about it was drained. */
	bool (*is_finished)(const struct framer *framer);
};

/* RFC 1035 4.2.2, RFC 7858: two bytes of length, then the message. Plain TCP and DoT. */
extern const struct framer_type framer_dot;

/* RFC 8484 over HTTP/1.1 (RFC 9112) and over HTTP/2 (RFC 9113), and over whichever of the two the
 * client speaks. */
extern const struct framer_type framer_doh1;
extern const struct framer_type framer_doh2;
extern const struct framer_type framer_doh;

#endif
