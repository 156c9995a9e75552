#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdalign.h>

static void memory_is_zeroed_aligned_and_apart(void **state)
{
	(void)state;
	struct arena arena = { 0 };
	uint8_t *taken[300];
	for (size_t i = 0; i < 300; i++) {
		size_t len = i * 7 % 257 + 1;
		taken[i] = arena_take(&arena, len, 1);
		assert_non_null(taken[i]);
		assert_int_equal((uintptr_t)taken[i] % alignof(max_align_t), 0);
		for (size_t at = 0; at < len; at++)
			assert_int_equal(taken[i][at], 0);
		memset(taken[i], (int)i, len);
	}
	for (size_t i = 0; i < 300; i++) {
		size_t len = i * 7 % 257 + 1;
		for (size_t at = 0; at < len; at++)
			assert_int_equal(taken[i][at], (uint8_t)i);
	}
	arena_free(&arena);
	assert_int_equal(arena.reserved, 0);
	assert_null(arena.newest);
}

static void large_pieces_get_room_of_their_own(void **state)
{
	(void)state;
	struct arena arena = { 0 };
	uint8_t *large = arena_take(&arena, 1000, 1000);
	assert_non_null(large);
	memset(large, 1, 1000 * 1000);
	uint8_t *small = arena_take(&arena, 1, 1);
	assert_non_null(small);
	assert_int_equal(*small, 0);
	assert_in_range(arena.reserved, 1000 * 1000, 1000 * 1000 + 64 * 1024);
	arena_free(&arena);
}

static void refuses_what_overflows(void **state)
{
	(void)state;
	struct arena arena = { 0 };
	assert_null(arena_take(&arena, SIZE_MAX, 2));
	assert_null(arena_take(&arena, SIZE_MAX / 2, 2));
	assert_null(arena_take(&arena, SIZE_MAX, 1));
	assert_null(arena_take(&arena, (size_t)1 << 32, (size_t)1 << 32));
	assert_int_equal(arena.reserved, 0);
	/* and works on */
	assert_non_null(arena_take(&arena, 1, 1));
	arena_free(&arena);
}

static void an_empty_piece_is_not_null(void **state)
{
	(void)state;
	struct arena arena = { 0 };
	assert_non_null(arena_take(&arena, 0, 8));
	arena_free(&arena);
}

static void copies_text(void **state)
{
	(void)state;
	struct arena arena = { 0 };
	char text[] = "corp.example";
	char *copy = arena_text(&arena, text);
	text[0] = 'X';
	assert_string_equal(copy, "corp.example");
	assert_string_equal(arena_text(&arena, ""), "");
	arena_free(&arena);
}

static void an_arena_can_be_used_again_after_free(void **state)
{
	(void)state;
	struct arena arena = { 0 };
	arena_free(&arena);
	assert_non_null(arena_take(&arena, 10, 10));
	arena_free(&arena);
	assert_non_null(arena_take(&arena, 10, 10));
	arena_free(&arena);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
		cmocka_unit_test(large_pieces_get_room_of_their_own),
		cmocka_unit_test(refuses_what_overflows),
		cmocka_unit_test(an_empty_piece_is_not_null),
		cmocka_unit_test(copies_text),
		cmocka_unit_test(an_arena_can_be_used_again_after_free),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
