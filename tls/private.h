/* private.h - what the files of tls/ tell each other; nobody else includes it.
 * A context is made of three parts that know nothing of one another: certificate and settings
 * (context.c), tickets (ticket_keys.c), and what a connection does during its handshake (stream.c).
 */
#ifndef TLS_PRIVATE_H
#define TLS_PRIVATE_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "tls/context.h"

/* What a certificate says that it is, as far as context.h tells it on. */
struct tls_alt_names {
	char *name; /* NULL: none */
	struct address *addresses;
	size_t address_count;
};
/* False when out of memory; then there is nothing to free. */
bool tls_alt_names_read(struct tls_alt_names *names, X509 *leaf);
void tls_alt_names_free(struct tls_alt_names *names);

SSL_CTX *tls_context_openssl(const struct tls_context *context);

/* Tickets of connections of `settings` are sealed and opened with `keys` from now on. */
bool tls_ticket_keys_attach(struct tls_ticket_keys *keys, SSL_CTX *settings);

/* The callbacks through which OpenSSL asks a stream: ALPN, and what it may not do. */
void tls_stream_attach(SSL_CTX *settings);

/* All certificates of a PEM file, at least one, to be freed with sk_X509_pop_free(); NULL with a
 * text in `message` that names the file. */
STACK_OF(X509) * tls_pem_certificates(const char *file, char message[TLS_MESSAGE_MAX]);

/* The first private key of a PEM file; NULL as above. What was read is wiped. */
EVP_PKEY *tls_pem_key(const char *file, char message[TLS_MESSAGE_MAX]);

#endif
