/* Texts packed by zlib and zstd come out as they were; cut, spoilt and swollen ones do not. */
#include "proxy/lists/unpack.h"

#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <zlib.h>
#include <zstd.h>

enum { PLENTY = 64 << 20, PACKED_MAX = 1 << 20 };

/* Packed bytes, one after the other. */
struct packed {
	uint8_t bytes[PACKED_MAX];
	size_t len;
};

static void add_bytes(struct packed *packed, const void *bytes, size_t len)
{
	assert_true(len <= PACKED_MAX - packed->len);
	memcpy(packed->bytes + packed->len, bytes, len);
	packed->len += len;
}

static void add_gzip(struct packed *packed, struct slice text)
{
	z_stream stream = { 0 };
	assert_int_equal(
		deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
	stream.next_in = (uint8_t *)(uintptr_t)text.at;
	stream.avail_in = (unsigned)text.len;
	stream.next_out = packed->bytes + packed->len;
	stream.avail_out = (unsigned)(PACKED_MAX - packed->len);
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	packed->len = PACKED_MAX - stream.avail_out;
	deflateEnd(&stream);
}

static void add_zstd(struct packed *packed, struct slice text)
{
	size_t len = ZSTD_compress(
		packed->bytes + packed->len, PACKED_MAX - packed->len, text.at, text.len, 3);
	assert_false(ZSTD_isError(len));
	packed->len += len;
}

/* In exact memory, so that a sanitizer sees a byte read too far. */
static int unpack_copy(const void *bytes, size_t len, size_t most, struct slice *text)
{
	uint8_t *copy = malloc(len ? len : 1);
	assert_non_null(copy);
	memcpy(copy, bytes, len);
	int error = unpack(slice_of(copy, len), most, text);
	free(copy);
	if (error)
		assert_null(text->at);
	return error;
}

static void check(const struct packed *packed, struct slice expected)
{
	struct slice text;
	assert_int_equal(unpack_copy(packed->bytes, packed->len, PLENTY, &text), 0);
	assert_true(slice_equals(text, expected));
	free((void *)(uintptr_t)text.at);
}

/* Lines that can be packed, but not by much. */
static struct slice make_text(size_t lines)
{
	char *at = malloc(lines * 32 + 1);
	size_t len = 0;
	uint32_t state = 1;
	assert_non_null(at);
	for (size_t i = 0; i < lines; i++) {
		state = state * 1664525 + 1013904223;
		len += (size_t)sprintf(at + len, "%08x%zu.example\n", state, i);
	}
	return slice_of(at, len);
}

typedef void (*add_fn)(struct packed *packed, struct slice text);
static const add_fn adders[] = { add_gzip, add_zstd };
enum { ADDERS = sizeof adders / sizeof *adders };

static void test_whole(void **state)
{
	(void)state;
	static struct packed packed;
	struct slice text = make_text(20000);
	for (size_t i = 0; i < ADDERS; i++) {
		packed.len = 0;
		adders[i](&packed, text);
		assert_true(unpack_is_packed(slice_of(packed.bytes, packed.len)));
		check(&packed, text);
		packed.len = 0;
		adders[i](&packed, slice_of_text(""));
		check(&packed, slice_of_text(""));
	}
	free((void *)(uintptr_t)text.at);
}

static void test_several_members(void **state)
{
	(void)state;
	static struct packed packed;
	for (size_t i = 0; i < ADDERS; i++) {
		packed.len = 0;
		adders[i](&packed, slice_of_text("a.example\n"));
		adders[i](&packed, slice_of_text(""));
		adders[i](&packed, slice_of_text("b.example\n"));
		check(&packed, slice_of_text("a.example\nb.example\n"));
	}
}

static void test_what_is_packed(void **state)
{
	(void)state;
	static const struct {
		struct slice bytes;
		bool is_packed;
	} rows[] = {
		{ { (const uint8_t *)"", 0 }, false },
		{ { (const uint8_t *)"a.example\n", 10 }, false },
		{ { (const uint8_t *)"\x1f", 1 }, false },
		{ { (const uint8_t *)"\x1f\x8b", 2 }, true },
		{ { (const uint8_t *)"\x1f\x9d\x90", 3 }, false }, /* compress(1) */
		{ { (const uint8_t *)"BZh9", 4 }, false },
		{ { (const uint8_t *)"\xfd"
				     "7zXZ\0",
			  6 },
			false },
		{ { (const uint8_t *)"\x28\xb5\x2f\xfd", 4 }, true },
		{ { (const uint8_t *)"\x28\xb5\x2f", 3 }, false },
		{ { (const uint8_t *)"\x5f\x2a\x4d\x18", 4 }, true },
		{ { (const uint8_t *)"\x60\x2a\x4d\x18", 4 }, false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct slice text;
		assert_int_equal(unpack_is_packed(rows[i].bytes), rows[i].is_packed);
		int error = unpack_copy(rows[i].bytes.at, rows[i].bytes.len, PLENTY, &text);
		assert_int_equal(error, rows[i].is_packed ? ERR_MALFORMED : ERR_INVALID);
	}
}

static void test_cut(void **state)
{
	(void)state;
	static struct packed packed;
	for (size_t i = 0; i < ADDERS; i++) {
		struct slice text;
		packed.len = 0;
		adders[i](&packed, slice_of_text("a.example\nb.example\nc.example\n"));
		for (size_t len = 4; len < packed.len; len++)
			assert_int_equal(
				unpack_copy(packed.bytes, len, PLENTY, &text), ERR_MALFORMED);
		/* half of a second one */
		size_t whole = packed.len;
		adders[i](&packed, slice_of_text("d.example\n"));
		for (size_t len = whole + 1; len < packed.len; len++)
			assert_int_equal(
				unpack_copy(packed.bytes, len, PLENTY, &text), ERR_MALFORMED);
	}
}

/* gzip has a sum over the text, so nothing that is spoilt comes out as something else. (zstd's is
 * optional; what libzstd makes by default has none.) */
static void test_spoilt(void **state)
{
	(void)state;
	static struct packed packed;
	struct slice expected = slice_of_text("a.example\nb.example\nc.example\n");
	add_gzip(&packed, expected);
	for (size_t i = 0; i < packed.len * 8; i++) {
		struct slice text;
		packed.bytes[i / 8] ^= (uint8_t)(1 << i % 8);
		int error = unpack_copy(packed.bytes, packed.len, PLENTY, &text);
		packed.bytes[i / 8] ^= (uint8_t)(1 << i % 8);
		if (error)
			continue;
		/* time, system and other trimmings; or the same bytes from further back */
		assert_true(slice_equals(text, expected));
		free((void *)(uintptr_t)text.at);
	}
}

static void test_garbage_behind(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t len;
		int errors[ADDERS];
	} rows[] = {
		{ "\0", 1, { 0, ERR_MALFORMED } },
		{ "\0\0\0\0\0\0\0\0", 8, { 0, ERR_MALFORMED } },
		{ "\n", 1, { ERR_MALFORMED, ERR_MALFORMED } },
		{ "\0\n", 2, { ERR_MALFORMED, ERR_MALFORMED } },
		{ "b.example\n", 10, { ERR_MALFORMED, ERR_MALFORMED } },
		{ "<html>not found</html>", 22, { ERR_MALFORMED, ERR_MALFORMED } },
		{ "\x50\x2a\x4d\x18\x02\0\0\0hi", 10, { ERR_MALFORMED, 0 } },
	};
	static struct packed packed;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (size_t a = 0; a < ADDERS; a++) {
			struct slice text;
			packed.len = 0;
			adders[a](&packed, slice_of_text("a.example\n"));
			add_bytes(&packed, rows[i].bytes, rows[i].len);
			int error = unpack_copy(packed.bytes, packed.len, PLENTY, &text);
			assert_int_equal(error, rows[i].errors[a]);
			free((void *)(uintptr_t)text.at);
		}
	}
}

static void test_limits(void **state)
{
	(void)state;
	static struct packed packed;
	struct slice text = make_text(20000);
	for (size_t i = 0; i < ADDERS; i++) {
		struct slice again;
		packed.len = 0;
		adders[i](&packed, text);
		static const size_t less[] = { 1, 2, 100, 400000 };
		for (size_t l = 0; l < sizeof less / sizeof *less; l++)
			assert_int_equal(
				unpack_copy(packed.bytes, packed.len, text.len - less[l], &again),
				ERR_TOO_LONG);
		assert_int_equal(unpack_copy(packed.bytes, packed.len, 0, &again), ERR_TOO_LONG);
		assert_int_equal(unpack_copy(packed.bytes, packed.len, text.len, &again), 0);
		free((void *)(uintptr_t)again.at);
		assert_int_equal(unpack_copy(packed.bytes, packed.len, SIZE_MAX, &again), 0);
		free((void *)(uintptr_t)again.at);
		/* nothing fits into nothing */
		packed.len = 0;
		adders[i](&packed, slice_of_text(""));
		assert_int_equal(unpack_copy(packed.bytes, packed.len, 0, &again), 0);
		free((void *)(uintptr_t)again.at);
	}
	free((void *)(uintptr_t)text.at);
}

static void test_bombs(void **state)
{
	(void)state;
	static struct packed packed;
	size_t len = 16 << 20;
	uint8_t *zeros = calloc(1, len);
	assert_non_null(zeros);
	for (size_t i = 0; i < ADDERS; i++) {
		struct slice text;
		packed.len = 0;
		adders[i](&packed, slice_of(zeros, len));
		assert_true(packed.len < len / UNPACK_RATIO_MAX);
		assert_int_equal(
			unpack_copy(packed.bytes, packed.len, PLENTY, &text), ERR_TOO_LONG);
		/* what is small is none */
		packed.len = 0;
		adders[i](&packed, slice_of(zeros, 1 << 20));
		check(&packed, slice_of(zeros, 1 << 20));
	}
	free(zeros);
}

/* A frame that asks for 2 GiB to look back into. */
static void test_window(void **state)
{
	(void)state;
	static const uint8_t frame[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x00, (31 - 10) << 3, 0x01, 0x00,
		0x00 };
	uint8_t fine[sizeof frame];
	struct slice text;
	assert_int_equal(unpack_copy(frame, sizeof frame, PLENTY, &text), ERR_TOO_LONG);
	memcpy(fine, frame, sizeof frame);
	fine[5] = (20 - 10) << 3;
	assert_int_equal(unpack_copy(fine, sizeof fine, PLENTY, &text), 0);
	assert_int_equal(text.len, 0);
	free((void *)(uintptr_t)text.at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_several_members),
		cmocka_unit_test(test_what_is_packed),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_spoilt),
		cmocka_unit_test(test_garbage_behind),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_bombs),
		cmocka_unit_test(test_window),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
