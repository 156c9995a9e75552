#include "base/writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void writes_big_endian_numbers(void **state)
{
	(void)state;
	uint8_t buffer[7];
	struct writer w = writer_of(buffer, sizeof buffer);
	writer_u8(&w, 0x01);
	writer_u16(&w, 0x8203);
	writer_u32(&w, 0x84fffefd);
	assert_false(w.failed);
	assert_int_equal(w.len, 7);
	assert_memory_equal(buffer, ((uint8_t[]){ 0x01, 0x82, 0x03, 0x84, 0xff, 0xfe, 0xfd }), 7);
}

/* After an overflow nothing more is written, even what would fit. */
static void stays_failed_after_an_overflow(void **state)
{
	(void)state;
	uint8_t buffer[8];
	memset(buffer, 0xaa, sizeof buffer);
	struct writer w = writer_of(buffer, 3);
	writer_u16(&w, 0x0102);
	writer_u16(&w, 0x0304);
	assert_true(w.failed);
	writer_u8(&w, 5);
	writer_u32(&w, 6);
	writer_bytes(&w, "x", 1);
	writer_text(&w, "x");
	writer_zeros(&w, 1);
	writer_decimal(&w, 7);
	assert_int_equal(w.len, 2);
	assert_memory_equal(
		buffer, ((uint8_t[]){ 1, 2, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa }), sizeof buffer);
}

static void survives_lengths_that_would_wrap_around(void **state)
{
	(void)state;
	uint8_t buffer[4];
	struct writer bytes = writer_of(buffer, sizeof buffer);
	writer_u8(&bytes, 1);
	struct writer zeros = bytes;
	volatile size_t huge = SIZE_MAX; /* else the compiler sees it coming and warns */
	writer_bytes(&bytes, buffer, huge);
	writer_zeros(&zeros, huge);
	assert_true(bytes.failed && zeros.failed);
	assert_int_equal(bytes.len, 1);
}

/* The owner of a writer may keep room for an end piece by lowering the capacity for a while, even
 * below what is written already. */
static void capacity_may_be_lowered_and_raised(void **state)
{
	(void)state;
	uint8_t buffer[4];
	struct writer w = writer_of(buffer, 2);
	writer_u16(&w, 0x0102);
	w.capacity = 4;
	writer_u8(&w, 3);
	assert_false(w.failed);
	w.capacity = 1;
	writer_u8(&w, 4);
	assert_true(w.failed);
	assert_int_equal(w.len, 3);
}

static void nothing_can_be_written_to_nowhere(void **state)
{
	(void)state;
	struct writer w = writer_of(NULL, 0);
	writer_bytes(&w, NULL, 0);
	writer_slice_bytes(&w, slice_of(NULL, 0));
	writer_zeros(&w, 0);
	assert_false(w.failed);
	assert_int_equal(writer_slice(&w).len, 0);
	writer_u8(&w, 1);
	assert_true(w.failed);
}

static void patches_only_what_was_written(void **state)
{
	(void)state;
	uint8_t buffer[4] = { 0, 0, 0, 0xaa };
	struct writer w = writer_of(buffer, sizeof buffer);
	writer_zeros(&w, 3);
	writer_patch_u16(&w, 1, 0x0102);
	assert_false(w.failed);
	assert_memory_equal(buffer, ((uint8_t[]){ 0, 1, 2, 0xaa }), 4);
	writer_patch_u16(&w, 2, 0x0304);
	assert_true(w.failed);
	assert_memory_equal(buffer, ((uint8_t[]){ 0, 1, 2, 0xaa }), 4);
}

static void writes_decimals(void **state)
{
	(void)state;
	const struct {
		uint64_t value;
		const char *text;
	} rows[] = {
		{ 0, "0" },
		{ 9, "9" },
		{ 10, "10" },
		{ 65535, "65535" },
		{ UINT32_MAX, "4294967295" },
		{ UINT64_MAX, "18446744073709551615" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char buffer[20];
		struct writer w = writer_of(buffer, sizeof buffer);
		writer_decimal(&w, rows[i].value);
		assert_false(w.failed);
		assert_true(slice_equals_text(writer_slice(&w), rows[i].text));
		struct writer short_by_one = writer_of(buffer, w.len - 1);
		writer_decimal(&short_by_one, rows[i].value);
		assert_true(short_by_one.failed);
		assert_int_equal(short_by_one.len, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_big_endian_numbers),
		cmocka_unit_test(stays_failed_after_an_overflow),
		cmocka_unit_test(survives_lengths_that_would_wrap_around),
		cmocka_unit_test(capacity_may_be_lowered_and_raised),
		cmocka_unit_test(nothing_can_be_written_to_nowhere),
		cmocka_unit_test(patches_only_what_was_written),
		cmocka_unit_test(writes_decimals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
