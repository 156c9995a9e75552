#include "rules/group_walk.h"

#include <stdlib.h>

static int compare_entries(const void *a, const void *b)
{
	uint32_t one = *(const uint32_t *)a;
	uint32_t other = *(const uint32_t *)b;
	return one < other ? -1 : one > other;
}

void group_walk_sort(uint32_t *entries, size_t count)
{
	if (count)
		qsort(entries, count, sizeof *entries, compare_entries);
}

static const uint32_t *first_of_list(const uint32_t *entries, size_t count, unsigned list)
{
	while (count) {
		size_t half = count / 2;
		if (entries[half] >> 16 < list) {
			entries += half + 1;
			count -= half + 1;
		} else {
			count = half;
		}
	}
	return entries;
}

static bool has_few_lists(const struct image_matches *matches)
{
	unsigned count = 0;
	for (size_t i = 0; i < IMAGE_LISTS_MAX / 64; i++)
		count += (unsigned)__builtin_popcountll(matches->lists[i]);
	return count <= GROUP_WALK_LISTS_MAX;
}

bool group_walk_begin(struct group_walk *walk, const uint32_t *entries, size_t count,
	const struct image_matches *matches)
{
	walk->count = 0;
	walk->end = entries + count;
	if (!has_few_lists(matches))
		return false;
	for (unsigned i = 0; i < IMAGE_LISTS_MAX / 64; i++)
		for (uint64_t left = matches->lists[i]; left; left &= left - 1) {
			unsigned list = i * 64 + (unsigned)__builtin_ctzll(left);
			const uint32_t *first = first_of_list(entries, count, list);
			if (first < walk->end && *first >> 16 == list)
				walk->next[walk->count++] = first;
		}
	return true;
}

/* Behind the rule that `at` gave: the list's next one, or the list is through. */
static void advance(struct group_walk *walk, unsigned at)
{
	const uint32_t *next = walk->next[at] + 1;
	if (next < walk->end && *next >> 16 == walk->next[at][0] >> 16)
		walk->next[at] = next;
	else
		walk->next[at] = walk->next[--walk->count];
}

bool group_walk_next(struct group_walk *walk, uint16_t *rule)
{
	unsigned first = 0;
	if (!walk->count)
		return false;
	for (unsigned i = 1; i < walk->count; i++)
		if ((uint16_t)*walk->next[i] < (uint16_t)*walk->next[first])
			first = i;
	*rule = (uint16_t)*walk->next[first];
	advance(walk, first);
	return true;
}
