/* exception_book_test.c - with a clock of its own: no test waits for time to go by. */
#include "proxy/exceptions/exception_book.h"

#include "base/error.h"
#include "tests/unit/rules_fixture.h"

#include <sys/stat.h>
#include <unistd.h>

enum { START = 1772600767 };

static char directory[64];          /* of the state; of one test */
static struct exceptions *in_force; /* as published last */

static void publish(void *context, struct exceptions *exceptions)
{
	(void)context;
	exceptions_unref(in_force);
	in_force = exceptions_ref(exceptions);
}

static struct exception_book *open_book(const char *state_directory, int64_t now_s)
{
	const struct exception_book_parts parts = {
		.state_directory = state_directory, .now_s = now_s, .publish = publish
	};
	struct exception_book *book = exception_book_new(&parts);
	assert_non_null(book);
	return book;
}

static uint32_t add(struct exception_book *book, const char *name, enum action action,
	const char *view, int64_t for_s, int64_t now_s)
{
	struct exception_made made;
	struct exception wanted = { .action = action,
		.kind = PATTERN_EXACT,
		.name = fixture_name(name),
		.because = "why",
		.by = "anna" };
	strcpy(wanted.view, view);
	int error = exception_book_add(book, &wanted, for_s, now_s, &made);
	return error ? 0 : made.made.id;
}

/* The number of the one that decides for a name now; 0: none. */
static uint32_t decides(const char *name, int64_t now_s)
{
	struct dns_name wire = fixture_name(name);
	const struct exception *found =
		exceptions_find(in_force, "lan", dns_name_slice(&wire), now_s);
	return found ? found->id : 0;
}

static size_t count_in_force(void)
{
	size_t count;
	exceptions_all(in_force, &count);
	return count;
}

static int set_up(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/exception_book_test_XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
	char path[128];
	(void)state;
	exceptions_unref(in_force);
	in_force = NULL;
	snprintf(path, sizeof path, "%s/exceptions", directory);
	chmod(directory, 0700);
	unlink(path);
	return rmdir(directory);
}

static void made_used_and_over(void **state)
{
	struct exception_book *book = open_book(directory, START);
	(void)state;
	assert_int_equal(count_in_force(), 0);
	assert_int_equal(add(book, "a.test", ACTION_BLOCK, "", 60, START), 1);
	assert_int_equal(add(book, "b.test", ACTION_ALLOW, "lan", 3600, START), 2);
	assert_int_equal(decides("a.test", START), 1);
	assert_int_equal(decides("a.test", START + 59), 1);
	assert_int_equal(decides("a.test", START + 60), 0); /* before anybody ticked */
	assert_int_equal(exception_book_used_s(book, 1), 0);
	exception_book_use(book, 1, START + 5);
	exception_book_use(book, 1, START + 7);
	exception_book_use(book, 99, START + 7);
	assert_int_equal(exception_book_used_s(book, 1), START + 7);
	assert_int_equal(exception_book_used_s(book, 99), 0);
	exception_book_tick(book, START + 59);
	assert_int_equal(count_in_force(), 2);
	exception_book_tick(book, START + 60);
	assert_int_equal(count_in_force(), 1);
	assert_ptr_equal(exception_book_set(book), in_force);
	exception_book_free(book);
}

static void the_same_name_is_replaced(void **state)
{
	struct exception_book *book = open_book(directory, START);
	struct exception_made made;
	struct exception wanted = { .action = ACTION_BLOCK,
		.kind = PATTERN_BOTH,
		.name = fixture_name("a.test"),
		.because = "why",
		.by = "anna" };
	(void)state;
	assert_int_equal(add(book, "a.test", ACTION_ALLOW, "", 60, START), 1);
	assert_int_equal(add(book, "a.test", ACTION_ALLOW, "lan", 60, START), 2);
	assert_int_equal(exception_book_add(book, &wanted, 60, START + 1, &made), 0);
	assert_int_equal(made.made.id, 3);
	assert_int_equal(made.replaced.id, 1);
	assert_true(made.is_kept);
	assert_int_equal(made.made.until_s, START + 61);
	assert_int_equal(count_in_force(), 2);
	assert_int_equal(decides("a.test", START + 2), 2); /* it names the view */
	/* One whose time is over is not replaced: it is gone. */
	assert_int_equal(exception_book_add(book, &wanted, 60, START + 100, &made), 0);
	assert_int_equal(made.replaced.id, 0);
	exception_book_free(book);
}

static void ended_by_hand(void **state)
{
	struct exception_book *book = open_book(directory, START);
	struct exception ended;
	(void)state;
	add(book, "a.test", ACTION_ALLOW, "", 60, START);
	assert_int_equal(exception_book_end(book, 2, "anna", START, NULL), -ENOENT);
	assert_int_equal(exception_book_end(book, 1, "anna", START + 60, NULL), -ENOENT);
	add(book, "a.test", ACTION_ALLOW, "", 60, START);
	assert_int_equal(exception_book_end(book, 2, "anna", START + 1, &ended), 0);
	assert_int_equal(ended.id, 2);
	assert_int_equal(decides("a.test", START + 1), 0);
	assert_int_equal(exception_book_end(book, 2, "anna", START + 1, NULL), -ENOENT);
	exception_book_free(book);
}

/* The program may be killed at any time: what is on the disk is what was said. */
static void a_restart_in_the_middle(void **state)
{
	struct exception_book *book = open_book(directory, START);
	(void)state;
	add(book, "a.test", ACTION_BLOCK, "", 60, START);
	add(book, "b.test", ACTION_BLOCK, "", 3600, START);
	add(book, "c.test", ACTION_BLOCK, "", 3600, START);
	exception_book_end(book, 3, "anna", START + 1, NULL);
	exception_book_free(book);
	book = open_book(directory, START + 30);
	assert_int_equal(count_in_force(), 2);
	assert_int_equal(decides("a.test", START + 30), 1);
	exception_book_free(book);
	book = open_book(directory, START + 60);
	assert_int_equal(count_in_force(), 1);
	assert_int_equal(decides("a.test", START + 60), 0);
	assert_int_equal(decides("b.test", START + 60), 2);
	/* The clock went back: what was dropped is still on the disk, and its time is to come. */
	exception_book_free(book);
	book = open_book(directory, START + 10);
	assert_int_equal(decides("a.test", START + 10), 1);
	assert_int_equal(add(book, "d.test", ACTION_BLOCK, "", 60, START + 10), 4);
	exception_book_free(book);
	/* Nothing left: the numbers go on all the same. */
	book = open_book(directory, START + 100000);
	assert_int_equal(count_in_force(), 0);
	assert_int_equal(add(book, "e.test", ACTION_BLOCK, "", 60, START + 100000), 5);
	exception_book_free(book);
}

static void without_a_state_directory(void **state)
{
	struct exception_book *book = open_book("", START);
	struct exception_made made;
	const struct exception wanted = { .action = ACTION_BLOCK,
		.kind = PATTERN_BOTH,
		.name = fixture_name("a.test"),
		.because = "why",
		.by = "anna" };
	(void)state;
	assert_int_equal(exception_book_add(book, &wanted, 60, START, &made), 0);
	assert_false(made.is_kept);
	assert_int_equal(made.error, 0);
	exception_book_free(book);
	book = open_book("", START);
	assert_int_equal(count_in_force(), 0);
	exception_book_free(book);
}

/* It is in force, and whoever made it is told that it is not kept. */
static void a_disk_that_takes_nothing(void **state)
{
	char path[128];
	struct exception_made made;
	const struct exception wanted = { .action = ACTION_BLOCK,
		.kind = PATTERN_EXACT,
		.name = fixture_name("a.test"),
		.because = "why",
		.by = "anna" };
	(void)state;
	snprintf(path, sizeof path, "%s/a/directory/that/is/not/there", directory);
	struct exception_book *book = open_book(path, START);
	assert_int_equal(exception_book_add(book, &wanted, 60, START, &made), 0);
	assert_false(made.is_kept);
	assert_int_equal(made.error, -ENOENT);
	assert_int_equal(decides("a.test", START), 1);
	exception_book_free(book);
	/* It is tried again, and whoever ends one is told that a restart would bring it back. */
	snprintf(path, sizeof path, "%s/later/state", directory);
	book = open_book(path, START);
	assert_int_equal(exception_book_add(book, &wanted, 60, START, &made), 0);
	assert_int_equal(exception_book_behind(book), -ENOENT);
	*strrchr(path, '/') = '\0';
	assert_int_equal(mkdir(path, 0700), 0);
	exception_book_tick(book, START + 1);
	assert_int_equal(exception_book_behind(book), -ENOENT);
	exception_book_tick(book, START + 5);
	assert_int_equal(exception_book_behind(book), 0);
	exception_book_free(book);
	strcat(path, "/state");
	book = open_book(path, START + 6);
	assert_int_equal(count_in_force(), 1);
	exception_book_free(book);
	strcat(path, "/exceptions");
	for (char *slash; unlink(path), strcmp(path, directory) != 0; *slash = '\0') {
		rmdir(path);
		slash = strrchr(path, '/');
	}
}

static void there_is_a_most(void **state)
{
	struct exception_book *book = open_book("", START);
	(void)state;
	for (unsigned i = 0; i < EXCEPTIONS_MAX; i++) {
		char name[32];
		snprintf(name, sizeof name, "n%u.test", i);
		assert_int_equal(add(book, name, ACTION_BLOCK, "", 60 + i, START), i + 1);
		exception_book_use(book, i + 1, START + i);
	}
	assert_int_equal(add(book, "more.test", ACTION_BLOCK, "", 60, START), 0);
	/* Another one of a name that is there has room; and so has any, once one is over. */
	assert_int_equal(add(book, "n9.test", ACTION_ALLOW, "", 6000, START), EXCEPTIONS_MAX + 1);
	assert_int_equal(
		add(book, "more.test", ACTION_BLOCK, "", 60, START + 60), EXCEPTIONS_MAX + 2);
	/* The use of the newest takes the place of the oldest. */
	exception_book_use(book, EXCEPTIONS_MAX + 2, START + 1000);
	assert_int_equal(exception_book_used_s(book, EXCEPTIONS_MAX + 2), START + 1000);
	exception_book_free(book);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(made_used_and_over, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_same_name_is_replaced, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ended_by_hand, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_restart_in_the_middle, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_a_state_directory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_disk_that_takes_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(there_is_a_most, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
