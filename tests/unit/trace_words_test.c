#include "proxy/explain/trace_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "proxy/explain/trace_print.h"

static void fill(struct trace *trace)
{
	struct trace_policy *policy = trace_add(trace, TRACE_POLICY);
	policy->from = "running";
	policy->revision = 7;
	policy->now_s = INT64_MAX;
	struct trace_list *list = trace_add(trace, TRACE_LIST);
	list->name = "with a blank, \\ and \x01\xff";
	list->source = "";
	list = trace_add(trace, TRACE_LIST);
	list->name = "-";
	list->source = "=";
	struct trace_rule *rule = trace_add(trace, TRACE_RULE);
	rule->is_observed = true;
	rule->priority = UINT32_MAX;
	rule->line_text = "0.0.0.0 a.test # \"quoted\"\t";
}

static void copy_by_words(struct trace *to, const struct trace *from)
{
	char line[4096];
	for (size_t i = 0;; i++) {
		struct writer writer = writer_of(line, sizeof line);
		if (!trace_words_write(&writer, from, i))
			break;
		assert_false(writer.failed);
		assert_int_equal(line[writer.len - 1], '\n');
		assert_true(trace_words_read(to, slice_of(line, writer.len - 1)));
	}
}

static char *json_of(const struct trace *trace)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	assert_non_null(to);
	trace_print_json(to, trace);
	fclose(to);
	return text;
}

static void what_is_written_is_read(void **state)
{
	(void)state;
	struct trace from = { .row_count = 0 }, to = { .row_count = 0 };
	fill(&from);
	copy_by_words(&to, &from);
	assert_int_equal(to.row_count, from.row_count);
	const struct trace_list *list = trace_row(&to, TRACE_LIST, 0);
	assert_string_equal(list->name, "with a blank, \\ and \x01\xff");
	assert_string_equal(list->source, "");
	assert_null(list->path);
	list = trace_row(&to, TRACE_LIST, 1);
	assert_string_equal(list->name, "-");
	assert_string_equal(list->source, "=");
	char *one = json_of(&from), *other = json_of(&to);
	assert_string_equal(one, other);
	free(one);
	free(other);
	trace_deinit(&from);
	trace_deinit(&to);
}

static void what_is_no_row_adds_nothing(void **state)
{
	(void)state;
	static const char *const lines[] = {
		"",
		"x",
		"99 -",
		"13",       /* a note, without its text */
		"13 a b",   /* with two */
		"13 \\0",   /* an escape that ends */
		"13 \\000", /* a NUL */
		"13 \\999",
		"4294967296 -",
		"5 0 - 0 - -",   /* a hop with a field less */
		"5 0 - 0 - - 2", /* neither true nor false */
		"5 4294967296 - 0 - - 0",
		"5 -1 - 0 - - 0",
		"0 - - 0 - - 9223372036854775808",
	};
	struct trace trace = { .row_count = 0 };
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		if (trace_words_read(&trace, slice_of_text(lines[i])))
			fail_msg("\"%s\" is a row", lines[i]);
	assert_int_equal(trace.row_count, 0);
	assert_true(trace_words_read(&trace, slice_of_text("5 0 - 0 - - 1")));
	assert_true(trace_words_read(&trace, slice_of_text("0 - - 0 - - 9223372036854775807")));
	assert_false(
		trace_words_read(&trace, slice_of_text("0 - - 0 - - 1"))); /* a second policy */
	assert_int_equal(trace.row_count, 2);
	trace_deinit(&trace);
}

static void rows_have_an_end(void **state)
{
	(void)state;
	struct trace trace = { .row_count = 0 };
	for (int i = 0; i < TRACE_ROWS_MAX; i++) {
		struct trace_note *note = trace_add(&trace, TRACE_NOTE);
		note->text = "note";
	}
	assert_false(trace.is_cut);
	struct trace_change *lost = trace_add(&trace, TRACE_CHANGE);
	assert_non_null(lost);
	lost->value = "nowhere";
	assert_true(trace.is_cut);
	assert_int_equal(trace_count(&trace, TRACE_CHANGE), 0);
	assert_null(trace_row(&trace, TRACE_CHANGE, 0));
	assert_int_equal(trace.row_count, TRACE_ROWS_MAX);
	trace_deinit(&trace);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(what_is_no_row_adds_nothing),
		cmocka_unit_test(rows_have_an_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
