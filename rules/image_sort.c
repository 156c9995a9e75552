/* image_sort.c - records into the order of the image: by the upper half of the hash, which is where
 * they will stand; equal names are then together. A radix sort that keeps the order of equals: by
 * item first, then by the upper 33 bits of the hash; names that share these are few and are put
 * right by insertion. So the work does not depend on what the lists hold. */
#include "rules/image_parts.h"

#include "base/error.h"

#include <stdlib.h>

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS, HASH_BITS = 33, AHEAD = 16 };

static inline size_t digit_of(const struct image_record *record, bool by_item, unsigned shift)
{
	return (size_t)((by_item ? record->item : record->where) >> shift) & (DIGITS - 1);
}

/* One pass by one digit. Swaps the arrays unless all have the same. */
static void sort_by_digit(struct image_record **records, struct image_record **spare, size_t count,
	bool by_item, unsigned shift)
{
	const struct image_record *from = *records;
	struct image_record *to = *spare;
	size_t starts[DIGITS] = { 0 };
	for (size_t i = 0; i < count; i++)
		starts[digit_of(&from[i], by_item, shift)]++;
	if (starts[digit_of(&from[0], by_item, shift)] == count)
		return;
	size_t sum = 0;
	for (size_t i = 0; i < DIGITS; i++) {
		size_t here = starts[i];
		starts[i] = sum;
		sum += here;
	}
	for (size_t i = 0; i < count; i++)
		to[starts[digit_of(&from[i], by_item, shift)]++] = from[i];
	*spare = *records;
	*records = to;
}

static bool items_ascend(const struct image_record *records, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (records[i].item < records[i - 1].item)
			return false;
	return true;
}

static bool is_behind(const struct image_builder *builder, const struct image_record *a,
	const struct image_record *b)
{
	if (a->where != b->where)
		return a->where > b->where;
	struct slice one = image_record_name(builder, a);
	struct slice other = image_record_name(builder, b);
	if (one.len != other.len)
		return one.len > other.len;
	return memcmp(one.at, other.at, one.len) > 0;
}

/* Of a list that was taken, in its image. */
static struct slice name_before_sort(
	const struct image_builder *builder, const struct image_record *record)
{
	const struct image *from = builder->lists[record->list].from;
	const uint8_t *names = from ? from->names : builder->names;
	return slice_of(names + (record->name >> 8), record->name & 0xff);
}

static void insert_ties(const struct image_builder *builder, struct image_record *records)
{
	for (size_t i = 1; i < builder->count; i++) {
		if (!is_behind(builder, &records[i - 1], &records[i]))
			continue;
		struct image_record moving = records[i];
		size_t to = i;
		for (; to > 0 && is_behind(builder, &records[to - 1], &moving); to--)
			records[to] = records[to - 1];
		records[to] = moving;
	}
}

/* Copies the names into the order of their records: one look at each where it happens to be, and
 * every later step goes from front to back. */
static int gather_names(struct image_builder *builder)
{
	size_t len = 0;
	for (size_t i = 0; i < builder->count; i++)
		len += builder->records[i].name & 0xff;
	uint8_t *names = malloc(len + 1);
	if (!names)
		return ERR_NO_MEMORY;
	size_t at = 0;
	for (size_t i = 0; i < builder->count; i++) {
		struct image_record *record = &builder->records[i];
		if (i + AHEAD < builder->count)
			__builtin_prefetch(name_before_sort(builder, record + AHEAD).at);
		struct slice name = name_before_sort(builder, record);
		memcpy(names + at, name.at, name.len);
		record->name = at << 8 | name.len;
		at += name.len;
	}
	free(builder->names);
	builder->names = names;
	builder->names_len = builder->names_capacity = len;
	return 0;
}

int image_sort(struct image_builder *builder)
{
	size_t count = builder->count;
	struct image_record *records = builder->records;
	struct image_record *spare = count ? malloc(count * sizeof *spare) : NULL;
	if (count == 0)
		return 0;
	if (!spare)
		return ERR_NO_MEMORY;
	bool in_order = items_ascend(records, count);
	for (unsigned shift = 0; shift < 16 && !in_order; shift += DIGIT_BITS)
		sort_by_digit(&records, &spare, count, true, shift);
	for (unsigned shift = 64 - HASH_BITS; shift < 64; shift += DIGIT_BITS)
		sort_by_digit(&records, &spare, count, false, shift);
	free(spare);
	builder->records = records;
	builder->capacity = count;
	int error = gather_names(builder);
	if (!error)
		insert_ties(builder, records);
	return error;
}

int image_drop_duplicates(struct image_builder *builder)
{
	struct image_record *records = builder->records;
	size_t to = 0;
	int error = 0;
	for (size_t i = 0; i < builder->count && !error; i++) {
		const struct image_record *record = &records[i];
		if (to == 0 || records[to - 1].item != record->item ||
			!image_records_meet(builder, &records[to - 1], record)) {
			records[to++] = *record;
			continue;
		}
		builder->lists[record->list].reject_counts[LIST_REJECT_DUPLICATE]++;
		error = image_drop_record(builder, record, &records[to - 1]);
	}
	builder->count = to;
	return error;
}

/* Long prefixes first, as a look-up wants them. */
static int compare_networks(const void *a, const void *b)
{
	const struct image_network_record *one = a;
	const struct image_network_record *other = b;
	if (one->network.prefix_len != other->network.prefix_len)
		return one->network.prefix_len > other->network.prefix_len ? -1 : 1;
	int order = memcmp(one->network.address.bytes, other->network.address.bytes, 16);
	if (order != 0)
		return order;
	if (one->facet != other->facet)
		return one->facet < other->facet ? -1 : 1;
	return one->line < other->line ? -1 : one->line > other->line;
}

int image_sort_networks(struct image_builder *builder)
{
	struct image_network_record *all = builder->networks;
	size_t to = 0;
	if (builder->network_count == 0)
		return 0;
	qsort(all, builder->network_count, sizeof *all, compare_networks);
	for (size_t i = 0; i < builder->network_count; i++) {
		struct image_build_list *list = &builder->lists[all[i].list];
		bool same = to > 0 && all[to - 1].facet == all[i].facet &&
			memcmp(&all[to - 1].network, &all[i].network, sizeof all->network) == 0;
		list->reject_counts[LIST_REJECT_DUPLICATE] += same;
		if (!same)
			all[to++] = all[i];
	}
	builder->network_count = to;
	return 0;
}
