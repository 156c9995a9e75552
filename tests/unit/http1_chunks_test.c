#include "proxy/framing/http1_chunks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants the above first */
#include <cmocka.h>

/* A body by `step` bytes at a time; what comes out is joined in `body`. Gives how it ended, and how
 * many bytes were taken. */
static enum http1_chunks_result take(
	const char *text, size_t step, char *body, unsigned *status, size_t *taken)
{
	struct http1_chunks chunks = { 0 };
	size_t len = strlen(text), body_len = 0;
	enum http1_chunks_result result = HTTP1_CHUNKS_MORE;
	*taken = 0;
	for (size_t at = 0; at < len && result == HTTP1_CHUNKS_MORE; at += step) {
		size_t piece = len - at < step ? len - at : step;
		uint8_t *copy = malloc(piece);
		memcpy(copy, text + at, piece);
		struct slice bytes = slice_of(copy, piece), data;
		while ((result = http1_chunks_read(&chunks, &bytes, &data, status)) ==
			HTTP1_CHUNKS_DATA) {
			assert_true(data.len > 0);
			memcpy(body + body_len, data.at, data.len);
			body_len += data.len;
		}
		*taken = at + piece - bytes.len;
		free(copy);
	}
	body[body_len] = '\0';
	return result;
}

static void bodies(void **state)
{
	static const struct {
		const char *text;
		enum http1_chunks_result result;
		const char *body; /* of one that ends */
		size_t rest;      /* bytes behind it */
	} rows[] = {
		{ "0\r\n\r\n", HTTP1_CHUNKS_END, "", 0 },
		{ "0\r\n\r\nGET /", HTTP1_CHUNKS_END, "", 5 },
		{ "3\r\nabc\r\n0\r\n\r\n", HTTP1_CHUNKS_END, "abc", 0 },
		{ "1\r\na\r\n2\r\nbc\r\n000\r\n\r\n", HTTP1_CHUNKS_END, "abc", 0 },
		{ "A\r\nabcdefghij\r\n0\r\n\r\n", HTTP1_CHUNKS_END, "abcdefghij", 0 },
		{ "a\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n", HTTP1_CHUNKS_END,
			"\r\n\r\n\r\n\r\n\r\n", 0 },
		{ "00000003\r\nabc\r\n0\r\n\r\n", HTTP1_CHUNKS_END, "abc", 0 },
		{ "3;a=b;c=\"d e\"\r\nabc\r\n0;x\r\n\r\n", HTTP1_CHUNKS_END, "abc", 0 },
		{ "0\r\nX: y\r\nContent-Length: 5\r\n\r\n", HTTP1_CHUNKS_END, "", 0 },
		{ "0\r\nX:\r\n\r\n", HTTP1_CHUNKS_END, "", 0 },
		{ "", HTTP1_CHUNKS_MORE, "", 0 },
		{ "3\r\nab", HTTP1_CHUNKS_MORE, "", 0 },
		{ "0\r\n", HTTP1_CHUNKS_MORE, "", 0 },
		{ "0\r\nX: y\r\n", HTTP1_CHUNKS_MORE, "", 0 },
		{ "\r\n", HTTP1_CHUNKS_REFUSED, "", 0 },
		{ ";x\r\n", HTTP1_CHUNKS_REFUSED, "", 0 },
		{ " 3\r\nabc", HTTP1_CHUNKS_REFUSED, "", 0 },
		{ "3 \r\nabc", HTTP1_CHUNKS_REFUSED, "", 0 },
		{ "-3\r\nabc", HTTP1_CHUNKS_REFUSED, "", 0 },
		{ "+3\r\nabc", HTTP1_CHUNKS_REFUSED, "", 0 },
		{ "0x3\r\nabc", HTTP1_CHUNKS_REFUSED, "", 0 },
		{ "3\nabc", HTTP1_CHUNKS_REFUSED, "", 0 },
		{ "3\rabc", HTTP1_CHUNKS_REFUSED, "", 0 },
		{ "3;x\nabc", HTTP1_CHUNKS_REFUSED, "", 0 },
		{ "3;\x01\r\nabc", HTTP1_CHUNKS_REFUSED, "", 0 },
		{ "100000000\r\n", HTTP1_CHUNKS_REFUSED, "", 0 },
		{ "000000003\r\n", HTTP1_CHUNKS_REFUSED, "", 0 },
		{ "3\r\nabcd", HTTP1_CHUNKS_REFUSED, "", 0 },
		{ "3\r\nabc\n0\r\n\r\n", HTTP1_CHUNKS_REFUSED, "", 0 },
		{ "3\r\nabc0\r\n\r\n", HTTP1_CHUNKS_REFUSED, "", 0 },
		{ "0\r\n\n", HTTP1_CHUNKS_REFUSED, "", 0 },
		{ "0\r\n\rx", HTTP1_CHUNKS_REFUSED, "", 0 },
		{ "0\r\n x: y\r\n\r\n", HTTP1_CHUNKS_REFUSED, "", 0 },
		{ "0\r\nX : y\r\n\r\n", HTTP1_CHUNKS_REFUSED, "", 0 },
		{ "0\r\nX\r\n\r\n", HTTP1_CHUNKS_REFUSED, "", 0 },
		{ "0\r\n: y\r\n\r\n", HTTP1_CHUNKS_REFUSED, "", 0 },
		{ "0\r\nX: y\nZ: z\r\n\r\n", HTTP1_CHUNKS_REFUSED, "", 0 },
		{ "0\r\nGET / HTTP/1.1\r\n", HTTP1_CHUNKS_REFUSED, "", 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t step = 1; step <= 20; step++) {
			char body[64];
			unsigned status = 0;
			size_t taken;
			enum http1_chunks_result result =
				take(rows[i].text, step, body, &status, &taken);
			if (result != rows[i].result)
				fail_msg("row %zu by %zu: %d", i, step, result);
			if (result == HTTP1_CHUNKS_REFUSED)
				assert_int_equal(status, 400);
			if (result != HTTP1_CHUNKS_END)
				continue;
			assert_string_equal(body, rows[i].body);
			assert_int_equal(taken, strlen(rows[i].text) - rows[i].rest);
		}
}

/* What says nothing may not be long either, also when it comes in small pieces. */
static void what_is_thrown_away_is_bounded(void **state)
{
	static const struct {
		const char *begin, *again;
		size_t most;
	} rows[] = {
		{ "1;", "xxxxxxxx", HTTP1_EXTENSIONS_MAX },
		{ "", "1;xxxxxx\r\na\r\n", HTTP1_EXTENSIONS_MAX * 2 },
		{ "0\r\n", "X: yyyyyyyyy\r\n", HTTP1_TRAILERS_MAX * 5 / 4 },
		{ "0\r\nX", "xxxxxxxx", HTTP1_TRAILERS_MAX },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct http1_chunks chunks = { 0 };
		struct slice data, bytes = slice_of_text(rows[i].begin);
		unsigned status = 0;
		enum http1_chunks_result result =
			http1_chunks_read(&chunks, &bytes, &data, &status);
		size_t sent = 0;
		while (result != HTTP1_CHUNKS_REFUSED && sent < 100000) {
			bytes = slice_of_text(rows[i].again);
			sent += bytes.len;
			while ((result = http1_chunks_read(&chunks, &bytes, &data, &status)) ==
				HTTP1_CHUNKS_DATA)
				;
		}
		assert_int_equal(status, 431);
		assert_in_range(sent, rows[i].most / 2, rows[i].most * 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies),
		cmocka_unit_test(what_is_thrown_away_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
