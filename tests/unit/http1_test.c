#include "proxy/framing/http1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#define HOST "Host: x\r\n"
#define GET  "GET / HTTP/1.1\r\n"

/* Exactly as long as the text, so that a sanitizer sees the first byte read too far. */
static struct slice keep(struct slice text)
{
	uint8_t *copy = malloc(text.len + 1);
	assert_non_null(copy);
	memcpy(copy + 1, text.at, text.len);
	return slice_of(copy + 1, text.len);
}

static void let_go(struct slice kept)
{
	free((uint8_t *)(uintptr_t)kept.at - 1);
}

static enum http1_result read_at_once(
	struct slice bytes, struct http1_request *request, unsigned *status)
{
	size_t scanned = 0;
	return http1_read(bytes, &scanned, 16, request, status);
}

static void what_is_a_request(void **state)
{
	static const struct {
		const char *text, *method, *target, *body;
		bool keep_alive;
	} cases[] = {
		{ GET HOST "\r\n", "GET", "/", "", true },
		{ "GET /a/b?c=d&%20 HTTP/1.1\r\n" HOST "\r\n", "GET", "/a/b?c=d&%20", "", true },
		{ GET HOST "Connection: close\r\n\r\n", "GET", "/", "", false },
		{ GET HOST "connection: CLOSE\r\n\r\n", "GET", "/", "", false },
		{ "GET / HTTP/1.0\r\n\r\n", "GET", "/", "", false },
		{ "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET", "/", "", true },
		{ "HEAD / HTTP/1.1\r\n" HOST "X-Y:\t z\t \r\n\r\n", "HEAD", "/", "", true },
		{ "POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc", "POST", "/", "abc",
			true },
		{ "POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "POST", "/", "", true },
		{ GET HOST "X: \xff\xfe\r\n\r\n", "GET", "/", "", true },
		{ GET "Host:\r\n\r\n", "GET", "/", "", true },
		{ GET HOST "Upgrade: h2c\r\nConnection: upgrade\r\n\r\n", "GET", "/", "", true },
		{ "DELETE /x HTTP/1.1\r\n" HOST "\r\n", "DELETE", "/x", "", true },
		{ "\r\n" GET HOST "\r\n", "GET", "/", "", true },
		{ "GET http://x/ HTTP/1.1\r\n" HOST "\r\n", "GET", "/", "", true },
		{ "GET HTTPS://[::1]:443/a?b=http://c@d HTTP/1.1\r\n" HOST "\r\n", "GET",
			"/a?b=http://c@d", "", true },
		{ "GET http://x HTTP/1.1\r\n" HOST "\r\n", "GET", "/", "", true },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct slice bytes = keep(slice_of_text(cases[i].text));
		struct http1_request request;
		unsigned status;
		enum http1_result result = read_at_once(bytes, &request, &status);
		if (result != HTTP1_REQUEST)
			fail_msg("case %zu: %d, status %u", i, result, status);
		assert_true(slice_equals_text(request.method, cases[i].method));
		assert_true(slice_equals_text(request.target, cases[i].target));
		assert_true(slice_equals_text(request.body, cases[i].body));
		assert_int_equal(request.keep_alive, cases[i].keep_alive);
		assert_int_equal(request.len, bytes.len);
		let_go(bytes);
	}
}

static void what_is_refused(void **state)
{
	static const struct {
		const char *text;
		unsigned status;
	} cases[] = {
		/* lines */
		{ "GET / HTTP/1.1\nHost: x\n\n", 400 },
		{ GET "Host: x\n\r\n", 400 },
		{ GET HOST "X: a\rb\r\n\r\n", 400 },
		{ GET HOST "X: a\r\r\n\r\n", 400 },
		{ GET HOST "X: a\r\n b\r\n\r\n", 400 },
		{ GET HOST "X: a\r\n\tb\r\n\r\n", 400 },
		{ GET " Host: x\r\n\r\n", 400 },
		{ "\r\n\r\n" GET HOST "\r\n", 400 },
		{ "\n" GET HOST "\r\n", 400 },
		{ "\r\n\r\n", 400 },
		/* request line */
		{ "GET /\r\n\r\n", 400 },
		{ "GET  / HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET / HTTP/1.1 \r\n" HOST "\r\n", 400 },
		{ " GET / HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET\t/\tHTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "G@T / HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET http:///x HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET http://u@x/ HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET http://x?y HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET ftp://x/ HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET http:/x/ HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "CONNECT x:1 HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET /\xff HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET / http/1.1\r\n" HOST "\r\n", 400 },
		{ "GET / HTTP/1.11\r\n" HOST "\r\n", 400 },
		{ "GET / HTTP/1.2\r\n" HOST "\r\n", 505 },
		{ "GET / HTTP/0.9\r\n" HOST "\r\n", 505 },
		{ "GET / HTTP/9.9\r\n\r\n", 505 },
		{ "PRI * HTTP/2.0\r\n\r\n", 505 },
		{ "BREW / HTTP/1.1\r\n" HOST "\r\n", 501 },
		{ "get / HTTP/1.1\r\n" HOST "\r\n", 501 },
		{ "\x16\x03\x01\x02\x01\xfc\x03\x03\r\n\r\n", 400 },
		/* headers */
		{ GET "\r\n", 400 },
		{ GET HOST HOST "\r\n", 400 },
		{ GET "Host : x\r\n\r\n", 400 },
		{ GET HOST ": x\r\n\r\n", 400 },
		{ GET HOST "X\r\n\r\n", 400 },
		{ GET HOST "X Y: z\r\n\r\n", 400 },
		{ GET HOST "X: \x01\r\n\r\n", 400 },
		{ GET HOST "X: \x7f\r\n\r\n", 400 },
		{ GET HOST "\xc3\xa4: z\r\n\r\n", 400 },
		/* bodies */
		{ GET HOST "Content-Length: 17\r\n\r\n", 413 },
		{ GET HOST "Content-Length: 9999999999\r\n\r\n", 413 },
		{ GET HOST "Content-Length: 999999999999999999\r\n\r\n", 413 },
		{ GET HOST "Content-Length: 18446744073709551617\r\n\r\n", 400 },
		{ GET HOST "Content-Length: -1\r\n\r\n", 400 },
		{ GET HOST "Content-Length: +1\r\n\r\nx", 400 },
		{ GET HOST "Content-Length: 0x1\r\n\r\nx", 400 },
		{ GET HOST "Content-Length: 1 1\r\n\r\nx", 400 },
		{ GET HOST "Content-Length: 1, 1\r\n\r\nx", 400 },
		{ GET HOST "Content-Length:\r\n\r\n", 400 },
		{ GET HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400 },
		{ GET HOST "Content-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400 },
		{ GET HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411 },
		{ GET HOST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501 },
		{ GET HOST "Transfer-Encoding: xchunked\r\n\r\n", 400 },
		{ GET HOST "Transfer-Encoding: chunked, gzip\r\n\r\n", 400 },
		{ GET HOST "Transfer-Encoding: chunked, chunked\r\n\r\n", 400 },
		{ GET HOST "Transfer-Encoding: chunked;x=1\r\n\r\n", 400 },
		{ GET HOST "Transfer-Encoding: chunked,\r\n\r\n", 400 },
		{ GET HOST "Transfer-Encoding: identity\r\n\r\n", 400 },
		{ GET HOST "Transfer-Encoding:\r\n\r\n", 400 },
		{ GET HOST "Transfer-Encoding: \"chunked\"\r\n\r\n", 400 },
		{ GET HOST "Transfer-Encoding: \x0b"
			   "chunked\r\n\r\n",
			400 },
		{ GET HOST "Transfer-Encoding : chunked\r\n\r\n", 400 },
		{ GET HOST "Content-Length: 1234567890123456789\r\n\r\n", 400 },
		{ GET HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx", 400 },
		{ GET HOST "Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
		{ "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct slice bytes = keep(slice_of_text(cases[i].text));
		struct http1_request request;
		unsigned status = 0;
		enum http1_result result = read_at_once(bytes, &request, &status);
		if (result != HTTP1_REFUSED || status != cases[i].status)
			fail_msg("%s: %d, status %u", cases[i].text, result, status);
		let_go(bytes);
	}
}

/* NUL bytes cannot stand in the tables above. */
static void nul_is_refused_at_once(void **state)
{
	static const char text[] = GET "Host: x\0";
	struct http1_request request;
	unsigned status;
	(void)state;
	assert_int_equal(
		read_at_once(slice_of(text, sizeof text - 1), &request, &status), HTTP1_REFUSED);
	assert_int_equal(status, 400);
}

/* Every prefix of a good request is not whole yet, however its bytes come. */
static void byte_by_byte(void **state)
{
	static const char text[] =
		"POST /x HTTP/1.1\r\n" HOST "Content-Type: application/dns-message\r\n"
		"Content-Length: 4\r\n\r\n\r\n\0\xff";
	struct slice bytes = slice_of(text, sizeof text - 1);
	struct http1_request request;
	size_t scanned = 0;
	unsigned status;
	(void)state;
	for (size_t len = 0; len < bytes.len; len++) {
		struct slice prefix = keep(slice_of(text, len));
		assert_int_equal(http1_read(prefix, &scanned, 16, &request, &status), HTTP1_MORE);
		assert_int_equal(read_at_once(prefix, &request, &status), HTTP1_MORE);
		let_go(prefix);
	}
	assert_int_equal(http1_read(bytes, &scanned, 16, &request, &status), HTTP1_REQUEST);
	assert_int_equal(request.body.len, 4);
	assert_memory_equal(request.body.at, "\r\n\0\xff", 4);
	assert_true(slice_equals_text(
		http1_header(&request, "content-type"), "application/dns-message"));
	assert_true(slice_equals_text(http1_header(&request, "HOST"), "x"));
	assert_int_equal(http1_header(&request, "accept").len, 0);
}

static void pipelined_requests_follow_each_other(void **state)
{
	static const char text[] = "GET /a HTTP/1.1\r\n" HOST "\r\n"
				   "POST /b HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nGE"
				   "GET /c HTTP/1.1\r\n" HOST "\r\nGET";
	static const char *const targets[] = { "/a", "/b", "/c" };
	struct slice bytes = slice_of(text, sizeof text - 1);
	struct http1_request request;
	unsigned status;
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(read_at_once(bytes, &request, &status), HTTP1_REQUEST);
		assert_true(slice_equals_text(request.target, targets[i]));
		bytes = slice_of(bytes.at + request.len, bytes.len - request.len);
	}
	assert_int_equal(read_at_once(bytes, &request, &status), HTTP1_MORE);
}

/* A head of exactly `len` bytes. */
static size_t head_of(char *to, size_t len)
{
	size_t at = (size_t)sprintf(to, GET HOST "X: ");
	memset(to + at, 'x', len - at - 4);
	memcpy(to + len - 4, "\r\n\r\n", 4);
	return len;
}

static void heads_have_a_limit(void **state)
{
	static char text[HTTP1_HEAD_MAX + 10];
	struct http1_request request;
	unsigned status;
	(void)state;
	size_t len = head_of(text, HTTP1_HEAD_MAX);
	assert_int_equal(read_at_once(slice_of(text, len), &request, &status), HTTP1_REQUEST);
	len = head_of(text, HTTP1_HEAD_MAX + 1);
	assert_int_equal(read_at_once(slice_of(text, len), &request, &status), HTTP1_REFUSED);
	assert_int_equal(status, 431);
	memset(text, 'x', sizeof text);
	assert_int_equal(
		read_at_once(slice_of(text, HTTP1_HEAD_MAX - 1), &request, &status), HTTP1_MORE);
	assert_int_equal(
		read_at_once(slice_of(text, HTTP1_HEAD_MAX), &request, &status), HTTP1_REFUSED);
	assert_int_equal(status, 431);
}

static void headers_have_a_limit(void **state)
{
	char text[4096] = GET HOST;
	struct http1_request request;
	unsigned status;
	(void)state;
	for (int i = 1; i < HTTP1_HEADERS_MAX; i++)
		strcat(text, "X: y\r\n");
	char *end = text + strlen(text);
	strcpy(end, "\r\n");
	assert_int_equal(read_at_once(slice_of_text(text), &request, &status), HTTP1_REQUEST);
	assert_int_equal(request.header_count, HTTP1_HEADERS_MAX);
	strcpy(end, "X: y\r\n\r\n");
	assert_int_equal(read_at_once(slice_of_text(text), &request, &status), HTTP1_REFUSED);
	assert_int_equal(status, 431);
}

/* One byte of a good request changed to every other: nothing is read beyond it, and what is taken
 * for a request still has its shape. */
static void one_wrong_byte(void **state)
{
	static const char text[] = "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab";
	size_t taken = 0;
	(void)state;
	for (size_t at = 0; at < sizeof text - 1; at++)
		for (unsigned byte = 0; byte < 256; byte++) {
			struct slice bytes = keep(slice_of(text, sizeof text - 1));
			struct http1_request request;
			unsigned status;
			((uint8_t *)(uintptr_t)bytes.at)[at] = (uint8_t)byte;
			if (read_at_once(bytes, &request, &status) == HTTP1_REQUEST) {
				assert_true(request.len <= bytes.len);
				assert_int_equal(request.target.at[0], '/');
				taken++;
			}
			let_go(bytes);
		}
	assert_in_range(taken, 500, 9000);
}

static void heads_are_written(void **state)
{
	char text[HTTP1_RESPONSE_HEAD_MAX];
	struct writer to = writer_of(text, sizeof text);
	const struct http1_response response = {
		.status = 405,
		.content_type = "text/plain",
		.allow = "GET, HEAD",
		.content_length = 18446744073709551615u,
		.time_s = 784111777, /* of RFC 9110 5.6.7 */
	};
	(void)state;
	http1_write_head(&to, &response);
	assert_false(to.failed);
	text[to.len] = '\0';
	assert_string_equal(text,
		"HTTP/1.1 405 Method Not Allowed\r\n"
		"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
		"Content-Type: text/plain\r\n"
		"Content-Length: 18446744073709551615\r\n"
		"Cache-Control: no-store\r\n"
		"X-Content-Type-Options: nosniff\r\n"
		"Allow: GET, HEAD\r\n"
		"Connection: close\r\n\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_a_request),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(nul_is_refused_at_once),
		cmocka_unit_test(byte_by_byte),
		cmocka_unit_test(pipelined_requests_follow_each_other),
		cmocka_unit_test(heads_have_a_limit),
		cmocka_unit_test(headers_have_a_limit),
		cmocka_unit_test(one_wrong_byte),
		cmocka_unit_test(heads_are_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
