/* Which lists may come into force: with a new configuration all expectations must hold, with new
 * lists those that hold with the lists before. And what lists_load() makes of a refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proxy/expect_gate.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proxy/policy_load.h"

/* ---- a directory with lists, and what is made of them ---- */

enum { ERRORS_MAX = 8 };

struct shop {
	char directory[64];
	struct config *config;
	struct config_errors errors;
	char told[ERRORS_MAX][512];
	struct lists *lists; /* in force */
	struct policy *policy;
	char hash[POLICY_HASH_TEXT_MAX]; /* of that */
	bool is_kept;                    /* as a revision: it may come again */
};

static void on_error(
	void *context, const char *file, unsigned line, const char *path, const char *message)
{
	struct shop *shop = context;
	(void)file;
	if (shop->errors.count <= ERRORS_MAX)
		snprintf(shop->told[shop->errors.count - 1], sizeof *shop->told, "%u: %s: %s", line,
			path, message);
}

static void write_list(const struct shop *shop, const char *name, const char *text)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", shop->directory, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

#define HEAD                                                                                       \
	"listeners = ( { protocol = \"dns\"; address = \"127.0.0.1\"; } );"                        \
	"schedules = ( { name = \"sunday\"; days = [ \"sun\" ]; } );"                              \
	"rule_groups = ( { name = \"g\"; rules = ("                                                \
	" { name = \"a\"; priority = 1; action = \"BLOCK\"; block_response = \"NODATA\";"          \
	"   domain_list = \"a\"; },"                                                               \
	" { name = \"b\"; priority = 2; action = \"BLOCK\"; block_response = \"NODATA\";"          \
	"   domain_list = \"b\"; },"                                                               \
	" { name = \"rest\"; priority = 3; action = \"BLOCK\"; block_response = \"NODATA\";"       \
	"   domain_list = \"rest\"; schedule = \"sunday\"; } ); } );"                              \
	"views = ( { name = \"v\"; associations = ( { rule_group = \"g\"; priority = 1; } ); } );"

static void open_shop(struct shop *shop, const char *expectations)
{
	char text[4096], name[128];
	*shop = (struct shop){ .directory = "/tmp/expect_gate_test.XXXXXX" };
	assert_non_null(mkdtemp(shop->directory));
	shop->errors = (struct config_errors){ .on_error = on_error, .context = shop };
	snprintf(name, sizeof name, "%s/test.conf", shop->directory);
	snprintf(text, sizeof text,
		HEAD "domain_lists = ("
		     " { name = \"a\"; format = \"domains\"; file = \"a\"; },"
		     " { name = \"b\"; format = \"domains\"; file = \"b\"; },"
		     " { name = \"rest\"; domains = [ \"sunday.example\" ]; } );"
		     "expect = ( %s );",
		expectations);
	shop->config = config_load_text(name, slice_of_text(text), &shop->errors);
	assert_string_equal(shop->told[0], "");
	assert_non_null(shop->config);
}

static void close_shop(struct shop *shop)
{
	static const char *const names[] = { "a", "b" };
	char path[128];
	policy_free(shop->policy);
	lists_unref(shop->lists);
	config_free(shop->config);
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/%s", shop->directory, names[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(shop->directory), 0);
}

/* What is loaded: at the start, a reload, new lists, or for check. */
enum load { START, RELOAD, REFRESH, CHECK };

enum { SUNDAY_S = 1795341600, MONDAY_S = SUNDAY_S + 86400 };

static struct lists *load(struct shop *shop, enum load what, int64_t now_s)
{
	struct expect_gate gate = { .config = shop->config,
		.before = what == REFRESH ? shop->policy : NULL,
		.known = shop->is_kept ? shop->hash : NULL,
		.errors = &shop->errors,
		.now_s = now_s };
	const struct lists_options options = { .previous = what == START ? NULL : shop->lists,
		.is_refresh = what == REFRESH,
		.keep = what != CHECK,
		.holds = expect_gate_holds,
		.context = &gate,
		.salt = 3 };
	return lists_load(shop->config, &options, &shop->errors);
}

static void put_in_force(struct shop *shop, struct lists *lists)
{
	assert_non_null(lists);
	policy_free(shop->policy);
	lists_unref(shop->lists);
	shop->lists = lists;
	shop->policy = policy_load(shop->config, lists, shop->hash, &shop->errors);
	assert_non_null(shop->policy);
}

static void assert_faults(const struct lists *lists, enum list_fault a, enum list_fault b)
{
	assert_non_null(lists);
	assert_int_equal(lists->items[0].fault, a);
	assert_int_equal(lists->items[1].fault, b);
}

#define NONE        LIST_FAULT_NONE
#define EXPECTATION LIST_FAULT_EXPECTATION

#define OWN    "{ view = \"v\"; name = \"own.example\"; verdict = \"ALLOW\"; }"
#define SUNDAY "{ view = \"v\"; name = \"sunday.example\"; verdict = \"BLOCK\"; }"

static void test_new_lists_wait(void **state)
{
	(void)state;
	struct shop shop;
	open_shop(&shop, OWN);
	write_list(&shop, "a", "a.example\n");
	write_list(&shop, "b", "b.example\n");
	put_in_force(&shop, load(&shop, START, MONDAY_S));
	assert_faults(shop.lists, NONE, NONE);
	write_list(&shop, "a", "a.example\nown.example\n");
	struct lists *lists = load(&shop, REFRESH, MONDAY_S);
	assert_faults(lists, EXPECTATION, NONE);
	assert_true(lists->is_same);
	assert_string_equal(lists->items[0].why,
		"expect[0] of line 1 fails with it: own.example. A in view \"v\": expected ALLOW, "
		"came BLOCK NODATA by rule \"g/a\" (list \"a\", entry \"own.example.\")");
	lists_unref(lists);
	/* The other one does not wait for it, when it is new by itself ... */
	write_list(&shop, "a", "a.example\n");
	write_list(&shop, "b", "b.example\nc.example\n");
	put_in_force(&shop, load(&shop, REFRESH, MONDAY_S));
	assert_faults(shop.lists, NONE, NONE);
	assert_false(shop.lists->is_same);
	/* ... but nobody knows which of two it was. */
	write_list(&shop, "a", "own.example\n");
	write_list(&shop, "b", "b.example\nd.example\n");
	lists = load(&shop, REFRESH, MONDAY_S);
	assert_faults(lists, EXPECTATION, EXPECTATION);
	assert_true(lists->is_same);
	lists_unref(lists);
	assert_int_equal(shop.errors.count, 0);
	close_shop(&shop);
}

/* It is Monday: what must be blocked on Sunday is not. That is no list's fault. */
static void test_the_clock_holds_no_list_up(void **state)
{
	(void)state;
	struct shop shop;
	open_shop(&shop, SUNDAY "," OWN);
	write_list(&shop, "a", "a.example\n");
	write_list(&shop, "b", "b.example\n");
	put_in_force(&shop, load(&shop, START, SUNDAY_S));
	write_list(&shop, "a", "a.example\nc.example\n");
	put_in_force(&shop, load(&shop, REFRESH, MONDAY_S));
	assert_faults(shop.lists, NONE, NONE);
	assert_false(shop.lists->is_same);
	/* The other expectation is judged all the same. */
	write_list(&shop, "a", "own.example\n");
	struct lists *lists = load(&shop, REFRESH, MONDAY_S);
	assert_faults(lists, EXPECTATION, NONE);
	assert_non_null(strstr(lists->items[0].why, "expect[1]"));
	lists_unref(lists);
	/* A configuration is asked now, and must hold now. */
	write_list(&shop, "a", "a.example\nc.example\n");
	assert_null(load(&shop, RELOAD, MONDAY_S));
	assert_int_equal(shop.errors.count, 1);
	assert_non_null(strstr(shop.told[0], "1: expect[0]: sunday.example."));
	close_shop(&shop);
}

/* At a reload both may be new: with the lists in force the configuration may be fine. */
static void test_a_reload_goes_on_with_the_lists_before(void **state)
{
	(void)state;
	struct shop shop;
	open_shop(&shop, OWN);
	write_list(&shop, "a", "a.example\n");
	write_list(&shop, "b", "b.example\n");
	put_in_force(&shop, load(&shop, START, MONDAY_S));
	write_list(&shop, "a", "own.example\n");
	struct lists *lists = load(&shop, RELOAD, MONDAY_S);
	assert_faults(lists, EXPECTATION, NONE);
	lists_unref(lists);
	assert_int_equal(shop.errors.count, 0);
	/* Who checks is told. */
	assert_null(load(&shop, CHECK, MONDAY_S));
	assert_int_equal(shop.errors.count, 1);
	close_shop(&shop);
}

/* Nothing was in force, so nothing can stand in. */
static void test_the_first_start_is_refused(void **state)
{
	(void)state;
	struct shop shop;
	open_shop(&shop,
		OWN ", " OWN ", { view = \"v\"; name = \"b.example\"; verdict = \"BLOCK\"; }");
	write_list(&shop, "a", "own.example\n");
	write_list(&shop, "b", "b.example\n");
	assert_null(load(&shop, START, MONDAY_S));
	assert_int_equal(shop.errors.count, 2);
	assert_non_null(strstr(shop.told[0], "1: expect[0]: own.example."));
	assert_non_null(strstr(shop.told[1], "1: expect[1]: own.example."));
	close_shop(&shop);
}

/* A list that was missing: its absence is what was in force. */
static void test_the_first_edition_of_a_list_waits_too(void **state)
{
	(void)state;
	struct shop shop;
	open_shop(&shop, OWN);
	for (size_t i = 0; i < shop.config->policy.view_count; i++)
		((struct view_spec *)(uintptr_t)&shop.config->policy.views[i])->fail_mode =
			FAIL_OPEN;
	write_list(&shop, "b", "b.example\n");
	put_in_force(&shop, load(&shop, START, MONDAY_S));
	assert_faults(shop.lists, LIST_FAULT_UNREADABLE, NONE);
	write_list(&shop, "a", "own.example\n");
	struct lists *lists = load(&shop, REFRESH, MONDAY_S);
	assert_faults(lists, EXPECTATION, NONE);
	assert_int_equal(lists->numbers[0], POLICY_NO_ID);
	lists_unref(lists);
	write_list(&shop, "a", "a.example\n");
	lists = load(&shop, REFRESH, MONDAY_S);
	assert_faults(lists, NONE, NONE);
	assert_int_not_equal(lists->numbers[0], POLICY_NO_ID);
	lists_unref(lists);
	close_shop(&shop);
}

/* What was in force by day may start again at night; another policy may not. */
static void test_what_was_in_force_starts_at_any_hour(void **state)
{
	struct shop shop;
	(void)state;
	open_shop(&shop, OWN ", " SUNDAY);
	write_list(&shop, "a", "a.example\n");
	write_list(&shop, "b", "b.example\n");
	put_in_force(&shop, load(&shop, START, SUNDAY_S));
	assert_null(load(&shop, START, MONDAY_S));
	assert_int_equal(shop.errors.count, 1);
	shop.errors.count = 0;
	shop.is_kept = true;
	struct lists *lists = load(&shop, START, MONDAY_S);
	assert_faults(lists, NONE, NONE);
	assert_int_equal(shop.errors.count, 0);
	lists_unref(lists);
	lists = load(&shop, RELOAD, MONDAY_S);
	assert_faults(lists, NONE, NONE);
	lists_unref(lists);
	write_list(&shop, "b", "another.example\n");
	assert_null(load(&shop, START, MONDAY_S));
	assert_int_equal(shop.errors.count, 1);
	close_shop(&shop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_lists_wait),
		cmocka_unit_test(test_the_clock_holds_no_list_up),
		cmocka_unit_test(test_a_reload_goes_on_with_the_lists_before),
		cmocka_unit_test(test_the_first_start_is_refused),
		cmocka_unit_test(test_what_was_in_force_starts_at_any_hour),
		cmocka_unit_test(test_the_first_edition_of_a_list_waits_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
