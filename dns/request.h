/* request.h - writes what we ask an upstream: our own message, built from the parts that were
 * judged. EDNS is hop by hop (RFC 6891 6.2.6): one OPT of exactly 11 bytes, last, without options.
 */
#ifndef DNS_REQUEST_H
#define DNS_REQUEST_H

#include "dns/query.h"

enum { DNS_REQUEST_OPT_LEN = 11, DNS_REQUEST_MAX = DNS_HEADER_LEN + DNS_NAME_MAX + 4 + 11 };

/* Everything that makes two client questions one upstream question. */
struct dns_request {
	struct slice name; /* wire; case as it shall be sent */
	uint16_t type;
	uint16_t class;
	bool recursion_desired;
	bool checking_disabled;
	bool dnssec_ok;
	bool authentic_wanted; /* AD in the query, RFC 6840 5.7 */
};

/* Writes the message; false only when `to` has less than DNS_REQUEST_MAX bytes. */
bool dns_request_write(struct writer *to, const struct dns_request *request, uint16_t id);

#endif
