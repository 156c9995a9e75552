/* image_facets.c - facets by content. One is kept as bytes: its list, big-endian, then everything
 * it says; so bytes compare as (list, content), and the same facet is the same bytes. */
#include "rules/image_parts.h"

#include "base/error.h"
#include "base/writer.h"

#include <stdlib.h>

enum {
	LIST_LEN = 2,
	KEY_MAX = LIST_LEN + 5 + 2 * FACET_TYPES_MAX + 8 + FACET_RECORDS_MAX,
	CONTENT_SEED = 1,
};

static bool is_plain(const struct facet *facet)
{
	return facet->effect == FACET_LISTED && facet->given == GIVEN_NOTHING &&
		facet->type_count == 0 && facet->group == 0 && facet->records.len == 0;
}

static void facet_write(struct writer *to, uint16_t list, const struct facet *facet)
{
	writer_u16(to, list);
	writer_u8(to, (uint8_t)facet->effect);
	writer_u8(to, (uint8_t)facet->given);
	writer_u8(to, facet->rank);
	writer_u8(to, facet->except_types && facet->type_count);
	writer_u8(to, facet->type_count);
	for (unsigned i = 0; i < facet->type_count; i++)
		writer_u16(to, facet->types[i]);
	writer_u32(to, (uint32_t)(facet->group >> 32));
	writer_u32(to, (uint32_t)facet->group);
	writer_slice_bytes(to, facet->records);
}

static int number_of_bytes(
	struct image_builder *builder, uint16_t list, const struct facet *facet, uint16_t *number)
{
	uint8_t key[KEY_MAX];
	struct writer to = writer_of(key, sizeof key);
	uint32_t found;
	if (facet->type_count > FACET_TYPES_MAX || facet->records.len > FACET_RECORDS_MAX)
		return ERR_TOO_LONG;
	facet_write(&to, list, facet);
	int error = distinct_put(&builder->facets, writer_slice(&to), &found);
	if (error)
		return error;
	if (found >= IMAGE_FACETS_MAX)
		return ERR_TOO_LONG;
	*number = (uint16_t)found;
	return 0;
}

int image_facet_number(
	struct image_builder *builder, uint16_t list, const struct facet *facet, uint16_t *number)
{
	if (!is_plain(facet))
		return number_of_bytes(builder, list, facet, number);
	/* Nearly all: worth a short way. */
	uint16_t *plain = &builder->plain[facet->rank];
	int error = *plain == UINT16_MAX ? number_of_bytes(builder, list, facet, plain) : 0;
	*number = *plain;
	return error;
}

uint64_t image_facet_hash(const struct image_builder *builder, uint16_t facet)
{
	struct slice key = distinct_get(&builder->facets, facet);
	return XXH3_64bits_withSeed(key.at + LIST_LEN, key.len - LIST_LEN, CONTENT_SEED);
}

struct facet image_facet_of(const struct image_builder *builder, uint16_t facet)
{
	struct reader r = reader_of(distinct_get(&builder->facets, facet));
	struct facet found = { 0 };
	reader_skip(&r, LIST_LEN);
	found.effect = (enum facet_effect)reader_u8(&r);
	found.given = (enum given)reader_u8(&r);
	found.rank = reader_u8(&r);
	found.except_types = reader_u8(&r);
	found.type_count = reader_u8(&r);
	for (unsigned i = 0; i < found.type_count; i++)
		found.types[i] = reader_u16(&r);
	found.group = (uint64_t)reader_u32(&r) << 32;
	found.group |= reader_u32(&r);
	found.records = reader_bytes(&r, reader_left(&r));
	return found;
}

void image_count_facets(const struct image_builder *builder, uint32_t counts[])
{
	for (uint32_t i = 0; i < builder->facets.count; i++)
		counts[image_facet_list(builder, (uint16_t)i)]++;
}

struct ordered {
	struct slice key;
	uint16_t number;
};

static int compare_keys(const void *a, const void *b)
{
	const struct ordered *one = a;
	const struct ordered *other = b;
	size_t len = one->key.len < other->key.len ? one->key.len : other->key.len;
	int order = memcmp(one->key.at, other->key.at, len);
	if (order != 0)
		return order;
	return one->key.len < other->key.len ? -1 : one->key.len > other->key.len;
}

static void renumber(struct image_builder *builder, const uint16_t numbers[])
{
	for (size_t i = 0; i < builder->count; i++) {
		struct image_record *record = &builder->records[i];
		record->item =
			(uint16_t)(numbers[record->item >> 2] << 2 | (record->item & PATTERN_BOTH));
	}
	for (size_t i = 0; i < builder->network_count; i++)
		builder->networks[i].facet = numbers[builder->networks[i].facet];
	for (size_t i = 0; i < builder->source_count; i++) {
		uint16_t *facets = builder->sources[i].facets;
		for (size_t f = 0; f < builder->sources[i].image->header.facet_count; f++)
			facets[f] = facets[f] == UINT16_MAX ? UINT16_MAX : numbers[facets[f]];
	}
}

/* The same strings in their new order. */
static int put_again(struct distinct *facets, const struct ordered *ordered, size_t count)
{
	struct distinct again = { .salt = facets->salt };
	uint32_t number;
	int error = 0;
	for (size_t i = 0; i < count && !error; i++)
		error = distinct_put(&again, ordered[i].key, &number);
	distinct_deinit(error ? &again : facets);
	if (!error)
		*facets = again;
	return error;
}

int image_facets_order(struct image_builder *builder)
{
	uint16_t numbers[IMAGE_FACETS_MAX + 1]; /* new ones by old ones */
	size_t count = builder->facets.count;
	struct ordered *ordered = calloc(count + 1, sizeof *ordered);
	bool changed = false;
	if (!ordered)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++)
		ordered[i] = (struct ordered){ distinct_get(&builder->facets, (uint32_t)i),
			(uint16_t)i };
	qsort(ordered, count, sizeof *ordered, compare_keys);
	for (size_t i = 0; i < count; i++) {
		numbers[ordered[i].number] = (uint16_t)i;
		changed |= ordered[i].number != i;
	}
	int error = changed ? put_again(&builder->facets, ordered, count) : 0;
	if (changed && !error)
		renumber(builder, numbers);
	free(ordered);
	return error;
}
