/* distinct.h - different strings of bytes, each kept once and known by a number, from 0 in the
 * order in which they came. */
#ifndef RULES_DISTINCT_H
#define RULES_DISTINCT_H

#include "base/slice.h"

struct distinct_entry {
	size_t at; /* in `bytes` */
	size_t len;
};

/* All zeros is an empty one; `salt` may be set before the first use. */
struct distinct {
	uint8_t *bytes;
	size_t len;
	size_t capacity;
	struct distinct_entry *entries;
	size_t count;
	size_t entry_capacity;
	uint32_t *table; /* number + 1; 0: empty */
	size_t table_size;
	uint64_t salt;
};

void distinct_deinit(struct distinct *distinct);

/* The number of this string, old or new. 0, ERR_NO_MEMORY, or ERR_TOO_LONG (2^31 of them). */
int distinct_put(struct distinct *distinct, struct slice string, uint32_t *number);

/* Lives until the next distinct_put(). */
static inline struct slice distinct_get(const struct distinct *distinct, uint32_t number)
{
	const struct distinct_entry *entry = &distinct->entries[number];
	return slice_of(distinct->bytes + entry->at, entry->len);
}

#endif
