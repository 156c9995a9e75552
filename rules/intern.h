/* intern.h - different strings of bytes, each kept once and known by a number, from 0 in the order
 * in which they came. */
#ifndef RULES_INTERN_H
#define RULES_INTERN_H

#include "base/slice.h"

struct intern_entry {
	size_t at; /* in `bytes` */
	size_t len;
};

/* All zeros is an empty one; `salt` may be set before the first use. */
struct intern {
	uint8_t *bytes;
	size_t len;
	size_t capacity;
	struct intern_entry *entries;
	size_t count;
	size_t entry_capacity;
	uint32_t *table; /* number + 1; 0: empty */
	size_t table_size;
	uint64_t salt;
};

void intern_deinit(struct intern *intern);

/* The number of this string, old or new. 0, ERR_NO_MEMORY, or ERR_TOO_LONG (2^31 of them). */
int intern_put(struct intern *intern, struct slice string, uint32_t *number);

/* Lives until the next intern_put(). */
static inline struct slice intern_get(const struct intern *intern, uint32_t number)
{
	const struct intern_entry *entry = &intern->entries[number];
	return slice_of(intern->bytes + entry->at, entry->len);
}

#endif
