/* rdata_text.h - RDATA in presentation form, for logs: "192.0.2.1", "mail.example.",
 * "10 mail.example.", TXT strings in quotes; unknown types as \# LENGTH HEX (RFC 3597 5). */
#ifndef DNS_RDATA_TEXT_H
#define DNS_RDATA_TEXT_H

#include "dns/answer.h"

void dns_rdata_write_text(
	struct writer *to, const struct dns_answer *answer, const struct dns_record *record);

#endif
