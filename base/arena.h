/* arena.h - memory that dies together: a configuration, a policy.
 * Blocks are never given back one by one; arena_free() releases all. Not for the query path. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/slice.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *newest;
	size_t used;     /* of the newest chunk */
	size_t reserved; /* bytes taken from malloc in all */
};

/* Zeroed memory, aligned for any object; NULL when out of memory or when count * size overflows. */
void *arena_take(struct arena *arena, size_t count, size_t size);

/* A NUL-terminated copy; NULL when out of memory. */
char *arena_text(struct arena *arena, const char *text);

void arena_free(struct arena *arena);

#endif
