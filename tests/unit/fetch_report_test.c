#include "proxy/lists/fetch_report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* Fresh memory, so that a read past the end is seen. */
static bool read_text(struct fetch_report *report, const char *text, size_t len)
{
	uint8_t *copy = test_malloc(len + 1);
	memcpy(copy, text, len);
	bool good = fetch_report_read(report, slice_of(copy, len));
	test_free(copy);
	return good;
}

static struct slice write_to(char buffer[FETCH_REPORT_MAX], const struct fetch_report *report)
{
	struct writer to = writer_of(buffer, FETCH_REPORT_MAX);
	fetch_report_write(&to, report);
	assert_false(to.failed);
	return writer_slice(&to);
}

static const char good[] = "fault none\n"
			   "not-modified no\n"
			   "body-len 1234\n"
			   "etag \"abc\"\n"
			   "last-modified Wed, 21 Oct 2015 07:28:00 GMT\n"
			   "content-type text/plain; charset=utf-8\n"
			   "why \n";

static void a_report_is_its_text(void **state)
{
	(void)state;
	const struct fetch_report report = { .body_len = 1234,
		.etag = "\"abc\"",
		.last_modified = "Wed, 21 Oct 2015 07:28:00 GMT",
		.content_type = "text/plain; charset=utf-8" };
	struct fetch_report read;
	char buffer[FETCH_REPORT_MAX];
	struct slice text = write_to(buffer, &report);
	assert_int_equal(text.len, strlen(good));
	assert_memory_equal(text.at, good, text.len);
	assert_true(read_text(&read, buffer, text.len));
	assert_int_equal(read.fault, LIST_FAULT_NONE);
	assert_false(read.not_modified);
	assert_int_equal(read.body_len, 1234);
	assert_string_equal(read.etag, report.etag);
	assert_string_equal(read.last_modified, report.last_modified);
	assert_string_equal(read.content_type, report.content_type);
	assert_string_equal(read.why, "");
}

static void every_fault_comes_back(void **state)
{
	(void)state;
	for (unsigned fault = LIST_FAULT_NONE; fault < LIST_FAULT_COUNT; fault++) {
		const struct fetch_report report = { .fault = (enum list_fault)fault,
			.why = "because" };
		struct fetch_report read;
		char buffer[FETCH_REPORT_MAX];
		struct slice text = write_to(buffer, &report);
		assert_true(read_text(&read, buffer, text.len));
		assert_int_equal(read.fault, fault);
		assert_string_equal(read.why, "because");
	}
}

static void the_longest_fits(void **state)
{
	(void)state;
	struct fetch_report report = { .fault = LIST_FAULT_CANARY_MISSING, .body_len = INT64_MAX };
	struct fetch_report read;
	char buffer[FETCH_REPORT_MAX];
	memset(report.etag, 'e', FETCH_TAG_MAX - 1);
	memset(report.last_modified, 'm', FETCH_TAG_MAX - 1);
	memset(report.content_type, 'c', FETCH_TAG_MAX - 1);
	memset(report.why, 'w', FETCH_WHY_MAX - 1);
	struct slice text = write_to(buffer, &report);
	assert_true(read_text(&read, buffer, text.len));
	assert_memory_equal(&read, &report, sizeof report);
}

/* A server's words cannot add a line, nor reach a terminal. */
static void only_printable_is_written(void **state)
{
	(void)state;
	const struct fetch_report report = { .fault = LIST_FAULT_HTTP,
		.etag = "\"a\"\nfault none",
		.content_type = "text\x1b[31m\r\n",
		.why = "caf\xc3\xa9" };
	struct fetch_report read;
	char buffer[FETCH_REPORT_MAX];
	struct slice text = write_to(buffer, &report);
	assert_true(read_text(&read, buffer, text.len));
	assert_int_equal(read.fault, LIST_FAULT_HTTP);
	assert_string_equal(read.etag, "\"a\"?fault none");
	assert_string_equal(read.content_type, "text?[31m??");
	assert_string_equal(read.why, "caf??");
}

static void half_a_report_is_none(void **state)
{
	(void)state;
	struct fetch_report read;
	for (size_t len = 0; len < strlen(good); len++)
		assert_false(read_text(&read, good, len));
	assert_true(read_text(&read, good, strlen(good)));
	assert_false(read_text(&read, good, sizeof good)); /* the NUL is too much */
}

#define REST "etag \nlast-modified \ncontent-type \n"

static void what_is_no_report(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{ "fault none\nnot-modified no\nbody-len 0\n" REST "why \n", true },
		{ "fault none\nnot-modified yes\nbody-len 0\n" REST "why \n", true },
		{ "fault timeout\nnot-modified no\nbody-len 7\n" REST "why late\n", true },
		/* a fault without a sentence; a body that is not there */
		{ "fault timeout\nnot-modified no\nbody-len 0\n" REST "why \n", false },
		{ "fault timeout\nnot-modified yes\nbody-len 0\n" REST "why late\n", false },
		{ "fault none\nnot-modified yes\nbody-len 1\n" REST "why \n", false },
		/* words that there are not */
		{ "fault \nnot-modified no\nbody-len 0\n" REST "why \n", false },
		{ "fault None\nnot-modified no\nbody-len 0\n" REST "why \n", false },
		{ "fault aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
		  "not-modified no\nbody-len 0\n" REST "why \n",
			false },
		{ "fault none\nnot-modified 0\nbody-len 0\n" REST "why \n", false },
		/* numbers */
		{ "fault none\nnot-modified no\nbody-len \n" REST "why \n", false },
		{ "fault none\nnot-modified no\nbody-len -1\n" REST "why \n", false },
		{ "fault none\nnot-modified no\nbody-len 1k\n" REST "why \n", false },
		{ "fault none\nnot-modified no\nbody-len 9999999999999999999\n" REST "why \n",
			true },
		{ "fault none\nnot-modified no\nbody-len 18446744073709551616\n" REST "why \n",
			false },
		/* order, repetition, form */
		{ "not-modified no\nfault none\nbody-len 0\n" REST "why \n", false },
		{ "fault none\nfault none\nnot-modified no\nbody-len 0\n" REST "why \n", false },
		{ "fault none\nnot-modified no\nbody-len 0\n" REST "why \nwhy \n", false },
		{ "fault none\nnot-modified no\nbody-len 0\n" REST "why\n", false },
		{ "fault none\r\nnot-modified no\nbody-len 0\n" REST "why \n", false },
		{ " fault none\nnot-modified no\nbody-len 0\n" REST "why \n", false },
		{ "fault none\nnot-modified no\nbody-len 0\n" REST "why a\tb\n", false },
		{ "fault none\nnot-modified no\nbody-len 0\n" REST "why \x7f\n", false },
		{ "fault none\nnot-modified no\nbody-len 0\n" REST "why \xe9\n", false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fetch_report read;
		if (read_text(&read, rows[i].text, strlen(rows[i].text)) != rows[i].good)
			fail_msg("row %zu: %s", i, rows[i].text);
	}
}

static void texts_have_an_end(void **state)
{
	(void)state;
	struct fetch_report read;
	char text[1024];
	for (int len = FETCH_TAG_MAX - 2; len < FETCH_TAG_MAX + 2; len++) {
		int total = snprintf(text, sizeof text,
			"fault none\nnot-modified no\nbody-len 0\netag %0*d\n"
			"last-modified \ncontent-type \nwhy \n",
			len, 0);
		assert_int_equal(read_text(&read, text, (size_t)total), len < FETCH_TAG_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_report_is_its_text),
		cmocka_unit_test(every_fault_comes_back),
		cmocka_unit_test(the_longest_fits),
		cmocka_unit_test(only_printable_is_written),
		cmocka_unit_test(half_a_report_is_none),
		cmocka_unit_test(what_is_no_report),
		cmocka_unit_test(texts_have_an_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
