/* private.h - what the files of tls/ tell each other; nobody else includes it.
 * A context is made of three parts that know nothing of one another: certificate and settings
 * (context.c), tickets (ticket_keys.c), and what a connection does during its handshake (stream.c).
 */
#ifndef TLS_PRIVATE_H
#define TLS_PRIVATE_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "tls/context.h"

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
