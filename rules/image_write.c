/* image_write.c - the bytes of an image. Names come in ascending order of their hash, so that all
 * of it but a look at each name is written from front to back. */
#include "rules/image_parts.h"

#include "base/error.h"

#include <stdlib.h>

struct image_writer {
	const struct image_merge *merge;
	struct image_header header;
	struct image_sections at;
	uint8_t *bytes;
	uint64_t *filter;
	uint64_t *slots;
	uint64_t *groups;
	uint8_t *names;
	uint64_t next_slot;
	uint64_t next_group;
	uint64_t names_len;
};

/* A name on its way into the image. */
struct entry {
	uint64_t where;
	struct slice name;
	uint32_t set; /* of the merge */
};

static unsigned bits_for(uint64_t count)
{
	unsigned bits = 1;
	while (count >> bits)
		bits++;
	return bits;
}

static void plan(struct image_writer *writer)
{
	const struct image_merge *merge = writer->merge;
	uint64_t names = merge->name_count;
	uint64_t spare = names < IMAGE_SPARE_SLOTS ? names : IMAGE_SPARE_SLOTS;
	struct image_header *header = &writer->header;
	*header = (struct image_header){
		.version = IMAGE_VERSION,
		.salt = merge->builder->salt,
		.name_count = names,
		.block_count = names / IMAGE_BLOCK_NAMES + 1,
		.bucket_count = names * 100 / IMAGE_LOAD_PERCENT / IMAGE_BUCKET_SLOTS + 1,
		.set_count = merge->set_count,
		.item_count = merge->item_count,
		.network_count = merge->builder->network_count,
		.texts_len = merge->builder->texts.len,
		.names_len = merge->names_room,
		.set_bits = bits_for(merge->set_count),
		.facet_count = (uint32_t)merge->builder->facets.count,
		.list_count = (uint32_t)merge->builder->list_count,
		.reject_count = LIST_REJECT_COUNT,
	};
	memcpy(header->magic, IMAGE_MAGIC, sizeof header->magic);
	header->slot_count = (header->bucket_count + 1) * IMAGE_BUCKET_SLOTS +
		(spare + IMAGE_BUCKET_SLOTS - 1) / IMAGE_BUCKET_SLOTS * IMAGE_BUCKET_SLOTS;
	writer->at = image_sections_of(header);
}

static int make_room(struct image_writer *writer)
{
	size_t len = (writer->at.end + IMAGE_ALIGN - 1) / IMAGE_ALIGN * IMAGE_ALIGN;
	uint8_t *bytes = aligned_alloc(IMAGE_ALIGN, len);
	if (!bytes)
		return ERR_NO_MEMORY;
	/* There may be more room for names than is needed: that is not touched. */
	memset(bytes, 0, writer->at.names);
	writer->bytes = bytes;
	writer->filter = (uint64_t *)(void *)(bytes + writer->at.filter);
	writer->slots = (uint64_t *)(void *)(bytes + writer->at.slots);
	writer->groups = (uint64_t *)(void *)(bytes + writer->at.groups);
	writer->names = bytes + writer->at.names;
	return 0;
}

static void note_depths(struct image_writer *writer, struct slice name, uint8_t kinds)
{
	unsigned labels = 0;
	for (const uint8_t *label = name.at; *label; label += *label + 1)
		labels++;
	uint64_t bit = UINT64_C(1) << labels % 64;
	if (kinds & PATTERN_EXACT)
		writer->header.exact_depths[labels / 64] |= bit;
	if (kinds & PATTERN_BELOW)
		writer->header.below_depths[labels / 64] |= bit;
}

/* The slot of a name; ERR_INVALID when there is none left, or when a look-up would take another
 * name for this one or the other way round. */
static int put_slot(struct image_writer *writer, const struct entry *entry, uint64_t set)
{
	const struct image_header *header = &writer->header;
	uint64_t what = image_what(header->salt, entry->name.at, entry->name.len);
	uint64_t home = image_home(header->bucket_count, entry->where);
	uint64_t slot = home > writer->next_slot ? home : writer->next_slot;
	if (slot >= header->slot_count - IMAGE_BUCKET_SLOTS)
		return ERR_INVALID;
	for (uint64_t i = home; i < slot; i++)
		if ((le64toh(writer->slots[i]) ^ what) >> header->set_bits == 0)
			return ERR_INVALID;
	writer->slots[slot] = htole64(what >> header->set_bits << header->set_bits | set);
	writer->next_slot = slot + 1;
	while (writer->next_group <= slot / IMAGE_BUCKET_SLOTS)
		writer->groups[writer->next_group++] = htole64(writer->names_len);
	return 0;
}

static int put_name(struct image_writer *writer, const struct entry *entry)
{
	uint32_t set = writer->merge->numbers[entry->set];
	struct slice name = entry->name;
	if (set == 0 || name.len > writer->header.names_len - writer->names_len)
		return ERR_INVALID; /* a stranger's stream, not in order */
	int error = put_slot(writer, entry, set);
	if (error)
		return error;
	uint64_t block = image_share(entry->where, writer->header.block_count);
	image_block_add(writer->filter + block * (IMAGE_BLOCK_LEN / 8), entry->where);
	memcpy(writer->names + writer->names_len, name.at, name.len);
	writer->names_len += name.len;
	note_depths(writer, name, writer->merge->kinds[set]);
	return 0;
}

/* The next name of the stream of which anything was taken. */
static bool next_of_stream(
	const struct image_merge *merge, struct image_cursor *cursor, struct entry *entry)
{
	if (!merge->stream)
		return false;
	const struct image *image = merge->stream->image;
	while (image_cursor_next(image, cursor)) {
		struct slice name = cursor->name;
		entry->set = merge->stream_sets[image_slot_set(image, image->slots[cursor->slot])];
		if (entry->set == UINT32_MAX)
			continue;
		entry->name = name;
		entry->where = image_where(image->header.salt, name.at, name.len);
		return true;
	}
	return false;
}

static bool next_record(const struct image_builder *builder, size_t *next, struct entry *entry)
{
	if (*next == builder->count)
		return false;
	const struct image_record *record = &builder->records[(*next)++];
	entry->name = image_record_name(builder, record);
	entry->set = record->line;
	entry->where = record->where;
	return true;
}

/* As in image_sort.c. */
static int compare_entries(const struct entry *a, const struct entry *b)
{
	if (a->where != b->where)
		return a->where < b->where ? -1 : 1;
	if (a->name.len != b->name.len)
		return a->name.len < b->name.len ? -1 : 1;
	return memcmp(a->name.at, b->name.at, a->name.len);
}

/* Records and stream, merged; where both have a name, the record knows the whole set. */
static int put_names(struct image_writer *writer)
{
	const struct image_merge *merge = writer->merge;
	struct image_cursor cursor = { 0 };
	struct entry old;
	struct entry new;
	size_t next = 0;
	uint64_t count = 0;
	int error = 0;
	bool have_old = next_of_stream(merge, &cursor, &old);
	bool have_new = next_record(merge->builder, &next, &new);
	for (; (have_old || have_new) && !error; count++) {
		int order = !have_old ? 1 : !have_new ? -1 : compare_entries(&old, &new);
		error = put_name(writer, order < 0 ? &old : &new);
		if (order >= 0)
			have_new = next_record(merge->builder, &next, &new);
		if (order <= 0)
			have_old = next_of_stream(merge, &cursor, &old);
	}
	if (!error && count != merge->name_count)
		error = ERR_INVALID; /* see put_name() */
	while (writer->next_group < writer->header.slot_count / IMAGE_BUCKET_SLOTS)
		writer->groups[writer->next_group++] = htole64(writer->names_len);
	return error;
}

static void put_sets(struct image_writer *writer)
{
	const struct image_merge *merge = writer->merge;
	uint32_t *sets = (uint32_t *)(void *)(writer->bytes + writer->at.sets);
	uint16_t *items = (uint16_t *)(void *)(writer->bytes + writer->at.items);
	uint32_t to = 0;
	for (size_t i = 0; i < merge->set_count; i++) {
		struct slice from = distinct_get(&merge->sets, merge->order[i]);
		const uint16_t *at = (const uint16_t *)(const void *)from.at;
		for (size_t k = 0; k < from.len / sizeof *at; k++)
			items[to++] = htole16(at[k]);
		sets[i + 1] = htole32(to);
	}
}

static void set_16(uint8_t *at, uint16_t value)
{
	value = htole16(value);
	memcpy(at, &value, sizeof value);
}

static void set_32(uint8_t *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, sizeof value);
}

static void set_64(uint8_t *at, uint64_t value)
{
	value = htole64(value);
	memcpy(at, &value, sizeof value);
}

/* Where a text stands among the texts; the first call for it puts it there. */
static int put_text(struct image_builder *builder, struct slice text, uint32_t *at)
{
	uint32_t number;
	int error = distinct_put(&builder->texts, text, &number);
	if (error)
		return error;
	size_t found = builder->texts.entries[number].at;
	*at = (uint32_t)found;
	return found > UINT32_MAX ? ERR_TOO_LONG : 0;
}

static struct slice string_of(const char *text)
{
	return slice_of(text, strlen(text) + 1);
}

/* All texts, before it is known where they will stand. */
static int gather_texts(struct image_builder *builder)
{
	uint32_t at;
	int error = 0;
	for (size_t i = 0; i < builder->list_count && !error; i++) {
		const struct image_build_list *list = &builder->lists[i];
		error = put_text(builder, string_of(list->name), &at);
		if (!error)
			error = put_text(builder, string_of(list_format_name(list->format)), &at);
	}
	for (size_t i = 0; i < builder->facets.count && !error; i++)
		error = put_text(builder, image_facet_of(builder, (uint16_t)i).records, &at);
	return error;
}

/* See read_facet() and read_list() of image_rows.c for the bytes. */
static void put_facet(const struct image_writer *writer, uint16_t number, uint8_t *row)
{
	struct image_builder *builder = writer->merge->builder;
	struct facet facet = image_facet_of(builder, number);
	uint32_t records_at = 0;
	(void)put_text(builder, facet.records, &records_at);
	set_16(row, image_facet_list(builder, number));
	row[2] = (uint8_t)facet.effect;
	row[3] = (uint8_t)facet.given;
	row[4] = facet.rank;
	row[5] = facet.except_types;
	row[6] = facet.type_count;
	set_64(row + 8, facet.group);
	set_32(row + 16, records_at);
	set_32(row + 20, (uint32_t)facet.records.len);
	for (unsigned i = 0; i < facet.type_count; i++)
		set_16(row + 24 + 2 * i, facet.types[i]);
}

static void put_list(
	const struct image_writer *writer, const struct image_build_list *list, uint8_t *row)
{
	struct image_builder *builder = writer->merge->builder;
	XXH128_canonical_t hash;
	uint32_t at = 0;
	XXH128_canonicalFromHash(
		&hash, (XXH128_hash_t){ .low64 = list->hash[0], .high64 = list->hash[1] });
	(void)put_text(builder, string_of(list->name), &at);
	set_32(row, at);
	(void)put_text(builder, string_of(list_format_name(list->format)), &at);
	set_32(row + 4, at);
	set_64(row + 8, list->entry_count);
	set_64(row + 16, list->covered_count);
	memcpy(row + 24, hash.digest, IMAGE_HASH_LEN);
	for (unsigned i = 0; i < LIST_REJECT_COUNT; i++)
		set_64(row + 40 + 8 * i, list->reject_counts[i]);
}

static void put_rows(const struct image_writer *writer)
{
	const struct image_builder *builder = writer->merge->builder;
	uint8_t *facet = writer->bytes + writer->at.facets;
	uint8_t *network = writer->bytes + writer->at.networks;
	uint8_t *list = writer->bytes + writer->at.lists;
	for (size_t i = 0; i < builder->facets.count; i++, facet += IMAGE_FACET_LEN)
		put_facet(writer, (uint16_t)i, facet);
	for (size_t i = 0; i < builder->network_count; i++, network += IMAGE_NETWORK_LEN) {
		const struct image_network_record *record = &builder->networks[i];
		memcpy(network, record->network.address.bytes, 16);
		network[16] = record->network.prefix_len;
		set_16(network + 18, record->facet);
	}
	for (size_t i = 0; i < builder->list_count; i++, list += IMAGE_LIST_LEN)
		put_list(writer, &builder->lists[i], list);
	if (builder->texts.len)
		memcpy(writer->bytes + writer->at.texts, builder->texts.bytes, builder->texts.len);
}

static struct slice seal(struct image_writer *writer)
{
	struct image_header header = writer->header;
	header.names_len = writer->names_len;
	header.len = writer->at.names + writer->names_len;
	struct slice bytes = slice_of(writer->bytes, header.len);
	image_header_swap(&header);
	memcpy(writer->bytes, &header, sizeof header);
	image_checksum(bytes, writer->bytes + IMAGE_HASH_AT);
	return bytes;
}

int image_write(const struct image_merge *merge, struct slice *bytes)
{
	struct image_writer writer = { .merge = merge };
	int error = gather_texts(merge->builder);
	if (error)
		return error;
	plan(&writer);
	error = make_room(&writer);
	if (!error)
		error = put_names(&writer);
	if (error) {
		free(writer.bytes);
		return error;
	}
	put_sets(&writer);
	put_rows(&writer);
	*bytes = seal(&writer);
	return 0;
}
