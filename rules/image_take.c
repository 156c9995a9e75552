/* image_take.c - lists as they stand in an older image. Of one with the same salt the names stand
 * in the right order already, and image_merge.c reads them where they are: nothing is copied,
 * sorted or looked at twice. */
#include "rules/image_parts.h"

#include "base/error.h"
#include "rules/grow.h"

#include <stdlib.h>

static bool is_taken(const struct image_source *source, uint16_t list)
{
	for (size_t f = 0; f < source->image->header.facet_count; f++)
		if (source->image->facets[f].list == list && source->facets[f] != UINT16_MAX)
			return true;
	return false;
}

/* The entry for an image that this list was not taken from yet: each of its facets is one of ours
 * at most. */
static struct image_source *source_for(
	struct image_builder *builder, const struct image *from, uint16_t list)
{
	for (size_t i = 0; i < builder->source_count; i++)
		if (builder->sources[i].image == from && !is_taken(&builder->sources[i], list))
			return &builder->sources[i];
	struct image_source *sources = grow(builder->sources, &builder->source_capacity,
		builder->source_count + 1, sizeof *sources);
	if (!sources)
		return NULL;
	builder->sources = sources;
	size_t len = (from->header.facet_count + 1u) * sizeof(uint16_t);
	uint16_t *facets = malloc(len);
	if (!facets)
		return NULL;
	memset(facets, 0xff, len);
	sources[builder->source_count] = (struct image_source){ from, facets };
	return &sources[builder->source_count++];
}

static int take_facets(
	struct image_builder *builder, const struct image *from, uint16_t list, uint16_t as)
{
	struct image_source *source = source_for(builder, from, list);
	int error = source ? 0 : ERR_NO_MEMORY;
	if (source)
		builder->lists[as].source = (size_t)(source - builder->sources);
	for (size_t f = 0; f < from->header.facet_count && !error; f++)
		if (from->facets[f].list == list)
			error = image_facet_number(
				builder, as, &from->facets[f].facet, &source->facets[f]);
	return error;
}

static bool on_taken_network(void *context, const struct network *network, uint16_t facet)
{
	struct image_builder *builder = context;
	const struct image *from = builder->lists[builder->list_count - 1].from;
	const struct list_network taken = { .network = *network,
		.facet = image_facet(from, facet) };
	return image_add_network(builder, &taken) == 0;
}

int image_take_list(struct image_builder *builder, const struct image *from, uint16_t list)
{
	const struct image_list *theirs = image_list(from, list);
	int error = image_add_list(builder, theirs->name, theirs->format);
	if (error)
		return error;
	uint16_t as = (uint16_t)(builder->list_count - 1);
	struct image_build_list *ours = &builder->lists[as];
	ours->from = from;
	ours->from_list = list;
	ours->covered_count = theirs->covered_count;
	memcpy(ours->reject_counts, theirs->reject_counts, sizeof ours->reject_counts);
	error = take_facets(builder, from, list, as);
	if (error && !builder->error)
		builder->error = error;
	if (error)
		return error;
	image_each_network(from, list, on_taken_network, builder);
	return builder->error;
}

/* What was taken of an image as records, hashed with our salt. */
static int pour(struct image_builder *builder, const struct image_source *source)
{
	const struct image *image = source->image;
	struct image_cursor cursor = { 0 };
	int error = 0;
	while (!error && image_cursor_next(image, &cursor)) {
		struct image_items items =
			image_set_items(image, image_slot_set(image, image->slots[cursor.slot]));
		struct slice name = cursor.name;
		struct image_record record = {
			.where = image_where(builder->salt, name.at, name.len),
			.name = cursor.name_at << 8 | name.len,
		};
		for (size_t i = 0; i < items.count && !error; i++) {
			uint16_t item = le16toh(items.at[i]);
			uint16_t facet = source->facets[item >> 2];
			if (facet == UINT16_MAX)
				continue;
			record.item = (uint16_t)(facet << 2 | (item & PATTERN_BOTH));
			record.list = image_facet_list(builder, facet);
			error = image_add_record(builder, &record);
		}
	}
	return error;
}

/* The one with the most names whose salt is ours. */
static const struct image_source *best_stream(const struct image_builder *builder)
{
	const struct image_source *best = NULL;
	for (size_t i = 0; i < builder->source_count; i++) {
		const struct image_source *source = &builder->sources[i];
		if (image_salt(source->image) == builder->salt &&
			(!best || image_name_count(source->image) > image_name_count(best->image)))
			best = source;
	}
	return best;
}

/* What was counted when the image was built is true still. */
static void keep_counts(struct image_builder *builder)
{
	for (size_t i = 0; i < builder->list_count; i++) {
		struct image_build_list *list = &builder->lists[i];
		if (!list->from || &builder->sources[list->source] != builder->stream)
			continue;
		const struct image_list *known = image_list(list->from, list->from_list);
		XXH128_canonical_t hash;
		memcpy(hash.digest, known->hash, sizeof hash.digest);
		list->entry_count = known->entry_count;
		list->hash[0] = XXH128_hashFromCanonical(&hash).low64;
		list->hash[1] = XXH128_hashFromCanonical(&hash).high64;
		list->streamed = true;
	}
}

int image_choose_stream(struct image_builder *builder)
{
	int error = 0;
	builder->stream = best_stream(builder);
	keep_counts(builder);
	for (size_t i = 0; i < builder->source_count && !error; i++)
		if (&builder->sources[i] != builder->stream)
			error = pour(builder, &builder->sources[i]);
	return error;
}
