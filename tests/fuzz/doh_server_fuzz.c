/* Bytes from a client into the server's side of HTTP/2. The first byte says how:
 *   bits 0-2  how many bytes arrive at once, and are drained at once
 *   bits 3-4  0: each question is answered at once; 1: at the next turn; 2: when all has arrived;
 *             3: every second one is not DNS
 *   bit 5     the preface and empty SETTINGS come in front, so that the input begins with frames
 *   bit 6     the server says in the middle that it goes
 *   bit 7     answers are large enough for flow control to matter
 * Whatever comes: nothing is answered twice or without being asked, what is sent is bounded by what
 * was received and answered, and nothing stays behind. */
#include <stdlib.h>

#include "proxy/framing/framer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WAITING_MAX = 128 };

struct run {
	struct framer *framer;
	unsigned mode;
	size_t answer_len;
	int32_t waiting[WAITING_MAX];
	unsigned waiting_count;
	unsigned asked;
	unsigned statuses;
	unsigned abandoned;
	bool flooded;
	size_t drained;
	size_t answered; /* bytes */
};

static void check(bool truth)
{
	if (!truth)
		abort();
}

static const uint8_t canned[20000] = "\0\0\x81\x80\0\1\0\0\0\0\0\0\0\0\1\0\1";

static void answer(struct run *run, int32_t stream)
{
	size_t before = framer_doh2.queued(run->framer);
	check(framer_doh2.reply(run->framer, stream, slice_of(canned, run->answer_len), 60) == 0);
	run->answered += framer_doh2.queued(run->framer) - before;
}

static void answer_waiting(struct run *run)
{
	while (run->waiting_count > 0)
		answer(run, run->waiting[--run->waiting_count]);
}

static void on_message(
	void *context, int32_t stream, const struct framer_claims *claims, struct slice message)
{
	(void)claims;
	struct run *run = context;
	check(message.len > 0 && message.len <= 65535);
	check(stream % 2 == 1);
	run->asked++;
	if (run->mode == 0)
		answer(run, stream);
	else if (run->mode == 3 && run->asked % 2)
		framer_doh2.reject(run->framer, stream, 400);
	else if (run->waiting_count < WAITING_MAX)
		run->waiting[run->waiting_count++] = stream;
	else
		answer(run, stream);
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
	check(!run->flooded);
	run->flooded = true;
}

static const struct framer_events events = { on_message, on_status, on_abandoned, on_reset_flood };

static void drain(struct run *run, size_t step)
{
	uint8_t *out = malloc(step);
	size_t len;
	while ((len = framer_doh2.drain(run->framer, out, step)) > 0) {
		check(len <= step);
		run->drained += len;
	}
	check(framer_doh2.queued(run->framer) <= run->answered);
	free(out);
}

/* False at the end of the connection. */
static bool feed(struct run *run, struct slice bytes, size_t step)
{
	for (size_t at = 0; at < bytes.len; at += step) {
		size_t len = bytes.len - at < step ? bytes.len - at : step;
		uint8_t *piece = malloc(len);
		memcpy(piece, bytes.at + at, len);
		int error = framer_doh2.feed(run->framer, slice_of(piece, len));
		free(piece);
		if (error)
			return false;
		if (run->mode == 1)
			answer_waiting(run);
		drain(run, step);
		if (framer_doh2.is_finished(run->framer))
			return false;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t steps[] = { 65536, 1, 2, 9, 17, 100, 1000, 16384 };
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
	if (size < 1)
		return 0;
	size_t step = steps[data[0] & 7];
	struct run run = { .mode = data[0] >> 3 & 3,
		.answer_len = data[0] & 0x80 ? sizeof canned : 17 };
	const struct framer_settings settings = {
		.events = &events, .host = &run, .path = "/dns-query"
	};
	run.framer = framer_doh2.open(&settings);
	struct slice all = slice_of(data + 1, size - 1);
	struct slice first_half = slice_of(all.at, all.len / 2);
	struct slice second_half = slice_of(all.at + all.len / 2, all.len - all.len / 2);
	bool open = !(data[0] & 0x20) || feed(&run, slice_of(preface, sizeof preface - 1), step);
	open = open && feed(&run, first_half, step);
	if (data[0] & 0x40)
		framer_doh2.finish(run.framer);
	open = open && feed(&run, second_half, step);
	answer_waiting(&run);
	drain(&run, step);
	framer_doh2.finish(run.framer);
	drain(&run, step);
	size_t queued = framer_doh2.queued(run.framer);
	check(!open || framer_doh2.late_request(run.framer) == 0 ||
		!framer_doh2.is_finished(run.framer));
	check(run.drained <= 2000 + 40 * size + 100 * run.statuses + 2 * run.answered);
	framer_doh2.free(run.framer);
	/* Whatever was asked was answered, refused as no DNS, or given up by the client. */
	check(run.asked <= run.statuses + run.abandoned);
	check(queued <= run.answered);
	return 0;
}
