/* ddr.h - discovery of designated resolvers (RFC 9462): what _dns.resolver.arpa says when `ddr` is
 * on: an SVCB record for each of our encrypted protocols, DoH first, with the address hints of the
 * listeners. A client believes it only when the certificate has the address that it asked
 * (RFC 9462 4.2), so without that nothing is said, and the log says why. Built once per snapshot.
 */
#ifndef PROXY_QUERY_DDR_H
#define PROXY_QUERY_DDR_H

#include "dns/reply.h"
#include "proxy/config.h"
#include "tls/context.h"

enum { DDR_REASON_MAX = 256 };

struct ddr_designation {
	uint16_t priority;
	struct slice rdata; /* SVCB, wire: priority, target, alpn, port, dohpath, hints */
};

struct ddr {
	struct dns_name target; /* a name of the certificate */
	struct ddr_designation designations[8];
	size_t count; /* 0: nothing to say */
	struct arena memory;
};

/* Why there is nothing to say (`ddr` off, no encrypted listener, no name or no address in the
 * certificate ...) goes to `reason`, empty when there is something. NULL when out of memory. */
struct ddr *ddr_new(
	const struct config *config, const struct tls_context *tls, char reason[DDR_REASON_MAX]);
void ddr_free(struct ddr *ddr);

/* Writes the answer for a name under resolver.arpa into a reply that has just begun: the
 * designations for _dns.resolver.arpa SVCB, else nothing with an SOA (RFC 9462 6.4). `ddr` may be
 * NULL. */
void ddr_answer(const struct ddr *ddr, struct slice name, uint16_t type, struct dns_reply *reply);

#endif
