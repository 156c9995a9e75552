/* minisign.h - is a file what the holder of a minisign key signed? Ed25519 (RFC 8032) over the
 * bytes themselves ("Ed", what minisign made until 0.10) or over their BLAKE2b-512 ("ED").
 * A signature is four lines:
 *   untrusted comment: anything
 *   base64 of {"Ed" or "ED", key id (8), signature of the file (64)}
 *   trusted comment: anything
 *   base64 of the signature over {signature of the file, trusted comment}
 * Both signatures must hold. Nothing is copied but the second one's few bytes; the file may be of
 * any length. Pure: no files, no clock: an old file with its old signature is a good one. */
#ifndef TLS_MINISIGN_H
#define TLS_MINISIGN_H

#include "base/slice.h"

enum {
	MINISIGN_COMMENT_MAX = 1024,         /* bytes of the untrusted one, with its "untrusted
						comment: " */
	MINISIGN_TRUSTED_COMMENT_MAX = 8192, /* of the trusted one, without */
	MINISIGN_SIGNATURE_MAX = 10240,      /* of a whole signature; more is none */
};

/* Is this a public key as minisign prints it: base64, 56 characters, without its comment? */
bool minisign_key_check(const char *public_key);

/* False, with a short text in *why (static), when it is not; nothing more is said then about who
 * signed it, or what. */
bool minisign_verify(
	struct slice file, struct slice signature, const char *public_key, const char **why);

#endif
