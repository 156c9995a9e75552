/* percent.h - "%41" in a URI is "A" (RFC 3986 2.1). */
#ifndef PROXY_FRAMING_PERCENT_H
#define PROXY_FRAMING_PERCENT_H

#include "base/writer.h"

/* Appends the bytes that the text stands for; false for a "%" without two digits, or when `to` is
 * too small. */
bool percent_decode(struct writer *to, struct slice text);

#endif
