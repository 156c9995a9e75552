/* rebinding.h - public names that point into private networks (DNS rebinding): a web page's script
 * reaches the router or a cloud's metadata service under the page's own name. Part of step 11 of a
 * query's journey. Pure.
 *
 * Watched are all addresses that an answer tells (addresses.h). Those that no public name should
 * have: "this host" 0.0.0.0/8, RFC 1918, loopback, link-local (with 169.254.169.254), shared (RFC
 * 6598), unspecified, unique local (RFC 4193, with fd00:ec2::254), site-local (RFC 3879), and any
 * of the IPv4 ones inside ::ffff:0:0/96 (v4-mapped), ::/96 (v4-compatible), 64:ff9b::/96 and
 * 64:ff9b:1::/48 (NAT64, RFC 6052, RFC 8215) and 2002::/16 (6to4).
 *
 * What is allowed to have them is decided by the name that was asked, as that is the name under
 * which a browser files the address: an alias into a domain of exceptions would be no protection,
 * since anybody can have one. Names that are not public ones are exceptions by themselves: those
 * below localhost and local (RFC 6761, RFC 6762), internal, home.arpa (RFC 8375) and resolver.arpa
 * (RFC 9462). */
#ifndef RULES_REBINDING_H
#define RULES_REBINDING_H

#include "base/address.h"
#include "dns/answer.h"

/* Is it an address that stays within a machine or a network? */
bool rebinding_is_private(const struct address *address);

/* Puts exceptions (wire, lower case) into the order in which rebinding_finds() looks them up. */
void rebinding_sort(struct slice *exceptions, size_t count);

/* Does the answer give such an address, and is its question not under one of the exceptions?
 * `owner` (may be NULL) gets the name that has the first such address, as it stands there. */
bool rebinding_finds(const struct dns_answer *answer, const struct slice *exceptions, size_t count,
	struct dns_name *owner);

#endif
