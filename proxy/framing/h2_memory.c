#include "proxy/framing/h2_memory.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { SLOTS_OF_CHUNK = 32 };

/* Blocks that stand in the slot, while somebody has them: none when it is free, whether its pages
 * were kept or come again as zeros. */
struct h2_slot {
	bool has_session;
	bool has_frame;
	_Alignas(64) uint8_t session[H2_SESSION_MAX];
	_Alignas(64) uint8_t frame[H2_FRAME_MAX];
};

_Static_assert(sizeof(struct h2_slot) <= H2_SLOT_LEN, "a slot has room for both");
_Static_assert(offsetof(struct h2_slot, frame) <= 4096 - 1024,
	"a session, and a frame of 1 kB with it, stand on the first page");

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct h2_slot **free_slots; /* has room for all that there are */
static size_t free_count, slot_count;

/* With the lock held. A huge page would be resident from its first byte on. */
static void add_chunk(void)
{
	size_t len = (size_t)SLOTS_OF_CHUNK * H2_SLOT_LEN;
	size_t count = slot_count + SLOTS_OF_CHUNK;
	struct h2_slot **room = realloc(free_slots, count * sizeof(struct h2_slot *));
	if (!room)
		return;
	free_slots = room;
	uint8_t *chunk =
		mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (chunk == MAP_FAILED)
		return;
	madvise(chunk, len, MADV_NOHUGEPAGE);
	slot_count = count;
	for (size_t i = SLOTS_OF_CHUNK; i-- > 0;)
		free_slots[free_count++] = (struct h2_slot *)(void *)(chunk + i * H2_SLOT_LEN);
}

struct h2_slot *h2_slot_take(void)
{
	pthread_mutex_lock(&lock);
	if (!free_count)
		add_chunk();
	struct h2_slot *slot = free_count ? free_slots[--free_count] : NULL;
	pthread_mutex_unlock(&lock);
	return slot;
}

/* Where many are free, the kernel has the pages back: 10,000 clients that have had large answers
 * would leave 200 MB behind. */
void h2_slot_give_back(struct h2_slot *slot)
{
	assert(!slot->has_session && !slot->has_frame);
	pthread_mutex_lock(&lock);
	if (free_count >= H2_SLOTS_KEPT)
		madvise(slot, H2_SLOT_LEN, MADV_DONTNEED);
	free_slots[free_count++] = slot;
	pthread_mutex_unlock(&lock);
}

/* ---- what nghttp2 asks ---- */

/* A session begins with itself and its buffer; nothing else that it wants is as large as either, or
 * it comes when they are taken. */
static void *block_take(size_t size, void *context)
{
	struct h2_slot *slot = context;
	if (size > H2_SESSION_MAX / 2 && size <= H2_SESSION_MAX && !slot->has_session) {
		slot->has_session = true;
		return slot->session;
	}
	if (size > H2_FRAME_MAX / 2 && size <= H2_FRAME_MAX && !slot->has_frame) {
		slot->has_frame = true;
		return slot->frame;
	}
	return malloc(size);
}

static void block_give_back(void *block, void *context)
{
	struct h2_slot *slot = context;
	if (block == slot->session)
		slot->has_session = false;
	else if (block == slot->frame)
		slot->has_frame = false;
	else
		free(block);
}

static void *block_take_clear(size_t count, size_t size, void *context)
{
	if (size && count > SIZE_MAX / size)
		return NULL;
	void *block = block_take(count * size, context);
	return block ? memset(block, 0, count * size) : NULL;
}

/* Of a block that is left, or 0: malloc() knows. */
static size_t len_in_slot(const struct h2_slot *slot, const void *block)
{
	if (block == slot->session)
		return sizeof slot->session;
	return block == slot->frame ? sizeof slot->frame : 0;
}

static void *block_resize(void *block, size_t size, void *context)
{
	if (!block)
		return block_take(size, context);
	size_t len = len_in_slot(context, block);
	if (!len)
		return realloc(block, size);
	if (size <= len)
		return block;
	void *larger = malloc(size);
	if (!larger)
		return NULL;
	memcpy(larger, block, len);
	block_give_back(block, context);
	return larger;
}

nghttp2_mem h2_slot_memory(struct h2_slot *slot)
{
	return (nghttp2_mem){
		.mem_user_data = slot,
		.malloc = block_take,
		.free = block_give_back,
		.calloc = block_take_clear,
		.realloc = block_resize,
	};
}
