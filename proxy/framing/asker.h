/* asker.h - the client's side of a protocol: DNS questions out, answers in, many at once on one
 * connection. The counterpart of framer.h, and sans-I/O as well: plain bytes in, plain bytes out.
 */
#ifndef PROXY_FRAMING_ASKER_H
#define PROXY_FRAMING_ASKER_H

#include "base/slice.h"

struct asker;

/* The side that feeds an asker; `host` is what was given to asker_type.open. None of these may free
 * the asker; they may ask and cancel. They come from within feed() only. */
struct asker_events {
	/* A whole message that came for a question, of 12 bytes at least; it was not looked into.
	 * The bytes die with the call. */
	void (*on_answer)(void *host, uint32_t number, struct slice message);
	/* This question alone came to nothing. ERR_MALFORMED: the answer is none (another HTTP
	 * status, another content type, too long). ERR_CLOSED: the peer did not work on it, so it
	 * may be asked again elsewhere (RFC 9113 8.7: refused stream, or above the last one of a
	 * GOAWAY). */
	void (*on_failed)(void *host, uint32_t number, int error);
};

struct asker_settings {
	const struct asker_events *events;
	void *host;
	const char *authority; /* DoH: "dns.example" or "dns.example:8443", "[2001:db8::1]"; copied
				*/
	const char *path; /* DoH: "/dns-query", may have a query part; must outlive the asker */
	bool use_get;     /* DoH: GET with ?dns= (RFC 8484 4.1), else POST. A message that is too
			     long for a path goes by POST all the same */
};

enum { ASKER_QUESTIONS_MAX = 256 /* in flight on one connection, cancelled ones included */ };

/* What HTTP said beside the message. */
struct asker_http {
	unsigned status; /* 0: none came */
	uint32_t age_s;  /* how long a cache of HTTP kept it: TTLs are less by that (RFC 8484 5.1)
			  */
};

struct asker_type {
	/* NULL when out of memory. */
	struct asker *(*open)(const struct asker_settings *settings);
	void (*free)(struct asker *asker);

	/* Queues one question. `number` is the caller's, unique among those in flight: over DoT it
	 * is the DNS id and already stands in the message (so below 65536); over DoH any, and the
	 * message has id 0 (RFC 8484 4.1). The message is copied. 0; ERR_BUSY: not now (see room;
	 * where there is room, the number is still taken by a cancelled question: choose another);
	 * ERR_CLOSED: never again on this connection. */
	int (*ask)(struct asker *asker, uint32_t number, struct slice message);

	/* Nobody waits for this one any more: no event follows for it. Its answer is dropped when
	 * it comes. Over DoT its number stays taken until then, and who has cancelled too many that
	 * were never answered is_leaving(); over DoH its stream is reset when streams are getting
	 * few (peers take many resets for an attack, CVE-2023-44487). */
	void (*cancel)(struct asker *asker, uint32_t number);

	/* Plain bytes from the peer. 0, or a negative error: the connection is over, and of what is
	 * still in flight nothing more is told; what drain() still gives may be sent before it is
	 * closed. ERR_CLOSED: after a goodbye in good order; ERR_MALFORMED; ERR_TOO_LONG: a flood.
	 */
	int (*feed)(struct asker *asker, struct slice plain);

	/* Writes what is to be sent, at most `capacity` bytes; 0: nothing for now. */
	size_t (*drain)(struct asker *asker, uint8_t *to, size_t capacity);

	/* How many more questions it takes now: what the peer allows (SETTINGS),
	 * ASKER_QUESTIONS_MAX, and free numbers. */
	unsigned (*room)(const struct asker *asker);

	/* The peer said goodbye (GOAWAY), or the connection is worn: what is in flight may still be
	 * answered, nothing new is taken. */
	bool (*is_leaving)(const struct asker *asker);

	/* During an event: what HTTP said. Zeros over DoT. */
	struct asker_http (*http)(const struct asker *asker);

	/* Answers so far to what nobody had asked; dropped. */
	uint64_t (*strays)(const struct asker *asker);
};

/* RFC 7858, RFC 7766: two bytes of length, then the message; answers in any order. */
extern const struct asker_type asker_dot;

/* RFC 8484 over HTTP/2. */
extern const struct asker_type asker_doh;

#endif
