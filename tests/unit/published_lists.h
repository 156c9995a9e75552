/* published_lists.h - lists as their makers publish them, for the tests that read them. They are
 * found through NAMEGATE_TEST_DATA or in ../shared/data beside the checkout, and are not in this
 * repository. */
#ifndef TESTS_UNIT_PUBLISHED_LISTS_H
#define TESTS_UNIT_PUBLISHED_LISTS_H

#include "tests/unit/rules_fixture.h"

#include <unistd.h>

/* NULL when they are not here. */
static inline const char *published_lists(char *path, size_t size)
{
	const char *given = getenv("NAMEGATE_TEST_DATA");
	snprintf(path, size, "%s/blocklists", given ? given : TEST_VECTORS "/../../../shared/data");
	return access(path, R_OK) == 0 ? path : NULL;
}

/* The bytes belong to the caller (free). */
static inline struct slice published_list(const char *directory, const char *file)
{
	char command[1024];
	snprintf(command, sizeof command, "gzip -dc '%s/%s.gz'", directory, file);
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	struct slice text = fixture_read_stream(pipe);
	if (pclose(pipe) != 0)
		fail_msg("cannot read %s", file);
	return text;
}

#endif
