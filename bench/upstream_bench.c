/* upstream_bench.c - what asking an upstream costs: CPU time (user and system) of the asking
 * process per query, beside the bare floor in the same run: send and recv on connected sockets
 * under uv_poll, nothing kept, nothing checked. The responder is another process on another core.
 * Usage: upstream_bench [QUERIES]. With LD_LIBRARY_PATH at another c-ares it measures that one. */
#include <arpa/inet.h>
#include <ares.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/upstream/upstream.h"

enum { BATCH = 32, MESSAGE = 512, FLOOR_SOCKETS = 32 };

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

static void measure_upstream(const struct sockaddr_in *to)
{
	uv_loop_t loop;
	uint16_t port;
	int error;
	struct upstream_config config = { .name = "bench" };
	config.address = address_of_sockaddr((const struct sockaddr *)to, &port);
	config.port = port;
	uv_loop_init(&loop);
	asked = answered = failed = 0;
	set = upstream_set_new(&(struct upstream_parts){ .loop = &loop,
				       .upstreams = &config,
				       .count = 1,
				       .on_done = on_done,
				       .context = &loop },
		&error);
	double from_us = cpu_us();
	uint64_t from_ns = uv_hrtime();
	while (asked < width)
		ask();
	uv_run(&loop, UV_RUN_DEFAULT);
	show("upstream", from_us, from_ns);
	upstream_set_close(set);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
}

int main(int argc, char **argv)
{
	static const unsigned widths[] = { 1, 16, 64, 512 };
	struct sockaddr_in at;
	if (argc > 1)
		total = (unsigned)atoi(argv[1]);
	pid_t responder = start_responder(&at);
	pin(0);
	printf("c-ares %s, libuv %s, %u queries each\n", ares_version(NULL), uv_version_string(),
		total);
	for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
		width = widths[i];
		measure_floor(&at);
		measure_upstream(&at);
	}
	kill(responder, SIGKILL);
	waitpid(responder, NULL, 0);
	return 0;
}
