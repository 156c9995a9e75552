/* image_rows.c - what an image says about lists, facets and networks, read once, when it is opened.
 */
#include "rules/image_layout.h"

#include <stdlib.h>

/* `count` bytes of the texts at `at`; NULL when there are not so many. */
static const uint8_t *text_at(const struct image *image, uint32_t at, uint32_t count)
{
	if ((uint64_t)at + count > image->header.texts_len)
		return NULL;
	return image->bytes.at + image->at.texts + at;
}

/* Are they records from end to end? */
static bool records_are_whole(struct slice records)
{
	struct reader r = reader_of(records);
	while (reader_left(&r) > 0) {
		reader_skip(&r, 6);
		reader_skip(&r, reader_u16(&r));
	}
	return !r.failed;
}

static uint16_t get_16(const uint8_t *at)
{
	return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t get_32(const uint8_t *at)
{
	return get_16(at) | (uint32_t)get_16(at + 2) << 16;
}

static uint64_t get_64(const uint8_t *at)
{
	return get_32(at) | (uint64_t)get_32(at + 4) << 32;
}

/* A row: list (16 bits), effect, given, rank, except_types, type_count (8 bits each), a zero, group
 * (64), where in the texts the records begin and their length (32 each), types (16 each), zeros. */
static bool read_facet(const struct image *image, const uint8_t *at, struct image_facet_row *row)
{
	uint32_t records_len = get_32(at + 20);
	const uint8_t *records = text_at(image, get_32(at + 16), records_len);
	if (get_16(at) >= image->header.list_count || at[2] >= FACET_EFFECTS ||
		at[3] >= GIVEN_COUNT || at[5] > 1 || at[6] > FACET_TYPES_MAX ||
		records_len > FACET_RECORDS_MAX || !records)
		return false;
	*row = (struct image_facet_row){
		.list = get_16(at),
		.facet = {
			.effect = (enum facet_effect)at[2],
			.given = (enum given)at[3],
			.rank = at[4],
			.except_types = at[5] == 1,
			.type_count = at[6],
			.group = get_64(at + 8),
			.records = slice_of(records, records_len),
		},
	};
	for (unsigned i = 0; i < row->facet.type_count; i++)
		row->facet.types[i] = get_16(at + 24 + 2 * i);
	return records_are_whole(row->facet.records);
}

/* A group that is cancelled somewhere. */
struct cancelled {
	uint64_t group;
	uint16_t list;
};

static int compare_cancelled(const void *a, const void *b)
{
	const struct cancelled *one = a;
	const struct cancelled *other = b;
	if (one->list != other->list)
		return one->list < other->list ? -1 : 1;
	return one->group < other->group ? -1 : one->group > other->group;
}

/* Gives the groups that are cancelled numbers that a look-up can keep as bits. */
static bool number_groups(struct image *image)
{
	size_t facet_count = image->header.facet_count;
	struct cancelled *all = malloc((facet_count + 1) * sizeof *all);
	size_t count = 0;
	if (!all)
		return false;
	for (size_t i = 0; i < facet_count; i++) {
		const struct image_facet_row *row = &image->facets[i];
		if (row->facet.effect == FACET_CANCEL && row->facet.group)
			all[count++] = (struct cancelled){ row->facet.group, row->list };
	}
	qsort(all, count, sizeof *all, compare_cancelled);
	for (size_t i = 0; i < facet_count && count > 0; i++) {
		struct image_facet_row *row = &image->facets[i];
		struct cancelled key = { row->facet.group, row->list };
		size_t low = 0;
		for (size_t high = count; low < high;) {
			size_t middle = (low + high) / 2;
			if (compare_cancelled(&all[middle], &key) < 0)
				low = middle + 1;
			else
				high = middle;
		}
		if (low < count && compare_cancelled(&all[low], &key) == 0)
			row->group = (uint16_t)(low + 1);
	}
	free(all);
	return true;
}

static const char *read_facets(struct image *image)
{
	const uint8_t *at = image->bytes.at + image->at.facets;
	image->facets = calloc(image->header.facet_count + 1u, sizeof *image->facets);
	if (!image->facets)
		return "out of memory";
	image->all_listed = true;
	for (uint32_t i = 0; i < image->header.facet_count; i++, at += IMAGE_FACET_LEN) {
		if (!read_facet(image, at, &image->facets[i]))
			return "facets";
		image->all_listed &= image->facets[i].facet.effect == FACET_LISTED;
	}
	return number_groups(image) ? NULL : "out of memory";
}

/* Networks stand in their order, so that a search finds them. */
static const char *read_networks(struct image *image)
{
	const uint8_t *row = image->networks;
	unsigned next = 0; /* of prefix_starts */
	for (uint32_t i = 0; i < image->header.network_count; i++, row += IMAGE_NETWORK_LEN) {
		if (row[16] > 128 || get_16(row + 18) >= image->header.facet_count)
			return "networks";
		if (i > 0 && row[16] > row[16 - IMAGE_NETWORK_LEN])
			return "networks";
		while (next <= 128u - row[16])
			image->prefix_starts[next++] = i;
	}
	while (next < 130)
		image->prefix_starts[next++] = (uint32_t)image->header.network_count;
	image->has_networks = image->header.network_count > 0;
	return NULL;
}

/* A text that ends in a NUL; NULL when it does not. */
static const char *string_at(const struct image *image, uint32_t at)
{
	if (at >= image->header.texts_len)
		return NULL;
	const char *text = (const char *)image->bytes.at + image->at.texts + at;
	return memchr(text, '\0', image->header.texts_len - at) ? text : NULL;
}

/* A row: where the name and the format's name stand in the texts (32 bits each), entries, covered
 * (64 each), hash, rejects (64 each), zeros. */
static bool read_list(const struct image *image, const uint8_t *at, struct image_list *list)
{
	const char *format = string_at(image, get_32(at + 4));
	list->name = string_at(image, get_32(at));
	if (!list->name || !format || !list_format_parse(format, &list->format))
		return false;
	list->entry_count = get_64(at + 8);
	list->covered_count = get_64(at + 16);
	memcpy(list->hash, at + 24, IMAGE_HASH_LEN);
	for (unsigned i = 0; i < LIST_REJECT_COUNT; i++)
		list->reject_counts[i] = get_64(at + 40 + 8 * i);
	return true;
}
_Static_assert(40 + 8 * LIST_REJECT_COUNT <= IMAGE_LIST_LEN, "a row has room");

static const char *read_lists(struct image *image)
{
	const uint8_t *at = image->bytes.at + image->at.lists;
	image->lists = calloc(image->header.list_count + 1u, sizeof *image->lists);
	if (!image->lists)
		return "out of memory";
	for (uint32_t i = 0; i < image->header.list_count; i++, at += IMAGE_LIST_LEN)
		if (!read_list(image, at, &image->lists[i]))
			return "lists";
	return NULL;
}

const char *image_read_rows(struct image *image)
{
	const char *why = read_lists(image);
	if (!why)
		why = read_facets(image);
	return why ? why : read_networks(image);
}
