/* name_index.h - one index over all domain lists of a policy: a name is walked once, from its end,
 * and the lists that match are known. The cost depends on the labels of the name, not on the
 * number of lists or entries.
 *
 * Every suffix of the name is hashed label by label from the root (XXH3, keyed with the salt), all
 * before the first look at the table, so that their cache misses overlap. The table's slots stand
 * in the order of their 32-bit tags; a hit is compared byte by byte, so there is no false one.
 * Immutable once built, and then read by any number of threads. */
#ifndef RULES_NAME_INDEX_H
#define RULES_NAME_INDEX_H

#include "rules/list.h"

enum { NAME_INDEX_LISTS_MAX = 1024 };

struct name_index_slot {
	uint32_t tag;
	uint32_t at; /* of the first entry of a name in `entries`; 0: an empty slot */
};

struct name_index {
	struct name_index_slot *slots;
	uint8_t *entries; /* per name: its entries (6 bytes each), then the name once */
	size_t slot_count;
	size_t entries_len;
	uint64_t capacity; /* tags are spread over this many slots; the rest is overflow */
	uint64_t root_hash;
	uint64_t depths[2]; /* which numbers of labels do names in here have? */
	unsigned depth_max;
	size_t entry_count; /* duplicates within a list left out */
	size_t name_count;
};

/* What a look-up found: a set of lists, and for each its longest entry. Lives on the caller's
 * stack; `entries` is only filled where `lists` has a bit. */
struct name_matches {
	uint64_t lists[NAME_INDEX_LISTS_MAX / 64];
	uint32_t entries[NAME_INDEX_LISTS_MAX];
};

static inline bool name_matches_has(const struct name_matches *matches, unsigned list)
{
	return matches->lists[list / 64] >> list % 64 & 1;
}

/* Collects patterns and then becomes an index. */
struct name_index_builder {
	struct name_index_pattern *patterns;
	size_t pattern_count;
	size_t pattern_capacity;
	uint8_t *names;
	size_t names_len;
	size_t names_capacity;
	uint64_t root_hash;
};

void name_index_builder_init(struct name_index_builder *builder, uint64_t salt);
void name_index_builder_deinit(struct name_index_builder *builder);

/* `name` is lower case. Lists are added one after the other, lower numbers first. 0, ERR_NO_MEMORY
 * or ERR_TOO_LONG (over 4 GiB of names). */
int name_index_add(struct name_index_builder *builder, unsigned list, const struct dns_name *name,
	enum pattern_kind kind, uint32_t line);

/* A pattern that stood before in the same list; told in the order in which they were added. */
typedef void (*name_index_duplicate_fn)(
	void *context, unsigned list, uint32_t line, struct slice name, enum pattern_kind kind);

/* Builds the index of what was added and empties the builder. 0, ERR_NO_MEMORY or ERR_TOO_LONG;
 * `index` is then untouched. */
int name_index_build(struct name_index *index, struct name_index_builder *builder,
	name_index_duplicate_fn on_duplicate, void *context);
void name_index_deinit(struct name_index *index);

/* Looks up a checked name in lower case. True when any list matches. */
bool name_index_find(
	const struct name_index *index, struct slice name, struct name_matches *matches);

struct name_index_entry {
	unsigned list;
	enum pattern_kind kind;
	uint32_t line;
	struct slice name; /* lives as long as the index */
};

/* `entry` comes from a look-up in the same index. */
struct name_index_entry name_index_entry(const struct name_index *index, uint32_t entry);

/* Bytes of memory that the index holds. */
size_t name_index_memory(const struct name_index *index);

#endif
