/* private.h - what the files of tls/ tell each other; nobody else includes it.
 * A server's context is made of parts that know nothing of one another: certificate (context.c),
 * tickets (ticket_keys.c), what both sides have in common (settings.c), and what a connection does
 * during its handshake (stream.c). A client is made of the last two, of whom to believe (client.c)
 * and of what to resume (sessions.c). */
#ifndef TLS_PRIVATE_H
#define TLS_PRIVATE_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>

#include "tls/client.h"

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

/* Versions, ciphers, key exchanges, and the callbacks of tls_stream_attach(). */
bool tls_settings_apply(SSL_CTX *settings);

/* Tickets of connections of `settings` are sealed and opened with `keys` from now on. */
bool tls_ticket_keys_attach(struct tls_ticket_keys *keys, SSL_CTX *settings);

/* The callbacks through which OpenSSL asks a stream: ALPN, and what it may not do. */
void tls_stream_attach(SSL_CTX *settings);

/* A client's stream. Takes `openssl` over, also when it fails; holds a reference to the client. */
struct tls_stream *tls_stream_connect(struct tls_client *client, SSL *openssl, enum tls_alpn alpn);

/* For a callback: the stream of `openssl` is over, for this word and reason (static texts). */
void tls_stream_refuse(const SSL *openssl, const char *word, const char *reason);

/* What a stream tells its client. The handshake is done; or it was begun and did not get there. */
void tls_client_on_established(struct tls_client *client, SSL *openssl);
void tls_client_on_failed(struct tls_client *client);

/* All certificates of a PEM file, at least one, to be freed with sk_X509_pop_free(); NULL with a
 * text in `message` that names the file. The first for a server's chain, the second for a file of
 * authorities to believe. */
STACK_OF(X509) * tls_pem_certificates(const char *file, char message[TLS_MESSAGE_MAX]);
STACK_OF(X509) * tls_pem_authorities(const char *file, char message[TLS_MESSAGE_MAX]);

/* The first private key of a PEM file; NULL as above. What was read is wiped. */
EVP_PKEY *tls_pem_key(const char *file, char message[TLS_MESSAGE_MAX]);

/* --- sessions.c: the newest sessions of one upstream, for whichever thread connects next --- */

enum { TLS_SESSIONS_MAX = 8 };
struct tls_sessions {
	pthread_mutex_t lock;
	SSL_SESSION *kept[TLS_SESSIONS_MAX]; /* the oldest first */
	size_t count;
	bool are_dated; /* one whose certificate has expired is not resumed */
};

bool tls_sessions_init(struct tls_sessions *sessions);
void tls_sessions_deinit(struct tls_sessions *sessions);
/* Keeps a copy, instead of the oldest where there are too many. */
void tls_sessions_put(struct tls_sessions *sessions, SSL_SESSION *session);
/* The newest that is still good, now the caller's; NULL when there is none. */
SSL_SESSION *tls_sessions_take(struct tls_sessions *sessions);
void tls_sessions_forget(struct tls_sessions *sessions);

#endif
