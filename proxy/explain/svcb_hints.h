/* svcb_hints.h - SVCB and HTTPS records in presentation form (RFC 9460 2.1): priority, target, and
 * of the parameters the address hints. The others lead nowhere and are left out. Pure. */
#ifndef PROXY_EXPLAIN_SVCB_HINTS_H
#define PROXY_EXPLAIN_SVCB_HINTS_H

#include "rules/lists/zone_text.h"

/* Writes the RDATA, uncompressed. False when the words do not make one, or it does not fit. */
bool svcb_hints_read(struct writer *to, const struct zone_word *words, size_t count,
	const struct dns_name *origin);

#endif
