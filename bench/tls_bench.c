/* tls_bench.c - what tls/ costs beside bare OpenSSL, in memory: CPU time of the server's calls
 * only, or of the client's only. bench/README.md says how to build it.
 * "bare" is an SSL_CTX with the same certificate, or for the same trust, and OpenSSL's own settings
 * over memory BIOs. Runs alternate, so that a machine that gets slower slows both; printed is the
 * median of the rounds. */
#include <malloc.h>
#include <time.h>

#include "tests/unit/tls_fixture.h"
#include "tls/client.h"

enum { ROUNDS = 15, HANDSHAKES = 40, RECORDS = 2000, IDLE = 200, RECORD_LEN = 100 };

static uint64_t cpu_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* --- the two servers behind one face --- */

struct server {
	struct tls_stream *stream; /* ours */
	SSL *bare;                 /* or theirs, with its memory BIOs */
	BIO *in;
	BIO *out;
};

static struct tls_context *our_context;
static SSL_CTX *bare_context;
static struct tls_client *our_client;
static SSL_CTX *bare_client; /* checks chain and name, as ours does */

static struct server server_new(bool is_bare)
{
	struct server server = { 0 };
	if (!is_bare) {
		server.stream = tls_stream_new(our_context, TLS_ALPN_DOT);
		return server;
	}
	server.bare = SSL_new(bare_context);
	server.in = BIO_new(BIO_s_mem());
	server.out = BIO_new(BIO_s_mem());
	BIO_set_mem_eof_return(server.in, -1);
	SSL_set_bio(server.bare, server.in, server.out);
	SSL_set_accept_state(server.bare);
	return server;
}

static void server_free(struct server *server)
{
	tls_stream_free(server->stream);
	SSL_free(server->bare);
}

static uint8_t cipher_bytes[1024 * 1024];
static uint8_t plain_bytes[TLS_PLAIN_MAX];

/* The server's whole turn; what it wants to send is left in cipher_bytes. */
static size_t server_turn(struct server *server, struct slice cipher)
{
	if (server->stream) {
		struct writer out = writer_of(cipher_bytes, sizeof cipher_bytes);
		while (tls_stream_read(
			       server->stream, &cipher, plain_bytes, sizeof plain_bytes, &out) > 0)
			;
		return out.len;
	}
	BIO_write(server->in, cipher.at, (int)cipher.len);
	ERR_clear_error();
	while (SSL_read(server->bare, plain_bytes, sizeof plain_bytes) > 0)
		;
	int len = BIO_read(server->out, cipher_bytes, sizeof cipher_bytes);
	return len > 0 ? (size_t)len : 0;
}

static size_t server_write(struct server *server, struct slice plain)
{
	if (server->stream) {
		struct writer out = writer_of(cipher_bytes, sizeof cipher_bytes);
		FIXTURE_CHECK(tls_stream_write(server->stream, plain, &out) == 0);
		return out.len;
	}
	SSL_write(server->bare, plain.at, (int)plain.len);
	int len = BIO_read(server->out, cipher_bytes, sizeof cipher_bytes);
	return len > 0 ? (size_t)len : 0;
}

/* --- handshakes --- */

static void handshake(
	struct server *server, const struct fixture_client *client, uint64_t *spent_ns)
{
	for (int turn = 0; turn < 3; turn++) {
		char *at;
		SSL_do_handshake(client->openssl);
		size_t len = (size_t)BIO_get_mem_data(client->out, &at);
		uint64_t before = cpu_ns();
		size_t out_len = len ? server_turn(server, slice_of(at, len)) : 0;
		*spent_ns += cpu_ns() - before;
		(void)BIO_reset(client->out);
		BIO_write(client->in, cipher_bytes, (int)out_len);
	}
	char byte;
	SSL_read(client->openssl, &byte, 1); /* the tickets */
	FIXTURE_CHECK(SSL_is_init_finished(client->openssl));
}

/* Microseconds per handshake, with making and freeing the server's side. */
static double handshakes(SSL_CTX *settings, bool is_bare, bool is_resumed)
{
	SSL_SESSION *session = NULL;
	uint64_t spent_ns = 0;
	for (int i = -1; i < HANDSHAKES; i++) {
		struct fixture_client client = fixture_client_new(settings, NULL, 0);
		if (session)
			fixture_client_resume(&client, session);
		uint64_t before = cpu_ns();
		struct server server = server_new(is_bare);
		spent_ns += cpu_ns() - before;
		handshake(&server, &client, &spent_ns);
		FIXTURE_CHECK(SSL_session_reused(client.openssl) == (session != NULL));
		if (is_resumed && !session)
			session = SSL_get1_session(client.openssl);
		before = cpu_ns();
		server_free(&server);
		spent_ns += cpu_ns() - before;
		if (i < 0)
			spent_ns = 0; /* the first one only warms up */
		fixture_client_free(&client);
	}
	SSL_SESSION_free(session);
	return (double)spent_ns / 1000 / HANDSHAKES;
}

/* --- the client's side --- */

struct asker {
	struct tls_stream *stream; /* ours */
	struct fixture_client bare;
};

static struct asker asker_new(bool is_bare, SSL_SESSION *session)
{
	struct asker asker = { 0 };
	if (!is_bare) {
		asker.stream = tls_client_open(our_client);
		return asker;
	}
	asker.bare = fixture_client_new(bare_client, "\3dot", 4);
	SSL_set_tlsext_host_name(asker.bare.openssl, "localhost");
	if (session)
		fixture_client_resume(&asker.bare, session);
	return asker;
}

/* The client's whole turn; what it wants to send is left in cipher_bytes. */
static size_t asker_turn(struct asker *asker, struct slice cipher)
{
	if (asker->stream) {
		struct writer out = writer_of(cipher_bytes, sizeof cipher_bytes);
		while (tls_stream_read(
			       asker->stream, &cipher, plain_bytes, sizeof plain_bytes, &out) > 0)
			;
		return out.len;
	}
	if (cipher.len)
		BIO_write(asker->bare.in, cipher.at, (int)cipher.len);
	ERR_clear_error();
	while (SSL_read(asker->bare.openssl, plain_bytes, sizeof plain_bytes) > 0)
		;
	int len = BIO_read(asker->bare.out, cipher_bytes, sizeof cipher_bytes);
	return len > 0 ? (size_t)len : 0;
}

/* Both kinds against a bare server. Returns a session to resume, of a bare client. */
static SSL_SESSION *one_asked(bool is_bare, SSL_SESSION *session, bool is_resumed, uint64_t *ns)
{
	struct server server = server_new(true);
	static uint8_t from_server[64 * 1024];
	size_t len = 0;
	uint64_t before = cpu_ns();
	struct asker asker = asker_new(is_bare, session);
	*ns += cpu_ns() - before;
	for (int turn = 0; turn < 3; turn++) {
		before = cpu_ns();
		size_t out_len = asker_turn(&asker, slice_of(from_server, len));
		*ns += cpu_ns() - before;
		len = out_len ? server_turn(&server, slice_of(cipher_bytes, out_len)) : 0;
		memcpy(from_server, cipher_bytes, len);
	}
	FIXTURE_CHECK(
		SSL_is_init_finished(server.bare) && SSL_session_reused(server.bare) == is_resumed);
	SSL_SESSION *next = is_bare ? SSL_get1_session(asker.bare.openssl) : NULL;
	before = cpu_ns();
	tls_stream_free(asker.stream);
	if (is_bare)
		fixture_client_free(&asker.bare);
	*ns += cpu_ns() - before;
	server_free(&server);
	return next;
}

/* Microseconds per handshake, with making and freeing the client's side. */
static double asked(bool is_bare, bool is_resumed)
{
	uint64_t spent_ns = 0;
	uint64_t warm_up_ns = 0;
	tls_client_forget(our_client);
	SSL_SESSION *session = one_asked(is_bare, NULL, false, &warm_up_ns);
	for (int i = 0; i < HANDSHAKES; i++) {
		if (!is_resumed)
			tls_client_forget(our_client);
		SSL_SESSION_free(
			one_asked(is_bare, is_resumed ? session : NULL, is_resumed, &spent_ns));
	}
	SSL_SESSION_free(session);
	return (double)spent_ns / 1000 / HANDSHAKES;
}

/* --- records --- */

/* Nanoseconds per record of RECORD_LEN bytes that arrives alone, and per one that is written. */
static void records(SSL_CTX *settings, bool is_bare, double *read_ns, double *write_ns)
{
	struct fixture_client client = fixture_client_new(settings, NULL, 0);
	struct server server = server_new(is_bare);
	uint64_t spent_ns = 0;
	static uint8_t sent[RECORDS * (RECORD_LEN + 64)];
	uint8_t question[RECORD_LEN] = { 1 };
	handshake(&server, &client, &spent_ns);
	for (int i = 0; i < RECORDS; i++)
		SSL_write(client.openssl, question, RECORD_LEN);
	size_t len = (size_t)BIO_read(client.out, sent, sizeof sent);
	size_t record_len = len / RECORDS;
	uint64_t before = cpu_ns();
	for (size_t i = 0; i < RECORDS; i++)
		server_turn(&server, slice_of(sent + i * record_len, record_len));
	*read_ns = (double)(cpu_ns() - before) / RECORDS;
	before = cpu_ns();
	for (int i = 0; i < RECORDS; i++)
		server_write(&server, slice_of(question, RECORD_LEN));
	*write_ns = (double)(cpu_ns() - before) / RECORDS;
	server_free(&server);
	fixture_client_free(&client);
}

/* --- memory --- */

static size_t idle_bytes(SSL_CTX *settings, bool is_bare)
{
	struct server servers[IDLE];
	size_t total = 0;
	uint64_t spent_ns = 0;
	for (size_t i = 0; i < IDLE; i++) {
		struct fixture_client client = fixture_client_new(settings, NULL, 0);
		servers[i] = server_new(is_bare);
		handshake(&servers[i], &client, &spent_ns);
		SSL_write(client.openssl, "question", 8);
		char *at;
		size_t len = (size_t)BIO_get_mem_data(client.out, &at);
		server_turn(&servers[i], slice_of(at, len));
		server_write(&servers[i], slice_of("answer", 6));
		fixture_client_free(&client);
	}
	for (size_t i = 0; i < IDLE; i++) {
		size_t before = mallinfo2().uordblks;
		server_free(&servers[i]);
		total += before - mallinfo2().uordblks;
	}
	return total / IDLE;
}

/* --- */

static int by_size(const void *a, const void *b)
{
	double difference = *(const double *)a - *(const double *)b;
	return difference > 0 ? 1 : difference < 0 ? -1 : 0;
}

static double median(double values[ROUNDS])
{
	qsort(values, ROUNDS, sizeof *values, by_size);
	return values[ROUNDS / 2];
}

static void measure(int version)
{
	SSL_CTX *settings = fixture_client_settings(version);
	double full[2][ROUNDS], resumed[2][ROUNDS], reads[2][ROUNDS], writes[2][ROUNDS];
	double asked_full[2][ROUNDS], asked_resumed[2][ROUNDS];
	SSL_CTX_set_max_proto_version(bare_context, version);
	for (int round = 0; round < ROUNDS; round++) {
		for (int is_bare = 0; is_bare < 2; is_bare++) {
			full[is_bare][round] = handshakes(settings, is_bare, false);
			resumed[is_bare][round] = handshakes(settings, is_bare, true);
			records(settings, is_bare, &reads[is_bare][round], &writes[is_bare][round]);
			asked_full[is_bare][round] = asked(is_bare, false);
			asked_resumed[is_bare][round] = asked(is_bare, true);
		}
	}
	printf("%-28s %10s %10s\n", version == TLS1_3_VERSION ? "TLS 1.3" : "TLS 1.2", "ours",
		"bare");
	printf("%-28s %10.1f %10.1f\n", "full handshake, us", median(full[0]), median(full[1]));
	printf("%-28s %10.1f %10.1f\n", "resumed handshake, us", median(resumed[0]),
		median(resumed[1]));
	printf("%-28s %10.1f %10.1f\n", "client: full handshake, us", median(asked_full[0]),
		median(asked_full[1]));
	printf("%-28s %10.1f %10.1f\n", "client: resumed, us", median(asked_resumed[0]),
		median(asked_resumed[1]));
	printf("%-28s %10.0f %10.0f\n", "read 100 bytes, ns", median(reads[0]), median(reads[1]));
	printf("%-28s %10.0f %10.0f\n", "write 100 bytes, ns", median(writes[0]),
		median(writes[1]));
	printf("%-28s %10zu %10zu\n", "idle stream, bytes", idle_bytes(settings, false),
		idle_bytes(settings, true));
	SSL_CTX_free(settings);
}

static SSL_CTX *make_bare_client(const char *ca_file)
{
	SSL_CTX *made = SSL_CTX_new(TLS_client_method());
	FIXTURE_CHECK(SSL_CTX_load_verify_file(made, ca_file) == 1 &&
		X509_VERIFY_PARAM_set1_host(SSL_CTX_get0_param(made), "localhost", 0) == 1);
	SSL_CTX_set_verify(made, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	return made;
}

static void make_clients(const struct fixture_certificate *ca)
{
	struct fixture_directory directory = fixture_directory_make();
	char ca_file[128], message[TLS_MESSAGE_MAX];
	fixture_write_chain(&directory, "ca.pem", &ca, 1);
	fixture_path(&directory, "ca.pem", ca_file);
	struct tls_client_settings settings = { .name = "localhost", .ca_file = ca_file };
	our_client = tls_client_new(&settings, message);
	FIXTURE_CHECK(our_client);
	bare_client = make_bare_client(ca_file);
	fixture_remove(&directory);
}

static void make_bare(void)
{
	struct fixture_certificate ca = fixture_issue("EC", "test CA", NULL, -60, 86400);
	struct fixture_certificate leaf = fixture_issue("EC", "localhost", &ca, -60, 86400);
	bare_context = SSL_CTX_new(TLS_server_method());
	FIXTURE_CHECK(SSL_CTX_use_certificate(bare_context, leaf.certificate) == 1 &&
		SSL_CTX_use_PrivateKey(bare_context, leaf.key) == 1 &&
		SSL_CTX_add1_chain_cert(bare_context, ca.certificate) == 1 &&
		SSL_CTX_set_session_id_context(bare_context, (const uint8_t *)"bare", 4) == 1);
	make_clients(&ca);
	fixture_drop(&leaf);
	fixture_drop(&ca);
}

int main(void)
{
	struct tls_ticket_keys *keys = tls_ticket_keys_new();
	our_context = fixture_context("EC", keys);
	make_bare();
	printf("%s\n", OpenSSL_version(OPENSSL_VERSION));
	measure(TLS1_3_VERSION);
	measure(TLS1_2_VERSION);
	SSL_CTX_free(bare_client);
	tls_client_unref(our_client);
	SSL_CTX_free(bare_context);
	tls_context_unref(our_context);
	tls_ticket_keys_free(keys);
	return 0;
}
