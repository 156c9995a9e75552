/* claimant.h - who is the client? From what its socket, a proxy before it, TLS and a request say to
 * what a view can be found by (rules/claims.h). Nothing is believed here of whom the configuration
 * does not list. Without sockets. */
#ifndef PROXY_FRONT_CLAIMANT_H
#define PROXY_FRONT_CLAIMANT_H

#include "proxy/config.h"
#include "proxy/framing/framer.h"
#include "rules/claims.h"
#include "tls/stream.h"

/* Does this peer begin its connections with a PROXY protocol header? */
bool claimant_is_proxied(const struct listener_config *listener, const struct address *peer);

/* May this peer connect at all? A listener without TLS is for proxies only. */
bool claimant_may_connect(const struct listener_config *listener, const struct address *peer);

/* May any peer of this listener speak for others in Forwarded or X-Forwarded-For? */
bool claimant_wants_forwarded(const struct listener_config *listener);

enum claimant_fault {
	CLAIMANT_FINE,
	CLAIMANT_UNCLEAR, /* a peer that speaks for others, and it cannot be told for whom */
	CLAIMANT_EXPIRED, /* its certificate, or one above it, is over: it has to come in again */
};

/* Fills `claims`, whose client (the connection's) and listener are there already. `tls` is NULL
 * without TLS, else established; now_s is wall clock. The slices are those of the stream and of
 * `said`. */
enum claimant_fault claimant_say(struct claims *claims, const struct listener_config *listener,
	const struct tls_stream *tls, const struct framer_claims *said, int64_t now_s);

#endif
