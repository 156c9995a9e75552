#include "proxy/upstream/outage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/slice.h"

static FILE *stream;
static int old_stderr;

static void catch_begin(void)
{
	stream = tmpfile();
	assert_non_null(stream);
	fflush(stderr);
	old_stderr = dup(STDERR_FILENO);
	dup2(fileno(stream), STDERR_FILENO);
}

/* So many lines were written, and the last has this text in it. */
static void catch_end(unsigned lines, const char *text)
{
	char bytes[65536] = { 0 };
	unsigned found = 0;
	fflush(stderr);
	dup2(old_stderr, STDERR_FILENO);
	close(old_stderr);
	rewind(stream);
	size_t len = fread(bytes, 1, sizeof bytes - 1, stream);
	fclose(stream);
	for (size_t i = 0; i < len; i++)
		found += bytes[i] == '\n';
	assert_int_equal(found, lines);
	if (lines)
		assert_non_null(strstr(bytes, text));
}

static void test_one_line_each(void **state)
{
	(void)state;
	catch_begin();
	assert_true(outage_tell("one", false, 1000));
	catch_end(0, "");
	catch_begin();
	/* Four workers find out. */
	for (unsigned i = 0; i < 4; i++)
		assert_true(outage_tell("one", true, 1000 + i));
	catch_end(1, "warning upstream \"one\": does not answer");
	catch_begin();
	for (unsigned i = 0; i < 4; i++)
		assert_true(outage_tell("one", false, 8000 + i));
	catch_end(1, "info upstream \"one\": answers again after 7 s");
}

static void test_flapping_is_bounded(void **state)
{
	(void)state;
	unsigned told = 0;
	catch_begin();
	for (unsigned i = 0; i < 1000; i++) {
		told += outage_tell("flap", true, 20000 + i * 10);
		outage_tell("flap", false, 20005 + i * 10);
	}
	/* Ten seconds: ten times down, ten times back. */
	catch_end(20, "flap");
	assert_int_equal(told, 10);
	/* One who was not heard says it again, until it is. */
	catch_begin();
	assert_true(outage_tell("late", true, 40000));
	assert_true(outage_tell("late", false, 40100));
	assert_false(outage_tell("late", true, 40200));
	assert_false(outage_tell("late", true, 40900));
	assert_true(outage_tell("late", true, 41000));
	catch_end(3, "late");
}

static void test_more_names_than_places(void **state)
{
	(void)state;
	char name[128];
	catch_begin();
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "%u-%0100u", i, i);
		assert_true(outage_tell(name, true, 50000));
		assert_true(outage_tell(name, true, 60000));
	}
	catch_end(100, "99-0");
}

static void test_reasons(void **state)
{
	(void)state;
	const struct {
		uint64_t now_ms;
		const char *word;
		bool may;
	} rows[] = {
		{ 1000, "certificate_name", true },
		{ 2500, "certificate_name", false },
		{ 3600, "timeout", true },
		{ 4000, "certificate_name", false }, /* one a second */
		{ 4700, "certificate_name", true },
		{ 60000, "certificate_name", false },
		{ 64700, "certificate_name", true },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(
			outage_may_say_why("three", rows[i].word, rows[i].now_ms), rows[i].may);
	/* It has been back, and this is another outage. */
	catch_begin();
	assert_true(outage_tell("three", true, 66000));
	assert_true(outage_tell("three", false, 67000));
	catch_end(2, "answers again");
	assert_true(outage_may_say_why("three", "certificate_name", 68000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_line_each),
		cmocka_unit_test(test_flapping_is_bounded),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_more_names_than_places),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
