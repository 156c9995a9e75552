#include "rules/distinct.h"

#include "base/error.h"
#include "rules/grow.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

void distinct_deinit(struct distinct *distinct)
{
	free(distinct->bytes);
	free(distinct->entries);
	free(distinct->table);
	*distinct = (struct distinct){ .salt = distinct->salt };
}

/* The place in the table where the string is, or would be. */
static size_t place_of(const struct distinct *distinct, struct slice string)
{
	size_t at = (size_t)XXH3_64bits_withSeed(string.at, string.len, distinct->salt);
	for (;; at++) {
		at &= distinct->table_size - 1;
		uint32_t number = distinct->table[at];
		if (number == 0 || slice_equals(distinct_get(distinct, number - 1), string))
			return at;
	}
}

/* At most half of the table is taken. */
static int make_room(struct distinct *distinct)
{
	if (distinct->count * 2 < distinct->table_size)
		return 0;
	size_t size = distinct->table_size ? distinct->table_size * 2 : 64;
	uint32_t *table = calloc(size, sizeof *table);
	if (!table)
		return ERR_NO_MEMORY;
	free(distinct->table);
	distinct->table = table;
	distinct->table_size = size;
	for (size_t i = 0; i < distinct->count; i++)
		table[place_of(distinct, distinct_get(distinct, (uint32_t)i))] = (uint32_t)i + 1;
	return 0;
}

static int append(struct distinct *distinct, struct slice string)
{
	void *entries = grow(distinct->entries, &distinct->entry_capacity, distinct->count + 1,
		sizeof *distinct->entries);
	if (!entries)
		return ERR_NO_MEMORY;
	distinct->entries = entries;
	uint8_t *bytes = grow(distinct->bytes, &distinct->capacity, distinct->len + string.len, 1);
	if (!bytes)
		return ERR_NO_MEMORY;
	distinct->bytes = bytes;
	distinct->entries[distinct->count++] = (struct distinct_entry){ distinct->len, string.len };
	if (string.len)
		memcpy(bytes + distinct->len, string.at, string.len);
	distinct->len += string.len;
	return 0;
}

int distinct_put(struct distinct *distinct, struct slice string, uint32_t *number)
{
	if (distinct->count >= INT32_MAX)
		return ERR_TOO_LONG;
	int error = make_room(distinct);
	if (error)
		return error;
	size_t at = place_of(distinct, string);
	if (distinct->table[at] == 0) {
		error = append(distinct, string);
		if (error)
			return error;
		distinct->table[at] = (uint32_t)distinct->count;
	}
	*number = distinct->table[at] - 1;
	return 0;
}
