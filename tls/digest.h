/* digest.h - SHA-256 (FIPS 180-4): which bytes are these? */
#ifndef TLS_DIGEST_H
#define TLS_DIGEST_H

#include "base/slice.h"

enum { DIGEST_SHA256_LEN = 32, DIGEST_SHA256_HEX_MAX = 65 }; /* the second with the NUL */

/* False only when OpenSSL has no memory. */
bool digest_sha256(struct slice bytes, uint8_t digest[DIGEST_SHA256_LEN]);

/* The same as sha256sum prints it: 64 digits in lower case, with a NUL. */
bool digest_sha256_hex(struct slice bytes, char hex[DIGEST_SHA256_HEX_MAX]);

/* 64 hexadecimal digits of either case, as a configuration may have them? */
bool digest_sha256_hex_check(const char *hex);

/* Is `hex` the digest of these bytes? Of either case. */
bool digest_sha256_hex_matches(struct slice bytes, const char *hex);

#endif
