/* DNS over HTTPS over HTTP/1.1, bytes in and bytes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "base/error.h"
#include "proxy/framing/doh_message.h"
#include "proxy/framing/framer.h"

enum { REQUESTS_MAX = 4, ASKED_MAX = 512 };

/* RFC 8484 4.1.1: www.example.com. */
#define ENCODED "AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB"
#define TARGET  "/dns-query?dns=" ENCODED
#define HOST    "Host: x\r\n"
#define GET     "GET " TARGET " HTTP/1.1\r\n" HOST
#define TYPE    "Content-Type: application/dns-message\r\n"
#define POST    "POST /dns-query HTTP/1.1\r\n" HOST TYPE

static const uint8_t question[] = "\0\0\1\0\0\1\0\0\0\0\0\0\3www\7example\3com\0\0\1\0\1";
enum { QUESTION_LEN = sizeof question - 1 };

/* A message that HTTP may carry like any other, in letters: what is not DNS is not known here. */
#define LETTERS "abcdefghij"

struct talk {
	struct framer *framer;
	char said[64 * 1024]; /* what the client got; NULs as '.' */
	size_t said_len;
	int32_t asked[ASKED_MAX];
	unsigned asked_count;
	char message[64]; /* the last one */
	size_t message_len;
	char token[64];
	unsigned abandoned;
	unsigned statuses;
	bool at_once; /* the host replies inside of on_message */
	size_t step;
	int error;
};

static void reply(struct talk *talk, int32_t id, const char *text)
{
	assert_int_equal(0, framer_doh1.reply(talk->framer, id, slice_of_text(text), 60));
}

static void on_message(
	void *host, int32_t stream, const struct framer_claims *claims, struct slice message)
{
	struct talk *talk = host;
	assert_true(talk->asked_count < ASKED_MAX);
	talk->asked[talk->asked_count++] = stream;
	talk->message_len = message.len;
	if (message.len <= sizeof talk->message)
		memcpy(talk->message, message.at, message.len);
	snprintf(talk->token, sizeof talk->token, "%.*s", (int)claims->token.len,
		claims->token.len ? (const char *)claims->token.at : "");
	if (talk->at_once)
		reply(talk, stream, "at once");
}

static void on_status(void *host, enum http_method method, unsigned status)
{
	struct talk *talk = host;
	assert_in_range(method, 0, HTTP_METHOD_COUNT - 1);
	assert_true(status >= 200);
	talk->statuses++;
}

static void on_abandoned(void *host, int32_t stream)
{
	struct talk *talk = host;
	assert_true(stream > 0);
	talk->abandoned++;
}

static void on_reset_flood(void *host)
{
	(void)host;
	fail();
}

static const struct framer_events events = { on_message, on_status, on_abandoned, on_reset_flood };

static struct talk *talk_new(void)
{
	struct talk *talk = calloc(1, sizeof *talk);
	assert_non_null(talk);
	const struct framer_settings settings = {
		.events = &events,
		.host = talk,
		.path = "/dns-query",
		.requests_max = REQUESTS_MAX,
		.wants_json = true,
	};
	talk->framer = framer_doh1.open(&settings);
	assert_non_null(talk->framer);
	return talk;
}

static void talk_free(struct talk *talk)
{
	framer_doh1.free(talk->framer);
	free(talk);
}

static void drain(struct talk *talk)
{
	uint8_t piece[7];
	size_t len;
	while ((len = framer_doh1.drain(talk->framer, piece, sizeof piece)) > 0)
		for (size_t i = 0; i < len; i++) {
			assert_true(talk->said_len + 1 < sizeof talk->said);
			talk->said[talk->said_len++] = piece[i] ? (char)piece[i] : '.';
		}
	talk->said[talk->said_len] = '\0';
	assert_int_equal(framer_doh1.queued(talk->framer), 0);
}

/* In pieces of talk->step bytes (0: one piece), each exactly as long as it is told. */
static void feed(struct talk *talk, struct slice bytes)
{
	size_t step = talk->step ? talk->step : bytes.len;
	for (size_t at = 0; at < bytes.len && !talk->error; at += step) {
		size_t len = bytes.len - at < step ? bytes.len - at : step;
		uint8_t *piece = malloc(len);
		memcpy(piece, bytes.at + at, len);
		talk->error = framer_doh1.feed(talk->framer, slice_of(piece, len));
		free(piece);
	}
	drain(talk);
}

static void say(struct talk *talk, const char *text)
{
	feed(talk, slice_of_text(text));
}

/* What was said since the last time. */
static const char *heard(struct talk *talk)
{
	static char text[sizeof talk->said];
	drain(talk);
	memcpy(text, talk->said, talk->said_len + 1);
	talk->said_len = 0;
	return text;
}

#define OK_HEAD                                                                                    \
	"HTTP/1.1 200 OK\r\ncontent-type: application/dns-message\r\n"                             \
	"cache-control: private, max-age=60\r\n"

/* ---- */

static void a_question_and_its_answer(void **state)
{
	static const struct {
		const char *request, *head, *body;
	} rows[] = {
		{ GET "\r\n", OK_HEAD "content-length: 5\r\n\r\n", "reply" },
		{ POST "Content-Length: 10\r\n\r\n" LETTERS, OK_HEAD "content-length: 5\r\n\r\n",
			"reply" },
		{ POST "Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n006;x=\"y\"\r\nefghij\r\n"
		       "0\r\n"
		       "Trailer: x\r\n\r\n",
			OK_HEAD "content-length: 5\r\n\r\n", "reply" },
		{ "HEAD " TARGET " HTTP/1.1\r\n" HOST "\r\n", OK_HEAD "content-length: 5\r\n\r\n",
			"" },
		{ GET "Connection: close\r\n\r\n",
			OK_HEAD "content-length: 5\r\nconnection: close\r\n\r\n", "reply" },
		{ GET "Connection: x, Close\r\n\r\n",
			OK_HEAD "content-length: 5\r\nconnection: close\r\n\r\n", "reply" },
		{ "GET " TARGET " HTTP/1.0\r\n\r\n",
			OK_HEAD "content-length: 5\r\nconnection: close\r\n\r\n", "reply" },
		{ "GET " TARGET " HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
			OK_HEAD "content-length: 5\r\nconnection: keep-alive\r\n\r\n", "reply" },
		{ GET "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n",
			OK_HEAD "content-length: 5\r\n\r\n", "reply" },
	};
	(void)state;
	static const size_t steps[] = { 0, 1, 2, 7 };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
			struct talk *talk = talk_new();
			char wanted[512];
			bool is_get = strncmp(rows[i].request, "POST", 4) != 0;
			snprintf(wanted, sizeof wanted, "%s%s", rows[i].head, rows[i].body);
			talk->step = steps[k];
			say(talk, rows[i].request);
			assert_int_equal(talk->asked_count, 1);
			assert_int_equal(
				talk->message_len, is_get ? (size_t)QUESTION_LEN : strlen(LETTERS));
			assert_memory_equal(talk->message,
				is_get ? (const char *)question : LETTERS, talk->message_len);
			assert_string_equal(heard(talk), "");
			assert_int_equal(framer_doh1.late_request(talk->framer), 0);
			bool ends = strstr(rows[i].head, "close") != NULL;
			assert_false(framer_doh1.is_finished(talk->framer));
			reply(talk, talk->asked[0], "reply");
			assert_string_equal(heard(talk), wanted);
			assert_int_equal(framer_doh1.is_finished(talk->framer), ends);
			assert_int_equal(talk->error, 0);
			if (!ends) { /* as good as before */
				say(talk, GET "\r\n");
				assert_int_equal(talk->asked_count, 2);
			}
			talk_free(talk);
		}
}

static void what_is_refused(void **state)
{
	/* `goes_on`: the request after it is answered. */
	static const struct {
		const char *request;
		unsigned status;
		bool goes_on;
	} rows[] = {
		/* what is no question: as over HTTP/2 */
		{ "GET /dns-query HTTP/1.1\r\n" HOST "\r\n", 400, true },
		{ "GET /dns-query?dns=!! HTTP/1.1\r\n" HOST "\r\n", 400, true },
		{ "GET /other HTTP/1.1\r\n" HOST "\r\n", 404, true },
		{ "GET / HTTP/1.1\r\n" HOST "\r\n", 404, true },
		{ "PUT " TARGET " HTTP/1.1\r\n" HOST "\r\n", 405, true },
		{ "OPTIONS " TARGET " HTTP/1.1\r\n" HOST "\r\n", 405, true },
		{ POST "\r\n", 400, true },
		{ POST "Content-Length: 0\r\n\r\n", 400, true },
		{ POST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, true },
		{ "POST /dns-query HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc", 415, true },
		{ "POST /dns-query HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\n"
		  "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
			415, true },
		{ "POST /x HTTP/1.1\r\n" HOST TYPE "Content-Length: 3\r\n\r\nabc", 404, true },
		{ "BREW " TARGET " HTTP/1.1\r\n" HOST "\r\n", 501, false },
		{ POST "Content-Length: 65536\r\n\r\n", 413, false },
		{ POST "Content-Length: 65536\r\nExpect: 100-continue\r\n\r\n", 413, false },
		{ "POST /dns-query HTTP/1.1\r\n" HOST
		  "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n",
			415, false },
		{ POST "Connection: close\r\nContent-Length: 0\r\n\r\n", 400, false },
		/* what has two meanings (RFC 9112 11.2) */
		{ POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
			false },
		{ POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400,
			false },
		{ POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400, false },
		{ POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400, false },
		{ POST "Content-Length: 3, 3\r\n\r\nabc", 400, false },
		{ POST "Content-Length: +3\r\n\r\nabc", 400, false },
		{ POST "Content-Length : 3\r\n\r\nabc", 400, false },
		{ POST "Transfer-Encoding: chunked, gzip\r\n\r\n", 400, false },
		{ POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, false },
		{ POST "Transfer-Encoding: xchunked\r\n\r\n", 400, false },
		{ POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
			false },
		{ POST "Transfer-Encoding:\r\n chunked\r\n\r\n", 400, false },
		{ "POST /dns-query HTTP/1.0\r\n" TYPE "Transfer-Encoding: chunked\r\n\r\n", 400,
			false },
		{ POST "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n", 400, false },
		{ POST "Transfer-Encoding: chunked\r\n\r\n 3\r\nabc\r\n0\r\n\r\n", 400, false },
		{ POST "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n", 400, false },
		{ POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", 400, false },
		{ POST "Transfer-Encoding: chunked\r\n\r\n123456789\r\n", 400, false },
		{ POST "Transfer-Encoding: chunked\r\n\r\n10000\r\n", 0,
			false }, /* waits for more */
		{ GET "X: a\r\n b\r\n\r\n", 400, false },
		{ GET "X: a\nY: b\r\n\r\n", 400, false },
		{ GET "X: a\rY: b\r\n\r\n", 400, false },
		{ "GET ftp://x" TARGET " HTTP/1.1\r\n" HOST "\r\n", 400, false },
		{ "GET " TARGET " HTTP/1.1\r\n\r\n", 400, false },
		{ "GET " TARGET " HTTP/1.1\r\n" HOST HOST "\r\n", 400, false },
		{ "GET " TARGET " HTTP/2.0\r\n" HOST "\r\n", 505, false },
		{ "PRI * HTTP/2.0\r\n\r\n", 505, false },
		{ "\x16\x03\x01\x02\x01\xfc\x03\x03\r\n\r\n", 400, false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t step = 0; step < 2; step++) {
			struct talk *talk = talk_new();
			char line[32] = "";
			talk->step = step;
			say(talk, rows[i].request);
			if (rows[i].status)
				snprintf(line, sizeof line, "HTTP/1.1 %u ", rows[i].status);
			const char *said = heard(talk);
			if (strncmp(said, line, strlen(line)) != 0 || (*said && !*line))
				fail_msg("row %zu: \"%s\"", i, said);
			assert_int_equal(talk->asked_count, 0);
			assert_int_equal(talk->statuses, rows[i].status != 0);
			assert_int_equal(strstr(said, "allow: GET, HEAD, POST\r\n") != NULL,
				rows[i].status == 405);
			if (rows[i].status)
				assert_int_equal(strstr(said, "connection: close\r\n") == NULL,
					rows[i].goes_on);
			/* What a smuggler hides behind it is not read. */
			say(talk, GET "\r\n");
			assert_int_equal(talk->asked_count, rows[i].goes_on);
			if (rows[i].status)
				assert_int_equal(
					framer_doh1.is_finished(talk->framer), !rows[i].goes_on);
			assert_int_equal(talk->error, 0);
			talk_free(talk);
		}
}

static void bodies_have_an_end(void **state)
{
	(void)state;
	for (unsigned chunked = 0; chunked < 2; chunked++)
		for (size_t extra = 0; extra < 2; extra++) {
			struct talk *talk = talk_new();
			static char piece[DOH_MESSAGE_MAX + 1];
			memset(piece, 'x', sizeof piece);
			size_t len = DOH_MESSAGE_MAX + extra;
			char head[256];
			snprintf(head, sizeof head,
				chunked ? POST "Transfer-Encoding: chunked\r\n\r\n%zx\r\n"
					: POST "Content-Length: %zu\r\n\r\n",
				len);
			talk->step = 4096;
			say(talk, head);
			feed(talk, slice_of(piece, len));
			say(talk, chunked ? "\r\n0\r\n\r\n" : "");
			assert_int_equal(talk->asked_count, !extra);
			assert_int_equal(strncmp(heard(talk), "HTTP/1.1 413 ", 13) == 0, extra);
			talk_free(talk);
		}
}

static void answers_come_in_the_order_of_requests(void **state)
{
	(void)state;
	struct talk *talk = talk_new();
	say(talk,
		GET "\r\n" GET "\r\n"
		    "GET /nothing HTTP/1.1\r\n" HOST "\r\n" GET "\r\n");
	assert_int_equal(talk->asked_count, 3);
	assert_string_equal(heard(talk), "");
	reply(talk, talk->asked[2], "third");
	reply(talk, talk->asked[1], "second");
	reply(talk, talk->asked[1], "again"); /* it has one already */
	assert_string_equal(heard(talk), "");
	reply(talk, talk->asked[0], "first");
	const char *said = heard(talk);
	const char *first = strstr(said, "first"), *second = strstr(said, "second");
	const char *missing = strstr(said, "404 Not Found"), *third = strstr(said, "third");
	assert_true(first && first < second && second < missing && missing < third);
	assert_null(strstr(said, "again"));
	talk_free(talk);
}

/* Who sends more than is read ahead: what is beyond waits, unread and uncounted. */
static void requests_ahead_are_bounded(void **state)
{
	(void)state;
	for (unsigned at_once = 0; at_once < 2; at_once++) {
		struct talk *talk = talk_new();
		talk->at_once = at_once;
		for (unsigned i = 0; i < 10; i++)
			say(talk, GET "\r\n");
		say(talk, "GET /dns"); /* it is we who are slow */
		assert_int_equal(talk->asked_count, at_once ? 10 : REQUESTS_MAX);
		assert_int_equal(framer_doh1.is_full(talk->framer), !at_once);
		assert_int_equal(framer_doh1.late_request(talk->framer) != 0, at_once);
		for (unsigned i = 0; !at_once && i < 10; i++) {
			reply(talk, talk->asked[i], "x");
			assert_false(framer_doh1.is_full(talk->framer));
			assert_int_equal(framer_doh1.feed(talk->framer, slice_of(NULL, 0)), 0);
			assert_int_equal(talk->asked_count, i + 5 < 10 ? REQUESTS_MAX + 1 + i : 10);
		}
		assert_true(framer_doh1.late_request(talk->framer));
		talk_free(talk);
	}
}

/* A host that does not heed is_full(). */
static void input_has_an_end(void **state)
{
	(void)state;
	struct talk *talk = talk_new();
	for (unsigned i = 0; i < 10000 && !talk->error; i++)
		say(talk, GET "\r\n");
	assert_int_equal(talk->error, ERR_TOO_LONG);
	assert_int_equal(talk->asked_count, REQUESTS_MAX);
	talk_free(talk);
}

static void heads_have_an_end(void **state)
{
	static const struct {
		const char *line;
		bool in_one_line;
	} rows[] = { { "X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", false },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true } };
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct talk *talk = talk_new();
		say(talk, rows[i].in_one_line ? "GET /" : GET);
		size_t sent = 0;
		while (talk->said_len == 0 && sent < 100000) {
			say(talk, rows[i].line);
			sent += strlen(rows[i].line);
		}
		assert_in_range(sent, 4000, 17 * 1024);
		assert_memory_equal(heard(talk), "HTTP/1.1 431 ", 13);
		assert_true(framer_doh1.is_finished(talk->framer));
		talk_free(talk);
	}
}

static void who_waits_for_100_gets_it_in_its_turn(void **state)
{
	(void)state;
	struct talk *talk = talk_new();
	say(talk, POST "Expect: 100-continue\r\nContent-Length: 10\r\n\r\n");
	assert_string_equal(heard(talk), "HTTP/1.1 100 Continue\r\n\r\n");
	say(talk, LETTERS);
	assert_int_equal(talk->asked_count, 1);
	/* Not before the answer of the one before it. */
	say(talk, POST "Expect: 100-Continue\r\nContent-Length: 10\r\n\r\n");
	assert_string_equal(heard(talk), "");
	reply(talk, talk->asked[0], "first");
	const char *said = heard(talk);
	assert_non_null(strstr(said, "firstHTTP/1.1 100 Continue\r\n\r\n"));
	say(talk, LETTERS);
	assert_int_equal(talk->asked_count, 2);
	reply(talk, talk->asked[1], "second");
	assert_non_null(strstr(heard(talk), "second"));
	/* Nor to who does not wait, nor to HTTP/1.0. */
	say(talk, POST "Expect: 100-continue\r\nContent-Length: 10\r\n\r\n" LETTERS);
	assert_int_equal(talk->asked_count, 3);
	reply(talk, talk->asked[2], "third");
	assert_null(strstr(heard(talk), "100 Continue"));
	say(talk,
		"POST /dns-query HTTP/1.0\r\n" TYPE
		"Expect: 100-continue\r\nContent-Length: 10\r\n\r\n");
	assert_string_equal(heard(talk), "");
	talk_free(talk);
}

static void late_is_a_request_that_has_begun(void **state)
{
	static const char *const pieces[] = { "G", "ET " TARGET " HTTP/1.1\r\n", HOST, "X: y\r\n",
		"Content-Length: 3\r\n", "\r\n", "a", "b", NULL };
	(void)state;
	struct talk *talk = talk_new();
	assert_int_equal(framer_doh1.late_request(talk->framer), 0);
	for (unsigned i = 0; pieces[i]; i++) {
		say(talk, pieces[i]);
		assert_int_equal(framer_doh1.late_request(talk->framer), 1);
	}
	say(talk, "cG"); /* the end of one, the beginning of the next */
	assert_int_equal(talk->asked_count, 1);
	assert_int_equal(framer_doh1.late_request(talk->framer), 2);
	talk_free(talk);
}

static void what_has_begun_is_finished(void **state)
{
	(void)state;
	struct talk *talk = talk_new();
	framer_doh1.finish(talk->framer);
	assert_true(framer_doh1.is_finished(talk->framer));
	talk_free(talk);

	talk = talk_new();
	say(talk, GET "\r\n" POST "Content-Length: 10\r\n\r\nabcde");
	framer_doh1.finish(talk->framer);
	say(talk, "fghij" GET "\r\n");
	assert_int_equal(talk->asked_count, 2); /* the last one came too late */
	reply(talk, talk->asked[0], "first");
	assert_null(strstr(heard(talk), "connection: close"));
	reply(talk, talk->asked[1], "second");
	assert_non_null(strstr(heard(talk), "connection: close"));
	assert_true(framer_doh1.is_finished(talk->framer));
	talk_free(talk);
}

static void who_goes_leaves_nothing_behind(void **state)
{
	(void)state;
	struct talk *talk = talk_new();
	unsigned abandoned;
	say(talk, GET "\r\n" GET "\r\n" POST "Content-Length: 10\r\n\r\nabc");
	reply(talk, talk->asked[1], "an answer that waits");
	framer_doh1.reject(talk->framer, 77, 400); /* nobody */
	abandoned = talk->abandoned;
	assert_int_equal(abandoned, 0);
	framer_doh1.free(talk->framer);
	assert_int_equal(talk->abandoned, 1); /* the first; the second was answered */
	free(talk);
}

static void a_host_may_reject(void **state)
{
	(void)state;
	struct talk *talk = talk_new();
	say(talk, "GET " TARGET "&token=a%42c HTTP/1.1\r\n" HOST "\r\n" GET "\r\n");
	assert_string_equal(talk->token, ""); /* of the second */
	framer_doh1.reject(talk->framer, talk->asked[0], 403);
	assert_string_equal(heard(talk), "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
	reply(talk, talk->asked[0], "too late");
	assert_string_equal(heard(talk), "");
	talk_free(talk);
}

static void json_is_another_way_to_write_it(void **state)
{
	static const char answer[] = "\0\0\x81\x80\0\1\0\1\0\0\0\0\1a\0\0\1\0\1"
				     "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1";
	(void)state;
	struct talk *talk = talk_new();
	say(talk, "GET /dns-query?name=a&type=A HTTP/1.1\r\n" HOST "\r\n");
	assert_int_equal(talk->asked_count, 1);
	assert_int_equal(framer_doh1.reply(talk->framer, talk->asked[0],
				 slice_of(answer, sizeof answer - 1), 5),
		0);
	assert_string_equal(heard(talk),
		"HTTP/1.1 200 OK\r\ncontent-type: application/dns-json\r\n"
		"cache-control: private, max-age=5\r\ncontent-length: 163\r\n\r\n"
		"{\"Status\":0,\"RD\":true,\"RA\":true,\"AD\":false,\"CD\":false,"
		"\"Question\":[{\"name\":\"a.\",\"type\":1}],\"Answer\":[{\"name\":\"a.\","
		"\"type\":1,\"TTL\":60,\"data\":\"192.0.2.1\"}],\"TC\":false}");
	say(talk, "GET /dns-query?name=a..b HTTP/1.1\r\n" HOST "\r\n");
	assert_memory_equal(heard(talk), "HTTP/1.1 400 ", 13);
	say(talk, "GET /dns-query?name=a HTTP/1.1\r\n" HOST "\r\n");
	reply(talk, talk->asked[1], "this is no DNS");
	assert_memory_equal(heard(talk), "HTTP/1.1 500 ", 13);
	talk_free(talk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_and_its_answer),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(bodies_have_an_end),
		cmocka_unit_test(answers_come_in_the_order_of_requests),
		cmocka_unit_test(requests_ahead_are_bounded),
		cmocka_unit_test(input_has_an_end),
		cmocka_unit_test(heads_have_an_end),
		cmocka_unit_test(who_waits_for_100_gets_it_in_its_turn),
		cmocka_unit_test(late_is_a_request_that_has_begun),
		cmocka_unit_test(what_has_begun_is_finished),
		cmocka_unit_test(who_goes_leaves_nothing_behind),
		cmocka_unit_test(a_host_may_reject),
		cmocka_unit_test(json_is_another_way_to_write_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
