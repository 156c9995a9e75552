/* ddr.h - discovery of designated resolvers (RFC 9462): what _dns.resolver.arpa says when `ddr` is
 * on: an SVCB record for each of our encrypted protocols, DoH first, with the address hints of the
 * listeners. A client believes it only when the certificate has the address that it asked
 * (RFC 9462 4.2), so without that nothing is said, and the log says why. Built once per snapshot.
 *
 * Hints are the addresses of the encrypted listeners that the certificate has. A listener on all
 * addresses (0.0.0.0, ::) does not know which of them clients reach, the certificate does: for it
 * the hints are the certificate's own addresses of that family. Loopback addresses are told only
 * where there are no others. Without hints a client looks the target's name up. */
#ifndef PROXY_QUERY_DDR_H
#define PROXY_QUERY_DDR_H

#include <stdatomic.h>

#include "dns/reply.h"
#include "proxy/config.h"
#include "tls/context.h"

enum { DDR_REASON_MAX = 256, DDR_DESIGNATIONS_MAX = 8, DDR_HINTS_MAX = 8 /* of each family */ };

struct ddr_designation {
	uint16_t priority;
	struct slice rdata; /* SVCB, wire: priority, target, alpn, port, hints, dohpath */
};

struct ddr {
	struct dns_name target; /* a name of the certificate */
	/* One for each protocol, port and path; the first ones of very many. */
	struct ddr_designation designations[DDR_DESIGNATIONS_MAX];
	size_t count; /* 0: nothing to say */
	struct arena memory;
	_Atomic unsigned references;
};

/* Why there is nothing to say (`ddr` off, no encrypted listener, no name or no address in the
 * certificate ...) goes to `reason`, empty when there is something. `tls` may be NULL when no
 * listener is encrypted. NULL when out of memory. */
struct ddr *ddr_new(
	const struct config *config, const struct tls_context *tls, char reason[DDR_REASON_MAX]);
struct ddr *ddr_ref(struct ddr *ddr);
void ddr_unref(struct ddr *ddr); /* NULL is fine */

/* Is this name (lower-case wire) resolver.arpa or below? Such are never asked elsewhere, `ddr` or
 * not (RFC 9462 6.4): an answer from there would send clients round the firewall. */
bool ddr_is_ours(struct slice name);

/* Writes the answer for such a name into a reply that has just begun: the designations for
 * _dns.resolver.arpa SVCB, else nothing with an SOA (RFC 9462 6.4). `ddr` may be NULL. */
void ddr_answer(const struct ddr *ddr, struct slice name, uint16_t type, struct dns_reply *reply);

#endif
