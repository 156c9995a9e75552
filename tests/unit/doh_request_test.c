/* Which requests are DNS queries, field by field (RFC 8484 4.1), without HTTP/2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "proxy/framing/doh_request.h"

static const char dns_type[] = "application/dns-message";

static void field(struct doh_request *request, const char *name, const char *value)
{
	doh_request_field(request, "/dns-query", slice_of_text(name), slice_of_text(value));
}

struct row {
	const char *method;
	const char *path;
	const char *type;   /* NULL: none */
	const char *length; /* NULL: none */
	size_t body_len;
	unsigned status_early;
	unsigned status;
	size_t len; /* of the message, for 200 */
};

static const struct row rows[] = {
	{ "GET", "/dns-query?dns=AAAA", NULL, NULL, 0, 200, 200, 3 },
	{ "HEAD", "/dns-query?dns=AAAA", NULL, NULL, 0, 200, 200, 3 },
	{ "GET", "/dns-query?dns=AAAA", "text/plain", NULL, 0, 200, 200, 3 },
	/* Other parameters are nothing to us; the first "dns" counts. */
	{ "GET", "/dns-query?ct=x&dns=AAAA&y", NULL, NULL, 0, 200, 200, 3 },
	{ "GET", "/dns-query?&&dns=AAAA", NULL, NULL, 0, 200, 200, 3 },
	{ "GET", "/dns-query?dns=AA&dns=AAAA", NULL, NULL, 0, 200, 200, 1 },
	{ "GET", "/dns-query?dns=!&dns=AAAA", NULL, NULL, 0, 400, 400, 0 },
	{ "GET", "/dns-query?xdns=AAAA&dnsx=AAAA", NULL, NULL, 0, 400, 400, 0 },
	{ "GET", "/dns-query?dns", NULL, NULL, 0, 200, 400, 0 },
	{ "GET", "/dns-query?dns=AAAA=", NULL, NULL, 0, 200, 200, 3 },
	{ "GET", "/dns-query?dns=A", NULL, NULL, 0, 400, 400, 0 },
	{ "GET", "/dns-query?", NULL, NULL, 0, 400, 400, 0 },
	{ "GET", "/dns-query?dns=AAAA?dns=AA", NULL, NULL, 0, 400, 400, 0 },
	/* A body of a GET means nothing (RFC 9110 9.3.1). */
	{ "GET", "/dns-query?dns=AAAA", NULL, "10", 10, 200, 200, 3 },
	{ "POST", "/dns-query", dns_type, NULL, 0, 200, 400, 0 },
	{ "POST", "/dns-query", dns_type, NULL, 12, 200, 200, 12 },
	{ "POST", "/dns-query?dns=AAAAAAAA", dns_type, NULL, 12, 200, 200, 12 },
	{ "POST", "/dns-query?dns=!", dns_type, NULL, 12, 200, 200, 12 },
	{ "POST", "/dns-query?dns=AAAA", dns_type, NULL, 0, 200, 400, 0 },
	{ "POST", "/dns-query", dns_type, NULL, 513, 200, 200, 513 },
	{ "POST", "/dns-query", dns_type, "65535", 65535, 200, 200, 65535 },
	{ "POST", "/dns-query", dns_type, NULL, 65536, 200, 413, 0 },
	{ "POST", "/dns-query", dns_type, "65536", 0, 413, 413, 0 },
	{ "POST", "/dns-query", dns_type, "18446744073709551617", 0, 413, 413, 0 },
	{ "POST", "/dns-query", "application/dns-message;", NULL, 12, 200, 200, 12 },
	{ "POST", "/dns-query", "APPLICATION/DNS-MESSAGE \t; a", NULL, 12, 200, 200, 12 },
	{ "POST", "/dns-query", "application/dns", NULL, 12, 415, 415, 0 },
	{ "POST", "/dns-query", "", NULL, 12, 415, 415, 0 },
	{ "POST", "/dns-query", " ; ", NULL, 12, 415, 415, 0 },
	{ "POST", "/dns-query", NULL, NULL, 12, 415, 415, 0 },
	/* Path before method before size before type. */
	{ "PUT", "/", NULL, "99999", 0, 404, 404, 0 },
	{ "PUT", "/dns-query", NULL, "99999", 0, 405, 405, 0 },
	{ "PATCH", "/dns-query", dns_type, NULL, 12, 405, 405, 0 },
	{ "get", "/dns-query?dns=AAAA", NULL, NULL, 0, 501, 501, 0 },
	{ "", "/dns-query?dns=AAAA", NULL, NULL, 0, 501, 501, 0 },
	{ "GET", "", NULL, NULL, 0, 404, 404, 0 },
	{ "GET", "?dns=AAAA", NULL, NULL, 0, 404, 404, 0 },
	{ "GET", "/DNS-query?dns=AAAA", NULL, NULL, 0, 404, 404, 0 },
	{ "GET", "/dns-queryx?dns=AAAA", NULL, NULL, 0, 404, 404, 0 },
	{ "GET", "/dns-query/?dns=AAAA", NULL, NULL, 0, 404, 404, 0 },
	{ "GET", "/dns-query/x/?dns=AAAA", NULL, NULL, 0, 404, 404, 0 },
	{ "GET", "/dns-query/x/y?dns=AAAA", NULL, NULL, 0, 404, 404, 0 },
	{ "GET", "/dns-query//x?dns=AAAA", NULL, NULL, 0, 404, 404, 0 },
	{ "GET", "/dns-query?dns=AAAA&token=", NULL, NULL, 0, 400, 400, 0 },
	{ "GET", "/dns-query?token&dns=AAAA", NULL, NULL, 0, 400, 400, 0 },
	{ "GET", "/dns-query?token=%4&dns=AAAA", NULL, NULL, 0, 400, 400, 0 },
	{ "POST", "/dns-query?token=%zz", dns_type, NULL, 12, 400, 400, 0 },
	{ "GET", "//dns-query?dns=AAAA", NULL, NULL, 0, 404, 404, 0 },
};

static void feed_body(struct doh_request *request, size_t len, size_t step)
{
	static uint8_t zeros[65536];
	for (size_t done = 0; done < len;) {
		size_t take = len - done < step ? len - done : step;
		doh_request_body(request, slice_of(zeros, take));
		done += take;
	}
}

static void run(const struct row *row, bool path_first, size_t step)
{
	struct doh_request request;
	doh_request_init(&request);
	if (path_first)
		field(&request, ":path", row->path);
	field(&request, ":method", row->method);
	if (!path_first)
		field(&request, ":path", row->path);
	if (row->type)
		field(&request, "content-type", row->type);
	if (row->length)
		field(&request, "content-length", row->length);
	doh_request_end_fields(&request);
	unsigned early = doh_request_status(&request, false);
	feed_body(&request, row->body_len, step);
	unsigned status = doh_request_status(&request, true);
	if (early != row->status_early || status != row->status)
		fail_msg("%s %s: %u and %u", row->method, row->path, early, status);
	if (status == 200)
		assert_int_equal(request.message.len, row->len);
	doh_request_deinit(&request);
	doh_request_deinit(&request);
}

/* --- who the client is --- */

struct said_row {
	const char *base; /* our path */
	const char *path;
	const char *segment;
	const char *token;
};

static const struct said_row said_rows[] = {
	{ "/dns-query", "/dns-query?dns=AAAA", "", "" },
	{ "/dns-query", "/dns-query/anna?dns=AAAA", "anna", "" },
	{ "/dns-query", "/dns-query/anna?token=abc&dns=AAAA", "anna", "abc" },
	{ "/dns-query", "/dns-query?dns=AAAA&token=abc", "", "abc" },
	{ "/dns-query", "/dns-query?token=abc&dns=AAAA&token=def", "", "abc" },
	{ "/dns-query", "/dns-query?xtoken=a&tokenx=b&dns=AAAA", "", "" },
	{ "/dns-query", "/dns-query?token=a=b&dns=AAAA", "", "a=b" },
	{ "/dns-query", "/dns-query?token=a+b&dns=AAAA", "", "a+b" },
	{ "/dns-query", "/dns-query?token=a%2Bb%2fc%7E&dns=AAAA", "", "a+b/c~" },
	{ "/dns-query", "/dns-query/%61?dns=AAAA", "%61", "" },
	{ "/dns-query", "/dns-query/dns-query?dns=AAAA", "dns-query", "" },
	{ "/", "/?dns=AAAA", "", "" },
	{ "/", "/anna?dns=AAAA", "anna", "" },
	{ "/a/", "/a/?dns=AAAA", "", "" },
	{ "/a/", "/a/anna?dns=AAAA", "anna", "" },
};

static void expect_said(struct slice said, const char *text)
{
	if (!slice_equals_text(said, text))
		fail_msg("\"%.*s\" instead of \"%s\"", (int)said.len, (const char *)said.at, text);
}

static void test_who_it_is(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof said_rows / sizeof *said_rows; i++) {
		const struct said_row *row = &said_rows[i];
		struct doh_request request;
		doh_request_init(&request);
		field(&request, ":method", "GET");
		doh_request_field(
			&request, row->base, slice_of_text(":path"), slice_of_text(row->path));
		assert_int_equal(doh_request_status(&request, true), 200);
		struct framer_claims said = doh_claims_said(&request.claims);
		expect_said(said.path, row->segment);
		expect_said(said.token, row->token);
		doh_request_deinit(&request);
	}
}

/* The longest that is taken, and one byte more. */
static void test_lengths_of_claims(void **state)
{
	(void)state;
	static const struct {
		const char *before;
		const char *behind;
		size_t max;
		unsigned status;
	} limits[] = {
		{ "/dns-query/", "?dns=AAAA", DOH_PATH_MAX, 404 },
		{ "/dns-query?dns=AAAA&token=", "", DOH_TOKEN_MAX, 400 },
	};
	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		for (size_t over = 0; over < 2; over++) {
			char path[512];
			snprintf(path, sizeof path, "%s%0*d%s", limits[i].before,
				(int)(limits[i].max + over), 0, limits[i].behind);
			struct doh_request request;
			doh_request_init(&request);
			field(&request, ":method", "GET");
			field(&request, ":path", path);
			assert_int_equal(
				doh_request_status(&request, true), over ? limits[i].status : 200);
			doh_request_deinit(&request);
		}
	}
}

/* Several fields of a name are one list; they are looked at where somebody wants them. */
static void test_forwarded(void **state)
{
	(void)state;
	for (unsigned wanted = 0; wanted < 2; wanted++) {
		struct doh_request request;
		doh_request_init(&request);
		request.wants_forwarded = wanted;
		field(&request, "forwarded", "for=192.0.2.1");
		field(&request, "x-forwarded-for", "192.0.2.1");
		field(&request, ":method", "GET");
		field(&request, "forwarded", "for=192.0.2.2");
		field(&request, ":path", "/dns-query?dns=AAAA");
		assert_int_equal(doh_request_status(&request, true), 200);
		struct framer_claims said = doh_claims_said(&request.claims);
		expect_said(said.forwarded, wanted ? "for=192.0.2.1, for=192.0.2.2" : "");
		expect_said(said.x_forwarded_for, wanted ? "192.0.2.1" : "");
		/* What does not fit is not half believed. */
		char value[101] = "";
		memset(value, 'x', 100);
		for (unsigned i = 0; i < 20; i++)
			field(&request, "x-forwarded-for", value);
		assert_int_equal(doh_request_status(&request, true), wanted ? 431 : 200);
		doh_request_deinit(&request);
	}
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		run(&rows[i], true, 65536);
		run(&rows[i], false, 100);
	}
}

/* RFC 9113 6.5.2: names and values and 32 each. */
static void test_field_bytes(void **state)
{
	(void)state;
	static char value[DOH_HEADER_LIST_MAX];
	memset(value, 'x', sizeof value - 1);
	for (unsigned over = 0; over < 2; over++) {
		struct doh_request request;
		doh_request_init(&request);
		field(&request, ":method", "GET");
		field(&request, ":path", "/dns-query?dns=AAAA");
		size_t left = DOH_HEADER_LIST_MAX - request.field_bytes - 32 - 1;
		doh_request_field(
			&request, "/dns-query", slice_of_text("x"), slice_of(value, left + over));
		doh_request_end_fields(&request);
		assert_int_equal(doh_request_status(&request, true), over ? 431 : 200);
		for (unsigned i = 0; i < 70000; i++)
			field(&request, ":path", value);
		assert_int_equal(doh_request_status(&request, true), 431);
		doh_request_deinit(&request);
	}
}

/* A question that a path can carry: longer than what needs no memory of its own. */
static void test_long_parameter(void **state)
{
	(void)state;
	static char path[12000] = "/dns-query?dns=";
	size_t start = strlen(path);
	memset(path + start, 'A', 8000);
	struct doh_request request;
	doh_request_init(&request);
	field(&request, ":method", "GET");
	field(&request, ":path", path);
	doh_request_end_fields(&request);
	assert_int_equal(doh_request_status(&request, true), 200);
	assert_int_equal(request.message.len, 6000);
	assert_ptr_not_equal(request.message.at, request.message.inline_bytes);
	doh_request_deinit(&request);
}

/* Only where it is spoken; "dns" goes first, and a body is a message. */
static void test_json(void **state)
{
	static const struct {
		const char *method, *path, *accept;
		unsigned status;
		bool answers_json;
		unsigned status_without; /* where it is not spoken */
	} cases[] = {
		{ "GET", "/dns-query?name=a", NULL, 200, true, 400 },
		{ "HEAD", "/dns-query?type=28&name=a", "x/y", 200, true, 400 },
		{ "GET", "/dns-query?name=a..b", NULL, 400, true, 400 },
		{ "GET", "/dns-query?type=A", NULL, 400, false, 400 },
		{ "GET", "/dns-query?name=a&dns=AAAA", NULL, 200, false, 200 },
		{ "GET", "/dns-query?dns=!&name=a", NULL, 400, false, 400 },
		{ "GET", "/dns-query?dns=AAAA", "application/dns-json", 200, true, 200 },
		{ "GET", "/dns-query?dns=AAAA", "text/html, Application/DNS-JSON;q=1", 200, true,
			200 },
		{ "GET", "/dns-query?dns=AAAA", "application/dns-json,application/dns-message", 200,
			false, 200 },
		{ "GET", "/dns-query?dns=AAAA", "application/dns-jsonx", 200, false, 200 },
		{ "POST", "/dns-query?name=a", "application/dns-json", 200, false, 200 },
		{ "GET", "/other?name=a", NULL, 404, false, 404 },
		{ "PUT", "/dns-query?name=a", NULL, 405, true, 405 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (unsigned spoken = 0; spoken < 2; spoken++) {
			struct doh_request request;
			doh_request_init(&request);
			request.wants_json = spoken;
			field(&request, ":method", cases[i].method);
			field(&request, ":path", cases[i].path);
			field(&request, "content-type", dns_type);
			if (cases[i].accept)
				field(&request, "accept", cases[i].accept);
			doh_request_end_fields(&request);
			if (request.method == HTTP_POST)
				doh_request_body(&request, slice_of_text("abc"));
			unsigned status = doh_request_status(&request, true);
			if (status != (spoken ? cases[i].status : cases[i].status_without))
				fail_msg("case %zu, spoken %u: %u", i, spoken, status);
			assert_int_equal(request.answers_json, spoken && cases[i].answers_json);
			doh_request_deinit(&request);
		}
}

static void test_answers(void **state)
{
	static const uint8_t answer[] = "\0\0\x81\x80\0\1\0\0\0\0\0\0\1a\0\0\1\0\1";
	struct slice message = slice_of(answer, sizeof answer - 1);
	char text[DOH_CACHE_CONTROL_MAX];
	(void)state;
	for (unsigned json = 0; json < 2; json++) {
		struct doh_request request;
		doh_request_init(&request);
		request.answers_json = json;
		assert_int_equal(doh_request_answer(&request, message), 200);
		assert_int_equal(request.message.at[0], json ? '{' : 0);
		assert_string_equal(doh_request_answer_type(&request),
			json ? "application/dns-json" : "application/dns-message");
		/* What is no DNS message has no JSON. */
		assert_int_equal(
			doh_request_answer(&request, slice_of_text("abc")), json ? 500 : 200);
		assert_int_equal(request.message.len, json ? 0 : 3);
		doh_request_deinit(&request);
	}
	assert_true(slice_equals_text(doh_cache_control(text, 0), "private, max-age=0"));
	assert_true(slice_equals_text(
		doh_cache_control(text, UINT32_MAX), "private, max-age=4294967295"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_who_it_is),
		cmocka_unit_test(test_lengths_of_claims),
		cmocka_unit_test(test_forwarded),
		cmocka_unit_test(test_field_bytes),
		cmocka_unit_test(test_long_parameter),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_answers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
