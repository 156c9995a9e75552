/* Bytes of a server for whoever asks over DoT, cut as the first byte says; compared with a reader
 * that sees all of it at once. Ids 0 to 63 are asked, the odd ones of them are given up; an answer
 * asks for the next id. */
#include <stdlib.h>

#include "base/error.h"
#include "proxy/framing/asker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ASKED = 64, IDS = 65536, HEADER_LEN = 12, STRAYS_MAX = 256 };
enum state { FREE, WAITING, CANCELLED };

static void check(bool truth)
{
	if (!truth)
		abort();
}

struct run {
	struct asker *asker;
	struct slice expected; /* what has yet to arrive */
	uint8_t state[IDS];
	uint32_t next;
	uint64_t strays;
	unsigned in_flight;
};

static void ask(struct run *run)
{
	uint8_t message[HEADER_LEN + 5] = { (uint8_t)(run->next >> 8), (uint8_t)run->next };
	check(asker_dot.ask(run->asker, run->next, slice_of(message, sizeof message)) == 0);
	run->state[run->next++] = WAITING;
	run->in_flight++;
}

/* Takes the next message that somebody waits for, passing over others; empty: there is none. */
static struct slice take_expected(struct run *run)
{
	struct slice *from = &run->expected;
	while (from->len >= 2) {
		size_t len = (size_t)(from->at[0] << 8 | from->at[1]);
		if (len < HEADER_LEN || from->len < 2 + len)
			break;
		struct slice message = slice_of(from->at + 2, len);
		*from = slice_of(message.at + len, from->len - 2 - len);
		uint8_t *state = &run->state[message.at[0] << 8 | message.at[1]];
		bool waited = *state == WAITING;
		run->strays += *state == FREE;
		run->in_flight -= *state != FREE;
		*state = FREE;
		if (waited)
			return message;
	}
	return slice_of(NULL, 0);
}

static void on_answer(void *host, uint32_t number, struct slice message)
{
	struct run *run = host;
	struct slice expected = take_expected(run);
	check(expected.len >= HEADER_LEN && slice_equals(expected, message));
	check(number == (uint32_t)(message.at[0] << 8 | message.at[1]));
	if (run->next < IDS)
		ask(run);
}

static void on_failed(void *host, uint32_t number, int error)
{
	(void)host;
	(void)number;
	(void)error;
	abort();
}

static const struct asker_events events = { on_answer, on_failed };

static size_t drain(struct run *run, size_t step)
{
	uint8_t *out = malloc(step);
	size_t total = 0, len;
	while ((len = asker_dot.drain(run->asker, out, step)) > 0)
		total += len;
	free(out);
	return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 200000)
		return 0;
	size_t step = (size_t)data[0] * data[0] + 1;
	struct slice all = slice_of(data + 1, size - 1);
	struct run *run = calloc(1, sizeof *run);
	const struct asker_settings settings = { .events = &events, .host = run };
	run->asker = asker_dot.open(&settings);
	run->expected = all;
	while (run->next < ASKED)
		ask(run);
	for (uint32_t id = 1; id < ASKED; id += 2) {
		asker_dot.cancel(run->asker, id);
		run->state[id] = CANCELLED;
	}
	int error = 0;
	for (size_t at = 0; at < all.len && !error; at += step) {
		size_t len = all.len - at < step ? all.len - at : step;
		uint8_t *piece = malloc(len);
		memcpy(piece, all.at + at, len);
		error = asker_dot.feed(run->asker, slice_of(piece, len));
		free(piece);
	}
	if (error == ERR_TOO_LONG) {
		check(asker_dot.strays(run->asker) > STRAYS_MAX);
	} else {
		check(take_expected(run).len == 0);
		check(asker_dot.strays(run->asker) == run->strays);
		check(asker_dot.room(run->asker) == ASKER_QUESTIONS_MAX - run->in_flight);
		bool is_short = run->expected.len >= 2 && run->expected.at[0] == 0 &&
			run->expected.at[1] < HEADER_LEN;
		check((error == ERR_MALFORMED) == is_short);
	}
	check(drain(run, step) == run->next * (2 + HEADER_LEN + 5));
	asker_dot.free(run->asker);
	free(run);
	return 0;
}
