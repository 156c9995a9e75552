/* svcb_text.h - the RDATA of SVCB and HTTPS records as people write it (RFC 9460 2.1, A). Pure. */
#ifndef PROXY_CONFIG_SVCB_TEXT_H
#define PROXY_CONFIG_SVCB_TEXT_H

#include "rules/lists/zone_text.h"

/* "1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.1 ipv6hint=2001:db8::1 ech=BASE64", without quotes
 * and escapes; also "no-default-alpn", and "key123" without a value. Writes the RDATA with its
 * parameters in order. False when the words do not make one; what else there is has the generic
 * form (RFC 3597 5). */
bool svcb_text_read(struct writer *to, const struct zone_word *words, size_t count,
	const struct dns_name *origin);

#endif
