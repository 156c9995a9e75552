/* What a run leaves is what the next one reads; what is damaged is as if it were not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants the above first */
#include <cmocka.h>
#include <limits.h>

#include "proxy/lists/list_state.h"

static struct list_record records[] = {
	{ .name = "malware",
		.source = "https://lists.example/malware.txt",
		.format = "hosts",
		.source_hash = { 1, 2, 0xfe },
		.source_len = 123456789,
		.is_loaded = true,
		.attempt_s = 1790000000,
		.success_s = 1789999999,
		.change_s = 1780000000,
		.etag = "W/\"a b\"",
		.last_modified = "Sun, 22 Nov 2026 00:00:00 GMT" },
	{ .name = "inline" },
	{ .name = "ads and more",
		.source = "/etc/lists/a b.txt",
		.fault = LIST_FAULT_SHRUNK,
		.why = "12 entries, and 1000 are in force" },
};
enum { RECORDS = sizeof records / sizeof *records };

static struct slice write_state(struct bytes *text)
{
	struct list_state state = {
		.version = "1.2.3", .image_hash = { 0xab }, .records = records, .count = RECORDS
	};
	bytes_init(text, 1 << 20);
	assert_true(list_state_write(text, &state));
	return bytes_peek(text);
}

static void check_record(const struct list_record *read, const struct list_record *written)
{
	assert_string_equal(read->name, written->name);
	assert_string_equal(read->source, written->source);
	assert_string_equal(read->format, written->format);
	assert_memory_equal(read->source_hash, written->source_hash, IMAGE_HASH_LEN);
	assert_int_equal(read->source_len, written->source_len);
	assert_int_equal(read->is_loaded, written->is_loaded);
	assert_int_equal(read->attempt_s, written->attempt_s);
	assert_int_equal(read->success_s, written->success_s);
	assert_int_equal(read->change_s, written->change_s);
	assert_int_equal(read->fault, written->fault);
	assert_string_equal(read->why, written->why);
	assert_string_equal(read->etag, written->etag);
	assert_string_equal(read->last_modified, written->last_modified);
}

static void test_there_and_back(void **context)
{
	(void)context;
	struct bytes text;
	struct list_state state;
	assert_true(list_state_read(&state, write_state(&text)));
	assert_string_equal(state.version, "1.2.3");
	assert_int_equal(state.image_hash[0], 0xab);
	assert_int_equal(state.count, RECORDS);
	for (size_t i = 0; i < RECORDS; i++)
		check_record(&state.records[i], &records[i]);
	assert_ptr_equal(list_state_find(&state, "inline"), &state.records[1]);
	assert_null(list_state_find(&state, "other"));
	list_state_deinit(&state);
	bytes_deinit(&text);
}

/* A state that was cut off anywhere is none: half of it would forget lists. */
static void test_truncation(void **context)
{
	(void)context;
	struct bytes text;
	struct slice whole = write_state(&text);
	for (size_t len = 0; len + 1 < whole.len; len++) {
		struct list_state state;
		uint8_t *copy = malloc(len + 1);
		assert_non_null(copy);
		memcpy(copy, whole.at, len);
		if (list_state_read(&state, slice_of(copy, len)))
			fail_msg("%zu of %zu bytes were enough", len, whole.len);
		assert_int_equal(state.count, 0);
		free(copy);
	}
	bytes_deinit(&text);
}

static void test_a_value_cannot_be_a_line(void **context)
{
	(void)context;
	struct list_record record = { .name = "a", .why = "first\nlist evil\nend" };
	struct list_state state = { .records = &record, .count = 1 };
	struct bytes text;
	bytes_init(&text, 4096);
	assert_true(list_state_write(&text, &state));
	assert_true(list_state_read(&state, bytes_peek(&text)));
	assert_int_equal(state.count, 1);
	assert_string_equal(state.records[0].why, "first list evil end");
	list_state_deinit(&state);
	bytes_deinit(&text);
}

#define HEAD "namegate-lists 1\n"

static void test_strange_texts(void **context)
{
	(void)context;
	static const struct {
		const char *text;
		bool good;
		size_t count;
	} rows[] = {
		{ "", false, 0 },
		{ "end\n", false, 0 },
		{ "namegate-lists 2\nend\n", false, 0 },
		{ HEAD "end\n", true, 0 },
		{ HEAD "end", true, 0 },
		{ HEAD "unknown thing\nend\n", true, 0 },
		{ HEAD "list\nend\n", false, 0 },
		{ HEAD "list \nend\n", false, 0 },
		{ HEAD "list a\nbytes -1\nattempt 99999999999999999999\nhash zz\nend\n", true, 1 },
		{ HEAD "list a\nfault nonsense\nloaded 2\nunknown x\nend\n", true, 1 },
		{ HEAD "list a\nlist b\nend\nlist c\n", true, 2 },
		{ HEAD "image 12\nend\n", false, 0 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct list_state state;
		bool good = list_state_read(&state, slice_of_text(rows[i].text));
		assert_int_equal(good, rows[i].good);
		assert_int_equal(state.count, rows[i].count);
		for (size_t n = 0; n < state.count; n++) {
			assert_int_equal(state.records[n].source_len, 0);
			assert_int_equal(state.records[n].attempt_s, 0);
			assert_int_equal(state.records[n].fault, LIST_FAULT_NONE);
			assert_false(state.records[n].is_loaded);
		}
		list_state_deinit(&state);
	}
}

static void test_paths(void **context)
{
	(void)context;
	char path[PATH_MAX];
	static char longest[LIST_STATE_NAME_MAX + 100];
	assert_true(list_state_path(path, "/var/lib/namegate", "malware-1.2_x", ".list"));
	assert_string_equal(path, "/var/lib/namegate/malware-1.2_x.list");
	assert_true(list_state_path(path, "s", "../../etc/passwd", ".new"));
	assert_string_equal(path, "s/%2E.%2F..%2Fetc%2Fpasswd.new");
	assert_true(list_state_path(path, "s", "b\xc3\xb6se %", ""));
	assert_string_equal(path, "s/b%C3%B6se%20%25");
	memset(longest, ' ', LIST_STATE_NAME_MAX - 1);
	assert_true(list_state_path(path, "s", longest, ".new.minisig"));
	memset(longest, ' ', sizeof longest - 1);
	assert_false(list_state_path(path, "s", longest, ".new"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_a_value_cannot_be_a_line),
		cmocka_unit_test(test_strange_texts),
		cmocka_unit_test(test_paths),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
