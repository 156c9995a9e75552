/* dot_asker.c - messages with two bytes of length in front, the client's side (RFC 7858, RFC 7766).
 * Answers come in any order and are told apart by their id alone, so the id of a question that was
 * given up must not be used again while its answer may come. */
#include "proxy/framing/asker.h"

#include <assert.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/reader.h"
#include "proxy/framing/framed.h"

enum {
	HEADER_LEN = 12,
	OUT_MAX = 1024 * 1024,                   /* then it is not now */
	CANCELLED_MAX = ASKER_QUESTIONS_MAX / 2, /* never answered: then another connection */
	STRAYS_MAX = 256,                        /* in a row: it talks to somebody else */
};

struct asker {
	struct asker_settings settings;
	struct framed in;
	struct bytes out;
	uint64_t strays;
	unsigned strays_in_row;
	unsigned count;
	unsigned cancelled;
	bool worn;
	bool is_cancelled[ASKER_QUESTIONS_MAX];
	uint16_t numbers[ASKER_QUESTIONS_MAX]; /* of the first `count` */
};

static struct asker *dot_open(const struct asker_settings *settings)
{
	struct asker *asker = calloc(1, sizeof *asker);
	if (!asker)
		return NULL;
	asker->settings = *settings;
	framed_init(&asker->in, HEADER_LEN);
	bytes_init(&asker->out, OUT_MAX);
	return asker;
}

static void dot_free(struct asker *asker)
{
	framed_deinit(&asker->in);
	bytes_deinit(&asker->out);
	free(asker);
}

/* Its place; `count` when it is not in flight. */
static unsigned find(const struct asker *asker, uint32_t number)
{
	unsigned i = 0;
	while (i < asker->count && asker->numbers[i] != number)
		i++;
	return i;
}

static uint16_t id_of(struct slice message)
{
	struct reader from = reader_of(message);
	return reader_u16(&from);
}

static int dot_ask(struct asker *asker, uint32_t number, struct slice message)
{
	assert(message.len >= HEADER_LEN && id_of(message) == number);
	if (asker->worn)
		return ERR_CLOSED;
	if (asker->count == ASKER_QUESTIONS_MAX || find(asker, number) < asker->count)
		return ERR_BUSY;
	if (framed_append(&asker->out, message))
		return ERR_BUSY;
	asker->is_cancelled[asker->count] = false;
	asker->numbers[asker->count++] = (uint16_t)number;
	return 0;
}

static void dot_cancel(struct asker *asker, uint32_t number)
{
	unsigned i = find(asker, number);
	if (i == asker->count || asker->is_cancelled[i])
		return;
	asker->is_cancelled[i] = true;
	asker->cancelled++;
	asker->worn |= asker->cancelled >= CANCELLED_MAX;
}

static int take_stray(struct asker *asker)
{
	asker->strays++;
	return ++asker->strays_in_row > STRAYS_MAX ? ERR_TOO_LONG : 0;
}

static int on_message(void *host, struct slice message)
{
	struct asker *asker = host;
	uint16_t number = id_of(message);
	unsigned i = find(asker, number);
	if (i == asker->count)
		return take_stray(asker);
	bool cancelled = asker->is_cancelled[i];
	asker->count--;
	asker->numbers[i] = asker->numbers[asker->count];
	asker->is_cancelled[i] = asker->is_cancelled[asker->count];
	asker->cancelled -= cancelled;
	asker->strays_in_row = 0;
	if (!cancelled)
		asker->settings.events->on_answer(asker->settings.host, number, message);
	return 0;
}

static int dot_feed(struct asker *asker, struct slice plain)
{
	return framed_feed(&asker->in, plain, on_message, asker);
}

static size_t dot_drain(struct asker *asker, uint8_t *to, size_t capacity)
{
	return bytes_take(&asker->out, to, capacity);
}

static unsigned dot_room(const struct asker *asker)
{
	return asker->worn ? 0 : ASKER_QUESTIONS_MAX - asker->count;
}

static bool dot_is_leaving(const struct asker *asker)
{
	return asker->worn;
}

static struct asker_http dot_http(const struct asker *asker)
{
	(void)asker;
	return (struct asker_http){ 0 };
}

static uint64_t dot_strays(const struct asker *asker)
{
	return asker->strays;
}

const struct asker_type asker_dot = {
	.open = dot_open,
	.free = dot_free,
	.ask = dot_ask,
	.cancel = dot_cancel,
	.feed = dot_feed,
	.drain = dot_drain,
	.room = dot_room,
	.is_leaving = dot_is_leaving,
	.http = dot_http,
	.strays = dot_strays,
};
