#include "rules/intern.h"

#include "base/error.h"
#include "rules/grow.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

void intern_deinit(struct intern *intern)
{
	free(intern->bytes);
	free(intern->entries);
	free(intern->table);
	*intern = (struct intern){ .salt = intern->salt };
}

/* The place in the table where the string is, or would be. */
static size_t place_of(const struct intern *intern, struct slice string)
{
	size_t at = (size_t)XXH3_64bits_withSeed(string.at, string.len, intern->salt);
	for (;; at++) {
		at &= intern->table_size - 1;
		uint32_t number = intern->table[at];
		if (number == 0 || slice_equals(intern_get(intern, number - 1), string))
			return at;
	}
}

/* At most half of the table is taken. */
static int make_room(struct intern *intern)
{
	if (intern->count * 2 < intern->table_size)
		return 0;
	size_t size = intern->table_size ? intern->table_size * 2 : 64;
	uint32_t *table = calloc(size, sizeof *table);
	if (!table)
		return ERR_NO_MEMORY;
	free(intern->table);
	intern->table = table;
	intern->table_size = size;
	for (size_t i = 0; i < intern->count; i++)
		table[place_of(intern, intern_get(intern, (uint32_t)i))] = (uint32_t)i + 1;
	return 0;
}

static int append(struct intern *intern, struct slice string)
{
	void *entries = grow(intern->entries, &intern->entry_capacity, intern->count + 1,
		sizeof *intern->entries);
	if (!entries)
		return ERR_NO_MEMORY;
	intern->entries = entries;
	uint8_t *bytes = grow(intern->bytes, &intern->capacity, intern->len + string.len, 1);
	if (!bytes)
		return ERR_NO_MEMORY;
	intern->bytes = bytes;
	intern->entries[intern->count++] = (struct intern_entry){ intern->len, string.len };
	if (string.len)
		memcpy(bytes + intern->len, string.at, string.len);
	intern->len += string.len;
	return 0;
}

int intern_put(struct intern *intern, struct slice string, uint32_t *number)
{
	if (intern->count >= INT32_MAX)
		return ERR_TOO_LONG;
	int error = make_room(intern);
	if (error)
		return error;
	size_t at = place_of(intern, string);
	if (intern->table[at] == 0) {
		error = append(intern, string);
		if (error)
			return error;
		intern->table[at] = (uint32_t)intern->count;
	}
	*number = intern->table[at] - 1;
	return 0;
}
