/* h2_memory.h - where a session of nghttp2 lives, so that an idle one is small.
 * A session has two blocks that it keeps for as long as it lives: itself, some 2,900 bytes, and a
 * buffer for one frame of 16 kB, of which most answers use a few hundred bytes. Left to malloc()
 * the buffer takes the memory that a handshake has just given back, and all of it is resident. Here
 * both stand in one slot of fresh pages: itself first and the buffer behind it, so that the first
 * page is enough for both until a frame is larger. Whatever else nghttp2 wants comes from malloc().
 *
 * Slots are the program's and any thread's: one lock, at the beginning and the end of a session.
 * There are as many as there were sessions at one time; they are used again. H2_SLOTS_KEPT that are
 * free keep their pages, others are addresses and nothing else. */
#ifndef PROXY_FRAMING_H2_MEMORY_H
#define PROXY_FRAMING_H2_MEMORY_H

#include "proxy/framing/h2.h"

enum {
	H2_SLOT_LEN = 5 * 4096,
	H2_SESSION_MAX = 3008,
	H2_FRAME_MAX = 16 * 1024 + 256,
	H2_SLOTS_KEPT = 64,
};

struct h2_slot;

/* For one session; NULL when out of memory. */
struct h2_slot *h2_slot_take(void);
/* After the end of the session. */
void h2_slot_give_back(struct h2_slot *slot);

/* What nghttp2 is to ask for memory; good as long as the slot is the caller's. */
nghttp2_mem h2_slot_memory(struct h2_slot *slot);

#endif
