/* A directory of a program's own: what is swept out of it, and when it takes something. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proxy/state_directory.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[] = "/tmp/namegate-state-XXXXXX";

static const char *path_of(const char *name)
{
	static char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	return path;
}

static void put(const char *name)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static bool is_there(const char *name)
{
	return access(path_of(name), F_OK) == 0;
}

static void test_what_was_not_renamed_is_swept(void **state)
{
	(void)state;
	static const char *const gone[] = { "lists.image.1.new", "lists.state.4711.new" };
	static const char *const kept[] = { "lists.image", "exceptions.new", ".1.new", "1.new",
		"a.new", "a.1x.new", "a.1.new.x", "new" };
	for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
		put(gone[i]);
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		put(kept[i]);
	assert_int_equal(mkdir(path_of("dir.1.new"), 0700), 0);
	state_directory_claim(directory);
	for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
		assert_false(is_there(gone[i]));
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		assert_true(is_there(kept[i]));
	assert_true(is_there("dir.1.new"));
}

/* The files of another program, which may be writing them now. */
static void test_of_another_program_nothing_is_swept(void **state)
{
	(void)state;
	put("lists.image.2.new");
	pid_t child = fork(); /* the lock is this process's */
	if (child == 0) {
		state_directory_claim(directory);
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(is_there("lists.image.2.new"));
	assert_int_equal(unlink(path_of("lists.image.2.new")), 0);
}

static void test_does_it_take_something(void **state)
{
	(void)state;
	assert_true(state_directory_is_writable(directory));
	assert_false(state_directory_is_writable(""));
	assert_false(state_directory_is_writable("/nonexistent"));
	assert_false(state_directory_is_writable("/proc")); /* no room */
	assert_false(state_directory_is_writable(path_of("lists.image")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_not_renamed_is_swept),
		cmocka_unit_test(test_of_another_program_nothing_is_swept),
		cmocka_unit_test(test_does_it_take_something),
	};
	char command[PATH_MAX];
	if (!mkdtemp(directory))
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(command, sizeof command, "rm -r %s", directory);
	return system(command) || failed;
}
