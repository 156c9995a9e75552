/* The admin listener over real sockets: its loop turns in a thread of its own, and the test is a
 * client that says what no client library would. */
#include "proxy/watch/admin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "proxy/framing/http1.h"

/* --- the program behind it --- */

static _Atomic bool is_well = true;
static _Atomic bool metrics_fail;
static _Atomic size_t metrics_len = 100;

static int write_metrics(void *context, struct bytes *to)
{
	(void)context;
	if (metrics_fail)
		return ERR_NO_MEMORY;
	uint8_t *at = bytes_reserve(to, metrics_len);
	if (!at)
		return ERR_NO_MEMORY;
	memset(at, 'm', metrics_len);
	bytes_claim(to, metrics_len);
	return 0;
}

static int write_version(void *context, struct bytes *to)
{
	(void)context;
	return bytes_append(to, "namegate 0.1.0\n", 15);
}

static bool tell_health(void *context, struct bytes *why)
{
	(void)context;
	if (!is_well)
		bytes_append(why, "not well\n", 9);
	return is_well;
}

/* --- the loop --- */

static uv_loop_t loop;
static uv_async_t ask_to_end;
static pthread_t thread;
static struct admin *admin;
static uint16_t port;

static void on_end(uv_async_t *async)
{
	admin_close(admin);
	uv_close((uv_handle_t *)async, NULL);
}

static void *thread_main(void *context)
{
	(void)context;
	uv_run(&loop, UV_RUN_DEFAULT);
	return NULL;
}

static const struct admin_source source = {
	.write_metrics = write_metrics,
	.write_version = write_version,
	.is_live = tell_health,
	.is_ready = tell_health,
};

static int start(void **state)
{
	struct address address;
	int error;
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_ERROR);
	is_well = true;
	metrics_fail = false;
	metrics_len = 100;
	address_parse(&address, "127.0.0.1");
	uv_loop_init(&loop);
	admin = admin_open(&loop, &address, 0, &source, &error);
	assert_non_null(admin);
	port = admin_port(admin);
	uv_async_init(&loop, &ask_to_end, on_end);
	return pthread_create(&thread, NULL, thread_main, NULL);
}

/* Ends with whatever is still open; the loop must run empty. */
static int stop(void **state)
{
	(void)state;
	uv_async_send(&ask_to_end);
	pthread_join(thread, NULL);
	return uv_loop_close(&loop);
}

/* --- a client --- */

static int dial(void)
{
	struct address address;
	struct sockaddr_storage to;
	address_parse(&address, "127.0.0.1");
	socklen_t len = address_to_sockaddr(&address, port, &to);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, len), 0);
	struct timeval limit = { .tv_sec = 20 };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	return fd;
}

static void say(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t sent = TEMP_FAILURE_RETRY(send(fd, text, len, MSG_NOSIGNAL));
		if (sent <= 0)
			return; /* it hung up: the test sees that when it reads */
		text += sent;
		len -= (size_t)sent;
	}
}

/* All that comes until the other side closes. */
static const char *hear_all(int fd)
{
	static char text[1 << 20];
	size_t len = 0;
	for (;;) {
		/* Newer libuv uses io_uring, whose work interrupts this thread. */
		ssize_t count = TEMP_FAILURE_RETRY(recv(fd, text + len, sizeof text - 1 - len, 0));
		if (count < 0 && errno == EAGAIN)
			fail_msg("the connection stays open after: %.*s", (int)len, text);
		if (count <= 0)
			break;
		len += (size_t)count;
	}
	text[len] = '\0';
	close(fd);
	return text;
}

static const char *ask(const char *request)
{
	int fd = dial();
	say(fd, request, strlen(request));
	return hear_all(fd);
}

static void check_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no \"%s\" in: %s", part, text);
}

static const char *body_of(const char *response)
{
	const char *end = strstr(response, "\r\n\r\n");
	assert_non_null(end);
	return end + 4;
}

static unsigned count_of(const char *text, const char *part)
{
	unsigned count = 0;
	for (; (text = strstr(text, part)); text++)
		count++;
	return count;
}

#define CLOSE " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
#define KEEP  " HTTP/1.1\r\nHost: x\r\n\r\n"

/* --- what is answered --- */

static void pages(void **state)
{
	static const struct {
		const char *request, *status, *part;
	} cases[] = {
		{ "GET /metrics" CLOSE, "200 OK", "version=0.0.4; charset=utf-8" },
		{ "GET /metrics" CLOSE, "200 OK", "mmmmmmmm" },
		{ "GET /metrics?collect[]=x" CLOSE, "200 OK", "mmmmmmmm" },
		{ "GET /livez" CLOSE, "200 OK", "\r\n\r\nok\n" },
		{ "GET /readyz" CLOSE, "200 OK", "\r\n\r\nok\n" },
		{ "GET /healthz" CLOSE, "200 OK", "\r\n\r\nok\n" },
		{ "GET /version" CLOSE, "200 OK", "\r\n\r\nnamegate 0.1.0\n" },
		{ "GET /" CLOSE, "200 OK", "/metrics" },
		{ "GET /livez" CLOSE, "200 OK", "Cache-Control: no-store\r\n" },
		{ "GET /nowhere" CLOSE, "404 Not Found", "Not Found\n" },
		{ "GET /metrics/" CLOSE, "404 Not Found", "" },
		{ "GET //metrics" CLOSE, "404 Not Found", "" },
		{ "GET /METRICS" CLOSE, "404 Not Found", "" },
		{ "GET /metrics/../livez" CLOSE, "404 Not Found", "" },
		{ "GET /..%2f..%2fetc/passwd" CLOSE, "404 Not Found", "" },
		{ "GET /metrics%00" CLOSE, "404 Not Found", "" },
		{ "POST /metrics" CLOSE, "405 Method Not Allowed", "Allow: GET, HEAD\r\n" },
		{ "DELETE /livez" CLOSE, "405 Method Not Allowed", "Allow: GET, HEAD\r\n" },
		{ "OPTIONS /" CLOSE, "405 Method Not Allowed", "Allow: GET, HEAD\r\n" },
		{ "POST /nowhere" CLOSE, "404 Not Found", "" },
		{ "BREW /metrics" CLOSE, "501 Not Implemented", "" },
		{ "GET /metrics HTTP/1.1\r\n\r\n", "400 Bad Request", "Connection: close" },
		{ "GET /metrics HTTP/2.0\r\nHost: x\r\n\r\n", "505 HTTP Version", "close" },
		{ "GET /metrics HTTP/1.0\r\n\r\n", "200 OK", "Connection: close" },
		{ "garbage\r\n\r\n", "400 Bad Request", "" },
		{ "GET / HTTP/1.1\nHost: x\n\n", "400 Bad Request", "" },
		{ "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde", "413 ", "" },
		{ "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			"411 ", "" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *response = ask(cases[i].request);
		if (strncmp(response, "HTTP/1.1 ", 9) != 0 ||
			strncmp(response + 9, cases[i].status, strlen(cases[i].status)) != 0)
			fail_msg("%s gets: %s", cases[i].request, response);
		check_contains(response, cases[i].part);
		assert_null(strstr(response, "Access-Control"));
		assert_int_equal(count_of(response, "HTTP/1.1 "), 1);
	}
}

static void head_has_the_length_and_no_body(void **state)
{
	(void)state;
	const char *response = ask("HEAD /metrics" CLOSE);
	check_contains(response, "HTTP/1.1 200 OK\r\n");
	check_contains(response, "Content-Length: 100\r\n");
	assert_string_equal(body_of(response), "");
	response = ask("HEAD /nowhere" CLOSE);
	check_contains(response, "HTTP/1.1 404");
	assert_string_equal(body_of(response), "");
}

static void troubles_are_told(void **state)
{
	(void)state;
	is_well = false;
	const char *response = ask("GET /livez" CLOSE);
	check_contains(response, "HTTP/1.1 503 Service Unavailable\r\n");
	assert_string_equal(body_of(response), "not well\n");
	check_contains(ask("GET /readyz" CLOSE), "HTTP/1.1 503");
	check_contains(ask("GET /healthz" CLOSE), "HTTP/1.1 503");
	metrics_fail = true;
	response = ask("GET /metrics" CLOSE);
	check_contains(response, "HTTP/1.1 500");
	assert_string_equal(body_of(response), "Internal Server Error\n");
}

/* --- how it comes --- */

static void connections_are_kept(void **state)
{
	(void)state;
	int fd = dial();
	for (int i = 0; i < 3; i++) {
		char text[1024];
		size_t len = 0;
		say(fd, "GET /livez" KEEP, strlen("GET /livez" KEEP));
		while (len < 4 || memcmp(text + len - 4, "\nok\n", 4) != 0) {
			ssize_t count =
				TEMP_FAILURE_RETRY(recv(fd, text + len, sizeof text - len, 0));
			assert_true(count > 0);
			len += (size_t)count;
		}
		text[len] = '\0';
		check_contains(text, "Connection: keep-alive\r\n");
	}
	say(fd, "GET /livez" CLOSE, strlen("GET /livez" CLOSE));
	check_contains(hear_all(fd), "Connection: close\r\n");
}

static void bytes_may_come_one_by_one(void **state)
{
	static const char request[] = "GET /version" CLOSE;
	(void)state;
	int fd = dial();
	for (size_t i = 0; i < sizeof request - 1; i++) {
		say(fd, request + i, 1);
		if (i % 8 == 0)
			usleep(1000);
	}
	check_contains(hear_all(fd), "namegate 0.1.0");
}

/* More than the input buffer holds, in one write: one by one, in order. */
static void pipelined_requests_are_answered_in_order(void **state)
{
	static char text[64 * 1024];
	size_t len = 0;
	(void)state;
	for (int i = 0; i < 500; i++)
		len += (size_t)sprintf(text + len, "GET %s" KEEP, i % 2 ? "/version" : "/nowhere");
	len += (size_t)sprintf(text + len, "GET /livez" CLOSE);
	int fd = dial();
	say(fd, text, len);
	const char *all = hear_all(fd);
	assert_int_equal(count_of(all, "HTTP/1.1 200 OK"), 251);
	assert_int_equal(count_of(all, "HTTP/1.1 404"), 250);
	assert_true(strstr(all, "404") < strstr(all, "200"));
	assert_string_equal(all + strlen(all) - 4, "\nok\n");
}

static void what_follows_a_refusal_is_not_read(void **state)
{
	(void)state;
	const char *all = ask("GET / HTTP/1.1\r\n\r\nGET /version" CLOSE);
	assert_int_equal(count_of(all, "HTTP/1.1 "), 1);
	check_contains(all, "400");
}

static void oversize_heads_are_refused(void **state)
{
	static char text[100000] = "GET /";
	(void)state;
	memset(text + 5, 'x', sizeof text - 5);
	int fd = dial();
	say(fd, text, sizeof text);
	check_contains(hear_all(fd), "HTTP/1.1 431");
}

static void garbage_harms_nobody(void **state)
{
	uint32_t seed = 12345;
	(void)state;
	for (int i = 0; i < 200; i++) {
		char bytes[512];
		int fd = dial();
		for (size_t k = 0; k < sizeof bytes; k++) {
			seed = seed * 1664525 + 1013904223;
			bytes[k] = (char)(seed >> 24);
		}
		say(fd, bytes, sizeof bytes);
		if (i % 2)
			shutdown(fd, SHUT_WR);
		else
			close(fd);
		if (i % 2)
			check_contains(hear_all(fd), "HTTP/1.1 400");
	}
	check_contains(ask("GET /livez" CLOSE), "200 OK");
}

/* --- limits --- */

static void a_large_response_arrives(void **state)
{
	(void)state;
	metrics_len = 900000;
	const char *response = ask("GET /metrics" CLOSE);
	assert_int_equal(strlen(body_of(response)), 900000);
}

static void slow_readers_do_not_hold_up_others(void **state)
{
	int lazy[20];
	(void)state;
	metrics_len = 4 * 1024 * 1024;
	for (int i = 0; i < 20; i++) {
		int small = 4096;
		lazy[i] = dial();
		setsockopt(lazy[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
		say(lazy[i], "GET /metrics" KEEP, strlen("GET /metrics" KEEP));
	}
	check_contains(ask("GET /livez" CLOSE), "200 OK");
	for (int i = 0; i < 20; i++)
		close(lazy[i]);
	metrics_len = 100;
	check_contains(ask("GET /metrics" CLOSE), "200 OK");
}

/* Who holds connections and says nothing makes room for who asks. */
static void silent_connections_make_room(void **state)
{
	int silent[2 * ADMIN_CONNECTIONS_MAX];
	(void)state;
	for (int i = 0; i < 2 * ADMIN_CONNECTIONS_MAX; i++)
		silent[i] = dial();
	check_contains(ask("GET /livez" CLOSE), "200 OK");
	char byte;
	assert_int_equal(
		TEMP_FAILURE_RETRY(recv(silent[0], &byte, 1, 0)), 0); /* the first one had to go */
	for (int i = 0; i < 2 * ADMIN_CONNECTIONS_MAX; i++)
		close(silent[i]);
	for (int i = 0; i < 20; i++) /* many ends and a beginning in one turn of the loop */
		check_contains(ask("GET /livez" CLOSE), "200 OK");
}

/* When all are busy with a request, a new one is turned away and the busy ones stay. */
static void busy_connections_stay(void **state)
{
	int busy[ADMIN_CONNECTIONS_MAX];
	(void)state;
	for (int i = 0; i < ADMIN_CONNECTIONS_MAX; i++) {
		busy[i] = dial();
		say(busy[i], "GET /ver", 8);
	}
	usleep(200000);
	assert_string_equal(ask("GET /livez" CLOSE), "");
	say(busy[0], "sion" CLOSE, strlen("sion" CLOSE));
	check_contains(hear_all(busy[0]), "namegate");
	for (int i = 1; i < ADMIN_CONNECTIONS_MAX; i++)
		close(busy[i]);
}

/* The deadline of a request is absolute: bytes that trickle do not move it. */
static void a_slow_request_ends(void **state)
{
	struct timespec start_time, end_time;
	(void)state;
	int fd = dial();
	clock_gettime(CLOCK_MONOTONIC, &start_time);
	say(fd, "GET /", 5);
	for (int i = 0; i < 150; i++) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		if (poll(&wait, 1, 100) > 0)
			break;
		say(fd, "x", 1);
	}
	clock_gettime(CLOCK_MONOTONIC, &end_time);
	close(fd);
	assert_in_range(end_time.tv_sec - start_time.tv_sec, ADMIN_REQUEST_MS / 1000 - 1,
		ADMIN_REQUEST_MS / 1000 + 2);
}

/* --- life --- */

static void a_port_in_use_is_an_error(void **state)
{
	uv_loop_t other;
	struct address address;
	int error = 0;
	(void)state;
	address_parse(&address, "127.0.0.1");
	uv_loop_init(&other);
	assert_null(admin_open(&other, &address, port, &source, &error));
	assert_int_equal(error, -EADDRINUSE);
	uv_run(&other, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&other), 0);
}

static void it_listens_on_ipv6(void **state)
{
	uv_loop_t other;
	struct address address;
	int error = 0;
	(void)state;
	address_parse(&address, "::1");
	uv_loop_init(&other);
	struct admin *six = admin_open(&other, &address, 0, &source, &error);
	if (six)
		assert_true(admin_port(six) > 0);
	else
		assert_int_equal(error, -EADDRNOTAVAIL); /* no IPv6 on this machine */
	admin_close(six);
	uv_run(&other, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&other), 0);
}

/* stop() closes the listener with connections in every state; the sanitizer counts the memory. */
static void it_closes_with_connections_open(void **state)
{
	(void)state;
	metrics_len = 8 * 1024 * 1024;
	dial();
	say(dial(), "GET /", 5);
	say(dial(), "GET /livez" KEEP, strlen("GET /livez" KEEP));
	say(dial(), "GET /metrics" KEEP, strlen("GET /metrics" KEEP));
	say(dial(), "nonsense\r\n\r\n", 12);
	usleep(200000);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(pages),
		CASE(head_has_the_length_and_no_body),
		CASE(troubles_are_told),
		CASE(connections_are_kept),
		CASE(bytes_may_come_one_by_one),
		CASE(pipelined_requests_are_answered_in_order),
		CASE(what_follows_a_refusal_is_not_read),
		CASE(oversize_heads_are_refused),
		CASE(garbage_harms_nobody),
		CASE(a_large_response_arrives),
		CASE(slow_readers_do_not_hold_up_others),
		CASE(silent_connections_make_room),
		CASE(busy_connections_stay),
		CASE(a_slow_request_ends),
		CASE(a_port_in_use_is_an_error),
		CASE(it_listens_on_ipv6),
		CASE(it_closes_with_connections_open),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
