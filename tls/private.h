/* private.h - what the files of tls/ tell each other; nobody else includes it.
 * A server's context (context.c) is made of parts that know nothing of one another: certificates
 * (pair.c, ocsp.c) and the names that they are found by (name_table.c), tickets (ticket_keys.c,
 * ticket_ring.c), certificates of clients (client_ca.c), what both sides have in common
 * (settings.c), and what a connection does during its handshake (stream.c), which learns there who
 * the client is (peer.c). A client is made of the last two, of whom to believe (client.c)
 * and of what to resume (sessions.c). */
#ifndef TLS_PRIVATE_H
#define TLS_PRIVATE_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "tls/client.h"
#include "tls/stream.h"

/* What a certificate says that it is, as far as others want to know it. */
struct tls_alt_names {
	char *name;   /* the first that is no wildcard, as it is; NULL: none */
	char **names; /* all host names, lower case, with those of wildcards ("*.example.net") */
	size_t name_count;
	struct address *addresses;
	size_t address_count;
};
/* False when out of memory; then there is nothing to free. */
bool tls_alt_names_read(struct tls_alt_names *names, X509 *leaf);
void tls_alt_names_free(struct tls_alt_names *names);

bool tls_alt_names_equal(const struct tls_alt_names *a, const struct tls_alt_names *b);
bool tls_alt_names_have(const struct tls_alt_names *names, const char *name);

/* --- ocsp.c: what the authority says of a certificate, from a file (RFC 6960, RFC 6066 8) --- */

enum { TLS_OCSP_LEN_MAX = 8 * 1024 };
struct tls_ocsp {
	uint8_t *der; /* NULL: none */
	size_t len;
	int64_t next_update_s; /* INT64_MAX: it says nothing of an end */
};
/* One that is for the first certificate of `chain`, signed as it should be as far as its issuer is
 * in the chain too, says that it is good, and is of now. False with a text in `message`. */
bool tls_ocsp_load(struct tls_ocsp *ocsp, const char *file, STACK_OF(X509) * chain,
	char message[TLS_MESSAGE_MAX]);
void tls_ocsp_deinit(struct tls_ocsp *ocsp);
bool tls_ocsp_is_current(const struct tls_ocsp *ocsp, int64_t now_s);

/* --- pair.c: a certificate with its chain, its key and what is stapled to it --- */

enum tls_key_kind { TLS_KEY_EC, TLS_KEY_RSA, TLS_KEY_ED25519, TLS_KEY_KINDS };

/* Immutable once loaded, counted. */
struct tls_pair {
	atomic_size_t references;
	char *file; /* of the certificate */
	char *key_file;
	STACK_OF(X509) * chain; /* the leaf first */
	EVP_PKEY *key;
	enum tls_key_kind kind;
	struct tls_alt_names alt_names;
	int64_t not_before_s, not_after_s;
	bool has_ocsp_file;
	struct tls_ocsp ocsp;
	char *ocsp_fault; /* why there is none although there should be one; NULL: all is well */
	bool key_is_open_to_all;
	uint8_t digest[32]; /* of all that goes out to clients, and of ocsp_fault */
};
/* NULL with a text in `message`. Instead of `before` (NULL: nothing), which was read from the same
 * files: one that is not within its dates is refused when that one is, and where there is no good
 * OCSP response for the same certificate its own stays. */
struct tls_pair *tls_pair_load(const struct tls_certificate_files *files, struct tls_pair *before,
	char message[TLS_MESSAGE_MAX]);
struct tls_pair *tls_pair_ref(struct tls_pair *pair);
void tls_pair_unref(struct tls_pair *pair); /* NULL is fine */
bool tls_pair_use(const struct tls_pair *pair, SSL_CTX *settings);
X509 *tls_pair_leaf(const struct tls_pair *pair);
/* What is odd about it, to the log; `before` as above. */
void tls_pair_warn(const struct tls_pair *pair, const struct tls_pair *before);

/* --- name_table.c: from a server name to a number in one step or two, however many there are ---
 */

struct tls_name_table {
	struct tls_name_slot *slots;
	size_t slot_count; /* a power of two */
	uint8_t key[16];
};
/* Room for `capacity` names. False when out of memory. */
bool tls_name_table_init(struct tls_name_table *table, size_t capacity);
void tls_name_table_deinit(struct tls_name_table *table);
/* A name in lower case, perhaps of a wildcard; it must live as long as the table. -1, or the number
 * of who has it already, and keeps it. */
int tls_name_table_add(struct tls_name_table *table, const char *name, uint16_t number);
/* Of this name, in lower case; else of the wildcard over it (RFC 9525 6.3: one label); else -1. */
int tls_name_table_find(const struct tls_name_table *table, struct slice name);

/* --- peer.c: who a client says it is. A peer of zeros is one of whom nothing is known --- */

/* From the server_name extension of a ClientHello (RFC 6066 3), instead of what was there. */
void tls_peer_take_server_name(struct tls_peer *peer, struct slice extension);
void tls_peer_drop_server_name(struct tls_peer *peer);
/* Once. False when out of memory; then it has no names. */
bool tls_peer_take_certificate(struct tls_peer *peer, X509 *leaf, int64_t not_after_s);
void tls_peer_deinit(struct tls_peer *peer);

/* --- client_ca.c: whose certificates of clients are believed --- */

enum { TLS_CLIENT_CA_LEN = 32 };
/* Immutable once loaded, counted. */
struct tls_client_ca {
	atomic_size_t references;
	STACK_OF(X509) * authorities;
	STACK_OF(X509_CRL) * revoked; /* NULL: no lists of revoked certificates */
	bool is_required;
	uint8_t digest[TLS_CLIENT_CA_LEN]; /* of all of it */
};
/* files->client_ca and what belongs to it; NULL with a text in `message`. */
struct tls_client_ca *tls_client_ca_load(
	const struct tls_context_files *files, char message[TLS_MESSAGE_MAX]);
struct tls_client_ca *tls_client_ca_ref(struct tls_client_ca *ca);
void tls_client_ca_unref(struct tls_client_ca *ca); /* NULL is fine */
/* Clients are asked for certificates from now on. */
bool tls_client_ca_apply(const struct tls_client_ca *ca, SSL_CTX *settings);
/* What is odd about it, to the log. */
void tls_client_ca_warn(const struct tls_client_ca *ca, const struct tls_context_files *files);
/* Of the client's chain, now or in the session that is resumed: its earliest end; 0: there is none.
 */
int64_t tls_client_ca_not_after_s(SSL *openssl);

/* Seconds since 1970; 0 of what is no time. */
int64_t tls_asn1_seconds(const ASN1_TIME *when);

/* Letters, digits, '-' and '_' in labels of 1 to 63 bytes, 253 in all, no dot at the end. */
bool tls_name_is_sane(const char *name, size_t len);

SSL_CTX *tls_context_openssl(const struct tls_context *context);
/* At the beginning of a handshake: the certificates for this name (empty: none was given). False
 * when out of memory. */
bool tls_context_choose(const struct tls_context *context, SSL *openssl, struct slice name);
/* Must clients show a certificate? */
bool tls_context_requires(const struct tls_context *context);

/* Versions, ciphers, key exchanges, and the callbacks of tls_stream_attach(). */
bool tls_settings_apply(SSL_CTX *settings);

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
/* May every user of this machine read or write it? */
bool tls_file_is_open_to_all(const struct tls_file *file);
/* Writes such a text; always false. */
__attribute__((format(printf, 2, 3))) bool tls_file_fail(
	struct tls_file *file, const char *format, ...);

/* All certificates of a PEM file, at least one, to be freed with sk_X509_pop_free(); NULL with a
 * text in `message` that names the file. The first for a server's chain, the second for a file of
 * authorities to believe. */
STACK_OF(X509) * tls_pem_certificates(const char *file, char message[TLS_MESSAGE_MAX]);
STACK_OF(X509) * tls_pem_authorities(const char *file, char message[TLS_MESSAGE_MAX]);
/* The same of lists of revoked certificates; sk_X509_CRL_pop_free(). */
STACK_OF(X509_CRL) * tls_pem_revoked(const char *file, char message[TLS_MESSAGE_MAX]);

/* The first private key of a PEM file; NULL as above. What was read is wiped. */
EVP_PKEY *tls_pem_key(const char *file, bool *is_open_to_all, char message[TLS_MESSAGE_MAX]);

/* --- ticket_keys.c, ticket_ring.c: what seals tickets --- */

enum { TLS_TICKET_NAME_LEN = 16, TLS_TICKET_KEY_LEN = 80, TLS_TICKET_RING_MAX = 16 };
struct tls_ticket_key {
	uint8_t name[TLS_TICKET_NAME_LEN]; /* goes out in clear with each ticket */
	uint8_t cipher_key[32];            /* AES-256-CBC */
	uint8_t mac_key[32];               /* HMAC-SHA256 */
};
enum tls_ticket_age { TLS_TICKET_UNKNOWN, TLS_TICKET_OF_NEWEST, TLS_TICKET_OF_PREVIOUS };

/* Keys of a file: the first seals, all open. Immutable, counted, wiped with the last reference. */
struct tls_ticket_ring;
struct tls_ticket_ring *tls_ticket_ring_load(const char *file, char message[TLS_MESSAGE_MAX]);
/* The same of bytes; not to be empty. */
struct tls_ticket_ring *tls_ticket_ring_parse(struct slice bytes, char message[TLS_MESSAGE_MAX]);
struct tls_ticket_ring *tls_ticket_ring_ref(struct tls_ticket_ring *ring);
void tls_ticket_ring_unref(struct tls_ticket_ring *ring); /* NULL is fine */
bool tls_ticket_ring_is_open_to_all(const struct tls_ticket_ring *ring);
bool tls_ticket_ring_equal(const struct tls_ticket_ring *a, const struct tls_ticket_ring *b);
/* Copies of a key, to be wiped. */
enum tls_ticket_age tls_ticket_ring_find(const struct tls_ticket_ring *ring,
	const uint8_t name[TLS_TICKET_NAME_LEN], struct tls_ticket_key *key);
void tls_ticket_ring_newest(const struct tls_ticket_ring *ring, struct tls_ticket_key *key);

/* What seals the tickets of a context: the ring, and without one our own keys. */
struct tls_tickets {
	struct tls_ticket_keys *own;
	struct tls_ticket_ring *ring; /* NULL: no file */
};
/* Tickets of connections of `settings` are sealed and opened so from now on. */
bool tls_tickets_attach(struct tls_tickets *tickets, SSL_CTX *settings);

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
