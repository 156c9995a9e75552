#include "proxy/control/control_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>

static void answers_are_taken_apart(void **state)
{
	(void)state;
	static const struct {
		const char *answer;
		const char *lines; /* NULL: cut off */
		const char *error;
	} rows[] = {
		{ "ok\n", "", "" },
		{ "12 entries flushed\nok\n", "12 entries flushed\n", "" },
		{ "a\n\nok\nok\n", "a\n\nok\n", "" },
		{ "error: no\n", "", "no" },
		{ "a\nerror: no such thing\n", "a\n", "no such thing" },
		{ "", NULL, NULL },
		{ "\n", NULL, NULL },
		{ "ok", NULL, NULL },
		{ "12 entries flushed\n", NULL, NULL },
		{ "12 entries flushed\nok", NULL, NULL },
		{ "error: \n", NULL, NULL },
		{ "error:\n", NULL, NULL },
		{ "not ok\n", NULL, NULL },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct control_answer answer;
		bool whole = control_client_read(&answer, slice_of_text(rows[i].answer));
		if (whole != (rows[i].lines != NULL))
			fail_msg("row %zu", i);
		if (whole &&
			(!slice_equals_text(answer.lines, rows[i].lines) ||
				!slice_equals_text(answer.error, rows[i].error)))
			fail_msg("row %zu: \"%.*s\"", i, (int)answer.error.len,
				(const char *)answer.error.at);
	}
}

static void says_why_nobody_answers(void **state)
{
	(void)state;
	static uint8_t buffer[CONTROL_ANSWER_MAX];
	char path[200];
	struct control_answer answer;
	memset(path, 'x', sizeof path);
	path[108] = '\0';
	assert_int_equal(
		control_client_ask("/nonexistent/socket", "flush all", buffer, &answer), -ENOENT);
	assert_int_equal(control_client_ask(path, "flush all", buffer, &answer), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_taken_apart),
		cmocka_unit_test(says_why_nobody_answers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
