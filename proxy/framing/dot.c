/* dot.c - messages with two bytes of length in front, the server's side (RFC 7766, RFC 7858). The
 * stream number is of no meaning here: answers may come in any order. */
#include "proxy/framing/framer.h"

#include <stdlib.h>

#include "proxy/framing/framed.h"

enum { OUT_MAX = 8 * 1024 * 1024 /* reading stops long before; this is the last guard */ };

struct framer {
	struct framer_settings settings;
	struct framed in;
	struct bytes out;
	bool finished;
};

static struct framer *dot_open(const struct framer_settings *settings)
{
	struct framer *framer = calloc(1, sizeof *framer);
	if (!framer)
		return NULL;
	framer->settings = *settings;
	framed_init(&framer->in, 0); /* what is too short is told so */
	bytes_init(&framer->out, OUT_MAX);
	return framer;
}

static void dot_free(struct framer *framer)
{
	framed_deinit(&framer->in);
	bytes_deinit(&framer->out);
	free(framer);
}

static int on_message(void *host, struct slice message)
{
	struct framer *framer = host;
	static const struct framer_claims nothing;
	framer->settings.events->on_message(framer->settings.host, 0, &nothing, message);
	return 0;
}

static int dot_feed(struct framer *framer, struct slice plain)
{
	return framed_feed(&framer->in, plain, on_message, framer);
}

static int dot_reply(
	struct framer *framer, int32_t stream, struct slice message, uint32_t max_age_s)
{
	(void)stream;
	(void)max_age_s;
	return framed_append(&framer->out, message);
}

static void dot_reject(struct framer *framer, int32_t stream, unsigned status)
{
	(void)status;
	(void)framer;
	(void)stream;
}

static size_t dot_drain(struct framer *framer, uint8_t *to, size_t capacity)
{
	return bytes_take(&framer->out, to, capacity);
}

static void dot_finish(struct framer *framer)
{
	framer->finished = true;
}

static uint64_t dot_late_request(const struct framer *framer)
{
	return bytes_len(&framer->in.partial) > 0 ? framer->in.begun : 0;
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
