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

static void any_text_can_be_a_word(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *word;
	} rows[] = {
		{ "malware", "malware" },
		{ "ads and such", "ads\\032and\\032such" },
		{ "a\\b", "a\\092b" },
		{ "\xc3\xa4\n\x7f", "\\195\\164\\010\\127" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char bytes[64], text[64];
		struct writer to = writer_of(bytes, sizeof bytes);
		control_word_write(&to, slice_of_text(rows[i].text));
		assert_true(slice_equals_text(writer_slice(&to), rows[i].word));
		assert_true(control_word_read(writer_slice(&to), text, sizeof text));
		assert_string_equal(text, rows[i].text);
	}
}

static void what_is_no_word_is_refused(void **state)
{
	(void)state;
	static const char *const words[] = { "", "a\\", "a\\1", "a\\12", "a\\12x", "a\\256",
		"a\\999", "a\\000", "\\\\\\", "12345678" };
	char text[8];
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		assert_false(control_word_read(slice_of_text(words[i]), text, sizeof text));
	assert_false(control_word_read(slice_of("a\0b", 3), text, sizeof text));
	assert_true(control_word_read(slice_of_text("1234567"), text, sizeof text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_become_words),
		cmocka_unit_test(any_text_can_be_a_word),
		cmocka_unit_test(what_is_no_word_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
