/* Connections of a real worker: plain TCP and DoT on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/tcp.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "worker_fixture.h"

static const char loopback[] = "127.0.0.1";
static uint8_t answer[65535];

static unsigned id_of(const uint8_t *message)
{
	return (unsigned)(message[0] << 8 | message[1]);
}

static unsigned rcode_of(const uint8_t *message)
{
	return message[3] & 15u;
}

static void ask(int fd, uint16_t id, const char *name)
{
	uint8_t query[514];
	size_t len = fixture_framed(query, id, name);
	assert_int_equal(send(fd, query, len, 0), len);
}

static void expect(int fd, unsigned id, unsigned rcode)
{
	assert_true(fixture_answer(fd, answer) >= 12);
	assert_int_equal(id_of(answer), id);
	assert_int_equal(rcode_of(answer), rcode);
}

static void expect_end(int fd)
{
	assert_int_equal(fixture_answer(fd, answer), 0);
}

static int open_tcp(const struct worker_fixture *f)
{
	return fixture_connect(loopback, f->dns_port, SOCK_STREAM);
}

static void test_pipelined(void **state)
{
	(void)state;
	struct worker_fixture *f = fixture_start(loopback, "queries_per_connection = 1000;");
	int fd = open_tcp(f);
	bool seen[500] = { false };
	for (uint16_t id = 0; id < 500; id++) {
		char name[32];
		snprintf(name, sizeof name, "now%u.test", id);
		ask(fd, id, name);
	}
	for (unsigned i = 0; i < 500; i++) {
		assert_true(fixture_answer(fd, answer) > 12);
		assert_true(id_of(answer) < 500 && !seen[id_of(answer)]);
		seen[id_of(answer)] = true;
		assert_int_equal(rcode_of(answer), 0);
	}
	close(fd);
	fixture_stop(f);
}

static void test_out_of_order(void **state)
{
	(void)state;
	struct worker_fixture *f = fixture_start(loopback, "");
	int fd = open_tcp(f);
	ask(fd, 1, "slow.test");
	ask(fd, 2, "now.test");
	expect(fd, 2, 0);
	expect(fd, 1, 0);
	close(fd);
	fixture_stop(f);
}

static void test_byte_by_byte(void **state)
{
	(void)state;
	struct worker_fixture *f = fixture_start(loopback, "");
	int fd = open_tcp(f), on = 1;
	uint8_t query[514];
	setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof on);
	for (uint16_t id = 1; id < 4; id++) {
		size_t len = fixture_framed(query, id, "now.test");
		for (size_t i = 0; i < len; i++)
			assert_int_equal(send(fd, query + i, 1, 0), 1);
	}
	for (unsigned id = 1; id < 4; id++)
		expect(fd, id, 0);
	close(fd);
	fixture_stop(f);
}

/* RFC 7766 6.2.3: who has nothing more to ask may say so, and still gets its answers. */
static void test_half_close(void **state)
{
	(void)state;
	struct worker_fixture *f = fixture_start(loopback, "");
	int fd = open_tcp(f);
	ask(fd, 1, "slow.test");
	ask(fd, 2, "slow2.test");
	shutdown(fd, SHUT_WR);
	unsigned sum = 0;
	for (unsigned i = 0; i < 2; i++) {
		assert_true(fixture_answer(fd, answer) > 12);
		sum += id_of(answer);
	}
	assert_int_equal(sum, 3);
	expect_end(fd);
	close(fd);
	fixture_stop(f);
}

static void test_half_close_with_nothing_asked(void **state)
{
	(void)state;
	struct worker_fixture *f = fixture_start(loopback, "");
	int fd = open_tcp(f);
	ask(fd, 1, "drop.test"); /* silence is what the rule says */
	shutdown(fd, SHUT_WR);
	expect_end(fd);
	close(fd);
	fixture_stop(f);
}

/* An answer for a connection that is gone finds nobody, also when another has taken its slot. */
static void test_gone_before_the_answer(void **state)
{
	(void)state;
	struct worker_fixture *f = fixture_start(loopback, "");
	struct linger reset = { 1, 0 };
	for (unsigned i = 0; i < 20; i++) {
		int fd = open_tcp(f);
		ask(fd, 1, "slow.test");
		if (i % 2)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
		close(fd);
		fd = open_tcp(f);
		ask(fd, 2, i % 3 ? "now.test" : "slow.other.test");
		expect(fd, 2, 0);
		close(fd);
	}
	fixture_stop(f);
}

static void test_not_dns(void **state)
{
	(void)state;
	struct worker_fixture *f = fixture_start(loopback, "");
	int fd = open_tcp(f);
	/* Nothing, one byte, a header that is an answer: silence. Then half a question: FORMERR. */
	static const uint8_t bytes[] = "\0\0"
				       "\0\1x"
				       "\0\14\0\7\x80\0\0\0\0\0\0\0\0\0"
				       "\0\16\0\10\1\0\0\1\0\0\0\0\0\0\3w";
	assert_int_equal(send(fd, bytes, sizeof bytes - 1, 0), sizeof bytes - 1);
	ask(fd, 9, "now.test");
	expect(fd, 8, 1);
	expect(fd, 9, 0);
	close(fd);
	fixture_stop(f);
}

static void test_idle(void **state)
{
	(void)state;
	struct worker_fixture *f = fixture_start(loopback, "idle_timeout = \"1s\";");
	uint64_t begin_ms = fixture_now_ms();
	int silent = open_tcp(f);
	int busy = open_tcp(f);
	for (unsigned i = 0; i < 8; i++) {
		ask(busy, 1, "slow.test");
		expect(busy, 1, 0);
	}
	assert_true(fixture_now_ms() - begin_ms > 2000); /* longer than a silent one may */
	assert_true(fixture_readable(silent, 0));
	expect_end(silent);
	expect_end(busy);
	assert_true(fixture_now_ms() - begin_ms < 6000);
	close(silent);
	close(busy);
	fixture_stop(f);
}

/* What waits for us is not idle. */
static void test_idle_while_we_are_slow(void **state)
{
	(void)state;
	struct worker_fixture *f = fixture_start(loopback, "idle_timeout = \"1s\";");
	int fd = open_tcp(f);
	ask(fd, 1, "silent.test");
	expect(fd, 1, 2);
	close(fd);
	fixture_stop(f);
}

static void test_request_in_drops(void **state)
{
	(void)state;
	struct worker_fixture *f = fixture_start(loopback, "request_timeout = \"300ms\";");
	int fd = open_tcp(f);
	uint64_t begin_ms = fixture_now_ms();
	uint8_t query[514];
	fixture_framed(query, 1, "now.test");
	unsigned sent = 0;
	while (sent < 20 && !fixture_readable(fd, 50) && send(fd, query + sent, 1, 0) == 1)
		sent++;
	assert_true(sent < 20);
	assert_true(fixture_now_ms() - begin_ms < 1500);
	close(fd);
	fixture_stop(f);
}

static void test_connections_per_address(void **state)
{
	(void)state;
	struct worker_fixture *f = fixture_start(loopback, "connections_per_address = 3;");
	int fds[3];
	for (unsigned i = 0; i < 3; i++) {
		fds[i] = open_tcp(f);
		ask(fds[i], 1, "now.test");
		expect(fds[i], 1, 0);
	}
	int one_more = open_tcp(f);
	expect_end(one_more);
	close(one_more);
	close(fds[0]);
	usleep(100000);
	fds[0] = open_tcp(f);
	ask(fds[0], 2, "now.test");
	expect(fds[0], 2, 0);
	for (unsigned i = 0; i < 3; i++)
		close(fds[i]);
	fixture_stop(f);
}

static void test_queries_per_connection(void **state)
{
	(void)state;
	struct worker_fixture *f = fixture_start(loopback, "queries_per_connection = 2;");
	int fd = open_tcp(f);
	for (unsigned round = 0; round < 3; round++) {
		ask(fd, 1, "slow1.test");
		ask(fd, 2, "slow2.test");
		ask(fd, 3, "slow3.test");
		expect(fd, 3, 2);
		unsigned sum = 0;
		for (unsigned i = 0; i < 2; i++) {
			assert_true(fixture_answer(fd, answer) > 12);
			assert_int_equal(rcode_of(answer), 0);
			sum += id_of(answer);
		}
		assert_int_equal(sum, 3); /* and what was held is given back each time */
	}
	close(fd);
	fixture_stop(f);
}

static void test_full_table(void **state)
{
	(void)state;
	struct worker_fixture *f = fixture_start(loopback, "queries = 2;");
	int fd = open_tcp(f);
	ask(fd, 1, "slow1.test");
	ask(fd, 2, "slow1.test");
	ask(fd, 3, "slow1.test");
	expect(fd, 3, 2);
	expect(fd, 1, 0);
	expect(fd, 2, 0);
	assert_int_equal(scripted_dns_count(f->upstream), 1);
	close(fd);
	fixture_stop(f);
}

/* A question that waits twice: for the answer, and for what is told instead. */
static void test_override_waits(void **state)
{
	(void)state;
	struct worker_fixture *f = fixture_start(loopback, "queries_per_connection = 1;");
	int fd = open_tcp(f);
	for (uint16_t id = 1; id < 4; id++) {
		ask(fd, id, "blocked.test");
		expect(fd, id, 0);
		assert_int_equal(answer[7], 2); /* the CNAME and its address */
	}
	assert_int_equal(scripted_dns_count(f->upstream), 3);
	close(fd);
	fixture_stop(f);
}

/* Overriding still blocks when nobody can be asked for the target. */
static void test_override_with_full_table(void **state)
{
	(void)state;
	struct worker_fixture *f = fixture_start(loopback, "queries = 1;");
	int fd = open_tcp(f);
	ask(fd, 1, "slow1.test");
	ask(fd, 2, "blocked.test");
	expect(fd, 2, 0);
	assert_int_equal(answer[7], 1); /* the CNAME alone */
	expect(fd, 1, 0);
	close(fd);
	fixture_stop(f);
}

/* A client that asks and does not read, until it does: nothing is lost. */
static void test_stall_and_go_on(void **state)
{
	(void)state;
	struct worker_fixture *f = fixture_start(loopback, "");
	int small = 4096;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons(f->dns_port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
	for (unsigned i = 0; i < 100; i++)
		ask(fd, (uint16_t)i, "huge.test");
	usleep(500000);
	for (unsigned i = 0; i < 100; i++) {
		assert_true(fixture_answer(fd, answer) > 30000);
		assert_int_equal(rcode_of(answer), 0);
	}
	ask(fd, 400, "now.test");
	expect(fd, 400, 0);
	close(fd);
	fixture_stop(f);
}

static void test_drain(void **state)
{
	(void)state;
	struct worker_fixture *f = fixture_start(loopback, "");
	int waits = open_tcp(f), idle = open_tcp(f);
	ask(idle, 1, "now.test");
	expect(idle, 1, 0);
	ask(waits, 2, "slow.test");
	usleep(50000);
	uint64_t begin_ms = fixture_now_ms();
	worker_drain(f->worker);
	expect_end(idle);
	expect(waits, 2, 0);
	expect_end(waits);
	close(waits);
	close(idle);
	fixture_stop(f);
	assert_true(fixture_now_ms() - begin_ms < 3000);
}

/* Who never ends is ended, and nobody is asked for ever. */
static void test_drain_has_an_end(void **state)
{
	(void)state;
	struct worker_fixture *f =
		fixture_start(loopback, "request_timeout = \"60s\"; handshake_timeout = \"60s\";");
	int late = fixture_connect(loopback, f->dot_port, SOCK_STREAM);
	int waits = open_tcp(f);
	ask(waits, 1, "silent.test");
	usleep(50000);
	uint64_t begin_ms = fixture_now_ms();
	fixture_stop(f);
	assert_true(fixture_now_ms() - begin_ms < DRAIN_MS + 1500);
	close(late);
	close(waits);
}

static void read_log(const struct worker_fixture *f, char *text, size_t size)
{
	char path[128];
	FILE *file = fopen(fixture_path(&f->directory, "query.jsonl", path), "r");
	assert_non_null(file);
	text[fread(text, 1, size - 1, file)] = '\0';
	fclose(file);
}

/* The set of upstreams changes while questions wait for the old one: all are answered, new ones may
 * join old asks, and the log names who answered. */
static void test_reload_while_queries_wait(void **state)
{
	(void)state;
	struct worker_fixture *f = fixture_start(loopback, "");
	int fd = open_tcp(f);
	/* "one" is silent, so it is "two", number 1 of 2, who answers. */
	scripted_dns_set(f->upstream, NULL);
	ask(fd, 1, "slow.joined.test");
	ask(fd, 2, "slow.alone.test");
	usleep(50000);
	fixture_write_config(f, loopback, "", true);
	fixture_reload(f);
	usleep(50000);
	ask(fd, 3, "slow.joined.test");
	ask(fd, 4, "slow.new.test");
	unsigned ids = 0;
	for (unsigned i = 0; i < 4; i++) {
		assert_true(fixture_answer(fd, answer) > 12);
		assert_int_equal(rcode_of(answer), 0);
		ids |= 1u << id_of(answer);
	}
	assert_int_equal(ids, 0x1e);
	fixture_write_config(f, loopback, "", false);
	fixture_reload(f);
	usleep(300000); /* those that are out of use go */
	ask(fd, 5, "now.test");
	expect(fd, 5, 0);
	usleep(300000);
	char text[16384];
	read_log(f, text, sizeof text);
	unsigned named = 0;
	for (const char *at = text; (at = strstr(at, "\"upstream\":\"two\"")); at++)
		named++;
	assert_int_equal(named, 5);
	close(fd);
	fixture_stop(f);
}

/* --- DoT --- */

static SSL *open_dot(const struct worker_fixture *f, SSL_CTX *settings, int *fd)
{
	SSL *tls = SSL_new(settings);
	*fd = fixture_connect(loopback, f->dot_port, SOCK_STREAM);
	SSL_set_fd(tls, *fd);
	assert_int_equal(SSL_connect(tls), 1);
	return tls;
}

static size_t dot_answer(SSL *tls, uint8_t to[65535])
{
	uint8_t head[2];
	size_t got = 0, done = 0;
	for (; done < 2; done += got)
		if (SSL_read_ex(tls, head + done, 2 - done, &got) != 1)
			return 0;
	size_t len = (size_t)(head[0] << 8 | head[1]);
	for (done = 0; done < len; done += got)
		if (SSL_read_ex(tls, to + done, len - done, &got) != 1)
			return 0;
	return len;
}

static void dot_ask(SSL *tls, uint16_t id, const char *name)
{
	uint8_t query[514];
	int len = (int)fixture_framed(query, id, name);
	assert_int_equal(SSL_write(tls, query, len), len);
}

static void test_dot(void **state)
{
	(void)state;
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct worker_fixture *f = fixture_start(loopback, "");
	for (unsigned i = 0; i < 2; i++) {
		int fd;
		SSL_CTX *settings = fixture_client_settings(versions[i]);
		SSL *tls = open_dot(f, settings, &fd);
		dot_ask(tls, 1, "slow.test");
		dot_ask(tls, 2, "huge.test");
		assert_true(dot_answer(tls, answer) > 30000);
		assert_int_equal(id_of(answer), 2);
		/* close_notify ends what the client says, not what it hears (RFC 8446 6.1). */
		SSL_shutdown(tls);
		assert_true(dot_answer(tls, answer) > 12);
		assert_int_equal(id_of(answer), 1);
		assert_int_equal(dot_answer(tls, answer), 0);
		assert_int_equal(SSL_get_error(tls, 0), SSL_ERROR_ZERO_RETURN);
		SSL_free(tls);
		close(fd);
		SSL_CTX_free(settings);
	}
	fixture_stop(f);
}

static void test_dot_end_without_goodbye(void **state)
{
	(void)state;
	struct worker_fixture *f = fixture_start(loopback, "");
	int fd;
	SSL_CTX *settings = fixture_client_settings(TLS1_3_VERSION);
	SSL *tls = open_dot(f, settings, &fd);
	dot_ask(tls, 1, "slow.test");
	shutdown(fd, SHUT_WR);
	assert_true(dot_answer(tls, answer) > 12);
	assert_int_equal(id_of(answer), 1);
	assert_int_equal(dot_answer(tls, answer), 0);
	SSL_free(tls);
	close(fd);
	SSL_CTX_free(settings);
	fixture_stop(f);
}

static void test_handshakes_that_fail(void **state)
{
	(void)state;
	struct worker_fixture *f = fixture_start(loopback, "handshake_timeout = \"300ms\";");
	static const char *const first_words[] = { "", "GET / HTTP/1.1\r\n\r\n", "\x16\3\1",
		"\x16\3\1\377\377junk" };
	for (size_t i = 0; i < 4; i++) {
		int fd = fixture_connect(loopback, f->dot_port, SOCK_STREAM);
		uint8_t some[256];
		ssize_t got;
		send(fd, first_words[i], strlen(first_words[i]), 0);
		do {
			assert_true(fixture_readable(fd, 2000));
			got = TEMP_FAILURE_RETRY(recv(fd, some, sizeof some, 0));
		} while (got > 0);
		close(fd);
	}
	fixture_stop(f);
}

/* --- TLS by hand: the client decides what comes in one segment --- */

struct by_hand {
	SSL *tls;
	int fd;
};

static struct by_hand open_by_hand(const struct worker_fixture *f, SSL_CTX *settings)
{
	struct by_hand client = { SSL_new(settings),
		fixture_connect(loopback, f->dot_port, SOCK_STREAM) };
	SSL_set_bio(client.tls, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(client.tls);
	return client;
}

static void close_by_hand(struct by_hand *client)
{
	SSL_free(client->tls);
	close(client->fd);
}

static void send_all(const struct by_hand *client)
{
	char *bytes;
	BIO *from = SSL_get_wbio(client->tls);
	long len = BIO_get_mem_data(from, &bytes);
	assert_int_equal(send(client->fd, bytes, (size_t)len, 0), len);
	(void)BIO_reset(from);
}

static void receive_some(const struct by_hand *client)
{
	static char bytes[65536];
	assert_true(fixture_readable(client->fd, 5000));
	ssize_t len = recv(client->fd, bytes, sizeof bytes, 0);
	assert_true(len > 0);
	assert_int_equal(BIO_write(SSL_get_rbio(client->tls), bytes, (int)len), len);
}

/* What Linux tells; that of glibc ends before it (linux/tcp.h and netinet/tcp.h exclude each
 * other). */
struct long_tcp_info {
	struct tcp_info known;
	uint64_t rates[2], bytes[2];
	uint32_t segments_out, segments_in, not_sent, min_rtt;
	uint32_t data_segments_in;
};

static unsigned segments_received(const struct by_hand *client)
{
	struct long_tcp_info info = { .data_segments_in = 0 };
	socklen_t len = sizeof info;
	assert_int_equal(getsockopt(client->fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	assert_int_equal(len, sizeof info);
	return info.data_segments_in;
}

/* Who asks with the last words of the handshake is not woken for the ticket alone. */
static void test_ticket_comes_with_the_answer(void **state)
{
	(void)state;
	struct worker_fixture *f = fixture_start(loopback, "");
	SSL_CTX *settings = fixture_client_settings(TLS1_3_VERSION);
	struct by_hand client = open_by_hand(f, settings);
	assert_int_equal(SSL_do_handshake(client.tls), -1);
	send_all(&client);
	while (SSL_do_handshake(client.tls) != 1)
		receive_some(&client);
	unsigned of_handshake = segments_received(&client);
	dot_ask(client.tls, 7, "localhost");
	send_all(&client);
	while (SSL_peek(client.tls, answer, 1) != 1)
		receive_some(&client);
	assert_true(dot_answer(client.tls, answer) > 12);
	assert_int_equal(id_of(answer), 7);
	assert_int_equal(segments_received(&client), of_handshake + 1);
	close_by_hand(&client);
	SSL_CTX_free(settings);
	fixture_stop(f);
}

/* --- DoH, as far as it is about connections --- */

/* Reads frames up to a GOAWAY; gives its error code, or -1. */
static long read_goaway(SSL *tls)
{
	uint8_t frame[9 + 16384];
	for (;;) {
		size_t got, done = 0, want = 9;
		for (; done < want; done += got) {
			if (SSL_read_ex(tls, frame + done, want - done, &got) != 1)
				return -1;
			if (done + got >= 9)
				want = 9 + (size_t)(frame[0] << 16 | frame[1] << 8 | frame[2]);
		}
		if (frame[3] == 7)
			return frame[16];
	}
}

static SSL *open_doh(const struct worker_fixture *f, SSL_CTX *settings, int *fd)
{
	static const char hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
	SSL *tls = SSL_new(settings);
	SSL_set_alpn_protos(tls, (const unsigned char *)"\2h2", 3);
	*fd = fixture_connect(loopback, f->doh_port, SOCK_STREAM);
	SSL_set_fd(tls, *fd);
	assert_int_equal(SSL_connect(tls), 1);
	assert_int_equal(SSL_write(tls, hello, sizeof hello - 1), sizeof hello - 1);
	return tls;
}

/* Who is told why it is cut off can hear it, although it was still talking: unread bytes in the
 * socket would have reset the connection. */
static void test_last_words_are_heard(void **state)
{
	(void)state;
	static const uint8_t data_on_stream_0[] = "\0\0\1\0\0\0\0\0\0x";
	static uint8_t more[150000];
	struct worker_fixture *f = fixture_start(loopback, "");
	int fd;
	SSL_CTX *settings = fixture_client_settings(TLS1_3_VERSION);
	SSL *tls = open_doh(f, settings, &fd);
	assert_int_equal(SSL_write(tls, data_on_stream_0, 10), 10);
	assert_int_equal(SSL_write(tls, more, sizeof more), sizeof more);
	assert_int_equal(read_goaway(tls), 1);
	assert_int_equal(SSL_read(tls, more, 1), 0);
	assert_int_equal(SSL_get_error(tls, 0), SSL_ERROR_ZERO_RETURN);
	assert_int_equal(TEMP_FAILURE_RETRY(recv(fd, more, 1, 0)), 0); /* an end, not a reset */
	/* But not for ever. */
	uint64_t begin_ms = fixture_now_ms();
	while (send(fd, more, 1000, MSG_NOSIGNAL) > 0)
		assert_true(fixture_now_ms() - begin_ms < 5000);
	SSL_free(tls);
	close(fd);
	SSL_CTX_free(settings);
	fixture_stop(f);
}

/* RFC 9113 5.4.1, 6.8: idle clients learn that no request was lost. */
static void test_idle_doh(void **state)
{
	(void)state;
	struct worker_fixture *f = fixture_start(loopback, "idle_timeout = \"1s\";");
	int fd;
	SSL_CTX *settings = fixture_client_settings(TLS1_3_VERSION);
	SSL *tls = open_doh(f, settings, &fd);
	uint64_t begin_ms = fixture_now_ms();
	static const uint8_t ping[17] = { 0, 0, 8, 6 };
	for (unsigned i = 0; i < 3; i++) { /* which is no sign of interest */
		usleep(250000);
		assert_int_equal(SSL_write(tls, ping, sizeof ping), sizeof ping);
	}
	assert_int_equal(read_goaway(tls), 0);
	assert_in_range(fixture_now_ms() - begin_ms, 900, 1600);
	SSL_free(tls);
	close(fd);
	SSL_CTX_free(settings);
	fixture_stop(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pipelined),
		cmocka_unit_test(test_out_of_order),
		cmocka_unit_test(test_byte_by_byte),
		cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_half_close_with_nothing_asked),
		cmocka_unit_test(test_gone_before_the_answer),
		cmocka_unit_test(test_not_dns),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_idle_while_we_are_slow),
		cmocka_unit_test(test_request_in_drops),
		cmocka_unit_test(test_connections_per_address),
		cmocka_unit_test(test_queries_per_connection),
		cmocka_unit_test(test_full_table),
		cmocka_unit_test(test_override_waits),
		cmocka_unit_test(test_override_with_full_table),
		cmocka_unit_test(test_stall_and_go_on),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_drain_has_an_end),
		cmocka_unit_test(test_reload_while_queries_wait),
		cmocka_unit_test(test_dot),
		cmocka_unit_test(test_dot_end_without_goodbye),
		cmocka_unit_test(test_handshakes_that_fail),
		cmocka_unit_test(test_ticket_comes_with_the_answer),
		cmocka_unit_test(test_last_words_are_heard),
		cmocka_unit_test(test_idle_doh),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
