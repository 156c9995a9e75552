/* DNS over HTTPS as the side that asks, bytes in and bytes out. The other side is our own framer,
 * or nghttp2's server doing what it should not, or frames made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants the above first */
#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "base/error.h"
#include "base/writer.h"
#include "proxy/framing/asker.h"
#include "proxy/framing/base64url.h"
#include "proxy/framing/framer.h"

enum { NUMBERS = 4096, STREAMS = 8192, QUESTION_LEN = 64 };

/* What became of a question. */
struct told {
	unsigned answered;
	size_t len;
	unsigned failed;
	int error;
	struct asker_http http;
};

/* What the server saw of a stream. */
struct seen {
	char fields[1024]; /* "name: value\n" of each */
	size_t body_len;
	uint8_t body[QUESTION_LEN];
	bool ended;
	bool closed;
	uint32_t code;
	size_t answer_left; /* what it has yet to send */
};

struct pair {
	struct asker *asker;
	nghttp2_session *server; /* one of them */
	struct framer *framer;
	size_t step; /* bytes that arrive at once, both ways */
	int error;   /* of feed() */
	struct told told[NUMBERS];
	unsigned answers;
	unsigned failures;
	struct seen seen[STREAMS];
	unsigned requests;
	uint8_t padding;
	uint32_t goaway_code;
	/* from within an event */
	uint32_t ask_again;
	uint32_t cancel_too;
	size_t reply_len; /* of the framer */
	bool inside;
};

static void question_text(uint8_t to[QUESTION_LEN], uint32_t number)
{
	memset(to, 0, QUESTION_LEN);
	to[QUESTION_LEN - 2] = (uint8_t)(number >> 8);
	to[QUESTION_LEN - 1] = (uint8_t)number;
}

static int ask(struct pair *pair, uint32_t number)
{
	uint8_t question[QUESTION_LEN];
	question_text(question, number);
	return asker_doh.ask(pair->asker, number, slice_of(question, sizeof question));
}

/* --- who asks --- */

static struct told *told(struct pair *pair, uint32_t number)
{
	assert_in_range(number, 0, NUMBERS - 1);
	assert_true(pair->inside); /* events come from within feed() only */
	pair->told[number].http = asker_doh.http(pair->asker);
	return &pair->told[number];
}

static void act(struct pair *pair)
{
	uint32_t next = pair->ask_again;
	pair->ask_again = 0;
	if (next)
		assert_int_equal(ask(pair, next), 0);
	if (pair->cancel_too)
		asker_doh.cancel(pair->asker, pair->cancel_too);
}

static void on_answer(void *host, uint32_t number, struct slice message)
{
	struct pair *pair = host;
	struct told *question = told(pair, number);
	pair->answers++;
	question->answered++;
	question->len = message.len;
	for (size_t i = 0; i < message.len; i++)
		if (message.at[i] != (uint8_t)i)
			fail_msg("byte %zu of %u", i, number);
	act(pair);
}

static void on_failed(void *host, uint32_t number, int error)
{
	struct pair *pair = host;
	struct told *question = told(pair, number);
	pair->failures++;
	question->failed++;
	question->error = error;
	act(pair);
}

static const struct asker_events events = { on_answer, on_failed };

/* --- the server --- */

static struct seen *seen(struct pair *pair, int32_t stream)
{
	assert_in_range(stream, 0, STREAMS - 1);
	return &pair->seen[stream];
}

static int on_field(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
	size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *context)
{
	struct seen *stream = seen(context, frame->hd.stream_id);
	size_t used = strlen(stream->fields);
	(void)session;
	snprintf(stream->fields + used, sizeof stream->fields - used, "%.*s: %.*s%s\n",
		(int)name_len, name, (int)value_len, value,
		flags & NGHTTP2_NV_FLAG_NO_INDEX ? " (never indexed)" : "");
	return 0;
}

static int on_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
	size_t len, void *context)
{
	struct seen *stream = seen(context, id);
	(void)session;
	(void)flags;
	for (size_t i = 0; i < len && stream->body_len + i < QUESTION_LEN; i++)
		stream->body[stream->body_len + i] = data[i];
	stream->body_len += len;
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
	struct pair *pair = context;
	(void)session;
	if (frame->hd.type == NGHTTP2_GOAWAY)
		pair->goaway_code = frame->goaway.error_code;
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	pair->requests += frame->hd.type == NGHTTP2_HEADERS;
	seen(pair, frame->hd.stream_id)->ended |= frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	return 0;
}

static int on_closed(nghttp2_session *session, int32_t id, uint32_t code, void *context)
{
	(void)session;
	seen(context, id)->closed = true;
	seen(context, id)->code = code;
	return 0;
}

static ssize_t on_padding(
	nghttp2_session *session, const nghttp2_frame *frame, size_t most, void *context)
{
	struct pair *pair = context;
	(void)session;
	size_t len = frame->hd.length + pair->padding;
	return (ssize_t)(len < most ? len : most);
}

static nghttp2_session *server_new(struct pair *pair)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	nghttp2_session *session;
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_option_new(&option);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_field);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_chunk);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_closed);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_select_padding_callback(callbacks, on_padding);
	nghttp2_option_set_no_http_messaging(option, 1); /* it may say what it should not */
	assert_int_equal(0, nghttp2_session_server_new2(&session, callbacks, pair, option));
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	return session;
}

/* --- our framer --- */

static uint8_t counting[65536];

static void on_message(void *host, int32_t stream, struct slice message)
{
	struct pair *pair = host;
	assert_int_equal(message.len, QUESTION_LEN);
	pair->requests++;
	assert_int_equal(
		framer_doh.reply(pair->framer, stream, slice_of(counting, pair->reply_len), 60), 0);
}

static void on_status(void *host, enum http_method method, unsigned status)
{
	(void)host;
	(void)method;
	assert_int_equal(status, 200);
}

static void on_abandoned(void *host, int32_t stream)
{
	(void)host;
	(void)stream;
}

static void on_reset_flood(void *host)
{
	(void)host;
	fail();
}

static const struct framer_events server_events = { on_message, on_status, on_abandoned,
	on_reset_flood };

/* --- bytes between them --- */

static void feed(struct pair *pair, const void *at, size_t len)
{
	for (size_t done = 0; done < len && pair->error == 0;) {
		size_t take = len - done < pair->step ? len - done : pair->step;
		uint8_t *copy = malloc(take); /* what is read later than allowed is found */
		memcpy(copy, (const uint8_t *)at + done, take);
		pair->inside = true;
		pair->error = asker_doh.feed(pair->asker, slice_of(copy, take));
		pair->inside = false;
		free(copy);
		done += take;
	}
}

static size_t to_server(struct pair *pair)
{
	static uint8_t buffer[65536];
	size_t total = 0, len;
	size_t step = pair->step < sizeof buffer ? pair->step : sizeof buffer;
	while ((len = asker_doh.drain(pair->asker, buffer, step)) > 0) {
		assert_true(len <= step);
		total += len;
		if (pair->server)
			assert_int_equal(nghttp2_session_mem_recv(pair->server, buffer, len), len);
		else if (pair->framer)
			assert_int_equal(framer_doh.feed(pair->framer, slice_of(buffer, len)), 0);
	}
	return total;
}

static size_t to_asker(struct pair *pair)
{
	static uint8_t buffer[65536];
	size_t total = 0;
	for (;;) {
		const uint8_t *at = buffer;
		ssize_t len = pair->server
			? nghttp2_session_mem_send(pair->server, &at)
			: (ssize_t)framer_doh.drain(pair->framer, buffer, sizeof buffer);
		if (len <= 0)
			return total;
		total += (size_t)len;
		feed(pair, at, (size_t)len);
	}
}

static void talk(struct pair *pair)
{
	for (unsigned i = 0; i < 200; i++)
		if (to_server(pair) + to_asker(pair) == 0)
			return;
	fail();
}

static struct pair *pair_open(bool use_get)
{
	struct pair *pair = calloc(1, sizeof *pair);
	char authority[] = "dns.example:8443";
	const struct asker_settings settings = { .events = &events,
		.host = pair,
		.authority = authority,
		.path = "/dns-query",
		.use_get = use_get };
	pair->asker = asker_doh.open(&settings);
	assert_non_null(pair->asker);
	memset(authority, 'x', sizeof authority - 1); /* it was copied */
	pair->step = 65536;
	for (size_t i = 0; i < sizeof counting; i++)
		counting[i] = (uint8_t)i;
	return pair;
}

static struct pair *pair_new(bool use_get)
{
	struct pair *pair = pair_open(use_get);
	pair->server = server_new(pair);
	nghttp2_submit_settings(pair->server, NGHTTP2_FLAG_NONE, NULL, 0);
	talk(pair);
	return pair;
}

static struct pair *pair_with_framer(bool use_get)
{
	struct pair *pair = pair_open(use_get);
	const struct framer_settings settings = {
		.events = &server_events, .host = pair, .path = "/dns-query"
	};
	pair->framer = framer_doh.open(&settings);
	pair->reply_len = 100;
	return pair;
}

static void pair_free(struct pair *pair)
{
	asker_doh.free(pair->asker);
	if (pair->server)
		nghttp2_session_del(pair->server);
	if (pair->framer)
		framer_doh.free(pair->framer);
	free(pair);
}

/* --- with our own framer --- */

static void our_framer_answers(void **state)
{
	(void)state;
	static const size_t steps[] = { 1, 2, 9, 100, 65536 };
	static const size_t lens[] = { 12, 100, 512, 513, 20000, 65535 };
	for (unsigned s = 0; s < sizeof steps / sizeof *steps; s++) {
		for (unsigned use_get = 0; use_get < 2; use_get++) {
			struct pair *pair = pair_with_framer(use_get);
			pair->step = steps[s];
			for (unsigned l = 0; l < sizeof lens / sizeof *lens; l++) {
				pair->reply_len = lens[l];
				assert_int_equal(ask(pair, l), 0);
				talk(pair);
				assert_int_equal(pair->error, 0);
				assert_int_equal(pair->told[l].answered, 1);
				assert_int_equal(pair->told[l].len, lens[l]);
				assert_int_equal(pair->told[l].http.status, 200);
			}
			pair_free(pair);
		}
	}
}

static void many_at_once(void **state)
{
	(void)state;
	for (unsigned use_get = 0; use_get < 2; use_get++) {
		struct pair *pair = pair_with_framer(use_get);
		uint32_t number = 0;
		for (unsigned round = 0; round < 20; round++) {
			while (asker_doh.room(pair->asker) > 0)
				assert_int_equal(ask(pair, number++), 0);
			assert_int_equal(ask(pair, number), ERR_BUSY);
			talk(pair);
			assert_int_equal(pair->answers, number);
		}
		assert_int_equal(number, 20 * 100); /* what our server allows */
		assert_int_equal(pair->failures, 0);
		pair_free(pair);
	}
}

/* --- by hand, with nghttp2's server --- */

#define FIELD(name_text, value_text)                                                               \
	{                                                                                          \
		.name = (uint8_t *)(uintptr_t)(name_text), .namelen = strlen(name_text),           \
		.value = (uint8_t *)(uintptr_t)(value_text), .valuelen = strlen(value_text),       \
	}

static ssize_t read_answer(nghttp2_session *session, int32_t id, uint8_t *to, size_t capacity,
	uint32_t *flags, nghttp2_data_source *source, void *context)
{
	struct seen *stream = seen(context, id);
	size_t *sent = source->ptr;
	size_t len = stream->answer_left < capacity ? stream->answer_left : capacity;
	(void)session;
	for (size_t i = 0; i < len; i++)
		to[i] = (uint8_t)(*sent + i);
	*sent += len;
	stream->answer_left -= len;
	if (stream->answer_left == 0)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)len;
}

static size_t sent_of[STREAMS];

/* A response with these fields, NULL: left out. */
static void respond(
	struct pair *pair, int32_t stream, const char *status, const char *type, size_t len)
{
	nghttp2_nv fields[] = { FIELD(":status", status), FIELD("content-type", type ? type : "") };
	sent_of[stream] = 0;
	seen(pair, stream)->answer_left = len;
	nghttp2_data_provider body = { .source.ptr = &sent_of[stream],
		.read_callback = read_answer };
	assert_int_equal(0,
		nghttp2_submit_response(
			pair->server, stream, fields, type ? 2 : 1, len ? &body : NULL));
}

static void only_dns_is_an_answer(void **state)
{
	static const struct {
		const char *status;
		const char *type;
		size_t len;
		bool fine;
	} rows[] = {
		{ "200", "application/dns-message", 100, true },
		{ "200", "application/dns-message", 12, true },
		{ "200", "application/dns-message", 65535, true },
		{ "200", "Application/DNS-Message; charset=x", 100, true },
		{ "200", "application/dns-message ;x", 100, true },
		{ "200", "application/dns-message", 0, false },
		{ "200", "application/dns-message", 11, false },
		{ "200", "application/dns-message", 65536, false },
		{ "200", "application/dns-message", 200000, false },
		{ "200", "application/dns-messages", 100, false },
		{ "200", "application/dns-json", 100, false },
		{ "200", "text/html", 100, false },
		{ "200", "", 100, false },
		{ "200", NULL, 100, false },
		{ "201", "application/dns-message", 100, false },
		{ "204", NULL, 0, false },
		{ "206", "application/dns-message", 100, false },
		{ "301", NULL, 0, false },
		{ "400", "text/plain", 20, false },
		{ "404", "application/dns-message", 100, false },
		{ "429", NULL, 0, false },
		{ "500", "text/html", 200000, false },
		{ "503", NULL, 0, false },
	};
	static const size_t steps[] = { 1, 65536 };
	(void)state;
	for (unsigned s = 0; s < 2; s++) {
		struct pair *pair = pair_new(false);
		pair->step = steps[s];
		for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
			assert_int_equal(ask(pair, i), 0);
			talk(pair);
			int32_t stream = (int32_t)(2 * i + 1);
			respond(pair, stream, rows[i].status, rows[i].type, rows[i].len);
			talk(pair);
			assert_int_equal(pair->error, 0);
			if (pair->told[i].answered != rows[i].fine ||
				pair->told[i].failed == rows[i].fine)
				fail_msg("row %u", i);
			assert_int_equal(pair->told[i].http.status, atoi(rows[i].status));
			if (rows[i].fine)
				assert_int_equal(pair->told[i].len, rows[i].len);
			else
				assert_int_equal(pair->told[i].error, ERR_MALFORMED);
			assert_true(seen(pair, stream)->closed);
			assert_int_equal(asker_doh.room(pair->asker), ASKER_QUESTIONS_MAX);
		}
		pair_free(pair);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_framer_answers),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(only_dns_is_an_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
