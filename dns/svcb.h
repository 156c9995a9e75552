/* svcb.h - the parameters of SVCB and HTTPS records (RFC 9460 2.2), as far as something is done to
 * them: "ech" (RFC 9848 3) taken away, for networks that must see the names of TLS connections.
 * Pure. */
#ifndef DNS_SVCB_H
#define DNS_SVCB_H

#include "dns/answer.h"

enum dns_svcb_key { DNS_SVCB_MANDATORY = 0, DNS_SVCB_ECH = 5 };

/* SVCB or HTTPS? */
static inline bool dns_svcb_is_type(uint16_t type)
{
	return type == DNS_TYPE_SVCB || type == DNS_TYPE_HTTPS;
}

enum dns_svcb_fate {
	DNS_SVCB_KEPT,    /* there was no "ech": nothing was written */
	DNS_SVCB_CHANGED, /* written without it */
	DNS_SVCB_DROPPED, /* nothing that could be told instead, and nothing was written: "ech" is
			     mandatory (RFC 9460 8: a record that lacks what it says is mandatory is
			     malformed), or the parameters cannot be read, or do not fit */
};

/* Writes the RDATA of an SVCB or HTTPS record of an opened answer, its target uncompressed, without
 * any "ech". DNS_SVCB_RDATA_MAX bytes are always enough. */
enum { DNS_SVCB_RDATA_MAX = 65535 + DNS_NAME_MAX };
enum dns_svcb_fate dns_svcb_without_ech(
	const struct dns_answer *answer, const struct dns_record *record, struct writer *to);

#endif
