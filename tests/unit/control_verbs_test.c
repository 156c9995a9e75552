#include "proxy/control/control_verbs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>

#include "dns/name.h"

/* A cache that remembers what it was told to forget. */
static char flushed[DNS_NAME_TEXT_MAX + 16];
static size_t entries;

static size_t flush(void *context, struct slice name, bool below)
{
	char text[DNS_NAME_TEXT_MAX];
	assert_string_equal(context, "context");
	assert_int_equal(dns_name_check(name), name.len);
	snprintf(flushed, sizeof flushed, "%s%s", dns_name_text(name, text), below ? " below" : "");
	return entries;
}

static const char *run(const struct control_source *source, const char *line, size_t capacity)
{
	static char text[CONTROL_ANSWER_MAX + 1];
	struct control_request request;
	struct writer answer = writer_of(text, capacity);
	assert_true(control_request_read(&request, slice_of_text(line)));
	control_verbs_run(source, &request, &answer);
	assert_false(answer.failed);
	assert_int_equal(answer.capacity, capacity);
	text[answer.len] = '\0';
	return text;
}

static void verbs_do_what_they_are_told(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		const char *flushed;
		size_t entries;
		const char *answer;
	} rows[] = {
		{ "flush name www.Example.", "www.example.", 1, "1 entry flushed\nok\n" },
		{ "flush name www.example", "www.example.", 0, "0 entries flushed\nok\n" },
		{ "flush below example.", "example. below", 12, "12 entries flushed\nok\n" },
		{ "flush name \\065\\032b.", "a\\032b.", 2, "2 entries flushed\nok\n" },
		{ "flush name .", ".", 2, "2 entries flushed\nok\n" },
		{ "flush below .", ". below", 2, "2 entries flushed\nok\n" },
		{ "flush all", ". below", 3, "3 entries flushed\nok\n" },
		{ "flush", "", 0, "error: flush takes \"name NAME\", \"below NAME\" or \"all\"\n" },
		{ "flush www.example", "", 0,
			"error: flush takes \"name NAME\", \"below NAME\" or \"all\"\n" },
		{ "flush name", "", 0, "error: flush takes one name, or \"all\" without one\n" },
		{ "flush name a b", "", 0,
			"error: flush takes one name, or \"all\" without one\n" },
		{ "flush all a", "", 0, "error: flush takes one name, or \"all\" without one\n" },
		{ "flush name a..b", "", 0, "error: not a domain name\n" },
		{ "flush name \\", "", 0, "error: not a domain name\n" },
		{ "FLUSH all", "", 0, "error: unknown verb\n" },
		{ "flushall", "", 0, "error: unknown verb\n" },
	};
	const struct control_source source = { .flush = flush,
		.context = (void *)(uintptr_t) "context" };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		flushed[0] = '\0';
		entries = rows[i].entries;
		const char *answer = run(&source, rows[i].line, CONTROL_ANSWER_MAX);
		if (strcmp(answer, rows[i].answer) != 0 || strcmp(flushed, rows[i].flushed) != 0)
			fail_msg("%s: \"%s\" flushed, says %s", rows[i].line, flushed, answer);
	}
}

static void without_a_cache_there_is_nothing_to_flush(void **state)
{
	(void)state;
	const struct control_source source = { .flush = NULL };
	assert_string_equal(
		run(&source, "flush all", CONTROL_ANSWER_MAX), "error: there is no cache\n");
}

/* What does not fit is not told in part. */
static void a_long_answer_is_an_error(void **state)
{
	(void)state;
	const struct control_source source = { .flush = flush,
		.context = (void *)(uintptr_t) "context" };
	static const char fits[] = "100000000000 entries flushed\nok\n";
	entries = 100000000000;
	assert_string_equal(run(&source, "flush all", 40), fits);
	assert_string_equal(run(&source, "flush all", sizeof fits - 1), fits);
	assert_string_equal(
		run(&source, "flush all", sizeof fits - 2), "error: the answer is too long\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verbs_do_what_they_are_told),
		cmocka_unit_test(without_a_cache_there_is_nothing_to_flush),
		cmocka_unit_test(a_long_answer_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
