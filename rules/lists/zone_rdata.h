/* zone_rdata.h - RDATA from the words of a master file (RFC 1035 5.1; the generic form of RFC 3597
 * 5 for every type), for the types that an answer of a policy may have. */
#ifndef RULES_LISTS_ZONE_RDATA_H
#define RULES_LISTS_ZONE_RDATA_H

#include "rules/lists/zone_text.h"

/* Writes the RDATA, uncompressed, case kept. False when the words do not make one, when it does not
 * fit into `to`, or when the type is none for answers of ours: SOA, those of DNSSEC, DNAME, those
 * that are no data (OPT, ANY, ...), and those that we can read in their generic form only. */
bool zone_rdata_read(struct writer *to, uint16_t type, const struct zone_word *words, size_t count,
	const struct dns_name *origin);

#endif
