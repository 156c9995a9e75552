/* Bytes of a server into the client's side of HTTP/2, while questions are open. The first byte says
 * how:
 *   bits 0-2  how many bytes arrive at once, and are drained at once
 *   bit 3     GET
 *   bit 4     an empty SETTINGS frame comes in front, so that the input begins with frames
 *   bit 5     the second question is given up in the middle; one more when an event comes
 *   bit 6     every event asks again
 *   bit 7     nothing is drained until the end: the server has stopped reading
 * Whatever comes: of each question there is one event at most and none once it is given up, events
 * come from within feed() only, what is sent is bounded by what was received and asked, and nothing
 * stays behind. */
#include <stdlib.h>

#include "base/error.h"
#include "proxy/framing/asker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NUMBERS = 4096, FIRST = 4, MESSAGE_LEN = 40, REQUEST_MAX = 300 };
enum state { NEVER, OPEN, OVER, CANCELLED };

static void check(bool truth)
{
	if (!truth)
		abort();
}

struct run {
	struct asker *asker;
	uint8_t state[NUMBERS];
	uint32_t next;
	unsigned flags;
	bool feeding;
	size_t drained;
	size_t answered; /* bytes */
};

static void ask(struct run *run)
{
	static const uint8_t message[MESSAGE_LEN];
	if (run->next == NUMBERS)
		return;
	bool leaving = asker_doh.is_leaving(run->asker);
	unsigned room = asker_doh.room(run->asker);
	int error = asker_doh.ask(run->asker, run->next, slice_of(message, sizeof message));
	check(room == 0 || !leaving);
	check(error == 0 ? room > 0 : error == ERR_CLOSED || (error == ERR_BUSY && room == 0));
	if (error == 0)
		run->state[run->next++] = OPEN;
}

static void cancel(struct run *run, uint32_t number)
{
	asker_doh.cancel(run->asker, number);
	if (run->state[number] == OPEN)
		run->state[number] = CANCELLED;
}

static void on_event(struct run *run, uint32_t number)
{
	check(run->feeding);
	check(number < run->next && run->state[number] == OPEN);
	run->state[number] = OVER;
	if (run->flags & 0x20)
		cancel(run, 0);
	if (run->flags & 0x40)
		ask(run);
}

static void on_answer(void *host, uint32_t number, struct slice message)
{
	static volatile uint8_t sink;
	struct run *run = host;
	check(message.len >= 12 && message.len <= 65535);
	check(asker_doh.http(run->asker).status == 200);
	for (size_t i = 0; i < message.len; i++)
		sink = (uint8_t)(sink + message.at[i]);
	run->answered += message.len;
	on_event(run, number);
}

static void on_failed(void *host, uint32_t number, int error)
{
	check(error == ERR_MALFORMED || error == ERR_CLOSED);
	on_event(host, number);
}

static const struct asker_events events = { on_answer, on_failed };

static void drain(struct run *run, size_t step)
{
	uint8_t *out = malloc(step);
	size_t len;
	while ((len = asker_doh.drain(run->asker, out, step)) > 0) {
		check(len <= step);
		run->drained += len;
	}
	free(out);
}

/* False at the end of the connection. */
static bool feed(struct run *run, struct slice bytes, size_t step)
{
	for (size_t at = 0; at < bytes.len; at += step) {
		size_t len = bytes.len - at < step ? bytes.len - at : step;
		uint8_t *piece = malloc(len);
		memcpy(piece, bytes.at + at, len);
		run->feeding = true;
		int error = asker_doh.feed(run->asker, slice_of(piece, len));
		run->feeding = false;
		free(piece);
		if (error)
			return false;
		if (!(run->flags & 0x80))
			drain(run, step);
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t steps[] = { 65536, 1, 2, 9, 17, 100, 1000, 16384 };
	static const char settings_frame[] = "\0\0\0\4\0\0\0\0\0";
	if (size < 1)
		return 0;
	size_t step = steps[data[0] & 7];
	struct run *run = calloc(1, sizeof *run);
	run->flags = data[0];
	const struct asker_settings settings = { .events = &events,
		.host = run,
		.authority = "a",
		.path = "/",
		.use_get = data[0] & 8 };
	run->asker = asker_doh.open(&settings);
	while (run->next < FIRST)
		ask(run);
	drain(run, step);
	struct slice all = slice_of(data + 1, size - 1);
	struct slice first_half = slice_of(all.at, all.len / 2);
	struct slice second_half = slice_of(all.at + all.len / 2, all.len - all.len / 2);
	bool open = !(data[0] & 0x10) || feed(run, slice_of(settings_frame, 9), step);
	open = open && feed(run, first_half, step);
	if (data[0] & 0x20)
		cancel(run, 1);
	open = open && feed(run, second_half, step);
	drain(run, step);
	check(asker_doh.strays(run->asker) == 0);
	check(run->answered <= size);
	/* An acknowledgement or a reset for a frame. */
	check(run->drained <= 2000 + 4 * size + REQUEST_MAX * run->next);
	asker_doh.free(run->asker);
	free(run);
	return 0;
}
