#include "rules/image_parts.h"

#include "base/error.h"
#include "rules/grow.h"

#include <stdlib.h>

struct image_builder *image_builder_new(uint64_t salt)
{
	struct image_builder *builder = calloc(1, sizeof *builder);
	if (!builder)
		return NULL;
	builder->salt = salt;
	builder->facets.salt = salt;
	builder->texts.salt = salt;
	return builder;
}

static void builder_empty(struct image_builder *builder)
{
	for (size_t i = 0; i < builder->list_count; i++)
		free(builder->lists[i].name);
	for (size_t i = 0; i < builder->source_count; i++)
		free(builder->sources[i].facets);
	free(builder->lists);
	free(builder->records);
	free(builder->names);
	free(builder->networks);
	free(builder->sources);
	distinct_deinit(&builder->facets);
	distinct_deinit(&builder->texts);
	*builder = (struct image_builder){
		.salt = builder->salt,
		.facets.salt = builder->salt,
		.texts.salt = builder->salt,
	};
}

void image_builder_free(struct image_builder *builder)
{
	if (!builder)
		return;
	builder_empty(builder);
	free(builder);
}

/* Keeps the first error, and returns this one. */
static int note_error(struct image_builder *builder, int error)
{
	if (!builder->error)
		builder->error = error;
	return error;
}

int image_add_list(struct image_builder *builder, const char *name, enum list_format format)
{
	if (builder->list_count == IMAGE_LISTS_MAX)
		return note_error(builder, ERR_TOO_LONG);
	void *lists = grow(builder->lists, &builder->list_capacity, builder->list_count + 1,
		sizeof *builder->lists);
	char *copy = lists ? strdup(name) : NULL;
	builder->lists = lists ? lists : builder->lists;
	if (!copy)
		return note_error(builder, ERR_NO_MEMORY);
	builder->lists[builder->list_count++] =
		(struct image_build_list){ .name = copy, .format = format };
	memset(builder->plain, 0xff, sizeof builder->plain);
	return 0;
}

int image_add_record(struct image_builder *builder, const struct image_record *record)
{
	struct image_record *records =
		grow(builder->records, &builder->capacity, builder->count + 1, sizeof *records);
	if (!records)
		return note_error(builder, ERR_NO_MEMORY);
	builder->records = records;
	if (builder->count == UINT32_MAX - 1)
		return note_error(builder, ERR_TOO_LONG);
	records[builder->count++] = *record;
	return 0;
}

static int add_name(struct image_builder *builder, const struct dns_name *name)
{
	uint8_t *names = grow(
		builder->names, &builder->names_capacity, builder->names_len + DNS_NAME_MAX, 1);
	if (!names)
		return ERR_NO_MEMORY;
	builder->names = names;
	if (builder->names_len >> 40)
		return ERR_TOO_LONG;
	memcpy(names + builder->names_len, name->wire, name->len);
	builder->names_len += name->len;
	return 0;
}

int image_add_pattern(struct image_builder *builder, const struct list_pattern *pattern)
{
	uint16_t list = (uint16_t)(builder->list_count - 1);
	uint16_t facet = 0;
	uint64_t at = builder->names_len;
	int error = image_facet_number(builder, list, pattern->facet, &facet);
	if (!error)
		error = add_name(builder, pattern->name);
	if (error)
		return note_error(builder, error);
	const struct dns_name *name = pattern->name;
	const struct image_record record = {
		.where = image_where(builder->salt, name->wire, name->len),
		.name = at << 8 | name->len,
		.line = pattern->line,
		.item = (uint16_t)(facet << 2 | (uint16_t)pattern->kind),
		.list = list,
	};
	return image_add_record(builder, &record);
}

int image_add_network(struct image_builder *builder, const struct list_network *network)
{
	uint16_t list = (uint16_t)(builder->list_count - 1);
	uint16_t facet = 0;
	int error = image_facet_number(builder, list, network->facet, &facet);
	if (error)
		return note_error(builder, error);
	void *networks = grow(builder->networks, &builder->network_capacity,
		builder->network_count + 1, sizeof *builder->networks);
	if (!networks)
		return note_error(builder, ERR_NO_MEMORY);
	builder->networks = networks;
	builder->networks[builder->network_count++] = (struct image_network_record){
		.network = network->network,
		.line = network->line,
		.facet = facet,
		.list = list,
	};
	return 0;
}

void image_count_reject(struct image_builder *builder, enum list_reject reject)
{
	builder->lists[builder->list_count - 1].reject_counts[reject]++;
}

/* A text on its way into the builder. */
struct text_reading {
	struct image_builder *builder;
	void (*on_reject)(void *context, uint32_t line, enum list_reject reject, struct slice text);
	void *context;
};

static int on_pattern(void *context, const struct list_pattern *pattern)
{
	return image_add_pattern(((struct text_reading *)context)->builder, pattern);
}

static int on_network(void *context, const struct list_network *network)
{
	return image_add_network(((struct text_reading *)context)->builder, network);
}

static void on_reject(void *context, uint32_t line, enum list_reject reject, struct slice text)
{
	struct text_reading *reading = context;
	image_count_reject(reading->builder, reject);
	if (reading->on_reject)
		reading->on_reject(reading->context, line, reject, text);
}

int image_add_text(struct image_builder *builder, struct slice text,
	void (*on_reject_fn)(
		void *context, uint32_t line, enum list_reject reject, struct slice text),
	void *context)
{
	struct text_reading reading = { builder, on_reject_fn, context };
	const struct list_sink sink = { on_pattern, on_network, on_reject, &reading };
	return list_read(builder->lists[builder->list_count - 1].format, text, &sink);
}

/* Facets stand by list. */
static void note_facets(struct image_builder *builder)
{
	uint16_t last = UINT16_MAX;
	for (size_t i = 0; i < builder->facets.count; i++) {
		uint16_t list = image_facet_list(builder, (uint16_t)i);
		builder->lists[list].many_facets |= list == last;
		last = list;
	}
}

static int bring_into_order(struct image_builder *builder)
{
	int error = image_facets_order(builder);
	if (error)
		return error;
	note_facets(builder);
	error = image_sort(builder);
	if (!error)
		error = image_drop_duplicates(builder);
	if (!error)
		error = image_sort_networks(builder);
	return error ? error : image_cover(builder);
}

static int merge_and_write(struct image_builder *builder, struct slice *bytes)
{
	struct image_merge merge;
	int error = image_merge(&merge, builder);
	if (!error)
		error = image_write(&merge, bytes);
	image_merge_deinit(&merge);
	return error;
}

int image_build(
	struct image_builder *builder, struct slice *bytes, image_drop_fn on_drop, void *context)
{
	struct image_drops drops = { 0 };
	builder->drops = on_drop ? &drops : NULL;
	int error = builder->error;
	if (!error)
		error = image_choose_stream(builder);
	if (!error)
		error = bring_into_order(builder);
	if (!error && on_drop)
		image_drops_tell(&drops, on_drop, context);
	free(drops.at);
	if (!error)
		error = merge_and_write(builder, bytes);
	builder_empty(builder);
	return error;
}
