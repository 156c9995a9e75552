/* A directory is opened as opendir(3) does; what is none says why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the above first */
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/directory.h"

static void test_entries(void **state)
{
	DIR *directory = directory_open("/proc/self");
	unsigned found = 0;
	(void)state;
	assert_non_null(directory);
	for (struct dirent *entry; (entry = readdir(directory));)
		found += strcmp(entry->d_name, "status") == 0;
	assert_int_equal(found, 1);
	assert_true(fcntl(dirfd(directory), F_GETFD) & FD_CLOEXEC);
	assert_int_equal(closedir(directory), 0);
}

static void test_what_is_none(void **state)
{
	(void)state;
	assert_null(directory_open("/proc/self/no such thing"));
	assert_int_equal(errno, ENOENT);
	assert_null(directory_open("/proc/self/status"));
	assert_int_equal(errno, ENOTDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_what_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
