/* image_cover.c - entries that could be left out of their list: another entry of the same facet,
 * for a name above or for the same name with more below it, says the same about every name they
 * cover. Unless something of the list stands between the two that would then count instead: an
 * entry of another facet but the same rank, or one that cancels.
 *
 * Parents are found by hash, through a filter of the names that have anything below. */
#include "rules/image_parts.h"

#include "base/error.h"

#include <stdlib.h>

enum {
	AHEAD = 64, /* names above records */
	AHEAD_MAX = AHEAD + DNS_NAME_LABELS_MAX,
	RECORDS_PER_START = 4,
	LOOK_MAX = 2048, /* entries of one name; with more, an entry that could go may stay */
};

/* What decides whether an entry comes between. */
struct weight {
	uint64_t group;
	enum facet_effect effect;
	uint8_t rank;
};

/* To find a name among the sorted records. */
struct parents {
	struct image_builder *builder;
	uint64_t *filter;
	uint64_t block_count;
	uint64_t depths[2];
	uint32_t *starts; /* the first record whose upper bits are at least these */
	unsigned shift;
	struct weight *weights; /* of facets */
};

static void parents_deinit(struct parents *parents)
{
	free(parents->filter);
	free(parents->starts);
	free(parents->weights);
}

static void note_parents(struct parents *parents)
{
	const struct image_builder *builder = parents->builder;
	uint8_t offsets[DNS_NAME_LABELS_MAX];
	for (size_t i = 0; i < builder->count; i++) {
		const struct image_record *record = &builder->records[i];
		if (!(record->item & PATTERN_BELOW) || builder->lists[record->list].from)
			continue;
		size_t labels = dns_name_labels(image_record_name(builder, record), offsets);
		parents->depths[labels / 64] |= UINT64_C(1) << labels % 64;
		uint64_t block = image_share(record->where, parents->block_count);
		image_block_add(parents->filter + block * (IMAGE_BLOCK_LEN / 8), record->where);
	}
}

static void note_starts(struct parents *parents, size_t start_count)
{
	const struct image_builder *builder = parents->builder;
	size_t next = 0;
	for (size_t i = 0; i < builder->count; i++)
		while (next <= builder->records[i].where >> parents->shift)
			parents->starts[next++] = (uint32_t)i;
	while (next <= start_count)
		parents->starts[next++] = (uint32_t)builder->count;
}

static void note_weights(struct parents *parents)
{
	for (size_t i = 0; i < parents->builder->facets.count; i++) {
		struct facet facet = image_facet_of(parents->builder, (uint16_t)i);
		parents->weights[i] = (struct weight){ facet.group, facet.effect, facet.rank };
	}
}

static int parents_init(struct parents *parents, struct image_builder *builder)
{
	unsigned bits = 1;
	while (builder->count >> bits > RECORDS_PER_START)
		bits++;
	size_t start_count = (size_t)1 << bits;
	*parents = (struct parents){
		.builder = builder,
		.block_count = builder->count / IMAGE_BLOCK_NAMES + 1,
		.shift = 64 - bits,
	};
	parents->filter = calloc(parents->block_count, IMAGE_BLOCK_LEN);
	parents->starts = malloc((start_count + 1) * sizeof *parents->starts);
	parents->weights = malloc((builder->facets.count + 1) * sizeof *parents->weights);
	if (!parents->filter || !parents->starts || !parents->weights)
		return ERR_NO_MEMORY;
	note_starts(parents, start_count);
	note_weights(parents);
	note_parents(parents);
	return 0;
}

/* The first record of a name; NULL when there is none. */
static const struct image_record *find_parent(const struct parents *parents, struct slice name)
{
	const struct image_builder *builder = parents->builder;
	uint64_t where = image_where(builder->salt, name.at, name.len);
	if (!image_block_has(image_block(parents->filter, parents->block_count, where), where))
		return NULL;
	const struct image_record *end = builder->records + builder->count;
	const struct image_record *at = builder->records + parents->starts[where >> parents->shift];
	while (at < end && at->where < where)
		at++;
	while (at < end && at->where == where &&
		!slice_equals(image_record_name(builder, at), name))
		at++;
	return at < end && at->where == where ? at : NULL;
}

/* Would `other` count where `facet` does not stand any more? */
static bool comes_between(const struct weight *facet, const struct weight *other)
{
	if (facet->group && facet->group == other->group)
		return true;
	return facet->rank == other->rank && facet->effect != FACET_CANCEL &&
		other->effect != FACET_CANCEL;
}

struct cover {
	const struct image_record *by;
	bool is_open; /* nothing came between so far */
};

/* Looks at the entries of one name at or above that of `record`, which begin at `at`. */
static void look_at_name(const struct parents *parents, const struct image_record *record,
	const struct image_record *at, uint8_t wanted, struct cover *cover)
{
	const struct image_builder *builder = parents->builder;
	const struct image_record *end = builder->records + builder->count;
	const struct image_record *first = at;
	if (end - at > LOOK_MAX)
		end = at + LOOK_MAX;
	for (; at < end && image_records_meet(builder, first, at); at++) {
		if (((at->list ^ record->list) & ~IMAGE_RECORD_DROPPED) || !(at->item & wanted))
			continue;
		if (at->item >> 2 == record->item >> 2) {
			cover->by = at;
			continue;
		}
		if (comes_between(
			    &parents->weights[record->item >> 2], &parents->weights[at->item >> 2]))
			cover->is_open = false;
	}
}

/* The same name with both, when this record has less. */
static const struct image_record *cover_at_name(
	const struct parents *parents, const struct image_record *record)
{
	const struct image_builder *builder = parents->builder;
	const struct image_record *end = builder->records + builder->count;
	for (const struct image_record *at = record + 1; at < end; at++) {
		if (at->item >> 2 != record->item >> 2 || !image_records_meet(builder, record, at))
			return NULL;
		if ((at->item & PATTERN_BOTH) == PATTERN_BOTH)
			return at;
	}
	return NULL;
}

/* Does another facet of the list, at the record's own name, keep it in? */
static bool is_alone(const struct parents *parents, const struct image_record *record)
{
	const struct image_builder *builder = parents->builder;
	struct cover cover = { .is_open = true };
	const struct image_record *first = record;
	if (!builder->lists[record->list].many_facets)
		return true;
	while (first > builder->records && image_records_meet(builder, first - 1, record))
		first--;
	look_at_name(parents, record, first, record->item & PATTERN_BOTH, &cover);
	return cover.is_open;
}

static const struct image_record *cover_above(
	const struct parents *parents, const struct image_record *record)
{
	struct slice name = image_record_name(parents->builder, record);
	uint8_t offsets[DNS_NAME_LABELS_MAX];
	size_t labels = dns_name_labels(name, offsets);
	struct cover cover = { .is_open = is_alone(parents, record) };
	for (size_t i = 1; i <= labels && cover.is_open; i++) {
		if (!image_depth_is_used(parents->depths, labels - i))
			continue;
		size_t at = i < labels ? offsets[i] : name.len - 1u;
		const struct image_record *first =
			find_parent(parents, slice_of(name.at + at, name.len - at));
		if (first)
			look_at_name(parents, record, first, PATTERN_BELOW, &cover);
		if (cover.by)
			return cover.is_open ? cover.by : NULL;
	}
	return NULL;
}

/* The names above one, until the filter has been asked about them: a few records' together, so that
 * the waits for memory overlap. */
struct ahead {
	const uint64_t *blocks[AHEAD_MAX];
	uint64_t where[AHEAD_MAX];
	uint32_t record[AHEAD_MAX];
	size_t count;
};

static void look_ahead(const struct parents *parents, size_t at, struct ahead *ahead)
{
	const struct image_builder *builder = parents->builder;
	struct slice name = image_record_name(builder, &builder->records[at]);
	uint8_t offsets[DNS_NAME_LABELS_MAX];
	size_t labels = dns_name_labels(name, offsets);
	for (size_t i = 1; i <= labels; i++) {
		if (!image_depth_is_used(parents->depths, labels - i))
			continue;
		size_t from = i < labels ? offsets[i] : name.len - 1u;
		uint64_t where = image_where(builder->salt, name.at + from, name.len - from);
		const uint64_t *block = image_block(parents->filter, parents->block_count, where);
		__builtin_prefetch(block);
		ahead->blocks[ahead->count] = block;
		ahead->where[ahead->count] = where;
		ahead->record[ahead->count++] = (uint32_t)at;
	}
}

static int drop_covered(
	const struct parents *parents, struct image_record *record, const struct image_record *by)
{
	struct image_builder *builder = parents->builder;
	int error = image_drop_record(builder, record, by);
	builder->lists[record->list].covered_count++;
	record->list |= IMAGE_RECORD_DROPPED;
	return error;
}

/* Those whose parents the filter may know are looked at. */
static int cover_ahead(const struct parents *parents, struct ahead *ahead)
{
	struct image_builder *builder = parents->builder;
	int error = 0;
	for (size_t i = 0; i < ahead->count && !error; i++) {
		struct image_record *record = &builder->records[ahead->record[i]];
		if ((record->list & IMAGE_RECORD_DROPPED) ||
			!image_block_has(ahead->blocks[i], ahead->where[i]))
			continue;
		const struct image_record *by = cover_above(parents, record);
		if (by)
			error = drop_covered(parents, record, by);
	}
	ahead->count = 0;
	return error;
}

static int cover_records(const struct parents *parents)
{
	struct image_builder *builder = parents->builder;
	struct ahead ahead = { .count = 0 };
	int error = 0;
	for (size_t i = 0; i < builder->count && !error; i++) {
		struct image_record *record = &builder->records[i];
		if (builder->lists[record->list].from)
			continue;
		const struct image_record *by = cover_at_name(parents, record);
		if (by)
			error = drop_covered(parents, record, by);
		else
			look_ahead(parents, i, &ahead);
		if (!error && ahead.count >= AHEAD)
			error = cover_ahead(parents, &ahead);
	}
	return error ? error : cover_ahead(parents, &ahead);
}

int image_cover(struct image_builder *builder)
{
	struct parents parents;
	int error = parents_init(&parents, builder);
	bool any = parents.depths[0] || parents.depths[1];
	if (!error && any)
		error = cover_records(&parents);
	parents_deinit(&parents);
	return error;
}
