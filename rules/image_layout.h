/* image_layout.h - the bytes of an image, and what an open one knows; for the files that make and
 * read them only.
 *
 *   header      256 bytes
 *   filter      blocks of 512 bits
 *   slots       64 bits each, 8 to a bucket: remainder of the hash, and number of a set, from 1;
 *               0: empty. Names stand in ascending order of their hash, each at or behind the first
 *               slot of its home bucket; the last 8 slots are empty, so a search ends by itself
 *   sets        where the set's items begin: 32 bits each, one more than there are sets
 *   items       16 bits each: facet << 2 | kind
 *   facets      rows of 64 bytes
 *   networks    rows of 20 bytes, long prefixes first, then by address, then by facet
 *   lists       rows of 256 bytes
 *   texts       what rows point to: records of facets, names of lists
 *   groups      (cold) for every 8 slots where the names of those that are taken begin: 64 bits
 *   names       (cold) wire form, in the order of the slots
 *
 * All of it little-endian; sections begin at multiples of 64 and follow from the counts in the
 * header, so there are no offsets of sections that could be wrong. The checksum is of everything
 * behind it.
 *
 * The hash of a name is two of XXH3-64 over its wire form in lower case, with two keys from the
 * salt. One says where: bucket and block of the filter by its upper bits, and the bits in that
 * block by its lower ones. The other one says what: it is the remainder, and is not needed for
 * names that the filter does not know. Every suffix of a name has hashes of its own rather than
 * ones that are chained from the last, so that the processor works on all at once. */
#ifndef RULES_IMAGE_LAYOUT_H
#define RULES_IMAGE_LAYOUT_H

#include "rules/image.h"

#include <endian.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
	IMAGE_HEADER_LEN = 256,
	IMAGE_HASH_AT = 16,
	IMAGE_HASHED_FROM = IMAGE_HASH_AT + IMAGE_HASH_LEN,
	IMAGE_BUCKET_SLOTS = 8,
	IMAGE_BLOCK_LEN = 64,    /* bytes: a cache line */
	IMAGE_FILTER_HASHES = 5, /* x 9 bits: leaves 19 bits of the hash to choose a block */
	IMAGE_BLOCK_NAMES = 50,  /* 10.2 bits a name */
	IMAGE_LOAD_PERCENT = 85,
	IMAGE_SPARE_SLOTS = 128, /* behind the last bucket, for what does not fit before */
	IMAGE_SET_BITS_MAX = 20,
	IMAGE_SETS_MAX = (1 << IMAGE_SET_BITS_MAX) - 1,
	IMAGE_FACET_LEN = 64,
	IMAGE_NETWORK_LEN = 20,
	IMAGE_LIST_LEN = 256,
};

#define IMAGE_MAGIC "namegate img"

/* As it stands in the file, but for the byte order. */
struct image_header {
	uint8_t magic[12];
	uint32_t version;
	uint8_t hash[IMAGE_HASH_LEN];
	uint64_t len; /* of the image */
	uint64_t salt;
	uint64_t exact_depths[2]; /* numbers of labels that names with an entry for the name
				     itself have */
	uint64_t below_depths[2]; /* the same for entries for what is below */
	uint64_t name_count;
	uint64_t block_count;
	uint64_t bucket_count; /* homes; the slots behind them are overflow */
	uint64_t slot_count;
	uint64_t set_count;
	uint64_t item_count;
	uint64_t network_count;
	uint64_t texts_len;
	uint64_t names_len;
	uint32_t set_bits;
	uint32_t facet_count;
	uint32_t list_count;
	uint32_t reject_count; /* LIST_REJECT_COUNT of whoever wrote it */
	uint8_t nothing[88];   /* zeros */
};
_Static_assert(sizeof(struct image_header) == IMAGE_HEADER_LEN, "as in the file");

/* Where sections begin. */
struct image_sections {
	uint64_t filter;
	uint64_t slots;
	uint64_t sets;
	uint64_t items;
	uint64_t facets;
	uint64_t networks;
	uint64_t lists;
	uint64_t texts;
	uint64_t groups;
	uint64_t names;
	uint64_t end;
};

void image_header_swap(struct image_header *header); /* to and from the file's byte order */
/* Counts must be below 2^48 each. */
struct image_sections image_sections_of(const struct image_header *header);
void image_checksum(struct slice bytes, uint8_t hash[IMAGE_HASH_LEN]);
/* image_rows.c. What is wrong with them, or NULL. */
const char *image_read_rows(struct image *image);

/* A facet, read once. */
struct image_facet_row {
	struct facet facet;
	uint16_t list;
	uint16_t group; /* from 1, of those that a FACET_CANCEL of this list names; 0: none */
};

struct image {
	struct slice bytes;
	const uint64_t *filter;
	const uint64_t *slots;
	const uint32_t *sets;
	const uint16_t *items;
	const uint8_t *networks;
	const uint64_t *groups;
	const uint8_t *names;
	struct image_facet_row *facets;
	struct image_list *lists;
	unsigned list_words; /* of 64 lists */
	bool all_listed;     /* no facet but FACET_LISTED: a hit needs no proof */
	bool has_networks;
	uint32_t prefix_starts[130]; /* networks of prefix_len p: from [128 - p] to [129 - p] */
	struct image_sections at;
	struct image_header header;
};

/* Where a name stands; what stands there. */
static inline uint64_t image_where(uint64_t salt, const uint8_t *name, size_t len)
{
	return XXH3_64bits_withSeed(name, len, salt);
}

static inline uint64_t image_what(uint64_t salt, const uint8_t *name, size_t len)
{
	return XXH3_64bits_withSeed(name, len, ~salt);
}

/* Spreads 64 bits evenly over `count`. */
static inline uint64_t image_share(uint64_t where, uint64_t count)
{
	return (uint64_t)((unsigned __int128)where * count >> 64);
}

/* Counts are kept where a struct image is at hand or is just being made: so plain numbers. */
static inline const uint64_t *image_block(
	const uint64_t *filter, uint64_t block_count, uint64_t where)
{
	return filter + image_share(where, block_count) * (IMAGE_BLOCK_LEN / 8);
}

/* The bit that the lowest 9 bits of `where` name, and others. */
static inline uint64_t image_block_bit(const uint64_t *block, uint64_t where)
{
	return le64toh(block[where >> 6 & 7]) >> (where & 63);
}

/* Without a branch on each bit: half of them are set, nobody could predict it. */
static inline bool image_block_has(const uint64_t *block, uint64_t where)
{
	return image_block_bit(block, where) & image_block_bit(block, where >> 9) &
		image_block_bit(block, where >> 18) & image_block_bit(block, where >> 27) &
		image_block_bit(block, where >> 36) & 1;
}
_Static_assert(IMAGE_FILTER_HASHES == 5, "as many as above");

static inline void image_block_set(uint64_t *block, uint64_t where)
{
	block[where >> 6 & 7] |= htole64(UINT64_C(1) << (where & 63));
}

static inline void image_block_add(uint64_t *block, uint64_t where)
{
	image_block_set(block, where);
	image_block_set(block, where >> 9);
	image_block_set(block, where >> 18);
	image_block_set(block, where >> 27);
	image_block_set(block, where >> 36);
}

/* The first slot in which a name may stand. */
static inline uint64_t image_home(uint64_t bucket_count, uint64_t where)
{
	return image_share(where, bucket_count) * IMAGE_BUCKET_SLOTS;
}

static inline bool image_depth_is_used(const uint64_t depths[2], size_t labels)
{
	return depths[labels / 64] >> labels % 64 & 1;
}

/* The slot that a look-up finds, or NULL. */
static inline const uint64_t *image_slot_find(
	const struct image *image, uint64_t where, const uint8_t *name, size_t len)
{
	uint64_t what = image_what(image->header.salt, name, len);
	unsigned bits = image->header.set_bits;
	const uint64_t *at = image->slots + image_home(image->header.bucket_count, where);
	for (uint64_t slot; (slot = le64toh(*at)) != 0; at++)
		if ((slot ^ what) >> bits == 0)
			return at;
	return NULL;
}

static inline uint32_t image_slot_set(const struct image *image, uint64_t slot)
{
	return (uint32_t)(le64toh(slot) & ((UINT64_C(1) << image->header.set_bits) - 1));
}

struct image_items {
	const uint16_t *at; /* in the file's byte order */
	size_t count;
};

static inline struct image_items image_set_items(const struct image *image, uint32_t set)
{
	uint32_t from = le32toh(image->sets[set - 1]);
	uint32_t to = le32toh(image->sets[set]);
	return (struct image_items){ .at = image->items + from, .count = to - from };
}

/* The names of taken slots one after the other; a stranger's bytes end it early. */
struct image_cursor {
	uint64_t slot;
	uint64_t next_slot;
	struct slice name;
	uint64_t name_at; /* in the section of names */
	uint64_t next_at;
};

bool image_cursor_next(const struct image *image, struct image_cursor *cursor);
/* The name of a taken slot; empty when the bytes do not have one. */
struct slice image_slot_name(const struct image *image, uint64_t slot);

#endif
