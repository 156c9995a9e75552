/* turn_load.c - many clients that ask when they are told to, and are quiet in between.
 *
 *   turn_load udp|dot|doh|get PORT LINKS DEPTH FILE [ADDRESSES [RUN]]
 *
 * Opens so many links, from so many addresses in turn (127.1.0.0 and up; 1 is the default), asks
 * one question on each, and says "{}". Then it does what lines of standard input say, and says
 * after each, as JSON, what came of it:
 *
 *   ask N      asks N questions, DEPTH of them under way on each link
 *   renew N    hangs up and comes again N times, one link after the other, each with a question
 *
 * FILE is as for load, and with a RUN above zero names are fresh as with its --fresh. A link that
 * ends is an exit code of 1, and so are five seconds without an answer: over UDP a question may be
 * lost, and is counted. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "bench/load/link.h"
#include "bench/many_files.h"

enum {
	DEPTH_MAX = 1000,
	ADDRESSES_MAX = 60000,
	FIRST_ADDRESS = 0x7f010000,
	EVENTS = 256,
	PATIENCE_MS = 5000,
	HTTP_OK = 200,
	RCODES = 16,
	NXDOMAIN = 3,
};

static struct questions questions;
static struct link_options options;
static struct link *links;
static size_t link_count;
static unsigned address_count = 1;
static int events;
static uint64_t to_ask, waiting;

/* Since the last line of input. */
static struct {
	uint64_t answers, lost, http_errors, empty, rcodes[RCODES];
} found;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "turn_load: %s\n", what);
	exit(1);
}

static void on_answer(struct link *link, const struct slot *slot)
{
	unsigned rcode = slot->answer[3] & 15;
	(void)link;
	waiting--;
	if (slot->status != HTTP_OK || slot->answer_len < LINK_ANSWER_HEAD) {
		found.http_errors++;
		return;
	}
	found.answers++;
	found.rcodes[rcode]++;
	found.empty += !rcode && !slot->answer[6] && !slot->answer[7];
}

static void ask_one(struct link *link)
{
	if (!link_ask(link, &questions, 0))
		fail("a link ended");
	waiting++;
}

static void ask_what_is_left(struct link *link)
{
	for (; to_ask && link->first_free >= 0; to_ask--)
		ask_one(link);
	link_flush(link);
	if (link->is_dead)
		fail("a link ended");
}

static void give_up(void)
{
	if (options.tls)
		fail("answers do not come");
	for (size_t i = 0; i < link_count; i++)
		for (unsigned k = 0; k < options.depth && links[i].slots; k++)
			if (links[i].slots[k].is_busy)
				link_forget(&links[i], k);
	found.lost += waiting;
	waiting = 0;
}

static void wait_for_answers(uint64_t most)
{
	static struct epoll_event ready[EVENTS];
	while (waiting > most) {
		int count = epoll_wait(events, ready, EVENTS, PATIENCE_MS);
		if (count <= 0)
			give_up();
		for (int i = 0; i < count; i++) {
			link_read(ready[i].data.ptr);
			ask_what_is_left(ready[i].data.ptr);
		}
	}
}

static void open_one(struct link *link)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = link };
	options.from = FIRST_ADDRESS + (uint32_t)((size_t)(link - links) % address_count);
	if (!link_open(link, &options) || epoll_ctl(events, EPOLL_CTL_ADD, link->fd, &event))
		fail("cannot open a link");
	ask_one(link);
	link_flush(link);
}

static void open_all(void)
{
	for (size_t i = 0; i < link_count; i++) {
		open_one(&links[i]);
		wait_for_answers(EVENTS / 2);
	}
	wait_for_answers(0);
}

static void ask_many(uint64_t count)
{
	to_ask = count;
	for (size_t i = 0; i < link_count; i++)
		ask_what_is_left(&links[i]);
	wait_for_answers(0);
}

static void renew(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		link_close(&links[i % link_count]);
		open_one(&links[i % link_count]);
		wait_for_answers(0);
	}
}

static void read_arguments(int argc, char **argv)
{
	if (argc < 6)
		fail("usage: turn_load udp|dot|doh|get PORT LINKS DEPTH FILE [ADDRESSES [RUN]]");
	options = (struct link_options){ .type = link_type_of(argv[1]),
		.port = (uint16_t)atoi(argv[2]),
		.depth = (unsigned)atoi(argv[4]),
		.on_answer = on_answer };
	link_count = strtoul(argv[3], NULL, 10);
	if (argc > 6)
		address_count = (unsigned)atoi(argv[6]);
	if (!options.type || !link_count || !options.depth || options.depth > DEPTH_MAX ||
		!address_count || address_count > ADDRESSES_MAX)
		fail("such arguments make no sense");
	if (options.type->alpn)
		options.tls = link_tls_context(NULL);
	questions_read(&questions, argv[5], argc > 7 ? strtoull(argv[7], NULL, 10) : 0);
}

static void tell(void)
{
	printf("{\"answers\": %llu, \"noerror\": %llu, \"empty\": %llu, \"nxdomain\": %llu, "
	       "\"http_errors\": %llu, \"lost\": %llu}\n",
		(unsigned long long)found.answers, (unsigned long long)found.rcodes[0],
		(unsigned long long)found.empty, (unsigned long long)found.rcodes[NXDOMAIN],
		(unsigned long long)found.http_errors, (unsigned long long)found.lost);
	fflush(stdout);
	memset(&found, 0, sizeof found);
}

int main(int argc, char **argv)
{
	char word[8];
	unsigned long long count;
	signal(SIGPIPE, SIG_IGN);
	read_arguments(argc, argv);
	allow_many_files();
	events = epoll_create1(EPOLL_CLOEXEC);
	links = calloc(link_count, sizeof *links);
	if (!links)
		fail("no memory");
	open_all();
	if (found.lost)
		fail("answers do not come");
	puts("{}");
	fflush(stdout);
	memset(&found, 0, sizeof found);
	while (scanf("%7s %llu", word, &count) == 2) {
		if (strcmp(word, "renew") == 0)
			renew(count);
		else
			ask_many(count);
		tell();
	}
	return 0;
}
