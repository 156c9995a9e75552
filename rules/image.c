/* image.c - opening the bytes of an image, and what is known of it as a whole. Nothing that a
 * look-up follows is believed: the checksum says that a file is whole, not that it is a friend's.
 */
#include "rules/image_layout.h"

#include "rules/image_build.h"

#include <stdlib.h>

enum { COUNT_MAX_BITS = 40 }; /* of anything: sums of sections cannot overflow */

static void swap_64(uint64_t *number)
{
	*number = le64toh(*number);
}

static void swap_32(uint32_t *number)
{
	*number = le32toh(*number);
}

void image_header_swap(struct image_header *header)
{
	uint64_t *const long_ones[] = { &header->len, &header->salt, &header->exact_depths[0],
		&header->exact_depths[1], &header->below_depths[0], &header->below_depths[1],
		&header->name_count, &header->block_count, &header->bucket_count,
		&header->slot_count, &header->set_count, &header->item_count,
		&header->network_count, &header->texts_len, &header->names_len };
	uint32_t *const short_ones[] = { &header->version, &header->set_bits, &header->facet_count,
		&header->list_count, &header->reject_count };
	for (size_t i = 0; i < sizeof long_ones / sizeof *long_ones; i++)
		swap_64(long_ones[i]);
	for (size_t i = 0; i < sizeof short_ones / sizeof *short_ones; i++)
		swap_32(short_ones[i]);
}

/* Returns where a section begins, and moves on behind it. */
static uint64_t take_section(uint64_t *at, uint64_t len)
{
	uint64_t start = *at;
	*at = (start + len + IMAGE_ALIGN - 1) / IMAGE_ALIGN * IMAGE_ALIGN;
	return start;
}

struct image_sections image_sections_of(const struct image_header *header)
{
	uint64_t at = IMAGE_HEADER_LEN;
	struct image_sections sections = { 0 };
	sections.filter = take_section(&at, header->block_count * IMAGE_BLOCK_LEN);
	sections.slots = take_section(&at, header->slot_count * sizeof(uint64_t));
	sections.sets = take_section(&at, (header->set_count + 1) * sizeof(uint32_t));
	sections.items = take_section(&at, header->item_count * sizeof(uint16_t));
	sections.facets = take_section(&at, (uint64_t)header->facet_count * IMAGE_FACET_LEN);
	sections.networks = take_section(&at, header->network_count * IMAGE_NETWORK_LEN);
	sections.lists = take_section(&at, (uint64_t)header->list_count * IMAGE_LIST_LEN);
	sections.texts = take_section(&at, header->texts_len);
	sections.groups =
		take_section(&at, header->slot_count / IMAGE_BUCKET_SLOTS * sizeof(uint64_t));
	sections.names = at;
	sections.end = at + header->names_len;
	return sections;
}

void image_checksum(struct slice bytes, uint8_t hash[IMAGE_HASH_LEN])
{
	XXH128_canonical_t canonical;
	XXH128_canonicalFromHash(&canonical,
		XXH3_128bits(bytes.at + IMAGE_HASHED_FROM, bytes.len - IMAGE_HASHED_FROM));
	memcpy(hash, canonical.digest, IMAGE_HASH_LEN);
}

/* What is wrong with the counts; NULL when the sections are where they can be. */
static const char *check_header(const struct image_header *header, struct slice bytes)
{
	static const uint8_t nothing[sizeof header->nothing];
	const uint64_t counts[] = { header->name_count, header->block_count, header->bucket_count,
		header->slot_count, header->set_count, header->item_count, header->network_count,
		header->texts_len, header->names_len };
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		if (counts[i] >> COUNT_MAX_BITS)
			return "counts";
	if (header->len != bytes.len || image_sections_of(header).end != bytes.len)
		return "truncated";
	if (header->reject_count != LIST_REJECT_COUNT)
		return "version";
	if (header->list_count > IMAGE_LISTS_MAX || header->facet_count > IMAGE_FACETS_MAX ||
		header->network_count > UINT32_MAX || header->item_count > UINT32_MAX)
		return "counts";
	if (header->set_bits < 1 || header->set_bits > IMAGE_SET_BITS_MAX ||
		header->set_count >> header->set_bits)
		return "set bits";
	if (header->block_count < 1 || header->bucket_count < 1 ||
		header->slot_count % IMAGE_BUCKET_SLOTS ||
		header->slot_count / IMAGE_BUCKET_SLOTS <= header->bucket_count)
		return "counts";
	return memcmp(header->nothing, nothing, sizeof nothing) ? "header" : NULL;
}

static const char *read_header(struct image_header *header, struct slice bytes)
{
	uint8_t hash[IMAGE_HASH_LEN];
	if (bytes.len < IMAGE_HEADER_LEN)
		return "truncated";
	if ((uintptr_t)bytes.at % IMAGE_ALIGN)
		return "alignment";
	memcpy(header, bytes.at, sizeof *header);
	image_header_swap(header);
	if (memcmp(header->magic, IMAGE_MAGIC, sizeof header->magic) != 0)
		return "not an image";
	if (header->version != IMAGE_VERSION)
		return "version";
	if (header->len != bytes.len)
		return "truncated";
	image_checksum(bytes, hash);
	if (memcmp(header->hash, hash, sizeof hash) != 0)
		return "checksum";
	return check_header(header, bytes);
}

/* Every set has items, and they are facets that there are. */
static const char *check_sets(const struct image *image)
{
	const struct image_header *header = &image->header;
	uint32_t last = 0;
	if (le32toh(image->sets[0]) != 0 ||
		le32toh(image->sets[header->set_count]) != header->item_count)
		return "sets";
	for (uint64_t i = 1; i <= header->set_count; i++) {
		uint32_t to = le32toh(image->sets[i]);
		if (to <= last)
			return "sets";
		last = to;
	}
	for (uint64_t i = 0; i < header->item_count; i++) {
		uint16_t item = le16toh(image->items[i]);
		if (item >> 2 >= header->facet_count || (item & PATTERN_BOTH) == 0)
			return "items";
	}
	return NULL;
}

/* Every slot is empty or has a set; a look-up meets an empty one before the end. Goes through all
 * of them without a branch on each. */
static const char *check_slots(const struct image *image)
{
	const struct image_header *header = &image->header;
	uint64_t mask = (UINT64_C(1) << header->set_bits) - 1;
	uint64_t taken = 0;
	uint64_t strange = 0;
	for (uint64_t i = 0; i < header->slot_count; i++) {
		uint64_t slot = le64toh(image->slots[i]);
		uint64_t set = slot & mask;
		taken += slot != 0;
		strange |= (uint64_t)(set > header->set_count) | (uint64_t)(slot != 0 && set == 0);
	}
	if (strange || taken != header->name_count)
		return "slots";
	for (unsigned i = 1; i <= IMAGE_BUCKET_SLOTS; i++)
		if (image->slots[header->slot_count - i])
			return "slots";
	return NULL;
}

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

static void point_into(struct image *image)
{
	const uint8_t *bytes = image->bytes.at;
	image->filter = (const uint64_t *)(const void *)(bytes + image->at.filter);
	image->slots = (const uint64_t *)(const void *)(bytes + image->at.slots);
	image->sets = (const uint32_t *)(const void *)(bytes + image->at.sets);
	image->items = (const uint16_t *)(const void *)(bytes + image->at.items);
	image->networks = bytes + image->at.networks;
	image->groups = (const uint64_t *)(const void *)(bytes + image->at.groups);
	image->names = bytes + image->at.names;
}

static const char *read_image(struct image *image)
{
	const char *why = read_header(&image->header, image->bytes);
	if (why)
		return why;
	image->at = image_sections_of(&image->header);
	image->list_words = (image->header.list_count + 63) / 64;
	point_into(image);
	why = check_sets(image);
	if (!why)
		why = check_slots(image);
	if (!why)
		why = read_lists(image);
	if (!why)
		why = read_facets(image);
	return why ? why : read_networks(image);
}

struct image *image_open(struct slice bytes, const char **why)
{
	struct image *image = calloc(1, sizeof *image);
	if (!image) {
		*why = "out of memory";
		return NULL;
	}
	image->bytes = bytes;
	*why = read_image(image);
	if (!*why)
		return image;
	image_close(image);
	return NULL;
}

void image_close(struct image *image)
{
	if (!image)
		return;
	free(image->facets);
	free(image->lists);
	free(image);
}

uint64_t image_salt(const struct image *image)
{
	return image->header.salt;
}

const uint8_t *image_hash(const struct image *image)
{
	return image->header.hash;
}

size_t image_list_count(const struct image *image)
{
	return image->header.list_count;
}

const struct image_list *image_list(const struct image *image, uint16_t list)
{
	return &image->lists[list];
}

uint16_t image_find_list(const struct image *image, const char *name)
{
	for (uint32_t i = 0; i < image->header.list_count; i++)
		if (strcmp(image->lists[i].name, name) == 0)
			return (uint16_t)i;
	return UINT16_MAX;
}

const struct facet *image_facet(const struct image *image, uint16_t facet)
{
	return &image->facets[facet].facet;
}

size_t image_name_count(const struct image *image)
{
	return image->header.name_count;
}

size_t image_hot_len(const struct image *image)
{
	return image->at.groups;
}

struct slice image_bytes(const struct image *image)
{
	return image->bytes;
}

struct slice image_cold(const struct image *image)
{
	return slice_of(image->bytes.at + image->at.groups, image->bytes.len - image->at.groups);
}

bool image_has_networks(const struct image *image)
{
	return image->has_networks;
}
