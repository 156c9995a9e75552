/* base64url.h - RFC 4648 section 5, as DoH's GET has it (RFC 8484 6: without padding; padding at
 * the end is survived). */
#ifndef PROXY_FRAMING_BASE64URL_H
#define PROXY_FRAMING_BASE64URL_H

#include "base/writer.h"

/* Appends the decoded bytes; false for a foreign character, an impossible length, bits left over
 * that are not zero, or when `to` is too small. */
bool base64url_decode(struct writer *to, struct slice text);

/* Appends the text of these bytes, without padding; `to` fails when it is too small. */
void base64url_encode(struct writer *to, struct slice bytes);

#endif
