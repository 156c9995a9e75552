/* OpenSSL wants a BIO to read from and write to. Ours is a pair of borrowed pointers: during a call
 * it reads from the caller's `cipher` and appends to the caller's `cipher_out`, between calls it
 * has nothing. So the buffers of all connections of a worker are the same two, a flight of
 * handshake messages leaves in one piece, and the BIO is also the place to cut a peer off: a stream
 * that has been refused gets no more bytes. */
#include "tls/stream.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <pthread.h>
#include <string.h>

#include "base/reader.h"
#include "tls/private.h"

struct tls_stream {
	SSL *openssl;
	struct tls_context *context; /* a server's, else NULL */
	struct tls_client *client;   /* a client's, else NULL */
	struct slice *cipher;        /* of the current call, else NULL */
	struct writer *cipher_out;   /* of the current call, else NULL */
	struct tls_peer peer;        /* of a client */
	enum tls_alpn alpn;
	int end;               /* what reads return from now on: 0 (go on), ERR_CLOSED or ERR_TLS */
	unsigned key_updates;  /* since the last plain byte */
	bool is_starved;       /* OpenSSL has taken all there was and waits for more */
	bool is_established;   /* the handshake is done */
	bool has_said_goodbye; /* close_notify is out */
	const char *refusal;   /* why we, not OpenSSL, ended it; one of the words */
	const char *refusal_reason; /* in our words, or NULL */
	const char *error;          /* one of the words */
	const char *reason;         /* OpenSSL's */
};

/* --- the BIO --- */

/* OpenSSL reads as many bytes as we let it have: not twice a record, for its head and for the rest,
 * and with a buffer that it takes and gives back once for all of them instead of once a record. 16
 * questions are some 1,800 bytes. No more, as what it has is out of our reach: a stream that has
 * been refused works on until it has used it up. */
enum { READ_AHEAD_MAX = 2048 };

static int on_bio_read(BIO *bio, char *to, int capacity)
{
	struct tls_stream *stream = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	if (stream->refusal || !stream->cipher || capacity <= 0)
		return -1; /* without a retry flag: to OpenSSL the transport is broken */
	size_t count = stream->cipher->len;
	if (count == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	if (count > (size_t)capacity)
		count = (size_t)capacity;
	if (count > READ_AHEAD_MAX)
		count = READ_AHEAD_MAX;
	memcpy(to, stream->cipher->at, count);
	stream->cipher->at += count;
	stream->cipher->len -= count;
	return (int)count;
}

static int on_bio_write(BIO *bio, const char *from, int len)
{
	struct tls_stream *stream = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	if (!stream->cipher_out || len < 0)
		return -1;
	writer_bytes(stream->cipher_out, from, (size_t)len);
	return stream->cipher_out->failed ? -1 : len;
}

static long on_bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method;

/* Once per process, as OpenSSL has only some hundred numbers for kinds of BIOs. */
static void bio_method_make(void)
{
	bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "namegate stream");
	if (!bio_method)
		return;
	BIO_meth_set_read(bio_method, on_bio_read);
	BIO_meth_set_write(bio_method, on_bio_write);
	BIO_meth_set_ctrl(bio_method, on_bio_ctrl);
}

static BIO *stream_bio_new(struct tls_stream *stream)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, bio_method_make);
	BIO *bio = bio_method ? BIO_new(bio_method) : NULL;
	if (!bio)
		return NULL;
	BIO_set_data(bio, stream);
	BIO_set_init(bio, 1);
	return bio;
}

/* The BIO leads back to the stream, so no ex_data has to be allocated per connection. (The one for
 * reading: OpenSSL puts a buffer of its own in front of the other during a handshake.) */
static struct tls_stream *stream_of(const SSL *openssl)
{
	return BIO_get_data(SSL_get_rbio(openssl));
}

/* --- what OpenSSL asks and tells --- */

enum { ALPN_NAMES_MAX = 2 };

static const struct alpn_rule {
	const char *names[ALPN_NAMES_MAX]; /* the one that we like best first */
	bool is_required;
} alpn_rules[] = {
	/* RFC 7858 knows no ALPN; RFC 9462 4.2 clients send it. */
	[TLS_ALPN_DOT] = { { "dot" }, false },
	[TLS_ALPN_H2] = { { "h2" }, true }, /* RFC 9113 3.2 */
	/* Who offers nothing speaks what was there before ALPN. */
	[TLS_ALPN_HTTP] = { { "h2", "http/1.1" }, false },
};

/* OpenSSL's own word for the server name may be that of an older session. */
static void take_server_name(struct tls_stream *stream, SSL *openssl)
{
	const unsigned char *bytes;
	size_t len;
	if (SSL_client_hello_get0_ext(openssl, TLSEXT_TYPE_server_name, &bytes, &len))
		tls_peer_take_server_name(&stream->peer, slice_of(bytes, len));
	else
		tls_peer_drop_server_name(&stream->peer);
}

static int on_client_hello(SSL *openssl, int *alert, void *unused)
{
	(void)unused;
	struct tls_stream *stream = stream_of(openssl);
	const unsigned char *offer;
	size_t offer_len;
	take_server_name(stream, openssl);
	if (!tls_context_choose(stream->context, openssl, stream->peer.tls_name)) {
		tls_stream_refuse(openssl, "other", "out of memory");
		*alert = SSL_AD_INTERNAL_ERROR;
		return SSL_CLIENT_HELLO_ERROR;
	}
	if (!alpn_rules[stream->alpn].is_required ||
		SSL_client_hello_get0_ext(openssl,
			TLSEXT_TYPE_application_layer_protocol_negotiation, &offer, &offer_len))
		return SSL_CLIENT_HELLO_SUCCESS;
	*alert = SSL_AD_NO_APPLICATION_PROTOCOL;
	stream->refusal = "no_application_protocol";
	return SSL_CLIENT_HELLO_ERROR;
}

/* The name as it stands in the client's offer; empty: it does not. */
static struct slice find_offered(struct slice offer, const char *wanted)
{
	struct reader r = reader_of(offer);
	while (reader_left(&r)) {
		struct slice name = reader_bytes(&r, reader_u8(&r));
		if (slice_equals_text(name, wanted))
			return name;
	}
	return slice_of(NULL, 0);
}

/* Called only when the client offers something. */
static int on_alpn(SSL *openssl, const unsigned char **chosen, unsigned char *chosen_len,
	const unsigned char *offer, unsigned int offer_len, void *unused)
{
	(void)unused;
	const struct alpn_rule *rule = &alpn_rules[stream_of(openssl)->alpn];
	struct slice name = slice_of(NULL, 0);
	for (unsigned i = 0; i < ALPN_NAMES_MAX && rule->names[i] && !name.len; i++)
		name = find_offered(slice_of(offer, offer_len), rule->names[i]);
	if (!name.len)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*chosen = name.at; /* must live as long as the offer, and it is part of it */
	*chosen_len = (unsigned char)name.len;
	return SSL_TLSEXT_ERR_OK;
}

/* A client gets to hear what the server chose; that it was on offer is left to us. */
static bool stream_has_alpn(const struct tls_stream *stream)
{
	struct slice chosen = tls_stream_protocol(stream);
	if (chosen.len == 0)
		return !alpn_rules[stream->alpn].is_required;
	return slice_equals_text(chosen, alpn_rules[stream->alpn].names[0]);
}

/* The certificate, now or of the session that is resumed. */
static void take_certificate(struct tls_stream *stream)
{
	X509 *leaf = SSL_get0_peer_certificate(stream->openssl);
	if (stream->client || !leaf)
		return;
	int64_t not_after_s = tls_client_ca_not_after_s(stream->openssl);
	if (!tls_peer_take_certificate(&stream->peer, leaf, not_after_s))
		tls_stream_refuse(stream->openssl, "other", "out of memory");
}

static void on_state(const SSL *openssl, int where, int unused)
{
	(void)unused;
	struct tls_stream *stream = stream_of(openssl);
	if (!(where & SSL_CB_HANDSHAKE_DONE) || stream->is_established)
		return;
	if (stream->client && !stream_has_alpn(stream)) {
		tls_stream_refuse(openssl, "no_application_protocol",
			"the server chose another application protocol");
		return;
	}
	stream->is_established = true;
	take_certificate(stream);
	if (stream->client)
		tls_client_on_established(stream->client, stream->openssl);
}

/* Each handshake message. After the handshake a peer could keep us busy with these alone: OpenSSL
 * answers each attempt to renegotiate with an alert and goes on, and derives new keys for each key
 * update of 22 bytes (RFC 8446 4.6.3 sets no limit), and a session for each ticket. */
static void on_message(int is_sent, int version, int content_type, const void *bytes, size_t len,
	SSL *openssl, void *unused)
{
	(void)version;
	(void)unused;
	if (is_sent || content_type != SSL3_RT_HANDSHAKE || len == 0)
		return;
	struct tls_stream *stream = stream_of(openssl);
	uint8_t type = *(const uint8_t *)bytes;
	uint8_t asks_again = stream->client ? SSL3_MT_HELLO_REQUEST : SSL3_MT_CLIENT_HELLO;
	if (type == asks_again && stream->is_established)
		stream->refusal = "renegotiation";
	bool is_ticket = stream->client && type == SSL3_MT_NEWSESSION_TICKET;
	if ((type == SSL3_MT_KEY_UPDATE || is_ticket) &&
		++stream->key_updates > TLS_KEY_UPDATES_MAX)
		stream->refusal = "key_update_flood";
}

void tls_stream_refuse(const SSL *openssl, const char *word, const char *reason)
{
	struct tls_stream *stream = stream_of(openssl);
	stream->refusal = word;
	stream->refusal_reason = reason;
}

void tls_stream_attach(SSL_CTX *settings)
{
	SSL_CTX_set_client_hello_cb(settings, on_client_hello, NULL);
	SSL_CTX_set_alpn_select_cb(settings, on_alpn, NULL);
	SSL_CTX_set_info_callback(settings, on_state);
	SSL_CTX_set_msg_callback(settings, on_message);
}

/* --- life --- */

/* Takes `openssl` over, also when it fails. */
static struct tls_stream *stream_around(SSL *openssl, enum tls_alpn alpn)
{
	struct tls_stream *stream = OPENSSL_zalloc(sizeof *stream);
	BIO *bio = stream ? stream_bio_new(stream) : NULL;
	if (!openssl || !bio) {
		BIO_free(bio);
		SSL_free(openssl);
		OPENSSL_free(stream);
		return NULL;
	}
	stream->openssl = openssl;
	stream->alpn = alpn;
	stream->error = "other";
	stream->reason = "no error";
	SSL_set_bio(openssl, bio, bio);
	SSL_set_read_ahead(openssl, 1);
	return stream;
}

struct tls_stream *tls_stream_new(struct tls_context *context, enum tls_alpn alpn)
{
	struct tls_stream *stream = stream_around(SSL_new(tls_context_openssl(context)), alpn);
	if (!stream)
		return NULL;
	stream->context = tls_context_ref(context);
	SSL_set_accept_state(stream->openssl);
	return stream;
}

struct tls_stream *tls_stream_connect(struct tls_client *client, SSL *openssl, enum tls_alpn alpn)
{
	struct tls_stream *stream = stream_around(openssl, alpn);
	if (!stream)
		return NULL;
	stream->client = tls_client_ref(client);
	SSL_set_connect_state(stream->openssl);
	return stream;
}

/* That the server refused a handshake, cut it off or never answered may have been the session's
 * fault. */
static void stream_tell_client(const struct tls_stream *stream)
{
	if (stream->client && !stream->is_established && !SSL_in_before(stream->openssl))
		tls_client_on_failed(stream->client);
}

void tls_stream_free(struct tls_stream *stream)
{
	if (!stream)
		return;
	stream_tell_client(stream);
	SSL_free(stream->openssl);
	tls_peer_deinit(&stream->peer);
	tls_context_unref(stream->context);
	tls_client_unref(stream->client);
	OPENSSL_free(stream);
}

/* --- errors --- */

struct word {
	int reason;
	const char *word;
};

static const struct word words[] = {
	{ SSL_R_UNSUPPORTED_PROTOCOL, "no_shared_protocol" },
	{ SSL_R_NO_PROTOCOLS_AVAILABLE, "no_shared_protocol" },
	{ SSL_R_VERSION_TOO_LOW, "no_shared_protocol" },
	{ SSL_R_INAPPROPRIATE_FALLBACK, "no_shared_protocol" },
	{ SSL_R_NO_SHARED_CIPHER, "no_shared_cipher" },
	{ SSL_R_NO_SUITABLE_KEY_SHARE, "no_shared_cipher" },
	{ SSL_R_NO_SUITABLE_GROUPS, "no_shared_cipher" },
	{ SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, "no_shared_cipher" },
	{ SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, "no_shared_cipher" },
	{ SSL_R_NO_APPLICATION_PROTOCOL, "no_application_protocol" },
	{ SSL_R_HTTP_REQUEST, "not_tls" },
	{ SSL_R_HTTPS_PROXY_REQUEST, "not_tls" },
	{ SSL_R_WRONG_VERSION_NUMBER, "not_tls" },
	{ SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, "bad_record" },
	{ SSL_R_ENCRYPTED_LENGTH_TOO_LONG, "bad_record" },
	{ SSL_R_DATA_LENGTH_TOO_LONG, "bad_record" },
	{ SSL_R_PACKET_LENGTH_TOO_LONG, "bad_record" },
	{ SSL_R_LENGTH_TOO_SHORT, "bad_record" },
};

/* Alerts that mean one thing from a client and nothing, or another thing, from a server. */
static const struct word words_of_clients[] = {
	{ SSL_AD_REASON_OFFSET + SSL_AD_BAD_CERTIFICATE, "certificate_refused" },
	{ SSL_AD_REASON_OFFSET + SSL_AD_UNSUPPORTED_CERTIFICATE, "certificate_refused" },
	{ SSL_AD_REASON_OFFSET + SSL_AD_CERTIFICATE_REVOKED, "certificate_refused" },
	{ SSL_AD_REASON_OFFSET + SSL_AD_CERTIFICATE_EXPIRED, "certificate_refused" },
	{ SSL_AD_REASON_OFFSET + SSL_AD_CERTIFICATE_UNKNOWN, "certificate_refused" },
	{ SSL_AD_REASON_OFFSET + SSL_AD_UNKNOWN_CA, "certificate_refused" },
};

/* What a server says of a client's certificate. */
static const struct word words_of_certificates[] = {
	{ SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "client_certificate_missing" },
	{ SSL_R_CERTIFICATE_VERIFY_FAILED, "client_certificate_refused" },
	{ SSL_R_BAD_SIGNATURE, "client_certificate_refused" },
	{ SSL_R_WRONG_SIGNATURE_TYPE, "client_certificate_refused" },
	{ SSL_R_UNKNOWN_CERTIFICATE_TYPE, "client_certificate_refused" },
};

/* More exactly, by what was wrong with it (X509_V_ERR_...). */
static const struct word words_of_chains[] = {
	{ X509_V_ERR_CERT_HAS_EXPIRED, "client_certificate_expired" },
	{ X509_V_ERR_CERT_NOT_YET_VALID, "client_certificate_expired" },
	{ X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "client_certificate_untrusted" },
	{ X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "client_certificate_untrusted" },
	{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, "client_certificate_untrusted" },
	{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "client_certificate_untrusted" },
	{ X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, "client_certificate_untrusted" },
	{ X509_V_ERR_CERT_UNTRUSTED, "client_certificate_untrusted" },
	{ X509_V_ERR_CERT_REVOKED, "client_certificate_revoked" },
	{ X509_V_ERR_UNABLE_TO_GET_CRL, "client_certificate_revoked" },
	{ X509_V_ERR_CRL_HAS_EXPIRED, "client_certificate_revoked" },
};

static const struct word words_of_servers[] = {
	{ SSL_AD_REASON_OFFSET + SSL_AD_PROTOCOL_VERSION, "no_shared_protocol" },
	{ SSL_AD_REASON_OFFSET + SSL_AD_INSUFFICIENT_SECURITY, "no_shared_cipher" },
	{ SSL_AD_REASON_OFFSET + SSL_AD_NO_APPLICATION_PROTOCOL, "no_application_protocol" },
};

static const char *word_among(const struct word *some, size_t count, int reason)
{
	for (size_t i = 0; i < count; i++)
		if (some[i].reason == reason)
			return some[i].word;
	return NULL;
}

static const char *word_for(const struct tls_stream *stream, int reason)
{
#define AMONG(table) word_among(table, sizeof table / sizeof *table, reason)
	const char *word = AMONG(words);
	if (!word && !stream->client)
		word = AMONG(words_of_certificates);
	if (!word)
		word = stream->client ? AMONG(words_of_servers) : AMONG(words_of_clients);
#undef AMONG
	if (word)
		return word;
	return reason > SSL_AD_REASON_OFFSET ? "peer_alert" : "other";
}

/* The first one that TLS itself reports is the cause. Before it a cipher may have told that it
 * failed, in numbers of its own, and after it come those who were told. */
static unsigned long error_code(void)
{
	unsigned long first = ERR_peek_error();
	unsigned long code = ERR_get_error();
	while (code && ERR_GET_LIB(code) != ERR_LIB_SSL)
		code = ERR_get_error();
	return code ? code : first;
}

/* That it is the client's certificate is known; what of it? */
static void explain_certificate(struct tls_stream *stream, int reason)
{
	long fault = SSL_get_verify_result(stream->openssl);
	if (stream->client || reason != SSL_R_CERTIFICATE_VERIFY_FAILED || fault == X509_V_OK)
		return;
	const char *word = word_among(
		words_of_chains, sizeof words_of_chains / sizeof *words_of_chains, (int)fault);
	stream->error = word ? word : stream->error;
	stream->reason = X509_verify_cert_error_string(fault);
}

static int stream_fail(struct tls_stream *stream)
{
	unsigned long code = error_code();
	const char *reason = ERR_reason_error_string(code);
	stream->end = ERR_TLS;
	stream->error = stream->refusal ? stream->refusal : word_for(stream, ERR_GET_REASON(code));
	stream->reason = reason ? reason : "no reason given";
	if (!stream->refusal)
		explain_certificate(stream, ERR_GET_REASON(code));
	if (stream->refusal_reason)
		stream->reason = stream->refusal_reason;
	stream_tell_client(stream);
	ERR_clear_error();
	return ERR_TLS;
}

/* --- bytes --- */

static void stream_lend(struct tls_stream *stream, struct slice *cipher, struct writer *cipher_out)
{
	stream->cipher = cipher;
	stream->cipher_out = cipher_out;
	/* SSL_get_error() looks at the whole queue of the thread. To clear an empty one costs as
	 * much as the decryption of a question. */
	if (ERR_peek_error())
		ERR_clear_error();
}

static void stream_take_back(struct tls_stream *stream)
{
	stream->cipher = NULL;
	stream->cipher_out = NULL;
}

/* Would the next SSL_read() only find out that there is nothing? It would take a buffer for that.
 */
static bool stream_has_read_all(const struct tls_stream *stream)
{
	return stream->cipher->len == 0 && !SSL_has_pending(stream->openssl);
}

/* After SSL_read() had nothing: is it for now, or for good? */
static void stream_settle(struct tls_stream *stream)
{
	switch (SSL_get_error(stream->openssl, 0)) {
	case SSL_ERROR_WANT_READ: stream->is_starved = true; return;
	case SSL_ERROR_ZERO_RETURN: stream->end = ERR_CLOSED; return;
	default: stream_fail(stream); return;
	}
}

ssize_t tls_stream_read(struct tls_stream *stream, struct slice *cipher, uint8_t *plain,
	size_t plain_capacity, struct writer *cipher_out)
{
	if (stream->end)
		return stream->end;
	if (stream->is_starved && cipher->len == 0)
		return 0;
	size_t total = 0;
	stream->is_starved = false;
	stream_lend(stream, cipher, cipher_out);
	while (total < plain_capacity && !stream->is_starved && !stream->end) {
		size_t count = 0;
		if (SSL_read_ex(stream->openssl, plain + total, plain_capacity - total, &count) !=
			1) {
			stream_settle(stream);
			continue;
		}
		stream->key_updates = 0;
		stream->is_starved = stream_has_read_all(stream);
		total += count;
	}
	stream_take_back(stream);
	return total ? (ssize_t)total : stream->end;
}

/* A record adds at most 29 bytes (TLS 1.2 with AES-GCM: header 5, nonce 8, tag 16; TLS 1.3: 22). A
 * client may have asked for records of only 512 bytes (RFC 6066 4). Before the data an answer to a
 * key update may have to go out. */
enum { RECORD_SMALLEST = 512, RECORD_OVERHEAD = 32, ROOM_FOR_KEY_UPDATE = 64 };

size_t tls_stream_room(size_t plain_len)
{
	size_t record_count = plain_len / RECORD_SMALLEST + 1;
	return plain_len + record_count * RECORD_OVERHEAD + ROOM_FOR_KEY_UPDATE;
}

int tls_stream_write(struct tls_stream *stream, struct slice plain, struct writer *cipher_out)
{
	if (stream->end == ERR_TLS || !stream->is_established || stream->has_said_goodbye)
		return ERR_TLS;
	if (plain.len == 0)
		return 0;
	if (cipher_out->failed || cipher_out->capacity < cipher_out->len ||
		cipher_out->capacity - cipher_out->len < tls_stream_room(plain.len))
		return ERR_TOO_LONG;
	size_t count = 0;
	stream_lend(stream, NULL, cipher_out);
	int error = SSL_write_ex(stream->openssl, plain.at, plain.len, &count) == 1
		? 0
		: stream_fail(stream);
	stream_take_back(stream);
	return error;
}

void tls_stream_close(struct tls_stream *stream, struct writer *cipher_out)
{
	if (stream->end == ERR_TLS || !stream->is_established || stream->has_said_goodbye)
		return;
	stream->has_said_goodbye = true;
	stream_lend(stream, NULL, cipher_out);
	SSL_shutdown(stream->openssl);
	ERR_clear_error();
	stream_take_back(stream);
}

bool tls_stream_is_established(const struct tls_stream *stream)
{
	return stream->is_established;
}

bool tls_stream_is_resumed(const struct tls_stream *stream)
{
	return SSL_session_reused(stream->openssl);
}

const char *tls_stream_version(const struct tls_stream *stream)
{
	return SSL_get_version(stream->openssl);
}

struct slice tls_stream_protocol(const struct tls_stream *stream)
{
	const unsigned char *chosen;
	unsigned len;
	SSL_get0_alpn_selected(stream->openssl, &chosen, &len);
	return slice_of(chosen, len);
}

const struct tls_peer *tls_stream_peer(const struct tls_stream *stream)
{
	return &stream->peer;
}

bool tls_stream_may_stay(const struct tls_stream *stream, const struct tls_context *context)
{
	if (stream->context == context || tls_context_same_clients(stream->context, context))
		return true;
	return stream->is_established && stream->peer.name_count == 0 &&
		!tls_context_requires(context);
}

const char *tls_stream_error(const struct tls_stream *stream)
{
	return stream->error;
}

const char *tls_stream_reason(const struct tls_stream *stream)
{
	return stream->reason;
}
