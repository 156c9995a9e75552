/* asker_bench.c - what one question and its answer cost over DoT and DoH, memory to memory, without
 * TLS and sockets: the asker with our own framer as the server, in CPU-microseconds; and what a
 * connection holds that has nothing to do. bench/README.md says how to build and read it. */
#include <malloc.h>
#include <stdio.h>
#include <time.h>

#include "proxy/framing/asker.h"
#include "proxy/framing/framer.h"

enum { QUESTION_LEN = 128, ANSWER_LEN = 300, CONNECTIONS = 100, CHUNK = 16384 };

struct kind {
	const char *title;
	const struct asker_type *asker;
	const struct framer_type *framer;
	bool use_get;
	bool has_ids;
};

static const struct kind kinds[] = {
	{ "DoT", &asker_dot, &framer_dot, false, true },
	{ "DoH POST", &asker_doh, &framer_doh, false, false },
	{ "DoH GET", &asker_doh, &framer_doh, true, false },
};

struct pair {
	const struct kind *kind;
	struct asker *asker;
	struct framer *framer;
	uint32_t next;
	unsigned answered;
};

static uint8_t answer[ANSWER_LEN];

static double seconds_of_cpu(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void on_answer(void *host, uint32_t number, struct slice message)
{
	struct pair *pair = host;
	(void)number;
	(void)message;
	pair->answered++;
}

static void on_failed(void *host, uint32_t number, int error)
{
	(void)host;
	(void)number;
	(void)error;
}

static void on_message(
	void *host, int32_t stream, const struct framer_claims *claims, struct slice message)
{
	(void)claims;
	struct pair *pair = host;
	memcpy(answer, message.at, 2);
	pair->kind->framer->reply(pair->framer, stream, slice_of(answer, sizeof answer), 60);
}

static void on_status(void *host, enum http_method method, unsigned status)
{
	(void)host;
	(void)method;
	(void)status;
}

static void on_stream(void *host, int32_t stream)
{
	(void)host;
	(void)stream;
}

static void on_flood(void *host)
{
	(void)host;
}

static const struct asker_events asker_events = { on_answer, on_failed };
static const struct framer_events framer_events = { on_message, on_status, on_stream, on_flood };

static void pair_open(struct pair *pair, const struct kind *kind)
{
	const struct asker_settings asking = { .events = &asker_events,
		.host = pair,
		.authority = "dns.example",
		.path = "/dns-query",
		.use_get = kind->use_get };
	const struct framer_settings serving = {
		.events = &framer_events, .host = pair, .path = "/dns-query"
	};
	*pair = (struct pair){ .kind = kind };
	pair->asker = kind->asker->open(&asking);
	pair->framer = kind->framer->open(&serving);
}

static void pair_close(struct pair *pair)
{
	pair->kind->asker->free(pair->asker);
	pair->kind->framer->free(pair->framer);
}

static void ask(struct pair *pair)
{
	uint8_t message[QUESTION_LEN] = { 0 };
	uint32_t number = pair->next++ % 65536;
	if (pair->kind->has_ids) {
		message[0] = (uint8_t)(number >> 8);
		message[1] = (uint8_t)number;
	}
	pair->kind->asker->ask(pair->asker, number, slice_of(message, sizeof message));
}

/* `width` questions there, as many answers back. */
static void turn(struct pair *pair, unsigned width)
{
	static uint8_t bytes[CHUNK];
	size_t len;
	for (unsigned i = 0; i < width; i++)
		ask(pair);
	len = pair->kind->asker->drain(pair->asker, bytes, sizeof bytes);
	pair->kind->framer->feed(pair->framer, slice_of(bytes, len));
	len = pair->kind->framer->drain(pair->framer, bytes, sizeof bytes);
	pair->kind->asker->feed(pair->asker, slice_of(bytes, len));
}

/* The best of five runs of about 100 ms each. */
static void measure(const struct kind *kind, unsigned width)
{
	double best = 1e9;
	struct pair pair;
	pair_open(&pair, kind);
	turn(&pair, 1); /* settings, and what HPACK learns */
	for (int run = 0; run < 5; run++) {
		pair.answered = 0;
		double start = seconds_of_cpu(), now = start;
		for (; now - start < 0.1; now = seconds_of_cpu())
			for (int i = 0; i < 64; i++)
				turn(&pair, width);
		double each = (now - start) / pair.answered;
		best = each < best ? each : best;
	}
	pair_close(&pair);
	printf("%10.2f us     %s, %u in flight\n", best * 1e6, kind->title, width);
}

/* Of the asker alone, after 100 questions. */
static void weigh(const struct kind *kind)
{
	static struct pair pairs[CONNECTIONS];
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		pair_open(&pairs[i], kind);
		for (unsigned k = 0; k < 10; k++)
			turn(&pairs[i], 10);
	}
	size_t with = mallinfo2().uordblks;
	for (unsigned i = 0; i < CONNECTIONS; i++)
		kind->asker->free(pairs[i].asker);
	size_t without = mallinfo2().uordblks;
	for (unsigned i = 0; i < CONNECTIONS; i++)
		kind->framer->free(pairs[i].framer);
	printf("%10zu bytes  %s, an idle asker\n", (with - without) / CONNECTIONS, kind->title);
}

int main(void)
{
	static const unsigned widths[] = { 1, 16 };
	printf("question %d bytes, answer %d; both sides together\n", QUESTION_LEN, ANSWER_LEN);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
			measure(&kinds[i], widths[w]);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		weigh(&kinds[i]);
	return 0;
}
