/* rebinding.h - public names that point into private networks (DNS rebinding): a web page's script
 * reaches the router or a cloud's metadata service under the page's own name. Pure.
 *
 * Watched are A and AAAA records of the answer section and the address hints of HTTPS and SVCB
 * records (RFC 9460 7.3). Addresses that no public name should have: "this host" 0.0.0.0/8,
 * RFC 1918, loopback, link-local (with 169.254.169.254 and fd00:ec2::254), shared (RFC 6598),
 * unspecified, unique local (RFC 4193), and any of the IPv4 ones inside ::ffff:0:0/96 (v4-mapped),
 * ::/96 (v4-compatible), 64:ff9b::/96 and 64:ff9b:1::/48 (NAT64, RFC 6052, RFC 8215) and 2002::/16
 * (6to4). */
#ifndef RULES_REBINDING_H
#define RULES_REBINDING_H

#include "base/address.h"
#include "dns/answer.h"

/* Is it an address that stays within a machine or a network? */
bool rebinding_is_private(const struct address *address);

/* Does the answer give such an address to a name that is not under one of the exceptions? `owner`
 * (may be NULL) gets that name. */
bool rebinding_finds(const struct dns_answer *answer, const struct dns_name *exceptions,
	size_t exception_count, struct dns_name *owner);

#endif
