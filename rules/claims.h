/* claims.h - what is known of a client when a view is sought for it. Plain values; the slices are
 * borrowed and die with the call that they are given to.
 *
 * What a transport says here it has verified: a certificate up to its authority and its dates, a
 * client address behind a peer that may speak for others. Whether a token is good is for the policy
 * to say. */
#ifndef RULES_CLAIMS_H
#define RULES_CLAIMS_H

#include "base/address.h"

enum { CLAIMS_TOKEN_LEN = 32 /* SHA-256 of the token's text */ };

struct claims {
	struct address client;
	uint16_t listener;
	/* Of the client's certificate, as text: "uri:spiffe://corp.example/web",
	 * "dns:host.example", "email:a@corp.example", "cn:Anna", "sha256:HEX" (of the whole
	 * certificate). */
	const struct slice *certificate;
	size_t certificate_count;
	const uint8_t *token;  /* CLAIMS_TOKEN_LEN bytes; NULL: none was given */
	struct slice path;     /* DoH: the segment behind the listener's path; empty: none */
	struct slice tls_name; /* SNI, lower case, without a dot at the end; empty: none */
	int64_t now_s;         /* seconds since 1970: tokens expire */
};

/* By what the client was known, from the most to the least specific. */
enum claim_kind {
	CLAIM_CERTIFICATE,
	CLAIM_TOKEN,
	CLAIM_PATH,
	CLAIM_TLS_NAME,
	CLAIM_NETWORK, /* by its address or the listener alone */
	CLAIM_KINDS,
};
const char *claim_kind_name(enum claim_kind kind); /* "certificate", "token", ... */

enum admission_fault {
	ADMISSION_FINE,
	ADMISSION_NO_VIEW,       /* no view claims the client */
	ADMISSION_TOKEN_UNKNOWN, /* a token that is none, or was revoked */
	ADMISSION_TOKEN_EXPIRED,
	ADMISSION_PATH_UNKNOWN, /* a path that no view names: HTTP 404 */
};

/* What was found. */
struct admission {
	uint16_t view; /* POLICY_NO_ID with a fault */
	enum admission_fault fault;
	enum claim_kind by;
	/* Who it is: the token's name, the certificate's name that matched, the path or the TLS
	 * name; empty for networks. Of the policy or of the claims. */
	struct slice client_id;
};

#endif
