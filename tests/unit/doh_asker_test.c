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

static void on_message(
	void *host, int32_t stream, const struct framer_claims *claims, struct slice message)
{
	(void)claims;
	struct pair *pair = host;
	assert_int_equal(message.len, QUESTION_LEN);
	pair->requests++;
	assert_int_equal(
		framer_doh2.reply(pair->framer, stream, slice_of(counting, pair->reply_len), 60),
		0);
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
			assert_int_equal(framer_doh2.feed(pair->framer, slice_of(buffer, len)), 0);
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
			: (ssize_t)framer_doh2.drain(pair->framer, buffer, sizeof buffer);
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
	pair->framer = framer_doh2.open(&settings);
	pair->reply_len = 100;
	return pair;
}

static void pair_free(struct pair *pair)
{
	asker_doh.free(pair->asker);
	if (pair->server)
		nghttp2_session_del(pair->server);
	if (pair->framer)
		framer_doh2.free(pair->framer);
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

static void respond_well(struct pair *pair, int32_t stream)
{
	respond(pair, stream, "200", "application/dns-message", 100);
}

/* A frame as it is, right away. */
static void feed_frame(struct pair *pair, uint8_t type, uint8_t flags, int32_t stream,
	const void *payload, size_t len)
{
	static uint8_t bytes[9 + 65535];
	struct writer to = writer_of(bytes, sizeof bytes);
	writer_u8(&to, (uint8_t)(len >> 16));
	writer_u16(&to, (uint16_t)len);
	writer_u8(&to, type);
	writer_u8(&to, flags);
	writer_u32(&to, (uint32_t)stream);
	writer_bytes(&to, payload, len);
	assert_false(to.failed);
	feed(pair, bytes, to.len);
}

/* :status 200 and content-type: application/dns-message, for frames made by hand. */
static const char good_fields[] = "\x88\x0f\x10\x17"
				  "application/dns-message";
enum { GOOD_FIELDS_LEN = sizeof good_fields - 1 };

static void what_a_question_looks_like(void **state)
{
	static const struct {
		const char *path;
		bool use_get;
		const char *fields;
	} rows[] = {
		{ "/dns-query", false,
			":method: POST\n:scheme: https\n:authority: [2001:db8::1]\n"
			":path: /dns-query\naccept: application/dns-message\n"
			"content-type: application/dns-message\ncontent-length: 12\n" },
		{ "/a?b=c", false,
			":method: POST\n:scheme: https\n:authority: [2001:db8::1]\n"
			":path: /a?b=c\naccept: application/dns-message\n"
			"content-type: application/dns-message\ncontent-length: 12\n" },
		{ "/dns-query", true,
			":method: GET\n:scheme: https\n:authority: [2001:db8::1]\n"
			":path: /dns-query?dns=AAABAAABAAAAAAAA (never indexed)\n"
			"accept: application/dns-message\n" },
		{ "/a?b=c", true,
			":method: GET\n:scheme: https\n:authority: [2001:db8::1]\n"
			":path: /a?b=c&dns=AAABAAABAAAAAAAA (never indexed)\n"
			"accept: application/dns-message\n" },
	};
	(void)state;
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pair *pair = calloc(1, sizeof *pair);
		const struct asker_settings settings = { .events = &events,
			.host = pair,
			.authority = "[2001:db8::1]",
			.path = rows[i].path,
			.use_get = rows[i].use_get };
		pair->asker = asker_doh.open(&settings);
		pair->server = server_new(pair);
		pair->step = 65536;
		const struct slice header = slice_of("\0\0\1\0\0\1\0\0\0\0\0\0", 12);
		assert_int_equal(asker_doh.ask(pair->asker, 1, header), 0);
		talk(pair);
		assert_string_equal(seen(pair, 1)->fields, rows[i].fields);
		assert_true(seen(pair, 1)->ended);
		assert_int_equal(seen(pair, 1)->body_len, rows[i].use_get ? 0 : 12);
		if (!rows[i].use_get)
			assert_memory_equal(seen(pair, 1)->body, header.at, header.len);
		pair_free(pair);
	}
}

/* What is long for a path is no longer a GET, and is still answered. */
static void a_long_question_is_posted(void **state)
{
	(void)state;
	static uint8_t message[65535];
	static const size_t lens[] = { 1500, 1600, 16384, 65535 };
	for (unsigned i = 0; i < sizeof lens / sizeof *lens; i++) {
		struct pair *pair = pair_new(true);
		assert_int_equal(asker_doh.ask(pair->asker, 1, slice_of(message, lens[i])), 0);
		talk(pair);
		assert_int_equal(seen(pair, 1)->body_len, i == 0 ? 0 : lens[i]);
		respond_well(pair, 1);
		talk(pair);
		assert_int_equal(pair->told[1].answered, 1);
		pair_free(pair);
	}
}

static void the_second_question_is_small(void **state)
{
	(void)state;
	struct pair *pair = pair_new(false);
	assert_int_equal(ask(pair, 1), 0);
	to_server(pair);
	assert_int_equal(ask(pair, 2), 0);
	/* Two heads of frames, the message, and what the tables of HPACK leave of the fields. */
	assert_in_range(to_server(pair), 2 * 9 + QUESTION_LEN, 2 * 9 + QUESTION_LEN + 24);
	pair_free(pair);
}

static void what_informs_is_no_answer(void **state)
{
	static const size_t steps[] = { 1, 65536 };
	(void)state;
	for (unsigned s = 0; s < 2; s++) {
		struct pair *pair = pair_new(false);
		nghttp2_nv early[] = { FIELD(":status", "103"),
			FIELD("content-type", "application/dns-message"), FIELD("age", "9") };
		pair->step = steps[s];
		assert_int_equal(ask(pair, 1), 0);
		assert_int_equal(ask(pair, 2), 0);
		talk(pair);
		for (int32_t stream = 1; stream <= 3; stream += 2)
			for (unsigned i = 0; i < 3; i++)
				nghttp2_submit_headers(pair->server, NGHTTP2_FLAG_NONE, stream,
					NULL, early, 3, NULL);
		talk(pair);
		assert_int_equal(pair->answers + pair->failures, 0);
		respond_well(pair, 1);
		respond(pair, 3, "200", NULL, 100); /* the type was of another response */
		talk(pair);
		assert_int_equal(pair->told[1].answered, 1);
		assert_int_equal(pair->told[1].http.age_s, 0);
		assert_int_equal(pair->told[2].failed, 1);
		assert_int_equal(pair->error, 0);
		pair_free(pair);
	}
}

static void how_old_it_is(void **state)
{
	static const struct {
		const char *age;
		uint32_t age_s;
	} rows[] = {
		{ "0", 0 },
		{ "77", 77 },
		{ "2147483647", INT32_MAX },
		{ "2147483648", INT32_MAX },
		{ "99999999999999999999999", INT32_MAX },
		{ "-1", 0 },
		{ "1x", 0 },
		{ "", 0 },
	};
	(void)state;
	struct pair *pair = pair_new(true);
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		int32_t stream = (int32_t)(2 * i + 1);
		nghttp2_nv fields[] = { FIELD(":status", "200"), FIELD("age", rows[i].age),
			FIELD("content-type", "application/dns-message") };
		assert_int_equal(ask(pair, i), 0);
		talk(pair);
		sent_of[stream] = 0;
		seen(pair, stream)->answer_left = 50;
		nghttp2_data_provider body = { .source.ptr = &sent_of[stream],
			.read_callback = read_answer };
		nghttp2_submit_response(pair->server, stream, fields, 3, &body);
		talk(pair);
		assert_int_equal(pair->told[i].answered, 1);
		assert_int_equal(pair->told[i].http.age_s, rows[i].age_s);
	}
	pair_free(pair);
}

static ssize_t read_before_trailers(nghttp2_session *session, int32_t id, uint8_t *to,
	size_t capacity, uint32_t *flags, nghttp2_data_source *source, void *context)
{
	nghttp2_nv trailers[] = { FIELD("content-type", "text/html"), FIELD("age", "5"),
		FIELD("x-sum", "1") };
	ssize_t len = read_answer(session, id, to, capacity, flags, source, context);
	if (*flags & NGHTTP2_DATA_FLAG_EOF) {
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		nghttp2_submit_trailer(session, id, trailers, 3);
	}
	return len;
}

static void padding_and_trailers(void **state)
{
	static const size_t steps[] = { 1, 7, 65536 };
	(void)state;
	for (unsigned s = 0; s < sizeof steps / sizeof *steps; s++) {
		struct pair *pair = pair_new(false);
		nghttp2_nv fields[] = { FIELD(":status", "200"),
			FIELD("content-type", "application/dns-message") };
		pair->step = steps[s];
		pair->padding = 200;
		for (uint32_t i = 0; i < 4; i++) {
			int32_t stream = (int32_t)(2 * i + 1);
			assert_int_equal(ask(pair, i), 0);
			talk(pair);
			sent_of[stream] = 0;
			seen(pair, stream)->answer_left = i == 3 ? 65535 : 300;
			nghttp2_data_provider body = { .source.ptr = &sent_of[stream],
				.read_callback = read_before_trailers };
			nghttp2_submit_response(pair->server, stream, fields, 2, &body);
			talk(pair);
			assert_int_equal(pair->told[i].answered, 1);
			assert_int_equal(pair->told[i].len, i == 3 ? 65535 : 300);
			assert_int_equal(pair->told[i].http.age_s, 0);
		}
		assert_int_equal(pair->error, 0);
		pair_free(pair);
	}
}

/* --- streams that end badly --- */

static void a_reset_is_of_one_question(void **state)
{
	static const struct {
		uint32_t code;
		int error;
	} rows[] = {
		{ NGHTTP2_REFUSED_STREAM, ERR_CLOSED },
		{ NGHTTP2_NO_ERROR, ERR_MALFORMED },
		{ NGHTTP2_CANCEL, ERR_MALFORMED },
		{ NGHTTP2_INTERNAL_ERROR, ERR_MALFORMED },
		{ NGHTTP2_HTTP_1_1_REQUIRED, ERR_MALFORMED },
		{ 0xffffffff, ERR_MALFORMED },
	};
	enum { BEFORE, HEADERS, HALF, STAGES };
	(void)state;
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (unsigned stage = BEFORE; stage < STAGES; stage++) {
			struct pair *pair = pair_new(false);
			uint8_t code[4];
			struct writer to = writer_of(code, sizeof code);
			writer_u32(&to, rows[i].code);
			assert_int_equal(ask(pair, 1), 0);
			assert_int_equal(ask(pair, 2), 0);
			talk(pair);
			if (stage >= HEADERS)
				feed_frame(pair, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1,
					good_fields, GOOD_FIELDS_LEN);
			if (stage >= HALF)
				feed_frame(pair, NGHTTP2_DATA, 0, 1, counting, 50);
			assert_int_equal(pair->failures, 0);
			feed_frame(pair, NGHTTP2_RST_STREAM, 0, 1, code, sizeof code);
			assert_int_equal(pair->told[1].failed, 1);
			assert_int_equal(pair->told[1].error, rows[i].error);
			assert_int_equal(pair->told[1].http.status, stage ? 200 : 0);
			assert_int_equal(pair->told[2].failed, 0);
			assert_int_equal(asker_doh.room(pair->asker), ASKER_QUESTIONS_MAX - 1);
			respond_well(pair, 3);
			talk(pair);
			assert_int_equal(pair->told[2].answered, 1);
			assert_int_equal(pair->error, 0);
			pair_free(pair);
		}
	}
}

/* nghttp2 resets such streams by itself: it must be told from within the same feed(). */
static void what_nghttp2_refuses_is_told_at_once(void **state)
{
	static const struct {
		const char *name;
		const char *value;
		size_t len;
	} rows[] = {
		{ "content-length", "99", 100 },
		{ "content-length", "101", 100 },
		{ "content-length", "0", 100 },
		{ "content-length", "5", 0 },
		{ "content-length", "x", 100 },
		{ "connection", "close", 100 },
		{ ":path", "/", 100 },
		{ ":status", "200", 100 },
		{ "transfer-encoding", "chunked", 100 },
	};
	static const size_t steps[] = { 1, 65536 };
	(void)state;
	for (unsigned s = 0; s < 2; s++) {
		struct pair *pair = pair_new(false);
		pair->step = steps[s];
		unsigned i;
		for (i = 0; i < sizeof rows / sizeof *rows; i++) {
			int32_t stream = (int32_t)(2 * i + 1);
			nghttp2_nv fields[] = { FIELD(":status", "200"),
				FIELD("content-type", "application/dns-message"),
				FIELD(rows[i].name, rows[i].value) };
			assert_int_equal(ask(pair, i), 0);
			talk(pair);
			sent_of[stream] = 0;
			seen(pair, stream)->answer_left = rows[i].len;
			nghttp2_data_provider body = { .source.ptr = &sent_of[stream],
				.read_callback = read_answer };
			nghttp2_submit_response(
				pair->server, stream, fields, 3, rows[i].len ? &body : NULL);
			to_asker(pair); /* nothing was drained since */
			assert_int_equal(pair->error, 0);
			if (pair->told[i].failed != 1 || pair->told[i].answered)
				fail_msg("row %u", i);
			assert_int_equal(pair->told[i].error, ERR_MALFORMED);
		}
		/* The connection is fine. */
		assert_int_equal(ask(pair, i), 0);
		talk(pair);
		respond_well(pair, (int32_t)(2 * i + 1));
		talk(pair);
		assert_int_equal(pair->told[i].answered, 1);
		pair_free(pair);
	}
}

/* The peer has stopped reading, so much is written and not drained: what nghttp2 resets then ends
 * within drain(), and is told by the next feed(). */
static void what_ends_while_draining_is_told_later(void **state)
{
	(void)state;
	for (unsigned cancels = 0; cancels < 2; cancels++) {
		static uint8_t large[2000];
		struct pair *pair = pair_new(false);
		assert_int_equal(ask(pair, 1), 0);
		assert_int_equal(ask(pair, 2), 0);
		talk(pair);
		for (uint32_t i = 0; i < 100; i++)
			assert_int_equal(
				asker_doh.ask(pair->asker, 100 + i, slice_of(large, sizeof large)),
				0);
		feed_frame(pair, NGHTTP2_PING, 0, 0, "12345678", 8);
		for (int32_t stream = 1; stream <= 3; stream += 2) {
			static const char fields[] = "\x88\x0f\x10\x17"
						     "application/dns-message"
						     "\x0f\x0d\x01"
						     "9";
			feed_frame(pair, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, stream, fields,
				sizeof fields - 1);
			feed_frame(pair, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, stream, "abc", 3);
		}
		assert_int_equal(pair->error, 0);
		assert_int_equal(pair->failures, 0);
		to_server(pair);
		assert_true(seen(pair, 1)->closed && seen(pair, 3)->closed);
		assert_int_equal(asker_doh.room(pair->asker), ASKER_QUESTIONS_MAX - 100);
		if (cancels)
			asker_doh.cancel(pair->asker, 2);
		else
			pair->cancel_too = 2; /* from within the event of 1 */
		feed(pair, "", 0);
		pair->inside = true;
		assert_int_equal(asker_doh.feed(pair->asker, slice_of(NULL, 0)), 0);
		assert_int_equal(pair->failures, 1);
		assert_int_equal(pair->told[1].failed, 1);
		assert_int_equal(pair->told[1].error, ERR_MALFORMED);
		pair_free(pair);
	}
}

static void an_answer_before_the_question(void **state)
{
	static const struct {
		const char *status;
		unsigned frames;
	} rows[] = { { "200", 1 }, { "404", 1 } };
	(void)state;
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pair *pair = pair_open(false);
		const nghttp2_settings_entry no_window = { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
			0 };
		pair->server = server_new(pair);
		nghttp2_submit_settings(pair->server, NGHTTP2_FLAG_NONE, &no_window, 1);
		talk(pair);
		assert_int_equal(ask(pair, 1), 0);
		assert_int_equal(ask(pair, 2), 0);
		talk(pair);
		assert_false(seen(pair, 1)->ended);
		respond(pair, 1, rows[i].status, "application/dns-message", 100);
		respond(pair, 3, "404", NULL, 0);
		talk(pair);
		assert_int_equal(pair->told[1].failed, 1);
		assert_int_equal(pair->told[2].failed, 1);
		assert_int_equal(pair->told[2].http.status, 404);
		assert_int_equal(asker_doh.room(pair->asker), ASKER_QUESTIONS_MAX);
		assert_int_equal(pair->error, 0);
		pair_free(pair);
	}
}

static void data_before_headers(void **state)
{
	(void)state;
	struct pair *pair = pair_new(false);
	assert_int_equal(ask(pair, 1), 0);
	talk(pair);
	feed_frame(pair, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, counting, 50);
	assert_int_equal(pair->answers, 0);
	/* Whether that is of the stream or of the connection is nghttp2's to say. */
	assert_true(pair->error == ERR_MALFORMED || pair->told[1].failed == 1);
	pair_free(pair);
}

static void data_after_what_informs(void **state)
{
	(void)state;
	struct pair *pair = pair_new(false);
	assert_int_equal(ask(pair, 1), 0);
	talk(pair);
	feed_frame(pair, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1,
		"\x48\x03"
		"103",
		5);
	feed_frame(pair, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, counting, 50);
	assert_int_equal(pair->answers, 0);
	assert_true(pair->error == ERR_MALFORMED || pair->told[1].failed == 1);
	pair_free(pair);
}

/* --- goodbye --- */

static void goodbye(struct pair *pair, int32_t last, uint32_t code)
{
	uint8_t payload[8];
	struct writer to = writer_of(payload, sizeof payload);
	writer_u32(&to, (uint32_t)last);
	writer_u32(&to, code);
	feed_frame(pair, NGHTTP2_GOAWAY, 0, 0, payload, sizeof payload);
}

static void what_is_above_the_last_one_may_be_asked_again(void **state)
{
	static const uint32_t codes[] = { NGHTTP2_NO_ERROR, NGHTTP2_ENHANCE_YOUR_CALM };
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct pair *pair = pair_new(false);
		for (uint32_t number = 1; number <= 4; number++)
			assert_int_equal(ask(pair, number), 0);
		talk(pair);
		assert_int_equal(ask(pair, 5), 0); /* not yet drained */
		assert_int_equal(ask(pair, 6), 0);
		asker_doh.cancel(pair->asker, 6);
		assert_false(asker_doh.is_leaving(pair->asker));
		goodbye(pair, 3, codes[i]);
		assert_true(asker_doh.is_leaving(pair->asker));
		assert_int_equal(asker_doh.room(pair->asker), 0);
		assert_int_equal(ask(pair, 7), ERR_CLOSED);
		assert_int_equal(pair->failures, 3);
		for (uint32_t number = 3; number <= 5; number++) {
			assert_int_equal(pair->told[number].failed, 1);
			assert_int_equal(pair->told[number].error, ERR_CLOSED);
		}
		assert_int_equal(pair->error, 0);
		respond_well(pair, 1);
		to_asker(pair);
		assert_int_equal(pair->error, 0);
		assert_int_equal(pair->told[1].answered, 1);
		respond_well(pair, 3);
		to_asker(pair);
		assert_int_equal(pair->told[2].answered, 1);
		assert_int_equal(pair->error, ERR_CLOSED); /* all is done */
		pair_free(pair);
	}
}

static void goodbye_with_nothing_to_do(void **state)
{
	(void)state;
	struct pair *pair = pair_new(false);
	goodbye(pair, 0, NGHTTP2_NO_ERROR);
	assert_int_equal(pair->error, ERR_CLOSED);
	pair_free(pair);
}

/* RFC 9113 6.8: first a warning with the highest number, then the last one. */
static void goodbye_in_two_steps(void **state)
{
	(void)state;
	struct pair *pair = pair_new(false);
	assert_int_equal(ask(pair, 1), 0);
	assert_int_equal(ask(pair, 2), 0);
	talk(pair);
	goodbye(pair, INT32_MAX, NGHTTP2_NO_ERROR);
	assert_true(asker_doh.is_leaving(pair->asker));
	assert_int_equal(pair->failures, 0);
	goodbye(pair, 1, NGHTTP2_NO_ERROR);
	assert_int_equal(pair->told[2].error, ERR_CLOSED);
	respond_well(pair, 1);
	to_asker(pair);
	assert_int_equal(pair->told[1].answered, 1);
	assert_int_equal(pair->error, ERR_CLOSED);
	pair_free(pair);
}

/* --- how many --- */

static void set_streams_max(struct pair *pair, uint32_t most)
{
	const nghttp2_settings_entry entry = { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, most };
	nghttp2_submit_settings(pair->server, NGHTTP2_FLAG_NONE, &entry, 1);
	to_asker(pair);
}

static void room_is_what_the_peer_allows(void **state)
{
	static const uint32_t allowed[] = { 0, 1, 2, 100, 255, 256, 257, UINT32_MAX };
	(void)state;
	for (unsigned i = 0; i < sizeof allowed / sizeof *allowed; i++) {
		struct pair *pair = pair_open(false);
		uint32_t most = allowed[i] < ASKER_QUESTIONS_MAX ? allowed[i] : ASKER_QUESTIONS_MAX;
		/* Before it has said so: as many as RFC 9113 6.5.2 wants a peer to allow. */
		assert_int_equal(asker_doh.room(pair->asker), 100);
		pair->server = server_new(pair);
		set_streams_max(pair, allowed[i]);
		assert_int_equal(asker_doh.room(pair->asker), most);
		for (uint32_t number = 0; number < most; number++)
			assert_int_equal(ask(pair, number), 0);
		assert_int_equal(ask(pair, most), ERR_BUSY);
		talk(pair);
		assert_int_equal(pair->requests, most);
		for (uint32_t number = 0; number < most; number++)
			respond_well(pair, (int32_t)(2 * number + 1));
		talk(pair);
		assert_int_equal(pair->answers, most);
		assert_int_equal(asker_doh.room(pair->asker), most);
		pair_free(pair);
	}
}

static void one_at_a_time(void **state)
{
	(void)state;
	struct pair *pair = pair_new(false);
	set_streams_max(pair, 1);
	for (uint32_t number = 0; number < 50; number++) {
		int32_t stream = (int32_t)(2 * number + 1);
		assert_int_equal(ask(pair, number), 0);
		assert_int_equal(ask(pair, number + 1), ERR_BUSY);
		talk(pair);
		if (number % 3 == 0) {
			/* Given up: the stream is reset, else nobody could ask any more. */
			asker_doh.cancel(pair->asker, number);
			talk(pair);
			assert_true(seen(pair, stream)->closed);
			assert_int_equal(asker_doh.room(pair->asker), 1);
			continue;
		}
		respond_well(pair, stream);
		talk(pair);
		assert_int_equal(pair->told[number].answered, 1);
	}
	pair_free(pair);
}

/* BIND closes a connection on which more than fifty streams begin before the first one brings
 * something; so bodies follow soon, however many are asked at once and however little is taken. */
static void bodies_follow_their_headers(void **state)
{
	(void)state;
	static uint8_t bytes[256 * 1024];
	struct pair *pair = pair_new(false);
	size_t len = 0;
	for (uint32_t number = 0; number < ASKER_QUESTIONS_MAX; number++) {
		assert_int_equal(ask(pair, number), 0);
		if (number % 7 == 0)
			len += asker_doh.drain(pair->asker, bytes + len, 100);
	}
	len += asker_doh.drain(pair->asker, bytes + len, sizeof bytes - len);
	unsigned without = 0, bodies = 0;
	for (size_t at = 0; at < len;) {
		uint8_t type = bytes[at + 3];
		size_t size = (size_t)bytes[at] << 16 | (size_t)bytes[at + 1] << 8 | bytes[at + 2];
		without += type == NGHTTP2_HEADERS;
		without -= type == NGHTTP2_DATA;
		bodies += type == NGHTTP2_DATA;
		assert_in_range(without, 0, 40);
		at += 9 + size;
	}
	assert_int_equal(without, 0);
	assert_int_equal(bodies, ASKER_QUESTIONS_MAX);
	pair_free(pair);
}

/* What was taken when more were allowed waits, and is sent when there is room again. */
static void fewer_while_they_wait(void **state)
{
	(void)state;
	struct pair *pair = pair_new(false);
	for (uint32_t number = 0; number < 10; number++)
		assert_int_equal(ask(pair, number), 0);
	asker_doh.cancel(pair->asker, 9);
	set_streams_max(pair, 2);
	assert_int_equal(asker_doh.room(pair->asker), 0);
	for (uint32_t number = 0; number < 9; number++) {
		talk(pair);
		respond_well(pair, (int32_t)(2 * number + 1));
		talk(pair);
		assert_int_equal(pair->told[number].answered, 1);
	}
	talk(pair);
	assert_int_equal(pair->failures, 0);
	pair_free(pair);
}

/* --- giving up --- */

static void cancelled_in_every_state(void **state)
{
	enum { QUEUED, SENT, HEADERS, HALF, ANSWERED, STATES };
	(void)state;
	for (unsigned crowded = 0; crowded < 2; crowded++) {
		for (unsigned when = 0; when < STATES; when++) {
			struct pair *pair = pair_new(false);
			uint32_t others = crowded ? 200 : 0;
			for (uint32_t i = 0; i < others; i++)
				assert_int_equal(ask(pair, 1000 + i), 0);
			int32_t stream = (int32_t)(2 * others + 1);
			assert_int_equal(ask(pair, 1), 0);
			if (when > QUEUED)
				talk(pair);
			if (when >= HEADERS)
				feed_frame(pair, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, stream,
					good_fields, GOOD_FIELDS_LEN);
			if (when >= HALF)
				feed_frame(pair, NGHTTP2_DATA, 0, stream, counting, 1000);
			if (when == ANSWERED)
				feed_frame(pair, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, stream,
					counting, 0);
			asker_doh.cancel(pair->asker, 1);
			asker_doh.cancel(pair->asker, 1);
			asker_doh.cancel(pair->asker, 2);
			talk(pair);
			/* Reset only when streams are getting few, or it was never sent. */
			assert_int_equal(seen(pair, stream)->closed,
				crowded && when != QUEUED && when != ANSWERED);
			if (!crowded && when == HALF) {
				feed_frame(pair, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, stream,
					counting, 1000);
			} else if (!crowded && when < HEADERS) {
				respond_well(pair, stream);
				talk(pair);
			} else if (!crowded && when == HEADERS) {
				uint8_t code[4] = { 0, 0, 0, NGHTTP2_CANCEL };
				feed_frame(pair, NGHTTP2_RST_STREAM, 0, stream, code, 4);
			}
			assert_int_equal(pair->answers, when == ANSWERED);
			assert_int_equal(pair->failures, 0);
			assert_int_equal(asker_doh.room(pair->asker), ASKER_QUESTIONS_MAX - others);
			/* Its number may be used again at once. */
			assert_int_equal(ask(pair, 1), 0);
			talk(pair);
			respond_well(pair, stream + 2);
			talk(pair);
			assert_int_equal(pair->answers, 1 + (when == ANSWERED));
			assert_int_equal(pair->error, 0);
			pair_free(pair);
		}
	}
}

static unsigned resets(const struct pair *pair)
{
	unsigned count = 0;
	for (unsigned i = 0; i < STREAMS; i++)
		count += pair->seen[i].closed && pair->seen[i].code == NGHTTP2_CANCEL;
	return count;
}

/* Peers take many resets for an attack: only as many as make half of the room free. */
static void no_more_resets_than_needed(void **state)
{
	(void)state;
	struct pair *pair = pair_new(false);
	for (uint32_t i = 0; i < 200; i++)
		assert_int_equal(ask(pair, i), 0);
	talk(pair);
	for (uint32_t i = 0; i < 100; i++)
		asker_doh.cancel(pair->asker, i);
	talk(pair);
	assert_int_equal(resets(pair), 200 - ASKER_QUESTIONS_MAX / 2);
	assert_int_equal(asker_doh.room(pair->asker), ASKER_QUESTIONS_MAX / 2);
	pair_free(pair);
}

/* Who never answers is left, and was not flooded with resets before. */
static void a_silent_peer_is_left(void **state)
{
	(void)state;
	for (uint32_t most = 1; most <= 256; most *= 2) {
		struct pair *pair = pair_new(false);
		uint32_t number = 0;
		set_streams_max(pair, most);
		while (!asker_doh.is_leaving(pair->asker)) {
			assert_true(asker_doh.room(pair->asker) > 0);
			assert_int_equal(ask(pair, number), 0);
			talk(pair);
			asker_doh.cancel(pair->asker, number++);
			talk(pair);
		}
		assert_int_equal(number, ASKER_QUESTIONS_MAX / 2);
		assert_true(resets(pair) <= number);
		assert_int_equal(ask(pair, number), ERR_CLOSED);
		pair_free(pair);
	}
}

/* Who answers, but too late, is not. */
static void a_late_peer_is_kept(void **state)
{
	(void)state;
	struct pair *pair = pair_new(false);
	for (uint32_t number = 0; number < 1000; number++) {
		assert_int_equal(ask(pair, number), 0);
		talk(pair);
		asker_doh.cancel(pair->asker, number);
		respond_well(pair, (int32_t)(2 * number + 1));
		talk(pair);
		assert_int_equal(asker_doh.room(pair->asker), ASKER_QUESTIONS_MAX);
	}
	assert_int_equal(pair->answers, 0);
	assert_int_equal(resets(pair), 0);
	pair_free(pair);
}

static void asks_and_cancels_from_within(void **state)
{
	static const size_t steps[] = { 1, 65536 };
	(void)state;
	for (unsigned s = 0; s < 2; s++) {
		struct pair *pair = pair_new(false);
		pair->step = steps[s];
		for (uint32_t number = 1; number <= 3; number++)
			assert_int_equal(ask(pair, number), 0);
		talk(pair);
		pair->ask_again = 4;
		pair->cancel_too = 3;
		respond_well(pair, 1);
		respond_well(pair, 5);
		talk(pair);
		assert_int_equal(pair->told[1].answered, 1);
		assert_int_equal(pair->told[3].answered, 0);
		pair->cancel_too = 0;
		pair->ask_again = 5;
		respond(pair, 3, "500", NULL, 10);
		talk(pair);
		assert_int_equal(pair->told[2].failed, 1);
		respond_well(pair, 7);
		respond_well(pair, 9);
		talk(pair);
		assert_int_equal(pair->told[4].answered, 1);
		assert_int_equal(pair->told[5].answered, 1);
		assert_int_equal(pair->error, 0);
		pair_free(pair);
	}
}

/* --- floods --- */

static void too_many_fields_are_of_one_question(void **state)
{
	static char value[4000];
	enum { MANY = 6 };
	(void)state;
	struct pair *pair = pair_new(false);
	nghttp2_nv fields[MANY + 2] = { FIELD(":status", "200"),
		FIELD("content-type", "application/dns-message") };
	memset(value, 'x', sizeof value - 1);
	for (unsigned i = 0; i < MANY; i++)
		fields[2 + i] = (nghttp2_nv)FIELD("x", value);
	assert_int_equal(ask(pair, 1), 0);
	assert_int_equal(ask(pair, 2), 0);
	talk(pair);
	nghttp2_submit_response(pair->server, 1, fields, MANY + 2, NULL);
	respond_well(pair, 3);
	talk(pair);
	assert_int_equal(pair->told[1].failed, 1);
	assert_int_equal(pair->told[1].error, ERR_MALFORMED);
	assert_int_equal(pair->told[2].answered, 1);
	assert_int_equal(pair->error, 0);
	pair_free(pair);
}

static void frames_that_lead_nowhere(void **state)
{
	static const struct {
		uint8_t type;
		uint8_t flags;
		int32_t stream;
		const char *payload;
		size_t len;
	} rows[] = {
		{ NGHTTP2_PING, 0, 0, "12345678", 8 },
		{ NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, "12345678", 8 },
		{ NGHTTP2_SETTINGS, 0, 0, "", 0 },
		{ NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4 },
		{ NGHTTP2_WINDOW_UPDATE, 0, 1, "\0\0\0\1", 4 },
		{ NGHTTP2_PRIORITY, 0, 1, "\0\0\0\0\0", 5 },
		{ NGHTTP2_DATA, 0, 1, "", 0 },
		{ 0x77, 0, 1, "abc", 3 },
		{ 0x77, 0, 0, "", 0 },
	};
	(void)state;
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (unsigned reads = 0; reads < 2; reads++) {
			struct pair *pair = pair_new(false);
			assert_int_equal(ask(pair, 1), 0);
			talk(pair);
			feed_frame(pair, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, good_fields,
				GOOD_FIELDS_LEN);
			unsigned count = 0;
			while (pair->error == 0 && count++ < 3000) {
				feed_frame(pair, rows[i].type, rows[i].flags, rows[i].stream,
					rows[i].payload, rows[i].len);
				if (reads)
					to_server(pair);
			}
			assert_int_not_equal(pair->error, 0);
			assert_true(count <= 1001);
			assert_true(to_server(pair) < 100 * 1024);
			assert_int_equal(pair->answers + pair->failures, 0);
			pair_free(pair);
		}
	}
}

/* CVE-2024-28182. */
static void endless_continuations(void **state)
{
	(void)state;
	struct pair *pair = pair_new(false);
	assert_int_equal(ask(pair, 1), 0);
	talk(pair);
	feed_frame(pair, NGHTTP2_HEADERS, 0, 1, good_fields, GOOD_FIELDS_LEN);
	unsigned count = 0;
	while (pair->error == 0 && count++ < 100)
		feed_frame(pair, NGHTTP2_CONTINUATION, 0, 1, "", 0);
	assert_int_not_equal(pair->error, 0);
	assert_true(count <= 10);
	pair_free(pair);
}

static void pushed_streams_are_refused(void **state)
{
	(void)state;
	for (unsigned knows = 0; knows < 2; knows++) {
		struct pair *pair = knows ? pair_new(false) : pair_open(false);
		assert_int_equal(ask(pair, 1), 0);
		if (knows)
			talk(pair);
		else
			feed_frame(pair, NGHTTP2_SETTINGS, 0, 0, "", 0);
		static const char promise[] = "\0\0\0\2\x82\x87\x84\x41\x01"
					      "x";
		feed_frame(pair, NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS, 1, promise,
			sizeof promise - 1);
		/* Who could not yet know that we do not want it is forgiven. */
		assert_int_equal(pair->error, knows ? ERR_MALFORMED : 0);
		if (!knows) {
			feed_frame(pair, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 2, good_fields,
				GOOD_FIELDS_LEN);
			feed_frame(pair, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 2, counting, 50);
			assert_int_equal(pair->answers + pair->failures, 0);
			feed_frame(pair, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, good_fields,
				GOOD_FIELDS_LEN);
			feed_frame(pair, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, counting, 50);
			assert_int_equal(pair->told[1].answered, 1);
		}
		pair_free(pair);
	}
}

static void what_is_no_http2(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} rows[] = {
#define ROW(text) { text, sizeof text - 1 }
		ROW("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
		ROW("\0\x0c\0\1\x81\x80\0\1\0\0\0\0\0\0"), /* DoT */
		ROW("\0\0\0\1\5\0\0\0\2\x88\0\0\0"),       /* a stream of its own */
		ROW("\0\0\4\3\0\0\0\0\1\0\0\0\0\0\0\0\0"), /* SETTINGS must be first */
		ROW("\xff\xff\xff\4\0\0\0\0\0"),           /* larger than we allow */
		ROW("\0\0\6\4\0\0\0\0\0\0\2\0\0\0\1"),     /* a server that wants to be pushed to */
		ROW("\0\0\6\4\0\0\0\0\0\0\4\xff\xff\xff\xff"), /* a window that is none */
	};
	static const size_t steps[] = { 1, 65536 };
	(void)state;
	for (unsigned s = 0; s < 2; s++) {
		for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
			static const uint8_t more[64];
			struct pair *pair = pair_open(false);
			pair->step = steps[s];
			assert_int_equal(ask(pair, 1), 0);
			to_server(pair);
			feed(pair, rows[i].bytes, rows[i].len);
			feed(pair, more, sizeof more);
			if (pair->error >= 0)
				fail_msg("row %u", i);
			assert_int_equal(pair->answers, 0);
			pair_free(pair);
		}
	}
}

static void an_open_connection_may_be_freed_at_any_time(void **state)
{
	(void)state;
	for (size_t len = 0; len < 600; len += 7) {
		static uint8_t out[600];
		struct pair *pair = pair_open(len % 2);
		for (uint32_t i = 0; i < 5; i++)
			assert_int_equal(ask(pair, i), 0);
		asker_doh.cancel(pair->asker, 3);
		for (size_t done = 0; done < len;) {
			size_t got = asker_doh.drain(pair->asker, out, len - done);
			if (got == 0)
				break;
			done += got;
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
		cmocka_unit_test(what_a_question_looks_like),
		cmocka_unit_test(a_long_question_is_posted),
		cmocka_unit_test(the_second_question_is_small),
		cmocka_unit_test(what_informs_is_no_answer),
		cmocka_unit_test(how_old_it_is),
		cmocka_unit_test(padding_and_trailers),
		cmocka_unit_test(a_reset_is_of_one_question),
		cmocka_unit_test(what_nghttp2_refuses_is_told_at_once),
		cmocka_unit_test(what_ends_while_draining_is_told_later),
		cmocka_unit_test(an_answer_before_the_question),
		cmocka_unit_test(data_before_headers),
		cmocka_unit_test(data_after_what_informs),
		cmocka_unit_test(what_is_above_the_last_one_may_be_asked_again),
		cmocka_unit_test(goodbye_with_nothing_to_do),
		cmocka_unit_test(goodbye_in_two_steps),
		cmocka_unit_test(room_is_what_the_peer_allows),
		cmocka_unit_test(one_at_a_time),
		cmocka_unit_test(bodies_follow_their_headers),
		cmocka_unit_test(fewer_while_they_wait),
		cmocka_unit_test(cancelled_in_every_state),
		cmocka_unit_test(no_more_resets_than_needed),
		cmocka_unit_test(a_silent_peer_is_left),
		cmocka_unit_test(a_late_peer_is_kept),
		cmocka_unit_test(asks_and_cancels_from_within),
		cmocka_unit_test(too_many_fields_are_of_one_question),
		cmocka_unit_test(frames_that_lead_nowhere),
		cmocka_unit_test(endless_continuations),
		cmocka_unit_test(pushed_streams_are_refused),
		cmocka_unit_test(what_is_no_http2),
		cmocka_unit_test(an_open_connection_may_be_freed_at_any_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
