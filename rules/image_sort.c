/* image_sort.c - records into the order of the image: by hash, as they will stand there; equal
 * names are then together. Names go along, so that all later steps go from front to back through
 * memory.
 *
 * First records and names are dealt out to parts by the upper bits of the hash, each so small that
 * it fits into the processor's caches; then every part is sorted there. A radix sort that keeps the
 * order of equals: by item, then by the next 22 bits of the hash. Names that share all of these are
 * few and are put right by insertion. So the work does not depend on what the lists hold. */
#include "rules/image_parts.h"

#include "base/error.h"

#include <stdlib.h>

enum {
	DIGIT_BITS = 11,
	DIGITS = 1 << DIGIT_BITS,
	SORTED_BITS = 2 * DIGIT_BITS, /* of the hash, behind those of the part */
	PART_BITS = 8,
	PARTS = 1 << PART_BITS,
	ONE_PART_MAX = 1 << 16, /* records that are not dealt out */
};

struct sorting {
	struct image_builder *builder;
	unsigned part_bits;
	size_t record_starts[PARTS + 1];
	size_t name_starts[PARTS + 1];
	struct image_record *records;
	uint8_t *names;
	struct image_record *spare_records; /* for the largest part */
	uint8_t *spare_names;
	bool items_ascend; /* as they came */
};

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

static size_t part_of(const struct sorting *sorting, const struct image_record *record)
{
	return sorting->part_bits ? (size_t)(record->where >> (64 - PART_BITS)) : 0;
}

/* Of a list that was taken, in its image. */
static struct slice name_as_added(
	const struct image_builder *builder, const struct image_record *record)
{
	const struct image *from = builder->lists[record->list].from;
	const uint8_t *names = from ? from->names : builder->names;
	return slice_of(names + (record->name >> 8), record->name & 0xff);
}

/* Where the parts begin, and that of the last one's end. */
static void measure_parts(struct sorting *sorting)
{
	const struct image_builder *builder = sorting->builder;
	sorting->part_bits = builder->count > ONE_PART_MAX ? PART_BITS : 0;
	sorting->items_ascend = true;
	for (size_t i = 0; i < builder->count; i++) {
		const struct image_record *record = &builder->records[i];
		size_t part = part_of(sorting, record);
		sorting->record_starts[part + 1]++;
		sorting->name_starts[part + 1] += record->name & 0xff;
		sorting->items_ascend &= i == 0 || record[-1].item <= record->item;
	}
	for (size_t part = 1; part <= PARTS; part++) {
		sorting->record_starts[part] += sorting->record_starts[part - 1];
		sorting->name_starts[part] += sorting->name_starts[part - 1];
	}
}

static size_t largest_of(const size_t starts[PARTS + 1])
{
	size_t largest = 0;
	for (size_t part = 0; part < PARTS; part++)
		if (starts[part + 1] - starts[part] > largest)
			largest = starts[part + 1] - starts[part];
	return largest;
}

/* Deals out records and names; those that were added are not needed any more then. */
static int deal_out(struct sorting *sorting)
{
	struct image_builder *builder = sorting->builder;
	size_t record_at[PARTS];
	size_t name_at[PARTS];
	sorting->records = malloc(builder->count * sizeof *sorting->records);
	sorting->names = malloc(sorting->name_starts[PARTS]);
	if (!sorting->records || !sorting->names)
		return ERR_NO_MEMORY;
	memcpy(record_at, sorting->record_starts, sizeof record_at);
	memcpy(name_at, sorting->name_starts, sizeof name_at);
	for (size_t i = 0; i < builder->count; i++) {
		size_t part = part_of(sorting, &builder->records[i]);
		struct slice name = name_as_added(builder, &builder->records[i]);
		struct image_record *record = &sorting->records[record_at[part]++];
		*record = builder->records[i];
		record->name = name_at[part] << 8 | name.len;
		memcpy(sorting->names + name_at[part], name.at, name.len);
		name_at[part] += name.len;
	}
	free(builder->records);
	free(builder->names);
	builder->records = sorting->records;
	builder->names = sorting->names;
	builder->capacity = builder->count;
	builder->names_len = builder->names_capacity = sorting->name_starts[PARTS];
	sorting->records = NULL;
	sorting->names = NULL;
	return 0;
}

/* The names of a part into the order of its records. */
static void sort_names(struct sorting *sorting, struct image_record *records, size_t part)
{
	size_t start = sorting->name_starts[part];
	size_t len = sorting->name_starts[part + 1] - start;
	size_t count = sorting->record_starts[part + 1] - sorting->record_starts[part];
	size_t at = 0;
	for (size_t i = 0; i < count; i++) {
		struct slice name = image_record_name(sorting->builder, &records[i]);
		memcpy(sorting->spare_names + at, name.at, name.len);
		records[i].name = (start + at) << 8 | name.len;
		at += name.len;
	}
	memcpy(sorting->builder->names + start, sorting->spare_names, len);
}

static void sort_part(struct sorting *sorting, size_t part)
{
	struct image_record *first = sorting->builder->records + sorting->record_starts[part];
	size_t count = sorting->record_starts[part + 1] - sorting->record_starts[part];
	struct image_record *records = first;
	struct image_record *spare = sorting->spare_records;
	unsigned end = 64 - sorting->part_bits;
	if (count == 0)
		return;
	for (unsigned shift = 0; shift < 16 && !sorting->items_ascend; shift += DIGIT_BITS)
		sort_by_digit(&records, &spare, count, true, shift);
	for (unsigned shift = end - SORTED_BITS; shift < end; shift += DIGIT_BITS)
		sort_by_digit(&records, &spare, count, false, shift);
	sort_names(sorting, records, part);
	if (records != first)
		memcpy(first, records, count * sizeof *first);
}

static int sort_parts(struct sorting *sorting)
{
	sorting->spare_records =
		malloc(largest_of(sorting->record_starts) * sizeof *sorting->spare_records);
	sorting->spare_names = malloc(largest_of(sorting->name_starts));
	if (!sorting->spare_records || !sorting->spare_names)
		return ERR_NO_MEMORY;
	for (size_t part = 0; part < PARTS; part++)
		sort_part(sorting, part);
	return 0;
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

static void insert_ties(const struct image_builder *builder)
{
	struct image_record *records = builder->records;
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

int image_sort(struct image_builder *builder)
{
	struct sorting sorting = { .builder = builder };
	if (builder->count == 0)
		return 0;
	measure_parts(&sorting);
	int error = deal_out(&sorting);
	if (!error)
		error = sort_parts(&sorting);
	if (!error)
		insert_ties(builder);
	free(sorting.records);
	free(sorting.names);
	free(sorting.spare_records);
	free(sorting.spare_names);
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
