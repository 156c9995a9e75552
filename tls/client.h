/* client.h - the client's side of TLS: whom we believe to be the upstream. Everything that the
 * connections to one upstream share: name, trust, pins, and the sessions to resume.
 * TLS 1.2 and 1.3 only, as for servers (RFC 9325 3.1). The peer's certificate is always checked: by
 * chain and name (RFC 8310 8.1), by pin (RFC 7858 4.2), or by both. There is no way to switch it
 * off. Safe from any thread; reference-counted. The streams are those of stream.h.
 *
 * By chain: up to one of the authorities, each certificate within its dates, the leaf for TLS
 * servers and with the name or address among its subjectAltNames (RFC 9525; a wildcard stands for
 * one whole label, the common name for nothing). Revocation is not asked for.
 * By pin alone: the key of the leaf decides, and nothing else of the certificate, not even its
 * dates. They are what its signer says, who is nobody we know; the pin vouches for a key, with a
 * raw public key just as well (RFC 7858 4.2), and RFC 7671 5.1 does the same for DANE-EE. */
#ifndef TLS_CLIENT_H
#define TLS_CLIENT_H

#include "base/address.h"
#include "tls/stream.h"

/* SHA-256 of a SubjectPublicKeyInfo (RFC 7469 2.4). */
struct tls_pin {
	uint8_t sha256[32];
};
/* From base64, as `openssl dgst -sha256 -binary | base64` writes it: 44 characters. */
bool tls_pin_parse(struct tls_pin *pin, const char *text);

struct tls_client_settings {
	const char *name; /* must be in the certificate and is sent as SNI; NULL: none, and
			     then the certificate must have the address, or a pin must match. The
			     text of an address is taken as one, instead of `address` */
	const struct address *address; /* must be in the certificate when there is no name; may be
					  NULL with pins */
	const char *ca_file; /* PEM, 1024 certificates at most, each trusted as it is, be it an
				intermediate one; NULL: the system's authorities */
	const struct tls_pin *pins; /* one of them must match a certificate of the verified chain,
				       or the leaf when nothing else is checked (no name, no
				       address, no ca_file) */
	size_t pin_count;
	enum tls_alpn alpn; /* offered; a peer that chooses another one is refused. With
			       TLS_ALPN_DOT it may choose none */
};

struct tls_client;

/* Copies the settings. NULL with a text in `message` that names the file and what is wrong: also
 * when there is nothing to know the upstream by (no name, no address, no pin), and when the system
 * has no authorities. Reads files: not on a loop. (A handshake may read one, too: OpenSSL opens the
 * system's directory of authorities at the moment when it needs one.) */
struct tls_client *tls_client_new(
	const struct tls_client_settings *settings, char message[TLS_MESSAGE_MAX]);
struct tls_client *tls_client_ref(struct tls_client *client);
void tls_client_unref(struct tls_client *client);

/* A stream to the upstream, resuming a session where there is one. Begins with the first
 * tls_stream_read() (give it an empty slice), which writes the ClientHello. NULL when out of
 * memory.
 *
 * Sessions that the peer offers are remembered by themselves, the 8 newest. A ticket of TLS 1.3 is
 * used once (RFC 8446 C.4), a session of TLS 1.2 by one handshake at a time. A handshake that was
 * begun and did not get to its end, for whatever reason, makes the client forget them all, so that
 * the next one is full.
 *
 * The words of tls_stream_error() for a client; tls_stream_reason() has the particulars:
 * "certificate_untrusted"   no chain to an authority that we trust, or out of its dates
 * "certificate_name"        an authority that we trust, but somebody else's certificate
 * "certificate_pin"         none of its keys is one of the pins
 * and "no_shared_protocol", "no_shared_cipher", "no_application_protocol", "peer_alert", "not_tls",
 * "bad_record", "renegotiation", "key_update_flood", "other" as there. A server whose certificate
 * is refused gets the alert that says so. */
struct tls_stream *tls_client_open(struct tls_client *client);

/* Forgets all sessions (the peer did not take one well). */
void tls_client_forget(struct tls_client *client);

#endif
