/* load.c - asks one server over one protocol, and tells what that cost the server.
 *
 *   load udp|dot|doh|get PORT FILE [--links 32] [--depth 1] [--seconds 2] [--warm 0.3]
 *        [--rate N] [--questions N] [--fresh RUN] [--server PID]...
 *
 * FILE has a line "NAME TYPE" for each question; doh is POST, get is GET. Without --rate each of
 * the links has --depth questions under way all the time. With it, question i is due at
 * start + i / N, is sent then as long as a link has a slot for it, and its time counts from when it
 * was due, so that a server that stands still cannot hide what waited. --questions ends a run
 * early.
 * --fresh makes every name one that nobody has asked before, as long as each RUN (1 and up) is used
 * once. Links open in the first of the --warm seconds, which nothing is counted of.
 *
 * At the end there is one line of JSON: answers, and for each of them the CPU time of the servers'
 * processes; percentiles; what was lost, refused, or not the answer of a server that works. TERM
 * ends a run early. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "bench/load/cost.h"
#include "bench/load/latency.h"
#include "bench/load/link.h"
#include "bench/many_files.h"

enum {
	SERVERS_MAX = 8,
	EVENTS = 256,
	DEPTH_MAX = 4096,
	RCODES = 16,
	NXDOMAIN = 3,
	SERVFAIL = 2,
	HTTP_OK = 200,
};
#define SECOND_NS  INT64_C(1000000000)
#define WAIT_NS    INT64_C(1000000)   /* at most, for the next event */
#define SCAN_NS    INT64_C(250000000) /* how often it is looked for what was lost */
#define LOST_NS    INT64_C(1000000000)
#define DRAIN_NS   INT64_C(200000000) /* for the last answers of a timetable */
#define GIVE_UP_NS INT64_C(3000000000)

static struct {
	const char *protocol, *file;
	uint16_t port;
	unsigned links, depth;
	double seconds, warm, rate;
	uint64_t questions, fresh_run;
	pid_t servers[SERVERS_MAX];
	unsigned server_count;
} options = { .links = 32, .depth = 1, .seconds = 2, .warm = 0.3 };

static struct questions questions;
static struct link *links;
static volatile sig_atomic_t is_over;

/* What is told at the end; of answers to questions that were due from begin_ns on. */
static struct {
	int64_t begin_ns, end_ns, server_ns, server_tick_ns, load_ns;
	struct latency latency;
	uint64_t asked, answers, lost, http_errors, empty, bytes, rcodes[RCODES];
} found = { .begin_ns = INT64_MAX };

static void on_signal(int number)
{
	(void)number;
	is_over = 1;
}

static _Noreturn void usage(void)
{
	fputs("usage: load udp|dot|doh|get PORT FILE [--links N] [--depth N] [--seconds S]\n"
	      "            [--warm S] [--rate N] [--questions N] [--fresh RUN] [--server PID]...\n",
		stderr);
	exit(2);
}

static void read_option(int letter, const char *value)
{
	switch (letter) {
	case 'l': options.links = (unsigned)strtoul(value, NULL, 10); break;
	case 'd': options.depth = (unsigned)strtoul(value, NULL, 10); break;
	case 's': options.seconds = strtod(value, NULL); break;
	case 'w': options.warm = strtod(value, NULL); break;
	case 'r': options.rate = strtod(value, NULL); break;
	case 'q': options.questions = strtoull(value, NULL, 10); break;
	case 'f': options.fresh_run = strtoull(value, NULL, 10); break;
	case 'p':
		if (options.server_count == SERVERS_MAX)
			usage();
		options.servers[options.server_count++] = (pid_t)strtol(value, NULL, 10);
		break;
	default: usage();
	}
}

static void read_options(int argc, char **argv)
{
	static const struct option known[] = { { "links", 1, NULL, 'l' }, { "depth", 1, NULL, 'd' },
		{ "seconds", 1, NULL, 's' }, { "warm", 1, NULL, 'w' }, { "rate", 1, NULL, 'r' },
		{ "questions", 1, NULL, 'q' }, { "fresh", 1, NULL, 'f' },
		{ "server", 1, NULL, 'p' }, { NULL, 0, NULL, 0 } };
	int letter;

	while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1)
		read_option(letter, optarg);
	if (argc - optind != 3 || !options.links || !options.depth || options.depth > DEPTH_MAX)
		usage();
	options.protocol = argv[optind];
	options.port = (uint16_t)strtoul(argv[optind + 1], NULL, 10);
	options.file = argv[optind + 2];
}

static void on_answer(struct link *link, const struct slot *slot)
{
	int64_t now_ns = cost_now_ns();
	unsigned rcode;

	(void)link;
	if (slot->due_ns < found.begin_ns)
		return;
	if (slot->status != HTTP_OK || slot->answer_len < LINK_ANSWER_HEAD) {
		found.http_errors++;
		return;
	}
	rcode = slot->answer[3] & 15;
	found.answers++;
	found.rcodes[rcode]++;
	found.empty += !rcode && !slot->answer[6] && !slot->answer[7];
	found.bytes += slot->answer_len;
	latency_add(&found.latency, now_ns - slot->due_ns);
}

static void ask(struct link *link, int64_t due_ns)
{
	if (link_ask(link, &questions, due_ns) && due_ns >= found.begin_ns)
		found.asked++;
}

static void fill(struct link *link)
{
	while (link->first_free >= 0 && !link->is_dead)
		ask(link, cost_now_ns());
	link_flush(link);
}

/* Questions that are due go to the links in turn. Returns when the next one is. */
static int64_t ask_what_is_due(int64_t due_ns, int64_t now_ns)
{
	static unsigned turn;
	const int64_t step_ns = (int64_t)((double)SECOND_NS / options.rate);

	for (; due_ns <= now_ns; due_ns += step_ns) {
		struct link *link = NULL;
		for (unsigned i = 0; i < options.links && !link; i++) {
			link = &links[turn++ % options.links];
			if (link->is_dead || link->first_free < 0)
				link = NULL;
		}
		if (link) {
			ask(link, due_ns);
			link_flush(link);
		} else if (now_ns - due_ns > GIVE_UP_NS) {
			found.asked++, found.lost++;
		} else {
			break; /* it waits, and its time runs */
		}
	}
	return due_ns;
}

/* Over UDP a question may get lost, which frees its slot; elsewhere it is only counted once, at the
 * end. */
static void look_for_the_lost(int64_t now_ns, bool is_end)
{
	bool is_udp = !strcmp(options.protocol, "udp");

	for (unsigned i = 0; i < options.links; i++)
		for (unsigned k = 0; k < options.depth && links[i].slots; k++) {
			const struct slot *slot = &links[i].slots[k];
			if (!slot->is_busy ||
				(!links[i].is_dead && now_ns - slot->due_ns < LOST_NS))
				continue;
			found.lost += (is_udp || is_end) && slot->due_ns >= found.begin_ns;
			if (is_udp)
				link_forget(&links[i], k);
		}
}

static void open_all(int events)
{
	bool is_tls = strcmp(options.protocol, "udp") != 0;
	const struct link_options wanted = { .type = link_type_of(options.protocol),
		.port = options.port,
		.depth = options.depth,
		.tls = is_tls ? link_tls_context(NULL) : NULL,
		.on_answer = on_answer };

	if (!wanted.type)
		usage();
	links = calloc(options.links, sizeof *links);
	for (unsigned i = 0; i < options.links; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };
		if (!link_open(&links[i], &wanted) ||
			epoll_ctl(events, EPOLL_CTL_ADD, links[i].fd, &event))
			exit(1);
	}
}

static int64_t servers_ns(int64_t (*used)(pid_t))
{
	int64_t sum = 0;

	for (unsigned i = 0; i < options.server_count; i++)
		sum += used(options.servers[i]);
	return sum;
}

static int64_t own_cpu_ns(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return used.tv_sec * SECOND_NS + used.tv_nsec;
}

/* Once to begin, with -1, and once to end. */
static void count_cost(int sign)
{
	found.server_ns += sign * servers_ns(cost_cpu_ns);
	found.server_tick_ns += sign * servers_ns(cost_tick_ns);
	found.load_ns += sign * own_cpu_ns();
}

static void take_events(int events, int64_t wait_ns)
{
	const struct timespec wait = { .tv_nsec = wait_ns };
	static struct epoll_event ready[EVENTS];
	int count = epoll_pwait2(events, ready, EVENTS, &wait, NULL);

	for (int i = 0; i < count; i++) {
		struct link *link = &links[ready[i].data.u32];
		link_read(link);
		if (link->is_dead)
			epoll_ctl(events, EPOLL_CTL_DEL, link->fd, NULL);
		else if (!(options.rate > 0))
			fill(link);
		else
			link_flush(link);
	}
}

static bool is_anybody_there(void)
{
	for (unsigned i = 0; i < options.links; i++)
		if (!links[i].is_dead)
			return true;
	return false;
}

/* From the first question to the last. */
static void run(int events)
{
	int64_t start_ns = cost_now_ns(), now_ns = start_ns, due_ns = start_ns,
		scanned_ns = start_ns;
	const int64_t measure_ns = start_ns + (int64_t)(options.warm * 1e9);
	const int64_t end_ns = measure_ns + (int64_t)(options.seconds * 1e9);
	bool is_timetable = options.rate > 0, is_measuring = false;

	for (unsigned i = 0; i < options.links && !is_timetable; i++)
		fill(&links[i]);
	for (; now_ns < end_ns && !is_over && is_anybody_there(); now_ns = cost_now_ns()) {
		int64_t wait_ns = WAIT_NS;
		if (!is_measuring && now_ns >= measure_ns) {
			is_measuring = true;
			found.begin_ns = now_ns;
			count_cost(-1);
		}
		if (options.questions && found.answers >= options.questions)
			break;
		if (is_timetable) {
			due_ns = ask_what_is_due(due_ns, now_ns);
			wait_ns = due_ns - cost_now_ns();
			wait_ns = wait_ns < 0       ? WAIT_NS / 50
				: wait_ns > WAIT_NS ? WAIT_NS
						    : wait_ns;
		}
		take_events(events, wait_ns);
		if (now_ns - scanned_ns < SCAN_NS)
			continue;
		scanned_ns = now_ns;
		look_for_the_lost(now_ns, false);
		for (unsigned i = 0; i < options.links && !is_timetable; i++)
			fill(&links[i]);
	}
	found.end_ns = now_ns;
	for (now_ns = cost_now_ns(); is_timetable && cost_now_ns() < now_ns + DRAIN_NS;)
		take_events(events, WAIT_NS);
	if (is_measuring)
		count_cost(1);
	look_for_the_lost(cost_now_ns(), true);
}

static unsigned closed_links(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < options.links; i++)
		count += links[i].is_dead;
	return count;
}

static double each_us(int64_t ns)
{
	return found.answers ? (double)ns / 1e3 / (double)found.answers : 0;
}

static void tell(void)
{
	double seconds = (double)(found.end_ns - found.begin_ns) / 1e9;
	double answers = found.answers ? (double)found.answers : 1;
	uint64_t other =
		found.answers - found.rcodes[0] - found.rcodes[NXDOMAIN] - found.rcodes[SERVFAIL];

	if (found.begin_ns == INT64_MAX)
		seconds = 1;
	printf("{\"asked\": %llu, \"answers\": %llu, \"seconds\": %.3f, \"per_s\": %.0f, ",
		(unsigned long long)found.asked, (unsigned long long)found.answers, seconds,
		(double)found.answers / seconds);
	printf("\"cpu_us\": %.3f, \"tick_us\": %.3f, \"busy\": %.3f, \"load_busy\": %.3f, ",
		each_us(found.server_ns), each_us(found.server_tick_ns),
		(double)found.server_ns / 1e9 / seconds, (double)found.load_ns / 1e9 / seconds);
	printf("\"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, "
	       "\"most_us\": %.1f, ",
		latency_us(&found.latency, 0.5), latency_us(&found.latency, 0.9),
		latency_us(&found.latency, 0.99), latency_us(&found.latency, 0.999),
		(double)found.latency.most_ns / 1e3);
	printf("\"lost\": %llu, \"closed\": %u, \"http_errors\": %llu, \"bytes\": %.1f, ",
		(unsigned long long)found.lost, closed_links(),
		(unsigned long long)found.http_errors, (double)found.bytes / answers);
	printf("\"noerror\": %llu, \"empty\": %llu, \"nxdomain\": %llu, \"servfail\": %llu, "
	       "\"other\": %llu}\n",
		(unsigned long long)found.rcodes[0], (unsigned long long)found.empty,
		(unsigned long long)found.rcodes[NXDOMAIN],
		(unsigned long long)found.rcodes[SERVFAIL], (unsigned long long)other);
}

int main(int argc, char **argv)
{
	int events = epoll_create1(0);

	read_options(argc, argv);
	signal(SIGTERM, on_signal);
	signal(SIGPIPE, SIG_IGN);
	allow_many_files();
	questions_read(&questions, options.file, options.fresh_run);
	open_all(events);
	run(events);
	tell();
	return 0;
}
