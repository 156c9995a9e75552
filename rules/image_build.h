/* image_build.h - from what lists say to an image. One thread; off the loops.
 *
 * Lists are numbered in the order in which they are added. Within a list a pattern (name, kind,
 * facet) that stood before is a duplicate; one whose names are all covered by another entry of the
 * same list and facet, for a name above or for the same name with PATTERN_BOTH, is left out as
 * covered, unless something stands between the two that would then count instead: an entry of
 * another facet and the same rank, or one of the same group. Both are counted. Exact and below of
 * one name stay two entries, as two lines said them. Networks are only looked through for
 * duplicates.
 *
 * Of two entries of one list with the same rank and the same name but different facets, the one
 * counts whose facet comes first, by effect, then by what is given, and so on.
 *
 * The work is linear in the lines, whatever they say. Memory at its most: some 90 bytes a line.
 *
 * The chance that a query for a name that no list has is taken for a listed one: at most the
 * suffixes that are looked up (those with a number of labels that any entry has) x the filter's
 * false hits x slots compared x 2^-bits of remainder. image_false_hit() computes it. */
#ifndef RULES_IMAGE_BUILD_H
#define RULES_IMAGE_BUILD_H

#include "rules/image.h"

struct image_builder;

/* NULL when out of memory. */
struct image_builder *image_builder_new(uint64_t salt);
void image_builder_free(struct image_builder *builder);

/* Begins the next list; what is added until the next one belongs to it. 0, ERR_NO_MEMORY or
 * ERR_TOO_LONG (IMAGE_LISTS_MAX). `name` is copied. */
int image_add_list(struct image_builder *builder, const char *name, enum list_format format);
/* 0, ERR_NO_MEMORY, or ERR_TOO_LONG (facets, 2^40 bytes of names). */
int image_add_pattern(struct image_builder *builder, const struct list_pattern *pattern);
int image_add_network(struct image_builder *builder, const struct list_network *network);
void image_count_reject(struct image_builder *builder, enum list_reject reject);

/* Reads a text into the current list; `on_reject` may be NULL. 0 or an error as above. */
int image_add_text(struct image_builder *builder, struct slice text,
	void (*on_reject)(void *context, uint32_t line, enum list_reject reject, struct slice text),
	void *context);

/* Takes a list as it stands in another image of any salt, as the next list, under the same name:
 * its lines are not parsed again. `from` must stay until image_build(). */
int image_take_list(struct image_builder *builder, const struct image *from, uint16_t list);

/* A line that changed nothing. `by` is the name of the entry that covers it, empty for a duplicate;
 * told in the order of lists and lines. */
struct image_drop {
	uint16_t list;
	uint32_t line;
	struct slice name;
	enum pattern_kind kind;
	struct slice by;
	enum pattern_kind by_kind;
	uint32_t by_line; /* where the covering entry, or the first of the duplicates, stands; 0:
			     not in a text */
};
typedef void (*image_drop_fn)(void *context, const struct image_drop *drop);

/* Adds to `counts`, by list, how many different facets entries have so far; also when one more was
 * too much. Before image_build(), which empties the builder. */
void image_count_facets(const struct image_builder *builder, uint32_t counts[]);

/* Builds the image of what was added and empties the builder. The bytes are the caller's, from
 * aligned_alloc(IMAGE_ALIGN): free(). `on_drop` may be NULL. 0, ERR_NO_MEMORY, ERR_TOO_LONG (too
 * many different combinations of lists), or ERR_INVALID: two names have the same hash, or an image
 * that was taken from is not in order; with another salt it works. After an error when something
 * was added, the same error. */
int image_build(
	struct image_builder *builder, struct slice *bytes, image_drop_fn on_drop, void *context);

/* See above; for a name of `labels` labels. */
double image_false_hit(const struct image *image, unsigned labels);

#endif
