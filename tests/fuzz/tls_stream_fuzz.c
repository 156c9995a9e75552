/* Bytes from the network into a server's stream. The first byte of an input says how:
 *   bit 0     ALPN: dot or h2
 *   bits 1-2  0: the bytes come first; 1, 2: after a handshake (TLS 1.2, 1.3);
 *             3: after a handshake they are data that the client sends, and must arrive as they are
 *   bit 3     with 3: TLS 1.3 instead of 1.2
 *   bits 4-7  how many bytes arrive at once, and how much room a read has
 * Keys and nonces are random, so what comes back differs from run to run; what is judged does not.
 */
#include "tests/unit/tls_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tls_context *context;
static SSL_CTX *client_settings[2];

static void prepare(void)
{
	static struct tls_ticket_keys *keys; /* outlives the context, which is never freed */
	keys = tls_ticket_keys_new();
	context = fixture_context("EC", keys);
	client_settings[0] = fixture_client_settings(TLS1_2_VERSION);
	client_settings[1] = fixture_client_settings(TLS1_3_VERSION);
}

struct run {
	struct tls_stream *stream;
	struct fixture_client client; /* where there is one */
	size_t step;
	size_t capacity;
	struct slice expected; /* the data that has yet to arrive, where it must */
	bool is_expecting;
	ssize_t end;
};

static void feed_piece(struct run *run, struct slice cipher)
{
	static uint8_t out[TLS_OUT_MIN];
	ssize_t count;
	do {
		struct writer cipher_out = writer_of(out, sizeof out);
		uint8_t *plain = malloc(run->capacity);
		count = tls_stream_read(run->stream, &cipher, plain, run->capacity, &cipher_out);
		FIXTURE_CHECK(!cipher_out.failed && count <= (ssize_t)run->capacity);
		FIXTURE_CHECK(count >= 0 || count == ERR_TLS || count == ERR_CLOSED);
		FIXTURE_CHECK(count <= 0 || tls_stream_is_established(run->stream));
		if (count > 0 && run->is_expecting) {
			FIXTURE_CHECK((size_t)count <= run->expected.len);
			FIXTURE_CHECK(memcmp(plain, run->expected.at, (size_t)count) == 0);
			run->expected.at += count;
			run->expected.len -= (size_t)count;
		}
		free(plain);
		if (run->client.in)
			BIO_write(run->client.in, out, (int)cipher_out.len);
	} while (count > 0);
	FIXTURE_CHECK(count < 0 || cipher.len == 0);
	FIXTURE_CHECK(!run->end || run->end == count); /* an end stays one */
	run->end = count;
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

static void carry(struct run *run)
{
	char *at;
	size_t len = (size_t)BIO_get_mem_data(run->client.out, &at);
	feed(run, slice_of(at, len));
	(void)BIO_reset(run->client.out);
}

static void handshake(struct run *run, SSL_CTX *settings, enum tls_alpn alpn)
{
	run->client = alpn == TLS_ALPN_H2 ? fixture_client_new(settings, "\2h2", 3)
					  : fixture_client_new(settings, "\3dot", 4);
	for (int turn = 0; turn < 3; turn++) {
		SSL_do_handshake(run->client.openssl);
		carry(run);
	}
	FIXTURE_CHECK(tls_stream_is_established(run->stream) && run->end == 0);
}

static void send_as_data(struct run *run, struct slice data)
{
	size_t count;
	run->expected = data;
	run->is_expecting = true;
	if (data.len)
		FIXTURE_CHECK(SSL_write_ex(run->client.openssl, data.at, data.len, &count) == 1);
	carry(run);
	FIXTURE_CHECK(run->expected.len == 0 && run->end == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!context)
		prepare();
	if (size == 0)
		return 0;
	static const size_t steps[] = { 1, 2, 5, 6, 16, 64, 500, 1 << 20 };
	uint8_t how = data[0];
	struct slice rest = slice_of(data + 1, size - 1);
	enum tls_alpn alpn = how & 1 ? TLS_ALPN_H2 : TLS_ALPN_DOT;
	struct run run = { .stream = tls_stream_new(context, alpn),
		.step = steps[how >> 4 & 7],
		.capacity = how & 0x80 ? 3 : TLS_PLAIN_MAX };
	unsigned mode = how >> 1 & 3;
	ERR_clear_error();
	if (mode)
		handshake(&run, client_settings[mode == 3 ? how >> 3 & 1 : mode - 1], alpn);
	if (mode == 3)
		send_as_data(&run, rest);
	else
		feed(&run, rest);
	static uint8_t out[1000];
	struct writer cipher_out = writer_of(out, sizeof out);
	int error = tls_stream_write(run.stream, slice_of("answer", 6), &cipher_out);
	FIXTURE_CHECK(!error || error == ERR_TLS);
	tls_stream_close(run.stream, &cipher_out);
	FIXTURE_CHECK(!cipher_out.failed && tls_stream_error(run.stream) &&
		tls_stream_reason(run.stream));
	tls_stream_free(run.stream);
	if (run.client.openssl)
		fixture_client_free(&run.client);
	return 0;
}
