#include "proxy/replay/log_blocks.h"

#include "tests/unit/log_files.h"

/* What came: lines, and a sum over their numbers and first bytes. */
struct seen {
	uint64_t lines;
	uint64_t bytes;
	uint64_t last_number;
	size_t last_file;
};

static struct seen read_files(char *const *files, size_t count, bool *has_failed)
{
	struct seen seen = { 0 };
	struct log_block block;
	struct log_blocks *blocks = log_blocks_open(files, count);
	uint8_t *buffer = malloc(LOG_BLOCK_SIZE);
	assert_non_null(blocks);
	assert_non_null(buffer);
	while (log_blocks_next(blocks, buffer, &block)) {
		struct slice text = block.text;
		struct slice line;
		uint64_t number = block.first_line;
		for (; log_blocks_line(&text, &line); number++) {
			seen.lines++;
			seen.bytes += line.len;
			seen.last_number = number;
		}
		assert_int_equal(number, block.first_line + block.line_count);
		seen.last_file = block.file;
	}
	*has_failed = log_blocks_have_failed(blocks);
	if (!*has_failed)
		assert_int_equal(log_blocks_position(blocks), log_blocks_length(blocks));
	free(buffer);
	log_blocks_close(blocks);
	return seen;
}

static struct seen read_text(struct slice text)
{
	bool has_failed;
	struct log_file file = log_file_new(text);
	char *path = file.path;
	struct seen seen = read_files(&path, 1, &has_failed);
	assert_false(has_failed);
	unlink(file.path);
	return seen;
}

static void ends_of_lines(void **state)
{
	static const struct {
		const char *text;
		uint64_t lines, bytes;
	} cases[] = { { "", 0, 0 }, { "\n", 1, 0 }, { "a", 1, 1 }, { "a\n", 1, 1 },
		{ "a\r\nbc", 2, 3 }, { "\n\na\n", 3, 1 }, { "\r", 1, 0 } };
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct seen seen = read_text(slice_of_text(cases[i].text));
		assert_int_equal(seen.lines, cases[i].lines);
		assert_int_equal(seen.bytes, cases[i].bytes);
	}
}

/* Lines of every length around the edge of a block, all of them whole. */
static void lines_over_blocks(void **state)
{
	enum { LINE = 1013, LINES = 3 * LOG_BLOCK_SIZE / LINE };
	uint8_t *text = malloc(LINES * LINE + 64);
	(void)state;
	assert_non_null(text);
	memset(text, 'x', LINES * LINE + 64);
	for (size_t shift = 0; shift < 3; shift++) {
		size_t len = shift;
		for (unsigned i = 0; i < LINES; i++) {
			len += LINE;
			text[len - 1] = '\n';
		}
		struct seen seen = read_text(slice_of(text, len));
		assert_int_equal(seen.lines, LINES);
		assert_int_equal(seen.bytes, len - LINES);
		assert_int_equal(seen.last_number, LINES);
		memset(text, 'x', LINES * LINE + 64);
	}
	free(text);
}

/* A line that is longer than a block is left out, and those around it come with their numbers. */
static void a_line_that_is_too_long(void **state)
{
	static const size_t lens[] = { LOG_BLOCK_SIZE - 1, LOG_BLOCK_SIZE, LOG_BLOCK_SIZE + 1,
		3 * LOG_BLOCK_SIZE + 7 };
	uint8_t *text = malloc(4 * LOG_BLOCK_SIZE);
	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
		memset(text, 'x', 4 * LOG_BLOCK_SIZE);
		memcpy(text, "a\n", 2);
		memcpy(text + 2 + lens[i], "\nb\n", 3);
		struct seen seen = read_text(slice_of(text, lens[i] + 5));
		assert_int_equal(seen.lines, lens[i] < LOG_BLOCK_SIZE ? 3 : 2);
		assert_int_equal(seen.last_number, 3);
	}
	free(text);
}

static void several_files(void **state)
{
	struct log_file first = log_file_packed(LOG_GZIP, slice_of_text("a\nb"));
	struct log_file second = log_file_packed(LOG_PLAIN, slice_of_text(""));
	struct log_file third = log_file_packed(LOG_ZSTD, slice_of_text("c\nd\ne\n"));
	char *files[] = { first.path, second.path, third.path };
	bool has_failed;
	(void)state;
	struct seen seen = read_files(files, 3, &has_failed);
	assert_false(has_failed);
	assert_int_equal(seen.lines, 5);
	assert_int_equal(seen.last_number, 3);
	assert_int_equal(seen.last_file, 2);
	unlink(third.path);
	seen = read_files(files, 3, &has_failed);
	assert_true(has_failed);
	assert_int_equal(seen.lines, 2);
	unlink(first.path);
	unlink(second.path);
}

/* What can be unpacked comes, but not the line that is cut off. */
static void a_file_that_is_cut_off(void **state)
{
	char text[20000];
	bool has_failed;
	(void)state;
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = i % 10 == 9 ? '\n' : (char)('a' + i * i % 23);
	struct slice packed = log_pack(LOG_GZIP, slice_of(text, sizeof text));
	struct log_file file = log_file_new(slice_of(packed.at, packed.len / 2));
	char *path = file.path;
	struct seen seen = read_files(&path, 1, &has_failed);
	assert_true(has_failed);
	assert_int_equal(seen.bytes, 9 * seen.lines);
	assert_int_equal(seen.last_number, seen.lines);
	unlink(file.path);
	free((void *)(uintptr_t)packed.at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_of_lines),
		cmocka_unit_test(lines_over_blocks),
		cmocka_unit_test(a_line_that_is_too_long),
		cmocka_unit_test(several_files),
		cmocka_unit_test(a_file_that_is_cut_off),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
