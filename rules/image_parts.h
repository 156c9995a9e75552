/* image_parts.h - what a builder holds, and the steps of a build; for the files of the builder
 * only. The steps, in their order:
 *
 *   image_build.c   takes in patterns as records
 *   image_take.c    takes in lists of older images
 *   image_facets.c  what entries say: numbered by content
 *   image_sort.c    records into the order of the image; duplicates go
 *   image_cover.c   what another entry covers goes
 *   image_merge.c   from records to names with a set each; beside them an older image, of which
 *                   lists were taken and whose names stand in the right order already
 *   image_write.c   the bytes
 *
 * A record is 24 bytes; names are kept once for each list that has them. So a build needs, per
 * line, twice 24 bytes and the name while it sorts, then 24 bytes, the name and the image. */
#ifndef RULES_IMAGE_PARTS_H
#define RULES_IMAGE_PARTS_H

#include "rules/image_build.h"
#include "rules/image_layout.h"
#include "rules/distinct.h"

enum { IMAGE_RECORD_DROPPED = 0x8000 };

struct image_record {
	uint64_t where; /* upper half of the hash */
	uint64_t name;  /* where it begins << 8 | length; before image_sort(), of lists taken, in
			   their image's names */
	uint32_t line;  /* after image_merge(): the name's set */
	uint16_t item;  /* as in the image: facet << 2 | kind */
	uint16_t list;  /* | IMAGE_RECORD_DROPPED */
};

struct image_network_record {
	struct network network;
	uint32_t line;
	uint16_t facet;
	uint16_t list;
};

struct image_build_list {
	char *name;
	enum list_format format;
	const struct image *from; /* of a list taken; else NULL */
	uint16_t from_list;       /* its number there */
	size_t source;
	bool streamed; /* taken, and counts and hash stand already */
	bool many_facets;
	uint64_t entry_count;
	uint64_t covered_count;
	uint64_t reject_counts[LIST_REJECT_COUNT];
	uint64_t hash[2]; /* sum of the hashes of all entries, low half first: any order is good */
};

/* An image from which lists were taken. */
struct image_source {
	const struct image *image;
	uint16_t *facets; /* ours by theirs, UINT16_MAX: not taken */
};

struct image_builder {
	uint64_t salt;
	struct image_build_list *lists;
	size_t list_count;
	size_t list_capacity;
	struct image_record *records;
	size_t count;
	size_t capacity;
	uint8_t *names;
	size_t names_len;
	size_t names_capacity;
	struct image_network_record *networks;
	size_t network_count;
	size_t network_capacity;
	struct image_source *sources;
	size_t source_count;
	size_t source_capacity;
	const struct image_source *stream; /* see image_choose_stream(); NULL: none */
	struct distinct facets;            /* list (big-endian), then what facet_write() says */
	uint16_t plain[256]; /* of the current list by rank: its facet that only lists */
	int error;           /* the first one; nothing is built then */
	/* While building. */
	struct image_drops *drops; /* NULL: nobody wants to know */
	struct distinct texts;
};

static inline struct slice image_record_name(
	const struct image_builder *builder, const struct image_record *record)
{
	return slice_of(builder->names + (record->name >> 8), record->name & 0xff);
}

static inline bool image_records_meet(const struct image_builder *builder,
	const struct image_record *a, const struct image_record *b)
{
	return a->where == b->where &&
		slice_equals(image_record_name(builder, a), image_record_name(builder, b));
}

/* image_build.c */
int image_add_record(struct image_builder *builder, const struct image_record *record);

/* image_take.c. Of the images that lists were taken from, one can be merged as it stands; what was
 * taken from others becomes records. */
int image_choose_stream(struct image_builder *builder);

/* image_facets.c. The number of a facet of a list, as long as records are added. */
int image_facet_number(
	struct image_builder *builder, uint16_t list, const struct facet *facet, uint16_t *number);
/* Numbers facets anew, by list and content. */
int image_facets_order(struct image_builder *builder);
/* What a facet says in a hash that is the same in every image. */
uint64_t image_facet_hash(const struct image_builder *builder, uint16_t facet);
struct facet image_facet_of(const struct image_builder *builder, uint16_t facet);
static inline uint16_t image_facet_list(const struct image_builder *builder, uint16_t facet)
{
	struct slice key = distinct_get(&builder->facets, facet);
	return (uint16_t)(key.at[0] << 8 | key.at[1]);
}

/* image_sort.c. By hash, then name, then item, then line; names in that order, too. */
int image_sort(struct image_builder *builder);
/* Records that say what one before them says go. */
int image_drop_duplicates(struct image_builder *builder);
int image_sort_networks(struct image_builder *builder);

/* image_drops.c. */
struct image_drops {
	struct image_drop *at;
	size_t count;
	size_t capacity;
};
/* Notes it when somebody wants to know. `by` is what covers it, or the first of its like. */
int image_drop_record(struct image_builder *builder, const struct image_record *record,
	const struct image_record *by);
void image_drops_tell(struct image_drops *drops, image_drop_fn on_drop, void *context);

/* image_cover.c. Marks records as dropped. */
int image_cover(struct image_builder *builder);

/* image_merge.c. What there will be in the image. */
struct image_merge {
	struct image_builder *builder;
	const struct image_source *stream;
	struct distinct sets; /* items, in this machine's byte order */
	uint64_t *uses;       /* names of each set */
	size_t use_capacity;
	uint32_t *numbers; /* of each set in the image; 0: not in use */
	uint32_t *order;   /* the sets in use, by number - 1 */
	uint8_t *kinds;    /* by number: all its items' kinds */
	uint64_t set_count;
	uint64_t item_count;
	uint32_t *stream_sets; /* ours by theirs; UINT32_MAX: nothing of it was taken */
	uint64_t *stream_uses; /* names of the stream that have it, and no record beside it */
	uint64_t name_count;
	uint64_t names_room; /* bytes of names, at most */
	uint32_t last_set;
};
int image_merge(struct image_merge *merge, struct image_builder *builder);
void image_merge_deinit(struct image_merge *merge);

/* image_write.c */
int image_write(const struct image_merge *merge, struct slice *bytes);

#endif
