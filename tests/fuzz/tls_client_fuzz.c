/* Bytes from a hostile server into a client's stream. The first byte of an input says how:
 *   bit 0     ALPN: dot or h2
 *   bits 1-2  0: the bytes are all that the server says; 1, 2: they come after a handshake
 *             (TLS 1.2, 1.3); 3: a real server's words, changed on their way: each pair of bytes is
 *             a distance from the change before and what is turned over there
 *   bit 3     with 3: TLS 1.3 instead of 1.2
 *   bits 4-7  how many bytes arrive at once, and how much room a read has
 * The client is kept from input to input, with the sessions that it has got, as in life. Keys and
 * nonces are random, so what comes back differs from run to run; what is judged does not. */
#include "tests/unit/tls_fixture.h"
#include "tls/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tls_client *clients[2];
static SSL_CTX *server_settings[2];

static int on_alpn(SSL *openssl, const unsigned char **chosen, unsigned char *chosen_len,
	const unsigned char *offer, unsigned int offer_len, void *unused)
{
	(void)openssl;
	(void)unused;
	FIXTURE_CHECK(offer_len == offer[0] + 1u);
	*chosen = offer + 1;
	*chosen_len = offer[0];
	return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *settings_of(int version, const struct fixture_certificate *leaf)
{
	SSL_CTX *made = SSL_CTX_new(TLS_server_method());
	FIXTURE_CHECK(made && SSL_CTX_use_certificate(made, leaf->certificate) == 1 &&
		SSL_CTX_use_PrivateKey(made, leaf->key) == 1);
	SSL_CTX_set_min_proto_version(made, version);
	SSL_CTX_set_max_proto_version(made, version);
	SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_alpn_select_cb(made, on_alpn, NULL);
	return made;
}

static void prepare(void)
{
	struct fixture_directory directory = fixture_directory_make();
	struct fixture_certificate ca = fixture_issue("EC", "test CA", NULL, -60, 86400);
	struct fixture_certificate leaf = fixture_issue("EC", "localhost", &ca, -60, 86400);
	const struct fixture_certificate *chain[] = { &ca };
	char ca_file[128], message[TLS_MESSAGE_MAX];
	fixture_write_chain(&directory, "ca.pem", chain, 1);
	fixture_path(&directory, "ca.pem", ca_file);
	for (int i = 0; i < 2; i++) {
		struct tls_client_settings settings = { .name = "localhost",
			.ca_file = ca_file,
			.alpn = i ? TLS_ALPN_H2 : TLS_ALPN_DOT };
		clients[i] = tls_client_new(&settings, message);
		FIXTURE_CHECK(clients[i]);
		server_settings[i] = settings_of(i ? TLS1_3_VERSION : TLS1_2_VERSION, &leaf);
	}
	fixture_drop(&leaf);
	fixture_drop(&ca);
	fixture_remove(&directory);
}

struct run {
	struct tls_stream *stream;
	SSL *server; /* where there is one */
	BIO *in;
	BIO *out;
	size_t step;
	size_t capacity;
	struct slice changes; /* on the way from the server */
	ssize_t end;
};

static void feed_piece(struct run *run, struct slice cipher)
{
	static uint8_t out[TLS_OUT_MIN];
	ssize_t count;
	struct writer cipher_out = writer_of(out, sizeof out);
	do {
		uint8_t *plain = malloc(run->capacity);
		count = tls_stream_read(run->stream, &cipher, plain, run->capacity, &cipher_out);
		FIXTURE_CHECK(!cipher_out.failed && count <= (ssize_t)run->capacity);
		FIXTURE_CHECK(count >= 0 || count == ERR_TLS || count == ERR_CLOSED);
		FIXTURE_CHECK(count <= 0 || tls_stream_is_established(run->stream));
		free(plain);
	} while (count > 0);
	FIXTURE_CHECK(count < 0 || cipher.len == 0);
	FIXTURE_CHECK(!run->end || run->end == count); /* an end stays one */
	run->end = count;
	if (run->in)
		BIO_write(run->in, out, (int)cipher_out.len);
}

static void feed(struct run *run, struct slice cipher)
{
	for (size_t i = 0; i < cipher.len; i += run->step) {
		size_t len = cipher.len - i < run->step ? cipher.len - i : run->step;
		uint8_t *copy = malloc(len);
		memcpy(copy, cipher.at + i, len);
		feed_piece(run, slice_of(copy, len));
		free(copy);
	}
}

static void change(struct slice *changes, uint8_t *at, size_t len)
{
	for (size_t i = 0; changes->len >= 2; i++) {
		i += changes->at[0];
		if (i >= len)
			return;
		at[i] ^= changes->at[1];
		changes->at += 2;
		changes->len -= 2;
	}
}

static void handshake(struct run *run, SSL_CTX *settings)
{
	run->server = SSL_new(settings);
	run->in = BIO_new(BIO_s_mem());
	run->out = BIO_new(BIO_s_mem());
	BIO_set_mem_eof_return(run->in, -1);
	SSL_set_bio(run->server, run->in, run->out);
	SSL_set_accept_state(run->server);
	feed_piece(run, slice_of("", 0));
	for (int turn = 0; turn < 3; turn++) {
		static uint8_t flight[64 * 1024];
		ERR_clear_error();
		SSL_do_handshake(run->server);
		int len = BIO_read(run->out, flight, sizeof flight);
		if (len <= 0)
			return;
		change(&run->changes, flight, (size_t)len);
		feed(run, slice_of(flight, (size_t)len));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!clients[0])
		prepare();
	if (size == 0)
		return 0;
	static const size_t steps[] = { 1, 2, 5, 6, 16, 64, 500, 1 << 20 };
	uint8_t how = data[0];
	struct slice rest = slice_of(data + 1, size - 1);
	unsigned mode = how >> 1 & 3;
	struct run run = { .stream = tls_client_open(clients[how & 1]),
		.step = steps[how >> 4 & 7],
		.capacity = how & 0x80 ? 3 : TLS_PLAIN_MAX,
		.changes = mode == 3 ? rest : slice_of(NULL, 0) };
	ERR_clear_error();
	if (mode)
		handshake(&run, server_settings[mode == 3 ? how >> 3 & 1 : mode - 1]);
	else
		feed_piece(&run, slice_of("", 0));
	FIXTURE_CHECK((mode != 1 && mode != 2) || tls_stream_is_established(run.stream));
	if (mode != 3)
		feed(&run, rest);
	FIXTURE_CHECK(mode != 0 || !tls_stream_is_established(run.stream));
	static uint8_t out[1000];
	struct writer cipher_out = writer_of(out, sizeof out);
	int error = tls_stream_write(run.stream, slice_of("question", 8), &cipher_out);
	FIXTURE_CHECK(!error || error == ERR_TLS);
	tls_stream_close(run.stream, &cipher_out);
	FIXTURE_CHECK(!cipher_out.failed && tls_stream_error(run.stream) &&
		tls_stream_reason(run.stream));
	tls_stream_free(run.stream);
	SSL_free(run.server);
	return 0;
}
