#include "proxy/control/control_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* The words with '|' between them. */
static const char *words_of(struct slice line)
{
	static char text[8192];
	struct control_request request;
	size_t len = 0;
	if (!control_request_read(&request, line))
		return "refused";
	assert_true(request.count > 0 && request.count <= CONTROL_WORDS_MAX);
	for (size_t i = 0; i < request.count; i++) {
		if (i > 0)
			text[len++] = '|';
		memcpy(text + len, request.words[i].at, request.words[i].len);
		len += request.words[i].len;
	}
	text[len] = '\0';
	return text;
}

static void lines_become_words(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		const char *words;
	} rows[] = {
		{ "flush all", "flush|all" }, { "flush", "flush" },
		{ "  flush   below  a\\032b.example.  ", "flush|below|a\\032b.example." },
		{ "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
			"1|2|3|4|5|6|7|8|9|10|11|12|13|14|15|16" },
		{ "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16  ",
			"1|2|3|4|5|6|7|8|9|10|11|12|13|14|15|16" },
		{ "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", "refused" }, { "", "refused" },
		{ "   ", "refused" }, { "flush\tall", "refused" }, { "flush all\r", "refused" },
		{ "\rflush", "refused" }, { "flush \x7f", "refused" },
		{ "flush \xc3\xa4", "refused" }, { "flush \x1b[31m", "refused" },
		{ "flush \"a b\"", "flush|\"a|b\"" }, /* there is no quoting */
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (strcmp(words_of(slice_of_text(rows[i].line)), rows[i].words) != 0)
			fail_msg("\"%s\": %s", rows[i].line, words_of(slice_of_text(rows[i].line)));
	assert_string_equal(words_of(slice_of("a\0b", 3)), "refused");
	assert_string_equal(words_of(slice_of("a\nb", 3)), "refused");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_become_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
