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

/* A block that stands in the slot, while somebody has it. */
struct h2_slot {
	struct h2_slot *next; /* of those that are free */
	bool has_session;
	bool has_frame;
	_Alignas(64) uint8_t session[H2_SESSION_MAX];
	_Alignas(64) uint8_t frame[H2_FRAME_MAX];
};

_Static_assert(sizeof(struct h2_slot) <= H2_SLOT_LEN, "a slot has room for both");
_Static_assert(offsetof(struct h2_slot, frame) <= 4096 - 1024,
	"a session, and a frame of 1 kB with it, stand on the first page");

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct h2_slot *first_free;

/* With the lock held. A huge page would be resident from its first byte on. */
static void add_chunk(void)
{
	size_t len = (size_t)SLOTS_OF_CHUNK * H2_SLOT_LEN;
	uint8_t *chunk =
		mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (chunk == MAP_FAILED)
		return;
	madvise(chunk, len, MADV_NOHUGEPAGE);
	for (size_t i = SLOTS_OF_CHUNK; i-- > 0;) {
		struct h2_slot *slot = (struct h2_slot *)(void *)(chunk + i * H2_SLOT_LEN);
		slot->next = first_free;
		first_free = slot;
	}
}

struct h2_slot *h2_slot_take(void)
{
	pthread_mutex_lock(&lock);
	if (!first_free)
		add_chunk();
	struct h2_slot *slot = first_free;
	if (slot)
		first_free = slot->next;
	pthread_mutex_unlock(&lock);
	return slot;
}

void h2_slot_give_back(struct h2_slot *slot)
{
	assert(!slot->has_session && !slot->has_frame);
	pthread_mutex_lock(&lock);
	slot->next = first_free;
	first_free = slot;
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
