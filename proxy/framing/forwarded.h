/* forwarded.h - whose is a request that a proxy passes on? The fields Forwarded (RFC 7239) and
 * X-Forwarded-For, text to address. Anybody can write them, and proxies append to what was there:
 * so they are read from the right, and what stands left of the first stranger is hearsay. */
#ifndef PROXY_FRAMING_FORWARDED_H
#define PROXY_FRAMING_FORWARDED_H

#include "base/address.h"
#include "proxy/framing/framer.h"

/* `client` is the peer, who may speak for others, and stays so when it says nothing. Each address
 * from the right that is in a network of `trusted` is another proxy; the first that is not is the
 * client; when all are, the leftmost.
 *
 * False when it cannot be told who is meant, and then the request must be refused, as the peer is
 * not its client: a field that does not follow its grammar, a client without an address ("unknown",
 * "_hidden"), more than FORWARDED_HOPS_MAX proxies, and both fields with different clients - a
 * proxy that writes one of them passes the other on as the client made it up. */
enum { FORWARDED_HOPS_MAX = 16 };
bool forwarded_find(const struct framer_claims *said, const struct network *trusted,
	size_t trusted_count, struct address *client);

#endif
