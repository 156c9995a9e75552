/* upstream_bench.c - what asking an upstream costs over plain DNS, DoT and DoH: CPU time (user and
 * system) of the asking process per query, beside the bare floor in the same run: send and recv on
 * connected sockets under uv_poll, nothing kept, nothing checked. The responders are other
 * processes on another core; those of DoT and DoH are made of our own server's side. Usage:
 * upstream_bench [QUERIES]. With LD_LIBRARY_PATH at another c-ares it measures that one. */
#include <arpa/inet.h>
#include <ares.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/framing/framer.h"
#include "proxy/upstream/upstream.h"
#include "tests/unit/tls_fixture.h"

enum {
	BATCH = 32,
	MESSAGE = 512,
	FLOOR_SOCKETS = 32,
	CONNECTIONS = 16,
	READ_LEN = 64 * 1024,
	CIPHER_LEN = 192 * 1024
};

static unsigned total = 200000;
static unsigned asked, answered, failed, width;
static uint8_t question[] = "\x12\x34\1\0\0\1\0\0\0\0\0\1"
			    "\3www\7example\3com\0\0\1\0\1\0\0\51\4\320\0\0\0\0\0\0";
static const size_t question_len = sizeof question - 1;

static void pin(unsigned cpu)
{
	cpu_set_t cpus;
	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	sched_setaffinity(0, sizeof cpus, &cpus);
}

/* --- the responder --- */

/* One A record between the question and the OPT. */
static size_t answer(uint8_t *message, size_t len)
{
	static const uint8_t record[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1 };
	message[2] = 0x81;
	message[3] = 0x80;
	message[7] = 1;
	memmove(message + len - 11 + sizeof record, message + len - 11, 11);
	memcpy(message + len - 11, record, sizeof record);
	return len + sizeof record;
}

static void respond(int fd)
{
	static uint8_t bytes[BATCH][MESSAGE];
	struct mmsghdr headers[BATCH] = { 0 };
	struct iovec places[BATCH];
	struct sockaddr_in from[BATCH];
	for (;;) {
		for (unsigned i = 0; i < BATCH; i++) {
			places[i] = (struct iovec){ bytes[i], MESSAGE };
			headers[i].msg_hdr = (struct msghdr){ .msg_name = &from[i],
				.msg_namelen = sizeof from[i],
				.msg_iov = &places[i],
				.msg_iovlen = 1 };
		}
		int count = recvmmsg(fd, headers, BATCH, MSG_WAITFORONE, NULL);
		for (int i = 0; i < count; i++)
			places[i].iov_len = answer(bytes[i], headers[i].msg_len);
		if (count > 0)
			sendmmsg(fd, headers, (unsigned)count, 0);
	}
}

static pid_t start_responder(struct sockaddr_in *at)
{
	socklen_t len = sizeof *at;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	*at = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){ 4 << 20 }, sizeof(int));
	if (bind(fd, (struct sockaddr *)at, len) < 0)
		exit(1);
	getsockname(fd, (struct sockaddr *)at, &len);
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pin(1);
		respond(fd);
	}
	close(fd);
	return child;
}

/* --- the responders over TLS --- */

struct responder {
	const char *title;
	enum upstream_protocol protocol;
	const struct framer_type *framer;
	enum tls_alpn alpn;
	bool use_get;
};

static const struct responder responders[] = {
	{ "DoT", UPSTREAM_DOT, &framer_dot, TLS_ALPN_DOT, false },
	{ "DoH POST", UPSTREAM_DOH, &framer_doh, TLS_ALPN_H2, false },
	{ "DoH GET", UPSTREAM_DOH, &framer_doh, TLS_ALPN_H2, true },
};

struct connection {
	const struct responder *responder;
	struct tls_stream *tls;
	struct framer *framer;
	int fd;
};

/* The question, one A record, and no OPT: it is padding for the most part. */
static void on_question(
	void *host, int32_t stream, const struct framer_claims *claims, struct slice message)
{
	(void)claims;
	static const uint8_t record[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1 };
	const struct connection *connection = host;
	uint8_t bytes[MESSAGE];
	struct writer to = writer_of(bytes, sizeof bytes);
	size_t len = DNS_HEADER_LEN;
	while (message.at[len])
		len += message.at[len] + 1u;
	writer_bytes(&to, message.at, len + 5);
	writer_bytes(&to, record, sizeof record);
	bytes[2] = 0x81;
	bytes[3] = 0x80;
	bytes[7] = 1;
	bytes[11] = 0;
	connection->responder->framer->reply(connection->framer, stream, writer_slice(&to), 60);
}

static void on_status(void *host, enum http_method method, unsigned status)
{
	(void)host, (void)method, (void)status;
}

static void on_abandoned(void *host, int32_t stream)
{
	(void)host, (void)stream;
}

static const struct framer_events framer_events = {
	.on_message = on_question, .on_status = on_status, .on_abandoned = on_abandoned
};

static void send_all(int fd, struct slice bytes)
{
	while (bytes.len > 0) {
		ssize_t sent = send(fd, bytes.at, bytes.len, MSG_NOSIGNAL);
		if (sent <= 0)
			return;
		bytes = slice_of(bytes.at + sent, bytes.len - (size_t)sent);
	}
}

/* One read, all of its answers in one write; false at the end of the connection. */
static bool serve(const struct connection *connection)
{
	static uint8_t in[READ_LEN], plain[READ_LEN], out[CIPHER_LEN];
	const struct framer_type *framer = connection->responder->framer;
	ssize_t got = recv(connection->fd, in, sizeof in, 0);
	if (got <= 0)
		return false;
	struct slice cipher = slice_of(in, (size_t)got);
	struct writer to = writer_of(out, sizeof out);
	ssize_t len;
	while ((len = tls_stream_read(connection->tls, &cipher, plain, sizeof plain, &to)) > 0)
		framer->feed(connection->framer, slice_of(plain, (size_t)len));
	size_t count;
	while (tls_stream_is_established(connection->tls) &&
		(count = framer->drain(connection->framer, plain, sizeof plain)) > 0)
		tls_stream_write(connection->tls, slice_of(plain, count), &to);
	send_all(connection->fd, writer_slice(&to));
	return len == 0;
}

static void open_connection(struct connection *connection, const struct responder *responder,
	struct tls_context *context, int listener)
{
	const struct framer_settings settings = {
		.events = &framer_events, .host = connection, .path = "/dns-query"
	};
	*connection = (struct connection){ .responder = responder,
		.fd = accept(listener, NULL, NULL),
		.tls = tls_stream_new(context, responder->alpn),
		.framer = responder->framer->open(&settings) };
	setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
}

static void respond_over_tls(
	const struct responder *responder, struct tls_context *context, int listener)
{
	static struct connection connections[CONNECTIONS];
	struct pollfd polled[CONNECTIONS + 1] = { { .fd = listener, .events = POLLIN } };
	nfds_t count = 1;
	for (;;) {
		poll(polled, count, -1);
		for (nfds_t i = 1; i < count; i++) {
			if (!polled[i].revents || serve(&connections[i - 1]))
				continue;
			close(polled[i].fd); /* its place is not used again: there are few */
			polled[i].fd = -1;
		}
		if (!polled[0].revents || count > CONNECTIONS)
			continue;
		open_connection(&connections[count - 1], responder, context, listener);
		polled[count] =
			(struct pollfd){ .fd = connections[count - 1].fd, .events = POLLIN };
		count++;
	}
}

static pid_t start_tls_responder(
	const struct responder *responder, struct tls_context *context, struct sockaddr_in *at)
{
	socklen_t len = sizeof *at;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	*at = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (bind(fd, (struct sockaddr *)at, len) < 0 || listen(fd, CONNECTIONS) < 0)
		exit(1);
	getsockname(fd, (struct sockaddr *)at, &len);
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pin(1);
		respond_over_tls(responder, context, fd);
	}
	close(fd);
	return child;
}

/* --- measuring --- */

static double cpu_us(void)
{
	struct rusage used;
	getrusage(RUSAGE_SELF, &used);
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
		(double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static void show(const char *what, double from_us, uint64_t from_ns)
{
	double cost_us = (cpu_us() - from_us) / answered;
	double rate = answered / ((double)(uv_hrtime() - from_ns) / 1e9);
	printf("%-9s %3u in flight: %6.2f us/query, %7.0f queries/s, %u failed\n", what, width,
		cost_us, rate, failed);
}

/* --- the floor --- */

struct floor_socket {
	uv_poll_t poll;
	int fd;
};
static struct floor_socket floor_sockets[FLOOR_SOCKETS];

static void floor_ask(void)
{
	const struct floor_socket *sock = &floor_sockets[asked++ % FLOOR_SOCKETS];
	if (send(sock->fd, question, question_len, 0) < 0)
		failed++;
}

static void on_floor(uv_poll_t *poll, int status, int events)
{
	uint8_t bytes[MESSAGE];
	const struct floor_socket *sock = (struct floor_socket *)poll;
	(void)status, (void)events;
	if (recv(sock->fd, bytes, sizeof bytes, 0) <= 0)
		return;
	answered++;
	if (asked < total)
		floor_ask();
	else if (answered == asked)
		uv_stop(poll->loop);
}

static void measure_floor(const struct sockaddr_in *to)
{
	uv_loop_t loop;
	uv_loop_init(&loop);
	asked = answered = failed = 0;
	for (unsigned i = 0; i < FLOOR_SOCKETS; i++) {
		struct floor_socket *sock = &floor_sockets[i];
		sock->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		if (connect(sock->fd, (const struct sockaddr *)to, sizeof *to) < 0)
			exit(1);
		uv_poll_init(&loop, &sock->poll, sock->fd);
		uv_poll_start(&sock->poll, UV_READABLE, on_floor);
	}
	double from_us = cpu_us();
	uint64_t from_ns = uv_hrtime();
	while (asked < width)
		floor_ask();
	uv_run(&loop, UV_RUN_DEFAULT);
	show("floor", from_us, from_ns);
	for (unsigned i = 0; i < FLOOR_SOCKETS; i++) {
		uv_close((uv_handle_t *)&floor_sockets[i].poll, NULL);
		close(floor_sockets[i].fd);
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
}

/* --- ours --- */

static struct upstream_set *set;

static void ask(void)
{
	struct dns_request request = { .name = slice_of(question + 12, question_len - 27),
		.type = DNS_TYPE_A,
		.class = DNS_CLASS_IN,
		.recursion_desired = true };
	asked++;
	if (upstream_ask(set, 0, asked, &request) != 0)
		failed++;
}

static void on_done(void *context, upstream_ask_id id, const struct upstream_result *result)
{
	(void)id;
	answered++;
	failed += result->error != 0;
	if (asked < total)
		ask();
	else if (answered == asked)
		uv_stop(context);
}

static void measure_upstream(const char *title, const struct sockaddr_in *to,
	const struct responder *responder, struct tls_client *tls)
{
	uv_loop_t loop;
	uint16_t port;
	int error;
	struct upstream_config config = {
		.name = "bench", .authority = "localhost", .path = "/dns-query"
	};
	config.address = address_of_sockaddr((const struct sockaddr *)to, &port);
	config.port = port;
	if (responder) {
		config.protocol = responder->protocol;
		config.use_get = responder->use_get;
	}
	uv_loop_init(&loop);
	asked = answered = failed = 0;
	set = upstream_set_new(&(struct upstream_parts){ .loop = &loop,
				       .upstreams = &config,
				       .count = 1,
				       .tls = &tls,
				       .on_done = on_done,
				       .context = &loop },
		&error);
	if (!set)
		exit(1);
	double from_us = cpu_us();
	uint64_t from_ns = uv_hrtime();
	while (asked < width)
		ask();
	uv_run(&loop, UV_RUN_DEFAULT);
	show(title, from_us, from_ns);
	upstream_set_close(set);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
}

static const unsigned widths[] = { 1, 16, 64, 512 };
enum { WIDTHS = sizeof widths / sizeof *widths };

/* A certificate of its own, trusted because its authority is named. */
static void measure_encrypted(void)
{
	struct fixture_directory directory = fixture_directory_make();
	struct fixture_certificate ca = fixture_issue("EC", "bench CA", NULL, -60, 86400);
	struct fixture_certificate leaf = fixture_issue("EC", "localhost", &ca, -60, 86400);
	const struct fixture_certificate *chain[] = { &leaf, &ca };
	char server[128], key[128], ca_file[128], message[TLS_MESSAGE_MAX];
	fixture_write_chain(&directory, "server.pem", chain, 2);
	fixture_write_chain(&directory, "ca.pem", chain + 1, 1);
	fixture_write_key(&directory, "server.key", leaf.key, NULL);
	fixture_path(&directory, "ca.pem", ca_file);
	struct tls_ticket_keys *keys = tls_ticket_keys_new();
	struct tls_context *context =
		tls_context_load(fixture_path(&directory, "server.pem", server),
			fixture_path(&directory, "server.key", key), keys, message);
	FIXTURE_CHECK(context);
	for (size_t i = 0; i < sizeof responders / sizeof *responders; i++) {
		struct sockaddr_in at;
		const struct tls_client_settings settings = {
			.name = "localhost", .ca_file = ca_file, .alpn = responders[i].alpn
		};
		struct tls_client *client = tls_client_new(&settings, message);
		FIXTURE_CHECK(client);
		pid_t responder = start_tls_responder(&responders[i], context, &at);
		for (size_t k = 0; k < WIDTHS; k++) {
			width = widths[k];
			measure_upstream(responders[i].title, &at, &responders[i], client);
		}
		kill(responder, SIGKILL);
		waitpid(responder, NULL, 0);
		tls_client_unref(client);
	}
	tls_context_unref(context);
	tls_ticket_keys_free(keys);
	fixture_drop(&leaf);
	fixture_drop(&ca);
	fixture_remove(&directory);
}

int main(int argc, char **argv)
{
	struct sockaddr_in at;
	if (argc > 1)
		total = (unsigned)atoi(argv[1]);
	pid_t responder = start_responder(&at);
	pin(0);
	printf("c-ares %s, libuv %s, %u queries each\n", ares_version(NULL), uv_version_string(),
		total);
	for (size_t i = 0; i < WIDTHS; i++) {
		width = widths[i];
		measure_floor(&at);
		measure_upstream("plain", &at, NULL, NULL);
	}
	kill(responder, SIGKILL);
	waitpid(responder, NULL, 0);
	measure_encrypted();
	return 0;
}
