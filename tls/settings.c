/* What servers and clients have in common: versions, ciphers, key exchanges,
 * signatures. */
#include <openssl/err.h>

#include "tls/private.h"

/* RFC 9325 4.2 and RFC 9113 9.2.2: forward secrecy and AEAD only. AES-128 first, as it is cheapest
 * with AES instructions; a client that prefers ChaCha20 has none and gets its wish
 * (SSL_OP_PRIORITIZE_CHACHA). */
static const char ciphers_of_1_2[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
				     "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
				     "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";
static const char ciphers_of_1_3[] =
	"TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384";

/* Key exchanges that cost a server little: without a list a client may choose ffdhe8192 or P-521
 * and make us work for milliseconds. The first list where OpenSSL knows ML-KEM (from 3.5 on). The
 * stars are for our own client: it sends a share for each of the two, so that a server without
 * ML-KEM does not have to ask for another one. */
static const char *const group_lists[] = {
	"*X25519MLKEM768:*X25519:P-256:P-384",
	"X25519:P-256:P-384",
};

/* SHA-256 at least (RFC 9325 4.2.1 wants no SHA-1, and nobody needs SHA-224), what costs little
 * first. What certificates are signed with is looked at elsewhere. */
static const char signatures[] =
	"ecdsa_secp256r1_sha256:ed25519:ecdsa_secp384r1_sha384:ecdsa_secp521r1_sha512:ed448:"
	"rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:"
	"rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512:"
	"RSA+SHA256:RSA+SHA384:RSA+SHA512";

static bool settings_set_groups(SSL_CTX *settings)
{
	for (size_t i = 0; i < sizeof group_lists / sizeof *group_lists; i++) {
		if (SSL_CTX_set1_groups_list(settings, group_lists[i]) == 1)
			return true;
		ERR_clear_error();
	}
	return false;
}

/* SSL_OP_IGNORE_UNEXPECTED_EOF is left alone: a stream has no end of file, OpenSSL only ever hears
 * that there are no more bytes for now. Who owns the socket sees its end; what a truncation could
 * cut off is caught by the length of each DNS message and the framing of HTTP/2. */
bool tls_settings_apply(SSL_CTX *settings)
{
	SSL_CTX_set_security_level(settings, 2);
	SSL_CTX_set_options(settings, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(settings, SSL_MODE_RELEASE_BUFFERS);
	tls_stream_attach(settings);
	return SSL_CTX_set_min_proto_version(settings, TLS1_2_VERSION) == 1 &&
		SSL_CTX_set_max_proto_version(settings, TLS1_3_VERSION) == 1 &&
		SSL_CTX_set_cipher_list(settings, ciphers_of_1_2) == 1 &&
		SSL_CTX_set_ciphersuites(settings, ciphers_of_1_3) == 1 &&
		SSL_CTX_set1_sigalgs_list(settings, signatures) == 1 &&
		settings_set_groups(settings);
}
