/* grow.h - arrays that grow by doubling. */
#ifndef RULES_GROW_H
#define RULES_GROW_H

#include <stddef.h>
#include <stdlib.h>

/* Makes room for `wanted` elements of `size` bytes. Returns the array, which may have moved, or
 * NULL when there is no memory: then the old one is as it was. */
static inline void *grow(void *at, size_t *capacity, size_t wanted, size_t size)
{
	if (at && wanted <= *capacity)
		return at;
	size_t more = *capacity ? *capacity * 2 : 64;
	while (more < wanted)
		more *= 2;
	void *moved = realloc(at, more * size);
	if (moved)
		*capacity = more;
	return moved;
}

#endif
