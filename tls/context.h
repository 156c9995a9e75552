/* context.h - certificates, keys and settings for TLS servers; everything that connections share.
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

/* A certificate with its chain (PEM, the server's own first) and its key. */
struct tls_certificate_files {
	const char *certificate;
	const char *key;
	const char *ocsp_response; /* DER, stapled for clients that ask for it; NULL: none */
};

/* What a context is made of. The first certificate is for clients that name no name of another one;
 * some with the same names and keys of different kinds stand for one, of which each client gets
 * the one that it can use. Clients may (or must) show a certificate of one of the authorities in
 * `client_ca` (PEM); a session is resumed only under the same authorities. */
struct tls_context_files {
	const struct tls_certificate_files *certificates;
	size_t certificate_count; /* 1 .. TLS_CERTIFICATES_MAX */
	const char *client_ca;    /* NULL: clients are not asked */
	const char
		*client_crl; /* PEM: lists of certificates of clients that are revoked; or NULL */
	bool client_required;
	const char *ticket_keys; /* keys of 80 bytes, the first seals; NULL: keys of our own */
};
enum { TLS_CERTIFICATES_MAX = 256, TLS_MESSAGE_MAX = 512 };

/* Loads all of it and checks that certificates and keys are pairs, that clients will like them, and
 * that they are within their dates (expired is a warning in the log, and an error only where it
 * would take the place of a good one in `before`). `before` may be NULL. NULL on failure with a
 * text in `message` that names the file and what is wrong with it. `keys` must outlive the context.
 */
struct tls_context *tls_context_load_files(const struct tls_context_files *files,
	const struct tls_context *before, struct tls_ticket_keys *keys,
	char message[TLS_MESSAGE_MAX]);

/* The same with one certificate and nothing else. */
struct tls_context *tls_context_load(const char *certificate_file, const char *key_file,
	struct tls_ticket_keys *keys, char message[TLS_MESSAGE_MAX]);

/* Reads the files again that `before` was loaded from. What cannot be used stays as it is, and is
 * told to `on_problem`, file by file, at each call; what has changed is told to the log. Another
 * reference to `before` when nothing has changed, or when out of memory. */
struct tls_problems {
	void (*on_problem)(void *context, const char *message);
	void *context;
};
struct tls_context *tls_context_reload(struct tls_context *before,
	const struct tls_context_files *files, struct tls_ticket_keys *keys,
	const struct tls_problems *problems);

/* Are clients let in by the same certificates: the same authorities, and the same demand? */
bool tls_context_same_clients(const struct tls_context *a, const struct tls_context *b);

struct tls_context *tls_context_ref(struct tls_context *context);
void tls_context_unref(struct tls_context *context);

/* Each certificate, in the order of the files. The text lives as long as the context. */
struct tls_certificate_state {
	const char *file;
	int64_t not_after_s; /* seconds since 1970 */
	bool has_ocsp;       /* is there a file for it? */
	int64_t ocsp_end_s;  /* until when a response is stapled; 0: none is */
};
size_t tls_context_certificate_count(const struct tls_context *context);
struct tls_certificate_state tls_context_certificate(
	const struct tls_context *context, size_t index);

/* When the first of the certificates expires, seconds since 1970. */
int64_t tls_context_not_after_s(const struct tls_context *context);

/* Is this address among the first certificate's subjectAltNames? */
bool tls_context_has_address(const struct tls_context *context, const struct address *address);

/* All of them in their order (64 at most), for as long as the context lives. */
const struct address *tls_context_addresses(const struct tls_context *context, size_t *count);

/* The first certificate's first host name that is not a wildcard, as text; NULL when it has none.
 * Lives as long as the context. */
const char *tls_context_name(const struct tls_context *context);

#endif
