/* Which HTTP a connection speaks: by ALPN, or by its first bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "base/error.h"
#include "proxy/framing/framer.h"

#define PREFACE  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define SETTINGS "\0\0\0\4\0\0\0\0\0"
#define GET      "GET /dns-query?dns=AAAA HTTP/1.1\r\nHost: x\r\n\r\n"
#define POST                                                                                       \
	"POST /dns-query HTTP/1.1\r\nHost: x\r\nContent-Type: application/dns-message\r\n"         \
	"Content-Length: 3\r\n\r\nabc"

static unsigned asked;

static void on_message(
	void *host, int32_t stream, const struct framer_claims *claims, struct slice message)
{
	(void)host;
	(void)claims;
	assert_int_equal(stream, 1);
	assert_int_equal(message.len, 3);
	asked++;
}

static void on_status(void *host, enum http_method method, unsigned status)
{
	(void)host;
	(void)method;
	(void)status;
}

static void on_abandoned(void *host, int32_t stream)
{
	(void)host;
	(void)stream;
}

static void on_reset_flood(void *host)
{
	(void)host;
}

static const struct framer_events events = { on_message, on_status, on_abandoned, on_reset_flood };

static struct framer *begin(void)
{
	const struct framer_settings settings = {
		.events = &events, .path = "/dns-query", .requests_max = 4
	};
	struct framer *framer = framer_doh.open(&settings);
	assert_non_null(framer);
	asked = 0;
	return framer;
}

/* What it says: HTTP/2 begins with SETTINGS of its own, HTTP/1.1 with a status line. */
enum spoken { NOTHING, ONE, TWO };

static enum spoken drain(struct framer *framer)
{
	uint8_t bytes[4096] = { 0 };
	size_t len = framer_doh.drain(framer, bytes, sizeof bytes);
	if (len == 0)
		return NOTHING;
	if (len >= 9 && memcmp(bytes, "HTTP/1.1 ", 9) == 0)
		return ONE;
	assert_true(len >= 9);
	assert_int_equal(bytes[3], 4); /* SETTINGS */
	return TWO;
}

#define TEXT(text)                                                                                 \
	{                                                                                          \
		(const uint8_t *)(text), sizeof(text) - 1                                          \
	}

static void clear_text(void **state)
{
	static const struct {
		struct slice bytes;
		enum spoken spoken;
		unsigned asked;
	} rows[] = {
		{ TEXT(PREFACE SETTINGS), TWO, 0 },
		{ TEXT(PREFACE), TWO, 0 },
		{ TEXT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r"), NOTHING, 0 },
		{ TEXT("PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n"), ONE, 0 },
		{ TEXT("PRI * HTTP/1.1\r\n\r\n"), ONE, 0 },
		{ TEXT("P"), NOTHING, 0 },
		{ TEXT("X\n"), ONE, 0 },
		{ TEXT(GET), NOTHING, 1 },
		{ TEXT(POST), NOTHING, 1 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t step = 1; step <= 30; step++) {
			struct framer *framer = begin();
			assert_int_equal(framer_doh.late_request(framer), 0);
			for (size_t at = 0; at < rows[i].bytes.len; at += step) {
				size_t len = rows[i].bytes.len - at;
				len = len < step ? len : step;
				uint8_t *piece = malloc(len);
				memcpy(piece, rows[i].bytes.at + at, len);
				assert_int_equal(framer_doh.feed(framer, slice_of(piece, len)), 0);
				free(piece);
				if (at + len < 4)
					assert_true(framer_doh.queued(framer) > 0 ||
						framer_doh.late_request(framer) == 1);
			}
			assert_int_equal(drain(framer), rows[i].spoken);
			assert_int_equal(asked, rows[i].asked);
			framer_doh.free(framer);
		}
}

static void by_alpn(void **state)
{
	static const struct {
		const char *protocol;
		struct slice bytes;
		enum spoken spoken;
		unsigned asked;
		int error;
	} rows[] = {
		{ "h2", TEXT(PREFACE SETTINGS), TWO, 0, 0 },
		{ "h2", TEXT(GET), TWO, 0, ERR_MALFORMED },
		{ "http/1.1", TEXT(GET), NOTHING, 1, 0 },
		{ "http/1.1", TEXT(PREFACE SETTINGS), ONE, 0, 0 },
		{ "", TEXT(POST), NOTHING, 1, 0 },
		{ "", TEXT(PREFACE SETTINGS), ONE, 0, 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct framer *framer = begin();
		framer_doh.agree(framer, slice_of_text(rows[i].protocol));
		assert_int_equal(framer_doh.feed(framer, rows[i].bytes), rows[i].error);
		assert_int_equal(drain(framer), rows[i].spoken);
		assert_int_equal(asked, rows[i].asked);
		framer_doh.free(framer);
	}
}

/* Before, and after it is known which. */
static void goodbye(void **state)
{
	(void)state;
	struct framer *framer = begin();
	assert_false(framer_doh.is_finished(framer));
	assert_int_equal(framer_doh.queued(framer), 0);
	framer_doh.finish(framer);
	assert_true(framer_doh.is_finished(framer));
	assert_int_equal(framer_doh.feed(framer, slice_of_text(GET)), 0);
	assert_int_equal(asked, 0);
	assert_true(framer_doh.is_finished(framer));
	framer_doh.free(framer);

	framer = begin();
	assert_int_equal(framer_doh.feed(framer, slice_of_text(GET)), 0);
	framer_doh.finish(framer);
	assert_false(framer_doh.is_finished(framer));
	assert_int_equal(framer_doh.reply(framer, 1, slice_of_text("abc"), 0), 0);
	assert_int_equal(drain(framer), ONE);
	assert_true(framer_doh.is_finished(framer));
	framer_doh.free(framer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clear_text),
		cmocka_unit_test(by_alpn),
		cmocka_unit_test(goodbye),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
