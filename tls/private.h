/* private.h - what the files of tls/ tell each other; nobody else includes it.
 * A server's context is made of parts that know nothing of one another: certificate (context.c),
 * tickets (ticket_keys.c), certificates of clients (client_ca.c), what both sides have in common
 * (settings.c), and what a connection does during its handshake (stream.c), which learns there who
 * the client is (peer.c). A client is made of the last two, of whom to believe (client.c)
 * and of what to resume (sessions.c). */
#ifndef TLS_PRIVATE_H
#define TLS_PRIVATE_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "tls/client.h"
#include "tls/stream.h"

/* What a certificate says that it is, as far as context.h tells it on. */
struct tls_alt_names {
	char *name; /* NULL: none */
	struct address *addresses;
	size_t address_count;
};
/* False when out of memory; then there is nothing to free. */
bool tls_alt_names_read(struct tls_alt_names *names, X509 *leaf);
void tls_alt_names_free(struct tls_alt_names *names);

/* --- peer.c: who a client says it is. A peer of zeros is one of whom nothing is known --- */

/* From the server_name extension of a ClientHello (RFC 6066 3), instead of what was there. */
void tls_peer_take_server_name(struct tls_peer *peer, struct slice extension);
void tls_peer_drop_server_name(struct tls_peer *peer);
/* Once. False when out of memory; then it has no names. */
bool tls_peer_take_certificate(struct tls_peer *peer, X509 *leaf, int64_t not_after_s);
void tls_peer_deinit(struct tls_peer *peer);

/* --- client_ca.c: whose certificates of clients are believed --- */

/* Which authorities a context believes, and whether it must see a certificate. */
enum { TLS_CLIENT_CA_LEN = 32 };
/* Reads files->client_ca and asks clients for certificates from now on. */
bool tls_client_ca_apply(SSL_CTX *settings, const struct tls_context_files *files,
	uint8_t digest[TLS_CLIENT_CA_LEN], char message[TLS_MESSAGE_MAX]);
/* Of the client's chain, now or in the session that is resumed: its earliest end; 0: there is none.
 */
int64_t tls_client_ca_not_after_s(SSL *openssl);

/* Seconds since 1970; 0 of what is no time. */
int64_t tls_asn1_seconds(const ASN1_TIME *when);

/* Letters, digits, '-' and '_' in labels of 1 to 63 bytes, 253 in all, no dot at the end. */
bool tls_name_is_sane(const char *name, size_t len);

SSL_CTX *tls_context_openssl(const struct tls_context *context);
/* Must clients show a certificate? */
bool tls_context_requires(const struct tls_context *context);

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

/* --- file.c: a whole file, small and perhaps secret --- */

struct tls_file {
	const char *kind; /* "certificate", "authorities", "key" ...: what the messages call it */
	const char *name;
	int most; /* things in it, for pem.c */
	char *message;
	char *bytes; /* of `capacity`, wiped when closed */
	size_t len;
	size_t capacity;
	struct stat status;
};
/* Reads it, at least one byte; false with a text in `message` that names the file. To be closed
 * either way. */
bool tls_file_open(struct tls_file *file);
void tls_file_close(struct tls_file *file);
/* Writes such a text; always false. */
__attribute__((format(printf, 2, 3))) bool tls_file_fail(
	struct tls_file *file, const char *format, ...);

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
