/* A stream of messages, cut as the first byte says; compared with a reader that sees all of it at
 * once. Each message is sent back, so that what drains must be the stream again. */
#include <stdlib.h>

#include "base/bytes.h"
#include "proxy/framing/framer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool truth)
{
	if (!truth)
		abort();
}

struct host {
	struct framer *framer;
	struct slice expected; /* what has yet to arrive */
};

static struct slice take_framed(struct slice *from)
{
	size_t len = from->len < 2 ? 0 : (size_t)(2 + (from->at[0] << 8 | from->at[1]));
	struct slice framed = slice_of(from->at, len <= from->len ? len : 0);
	*from = slice_of(from->at + framed.len, from->len - framed.len);
	return framed;
}

static void on_message(
	void *context, int32_t stream, const struct framer_claims *claims, struct slice message)
{
	(void)claims;
	struct host *host = context;
	struct slice framed = take_framed(&host->expected);
	check(framed.len >= 2);
	check(slice_equals(message, slice_of(framed.at + 2, framed.len - 2)));
	check(framer_dot.reply(host->framer, stream, message, 60) == 0);
}

static const struct framer_events events = { .on_message = on_message };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 200000)
		return 0;
	size_t step = (size_t)data[0] * data[0] + 1;
	struct slice all = slice_of(data + 1, size - 1);
	struct host host = { .expected = all };
	const struct framer_settings settings = { .events = &events, .host = &host };
	host.framer = framer_dot.open(&settings);
	for (size_t at = 0; at < all.len; at += step) {
		size_t len = all.len - at < step ? all.len - at : step;
		uint8_t *piece = malloc(len);
		memcpy(piece, all.at + at, len);
		check(framer_dot.feed(host.framer, slice_of(piece, len)) == 0);
		free(piece);
	}
	/* What is left is the beginning of one message. */
	check(take_framed(&host.expected).len == 0);
	check((framer_dot.late_request(host.framer) != 0) == (host.expected.len > 0));
	size_t whole = all.len - host.expected.len, drained = 0, len;
	uint8_t *out = malloc(whole + 1);
	check(framer_dot.queued(host.framer) == whole);
	framer_dot.finish(host.framer);
	while ((len = framer_dot.drain(host.framer, out + drained,
			whole + 1 - drained < step ? whole + 1 - drained : step)) > 0)
		drained += len;
	check(slice_equals(slice_of(out, drained), slice_of(all.at, whole)));
	check(framer_dot.is_finished(host.framer));
	free(out);
	framer_dot.free(host.framer);
	return 0;
}
