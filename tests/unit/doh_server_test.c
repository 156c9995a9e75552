/* DNS over HTTPS as a server, bytes in and bytes out. The other side is nghttp2's client, or frames
 * made by hand where a client would have better manners. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants the above first */
#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "base/bytes.h"
#include "base/error.h"
#include "proxy/framing/doh_request.h"
#include "proxy/framing/framer.h"

enum { STREAMS = 4096, MEMORY = 4 * 1024 * 1024 };

/* "AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB": RFC 8484 4.1.1, www.example.com. */
static const char get_path[] = "/dns-query?dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB";
static const uint8_t question[] = "\0\0\1\0\0\1\0\0\0\0\0\0\3www\7example\3com\0\0\1\0\1";
enum { QUESTION_LEN = sizeof question - 1 };

/* What happened to a stream, as the client and the host of the framer see it. */
struct told {
	unsigned status;
	char fields[512]; /* "name: value\n" of each, :status left out */
	size_t body_len;
	uint8_t body_first;
	bool closed;
	uint32_t code;
	unsigned asked;
	size_t asked_len;
	unsigned abandoned;
};

struct pair {
	struct framer *framer;
	nghttp2_session *client;
	struct told streams[STREAMS];
	struct told *of_answers; /* where on_message replies from, NULL: nobody replies */
	size_t answer_len;
	uint32_t max_age_s;
	bool rejects;
	unsigned asked;
	unsigned abandoned;
	unsigned reset_floods;
	unsigned statuses[600];
	int32_t goaway_last; /* -1: none */
	uint32_t goaway_code;
	size_t step; /* bytes per feed and drain */
	int feed_error;
	bool at_once; /* on_message replies */
};

static uint8_t answer[DOH_MESSAGE_MAX];

static struct told *told(struct pair *pair, int32_t stream)
{
	assert_in_range(stream, 0, STREAMS - 1);
	return &pair->streams[stream];
}

static void reply(struct pair *pair, int32_t stream)
{
	assert_int_equal(0,
		framer_doh2.reply(
			pair->framer, stream, slice_of(answer, pair->answer_len), pair->max_age_s));
}

/* --- the host --- */

static void on_message(
	void *host, int32_t stream, const struct framer_claims *claims, struct slice message)
{
	(void)claims;
	struct pair *pair = host;
	pair->asked++;
	told(pair, stream)->asked++;
	told(pair, stream)->asked_len = message.len;
	if (message.len == QUESTION_LEN)
		assert_memory_equal(message.at, question, QUESTION_LEN);
	if (pair->rejects)
		framer_doh2.reject(pair->framer, stream, 400);
	else if (pair->at_once)
		reply(pair, stream);
}

static void on_status(void *host, enum http_method method, unsigned status)
{
	struct pair *pair = host;
	assert_in_range(method, 0, HTTP_METHOD_COUNT - 1);
	pair->statuses[status]++;
}

static void on_abandoned(void *host, int32_t stream)
{
	struct pair *pair = host;
	pair->abandoned++;
	told(pair, stream)->abandoned++;
}

static void on_reset_flood(void *host)
{
	struct pair *pair = host;
	pair->reset_floods++;
}

static const struct framer_events events = { on_message, on_status, on_abandoned, on_reset_flood };

/* --- the client --- */

static int on_field(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
	size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *context)
{
	struct told *stream = told(context, frame->hd.stream_id);
	size_t used = strlen(stream->fields);
	(void)session;
	(void)flags;
	if (slice_equals_text(slice_of(name, name_len), ":status"))
		stream->status = (unsigned)atoi((const char *)value);
	else
		snprintf(stream->fields + used, sizeof stream->fields - used, "%.*s: %.*s\n",
			(int)name_len, name, (int)value_len, value);
	return 0;
}

static int on_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
	size_t len, void *context)
{
	struct told *stream = told(context, id);
	(void)session;
	(void)flags;
	if (stream->body_len == 0)
		stream->body_first = data[0];
	stream->body_len += len;
	return 0;
}

static int on_closed(nghttp2_session *session, int32_t id, uint32_t code, void *context)
{
	(void)session;
	told(context, id)->closed = true;
	told(context, id)->code = code;
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
	struct pair *pair = context;
	(void)session;
	if (frame->hd.type != NGHTTP2_GOAWAY)
		return 0;
	pair->goaway_last = frame->goaway.last_stream_id;
	pair->goaway_code = frame->goaway.error_code;
	return 0;
}

static nghttp2_session *client_new(struct pair *pair)
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
	nghttp2_option_set_peer_max_concurrent_streams(option, 1000);
	nghttp2_option_set_no_http_messaging(option, 1); /* it may say what it should not */
	assert_int_equal(0, nghttp2_session_client_new2(&session, callbacks, pair, option));
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	return session;
}

/* --- bytes between them --- */

static void feed(struct pair *pair, const uint8_t *at, size_t len)
{
	for (size_t done = 0; done < len && pair->feed_error == 0;) {
		size_t take = len - done < pair->step ? len - done : pair->step;
		uint8_t *copy = malloc(take); /* what is read later than allowed is found */
		memcpy(copy, at + done, take);
		pair->feed_error = framer_doh2.feed(pair->framer, slice_of(copy, take));
		free(copy);
		done += take;
	}
}

/* A frame that nghttp2's client would not send; PRIORITY has a payload. */
static void feed_frame(struct pair *pair, uint8_t kind, uint8_t flags, int32_t stream)
{
	uint8_t len = kind == NGHTTP2_PRIORITY ? 5 : 0;
	const uint8_t bytes[14] = { 0, 0, len, kind, flags, 0, 0, 0, (uint8_t)stream };
	assert_in_range(stream, 1, UINT8_MAX);
	feed(pair, bytes, (size_t)9 + len);
}

static void to_server(struct pair *pair)
{
	const uint8_t *at;
	ssize_t len;
	while ((len = nghttp2_session_mem_send(pair->client, &at)) > 0)
		feed(pair, at, (size_t)len);
}

static size_t to_client(struct pair *pair)
{
	static uint8_t buffer[65536];
	size_t total = 0, len;
	while ((len = framer_doh2.drain(pair->framer, buffer,
			pair->step < sizeof buffer ? pair->step : sizeof buffer)) > 0) {
		total += len;
		if (pair->client)
			assert_int_equal(len, nghttp2_session_mem_recv(pair->client, buffer, len));
	}
	return total;
}

static void talk(struct pair *pair)
{
	for (unsigned i = 0; i < 50; i++) {
		to_server(pair);
		if (to_client(pair) == 0 && !nghttp2_session_want_write(pair->client))
			return;
	}
}

static struct pair *pair_new(void)
{
	struct pair *pair = calloc(1, sizeof *pair);
	const struct framer_settings settings = {
		.events = &events, .host = pair, .path = "/dns-query"
	};
	pair->framer = framer_doh2.open(&settings);
	pair->client = client_new(pair);
	pair->goaway_last = -1;
	pair->step = 65536;
	pair->answer_len = 100;
	pair->max_age_s = 300;
	pair->at_once = true;
	return pair;
}

/* A client that has told its settings. */
static struct pair *pair_ready(void)
{
	struct pair *pair = pair_new();
	nghttp2_submit_settings(pair->client, NGHTTP2_FLAG_NONE, NULL, 0);
	talk(pair);
	return pair;
}

static void pair_free(struct pair *pair)
{
	framer_doh2.free(pair->framer);
	nghttp2_session_del(pair->client);
	free(pair);
}

/* --- requests --- */

static nghttp2_nv field(const char *name, const char *value)
{
	return (nghttp2_nv){ (uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
		strlen(value), 0 };
}

static ssize_t read_zeros(nghttp2_session *session, int32_t id, uint8_t *to, size_t capacity,
	uint32_t *flags, nghttp2_data_source *source, void *context)
{
	static const uint8_t zeros[65536];
	(void)session;
	(void)id;
	(void)context;
	size_t left = (size_t)source->fd;
	size_t len = left < capacity ? left : capacity;
	if (left == QUESTION_LEN)
		memcpy(to, question, len);
	else
		memcpy(to, zeros, len);
	source->fd -= (int)len;
	if (source->fd == 0)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)len;
}

static ssize_t read_later(nghttp2_session *session, int32_t id, uint8_t *to, size_t capacity,
	uint32_t *flags, nghttp2_data_source *source, void *context)
{
	(void)session;
	(void)id;
	(void)to;
	(void)capacity;
	(void)flags;
	(void)source;
	(void)context;
	return NGHTTP2_ERR_DEFERRED;
}

/* body_len -1: there is none; -2: one that never comes. */
static int32_t ask(struct pair *pair, const char *method, const char *path, const char *type,
	const char *length, int body_len)
{
	nghttp2_nv fields[8] = { field(":method", method), field(":scheme", "https"),
		field(":authority", "dns.example"), field(":path", path) };
	size_t count = 4;
	nghttp2_data_provider body = { .source.fd = body_len,
		.read_callback = body_len == -2 ? read_later : read_zeros };
	if (type)
		fields[count++] = field("content-type", type);
	if (length)
		fields[count++] = field("content-length", length);
	int32_t id = nghttp2_submit_request(
		pair->client, NULL, fields, count, body_len == -1 ? NULL : &body, NULL);
	assert_true(id > 0);
	return id;
}

static int32_t ask_get(struct pair *pair)
{
	return ask(pair, "GET", get_path, NULL, NULL, -1);
}

#define DNS_TYPE "application/dns-message"

static int32_t ask_post(struct pair *pair)
{
	return ask(pair, "POST", "/dns-query", DNS_TYPE, "33", QUESTION_LEN);
}

/* --- frames by hand --- */

struct frames {
	struct writer to;
	nghttp2_hd_deflater *deflater;
};

static void frames_begin(struct frames *frames, void *memory)
{
	frames->to = writer_of(memory, MEMORY);
	nghttp2_hd_deflate_new(&frames->deflater, 4096);
	writer_text(&frames->to, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
}

static void frame(struct frames *frames, uint8_t type, uint8_t flags, int32_t stream,
	const void *payload, size_t len)
{
	writer_u8(&frames->to, (uint8_t)(len >> 16));
	writer_u16(&frames->to, (uint16_t)len);
	writer_u8(&frames->to, type);
	writer_u8(&frames->to, flags);
	writer_u32(&frames->to, (uint32_t)stream);
	writer_bytes(&frames->to, payload, len);
	assert_false(frames->to.failed);
}

static void frame_request(struct frames *frames, int32_t stream, uint8_t flags, const char *extra,
	const char *extra_value)
{
	uint8_t block[16384];
	nghttp2_nv fields[] = { field(":method", "GET"), field(":scheme", "https"),
		field(":authority", "dns.example"), field(":path", get_path),
		field(extra ? extra : "accept", extra ? extra_value : "*/*") };
	ssize_t len = nghttp2_hd_deflate_hd(frames->deflater, block, sizeof block, fields, 5);
	assert_true(len > 0);
	frame(frames, NGHTTP2_HEADERS, flags | NGHTTP2_FLAG_END_HEADERS, stream, block,
		(size_t)len);
}

/* --- tests: what is answered --- */

struct status_row {
	const char *method;
	const char *path;
	const char *type;
	const char *length;
	int body_len;
	unsigned status;
};

static const struct status_row status_rows[] = {
	{ "GET", get_path, NULL, NULL, -1, 200 },
	{ "HEAD", get_path, NULL, NULL, -1, 200 },
	{ "POST", "/dns-query", DNS_TYPE, "33", QUESTION_LEN, 200 },
	{ "POST", "/dns-query", DNS_TYPE, NULL, QUESTION_LEN, 200 },
	{ "POST", "/dns-query", "Application/DNS-message ; x=y", NULL, QUESTION_LEN, 200 },
	{ "POST", "/dns-query?dns=AAAA", DNS_TYPE, NULL, QUESTION_LEN, 200 },
	{ "POST", "/dns-query", DNS_TYPE, "65535", 65535, 200 },
	{ "GET", "/dns-query", NULL, NULL, -1, 400 },
	{ "GET", "/dns-query?dns=", NULL, NULL, -1, 400 },
	{ "GET", "/dns-query?dns=AAA!", NULL, NULL, -1, 400 },
	{ "GET", "/dns-query?DNS=AAAA", NULL, NULL, -1, 400 },
	{ "POST", "/dns-query", DNS_TYPE, "0", 0, 400 },
	{ "GET", "/", NULL, NULL, -1, 404 },
	{ "GET", "/dns-query/", NULL, NULL, -1, 404 },
	{ "GET", "/dns-querydns=AAAA", NULL, NULL, -1, 404 },
	{ "POST", "/other", DNS_TYPE, "33", QUESTION_LEN, 404 },
	{ "PUT", "/dns-query", DNS_TYPE, "33", QUESTION_LEN, 405 },
	{ "DELETE", "/dns-query", NULL, NULL, -1, 405 },
	{ "OPTIONS", "/dns-query", NULL, NULL, -1, 405 },
	{ "BREW", "/dns-query", NULL, NULL, -1, 501 },
	{ "POST", "/dns-query", DNS_TYPE, "65536", 65536, 413 },
	{ "POST", "/dns-query", DNS_TYPE, NULL, 65536, 413 },
	{ "POST", "/dns-query", DNS_TYPE, "9999999999", -2, 413 },
	{ "POST", "/dns-query", NULL, "33", QUESTION_LEN, 415 },
	{ "POST", "/dns-query", "text/plain", "33", QUESTION_LEN, 415 },
	{ "POST", "/dns-query", "application/dns-messages", "33", QUESTION_LEN, 415 },
};

static void test_statuses(void **state)
{
	(void)state;
	for (size_t step = 65536; step > 0; step = step == 65536 ? 7 : step == 7 ? 1 : 0) {
		for (size_t i = 0; i < sizeof status_rows / sizeof *status_rows; i++) {
			const struct status_row *row = &status_rows[i];
			struct pair *pair = pair_ready();
			pair->step = step;
			int32_t id = ask(pair, row->method, row->path, row->type, row->length,
				row->body_len);
			talk(pair);
			if (told(pair, id)->status != row->status)
				fail_msg("%s %s: %u, not %u", row->method, row->path,
					told(pair, id)->status, row->status);
			assert_true(told(pair, id)->closed);
			assert_int_equal(told(pair, id)->code, NGHTTP2_NO_ERROR);
			assert_int_equal(told(pair, id)->asked, row->status == 200);
			assert_int_equal(pair->statuses[row->status], 1);
			assert_int_equal(framer_doh2.queued(pair->framer), 0);
			assert_int_equal(framer_doh2.late_request(pair->framer), 0);
			assert_int_equal(pair->abandoned, 0);
			pair_free(pair);
		}
	}
}

static void test_fields(void **state)
{
	(void)state;
	struct pair *pair = pair_ready();
	int32_t get = ask_get(pair);
	int32_t head = ask(pair, "HEAD", get_path, NULL, NULL, -1);
	int32_t put = ask(pair, "PUT", "/dns-query", NULL, NULL, -1);
	talk(pair);
	static const char answered[] = "content-type: application/dns-message\n"
				       "content-length: 100\n"
				       "cache-control: private, max-age=300\n";
	assert_string_equal(told(pair, get)->fields, answered);
	assert_int_equal(told(pair, get)->body_len, 100);
	assert_int_equal(told(pair, get)->body_first, answer[0]);
	assert_string_equal(told(pair, head)->fields, answered);
	assert_int_equal(told(pair, head)->body_len, 0);
	assert_string_equal(told(pair, put)->fields, "content-length: 0\nallow: GET, HEAD, POST\n");
	pair_free(pair);
}

/* RFC 9113 8.1: a header section, a body, a trailer section. */
static void test_trailers_end_a_body(void **state)
{
	(void)state;
	struct pair *pair = pair_new();
	struct frames frames;
	void *memory = malloc(MEMORY);
	uint8_t block[1024];
	nghttp2_nv fields[] = { field(":method", "POST"), field(":scheme", "https"),
		field(":authority", "a"), field(":path", "/dns-query"),
		field("content-type", DNS_TYPE) };
	nghttp2_nv trailer = field("x-checksum", "1");
	frames_begin(&frames, memory);
	frame(&frames, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
	ssize_t len = nghttp2_hd_deflate_hd(frames.deflater, block, sizeof block, fields, 5);
	frame(&frames, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, block, (size_t)len);
	frame(&frames, NGHTTP2_DATA, 0, 1, question, QUESTION_LEN);
	len = nghttp2_hd_deflate_hd(frames.deflater, block, sizeof block, &trailer, 1);
	frame(&frames, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1,
		block, (size_t)len);
	feed(pair, frames.to.at, frames.to.len);
	assert_int_equal(pair->feed_error, 0);
	assert_int_equal(told(pair, 1)->asked, 1);
	assert_int_equal(told(pair, 1)->asked_len, QUESTION_LEN);
	assert_int_equal(pair->statuses[200], 1);
	nghttp2_hd_deflate_del(frames.deflater);
	free(memory);
	pair_free(pair);
}

static void test_many_streams_out_of_order(void **state)
{
	(void)state;
	struct pair *pair = pair_ready();
	int32_t ids[100];
	pair->at_once = false;
	/* All HEADERS go out before the first DATA. */
	for (unsigned i = 0; i < 100; i++)
		ids[i] = i % 3 ? ask_post(pair) : ask_get(pair);
	talk(pair);
	assert_int_equal(pair->asked, 100);
	for (unsigned i = 100; i-- > 0;) {
		answer[0] = (uint8_t)i;
		pair->answer_len = 1 + i * 10;
		reply(pair, ids[i]);
	}
	talk(pair);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(told(pair, ids[i])->status, 200);
		assert_int_equal(told(pair, ids[i])->body_len, 1 + i * 10);
		assert_int_equal(told(pair, ids[i])->body_first, i);
		assert_true(told(pair, ids[i])->closed);
	}
	assert_int_equal(framer_doh2.queued(pair->framer), 0);
	pair_free(pair);
}

static void test_what_is_not_dns_is_400(void **state)
{
	(void)state;
	struct pair *pair = pair_ready();
	pair->rejects = true;
	int32_t id = ask_get(pair);
	talk(pair);
	assert_int_equal(told(pair, id)->status, 400);
	assert_int_equal(pair->statuses[400], 1);
	assert_int_equal(pair->abandoned, 0);
	reply(pair, id); /* too late, and nothing happens */
	talk(pair);
	assert_int_equal(told(pair, id)->body_len, 0);
	pair_free(pair);
}

/* A body that is refused before it came is not waited for (RFC 9113 8.1). */
static void test_early_refusal(void **state)
{
	(void)state;
	struct pair *pair = pair_ready();
	int32_t id = ask(pair, "POST", "/dns-query", DNS_TYPE, "70000", -2);
	talk(pair);
	assert_int_equal(told(pair, id)->status, 413);
	assert_true(told(pair, id)->closed);
	assert_int_equal(told(pair, id)->code, NGHTTP2_NO_ERROR);
	assert_int_equal(framer_doh2.late_request(pair->framer), 0);
	pair_free(pair);
}

/* What is wrong, but costs nothing, is said when the request is complete: its body may be malformed
 * (RFC 9113 8.1.1), which counts for more. */
static void test_late_refusal(void **state)
{
	(void)state;
	struct pair *pair = pair_ready();
	int32_t id = ask(pair, "POST", "/dns-query", "text/plain", NULL, -2);
	talk(pair);
	assert_int_equal(told(pair, id)->status, 0);
	assert_int_equal(framer_doh2.late_request(pair->framer), (uint64_t)id);
	feed_frame(pair, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, id);
	talk(pair);
	assert_int_equal(told(pair, id)->status, 415);
	id = ask(pair, "POST", "/dns-query", "text/plain", "5", -2);
	talk(pair);
	feed_frame(pair, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, id);
	talk(pair);
	assert_int_equal(told(pair, id)->status, 0);
	assert_int_equal(told(pair, id)->code, NGHTTP2_PROTOCOL_ERROR);
	pair_free(pair);
}

/* Frames for a stream that is over end the connection (RFC 9113 5.1), those of a body that we did
 * not want are passed over. */
static void test_frames_too_late(void **state)
{
	static const uint8_t kinds[] = { NGHTTP2_DATA, NGHTTP2_HEADERS };
	(void)state;
	for (size_t i = 0; i < sizeof kinds; i++) {
		struct pair *pair = pair_ready();
		ask_get(pair);
		int32_t refused = ask(pair, "POST", "/dns-query", DNS_TYPE, "70000", -2);
		talk(pair);
		int32_t id = ask_get(pair);
		talk(pair);
		assert_true(told(pair, id)->closed);
		feed_frame(pair, kinds[i], NGHTTP2_FLAG_END_HEADERS, refused);
		feed_frame(pair, NGHTTP2_PRIORITY, 0, id);
		talk(pair);
		assert_int_equal(pair->goaway_last, -1);
		feed_frame(pair, kinds[i], NGHTTP2_FLAG_END_HEADERS, id);
		to_client(pair);
		assert_int_equal(pair->goaway_code, NGHTTP2_STREAM_CLOSED);
		assert_true(framer_doh2.is_finished(pair->framer));
		pair_free(pair);
	}
}

static void test_fields_too_large(void **state)
{
	(void)state;
	struct pair *pair = pair_ready();
	char *large = malloc(DOH_HEADER_LIST_MAX + 1);
	memset(large, 'a', DOH_HEADER_LIST_MAX);
	large[DOH_HEADER_LIST_MAX] = '\0';
	int32_t id = ask(pair, "POST", "/dns-query", large, NULL, QUESTION_LEN);
	int32_t next = ask_get(pair);
	talk(pair);
	assert_int_equal(told(pair, id)->status, 431);
	assert_int_equal(told(pair, next)->status, 200);
	free(large);
	pair_free(pair);
}

/* --- tests: streams that end otherwise --- */

static void test_reply_to_nobody(void **state)
{
	(void)state;
	struct pair *pair = pair_ready();
	pair->at_once = false;
	int32_t id = ask_get(pair);
	talk(pair);
	nghttp2_submit_rst_stream(pair->client, 0, id, NGHTTP2_CANCEL);
	talk(pair);
	assert_int_equal(told(pair, id)->abandoned, 1);
	reply(pair, id);
	reply(pair, id + 2); /* never there */
	assert_int_equal(framer_doh2.queued(pair->framer), 0);
	assert_int_equal(to_client(pair), 0);
	pair_free(pair);
}

/* The reply is in nghttp2's hands when its stream goes: what it reads from must not be gone. */
static void test_reset_while_the_reply_waits(void **state)
{
	(void)state;
	struct pair *pair = pair_ready();
	pair->answer_len = 60000;
	int32_t ids[5];
	for (unsigned i = 0; i < 5; i++)
		ids[i] = ask_get(pair);
	to_server(pair); /* 65535 bytes of window: the second one gets stuck */
	uint8_t some[70000];
	assert_true(framer_doh2.drain(pair->framer, some, sizeof some) > 65535);
	assert_true(framer_doh2.queued(pair->framer) > 200000);
	for (unsigned i = 0; i < 5; i++) {
		uint8_t bytes[13] = { 0, 0, 4, NGHTTP2_RST_STREAM, 0, 0, 0, 0, (uint8_t)ids[i], 0,
			0, 0, 8 };
		feed(pair, bytes, sizeof bytes);
	}
	assert_int_equal(pair->feed_error, 0);
	assert_int_equal(framer_doh2.queued(pair->framer), 0);
	assert_int_equal(pair->abandoned, 0);
	while (framer_doh2.drain(pair->framer, some, sizeof some) > 0)
		;
	pair_free(pair);
}

/* Every kind of stream is open when the framer goes: nothing may leak (LeakSanitizer looks). */
static void test_free_with_open_streams(void **state)
{
	(void)state;
	struct pair *pair = pair_ready();
	pair->at_once = false;
	int32_t waits = ask_get(pair);
	int32_t stuck = ask_get(pair);
	int32_t late = ask(pair, "POST", "/dns-query", DNS_TYPE, NULL, -2);
	talk(pair);
	pair->answer_len = 65535;
	reply(pair, stuck);
	reply(pair, stuck); /* a second one is ignored */
	assert_int_equal(framer_doh2.queued(pair->framer), 65535);
	assert_int_equal(framer_doh2.late_request(pair->framer), late);
	struct told streams[8];
	framer_doh2.free(pair->framer);
	memcpy(streams, pair->streams, sizeof streams);
	assert_int_equal(streams[waits].abandoned, 1);
	assert_int_equal(pair->abandoned, 1);
	nghttp2_session_del(pair->client);
	free(pair);
}

static void test_flow_control_holds_back(void **state)
{
	(void)state;
	struct pair *pair = pair_new();
	nghttp2_settings_entry none = { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0 };
	nghttp2_submit_settings(pair->client, NGHTTP2_FLAG_NONE, &none, 1);
	int32_t id = ask_get(pair);
	talk(pair);
	assert_int_equal(told(pair, id)->status, 200);
	assert_int_equal(told(pair, id)->body_len, 0);
	assert_int_equal(framer_doh2.queued(pair->framer), 100);
	assert_false(framer_doh2.is_finished(pair->framer));
	nghttp2_submit_window_update(pair->client, 0, id, 99);
	to_server(pair);
	to_client(pair);
	assert_int_equal(framer_doh2.queued(pair->framer), 1);
	nghttp2_submit_window_update(pair->client, 0, id, 1);
	talk(pair);
	assert_int_equal(framer_doh2.queued(pair->framer), 0);
	assert_int_equal(told(pair, id)->body_len, 100);
	assert_true(told(pair, id)->closed);
	pair_free(pair);
}

/* Which request is late: the oldest, whatever comes and goes beside it. */
static void test_late_request(void **state)
{
	(void)state;
	struct pair *pair = pair_ready();
	assert_int_equal(framer_doh2.late_request(pair->framer), 0);
	int32_t first = ask(pair, "POST", "/dns-query", DNS_TYPE, NULL, -2);
	int32_t second = ask(pair, "POST", "/dns-query", DNS_TYPE, NULL, -2);
	ask_get(pair);
	talk(pair);
	assert_int_equal(framer_doh2.late_request(pair->framer), first);
	nghttp2_submit_rst_stream(pair->client, 0, first, NGHTTP2_CANCEL);
	talk(pair);
	assert_int_equal(framer_doh2.late_request(pair->framer), second);
	assert_int_equal(pair->abandoned, 0); /* nothing was asked */
	pair_free(pair);
}

/* --- tests: the end --- */

static void test_finish_lets_begun_streams_end(void **state)
{
	(void)state;
	struct pair *pair = pair_ready();
	pair->at_once = false;
	int32_t id = ask_get(pair);
	talk(pair);
	framer_doh2.finish(pair->framer);
	framer_doh2.finish(pair->framer);
	talk(pair);
	assert_int_equal(pair->goaway_last, id);
	assert_int_equal(pair->goaway_code, NGHTTP2_NO_ERROR);
	assert_false(framer_doh2.is_finished(pair->framer));
	reply(pair, id);
	talk(pair);
	assert_int_equal(told(pair, id)->body_len, 100);
	assert_true(framer_doh2.is_finished(pair->framer));
	pair_free(pair);
}

static void test_finish_when_idle(void **state)
{
	(void)state;
	struct pair *pair = pair_ready();
	assert_false(framer_doh2.is_finished(pair->framer));
	framer_doh2.finish(pair->framer);
	talk(pair);
	assert_int_equal(pair->goaway_last, 0);
	assert_true(framer_doh2.is_finished(pair->framer));
	pair_free(pair);
}

/* One that was on its way when we said that we go is told that it may be asked again. */
static void test_finish_meets_a_new_stream(void **state)
{
	(void)state;
	struct pair *pair = pair_ready();
	pair->at_once = false;
	int32_t id = ask_get(pair);
	talk(pair);
	framer_doh2.finish(pair->framer);
	int32_t late = ask_get(pair);
	talk(pair);
	assert_int_equal(pair->goaway_last, id);
	assert_true(told(pair, late)->closed);
	assert_int_equal(told(pair, late)->code, NGHTTP2_REFUSED_STREAM);
	reply(pair, late);
	reply(pair, id);
	talk(pair);
	assert_int_equal(told(pair, id)->status, 200);
	assert_int_equal(told(pair, late)->status, 0);
	assert_true(framer_doh2.is_finished(pair->framer));
	pair_free(pair);
}

/* RFC 9113 6.8: what was on its way when we said that we go is taken; the client's PING says that
 * it has heard. */
static void test_announce_takes_what_is_on_its_way(void **state)
{
	(void)state;
	struct pair *pair = pair_ready();
	pair->at_once = false;
	assert_true(framer_doh2.announce(pair->framer));
	int32_t id = ask_get(pair);
	to_server(pair);
	to_client(pair);
	assert_int_equal(pair->goaway_last, INT32_MAX);
	assert_int_equal(pair->goaway_code, NGHTTP2_NO_ERROR);
	assert_false(framer_doh2.is_finished(pair->framer));
	talk(pair);
	assert_int_equal(pair->goaway_last, id);
	assert_int_equal(pair->goaway_code, NGHTTP2_NO_ERROR);
	assert_false(framer_doh2.is_finished(pair->framer));
	assert_false(framer_doh2.announce(pair->framer));
	reply(pair, id);
	talk(pair);
	assert_int_equal(told(pair, id)->body_len, 100);
	assert_true(framer_doh2.is_finished(pair->framer));
	pair_free(pair);
}

/* It does not acknowledge the PING. What was begun is finished all the same. */
static void test_announce_to_one_that_does_not_listen(void **state)
{
	(void)state;
	struct pair *pair = pair_ready();
	pair->at_once = false;
	int32_t id = ask_get(pair);
	talk(pair);
	assert_true(framer_doh2.announce(pair->framer));
	to_client(pair);
	assert_int_equal(pair->goaway_last, INT32_MAX);
	assert_false(framer_doh2.is_finished(pair->framer));
	framer_doh2.finish(pair->framer);
	to_client(pair);
	assert_int_equal(pair->goaway_last, id);
	assert_false(framer_doh2.is_finished(pair->framer));
	reply(pair, id);
	to_client(pair);
	assert_int_equal(told(pair, id)->body_len, 100);
	assert_true(framer_doh2.is_finished(pair->framer));
	pair_free(pair);
}

/* A PING that nobody asked to be acknowledged ends nothing. */
static void test_acknowledges_what_was_not_asked(void **state)
{
	(void)state;
	struct pair *pair = pair_ready();
	nghttp2_submit_ping(pair->client, NGHTTP2_FLAG_ACK, NULL);
	talk(pair);
	assert_int_equal(pair->goaway_last, -1);
	assert_false(framer_doh2.is_finished(pair->framer));
	pair_free(pair);
}

static void test_client_says_goodbye(void **state)
{
	(void)state;
	struct pair *pair = pair_ready();
	pair->at_once = false;
	int32_t id = ask_get(pair);
	talk(pair);
	nghttp2_submit_goaway(pair->client, 0, 0, NGHTTP2_NO_ERROR, NULL, 0);
	talk(pair);
	assert_false(framer_doh2.is_finished(pair->framer));
	reply(pair, id);
	to_client(pair);
	assert_int_equal(told(pair, id)->body_len, 100);
	assert_true(framer_doh2.is_finished(pair->framer));
	pair_free(pair);
}

/* RFC 9113 5.4.1: after a connection error comes GOAWAY, and then the connection is closed. */
static void test_broken_protocol_is_the_end(void **state)
{
	(void)state;
	static const uint8_t data_on_stream_0[] = "\0\0\1\0\0\0\0\0\0x";
	struct pair *pair = pair_ready();
	pair->at_once = false;
	ask_get(pair);
	talk(pair);
	feed(pair, data_on_stream_0, sizeof data_on_stream_0 - 1);
	to_client(pair);
	assert_int_equal(pair->goaway_code, NGHTTP2_PROTOCOL_ERROR);
	assert_true(framer_doh2.is_finished(pair->framer));
	pair_free(pair);
}

static void test_no_http2_at_all(void **state)
{
	(void)state;
	static const char http1[] = "GET /dns-query HTTP/1.1\r\nHost: x\r\n\r\n";
	struct pair *pair = pair_new();
	feed(pair, (const uint8_t *)http1, sizeof http1 - 1);
	assert_int_equal(pair->feed_error, ERR_MALFORMED);
	pair_free(pair);
}

/* --- tests: floods --- */

struct flood {
	const char *name;
	void (*write)(struct frames *frames, unsigned number);
	unsigned count;
	bool survives;
	bool is_told; /* as resets */
};

static int32_t odd(unsigned number)
{
	return (int32_t)(number * 2 + 1);
}

static void write_ping(struct frames *frames, unsigned number)
{
	(void)number;
	frame(frames, NGHTTP2_PING, 0, 0, "12345678", 8);
}

static void write_ping_ack(struct frames *frames, unsigned number)
{
	(void)number;
	frame(frames, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, "12345678", 8);
}

static void write_settings(struct frames *frames, unsigned number)
{
	(void)number;
	frame(frames, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
}

static void write_priority(struct frames *frames, unsigned number)
{
	(void)number;
	frame(frames, NGHTTP2_PRIORITY, 0, 3, "\0\0\0\0\20", 5);
}

static void write_window(struct frames *frames, unsigned number)
{
	(void)number;
	frame(frames, NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4);
}

static void write_unknown(struct frames *frames, unsigned number)
{
	(void)number;
	frame(frames, 0xee, 0, 0, "x", 1);
}

static void write_empty_data(struct frames *frames, unsigned number)
{
	if (number == 0)
		frame_request(frames, 1, 0, NULL, NULL);
	frame(frames, NGHTTP2_DATA, 0, 1, NULL, 0);
}

static void write_continuation(struct frames *frames, unsigned number)
{
	if (number == 0)
		frame(frames, NGHTTP2_HEADERS, 0, 1, "\x82", 1);
	frame(frames, NGHTTP2_CONTINUATION, 0, 1, NULL, 0);
}

static void write_rapid_reset(struct frames *frames, unsigned number)
{
	frame_request(frames, odd(number), NGHTTP2_FLAG_END_STREAM, NULL, NULL);
	frame(frames, NGHTTP2_RST_STREAM, 0, odd(number), "\0\0\0\10", 4);
}

/* A window above 2^31-1 is an error of its stream (RFC 9113 6.9.1). */
static void write_made_you_reset(struct frames *frames, unsigned number)
{
	frame_request(frames, odd(number), NGHTTP2_FLAG_END_STREAM, NULL, NULL);
	frame(frames, NGHTTP2_WINDOW_UPDATE, 0, odd(number), "\x7f\xff\xff\xff", 4);
}

static void write_forbidden_field(struct frames *frames, unsigned number)
{
	frame_request(frames, odd(number), NGHTTP2_FLAG_END_STREAM, "connection", "close");
}

static void write_asks(struct frames *frames, unsigned number)
{
	frame_request(frames, odd(number), NGHTTP2_FLAG_END_STREAM, NULL, NULL);
}

/* One in a hundred does what the client is not to blame for. */
static void write_mixture(struct frames *frames, unsigned number)
{
	frame_request(frames, odd(number), NGHTTP2_FLAG_END_STREAM, NULL, NULL);
	write_window(frames, number);
	if (number % 100 == 0)
		write_ping(frames, number);
}

static const struct flood floods[] = {
	{ "PING", write_ping, 1500, false, false },
	{ "PING with ACK", write_ping_ack, 1500, false, false },
	{ "SETTINGS", write_settings, 1500, false, false },
	{ "PRIORITY", write_priority, 1500, false, false },
	{ "WINDOW_UPDATE", write_window, 1500, false, false },
	{ "unknown", write_unknown, 1500, false, false },
	{ "empty DATA", write_empty_data, 1500, false, false },
	{ "CONTINUATION", write_continuation, 20, false, false },
	{ "rapid reset", write_rapid_reset, 400, false, true },
	{ "made you reset", write_made_you_reset, 400, false, true },
	{ "forbidden field", write_forbidden_field, 400, false, true },
	{ "PING, some", write_ping, 500, true, false },
	{ "WINDOW_UPDATE, some", write_window, 900, true, false },
	{ "reset, some", write_rapid_reset, 150, true, false },
	{ "made you reset, some", write_made_you_reset, 80, true, false },
	{ "requests, one after the other", write_asks, 1900, true, false },
	{ "requests and window updates", write_mixture, 1900, true, false },
};

/* Delivered frame by frame, and drained in between as by a client that reads. */
static void flood(const struct flood *row, bool answers)
{
	struct pair *pair = pair_new();
	struct frames frames;
	void *memory = malloc(MEMORY);
	nghttp2_session_del(pair->client);
	pair->client = NULL;
	pair->at_once = answers;
	frames_begin(&frames, memory);
	frame(&frames, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
	for (unsigned i = 0; i < row->count && !pair->feed_error; i++) {
		row->write(&frames, i);
		if (i % 100 == 50) /* answers of 100 bytes: 300 would fill the window */
			frame(&frames, NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\x40\0", 4);
		feed(pair, frames.to.at, frames.to.len);
		frames.to.len = 0;
		size_t sent = to_client(pair);
		assert_true(sent < 100000);
	}
	bool alive = pair->feed_error == 0 && !framer_doh2.is_finished(pair->framer);
	if (alive != row->survives)
		fail_msg("%s: %s (%d, %u requests)", row->name, alive ? "alive" : "ended",
			pair->feed_error, pair->asked);
	if (pair->reset_floods != row->is_told)
		fail_msg("%s: told %u times", row->name, pair->reset_floods);
	nghttp2_hd_deflate_del(frames.deflater);
	free(memory);
	pair_free(pair);
}

static void test_floods(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof floods / sizeof *floods; i++)
		flood(&floods[i], true);
}

static void test_floods_of_slow_questions(void **state)
{
	static const struct flood rows[] = {
		{ "rapid reset", write_rapid_reset, 400, false, true },
		{ "made you reset", write_made_you_reset, 400, false, true },
	};
	(void)state;
	for (size_t i = 0; i < 2; i++)
		flood(&rows[i], false);
}

/* Before our SETTINGS arrive a client can not know how many streams it may open. */
static void test_too_many_streams_at_first(void **state)
{
	(void)state;
	struct pair *pair = pair_new();
	int32_t ids[300];
	pair->at_once = false;
	nghttp2_submit_settings(pair->client, NGHTTP2_FLAG_NONE, NULL, 0);
	for (unsigned i = 0; i < 300; i++)
		ids[i] = ask_get(pair);
	talk(pair);
	assert_int_equal(pair->asked, 100);
	for (unsigned i = 0; i < 100; i++)
		reply(pair, ids[i]);
	talk(pair);
	for (unsigned i = 0; i < 300; i++) {
		assert_int_equal(told(pair, ids[i])->status, i < 100 ? 200 : 0);
		assert_int_equal(told(pair, ids[i])->code, i < 100 ? 0 : NGHTTP2_REFUSED_STREAM);
	}
	assert_int_equal(pair->feed_error, 0);
	assert_int_equal(pair->goaway_last, -1);
	pair_free(pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_trailers_end_a_body),
		cmocka_unit_test(test_many_streams_out_of_order),
		cmocka_unit_test(test_what_is_not_dns_is_400),
		cmocka_unit_test(test_early_refusal),
		cmocka_unit_test(test_late_refusal),
		cmocka_unit_test(test_frames_too_late),
		cmocka_unit_test(test_fields_too_large),
		cmocka_unit_test(test_reply_to_nobody),
		cmocka_unit_test(test_reset_while_the_reply_waits),
		cmocka_unit_test(test_free_with_open_streams),
		cmocka_unit_test(test_flow_control_holds_back),
		cmocka_unit_test(test_late_request),
		cmocka_unit_test(test_finish_lets_begun_streams_end),
		cmocka_unit_test(test_finish_when_idle),
		cmocka_unit_test(test_finish_meets_a_new_stream),
		cmocka_unit_test(test_announce_takes_what_is_on_its_way),
		cmocka_unit_test(test_announce_to_one_that_does_not_listen),
		cmocka_unit_test(test_acknowledges_what_was_not_asked),
		cmocka_unit_test(test_client_says_goodbye),
		cmocka_unit_test(test_broken_protocol_is_the_end),
		cmocka_unit_test(test_no_http2_at_all),
		cmocka_unit_test(test_floods),
		cmocka_unit_test(test_floods_of_slow_questions),
		cmocka_unit_test(test_too_many_streams_at_first),
	};
	for (size_t i = 0; i < sizeof answer; i++)
		answer[i] = (uint8_t)(i * 7 + 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
