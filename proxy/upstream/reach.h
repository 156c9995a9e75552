/* reach.h - where an upstream is to be found, and when the next attempt may be made. Pure.
 * The address that was good last comes first; after an attempt at all of them came to nothing there
 * is a pause, so that a dead upstream does not cost a connection a question: short at first,
 * doubled each time, forgotten with the first answer. */
#ifndef PROXY_UPSTREAM_REACH_H
#define PROXY_UPSTREAM_REACH_H

#include "base/address.h"

enum {
	REACH_ADDRESSES_MAX = 8, /* what comes after is not tried */
	REACH_PAUSE_MIN_MS = 100,
	REACH_PAUSE_MAX_MS = 2000,
};

struct reach {
	struct address addresses[REACH_ADDRESSES_MAX];
	size_t count;
	size_t good;       /* index of the one that answered last */
	unsigned pause_ms; /* of the last failure; 0: none since the last success */
	uint64_t until_ms; /* of the pause */
};

/* Takes the addresses in place of those before. */
void reach_take(struct reach *reach, const struct address *addresses, size_t count);

/* The n-th to be tried, from 0 on; NULL when there are no more. */
const struct address *reach_nth(const struct reach *reach, size_t n);

/* This address was reached: it is the first one from now on. */
void reach_on_reached(struct reach *reach, const struct address *address);

/* An attempt that began at `began_ms` came to nothing. A long one was pause enough, but for the
 * least. */
void reach_on_failure(struct reach *reach, uint64_t began_ms, uint64_t now_ms);

void reach_on_success(struct reach *reach);

bool reach_may_try(const struct reach *reach, uint64_t now_ms);

#endif
