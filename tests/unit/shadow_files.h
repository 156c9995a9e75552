/* shadow_files.h - configurations in a directory of the test's own, and snapshots of them. */
#ifndef TESTS_UNIT_SHADOW_FILES_H
#define TESTS_UNIT_SHADOW_FILES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants the above first */
#include <cmocka.h>
#include <unistd.h>

#include "base/log.h"
#include "proxy/lists/list_file.h"
#include "proxy/snapshot.h"

static char shadow_directory[64];

static inline int shadow_files_begin(void **state)
{
	(void)state;
	strcpy(shadow_directory, "/tmp/namegate-shadow-XXXXXX");
	assert_non_null(mkdtemp(shadow_directory));
	log_set_level(LOG_ERROR);
	return 0;
}

static inline int shadow_files_end(void **state)
{
	char command[128];
	(void)state;
	snprintf(command, sizeof command, "rm -rf '%s'", shadow_directory);
	return system(command);
}

static inline const char *shadow_file(const char *name)
{
	static char paths[4][128];
	static unsigned turn;
	char *path = paths[turn++ % 4];
	snprintf(path, sizeof paths[0], "%s/%s", shadow_directory, name);
	return path;
}

enum { SHADOW_TEXT_MAX = 8192 };

/* One rule group with these rules over the lists "bad" (*.bad.test) and "ads" (*.ads.test), for a
 * view "lan" with these keys more; `more` are settings of the whole. */
static inline const char *shadow_file_put(
	const char *name, const char *rules, const char *view, const char *more)
{
	char text[SHADOW_TEXT_MAX];
	int len = snprintf(text, sizeof text,
		"domain_lists = (\n"
		"	{ name = \"bad\"; domains = [ \"*.bad.test\" ]; },\n"
		"	{ name = \"ads\"; domains = [ \"*.ads.test\" ]; } );\n"
		"rule_groups = ( { name = \"base\"; rules = ( %s ); } );\n"
		"views = ( { name = \"lan\"; clients = [ \"127.0.0.0/8\" ]; %s\n"
		"	associations = ( { rule_group = \"base\"; priority = 1; } ); },\n"
		"	{ name = \"far\"; clients = [ \"192.0.2.0/24\" ]; } );\n"
		"state_directory = \"\";\n%s",
		rules, view, more);
	assert_in_range(len, 1, (int)sizeof text - 1);
	assert_int_equal(list_file_write(shadow_file(name), slice_of_text(text)), 0);
	return shadow_file(name);
}

static const char shadow_listeners[] =
	"listeners = ( { protocol = \"dns\"; address = \"127.0.0.1\"; port = 5353; },\n"
	"	{ protocol = \"dns\"; address = \"127.0.0.1\"; port = 5354; } );\n";

static inline void shadow_on_error(
	void *context, const char *file, unsigned line, const char *path, const char *message)
{
	(void)context;
	fail_msg("%s:%u: %s: %s", file, line, path, message);
}

static inline struct snapshot *shadow_snapshot(const char *file)
{
	struct config_errors errors = { .on_error = shadow_on_error };
	const struct snapshot_parts parts = { .offline = true };
	struct snapshot *snapshot = snapshot_load(file, &parts, &errors);
	assert_non_null(snapshot);
	return snapshot;
}

#endif
