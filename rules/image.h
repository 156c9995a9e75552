/* image.h - all lists of a policy as one contiguous, position-independent run of bytes, that can be
 * written to a file and mapped by any number of processes. A name is looked up once, whatever the
 * number of lists; the cost hardly depends on the number of entries.
 *
 * Two parts. The hot one is all that queries touch: a filter (blocked Bloom), slots of 64 bits
 * (remainder of a 128-bit salted hash of the name, and which set of entries it has), the few
 * distinct sets, facets. The cold one has every name once, in the order of the slots, for those who
 * must know: an entry that lets a name through is compared byte for byte before it counts; other
 * hits go by the hash: image_build.h states the chance of a false one. Line numbers are not in an
 * image: explain looks into the list's text.
 *
 * The same lists and salt make the same bytes on every machine, whatever the order of the lines.
 * Immutable; read by any number of threads. */
#ifndef RULES_IMAGE_H
#define RULES_IMAGE_H

#include "rules/list.h"

enum {
	IMAGE_LISTS_MAX = 1024,
	IMAGE_FACETS_MAX = 16383, /* over all lists */
	IMAGE_VERSION = 1,
	IMAGE_HASH_LEN = 16,
	IMAGE_ALIGN = 64, /* of the bytes in memory */
};

/* An entry that covers a name: its text is the name's own suffix. */
struct list_entry {
	uint8_t kind;   /* enum pattern_kind; 0: none; LIST_ENTRY_NETWORK */
	uint8_t labels; /* of the entry's name, without the asterisk; of a network its prefix_len */
	uint16_t facet; /* image_facet() */
};
enum { LIST_ENTRY_NETWORK = 4 };

/* What is known of a list in an image. */
struct image_list {
	const char *name; /* lives as long as the image */
	enum list_format format;
	uint64_t entry_count;   /* distinct ones that are in the image, networks included */
	uint64_t covered_count; /* left out because a parent of the same facet covers them */
	uint64_t reject_counts[LIST_REJECT_COUNT];
	uint8_t hash[IMAGE_HASH_LEN]; /* of its entries and facets, whatever their order in the
					 text */
};

struct image;

/* Looks at the bytes as at a stranger's: checksum, version, every offset and index that a look-up
 * follows. `bytes` is aligned to IMAGE_ALIGN and stays the caller's, who keeps it unchanged for as
 * long as the image is used. NULL and a short reason in *why ("truncated", "checksum", ...). */
struct image *image_open(struct slice bytes, const char **why);
void image_close(struct image *image); /* NULL is fine */

uint64_t image_salt(const struct image *image);
/* Checksum of all of it: the content's name. */
const uint8_t *image_hash(const struct image *image);
size_t image_list_count(const struct image *image);
const struct image_list *image_list(const struct image *image, uint16_t list);
/* POLICY_NO_ID (0xffff) when there is none of that name. */
uint16_t image_find_list(const struct image *image, const char *name);
const struct facet *image_facet(const struct image *image, uint16_t facet);
size_t image_facet_count(const struct image *image);
/* Distinct names of all lists together; bytes of what queries touch; of all. */
size_t image_name_count(const struct image *image);
size_t image_hot_len(const struct image *image);
struct slice image_bytes(const struct image *image);
/* Where the cold part lies in the bytes, so that its pages can be given back. */
struct slice image_cold(const struct image *image);

/* What a look-up found: a set of lists, and for each the entry that counts. Lives on the caller's
 * stack. A list has a bit when the entry that counts is LISTED or PASS, none when it is an
 * exception. `entries` is filled where there is a bit, and for exceptions that count; the rest of
 * it is garbage. */
struct image_matches {
	uint64_t lists[IMAGE_LISTS_MAX / 64];
	struct list_entry entries[IMAGE_LISTS_MAX];
};

static inline bool image_matches_have(const struct image_matches *matches, unsigned list)
{
	return matches->lists[list / 64] >> list % 64 & 1;
}

/* Looks up a checked name in lower case. True when any list has a bit. */
bool image_find(const struct image *image, struct slice name, uint16_t query_type,
	struct image_matches *matches);

/* Looks up an address of an answer; most lists have no networks. `matches` is added to: a list that
 * has a bit keeps its entry. True when a list got a bit. */
bool image_find_address(const struct image *image, const struct address *address,
	uint16_t query_type, struct image_matches *matches);
bool image_has_networks(const struct image *image);

/* Byte for byte: does `list` really have this entry, whose name this is? Touches the cold part. */
bool image_holds(const struct image *image, uint16_t list, struct slice name,
	const struct list_entry *entry);

/* Every entry of a list, in the order of the image; for listings, reports and merging. `on_entry`
 * returns false to stop. `name` is wire, lower case; it lives as long as the image. */
void image_each(const struct image *image, uint16_t list,
	bool (*on_entry)(void *context, struct slice name, enum pattern_kind kind, uint16_t facet),
	void *context);
/* Every name once, in the order of the image, with all that lists say of it. */
struct image_name {
	struct slice name;     /* as above */
	const uint16_t *items; /* for image_name_says() */
	size_t count;
};
struct image_says {
	uint16_t list;
	uint16_t facet;
	enum pattern_kind kind;
};
void image_each_name(const struct image *image,
	bool (*on_name)(void *context, const struct image_name *name), void *context);
/* `i` is below name->count. */
struct image_says image_name_says(
	const struct image *image, const struct image_name *name, size_t i);

/* A name one label below `name` that no list has, so that what is found for it holds for all below.
 * Empty when there is no room for any. */
struct slice image_name_below(struct slice name, uint8_t buffer[DNS_NAME_MAX]);
void image_each_network(const struct image *image, uint16_t list,
	bool (*on_entry)(void *context, const struct network *network, uint16_t facet),
	void *context);

#endif
