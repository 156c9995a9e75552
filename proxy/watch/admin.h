/* admin.h - the operator's reading door: metrics, probes and version over HTTP/1.1 (design,
 * decision 15). Nothing can be changed through it, no body is taken, and no path reaches a file.
 *   GET or HEAD  /  /metrics  /livez  /readyz  /healthz (as /readyz)  /version
 * Runs on one loop, used by its thread alone. A request has ADMIN_REQUEST_MS from its first byte to
 * the last byte of its response; whoever is slower is closed. */
#ifndef PROXY_WATCH_ADMIN_H
#define PROXY_WATCH_ADMIN_H

#include <uv.h>

#include "base/address.h"
#include "base/bytes.h"

enum {
	ADMIN_CONNECTIONS_MAX = 64, /* a new one takes the place of one that waits for a request */
	ADMIN_REQUEST_MS = 10000,
	ADMIN_IDLE_MS = 90000, /* longer than a scraper's interval */
	ADMIN_RESPONSE_MAX = 64 * 1024 * 1024,
};

/* What the program tells. The callbacks run on the loop, one at a time, and must not block. */
struct admin_source {
	/* 0, or an error: then the answer is 500. */
	int (*write_metrics)(void *context, struct bytes *to);
	int (*write_version)(void *context, struct bytes *to);
	/* False: `why` says so in lines of text, for 503. */
	bool (*is_live)(void *context, struct bytes *why);
	bool (*is_ready)(void *context, struct bytes *why);
	void *context;
};

struct admin;

/* Listens. `source` is copied. NULL and *error (negative errno) on failure. */
struct admin *admin_open(uv_loop_t *loop, const struct address *address, uint16_t port,
	const struct admin_source *source, int *error);

/* The port that was bound, for port 0. */
uint16_t admin_port(const struct admin *admin);

size_t admin_connection_count(const struct admin *admin);

/* Lets in who came when there was no memory; called each second or so. */
void admin_tick(struct admin *admin);

/* Closes all; the memory is freed by itself once the loop has closed the handles. NULL is fine. */
void admin_close(struct admin *admin);

#endif
