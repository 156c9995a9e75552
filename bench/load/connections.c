/* connections.c - what connections cost a server: to open one, and to keep one that is idle.
 *
 *   connections open|resume|hold dot|doh PORT COUNT PID NAME
 *
 * NAME is what is asked, for its A record.
 *
 * open: connections one after another: connect, full handshake, one question, its answer, close.
 * resume: the same with the session of the one before. Told is the server's CPU time for each,
 * until all is quiet.
 *
 * hold: opens so many, asks one question on each and keeps them. Told is by how much the server's
 * resident memory has grown for each, how many it has closed meanwhile, and what of a CPU it uses
 * while nothing is asked.
 *
 * One line of JSON. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/load/cost.h"
#include "bench/load/link.h"
#include "bench/many_files.h"

enum {
	WARM_UP = 20,
	WARM_UP_HELD = 50,
	PATIENCE_MS = 5000,
	SETTLE_US = 200000,
	SETTLE_HELD_US = 1000000,
	WATCH_S = 2,
};

static struct questions questions;
static SSL_CTX *tls;
static SSL_SESSION *session;
static bool is_answered;

static int on_session(SSL *connection, SSL_SESSION *fresh)
{
	(void)connection;
	SSL_SESSION_free(session);
	session = fresh;
	return 1;
}

static void on_answer(struct link *link, const struct slot *slot)
{
	(void)link;
	is_answered = slot->status == 200 && slot->answer_len >= LINK_ANSWER_HEAD;
}

static bool ask_one(struct link *link)
{
	struct pollfd ready = { .fd = link->fd, .events = POLLIN };

	is_answered = false;
	link_ask(link, &questions, 0);
	link_flush(link);
	while (!is_answered && !link->is_dead && poll(&ready, 1, PATIENCE_MS) == 1)
		link_read(link);
	link_flush(link); /* HTTP/2 has acknowledged the server's settings */
	return is_answered;
}

/* Open, with its one answer; false: the server did not want it. */
static bool open_one(struct link *link, const struct link_type *type, uint16_t port, bool resume)
{
	const struct link_options wanted = { .type = type,
		.port = port,
		.depth = 1,
		.tls = tls,
		.session = resume ? session : NULL,
		.on_answer = on_answer };

	if (!link_open(link, &wanted))
		return false;
	if (ask_one(link))
		return true;
	link_close(link);
	return false;
}

static void open_and_close(
	const struct link_type *type, uint16_t port, unsigned count, pid_t server, bool resume)
{
	unsigned opened = 0, resumed = 0;
	int64_t cpu_ns, tick_ns, begin_ns, took_ns;
	struct link link;

	for (unsigned i = 0; i < WARM_UP; i++)
		if (open_one(&link, type, port, resume))
			link_close(&link);
	usleep(SETTLE_US);
	cpu_ns = cost_cpu_ns(server), tick_ns = cost_tick_ns(server), begin_ns = cost_now_ns();
	for (unsigned i = 0; i < count; i++)
		if (open_one(&link, type, port, resume)) {
			resumed += SSL_session_reused(link.tls) > 0;
			link_close(&link);
			opened++;
		}
	took_ns = cost_now_ns() - begin_ns;
	usleep(SETTLE_US);
	cpu_ns = cost_cpu_ns(server) - cpu_ns, tick_ns = cost_tick_ns(server) - tick_ns;
	printf("{\"asked\": %u, \"answers\": %u, \"resumed\": %u, \"cpu_us\": %.1f, "
	       "\"tick_us\": %.1f, \"per_s\": %.0f}\n",
		count, opened, resumed, opened ? (double)cpu_ns / 1e3 / opened : 0,
		opened ? (double)tick_ns / 1e3 / opened : 0, opened / ((double)took_ns / 1e9));
}

static unsigned still_open(const struct link *links, unsigned count)
{
	unsigned open = 0;

	for (unsigned i = 0; i < count; i++) {
		struct pollfd state = { .fd = links[i].fd, .events = POLLRDHUP };
		open += !poll(&state, 1, 0);
	}
	return open;
}

static void hold(const struct link_type *type, uint16_t port, unsigned count, pid_t server)
{
	struct link *links = calloc(count, sizeof *links), link;
	unsigned opened = 0;
	int64_t memory, cpu_ns;

	for (unsigned i = 0; i < WARM_UP_HELD; i++)
		if (open_one(&link, type, port, false))
			link_close(&link);
	usleep(SETTLE_US);
	memory = cost_resident_bytes(server);
	while (opened < count && open_one(&links[opened], type, port, false))
		opened++;
	usleep(SETTLE_HELD_US);
	memory = cost_resident_bytes(server) - memory;
	cpu_ns = cost_cpu_ns(server);
	sleep(WATCH_S);
	cpu_ns = cost_cpu_ns(server) - cpu_ns;
	printf("{\"asked\": %u, \"answers\": %u, \"open\": %u, \"bytes\": %.0f, "
	       "\"idle_cpu_percent\": %.3f}\n",
		count, opened, still_open(links, opened), opened ? (double)memory / opened : 0,
		(double)cpu_ns / 1e7 / WATCH_S);
	fflush(stdout);
	_exit(opened < count);
}

static _Noreturn void usage(void)
{
	fputs("usage: connections open|resume|hold dot|doh PORT COUNT PID NAME\n", stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	const struct link_type *type = argc > 2 ? link_type_of(argv[2]) : NULL;
	uint16_t port;
	unsigned count;
	pid_t server;

	if (argc != 7 || !type || !type->alpn)
		usage();
	port = (uint16_t)strtoul(argv[3], NULL, 10);
	count = (unsigned)strtoul(argv[4], NULL, 10);
	server = (pid_t)strtol(argv[5], NULL, 10);
	signal(SIGPIPE, SIG_IGN);
	allow_many_files();
	questions_one(&questions, argv[6]);
	tls = link_tls_context(on_session);
	if (!strcmp(argv[1], "hold"))
		hold(type, port, count, server);
	open_and_close(type, port, count, server, !strcmp(argv[1], "resume"));
	return 0;
}
