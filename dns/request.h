/* request.h - writes what we ask an upstream: our own message, built from the parts that were
 * judged. EDNS is hop by hop (RFC 6891 6.2.6): one OPT, last. In clear text it has exactly 11
 * bytes, without options; what is encrypted is padded, so that its length does not tell the name.
 */
#ifndef DNS_REQUEST_H
#define DNS_REQUEST_H

#include "dns/query.h"

enum {
	DNS_REQUEST_OPT_LEN = 11,
	DNS_REQUEST_MAX = DNS_HEADER_LEN + DNS_NAME_MAX + 4 + DNS_REQUEST_OPT_LEN,
	DNS_REQUEST_PADDING = 128, /* block size of questions, RFC 8467 4.1 */
	DNS_REQUEST_PADDED_MAX = 3 * DNS_REQUEST_PADDING,
};

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

/* The same, padded (RFC 7830) to a multiple of DNS_REQUEST_PADDING; `keepalive` asks how long an
 * idle connection may stay open (RFC 7828 3.2.1: DNS over TCP and TLS only). False only when `to`
 * has less than DNS_REQUEST_PADDED_MAX bytes. */
bool dns_request_write_padded(
	struct writer *to, const struct dns_request *request, uint16_t id, bool keepalive);

#endif
