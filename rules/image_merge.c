/* image_merge.c - from records in order to names, each with the set of all that is said about it.
 * Where lists were taken from an older image with the same salt, its names are merged in when the
 * image is written; here is only counted which of its sets will be in use, and a record whose name
 * stands there as well gets the items of both.
 *
 * Sets are numbered by content, so that the numbers do not depend on where they came from. */
#include "rules/image_parts.h"

#include "base/error.h"
#include "rules/grow.h"

#include <stdlib.h>

enum { ITEMS_MAX = 3 * (IMAGE_FACETS_MAX + 1) };

/* The items of one name, in ascending order. */
struct items {
	uint16_t at[ITEMS_MAX];
	size_t count;
};

static int compare_items(const void *a, const void *b)
{
	uint16_t one = *(const uint16_t *)a;
	uint16_t other = *(const uint16_t *)b;
	return one < other ? -1 : one > other;
}

static void sort_items(struct items *items)
{
	if (items->count > 1)
		qsort(items->at, items->count, sizeof *items->at, compare_items);
}

/* Adds what was taken of a set of the stream. */
static void add_stream_items(const struct image_source *stream, uint32_t set, struct items *items)
{
	struct image_items theirs = image_set_items(stream->image, set);
	for (size_t i = 0; i < theirs.count && items->count < ITEMS_MAX; i++) {
		uint16_t item = le16toh(theirs.at[i]);
		uint16_t facet = stream->facets[item >> 2];
		if (facet != UINT16_MAX)
			items->at[items->count++] = (uint16_t)(facet << 2 | (item & PATTERN_BOTH));
	}
}

/* `count` more names have these items. */
static int use_set(
	struct image_merge *merge, const struct items *items, uint64_t count, uint32_t *set)
{
	size_t before = merge->sets.count;
	struct slice string = slice_of(items->at, items->count * sizeof *items->at);
	/* Mostly it is the same as for the name before. */
	bool same = before > 0 && slice_equals(distinct_get(&merge->sets, merge->last_set), string);
	int error = same ? 0 : distinct_put(&merge->sets, string, &merge->last_set);
	if (error)
		return error;
	*set = merge->last_set;
	if (merge->sets.count > before) {
		uint64_t *uses =
			grow(merge->uses, &merge->use_capacity, merge->sets.count, sizeof *uses);
		if (!uses)
			return ERR_NO_MEMORY;
		merge->uses = uses;
		uses[*set] = 0;
	}
	merge->uses[*set] += count;
	return 0;
}

static void add_hash(struct image_build_list *list, const void *bytes, size_t len, uint64_t seed)
{
	XXH128_hash_t hash = XXH3_128bits_withSeed(bytes, len, seed);
	list->hash[0] += hash.low64;
	list->hash[1] += hash.high64 + (list->hash[0] < hash.low64);
	list->entry_count++;
}

/* Counts an entry that is in. */
static void note_entry(struct image_merge *merge, const struct image_record *record,
	struct slice name, const uint64_t facet_hashes[])
{
	uint64_t seed = facet_hashes[record->item >> 2] + (record->item & PATTERN_BOTH);
	add_hash(&merge->builder->lists[record->list], name.at, name.len, seed);
}

static void note_networks(struct image_merge *merge, const uint64_t facet_hashes[])
{
	struct image_builder *builder = merge->builder;
	for (size_t i = 0; i < builder->network_count; i++) {
		const struct image_network_record *record = &builder->networks[i];
		uint8_t bytes[17];
		memcpy(bytes, record->network.address.bytes, 16);
		bytes[16] = record->network.prefix_len;
		if (!builder->lists[record->list].streamed)
			add_hash(&builder->lists[record->list], bytes, sizeof bytes,
				facet_hashes[record->facet] + LIST_ENTRY_NETWORK);
	}
}

/* How many names of the stream have each of its sets. */
static int count_stream(struct image_merge *merge)
{
	const struct image *image = merge->stream->image;
	size_t count = image->header.set_count + 1;
	merge->stream_uses = calloc(count, sizeof *merge->stream_uses);
	merge->stream_sets = malloc(count * sizeof *merge->stream_sets);
	if (!merge->stream_uses || !merge->stream_sets)
		return ERR_NO_MEMORY;
	memset(merge->stream_sets, 0xff, count * sizeof *merge->stream_sets);
	for (uint64_t i = 0; i < image->header.slot_count; i++)
		merge->stream_uses[image_slot_set(image, image->slots[i])]++;
	return 0;
}

/* Adds what the stream says about the name of a record, if anything. */
static void join_stream(
	struct image_merge *merge, uint64_t where, struct slice name, struct items *items)
{
	const struct image *image = merge->stream->image;
	const uint64_t *slot = image_slot_find(image, where, name.at, name.len);
	if (!slot || !slice_equals(image_slot_name(image, (uint64_t)(slot - image->slots)), name))
		return;
	uint32_t set = image_slot_set(image, *slot);
	size_t before = items->count;
	add_stream_items(merge->stream, set, items);
	if (items->count == before)
		return;
	merge->stream_uses[set]--;
	sort_items(items);
}

/* The records of one name, from `first`, become one that has a set. */
static int join_records(struct image_merge *merge, struct image_record *first, size_t count,
	struct items *items, const uint64_t facet_hashes[])
{
	struct slice name = image_record_name(merge->builder, first);
	items->count = 0;
	for (size_t i = 0; i < count; i++) {
		if (first[i].list & IMAGE_RECORD_DROPPED)
			continue;
		items->at[items->count++] = first[i].item;
		note_entry(merge, &first[i], name, facet_hashes);
	}
	if (items->count == 0)
		return 0;
	if (merge->stream)
		join_stream(merge, first->where, name, items);
	merge->name_count++;
	merge->names_room += name.len;
	return use_set(merge, items, 1, &first->line);
}

static int join_all_records(
	struct image_merge *merge, struct items *items, const uint64_t facet_hashes[])
{
	struct image_builder *builder = merge->builder;
	struct image_record *records = builder->records;
	size_t to = 0;
	int error = 0;
	for (size_t i = 0, next; i < builder->count && !error; i = next) {
		for (next = i + 1; next < builder->count; next++)
			if (!image_records_meet(builder, &records[i], &records[next]))
				break;
		error = join_records(merge, &records[i], next - i, items, facet_hashes);
		if (items->count > 0)
			records[to++] = records[i];
	}
	builder->count = to;
	return error;
}

/* What is left of the stream's sets. */
static int use_stream_sets(struct image_merge *merge, struct items *items)
{
	const struct image *image = merge->stream->image;
	int error = 0;
	for (uint32_t set = 1; set <= image->header.set_count && !error; set++) {
		items->count = 0;
		add_stream_items(merge->stream, set, items);
		if (items->count == 0)
			continue;
		sort_items(items);
		merge->name_count += merge->stream_uses[set];
		error = use_set(merge, items, merge->stream_uses[set], &merge->stream_sets[set]);
	}
	merge->names_room += image->header.names_len;
	return error;
}

struct ordered {
	struct slice items;
	uint32_t set;
};

static int compare_sets(const void *a, const void *b)
{
	const struct ordered *one = a;
	const struct ordered *other = b;
	if (one->items.len != other->items.len)
		return one->items.len < other->items.len ? -1 : 1;
	for (size_t i = 0; i < one->items.len; i += sizeof(uint16_t)) {
		int order = compare_items(one->items.at + i, other->items.at + i);
		if (order != 0)
			return order;
	}
	return 0;
}

static uint8_t kinds_of(struct slice items)
{
	unsigned kinds = 0;
	for (size_t i = 0; i < items.len; i += sizeof(uint16_t))
		kinds |= *(const uint16_t *)(const void *)(items.at + i) & PATTERN_BOTH;
	return (uint8_t)kinds;
}

static void number_sets(struct image_merge *merge, const struct ordered *ordered, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		merge->order[i] = ordered[i].set;
		merge->numbers[ordered[i].set] = (uint32_t)i + 1;
		merge->kinds[i + 1] = kinds_of(ordered[i].items);
		merge->item_count += ordered[i].items.len / sizeof(uint16_t);
	}
	merge->set_count = count;
}

static int order_sets(struct image_merge *merge)
{
	size_t count = 0;
	size_t room = merge->sets.count + 1;
	struct ordered *ordered = malloc(room * sizeof *ordered);
	merge->numbers = calloc(room, sizeof *merge->numbers);
	merge->order = malloc(room * sizeof *merge->order);
	merge->kinds = malloc(room);
	if (!ordered || !merge->numbers || !merge->order || !merge->kinds) {
		free(ordered);
		return ERR_NO_MEMORY;
	}
	for (uint32_t i = 0; i < merge->sets.count; i++)
		if (merge->uses[i] > 0)
			ordered[count++] = (struct ordered){ distinct_get(&merge->sets, i), i };
	qsort(ordered, count, sizeof *ordered, compare_sets);
	number_sets(merge, ordered, count);
	free(ordered);
	return count > IMAGE_SETS_MAX || merge->item_count > UINT32_MAX ? ERR_TOO_LONG : 0;
}

static int merge_names(struct image_merge *merge, struct items *items, uint64_t facet_hashes[])
{
	const struct image_builder *builder = merge->builder;
	for (size_t i = 0; i < builder->facets.count; i++)
		facet_hashes[i] = image_facet_hash(builder, (uint16_t)i);
	note_networks(merge, facet_hashes);
	int error = merge->stream ? count_stream(merge) : 0;
	if (!error)
		error = join_all_records(merge, items, facet_hashes);
	if (!error && merge->stream)
		error = use_stream_sets(merge, items);
	return error ? error : order_sets(merge);
}

int image_merge(struct image_merge *merge, struct image_builder *builder)
{
	*merge = (struct image_merge){
		.builder = builder,
		.stream = builder->stream,
		.sets.salt = builder->salt,
	};
	struct items *items = malloc(sizeof *items);
	uint64_t *facet_hashes = malloc((builder->facets.count + 1) * sizeof *facet_hashes);
	int error = items && facet_hashes ? merge_names(merge, items, facet_hashes) : ERR_NO_MEMORY;
	free(items);
	free(facet_hashes);
	return error;
}

void image_merge_deinit(struct image_merge *merge)
{
	distinct_deinit(&merge->sets);
	free(merge->uses);
	free(merge->numbers);
	free(merge->order);
	free(merge->kinds);
	free(merge->stream_sets);
	free(merge->stream_uses);
}
