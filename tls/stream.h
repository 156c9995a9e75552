/* stream.h - one TLS connection without a socket: bytes in, bytes out.
 * Cipher bytes that arrived go in, plain bytes come out; plain bytes to send go in, cipher bytes
 * come out. Handshakes, alerts and tickets write cipher bytes too, whenever they have to. The
 * stream keeps no buffers of its own between calls, so an idle connection holds only what OpenSSL
 * cannot do without. */
#ifndef TLS_STREAM_H
#define TLS_STREAM_H

#include <sys/types.h>

#include "base/writer.h"
#include "tls/context.h"

enum tls_alpn { TLS_ALPN_DOT, TLS_ALPN_H2 };

struct tls_stream;

/* A server's side. The stream holds a reference to the context. With TLS_ALPN_H2 a client that does
 * not offer "h2" is refused with the alert no_application_protocol (RFC 7301 3.2); with
 * TLS_ALPN_DOT ALPN may be absent (RFC 7858), but what is offered must contain "dot". NULL when out
 * of memory. */
struct tls_stream *tls_stream_new(struct tls_context *context, enum tls_alpn alpn);
void tls_stream_free(struct tls_stream *stream);

/* Takes what it can from the front of `cipher` (the slice moves on; complete records are always
 * taken, a partial record is kept inside) and writes plain bytes to `plain`. Cipher bytes to be
 * sent (handshake, alerts) are appended to `cipher_out`; give it at least TLS_OUT_MIN free bytes.
 * Returns the number of plain bytes; 0 when more cipher bytes are needed; ERR_CLOSED after the
 * peer's close_notify; ERR_TLS when the connection is over (send what is in cipher_out, then
 * close). */
enum { TLS_OUT_MIN = 32 * 1024, TLS_PLAIN_MAX = 16 * 1024 };
ssize_t tls_stream_read(struct tls_stream *stream, struct slice *cipher, uint8_t *plain,
	size_t plain_capacity, struct writer *cipher_out);

/* Encrypts all of `plain` to `cipher_out`, in records as large as TLS allows. The writer needs
 * tls_stream_room(plain.len) free bytes. 0 or ERR_TLS. */
int tls_stream_write(struct tls_stream *stream, struct slice plain, struct writer *cipher_out);
size_t tls_stream_room(size_t plain_len);

/* Says goodbye: appends close_notify. */
void tls_stream_close(struct tls_stream *stream, struct writer *cipher_out);

bool tls_stream_is_established(const struct tls_stream *stream);
/* Of an established stream. */
bool tls_stream_is_resumed(const struct tls_stream *stream);
const char *tls_stream_version(const struct tls_stream *stream); /* "TLSv1.3" */

/* Why the last call gave ERR_TLS: a closed set of words for metrics ("no_shared_protocol",
 * "no_shared_cipher", "no_application_protocol", "peer_alert", "not_tls", "other"). */
const char *tls_stream_error(const struct tls_stream *stream);

#endif
