/* Bytes from a client into the server's side of HTTP/1.1. The first byte says how:
 *   bits 0-2  how many bytes arrive at once, and are drained at once
 *   bits 3-4  0: each question is answered at once; 1: at the next turn; 2: when all has arrived,
 *             the last one first; 3: every second one is not DNS
 *   bit 5     JSON is spoken
 *   bit 6     the server says in the middle that it goes
 *   bit 7     by doh_version.c, in clear text, where it may be HTTP/2 as well
 * Whatever comes: nothing is answered twice or without being asked, no more is read ahead than was
 * agreed, what is sent is bounded by what was received and answered, and nothing stays behind. */
#include <stdlib.h>

#include "proxy/framing/framer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WAITING_MAX = 128, REQUESTS_MAX = 5 };

struct run {
	const struct framer_type *type;
	struct framer *framer;
	unsigned mode;
	int32_t waiting[WAITING_MAX];
	unsigned waiting_count;
	unsigned asked;
	unsigned statuses;
	unsigned abandoned;
	size_t drained;
};

static void check(bool truth)
{
	if (!truth)
		abort();
}

static const uint8_t canned[] = "\0\0\x81\x80\0\1\0\0\0\0\0\0\0\0\1\0\1";

static void answer(struct run *run, int32_t stream)
{
	check(run->type->reply(run->framer, stream, slice_of(canned, sizeof canned - 1), 60) == 0);
}

static void answer_waiting(struct run *run)
{
	while (run->waiting_count > 0)
		answer(run, run->waiting[--run->waiting_count]);
}

static void on_message(
	void *context, int32_t stream, const struct framer_claims *claims, struct slice message)
{
	struct run *run = context;
	check(message.len > 0 && message.len <= 65535);
	check(stream > 0 && claims->path.len <= 64);
	run->asked++;
	if (run->mode == 0)
		answer(run, stream);
	else if (run->mode == 3 && run->asked % 2)
		run->type->reject(run->framer, stream, 400);
	else if (run->waiting_count < WAITING_MAX)
		run->waiting[run->waiting_count++] = stream;
	else
		answer(run, stream);
	check(run->type != &framer_doh1 || run->waiting_count <= REQUESTS_MAX);
}

static void on_status(void *context, enum http_method method, unsigned status)
{
	struct run *run = context;
	check(method < HTTP_METHOD_COUNT);
	check(status == 200 || (status >= 400 && status < 600));
	run->statuses++;
}

static void on_abandoned(void *context, int32_t stream)
{
	struct run *run = context;
	check(stream > 0);
	run->abandoned++;
}

static void on_reset_flood(void *context)
{
	struct run *run = context;
	check(run->type == &framer_doh);
}

static const struct framer_events events = { on_message, on_status, on_abandoned, on_reset_flood };

static void drain(struct run *run, size_t step)
{
	uint8_t *out = malloc(step);
	size_t len;
	while ((len = run->type->drain(run->framer, out, step)) > 0) {
		check(len <= step);
		run->drained += len;
	}
	free(out);
}

/* As a connection does it: who is full is given no more until there is room. */
static bool make_room(struct run *run, size_t step)
{
	while (run->type->is_full(run->framer)) {
		check(run->type->late_request(run->framer) == 0 && run->waiting_count > 0);
		answer_waiting(run);
		if (run->type->feed(run->framer, slice_of(NULL, 0)))
			return false;
		drain(run, step);
	}
	return true;
}

/* False at the end of the connection. */
static bool feed(struct run *run, struct slice bytes, size_t step)
{
	for (size_t at = 0; at < bytes.len; at += step) {
		size_t len = bytes.len - at < step ? bytes.len - at : step;
		uint8_t *piece = malloc(len);
		memcpy(piece, bytes.at + at, len);
		int error = run->type->feed(run->framer, slice_of(piece, len));
		free(piece);
		if (error || !make_room(run, step))
			return false;
		if (run->mode == 1)
			answer_waiting(run);
		drain(run, step);
		if (run->type->is_finished(run->framer))
			return false;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t steps[] = { 65536, 1, 2, 9, 17, 100, 1000, 16384 };
	if (size < 1)
		return 0;
	size_t step = steps[data[0] & 7];
	struct run run = { .mode = data[0] >> 3 & 3,
		.type = data[0] & 0x80 ? &framer_doh : &framer_doh1 };
	const struct framer_settings settings = { .events = &events,
		.host = &run,
		.path = "/dns-query",
		.wants_forwarded = true,
		.wants_json = data[0] & 0x20,
		.requests_max = REQUESTS_MAX };
	run.framer = run.type->open(&settings);
	struct slice all = slice_of(data + 1, size - 1);
	bool open = feed(&run, slice_of(all.at, all.len / 2), step);
	if (data[0] & 0x40)
		run.type->finish(run.framer);
	open = open && feed(&run, slice_of(all.at + all.len / 2, all.len - all.len / 2), step);
	answer_waiting(&run);
	drain(&run, step);
	run.type->finish(run.framer);
	drain(&run, step);
	check(run.drained <= 2000 + 40 * size + 400 * run.statuses);
	run.type->free(run.framer);
	/* Whatever was asked was answered, refused as no DNS, or given up by the client. */
	check(run.asked <= run.statuses + run.abandoned);
	return 0;
}
