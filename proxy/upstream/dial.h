/* dial.h - to have one more link to an upstream: its addresses one after the other, the next one
 * after a failure or DIAL_STEP_MS, until one of them is up or all have failed. What fails is
 * counted and told here; then there is a pause (reach.h). */
#ifndef PROXY_UPSTREAM_DIAL_H
#define PROXY_UPSTREAM_DIAL_H

#include "proxy/upstream/exchange.h"
#include "proxy/upstream/links.h"
#include "proxy/upstream/reach.h"

enum {
	DIAL_MS = 3000,     /* from the first SYN to the end of the handshake */
	DIAL_STEP_MS = 300, /* of silence, then the next address as well */
};

struct dial {
	struct exchange *exchange; /* for its name and its counters */
	struct link_host *host;
	struct links *links; /* where links are put that are opened */
	struct reach reach;

	/* The attempt. */
	bool on;
	bool refused; /* a certificate was: there was a line about that */
	size_t tried; /* addresses */
	uint64_t began_ms;
	uint64_t step_ms; /* then the next address */
	int error;        /* of the link that failed last */
	const char *word;
	char reason[96];
};

/* Begins, unless it is at it, or must not: too many links, or a pause. False: it came to nothing at
 * once, and that was told. */
bool dial_begin(struct dial *dial);

/* The same: false when it has come to nothing. */
bool dial_tick(struct dial *dial, uint64_t now_ms);

/* This link is over, and was never up; it is dropped. False as above. */
bool dial_on_over(struct dial *dial, struct link *link);

/* Enough: one is up, or none is wanted. */
void dial_end(struct dial *dial);

/* It is not at it, and will not be allowed to begin for more than so many ms. */
bool dial_is_paused(const struct dial *dial, unsigned for_ms);

/* Says in the log why the upstream is of no use, if that is news; that it is back is said elsewhere
 * (outage.h). `address` may be NULL. */
void dial_tell_trouble(struct dial *dial, const char *what, const char *word, const char *reason,
	const struct address *address);

#endif
