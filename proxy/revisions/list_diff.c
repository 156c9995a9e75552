#include "proxy/revisions/list_diff.h"

#include <stdlib.h>
#include <xxhash.h>

/* 64 bits: of ten million entries two are taken for the same with a chance of 3 in a million, which
 * would make a count wrong by one. */
struct set {
	uint64_t *hashes;
	size_t count;
	size_t capacity;
	bool failed;
};

static uint64_t hash_name(struct slice name, enum pattern_kind kind)
{
	return XXH3_64bits_withSeed(name.at, name.len, kind);
}

static uint64_t hash_network(const struct network *network)
{
	return XXH3_64bits_withSeed(
		&network->address, sizeof network->address, network->prefix_len + 1000u);
}

static bool add(struct set *set, uint64_t hash)
{
	if (set->count == set->capacity) {
		size_t more = set->capacity ? 2 * set->capacity : 1024;
		void *moved = realloc(set->hashes, more * sizeof *set->hashes);
		if (!moved) {
			set->failed = true;
			return false;
		}
		set->hashes = moved;
		set->capacity = more;
	}
	set->hashes[set->count++] = hash;
	return true;
}

static bool add_name(void *context, struct slice name, enum pattern_kind kind, uint16_t facet)
{
	(void)facet;
	return add(context, hash_name(name, kind));
}

static bool add_network(void *context, const struct network *network, uint16_t facet)
{
	(void)facet;
	return add(context, hash_network(network));
}

static int compare(const void *a, const void *b)
{
	uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;
	return (one > other) - (one < other);
}

static bool has(const struct set *set, uint64_t hash)
{
	return set->count && bsearch(&hash, set->hashes, set->count, sizeof hash, compare);
}

struct search {
	const struct set *other;
	struct list_diff *diff;
};

static bool look_at_name(void *context, struct slice name, enum pattern_kind kind, uint16_t facet)
{
	struct search *search = context;
	struct list_diff *diff = search->diff;
	(void)facet;
	if (has(search->other, hash_name(name, kind)))
		return true;
	diff->count++;
	if (diff->example_count == LIST_DIFF_EXAMPLES)
		return true;
	struct list_diff_example *example = &diff->examples[diff->example_count++];
	example->kind = kind;
	example->name.len = (uint8_t)name.len;
	memcpy(example->name.wire, name.at, name.len);
	return true;
}

static bool look_at_network(void *context, const struct network *network, uint16_t facet)
{
	struct search *search = context;
	(void)facet;
	search->diff->count += !has(search->other, hash_network(network));
	return true;
}

bool list_diff_find(struct list_diff *diff, const struct image *a, uint16_t list_in_a,
	const struct image *b, uint16_t list_in_b)
{
	struct set set = { .count = 0 };
	struct search search = { &set, diff };
	memset(diff, 0, sizeof *diff);
	image_each(b, list_in_b, add_name, &set);
	image_each_network(b, list_in_b, add_network, &set);
	if (set.count)
		qsort(set.hashes, set.count, sizeof *set.hashes, compare);
	if (!set.failed) {
		image_each(a, list_in_a, look_at_name, &search);
		image_each_network(a, list_in_a, look_at_network, &search);
	}
	free(set.hashes);
	return !set.failed;
}
