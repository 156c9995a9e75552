/* Lines "KEY VALUE": what is written is read again, and no value becomes a line of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "base/key_lines.h"

static void what_is_written(void **state)
{
	struct bytes text;
	(void)state;
	bytes_init(&text, 1024);
	assert_true(key_lines_put_line(&text, "things 1"));
	assert_true(key_lines_put(&text, "name", "a b"));
	assert_true(key_lines_put(&text, "why", "a\nend\r\x01\xc3\xbc"));
	assert_true(key_lines_put(&text, "empty", ""));
	assert_true(key_lines_put_number(&text, "least", INT64_MIN));
	assert_true(key_lines_put_number(&text, "none", 0));
	assert_true(slice_equals_text(bytes_peek(&text),
		"things 1\nname a b\nwhy a end  \xc3\xbc\nempty \nleast -9223372036854775808\n"
		"none 0\n"));
	bytes_deinit(&text);
}

/* Whatever there is room for: all of a line or a word that it is not all. */
static void no_room(void **state)
{
	(void)state;
	for (size_t room = 1; room < 10; room++) {
		struct bytes text;
		bytes_init(&text, room);
		assert_int_equal(key_lines_put(&text, "key", "text"), room >= 9);
		bytes_deinit(&text);
		bytes_init(&text, room);
		assert_int_equal(key_lines_put_line(&text, "key"), room >= 4);
		bytes_deinit(&text);
	}
}

static void lines_are_cut(void **state)
{
	static const struct {
		const char *text;
		const char *key;
		const char *value;
		const char *rest;
	} rows[] = {
		{ "key value\nnext", "key", "value", "next" },
		{ "key value", "key", "value", "" },
		{ "key  a b \n", "key", " a b ", "" },
		{ "key \n\n", "key", "", "\n" },
		{ "key\nk v\n", "key", "", "k v\n" },
		{ "\nk v\n", "", "", "k v\n" },
		{ " v\n", "", "v", "" },
		{ "k\r\n", "k\r", "", "" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct slice text = slice_of_text(rows[i].text);
		struct key_line line = key_lines_next(&text);
		if (!slice_equals_text(line.key, rows[i].key) ||
			!slice_equals_text(line.value, rows[i].value) ||
			!slice_equals_text(text, rows[i].rest))
			fail_msg("row %zu", i);
	}
	struct slice nothing = slice_of(NULL, 0);
	assert_int_equal(slice_take_line(&nothing).len, 0);
	assert_int_equal(nothing.len, 0);
}

static void the_first_line(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{ "things 1\n", true },
		{ "things 1\nx", true },
		{ "things 1", false },
		{ "things 10\n", false },
		{ "things 1 \n", false },
		{ "things 1\r\n", false },
		{ "things 2\n", false },
		{ "\nthings 1\n", false },
		{ "", false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct slice text = slice_of_text(rows[i].text);
		const char *rest = rows[i].good ? rows[i].text + 9 : rows[i].text;
		if (key_lines_begin(&text, "things 1") != rows[i].good ||
			!slice_equals_text(text, rest))
			fail_msg("row %zu", i);
	}
}

static void values(void **state)
{
	static const struct {
		const char *text;
		bool good;
		int64_t number;
	} rows[] = {
		{ "0", true, 0 },
		{ "007", true, 7 },
		{ "999999999999999999", true, 999999999999999999 },
		{ "1000000000000000000", false, 0 },
		{ "", false, 0 },
		{ "-1", false, 0 },
		{ "+1", false, 0 },
		{ " 1", false, 0 },
		{ "1 ", false, 0 },
		{ "1:", false, 0 },
		{ "1/", false, 0 },
	};
	char text[4] = "old";
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t number = -1;
		if (key_lines_number(&number, slice_of_text(rows[i].text)) != rows[i].good ||
			number != (rows[i].good ? rows[i].number : -1))
			fail_msg("\"%s\"", rows[i].text);
	}
	assert_false(key_lines_text(text, sizeof text, slice_of_text("four")));
	assert_false(key_lines_text(text, sizeof text, slice_of("a\0b", 3)));
	assert_string_equal(text, "old");
	assert_true(key_lines_text(text, sizeof text, slice_of_text("abc")));
	assert_string_equal(text, "abc");
	assert_true(key_lines_text(text, sizeof text, slice_of(NULL, 0)));
	assert_string_equal(text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written),
		cmocka_unit_test(no_room),
		cmocka_unit_test(lines_are_cut),
		cmocka_unit_test(the_first_line),
		cmocka_unit_test(values),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
