#include "proxy/framing/h2_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

enum { SESSION_LEN = 2928, FRAME_LEN = 16394, SMALL_LEN = 100 };

struct fixture {
	struct h2_slot *slot;
	nghttp2_mem memory;
};

static struct fixture open_slot(void)
{
	struct h2_slot *slot = h2_slot_take();
	assert_non_null(slot);
	return (struct fixture){ slot, h2_slot_memory(slot) };
}

static void *take(const struct fixture *f, size_t size)
{
	void *block = f->memory.malloc(size, f->memory.mem_user_data);
	assert_non_null(block);
	return block;
}

static void *resize(const struct fixture *f, void *block, size_t size)
{
	return f->memory.realloc(block, size, f->memory.mem_user_data);
}

static void give(const struct fixture *f, void *block)
{
	f->memory.free(block, f->memory.mem_user_data);
}

static bool is_in_slot(const struct fixture *f, const void *block)
{
	uintptr_t at = (uintptr_t)block, slot = (uintptr_t)f->slot;
	return at >= slot && at < slot + H2_SLOT_LEN;
}

static void only_a_session_and_a_frame_stand_in_the_slot(void **state)
{
	struct fixture f = open_slot();
	static const struct {
		size_t size;
		bool is_in_slot;
	} rows[] = {
		{ SMALL_LEN, false },
		{ SESSION_LEN, true },
		{ SESSION_LEN, false },
		{ 4096, false },
		{ FRAME_LEN, true },
		{ FRAME_LEN, false },
		{ H2_FRAME_MAX + 1, false },
	};
	enum { COUNT = sizeof rows / sizeof *rows };
	void *blocks[COUNT];
	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		blocks[i] = take(&f, rows[i].size);
		memset(blocks[i], (int)i, rows[i].size);
		assert_int_equal(is_in_slot(&f, blocks[i]), rows[i].is_in_slot);
	}
	for (size_t i = 0; i < COUNT; i++) {
		for (size_t j = 0; j < rows[i].size; j++)
			assert_int_equal(((uint8_t *)blocks[i])[j], i);
		give(&f, blocks[i]);
	}
	give(&f, NULL);
	h2_slot_give_back(f.slot);
}

/* A slot is used again, whatever its last session has left there. */
static void what_is_asked_clear_is_clear(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct fixture f = open_slot();
		uint8_t *block = f.memory.calloc(1, SESSION_LEN, f.memory.mem_user_data);
		assert_true(is_in_slot(&f, block));
		for (size_t j = 0; j < SESSION_LEN; j++)
			assert_int_equal(block[j], 0);
		memset(block, 0xff, SESSION_LEN);
		give(&f, block);
		h2_slot_give_back(f.slot);
	}
}

static void a_count_that_overflows_is_refused(void **state)
{
	struct fixture f = open_slot();
	(void)state;
	assert_null(f.memory.calloc(SIZE_MAX / 2, 3, f.memory.mem_user_data));
	h2_slot_give_back(f.slot);
}

static void a_block_that_grows_keeps_its_bytes(void **state)
{
	struct fixture f = open_slot();
	(void)state;
	uint8_t *block = resize(&f, NULL, FRAME_LEN);
	assert_true(is_in_slot(&f, block));
	memset(block, 7, FRAME_LEN);
	assert_ptr_equal(resize(&f, block, H2_FRAME_MAX), block);
	block = resize(&f, block, 2 * FRAME_LEN);
	assert_non_null(block);
	assert_false(is_in_slot(&f, block));
	for (size_t i = 0; i < FRAME_LEN; i++)
		assert_int_equal(block[i], 7);
	void *frame = take(&f, FRAME_LEN); /* its place is free again */
	assert_true(is_in_slot(&f, frame));
	give(&f, frame);
	give(&f, block);
	h2_slot_give_back(f.slot);
}

static void slots_are_apart_and_used_again(void **state)
{
	enum { COUNT = 100 };
	struct h2_slot *slots[COUNT];
	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		slots[i] = h2_slot_take();
		assert_non_null(slots[i]);
		for (size_t j = 0; j < i; j++) {
			uintptr_t a = (uintptr_t)slots[i], b = (uintptr_t)slots[j];
			assert_true((a > b ? a - b : b - a) >= H2_SLOT_LEN);
		}
	}
	for (size_t i = 0; i < COUNT; i++)
		h2_slot_give_back(slots[i]);
	assert_ptr_equal(h2_slot_take(), slots[COUNT - 1]);
	h2_slot_give_back(slots[COUNT - 1]);
}

/* --- with nghttp2 itself --- */

static size_t resident_pages(const struct h2_slot *slot)
{
	unsigned char pages[H2_SLOT_LEN / 4096];
	size_t count = 0;
	assert_int_equal(mincore((void *)(uintptr_t)slot, H2_SLOT_LEN, pages), 0);
	for (size_t i = 0; i < sizeof pages; i++)
		count += pages[i] & 1;
	return count;
}

/* Fresh pages, not what another test has used; none are given back before the test is over. */
static struct h2_slot *fresh_slot(struct h2_slot **passed, size_t capacity, size_t *count)
{
	for (*count = 0; *count < capacity; ++*count) {
		struct h2_slot *slot = h2_slot_take();
		assert_non_null(slot);
		if (resident_pages(slot) <= 1)
			return slot;
		passed[*count] = slot;
	}
	fail_msg("no fresh slot among %zu", capacity);
	return NULL;
}

static void an_idle_session_is_one_page(void **state)
{
	if (sysconf(_SC_PAGESIZE) != 4096)
		skip();
	enum { PASSED_MAX = 200 };
	struct h2_slot *passed[PASSED_MAX];
	size_t passed_count;
	struct h2_slot *slot = fresh_slot(passed, PASSED_MAX, &passed_count);
	nghttp2_mem memory = h2_slot_memory(slot);
	nghttp2_session_callbacks *callbacks;
	nghttp2_session *session;
	const uint8_t *frame;
	(void)state;
	assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
	assert_int_equal(nghttp2_session_server_new3(&session, callbacks, NULL, NULL, &memory), 0);
	assert_int_equal(nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, NULL, 0), 0);
	assert_int_equal(nghttp2_session_mem_send(session, &frame), 9);
	assert_in_range((uintptr_t)frame, (uintptr_t)slot, (uintptr_t)slot + 4095);
	assert_int_equal(nghttp2_session_mem_send(session, &frame), 0);
	assert_int_equal(resident_pages(slot), 1);
	nghttp2_session_del(session);
	nghttp2_session_callbacks_del(callbacks);
	h2_slot_give_back(slot);
	while (passed_count > 0)
		h2_slot_give_back(passed[--passed_count]);
}

/* Of many that were filled and given back only some stay in memory. */
static void many_free_slots_are_addresses_alone(void **state)
{
	enum { COUNT = 3 * H2_SLOTS_KEPT };
	struct h2_slot *slots[COUNT];
	size_t resident = 0;
	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		slots[i] = h2_slot_take();
		nghttp2_mem memory = h2_slot_memory(slots[i]);
		void *frame = memory.malloc(H2_FRAME_MAX, slots[i]);
		memset(frame, 1, H2_FRAME_MAX);
		memory.free(frame, slots[i]);
		assert_true(resident_pages(slots[i]) >= H2_FRAME_MAX / 4096);
	}
	for (size_t i = 0; i < COUNT; i++)
		h2_slot_give_back(slots[i]);
	for (size_t i = 0; i < COUNT; i++)
		resident += resident_pages(slots[i]) > 0;
	assert_in_range(resident, 1, H2_SLOTS_KEPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_session_and_a_frame_stand_in_the_slot),
		cmocka_unit_test(what_is_asked_clear_is_clear),
		cmocka_unit_test(a_count_that_overflows_is_refused),
		cmocka_unit_test(a_block_that_grows_keeps_its_bytes),
		cmocka_unit_test(slots_are_apart_and_used_again),
		cmocka_unit_test(an_idle_session_is_one_page),
		cmocka_unit_test(many_free_slots_are_addresses_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
