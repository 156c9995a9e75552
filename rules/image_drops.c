/* image_drops.c - the lines that changed nothing, for those who want to read about them. */
#include "rules/image_parts.h"

#include "base/error.h"
#include "rules/grow.h"

#include <stdlib.h>

static enum pattern_kind kind_of(const struct image_record *record)
{
	return (enum pattern_kind)(record->item & PATTERN_BOTH);
}

/* The same name, kind and facet; what is above it can have the same item. */
static bool is_duplicate(const struct image_record *record, const struct image_record *by)
{
	return by->item == record->item && (by->name & 0xff) == (record->name & 0xff);
}

int image_drop_record(struct image_builder *builder, const struct image_record *record,
	const struct image_record *by)
{
	struct image_drops *drops = builder->drops;
	if (!drops)
		return 0;
	void *at = grow(drops->at, &drops->capacity, drops->count + 1, sizeof *drops->at);
	if (!at)
		return ERR_NO_MEMORY;
	drops->at = at;
	drops->at[drops->count++] = (struct image_drop){
		.list = record->list,
		.line = record->line,
		.name = image_record_name(builder, record),
		.kind = kind_of(record),
		.by = is_duplicate(record, by) ? slice_of(NULL, 0) : image_record_name(builder, by),
		.by_kind = kind_of(by),
		.by_line = by->line,
	};
	return 0;
}

/* By list and line; a line of hosts has several names. */
static int compare_drops(const void *a, const void *b)
{
	const struct image_drop *one = a;
	const struct image_drop *other = b;
	if (one->list != other->list)
		return one->list < other->list ? -1 : 1;
	if (one->line != other->line)
		return one->line < other->line ? -1 : 1;
	if (one->name.len != other->name.len)
		return one->name.len < other->name.len ? -1 : 1;
	int order = memcmp(one->name.at, other->name.at, one->name.len);
	return order ? order : (int)one->kind - (int)other->kind;
}

void image_drops_tell(struct image_drops *drops, image_drop_fn on_drop, void *context)
{
	if (drops->count == 0)
		return;
	qsort(drops->at, drops->count, sizeof *drops->at, compare_drops);
	for (size_t i = 0; i < drops->count; i++)
		on_drop(context, &drops->at[i]);
}
