#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>

enum { ARENA_CHUNK = 16 * 1024 };

struct arena_chunk {
	struct arena_chunk *older;
	size_t size;
	alignas(max_align_t) uint8_t bytes[];
};

static struct arena_chunk *arena_grow(struct arena *arena, size_t size)
{
	size_t room = size > ARENA_CHUNK ? size : ARENA_CHUNK;
	struct arena_chunk *chunk = calloc(1, sizeof *chunk + room);
	if (!chunk)
		return NULL;
	chunk->older = arena->newest;
	chunk->size = room;
	arena->newest = chunk;
	arena->used = 0;
	arena->reserved += room;
	return chunk;
}

void *arena_take(struct arena *arena, size_t count, size_t size)
{
	size_t total;
	if (__builtin_mul_overflow(count, size, &total) || total > SIZE_MAX / 2)
		return NULL;
	total = (total + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	struct arena_chunk *chunk = arena->newest;
	if (!chunk || chunk->size - arena->used < total)
		chunk = arena_grow(arena, total);
	if (!chunk)
		return NULL;
	void *taken = chunk->bytes + arena->used;
	arena->used += total;
	return taken;
}

char *arena_text(struct arena *arena, const char *text)
{
	size_t len = strlen(text) + 1;
	char *copy = arena_take(arena, len, 1);
	if (copy)
		memcpy(copy, text, len);
	return copy;
}

void arena_free(struct arena *arena)
{
	while (arena->newest) {
		struct arena_chunk *older = arena->newest->older;
		free(arena->newest);
		arena->newest = older;
	}
	*arena = (struct arena){ 0 };
}
