/* Every directory entry that decides what a path leads to, in the order of the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants the above first */
#include <cmocka.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proxy/lists/path_trail.h"

static char root[64];
static char told[8192];

static void on_entry(void *context, const char *directory, const char *name)
{
	size_t len = strlen(told);
	const char *below =
		strncmp(directory, root, strlen(root)) == 0 ? directory + strlen(root) : directory;
	(void)context;
	snprintf(told + len, sizeof told - len, "%s:%s ", below, name);
}

static const char *path_of(const char *name)
{
	static char paths[4][256];
	static unsigned turn;
	char *path = paths[turn++ % 4];
	snprintf(path, 256, "%s/%s", root, name);
	return path;
}

static void check(const char *name, const char *expected)
{
	told[0] = '\0';
	path_trail(path_of(name), on_entry, NULL);
	assert_string_equal(told, expected);
}

static void put(const char *name)
{
	FILE *file = fopen(path_of(name), "w");
	assert_non_null(file);
	fclose(file);
}

static void make_link(const char *target, const char *name)
{
	assert_int_equal(symlink(target, path_of(name)), 0);
}

static int begin(void **state)
{
	(void)state;
	strcpy(root, "/tmp/namegate-trail-XXXXXX");
	assert_non_null(mkdtemp(root));
	assert_int_equal(mkdir(path_of("plain"), 0700), 0);
	assert_int_equal(mkdir(path_of("..2026"), 0700), 0);
	put("plain/list");
	put("..2026/list");
	/* as Kubernetes mounts a volume */
	make_link("..2026", "..data");
	make_link("..data/list", "list");
	make_link("plain", "current");
	make_link(path_of("plain"), "absolute");
	make_link("round", "round");
	make_link("nowhere/at/all", "lost");
	make_link("../plain/list", "plain/up");
	return 0;
}

static int end(void **state)
{
	char command[128];
	(void)state;
	snprintf(command, sizeof command, "rm -rf '%s'", root);
	return system(command);
}

static void test_trails(void **state)
{
	(void)state;
	check("plain/list", "/plain:list ");
	check("plain//list/", "/plain:list ");
	check("list", ":list :..data /..2026:list ");
	check("current/list", ":current /plain:list ");
	check("absolute/list", ":absolute /plain:list ");
	check("plain/up", "/plain:up /plain/../plain:list ");
}

static void test_what_is_not_there(void **state)
{
	(void)state;
	check("plain/none", "/plain:none ");
	check("none/list", "/none:list ");
	check("lost", ":lost /nowhere/at:all ");
}

static void test_a_circle_ends(void **state)
{
	(void)state;
	told[0] = '\0';
	path_trail(path_of("round"), on_entry, NULL);
	size_t count = 0;
	for (const char *at = told; (at = strstr(at, ":round ")); at++)
		count++;
	assert_int_equal(count, PATH_TRAIL_LINKS_MAX + 1);
}

static void test_a_relative_path(void **state)
{
	(void)state;
	assert_int_equal(chdir(root), 0);
	told[0] = '\0';
	path_trail("current/list", on_entry, NULL);
	assert_string_equal(told, ".:current plain:list ");
	told[0] = '\0';
	path_trail("list", on_entry, NULL);
	assert_string_equal(told, ".:list .:..data ..2026:list ");
	assert_int_equal(chdir("/"), 0);
}

static void test_what_is_no_path(void **state)
{
	(void)state;
	static char longest[PATH_MAX + 2];
	memset(longest, 'a', sizeof longest - 1);
	told[0] = '\0';
	path_trail("", on_entry, NULL);
	path_trail("/", on_entry, NULL);
	path_trail(longest, on_entry, NULL);
	assert_string_equal(told, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trails),
		cmocka_unit_test(test_what_is_not_there),
		cmocka_unit_test(test_a_circle_ends),
		cmocka_unit_test(test_a_relative_path),
		cmocka_unit_test(test_what_is_no_path),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
