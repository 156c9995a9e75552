/* Loading lists: what is new comes in, what is refused leaves the last good one in force, what has
 * not changed is not read again, and what a run leaves is what the next one starts with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants the above first */
#include <cmocka.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "proxy/lists/list_file.h"
#include "proxy/lists/list_state.h"
#include "proxy/lists/lists.h"

enum { INLINE, FIRST, FETCHED };

static char directory[64];

static const char usual[] =
	"{ name = \"inline\"; domains = [ \"in.test\" ]; },\n"
	"{ name = \"first\"; file = \"first.txt\"; format = \"domains\"; max_shrink = \"50%\"; },\n"
	"{ name = \"fetched\"; source = \"https://lists.test/a\"; format = \"hosts\";\n"
	"  min_entries = 2; must_not_contain = [ \"own.test\" ]; }";

static char *path_of(const char *name)
{
	static char paths[4][192];
	static unsigned turn;
	char *path = paths[turn++ % 4];
	snprintf(path, sizeof paths[0], "%s/%s", directory, name);
	return path;
}

static void put(const char *name, const char *content)
{
	assert_int_equal(list_file_write(path_of(name), slice_of_text(content)), 0);
}

static bool is_there(const char *name)
{
	return access(path_of(name), F_OK) == 0;
}

static int begin(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/namegate-lists-XXXXXX");
	assert_non_null(mkdtemp(directory));
	assert_int_equal(mkdir(path_of("state"), 0700), 0);
	put("first.txt", "a.test\nb.test\nc.test\nd.test\n");
	put("state/fetched.list", "0.0.0.0 e.test\n0.0.0.0 f.test\n");
	log_set_level(LOG_ERROR);
	return 0;
}

static int end(void **state)
{
	char command[128];
	(void)state;
	snprintf(command, sizeof command, "rm -rf '%s'", directory);
	return system(command);
}

/* One load, and what became of it. */
struct run {
	struct config *config;
	struct lists *lists;
	unsigned errors;
	char told[1024];
};

static void on_error(
	void *context, const char *file, unsigned line, const char *path, const char *message)
{
	struct run *run = context;
	(void)file;
	(void)line;
	snprintf(run->told, sizeof run->told, "%s: %s", path, message);
}

static struct run load_with(
	const char *lists, const char *more, const struct lists_options *options)
{
	char text[4096];
	struct run run = { .errors = 0 };
	struct config_errors errors = { .on_error = on_error, .context = &run };
	snprintf(text, sizeof text,
		"listeners = ( { protocol = \"dns\"; address = \"127.0.0.1\"; port = 5353; } );\n"
		"views = ( { name = \"all\"; clients = [ \"127.0.0.0/8\" ]; } );\n"
		"state_directory = \"state\";\ndomain_lists = (\n%s );\n%s",
		lists, more);
	run.config = config_load_text(path_of("namegate.conf"), slice_of_text(text), &errors);
	if (!run.config)
		fail_msg("%s", run.told);
	run.lists = lists_load(run.config, options, &errors);
	run.errors = errors.count;
	return run;
}

static struct run load(const struct lists_options *options)
{
	struct run run = load_with(usual, "", options);
	assert_non_null(run.lists);
	return run;
}

static void drop(struct run *run)
{
	lists_unref(run->lists);
	config_free(run->config);
}

static uint64_t entries_of(const struct run *run, size_t list)
{
	uint16_t number = run->lists->numbers[list];
	return number == POLICY_NO_ID ? 0
				      : image_list(run->lists->file->image, number)->entry_count;
}

static bool matches(const struct run *run, size_t list, const char *text)
{
	struct image_matches matches;
	struct dns_name name;
	assert_true(dns_name_from_text(&name, slice_of_text(text)));
	image_find(run->lists->file->image, dns_name_slice(&name), 1, &matches);
	return image_matches_have(&matches, run->lists->numbers[list]);
}

static const struct lists_options first_time = { .keep = true };

static void test_first_load(void **state)
{
	(void)state;
	struct run run = load(&first_time);
	assert_int_equal(run.errors, 0);
	assert_int_equal(entries_of(&run, INLINE), 1);
	assert_int_equal(entries_of(&run, FIRST), 4);
	assert_int_equal(entries_of(&run, FETCHED), 2);
	assert_true(matches(&run, INLINE, "in.test"));
	assert_true(matches(&run, FIRST, "c.test"));
	assert_true(matches(&run, FETCHED, "f.test"));
	assert_false(matches(&run, FETCHED, "c.test"));
	assert_true(run.lists->file->is_mapped);
	assert_true(is_there("state/lists.image"));
	drop(&run);
}

static void test_nothing_new(void **state)
{
	(void)state;
	struct run run = load(&first_time);
	struct lists_options again = { .previous = run.lists, .must_load = true, .keep = true };
	struct run second = load(&again);
	assert_true(second.lists->is_same);
	assert_ptr_equal(second.lists->file, run.lists->file);
	for (size_t i = 0; i < second.lists->count; i++)
		assert_false(second.lists->items[i].is_new);
	/* Other bytes that say the same: read, and nothing that decides is new. */
	put("first.txt", "# reordered\nd.test\nc.test\nb.test\na.test\n");
	struct run third = load(&again);
	assert_true(third.lists->is_same);
	assert_true(third.lists->items[FIRST].is_new);
	assert_ptr_equal(third.lists->file, run.lists->file);
	drop(&third);
	drop(&second);
	drop(&run);
}

static void test_what_is_new_comes_in(void **state)
{
	(void)state;
	struct run run = load(&first_time);
	struct lists_options again = { .previous = run.lists, .must_load = true, .keep = true };
	put("first.txt", "a.test\nb.test\nnew.test\n");
	struct run second = load(&again);
	assert_false(second.lists->is_same);
	assert_true(second.lists->items[FIRST].is_new);
	assert_false(second.lists->items[FETCHED].is_new);
	assert_true(matches(&second, FIRST, "new.test"));
	assert_false(matches(&second, FIRST, "c.test"));
	assert_true(matches(&second, FETCHED, "e.test"));
	/* One by one or all at once: the same image. */
	struct lists_options fresh = { .salt = image_salt(run.lists->file->image) };
	unlink(path_of("state/lists.image"));
	struct run whole = load(&fresh);
	assert_true(slice_equals(
		image_bytes(whole.lists->file->image), image_bytes(second.lists->file->image)));
	drop(&whole);
	drop(&second);
	drop(&run);
}

static void check_refused(
	const struct run *run, const struct run *before, size_t list, enum list_fault fault)
{
	assert_int_equal(run->lists->items[list].fault, fault);
	assert_true(run->lists->items[list].why[0]);
	assert_false(run->lists->items[list].is_new);
	assert_true(run->lists->is_same);
	assert_ptr_equal(run->lists->file, before->lists->file);
}

static void test_a_file_that_is_refused(void **state)
{
	static const struct {
		const char *text;
		enum list_fault fault;
	} rows[] = {
		{ "a.test\n", LIST_FAULT_SHRUNK },
		{ "", LIST_FAULT_EMPTY },
		{ "# nothing any more\n", LIST_FAULT_EMPTY },
		{ "<!DOCTYPE html><html>\n", LIST_FAULT_NOT_A_LIST },
		{ "not a name\nnor this\n", LIST_FAULT_EMPTY },
		{ "\x1f\x8b\x08 broken", LIST_FAULT_TRUNCATED },
	};
	(void)state;
	struct run run = load(&first_time);
	struct lists_options again = { .previous = run.lists, .must_load = true, .keep = true };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		put("first.txt", rows[i].text);
		struct run second = load(&again);
		check_refused(&second, &run, FIRST, rows[i].fault);
		assert_int_equal(second.errors, 0);
		drop(&second);
	}
	unlink(path_of("first.txt"));
	struct run second = load(&again);
	check_refused(&second, &run, FIRST, LIST_FAULT_UNREADABLE);
	/* The next load of what is in force knows the last good one too. */
	struct lists_options third_time = { .previous = second.lists, .must_load = true };
	struct run third = load(&third_time);
	check_refused(&third, &run, FIRST, LIST_FAULT_UNREADABLE);
	drop(&third);
	drop(&second);
	drop(&run);
}

static void test_a_list_that_never_was(void **state)
{
	(void)state;
	unlink(path_of("first.txt"));
	unlink(path_of("state/fetched.list"));
	struct run run = load(&first_time);
	assert_int_equal(run.lists->numbers[FIRST], POLICY_NO_ID);
	assert_int_equal(run.lists->numbers[FETCHED], POLICY_NO_ID);
	assert_int_not_equal(run.lists->errors[FIRST], 0);
	assert_string_equal(run.lists->items[FETCHED].why, "not fetched yet");
	/* A reload asks for more: a file must be there. What is fetched may still come. */
	struct lists_options again = { .previous = run.lists, .must_load = true };
	struct run second = load_with(usual, "", &again);
	assert_null(second.lists);
	assert_int_equal(second.errors, 1);
	assert_non_null(strstr(second.told, "first.txt"));
	config_free(second.config);
	put("first.txt", "a.test\n");
	struct run third = load(&again);
	assert_int_equal(third.errors, 0);
	assert_int_equal(entries_of(&third, FIRST), 1);
	assert_int_equal(third.lists->numbers[FETCHED], POLICY_NO_ID);
	drop(&third);
	drop(&run);
}

static void test_another_source_is_another_list(void **state)
{
	(void)state;
	struct run run = load(&first_time);
	struct lists_options again = { .previous = run.lists };
	/* What protects under this name comes from elsewhere: it must not stand in. */
	struct run second = load_with(
		"{ name = \"first\"; file = \"other.txt\"; format = \"domains\"; }", "", &again);
	assert_non_null(second.lists);
	assert_int_equal(second.lists->numbers[0], POLICY_NO_ID);
	drop(&second);
	drop(&run);
}

static void test_fetched_editions(void **state)
{
	(void)state;
	struct run run = load(&first_time);
	struct lists_options again = { .previous = run.lists, .must_load = true, .keep = true };
	put("state/fetched.new", "0.0.0.0 own.test\n0.0.0.0 f.test\n");
	struct run refused = load(&again);
	check_refused(&refused, &run, FETCHED, LIST_FAULT_CANARY_HIT);
	assert_true(is_there("state/fetched.quarantined"));
	assert_false(is_there("state/fetched.new"));
	put("state/fetched.new", "0.0.0.0 e.test\n0.0.0.0 f.test\n0.0.0.0 g.test\n");
	again.previous = refused.lists;
	struct run good = load(&again);
	assert_int_equal(good.lists->items[FETCHED].fault, LIST_FAULT_NONE);
	assert_true(matches(&good, FETCHED, "g.test"));
	assert_true(is_there("state/fetched.list"));
	assert_false(is_there("state/fetched.new"));
	/* The operator knows better. */
	struct lists_options accept = {
		.previous = good.lists, .accept = "fetched", .must_load = true, .keep = true
	};
	struct run accepted = load(&accept);
	assert_int_equal(accepted.lists->items[FETCHED].fault, LIST_FAULT_NONE);
	assert_true(matches(&accepted, FETCHED, "own.test"));
	assert_false(is_there("state/fetched.quarantined"));
	/* And it stays: it is the last good one now. */
	again.previous = accepted.lists;
	struct run after = load(&again);
	assert_true(after.lists->is_same);
	assert_int_equal(after.lists->items[FETCHED].fault, LIST_FAULT_NONE);
	drop(&after);
	drop(&accepted);
	drop(&good);
	drop(&refused);
	drop(&run);
}

/* As the keeper writes it. */
static void save_state(const struct run *run)
{
	struct list_record records[3] = { { .name = "" } };
	struct list_state state = { .records = records, .count = 3 };
	struct bytes text;
	strcpy(state.version, list_state_version());
	memcpy(state.image_hash, image_hash(run->lists->file->image), IMAGE_HASH_LEN);
	for (size_t i = 0; i < 3; i++) {
		const struct lists_item *item = &run->lists->items[i];
		snprintf(records[i].name, sizeof records[i].name, "%s", item->name);
		snprintf(records[i].source, sizeof records[i].source, "%s", item->source);
		snprintf(records[i].format, sizeof records[i].format, "%s",
			list_format_name(item->format));
		memcpy(records[i].source_hash, item->source_hash, IMAGE_HASH_LEN);
		records[i].is_loaded = run->lists->numbers[i] != POLICY_NO_ID;
	}
	bytes_init(&text, 1 << 20);
	assert_true(list_state_write(&text, &state));
	assert_int_equal(list_file_write(path_of("state/lists.state"), bytes_peek(&text)), 0);
	bytes_deinit(&text);
}

static void test_a_restart_reads_nothing_again(void **state)
{
	(void)state;
	struct run run = load(&first_time);
	save_state(&run);
	struct run second = load(&first_time);
	for (size_t i = 0; i < second.lists->count; i++)
		assert_false(second.lists->items[i].is_new);
	assert_true(second.lists->file->is_mapped);
	assert_memory_equal(image_hash(second.lists->file->image),
		image_hash(run.lists->file->image), IMAGE_HASH_LEN);
	drop(&second);
	/* Nor does it lose what protects while the file is unreadable. */
	unlink(path_of("first.txt"));
	struct run third = load(&first_time);
	assert_int_equal(entries_of(&third, FIRST), 4);
	assert_int_equal(third.lists->items[FIRST].fault, LIST_FAULT_UNREADABLE);
	drop(&third);
	/* Nor while somebody has just truncated it. */
	put("first.txt", "");
	third = load(&first_time);
	assert_int_equal(entries_of(&third, FIRST), 4);
	assert_int_equal(third.lists->items[FIRST].fault, LIST_FAULT_EMPTY);
	drop(&third);
	drop(&run);
}

static void test_a_damaged_state_costs_a_rebuild(void **state)
{
	(void)state;
	struct run run = load(&first_time);
	save_state(&run);
	struct slice image;
	assert_int_equal(list_file_read(path_of("state/lists.image"), SIZE_MAX, &image), 0);
	((uint8_t *)(uintptr_t)image.at)[image.len / 2] ^= 1;
	log_set_level(LOG_ERROR);
	for (unsigned i = 0; i < 3; i++) {
		size_t len = i == 0 ? image.len : i == 1 ? image.len / 2 : 0;
		assert_int_equal(
			list_file_write(path_of("state/lists.image"), slice_of(image.at, len)), 0);
		struct lists_options look = { .keep = false };
		struct run second = load(&look);
		assert_true(second.lists->items[FIRST].is_new);
		assert_int_equal(entries_of(&second, FIRST), 4);
		drop(&second);
	}
	free((void *)(uintptr_t)image.at);
	drop(&run);
}

static void test_from_an_image(void **state)
{
	(void)state;
	struct run run = load(&first_time);
	assert_int_equal(
		list_file_write(path_of("all.image"), image_bytes(run.lists->file->image)), 0);
	unlink(path_of("first.txt"));
	struct lists_options plain = { .must_load = true };
	struct run second = load_with(usual, "lists_image = \"all.image\";", &plain);
	assert_non_null(second.lists);
	assert_int_equal(entries_of(&second, FIRST), 4);
	assert_true(matches(&second, FETCHED, "f.test"));
	drop(&second);
	second = load_with("{ name = \"more\"; file = \"x\"; format = \"hosts\"; }",
		"lists_image = \"all.image\";", &plain);
	assert_null(second.lists);
	assert_non_null(strstr(second.told, "\"more\""));
	config_free(second.config);
	assert_int_equal(truncate(path_of("all.image"), 100), 0);
	second = load_with(usual, "lists_image = \"all.image\";", &plain);
	assert_null(second.lists);
	assert_non_null(strstr(second.told, "all.image"));
	config_free(second.config);
	drop(&run);
}

static void test_nothing_is_kept_unasked(void **state)
{
	(void)state;
	struct lists_options look = { .must_load = true };
	put("state/fetched.new", "0.0.0.0 own.test\n0.0.0.0 f.test\n");
	struct run run = load(&look);
	assert_int_equal(run.lists->items[FETCHED].fault, LIST_FAULT_CANARY_HIT);
	assert_true(matches(&run, FETCHED, "e.test"));
	assert_false(run.lists->file->is_mapped);
	assert_false(is_there("state/lists.image"));
	assert_true(is_there("state/fetched.new"));
	drop(&run);
}

/* Beside those in force nothing is fetched, moved or left behind; and what is the same is shared,
 * also when it is not all. */
static void test_beside_those_in_force(void **state)
{
	static const char fewer[] =
		"{ name = \"first\"; file = \"first.txt\"; format = \"domains\"; },\n"
		"{ name = \"fetched\"; source = \"https://lists.test/a\"; format = \"hosts\"; }";
	static const char other_source[] =
		"{ name = \"fetched\"; source = \"https://lists.test/b\"; format = \"hosts\"; }";
	static const char by_hand[] =
		"{ name = \"new\"; source = \"https://lists.test/n\"; format = \"hosts\"; }";
	(void)state;
	struct run run = load(&first_time);
	struct lists_options aside = { .previous = run.lists, .must_load = true, .is_aside = true };
	/* A newer edition that nobody has looked at yet is not this one's business. */
	put("state/fetched.new", "0.0.0.0 e.test\n0.0.0.0 f.test\n0.0.0.0 g.test\n");
	put("state/new.list", "0.0.0.0 h.test\n");
	struct run beside = load_with(fewer, "", &aside);
	assert_ptr_equal(beside.lists->file, run.lists->file);
	assert_int_equal(entries_of(&beside, 0), 4);
	assert_true(matches(&beside, 1, "f.test"));
	assert_false(matches(&beside, 1, "g.test"));
	assert_true(is_there("state/fetched.new"));
	/* Another source of that name is another list. */
	struct run another = load_with(other_source, "", &aside);
	assert_int_equal(another.lists->numbers[0], POLICY_NO_ID);
	assert_non_null(strstr(another.lists->items[0].why, "not fetched yet"));
	struct run hand = load_with(by_hand, "", &aside);
	assert_true(matches(&hand, 0, "h.test"));
	/* What differs costs an image, in memory alone. */
	put("first.txt", "a.test\nb.test\nc.test\nnew.test\n");
	struct run changed = load_with(fewer, "", &aside);
	assert_ptr_not_equal(changed.lists->file, run.lists->file);
	assert_false(changed.lists->file->is_mapped);
	assert_true(matches(&changed, 0, "new.test"));
	assert_true(matches(&changed, 1, "e.test"));
	drop(&changed);
	drop(&hand);
	drop(&another);
	drop(&beside);
	drop(&run);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(test_first_load),
		TEST(test_nothing_new),
		TEST(test_what_is_new_comes_in),
		TEST(test_a_file_that_is_refused),
		TEST(test_a_list_that_never_was),
		TEST(test_another_source_is_another_list),
		TEST(test_fetched_editions),
		TEST(test_a_restart_reads_nothing_again),
		TEST(test_a_damaged_state_costs_a_rebuild),
		TEST(test_from_an_image),
		TEST(test_nothing_is_kept_unasked),
		TEST(test_beside_those_in_force),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
