#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/error.h"

static void gives_back_what_was_put_in_in_order(void **state)
{
	(void)state;
	struct bytes queue;
	bytes_init(&queue, 64);
	assert_int_equal(bytes_append(&queue, "abc", 3), 0);
	assert_int_equal(bytes_append(&queue, "def", 3), 0);
	assert_true(slice_equals_text(bytes_peek(&queue), "abcdef"));
	bytes_consume(&queue, 2);
	assert_true(slice_equals_text(bytes_peek(&queue), "cdef"));
	assert_int_equal(bytes_append(&queue, "g", 1), 0);
	assert_true(slice_equals_text(bytes_peek(&queue), "cdefg"));
	bytes_deinit(&queue);
}

static void an_empty_queue_holds_no_memory(void **state)
{
	(void)state;
	struct bytes queue;
	bytes_init(&queue, 64);
	assert_int_equal(bytes_peek(&queue).len, 0);
	assert_int_equal(bytes_append(&queue, NULL, 0), 0);
	assert_null(queue.at);
	assert_int_equal(bytes_append(&queue, "abc", 3), 0);
	bytes_consume(&queue, 3);
	assert_null(queue.at);
	assert_int_equal(bytes_len(&queue), 0);
	assert_int_equal(queue.ceiling, 64);
	bytes_consume(&queue, 0);
	assert_int_equal(bytes_append(&queue, "abc", 3), 0);
	bytes_deinit(&queue);
}

static void nothing_goes_over_the_ceiling(void **state)
{
	(void)state;
	const size_t ceilings[] = { 0, 1, 10, 1023, 1024, 1025, 1500, 4096, 5000 };
	static const uint8_t chunk[5001];
	for (size_t i = 0; i < sizeof ceilings / sizeof *ceilings; i++) {
		struct bytes queue;
		bytes_init(&queue, ceilings[i]);
		assert_int_equal(bytes_append(&queue, chunk, ceilings[i] + 1), ERR_TOO_LONG);
		assert_int_equal(bytes_append(&queue, chunk, SIZE_MAX), ERR_TOO_LONG);
		assert_null(bytes_reserve(&queue, ceilings[i] + 1));
		for (size_t left = ceilings[i]; left > 0;) {
			size_t len = left < 700 ? left : 700;
			assert_int_equal(bytes_append(&queue, chunk, len), 0);
			left -= len;
		}
		assert_int_equal(bytes_len(&queue), ceilings[i]);
		assert_true(queue.capacity <= ceilings[i]);
		assert_int_equal(bytes_append(&queue, chunk, 1), ERR_TOO_LONG);
		assert_int_equal(bytes_len(&queue), ceilings[i]);
		bytes_deinit(&queue);
	}
}

/* Let the sanitizer's malloc refuse as the system's does. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

/* A queue without a ceiling must refuse by memory, not spin. */
static void a_huge_ceiling_ends_in_no_memory(void **state)
{
	(void)state;
	struct bytes queue;
	bytes_init(&queue, SIZE_MAX);
	assert_int_equal(bytes_append(&queue, "abc", 3), 0);
	assert_null(bytes_reserve(&queue, SIZE_MAX - 3));
	assert_true(slice_equals_text(bytes_peek(&queue), "abc"));
	bytes_deinit(&queue);
}

static void reserved_room_counts_only_when_claimed(void **state)
{
	(void)state;
	struct bytes queue;
	bytes_init(&queue, 2000);
	uint8_t *room = bytes_reserve(&queue, 1500);
	assert_non_null(room);
	memset(room, 'x', 1500);
	assert_int_equal(bytes_len(&queue), 0);
	bytes_claim(&queue, 2);
	assert_true(slice_equals_text(bytes_peek(&queue), "xx"));
	assert_non_null(bytes_reserve(&queue, 0));
	bytes_deinit(&queue);
	assert_non_null(bytes_reserve(&queue, 0)); /* NULL would read as an error */
	bytes_deinit(&queue);
}

static void takes_no_more_than_there_is_or_fits(void **state)
{
	(void)state;
	struct bytes queue;
	char to[8] = "";
	bytes_init(&queue, 100);
	assert_int_equal(bytes_take(&queue, to, sizeof to), 0);
	assert_int_equal(bytes_append(&queue, "abcde", 5), 0);
	assert_int_equal(bytes_take(&queue, to, 0), 0);
	assert_int_equal(bytes_take(&queue, to, 3), 3);
	assert_memory_equal(to, "abc", 3);
	assert_int_equal(bytes_take(&queue, to, sizeof to), 2);
	assert_memory_equal(to, "de", 2);
	assert_null(queue.at);
}

/* A stream that is never quite empty: the room in front is used again instead of growing. */
static void a_long_stream_stays_small(void **state)
{
	(void)state;
	struct bytes queue;
	uint32_t in = 0, out = 0;
	bytes_init(&queue, 1 << 20);
	for (int turn = 0; turn < 20000; turn++) {
		uint8_t piece[8];
		size_t len = (size_t)turn % sizeof piece + 1;
		for (size_t i = 0; i < len; i++)
			piece[i] = (uint8_t)in++;
		assert_int_equal(bytes_append(&queue, piece, len), 0);
		while (bytes_len(&queue) > 100) {
			assert_int_equal(*bytes_peek(&queue).at, (uint8_t)out++);
			bytes_consume(&queue, 1);
		}
	}
	assert_int_equal(queue.capacity, 1024);
	bytes_deinit(&queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_back_what_was_put_in_in_order),
		cmocka_unit_test(an_empty_queue_holds_no_memory),
		cmocka_unit_test(nothing_goes_over_the_ceiling),
		cmocka_unit_test(a_huge_ceiling_ends_in_no_memory),
		cmocka_unit_test(reserved_room_counts_only_when_claimed),
		cmocka_unit_test(takes_no_more_than_there_is_or_fits),
		cmocka_unit_test(a_long_stream_stays_small),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
