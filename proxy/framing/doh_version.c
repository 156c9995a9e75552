/* doh_version.c - DNS over HTTPS in whichever version of HTTP the client speaks. Over TLS, ALPN
 * says it (RFC 9113 3.2; without ALPN it is HTTP/1.1); in clear text, the first bytes do: HTTP/2
 * begins with a preface that no request of HTTP/1.1 has (RFC 9113 3.3, 3.4: "prior knowledge"). */
#include "proxy/framing/framer.h"

#include <stdlib.h>

#include "base/error.h"

static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
enum { PREFACE_LEN = sizeof preface - 1 };

struct framer {
	struct framer_settings settings;
	const struct framer_type *type; /* NULL: not known yet */
	struct framer *chosen;
	size_t seen; /* bytes of the preface that have come, while it may still be one */
	bool finished;
};

static struct framer *version_open(const struct framer_settings *settings)
{
	struct framer *framer = calloc(1, sizeof *framer);
	if (framer)
		framer->settings = *settings;
	return framer;
}

static void version_free(struct framer *framer)
{
	if (framer->chosen)
		framer->type->free(framer->chosen);
	free(framer);
}

static void choose(struct framer *framer, const struct framer_type *type)
{
	framer->type = type;
	framer->chosen = type->open(&framer->settings);
	if (framer->chosen && framer->finished)
		type->finish(framer->chosen);
}

static void version_agree(struct framer *framer, struct slice protocol)
{
	choose(framer, slice_equals_text(protocol, "h2") ? &framer_doh2 : &framer_doh1);
}

/* Is it decided by these bytes? What of them belongs to the preface is only counted. */
static bool look(struct framer *framer, struct slice *plain)
{
	size_t wanted = PREFACE_LEN - framer->seen;
	size_t len = plain->len < wanted ? plain->len : wanted;
	size_t same = 0;
	while (same < len && plain->at[same] == preface[framer->seen + same])
		same++;
	framer->seen += same;
	*plain = slice_of(plain->at + same, plain->len - same);
	if (same < len)
		choose(framer, &framer_doh1);
	else if (framer->seen == PREFACE_LEN)
		choose(framer, &framer_doh2);
	return framer->type;
}

static int feed_chosen(struct framer *framer, struct slice plain)
{
	return framer->chosen ? framer->type->feed(framer->chosen, plain) : ERR_NO_MEMORY;
}

static int version_feed(struct framer *framer, struct slice plain)
{
	if (framer->type)
		return feed_chosen(framer, plain);
	if (!look(framer, &plain))
		return 0;
	int error = framer->seen ? feed_chosen(framer, slice_of(preface, framer->seen)) : 0;
	return error ? error : feed_chosen(framer, plain);
}

static int version_reply(
	struct framer *framer, int32_t stream, struct slice message, uint32_t max_age_s)
{
	return framer->type->reply(framer->chosen, stream, message, max_age_s);
}

static void version_reject(struct framer *framer, int32_t stream, unsigned status)
{
	framer->type->reject(framer->chosen, stream, status);
}

static size_t version_drain(struct framer *framer, uint8_t *to, size_t capacity)
{
	return framer->chosen ? framer->type->drain(framer->chosen, to, capacity) : 0;
}

static bool version_announce(struct framer *framer)
{
	return framer->chosen && framer->type->announce && framer->type->announce(framer->chosen);
}

static void version_finish(struct framer *framer)
{
	framer->finished = true;
	if (framer->chosen)
		framer->type->finish(framer->chosen);
}

/* Both versions call their first request 1, so it stays the same one when it is known which. */
static uint64_t version_late_request(const struct framer *framer)
{
	if (framer->chosen)
		return framer->type->late_request(framer->chosen);
	return framer->seen > 0;
}

static bool version_is_full(const struct framer *framer)
{
	return framer->chosen && framer->type->is_full && framer->type->is_full(framer->chosen);
}

static size_t version_queued(const struct framer *framer)
{
	return framer->chosen ? framer->type->queued(framer->chosen) : 0;
}

static bool version_is_finished(const struct framer *framer)
{
	if (framer->chosen)
		return framer->type->is_finished(framer->chosen);
	return framer->finished;
}

const struct framer_type framer_doh = {
	.open = version_open,
	.free = version_free,
	.agree = version_agree,
	.feed = version_feed,
	.reply = version_reply,
	.reject = version_reject,
	.drain = version_drain,
	.announce = version_announce,
	.finish = version_finish,
	.late_request = version_late_request,
	.is_full = version_is_full,
	.queued = version_queued,
	.is_finished = version_is_finished,
};
