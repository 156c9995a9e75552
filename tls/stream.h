/* stream.h - one TLS connection without a socket: bytes in, bytes out.
 * Cipher bytes that arrived go in, plain bytes come out; plain bytes to send go in, cipher bytes
 * come out. Handshakes, alerts and tickets write cipher bytes too, whenever they have to. The
 * stream keeps no buffers of its own between calls, so an idle connection holds only what OpenSSL
 * cannot do without. One thread at a time. */
#ifndef TLS_STREAM_H
#define TLS_STREAM_H

#include <sys/types.h>

#include "base/error.h"
#include "base/writer.h"
#include "tls/context.h"

enum tls_alpn { TLS_ALPN_DOT, TLS_ALPN_H2, TLS_ALPN_HTTP };

struct tls_stream;

/* A server's side; a client's is tls_client_open() (client.h), and then the same functions serve.
 * The stream holds a reference to the context. With TLS_ALPN_H2 a client that does
 * not offer "h2" is refused with the alert no_application_protocol (RFC 7301 3.2); with
 * TLS_ALPN_DOT ALPN may be absent (RFC 7858), but what is offered must contain "dot"; with
 * TLS_ALPN_HTTP likewise "h2", which is taken first, or "http/1.1". NULL when out of memory. */
struct tls_stream *tls_stream_new(struct tls_context *context, enum tls_alpn alpn);
void tls_stream_free(struct tls_stream *stream);

/* Takes what it can from the front of `cipher` (the slice moves on; complete records are always
 * taken, a partial record is kept inside) and writes plain bytes to `plain`. Cipher bytes to be
 * sent (handshake, alerts) are appended to `cipher_out`; give it at least TLS_OUT_MIN free bytes.
 * Returns the number of plain bytes; 0 when more cipher bytes are needed; ERR_CLOSED after the
 * peer's close_notify (one may still write); ERR_TLS when the connection is over (send what is in
 * cipher_out, then close).
 *
 * A client speaks first: its first call, with an empty slice, writes the ClientHello.
 *
 * Call it until it returns 0 or an error: only then `cipher` is used up and nothing that was
 * decrypted waits inside. The last call costs next to nothing. Plain bytes that came before an
 * end are handed out first; the end is what the next call returns, and all calls after it.
 * `plain_capacity` must not be 0. */
enum { TLS_OUT_MIN = 32 * 1024, TLS_PLAIN_MAX = 16 * 1024 };
ssize_t tls_stream_read(struct tls_stream *stream, struct slice *cipher, uint8_t *plain,
	size_t plain_capacity, struct writer *cipher_out);

/* Encrypts all of `plain` to `cipher_out`, in records as large as TLS allows. The writer needs
 * tls_stream_room(plain.len) free bytes. 0; ERR_TOO_LONG when it has not (nothing was written, and
 * the stream is as it was); ERR_TLS, also while the handshake is not done. */
int tls_stream_write(struct tls_stream *stream, struct slice plain, struct writer *cipher_out);
size_t tls_stream_room(size_t plain_len);

/* Says goodbye: appends close_notify. Does nothing when there is nobody to say it to: during the
 * handshake, after an error, or a second time. After it nothing can be written. */
void tls_stream_close(struct tls_stream *stream, struct writer *cipher_out);

bool tls_stream_is_established(const struct tls_stream *stream);
/* Of an established stream. */
bool tls_stream_is_resumed(const struct tls_stream *stream);
const char *tls_stream_version(const struct tls_stream *stream); /* "TLSv1.3" */
/* The application protocol that was chosen, "h2"; empty: the client offered none. */
struct slice tls_stream_protocol(const struct tls_stream *stream);

/* Who the client says it is. Of an established server's stream; lives as long as the stream. */
struct tls_peer {
	struct slice tls_name; /* SNI, lower case; empty: none, or none that is a host name */
	/* Of the certificate that was verified, now or in the session that is resumed, as
	 * rules/claims.h spells them; none: there was none. */
	const struct slice *names;
	size_t name_count;
	int64_t not_after_s; /* of the whole chain: the earliest; it holds no longer */
};
const struct tls_peer *tls_stream_peer(const struct tls_stream *stream);

/* Would its client be let in, and known by what it is known by, if it came now that `context` is in
 * force? False when its certificate was verified by other authorities, or may yet be, and when it
 * has none and one must be shown. */
bool tls_stream_may_stay(const struct tls_stream *stream, const struct tls_context *context);

/* Why the last call gave ERR_TLS: a closed set of words for metrics. A client has some more, see
 * tls_client_open(), and reads "server" for "client" here.
 * "no_shared_protocol"       TLS 1.1 or older
 * "no_shared_cipher"         no common cipher, key exchange or signature algorithm
 * "no_application_protocol"  ALPN, see tls_stream_new()
 * "certificate_refused"      the client does not accept our certificate, and said so
 * "peer_alert"               the client gave up for another reason
 * "not_tls"                  the first bytes are no TLS record, e.g. plain DNS or HTTP
 * "bad_record"               a record that cannot be decrypted or is too long
 * "renegotiation"            the client asked for a second handshake (TLS 1.2)
 * "key_update_flood"         TLS_KEY_UPDATES_MAX key updates without a byte of data between them
 *                            (for a client: key updates and tickets)
 * "client_certificate_missing"    one must be shown
 * "client_certificate_untrusted"  it leads to none of the authorities
 * "client_certificate_expired"    it, or one above it, is not within its dates
 * "client_certificate_revoked"    it is in a list of revoked ones, or nobody knows whether it is
 * "client_certificate_refused"    it is not one for clients, too weak, not the client's own ...
 * "other"                    see tls_stream_reason() */
enum { TLS_KEY_UPDATES_MAX = 32 };
const char *tls_stream_error(const struct tls_stream *stream);

/* The same in OpenSSL's words, for a line in the log: "wrong version number". Never NULL. */
const char *tls_stream_reason(const struct tls_stream *stream);

#endif
