#include "proxy/replay/log_source.h"

#include "tests/unit/log_files.h"

static const char text[] = "{\"query_name\":\"a.test.\",\"query_type\":\"A\"}\n"
			   "\n"
			   "nonsense\x1b\n"
			   "{\"query_name\":\"b.test.\",\"query_type\":\"A\"}\r\n"
			   "{\"query_name\":\"c.test.\",\"query_type\":\"A\"}";

struct seen {
	unsigned lines;
	unsigned most; /* after which it has enough; 0: never */
	unsigned progress;
	uint8_t letters[16];
};

static bool on_line(void *context, const struct log_line *line)
{
	struct seen *seen = context;
	seen->letters[seen->lines++] = line->lower.wire[1];
	return seen->lines != seen->most;
}

static void on_progress(void *context, const struct log_source_counts *counts)
{
	struct seen *seen = context;
	seen->progress++;
	assert_true(counts->bytes <= counts->total_bytes);
}

static bool read_twice(struct seen *seen, struct log_source_counts *counts)
{
	struct log_file file = log_file_packed(LOG_GZIP, slice_of_text(text));
	char *files[] = { file.path, file.path };
	const struct log_sink sink = { on_line, on_progress, seen };
	bool fine = log_source_read(files, 2, &sink, counts);
	unlink(file.path);
	return fine;
}

static void good_lines_come_and_bad_ones_count(void **state)
{
	struct seen seen = { 0 };
	struct log_source_counts counts;
	(void)state;
	assert_true(read_twice(&seen, &counts));
	assert_memory_equal(seen.letters, "abcabc", 6);
	assert_int_equal(seen.lines, 6);
	assert_int_equal(seen.progress, 2);
	assert_int_equal(counts.lines, 8);
	assert_int_equal(counts.bad_lines, 2);
	assert_int_equal(counts.bytes, counts.total_bytes);
}

static void the_sink_may_have_enough(void **state)
{
	struct seen seen = { .most = 2 };
	struct log_source_counts counts;
	(void)state;
	assert_true(read_twice(&seen, &counts));
	assert_int_equal(seen.lines, 2);
}

static void no_file(void **state)
{
	char *files[] = { (char *)(uintptr_t) "/nowhere/at/all" };
	const struct log_sink sink = { .on_line = on_line };
	struct log_source_counts counts;
	(void)state;
	assert_false(log_source_read(files, 1, &sink, &counts));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_lines_come_and_bad_ones_count),
		cmocka_unit_test(the_sink_may_have_enough),
		cmocka_unit_test(no_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
