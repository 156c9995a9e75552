#include "proxy/replay/log_stream.h"

#include <errno.h>

#include "base/error.h"
#include "tests/unit/log_files.h"

/* All of it, in steps of `step` bytes; `error` is what ended it. */
static size_t read_all(const char *path, uint8_t *to, size_t most, size_t step, long *error)
{
	size_t len = 0;
	struct log_stream *stream = log_stream_open(path);
	assert_non_null(stream);
	for (;;) {
		assert_true(len < most);
		size_t room = most - len < step ? most - len : step;
		*error = log_stream_read(stream, to + len, room);
		if (*error <= 0)
			break;
		len += (size_t)*error;
	}
	if (*error == 0)
		assert_int_equal(log_stream_position(stream), log_stream_length(stream));
	log_stream_close(stream);
	return len;
}

/* Hardly compressible, so that the input buffer is filled more than once. */
static struct slice noise(size_t len)
{
	uint8_t *at = malloc(len);
	uint32_t state = 1;
	assert_non_null(at);
	for (size_t i = 0; i < len; i++) {
		state = state * 1664525 + 1013904223;
		at[i] = (uint8_t)(state >> 24);
	}
	return slice_of(at, len);
}

static void what_was_packed_comes_out(void **state)
{
	enum { LEN = 700000 };
	static const size_t lens[] = { 0, 1, 2, 3, 4, 5, 1000, LEN };
	static const size_t steps[] = { 4099, 1 << 20 };
	struct slice text = noise(LEN);
	uint8_t *out = malloc(LEN + 1);
	(void)state;
	assert_non_null(out);
	for (int packing = 0; packing < LOG_PACKINGS; packing++)
		for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
			struct log_file file = log_file_packed(
				(enum log_packing)packing, slice_of(text.at, lens[i]));
			for (size_t step = 0; step < 2; step++) {
				long error;
				assert_int_equal(
					read_all(file.path, out, LEN + 1, steps[step], &error),
					lens[i]);
				assert_int_equal(error, 0);
				assert_memory_equal(out, text.at, lens[i]);
			}
			unlink(file.path);
		}
	free(out);
	free((void *)(uintptr_t)text.at);
}

/* As `cat a.gz b.gz` and rotation make them; gzip may have zeros behind. */
static void one_behind_the_other(void **state)
{
	static const char text[] = "some text\n";
	(void)state;
	for (int packing = LOG_GZIP; packing < LOG_PACKINGS; packing++) {
		uint8_t bytes[8192], out[64];
		long error;
		struct slice packed = log_pack((enum log_packing)packing, slice_of_text(text));
		memcpy(bytes, packed.at, packed.len);
		memcpy(bytes + packed.len, packed.at, packed.len);
		memset(bytes + 2 * packed.len, 0, 512);
		size_t padding = packing == LOG_GZIP ? 512 : 0;
		struct log_file file = log_file_new(slice_of(bytes, 2 * packed.len + padding));
		assert_int_equal(read_all(file.path, out, sizeof out, 64, &error), 20);
		assert_int_equal(error, 0);
		assert_memory_equal(out, "some text\nsome text\n", 20);
		unlink(file.path);
		free((void *)(uintptr_t)packed.at);
	}
}

static void damage_is_told(void **state)
{
	struct slice text = noise(3000);
	uint8_t out[4096];
	(void)state;
	for (int packing = LOG_GZIP; packing < LOG_PACKINGS; packing++) {
		struct slice packed = log_pack((enum log_packing)packing, text);
		for (size_t len = 20; len < packed.len; len += 97) {
			long error;
			struct log_file file = log_file_new(slice_of(packed.at, len));
			size_t got = read_all(file.path, out, sizeof out, sizeof out, &error);
			assert_int_equal(error, ERR_MALFORMED);
			assert_memory_equal(out, text.at, got);
			unlink(file.path);
		}
		uint8_t *bytes = (uint8_t *)(uintptr_t)packed.at;
		bytes[packed.len - 1] ^= 0xff; /* gzip's length; the end of zstd's last block */
		bytes[packed.len / 2] ^= 0xff;
		long error;
		struct log_file file = log_file_new(packed);
		size_t got = read_all(file.path, out, sizeof out, sizeof out, &error);
		assert_true(
			packing == LOG_ZSTD ? got == 3000 || error < 0 : error == ERR_MALFORMED);
		unlink(file.path);
		free((void *)(uintptr_t)packed.at);
	}
	free((void *)(uintptr_t)text.at);
}

static void what_is_no_file(void **state)
{
	char byte;
	(void)state;
	assert_null(log_stream_open("/nowhere/at/all"));
	assert_int_equal(errno, ENOENT);
	struct log_stream *stream = log_stream_open("/tmp");
	assert_non_null(stream);
	assert_int_equal(log_stream_read(stream, &byte, 1), -EISDIR);
	log_stream_close(stream);
	log_stream_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_packed_comes_out),
		cmocka_unit_test(one_behind_the_other),
		cmocka_unit_test(damage_is_told),
		cmocka_unit_test(what_is_no_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
