/* context.h - certificate, key and settings for TLS servers; everything that connections share.
 * TLS 1.2 and 1.3 only, ECDHE with AEAD, no renegotiation, no compression, no early data
 * (RFC 9325 3-4, RFC 9113 9.2). One context serves DoH and DoT: which ALPN is spoken is said per
 * stream. Immutable once loaded, reference-counted, safe to use from any thread. */
#ifndef TLS_CONTEXT_H
#define TLS_CONTEXT_H

#include "base/address.h"

struct tls_context;

/* Keys that protect session tickets (RFC 5077, RFC 8446 4.6.1), shared by all workers and kept
 * over reloads so that resumption survives a new certificate. Rotated every 12 hours; the one
 * before still opens tickets, then they are gone. A ticket lives for one period, so one that has
 * not expired can always be opened. Safe from any thread. */
struct tls_ticket_keys;
enum { TLS_TICKET_KEY_PERIOD_S = 12 * 60 * 60 };
/* NULL when out of memory. */
struct tls_ticket_keys *tls_ticket_keys_new(void);
void tls_ticket_keys_free(struct tls_ticket_keys *keys);
/* Makes a new key when the newest is old enough. `now_s` is monotonic; the first call starts the
 * clock. Call it now and then, from one thread or from all. */
void tls_ticket_keys_rotate(struct tls_ticket_keys *keys, uint64_t now_s);

/* Loads a PEM chain and its key and checks that they are a pair and that the leaf is within its
 * dates (expired is a warning in the log, not an error). NULL on failure with a text in `message`
 * that names the file and what is wrong with it. `keys` must outlive the context. */
enum { TLS_MESSAGE_MAX = 512 };
struct tls_context *tls_context_load(const char *certificate_file, const char *key_file,
	struct tls_ticket_keys *keys, char message[TLS_MESSAGE_MAX]);

/* The same, and clients may (or must) show a certificate of one of the authorities in `client_ca`
 * (PEM). A session is resumed only under the same authorities. */
struct tls_context_files {
	const char *certificate;
	const char *key;
	const char *client_ca; /* NULL: clients are not asked */
	bool client_required;
};
struct tls_context *tls_context_load_files(const struct tls_context_files *files,
	struct tls_ticket_keys *keys, char message[TLS_MESSAGE_MAX]);

/* Are clients let in by the same certificates: the same authorities, and the same demand? */
bool tls_context_same_clients(const struct tls_context *a, const struct tls_context *b);

struct tls_context *tls_context_ref(struct tls_context *context);
void tls_context_unref(struct tls_context *context);

/* When the leaf expires, seconds since 1970. */
int64_t tls_context_not_after_s(const struct tls_context *context);

/* Is this address among the leaf's subjectAltNames? */
bool tls_context_has_address(const struct tls_context *context, const struct address *address);

/* All of them in their order (64 at most), for as long as the context lives. */
const struct address *tls_context_addresses(const struct tls_context *context, size_t *count);

/* The leaf's first host name that is not a wildcard, as text; NULL when it has none. Lives as long
 * as the context. */
const char *tls_context_name(const struct tls_context *context);

#endif
