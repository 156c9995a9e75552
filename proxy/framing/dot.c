/* dot.c - messages with two bytes of length in front (RFC 1035 4.2.2, RFC 7766, RFC 7858).
 * Complete messages are passed on from where they were read; only one that arrives in pieces is
 * kept. The stream number is of no meaning here: answers may come in any order. */
#include "proxy/framing/framer.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/reader.h"

enum {
	LENGTH_LEN = 2,
	PARTIAL_MAX = LENGTH_LEN + 65535,
	OUT_MAX = 8 * 1024 * 1024, /* reading stops long before; this is the last guard */
};

struct framer {
	struct framer_settings settings;
	struct bytes partial;
	struct bytes out;
	uint64_t begun; /* messages that arrived in pieces */
	bool finished;
};

static struct framer *dot_open(const struct framer_settings *settings)
{
	struct framer *framer = calloc(1, sizeof *framer);
	if (!framer)
		return NULL;
	framer->settings = *settings;
	bytes_init(&framer->partial, PARTIAL_MAX);
	bytes_init(&framer->out, OUT_MAX);
	return framer;
}

static void dot_free(struct framer *framer)
{
	bytes_deinit(&framer->partial);
	bytes_deinit(&framer->out);
	free(framer);
}

/* The first whole message, length in front; empty when it is not all there yet. */
static struct slice first_message(struct slice bytes)
{
	struct reader from = reader_of(bytes);
	size_t len = reader_u16(&from);
	reader_skip(&from, len);
	return slice_of(bytes.at, from.failed ? 0 : LENGTH_LEN + len);
}

static void pass_on(struct framer *framer, struct slice framed)
{
	struct slice message = slice_of(framed.at + LENGTH_LEN, framed.len - LENGTH_LEN);
	framer->settings.events->on_message(framer->settings.host, 0, message);
}

/* Completes the message that was begun before, if these bytes do; gives how many were taken. */
static size_t feed_partial(struct framer *framer, struct slice plain, int *error)
{
	size_t have = bytes_len(&framer->partial);
	size_t want = LENGTH_LEN;
	if (have >= LENGTH_LEN) {
		struct reader head = reader_of(bytes_peek(&framer->partial));
		want += reader_u16(&head);
	}
	size_t take = want - have < plain.len ? want - have : plain.len;
	*error = bytes_append(&framer->partial, plain.at, take);
	if (*error)
		return 0;
	struct slice framed = first_message(bytes_peek(&framer->partial));
	if (framed.len > 0) {
		pass_on(framer, framed);
		bytes_consume(&framer->partial, framed.len);
	}
	return take;
}

static int dot_feed(struct framer *framer, struct slice plain)
{
	int error = 0;
	while (bytes_len(&framer->partial) > 0 && plain.len > 0) {
		size_t taken = feed_partial(framer, plain, &error);
		if (error)
			return error;
		plain = slice_of(plain.at + taken, plain.len - taken);
	}
	for (;;) {
		struct slice framed = first_message(plain);
		if (framed.len == 0)
			break;
		pass_on(framer, framed);
		plain = slice_of(plain.at + framed.len, plain.len - framed.len);
	}
	if (plain.len == 0)
		return 0;
	framer->begun++;
	return bytes_append(&framer->partial, plain.at, plain.len);
}

static int dot_reply(
	struct framer *framer, int32_t stream, struct slice message, uint32_t max_age_s)
{
	(void)stream;
	(void)max_age_s;
	uint8_t *to = bytes_reserve(&framer->out, LENGTH_LEN + message.len);
	if (!to)
		return ERR_TOO_LONG;
	to[0] = (uint8_t)(message.len >> 8);
	to[1] = (uint8_t)message.len;
	memcpy(to + LENGTH_LEN, message.at, message.len);
	bytes_claim(&framer->out, LENGTH_LEN + message.len);
	return 0;
}

static void dot_reject(struct framer *framer, int32_t stream)
{
	(void)framer;
	(void)stream;
}

static size_t dot_drain(struct framer *framer, uint8_t *to, size_t capacity)
{
	struct slice out = bytes_peek(&framer->out);
	size_t len = out.len < capacity ? out.len : capacity;
	if (len == 0)
		return 0;
	memcpy(to, out.at, len);
	bytes_consume(&framer->out, len);
	return len;
}

static void dot_finish(struct framer *framer)
{
	framer->finished = true;
}

static uint64_t dot_late_request(const struct framer *framer)
{
	return bytes_len(&framer->partial) > 0 ? framer->begun : 0;
}

static size_t dot_queued(const struct framer *framer)
{
	return bytes_len(&framer->out);
}

static bool dot_is_finished(const struct framer *framer)
{
	return framer->finished && bytes_len(&framer->out) == 0;
}

const struct framer_type framer_dot = {
	.open = dot_open,
	.free = dot_free,
	.feed = dot_feed,
	.reply = dot_reply,
	.reject = dot_reject,
	.drain = dot_drain,
	.finish = dot_finish,
	.late_request = dot_late_request,
	.queued = dot_queued,
	.is_finished = dot_is_finished,
};
