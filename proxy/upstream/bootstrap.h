/* bootstrap.h - the addresses of an upstream that is named by host: what another upstream said, for
 * how long that holds, and when to look again. Pure: upstream.c asks, and passes the time in. */
#ifndef PROXY_UPSTREAM_BOOTSTRAP_H
#define PROXY_UPSTREAM_BOOTSTRAP_H

#include "base/address.h"
#include "dns/answer.h"

enum {
	BOOTSTRAP_ADDRESSES = 8,    /* of a family */
	BOOTSTRAP_MIN_TTL_S = 60,   /* addresses are used for that long at least ... */
	BOOTSTRAP_MAX_TTL_S = 3600, /* ... and looked up again after that at the latest */
	BOOTSTRAP_RETRY_MS = 1000,  /* after a failure, doubled each time */
	BOOTSTRAP_RETRY_MAX_MS = 60000,
	BOOTSTRAP_AGAIN_MS =
		5000, /* earliest, when the addresses that we have turn out to be bad */
};

struct bootstrap_list {
	struct address addresses[BOOTSTRAP_ADDRESSES];
	unsigned count;
};

struct bootstrap {
	struct bootstrap_list found[2]; /* IPv4, IPv6; of the look-up under way */
	uint32_t ttl_s;                 /* the shortest of them */
	unsigned pending;               /* questions under way */
	bool is_wanted;                 /* the exchange waits to be told */
	unsigned failures;              /* in a row */
	uint64_t begun_ms;
	uint64_t renew_ms;                             /* then the next look-up, if it is in use */
	struct address known[2 * BOOTSTRAP_ADDRESSES]; /* in the order in which to try them */
	unsigned known_count;
};

/* Is a look-up due, now that it is in use? Not while one is under way. */
bool bootstrap_is_due(const struct bootstrap *bootstrap, uint64_t now_ms);

/* The exchange asks for addresses. Is a look-up needed, or is it told what is known? */
bool bootstrap_want(struct bootstrap *bootstrap, uint64_t now_ms);

/* `questions` are being asked. */
void bootstrap_begin(struct bootstrap *bootstrap, unsigned questions, uint64_t now_ms);

/* What came of one of them: the addresses of `host`, also behind CNAMEs. NULL: nothing. True when
 * it was the last one; bootstrap_end() is next. */
bool bootstrap_take(
	struct bootstrap *bootstrap, const struct dns_answer *answer, struct slice host);

/* When nothing was known and half of the answer is here: true, and that is `known` meanwhile. */
bool bootstrap_take_half(struct bootstrap *bootstrap);

/* Sums up. True when the look-up found addresses, which are `known` from now on: IPv6 and IPv4 in
 * turns, IPv6 first (RFC 8305 4). Else the old ones stay. */
bool bootstrap_end(struct bootstrap *bootstrap, uint64_t now_ms);

#endif
