#include "proxy/replay/replay_tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static uint32_t add(struct tally *tally, const char *key, uint64_t line, const char *name)
{
	const struct tally_place place = { .file = 1, .line = line };
	return tally_add(tally, slice_of_text(key), 1, &place, slice_of_text(name));
}

static void check_row(const struct tally *tally, uint32_t number, const char *key, uint64_t count,
	uint64_t line, const char *name)
{
	struct tally_row row = tally_row(tally, number);
	assert_true(slice_equals_text(row.key, key));
	assert_int_equal(row.count, count);
	assert_int_equal(row.first.line, line);
	assert_true(slice_equals_text(row.name, name));
}

static void counts_and_the_first_place(void **state)
{
	struct tally *tally = tally_new(4);
	(void)state;
	assert_int_equal(add(tally, "a", 5, "five"), 0);
	assert_int_equal(add(tally, "b", 6, "six"), 1);
	assert_int_equal(add(tally, "a", 7, "seven"), 0);
	assert_int_equal(add(tally, "a", 2, "two"), 0);
	assert_int_equal(add(tally, "", 9, "nine"), 2);
	assert_int_equal(add(tally, "b", 1, "a longer name"), 1);
	check_row(tally, 0, "a", 3, 2, "two");
	check_row(tally, 1, "b", 2, 1, "a longer name");
	check_row(tally, 2, "", 1, 9, "nine");
	assert_int_equal(tally_row_count(tally), 3);
	tally_free(tally);
	tally_free(NULL);
}

static void what_finds_no_room_is_others(void **state)
{
	struct tally *tally = tally_new(2);
	(void)state;
	add(tally, "a", 1, "x");
	add(tally, "b", 2, "x");
	assert_int_equal(add(tally, "c", 3, "x"), TALLY_NONE);
	assert_int_equal(add(tally, "b", 4, "x"), 1);
	assert_int_equal(add(tally, "d", 5, "x"), TALLY_NONE);
	assert_int_equal(tally_others(tally), 2);
	assert_int_equal(tally_row_count(tally), 2);
	tally_free(tally);
}

static void texts_are_bounded(void **state)
{
	enum { KEY = 64 << 10 };
	char *key = malloc(KEY + 1);
	struct tally *tally = tally_new(TALLY_ROWS_MAX);
	(void)state;
	assert_non_null(key);
	memset(key, 'k', KEY);
	key[KEY] = '\0';
	for (unsigned i = 0; i < 200; i++) {
		key[0] = (char)('0' + i % 10);
		key[1] = (char)('0' + i / 10);
		add(tally, key, i, "");
	}
	assert_int_equal(tally_row_count(tally), TALLY_TEXT_MAX / KEY);
	assert_int_equal(tally_others(tally), 200 - TALLY_TEXT_MAX / KEY);
	tally_free(tally);
	free(key);
}

/* Against sums that are kept one by one; spread over three tallies and put together again. */
static void many_rows_merged(void **state)
{
	enum { KEYS = 5000, TIMES = 60000 };
	uint64_t *counts = calloc(KEYS, sizeof *counts);
	struct tally *parts[3] = { tally_new(KEYS), tally_new(KEYS), tally_new(KEYS) };
	uint32_t state_ = 1, rows[40];
	char key[32];
	(void)state;
	assert_non_null(counts);
	for (uint64_t i = 0; i < TIMES; i++) {
		state_ = state_ * 1664525 + 1013904223;
		unsigned number = (state_ >> 16) % KEYS * ((state_ >> 8) % KEYS) / KEYS;
		counts[number]++;
		snprintf(key, sizeof key, "key %u", number);
		add(parts[i % 3], key, i, key);
	}
	tally_merge(parts[0], parts[1]);
	tally_merge(parts[0], parts[2]);
	for (uint32_t row = 0; row < tally_row_count(parts[0]); row++) {
		unsigned number;
		struct tally_row at = tally_row(parts[0], row);
		memcpy(key, at.key.at, at.key.len);
		key[at.key.len] = '\0';
		assert_int_equal(sscanf(key, "key %u", &number), 1);
		assert_int_equal(at.count, counts[number]);
		assert_true(slice_equals(at.key, at.name));
		counts[number] = 0;
	}
	for (unsigned i = 0; i < KEYS; i++)
		assert_int_equal(counts[i], 0);
	assert_int_equal(tally_top(parts[0], rows, 40), 40);
	for (unsigned i = 1; i < 40; i++) {
		struct tally_row a = tally_row(parts[0], rows[i - 1]);
		struct tally_row b = tally_row(parts[0], rows[i]);
		size_t len = a.key.len < b.key.len ? a.key.len : b.key.len;
		assert_true(a.count > b.count ||
			(a.count == b.count && memcmp(a.key.at, b.key.at, len) <= 0));
	}
	uint64_t least = tally_row(parts[0], rows[39]).count;
	unsigned above = 0;
	for (uint32_t row = 0; row < tally_row_count(parts[0]); row++)
		above += tally_row(parts[0], row).count > least;
	assert_true(above < 40);
	for (unsigned i = 0; i < 3; i++)
		tally_free(parts[i]);
	free(counts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_and_the_first_place),
		cmocka_unit_test(what_finds_no_room_is_others),
		cmocka_unit_test(texts_are_bounded),
		cmocka_unit_test(many_rows_merged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
