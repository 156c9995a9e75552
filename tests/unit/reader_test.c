#include "base/reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const uint8_t bytes[] = { 0x01, 0x82, 0x03, 0x84, 0xff, 0xfe, 0xfd };

static void reads_big_endian_numbers(void **state)
{
	(void)state;
	struct reader r = reader_of(slice_of(bytes, sizeof bytes));
	assert_int_equal(reader_u8(&r), 0x01);
	assert_int_equal(reader_u16(&r), 0x8203);
	assert_int_equal(reader_position(&r), 3);
	assert_int_equal(reader_u32(&r), 0x84fffefd);
	assert_int_equal(reader_left(&r), 0);
	assert_false(r.failed);
}

static void stays_failed_after_a_short_read(void **state)
{
	(void)state;
	struct reader r = reader_of(slice_of(bytes, 3));
	reader_u16(&r);
	assert_int_equal(reader_u16(&r), 0); /* one byte is left: none of it is given */
	assert_true(r.failed);
	assert_int_equal(reader_left(&r), 0);
	assert_int_equal(reader_u8(&r), 0);
	assert_int_equal(reader_u32(&r), 0);
	assert_null(reader_bytes(&r, 0).at);
	reader_seek(&r, 0); /* going back does not heal it */
	reader_skip(&r, 0);
	assert_true(r.failed);
	assert_int_equal(reader_position(&r), 2);
}

/* Each read against each length that is too short for it. */
static void fails_exactly_when_bytes_are_missing(void **state)
{
	(void)state;
	for (size_t len = 0; len <= 5; len++) {
		struct reader r[5];
		for (size_t i = 0; i < 5; i++)
			r[i] = reader_of(slice_of(bytes, len));
		reader_u8(&r[0]);
		reader_u16(&r[1]);
		reader_u32(&r[2]);
		reader_bytes(&r[3], 3);
		reader_skip(&r[4], 5);
		assert_int_equal(r[0].failed, len < 1);
		assert_int_equal(r[1].failed, len < 2);
		assert_int_equal(r[2].failed, len < 4);
		assert_int_equal(r[3].failed, len < 3);
		assert_int_equal(r[4].failed, len < 5);
	}
}

static void survives_lengths_that_would_wrap_around(void **state)
{
	(void)state;
	const size_t lengths[] = { SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2, (size_t)UINT32_MAX + 1 };
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		struct reader skip = reader_of(slice_of(bytes, sizeof bytes));
		struct reader take = skip, seek = skip;
		reader_u8(&skip);
		reader_u8(&take);
		reader_skip(&skip, lengths[i]);
		assert_int_equal(reader_bytes(&take, lengths[i]).len, 0);
		reader_seek(&seek, lengths[i]);
		assert_true(skip.failed && take.failed && seek.failed);
	}
}

static void seeks_to_the_end_but_not_behind_it(void **state)
{
	(void)state;
	struct reader r = reader_of(slice_of(bytes, sizeof bytes));
	reader_seek(&r, sizeof bytes);
	assert_false(r.failed);
	assert_int_equal(reader_left(&r), 0);
	reader_seek(&r, 4);
	assert_int_equal(reader_u8(&r), 0xff);
	reader_seek(&r, sizeof bytes + 1);
	assert_true(r.failed);
}

/* An empty slice may have no address at all; the sanitizer watches the pointer arithmetic. */
static void reads_nothing_from_nothing(void **state)
{
	(void)state;
	struct reader r = reader_of(slice_of(NULL, 0));
	assert_int_equal(reader_left(&r), 0);
	assert_int_equal(reader_bytes(&r, 0).len, 0);
	reader_skip(&r, 0);
	reader_seek(&r, 0);
	assert_int_equal(reader_position(&r), 0);
	assert_false(r.failed);
	reader_u8(&r);
	assert_true(r.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_big_endian_numbers),
		cmocka_unit_test(stays_failed_after_a_short_read),
		cmocka_unit_test(fails_exactly_when_bytes_are_missing),
		cmocka_unit_test(survives_lengths_that_would_wrap_around),
		cmocka_unit_test(seeks_to_the_end_but_not_behind_it),
		cmocka_unit_test(reads_nothing_from_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
