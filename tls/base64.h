/* base64.h - base64 (RFC 4648 4) of a known number of bytes, as keys, pins and signatures are
 * written. OpenSSL's decoder skips blanks and does not mind cut digits; this one takes one text per
 * value. */
#ifndef TLS_BASE64_H
#define TLS_BASE64_H

#include "base/slice.h"

/* Reads exactly `len` bytes, padding included. False when the text is anything else; then `to` may
 * have been written to. */
bool base64_read(struct slice text, uint8_t *to, size_t len);

#endif
