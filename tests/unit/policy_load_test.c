/* From files to a policy: what can be read, what can not, and by which hash it is known. */
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

#include "proxy/policy_load.h"

static char directory[64];

static const char text[] =
	"listeners = ( { protocol = \"dns\"; address = \"127.0.0.1\"; port = 5353; } );\n"
	"domain_lists = (\n"
	"  { name = \"inline\"; domains = [ \"in.test\" ]; },\n"
	"  { name = \"first\"; file = \"first.txt\"; format = \"domains\"; },\n"
	"  { name = \"second\"; file = \"second.txt\"; format = \"hosts\"; } );\n"
	"rule_groups = ( { name = \"g\"; rules = (\n"
	"  { name = \"a\"; priority = 1; action = \"BLOCK\"; block_response = \"NXDOMAIN\";\n"
	"    domain_list = \"first\"; } ); },\n"
	"  { name = \"h\"; rules = (\n"
	"  { name = \"b\"; priority = 1; action = \"BLOCK\"; block_response = \"NXDOMAIN\";\n"
	"    domain_list = \"second\"; } ); } );\n"
	"views = (\n"
	"  { name = \"one\"; clients = [ \"10.0.0.0/8\" ];\n"
	"    associations = ( { rule_group = \"g\"; priority = 101; } ); },\n"
	"  { name = \"two\"; clients = [ \"127.0.0.0/8\" ];\n"
	"    associations = ( { rule_group = \"h\"; priority = 101; } ); } );\n";

enum { VIEW_ONE, VIEW_TWO };

static const char *path_of(const char *name)
{
	static char path[128];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	return path;
}

static void put(const char *name, const char *content)
{
	FILE *file = fopen(path_of(name), "w");
	assert_non_null(file);
	fputs(content, file);
	fclose(file);
}

struct outcome {
	struct policy *policy;
	struct policy_image image;
	struct config *config;
	char hash[33];
	unsigned errors;
	char told[1024]; /* the last error */
};

static void on_error(
	void *context, const char *file, unsigned line, const char *path, const char *message)
{
	struct outcome *outcome = context;
	(void)line;
	snprintf(outcome->told, sizeof outcome->told, "%s: %s: %s", file, path, message);
}

static struct outcome *load(bool must_load)
{
	static struct outcome outcome;
	outcome = (struct outcome){ 0 };
	struct config_errors errors = { .on_error = on_error, .context = &outcome };
	outcome.config = config_load_text(path_of("namegate.conf"), slice_of_text(text), &errors);
	if (!outcome.config)
		fail_msg("%s", outcome.told);
	outcome.policy =
		policy_load(outcome.config, must_load, outcome.hash, &outcome.image, &errors);
	outcome.errors = errors.count;
	return &outcome;
}

static void drop(struct outcome *outcome)
{
	policy_free(outcome->policy);
	policy_image_free(&outcome->image);
	config_free(outcome->config);
}

static bool view_failed(const struct outcome *outcome, uint16_t view)
{
	return policy_view(outcome->policy, view)->failed;
}

static int begin(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/namegate-policy-XXXXXX");
	assert_non_null(mkdtemp(directory));
	put("first.txt", "a.test\n*.b.test\n");
	put("second.txt", "0.0.0.0 c.test\n");
	return 0;
}

static int end(void **state)
{
	(void)state;
	char command[128];
	snprintf(command, sizeof command, "rm -rf '%s'", directory);
	return system(command);
}

static void test_loads(void **state)
{
	(void)state;
	struct outcome *outcome = load(true);
	assert_non_null(outcome->policy);
	assert_int_equal(outcome->errors, 0);
	assert_int_equal(policy_list(outcome->policy, 0)->entry_count, 1);
	assert_int_equal(policy_list(outcome->policy, 1)->entry_count, 2);
	assert_int_equal(policy_list(outcome->policy, 2)->entry_count, 1);
	assert_false(view_failed(outcome, VIEW_ONE));
	assert_int_equal(strlen(outcome->hash), 32);
	assert_int_equal(strspn(outcome->hash, "0123456789abcdef"), 32);
	drop(outcome);
}

static void read_hash(char hash[33])
{
	struct outcome *outcome = load(false);
	assert_non_null(outcome->policy);
	strcpy(hash, outcome->hash);
	drop(outcome);
}

static void test_hash(void **state)
{
	(void)state;
	char before[33], after[33];
	read_hash(before);
	read_hash(after);
	assert_string_equal(before, after);
	put("first.txt", "a.test\n*.c.test\n");
	read_hash(after);
	assert_string_not_equal(before, after);
	/* The same bytes in the same order, but in another list. */
	put("first.txt", "a.test\n");
	put("second.txt", "0.0.0.0 b.test\n");
	read_hash(before);
	put("first.txt", "a.test\n0.0.0.0 b.test\n");
	put("second.txt", "");
	read_hash(after);
	assert_string_not_equal(before, after);
}

static void make_missing(const char *path)
{
	(void)path;
}

static void make_directory(const char *path)
{
	mkdir(path, 0700);
}

static void make_fifo(const char *path) /* whose opening would wait for a writer */
{
	mkfifo(path, 0600);
}

static void make_page(const char *path)
{
	(void)path;
	put("first.txt", "<!DOCTYPE html>\n<title>404 Not Found</title>\n<p>no such list</p>\n");
}

static void make_binary(const char *path)
{
	FILE *file = fopen(path, "w");
	for (unsigned i = 0; i < 10000; i++)
		fputc((int)(i * 7919 % 256), file);
	fclose(file);
}

static void make_loop(const char *path)
{
	assert_int_equal(symlink("first.txt", path), 0);
}

struct useless {
	const char *name;
	void (*make)(const char *path);
};

static const struct useless useless[] = {
	{ "missing", make_missing },
	{ "directory", make_directory },
	{ "fifo", make_fifo },
	{ "page", make_page },
	{ "binary", make_binary },
	{ "loop", make_loop },
};

static void test_useless_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof useless / sizeof *useless; i++) {
		remove(path_of("first.txt"));
		useless[i].make(path_of("first.txt"));
		struct outcome *outcome = load(true);
		if (outcome->policy || outcome->errors != 1)
			fail_msg("%s: %u errors", useless[i].name, outcome->errors);
		assert_non_null(strstr(outcome->told, "domain_lists[1]"));
		assert_non_null(strstr(outcome->told, "\"first\""));
		assert_non_null(strstr(outcome->told, "first.txt"));
		drop(outcome);
		outcome = load(false);
		assert_non_null(outcome->policy);
		assert_int_equal(outcome->errors, 0);
		assert_true(view_failed(outcome, VIEW_ONE));
		assert_false(view_failed(outcome, VIEW_TWO));
		assert_int_not_equal(policy_list(outcome->policy, 1)->error, 0);
		assert_int_equal(strlen(outcome->hash), 32);
		drop(outcome);
	}
}

/* Some lines that are none do not make a list useless. */
static void test_some_bad_lines(void **state)
{
	(void)state;
	remove(path_of("first.txt"));
	put("first.txt", "good.test\nbad..test\n\xff\xfe\n\n# nothing\n");
	struct outcome *outcome = load(true);
	assert_non_null(outcome->policy);
	assert_int_equal(policy_list(outcome->policy, 1)->entry_count, 1);
	assert_false(view_failed(outcome, VIEW_ONE));
	drop(outcome);
}

/* A file that was cut to nothing must not take protection away; one that says so may be empty. */
static void test_empty_files(void **state)
{
	(void)state;
	put("first.txt", "");
	struct outcome *outcome = load(true);
	assert_null(outcome->policy);
	assert_non_null(strstr(outcome->told, "empty"));
	drop(outcome);
	outcome = load(false); /* the first start: nothing is in force yet */
	assert_non_null(outcome->policy);
	assert_false(view_failed(outcome, VIEW_ONE));
	drop(outcome);
	put("first.txt", "# nothing yet\n");
	outcome = load(true);
	assert_non_null(outcome->policy);
	assert_int_equal(policy_list(outcome->policy, 1)->entry_count, 0);
	drop(outcome);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_loads, begin, end),
		cmocka_unit_test_setup_teardown(test_hash, begin, end),
		cmocka_unit_test_setup_teardown(test_useless_lists, begin, end),
		cmocka_unit_test_setup_teardown(test_some_bad_lines, begin, end),
		cmocka_unit_test_setup_teardown(test_empty_files, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
