/* doh_claims.h - what an HTTP request says of its client: a segment of its path, a token, and the
 * fields of proxies. Kept from the header section until the message is whole; bounded, and without
 * memory of its own where there is nothing of it. */
#ifndef PROXY_FRAMING_DOH_CLAIMS_H
#define PROXY_FRAMING_DOH_CLAIMS_H

#include "proxy/framing/framer.h"

enum {
	DOH_PATH_MAX = 64, /* of the segment */
	DOH_TOKEN_MAX = 256,
	DOH_FORWARDED_MAX = 1024, /* all fields of one name */
};

struct doh_claims_kept;

struct doh_claims {
	struct doh_claims_kept *kept; /* NULL: nothing yet */
};

/* Empty what was there, and give its memory back. Zeros are an empty one. */
void doh_claims_deinit(struct doh_claims *claims);

/* All copy; 0 or an error, and then nothing was taken. */

/* The segment, as it was written; once. ERR_INVALID: empty, longer, or more than one. */
int doh_claims_take_path(struct doh_claims *claims, struct slice segment);
/* The value of the parameter, "%41" read as "A"; the first counts. ERR_INVALID: empty, longer, or a
 * "%" without two digits. */
int doh_claims_take_token(struct doh_claims *claims, struct slice value);
/* The value of one field; several are one list (RFC 9110 5.3). ERR_TOO_LONG. */
int doh_claims_take_forwarded(struct doh_claims *claims, struct slice value);
int doh_claims_take_x_forwarded_for(struct doh_claims *claims, struct slice value);

/* As long as the claims are not touched. */
struct framer_claims doh_claims_said(const struct doh_claims *claims);

#endif
