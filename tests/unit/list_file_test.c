/* Files are read whole or not at all, and replaced at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants the above first */
#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "proxy/lists/list_file.h"

static char directory[64];
static char path[128];

static int begin(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/namegate-file-XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/list", directory);
	return 0;
}

static int end(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory); /* fails where anything was left behind */
}

static void test_what_is_written_is_read(void **state)
{
	(void)state;
	static const char *const texts[] = { "", "a", "one.example\ntwo.example\n" };
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct slice got;
		assert_int_equal(list_file_write(path, slice_of_text(texts[i])), 0);
		assert_int_equal(list_file_read(path, 1000, &got), 0);
		assert_true(slice_equals_text(got, texts[i]));
		free((void *)(uintptr_t)got.at);
	}
}

/* Of more than one piece, and at the edges of them. */
static void test_long_files_come_back_as_they_were(void **state)
{
	(void)state;
	static const size_t lens[] = { 262143, 262144, 262145, 1000003 };
	static uint8_t bytes[1000003];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i ^ i >> 8 ^ i >> 16);
	for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
		struct slice got;
		assert_int_equal(list_file_write(path, slice_of(bytes, lens[i])), 0);
		assert_int_equal(list_file_read(path, sizeof bytes, &got), 0);
		assert_int_equal(got.len, lens[i]);
		assert_memory_equal(got.at, bytes, lens[i]);
		free((void *)(uintptr_t)got.at);
	}
}

static void test_a_reader_keeps_the_old_file(void **state)
{
	(void)state;
	char text[8] = "";
	assert_int_equal(list_file_write(path, slice_of_text("old")), 0);
	FILE *reader = fopen(path, "r");
	assert_non_null(reader);
	assert_int_equal(list_file_write(path, slice_of_text("newer")), 0);
	assert_int_equal(fread(text, 1, sizeof text, reader), 3);
	assert_string_equal(text, "old");
	fclose(reader);
}

static void test_what_is_no_list(void **state)
{
	(void)state;
	struct slice got;
	assert_int_equal(list_file_read("/nonexistent/list", 10, &got), -ENOENT);
	assert_int_equal(list_file_read(directory, 1 << 20, &got), ERR_INVALID);
	assert_int_equal(list_file_read("/dev/zero", 1 << 20, &got), ERR_INVALID);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(list_file_read(path, 10, &got), ERR_INVALID); /* and does not hang */
	unlink(path);
	assert_int_equal(list_file_write(path, slice_of_text("12345678901")), 0);
	assert_int_equal(list_file_read(path, 10, &got), ERR_TOO_LONG);
}

static void test_what_cannot_be_written_leaves_the_old(void **state)
{
	(void)state;
	assert_int_equal(list_file_write("/nonexistent/list", slice_of_text("x")), -ENOENT);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_not_equal(list_file_write(path, slice_of_text("x")), 0);
	assert_int_equal(rmdir(path), 0); /* nothing was put in it, nor beside it */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_long_files_come_back_as_they_were, begin, end),
		cmocka_unit_test_setup_teardown(test_what_is_written_is_read, begin, end),
		cmocka_unit_test_setup_teardown(test_a_reader_keeps_the_old_file, begin, end),
		cmocka_unit_test_setup_teardown(test_what_is_no_list, begin, end),
		cmocka_unit_test_setup_teardown(
			test_what_cannot_be_written_leaves_the_old, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
