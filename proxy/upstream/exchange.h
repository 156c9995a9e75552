/* exchange.h - one upstream, whatever it speaks: takes a request, and reports once how it went.
 * Which upstream is asked, and when the next one, is the matter of ask.c.
 * Two kinds: plain.c (classic DNS) and secure.c (DoT and DoH, our own). To add one:
 * a file that fills an exchange_type, and a row in the table of upstream.c. */
#ifndef PROXY_UPSTREAM_EXCHANGE_H
#define PROXY_UPSTREAM_EXCHANGE_H

#include <uv.h>

#include "base/random.h"
#include "dns/answer.h"
#include "dns/request.h"
#include "proxy/config.h"
#include "proxy/upstream/counters.h"
#include "proxy/upstream/health.h"
#include "proxy/upstream/latency.h"

enum exchange_outcome {
	EXCHANGE_ANSWER,    /* whatever the rcode */
	EXCHANGE_SILENT,    /* nothing within UPSTREAM_DEADLINE_MS */
	EXCHANGE_FAILED,    /* network: could not be sent, refused, connection or handshake lost */
	EXCHANGE_MALFORMED, /* answered, but it cannot be read */
	EXCHANGE_NO_MEMORY,
};

struct exchange_report {
	enum exchange_outcome outcome;
	unsigned index;                  /* of the upstream */
	uint64_t owner;                  /* as given to ask() */
	const struct dns_answer *answer; /* EXCHANGE_ANSWER only; lives during the call */
};

struct udp_batch;
struct exchange;

/* What all exchanges of a worker share; each host is embedded in an upstream_set. */
struct exchange_host {
	uv_loop_t *loop;
	struct random_pool random;
	struct udp_batch *batch; /* plain: receive buffers */
	uint8_t *plain_buffer;   /* secure: EXCHANGE_BUFFER_LEN each, of use within one call */
	uint8_t *cipher_buffer;
	void (*on_report)(struct exchange_host *host, const struct exchange_report *report);
	/* Something ended at once, while asking: call work() from a later turn. */
	void (*on_work)(struct exchange_host *host);
	void (*on_closed)(struct exchange_host *host); /* a handle; see is_closed() */
	/* Addresses of an upstream that is named by host: asks upstreams[bootstrap] for A and AAAA.
	 * exchange_take_addresses() follows, from a later turn, also when there are none. */
	void (*on_bootstrap)(struct exchange_host *host, struct exchange *exchange);
};
enum { EXCHANGE_BUFFER_LEN = 64 * 1024 + 1024 };

struct exchange_type {
	/* NULL when out of memory. `upstream`, `host` and `tls` must outlive it. */
	struct exchange *(*open)(struct exchange_host *host, const struct upstream_config *upstream,
		struct tls_client *tls, unsigned index);

	/* Closes; free() once is_closed(). Nothing is reported any more. */
	void (*close)(struct exchange *exchange);
	bool (*is_closed)(const struct exchange *exchange);
	void (*free)(struct exchange *exchange);

	/* Asks. 0: exactly one report follows, never from within; ERR_BUSY or ERR_NO_MEMORY: none.
	 */
	int (*ask)(struct exchange *exchange, const struct dns_request *request, uint64_t owner);

	/* Reports what ended; from the loop only. */
	void (*work)(struct exchange *exchange);

	/* To be called every few dozen milliseconds while is_busy(), and every second or so while
	 * has_sockets(). Notices silence, gives up on what is too old, reports. */
	void (*tick)(struct exchange *exchange, uint64_t now_ms);
	bool (*is_busy)(const struct exchange *exchange);
	bool (*has_sockets)(const struct exchange *exchange);

	/* The machine slept, or the network changed: what is open is not to be trusted. May be
	 * NULL. */
	void (*distrust)(struct exchange *exchange);

	/* The answer to on_bootstrap; count 0: none were found. May be NULL. */
	void (*take_addresses)(
		struct exchange *exchange, const struct address *addresses, size_t count);
};

/* The front of every kind's own struct. */
struct exchange {
	const struct exchange_type *type;
	struct exchange_host *host;
	const struct upstream_config *upstream;
	unsigned index;
	struct health health;   /* kept by the kind: it alone sees late answers and silence */
	struct latency latency; /* the same: of answers, from ask() on */
	struct upstream_counters counters;
};

extern const struct exchange_type exchange_plain;
extern const struct exchange_type exchange_secure;

#endif
