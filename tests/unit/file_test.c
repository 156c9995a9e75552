/* What writing a file takes: through a pipe that is slow, to a device that is full; and what is
 * read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MUCH = 1024 * 1024 };

static void *read_to_the_end(void *context)
{
	static uint8_t buffer[4096];
	int fd = *(int *)context;
	static size_t sum;
	for (ssize_t len; (len = read(fd, buffer, sizeof buffer)) > 0;)
		for (ssize_t i = 0; i < len; i++)
			sum += buffer[i];
	return &sum;
}

/* More than a pipe holds: one write() does not do it. */
static void test_all_of_it_is_written(void **state)
{
	(void)state;
	static uint8_t bytes[MUCH];
	size_t sum = 0;
	int ends[2];
	pthread_t reader;
	void *read_sum;
	for (size_t i = 0; i < MUCH; i++)
		sum += bytes[i] = (uint8_t)(i * 7 + i / 251);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(pthread_create(&reader, NULL, read_to_the_end, &ends[0]), 0);
	assert_int_equal(file_write_all(ends[1], slice_of(bytes, MUCH)), 0);
	close(ends[1]);
	assert_int_equal(pthread_join(reader, &read_sum), 0);
	assert_true(*(size_t *)read_sum == sum);
	close(ends[0]);
}

static void test_what_is_full_says_so(void **state)
{
	(void)state;
	int fd = open("/dev/full", O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, slice_of_text("x")), -ENOSPC);
	assert_int_equal(file_write_all(fd, slice_of_text("")), 0);
	close(fd);
	assert_int_equal(file_write_all(fd, slice_of_text("x")), -EBADF);
}

static void test_directories(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "name", "." },
		{ "a/name", "a" },
		{ "/name", "/" },
		{ "/var/lib/name", "/var/lib" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char directory[PATH_MAX];
		file_directory_of(directory, cases[i][0]);
		assert_string_equal(directory, cases[i][1]);
		file_sync_directory_of(cases[i][0]); /* there or not */
	}
}

static void read_is(const char *path, size_t size, int result, const char *text)
{
	uint8_t bytes[8];
	size_t len = 0;
	assert_int_equal(file_read(path, bytes, size, &len), result);
	assert_int_equal(len, strlen(text));
	assert_memory_equal(bytes, text, len);
}

/* Nobody writes to the FIFO: whoever waits for it stands still. */
static void test_what_is_read(void **state)
{
	(void)state;
	char directory[] = "/tmp/file_test.XXXXXX";
	char file[64], fifo[64];
	assert_non_null(mkdtemp(directory));
	snprintf(file, sizeof file, "%s/file", directory);
	snprintf(fifo, sizeof fifo, "%s/fifo", directory);
	read_is(file, 8, -ENOENT, "");
	int fd = open(file, O_WRONLY | O_CREAT, 0600);
	read_is(file, 8, 0, "");
	assert_int_equal(file_write_all(fd, slice_of_text("secret")), 0);
	close(fd);
	read_is(file, 8, 0, "secret");
	read_is(file, 6, 0, "secret");
	read_is(file, 3, 0, "sec");
	assert_int_equal(mkfifo(fifo, 0600), 0);
	read_is(fifo, 8, -EINVAL, "");
	read_is(directory, 8, -EISDIR, "");
	unlink(file);
	unlink(fifo);
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_of_it_is_written),
		cmocka_unit_test(test_what_is_full_says_so),
		cmocka_unit_test(test_directories),
		cmocka_unit_test(test_what_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
