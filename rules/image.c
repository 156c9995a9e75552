/* image.c - opening the bytes of an image, and what is known of it as a whole. Nothing that a
 * look-up follows is believed: the checksum says that a file is whole, not that it is a friend's.
 */
#include "rules/image_layout.h"

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
	return why ? why : image_read_rows(image);
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

size_t image_facet_count(const struct image *image)
{
	return image->header.facet_count;
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
