/* image_walk.c - the cold part: names, and everything a list says. */
#include "rules/image_layout.h"

/* The name at `at` in the section of names; empty when there is none. */
static struct slice name_at(const struct image *image, uint64_t at)
{
	if (at >= image->header.names_len)
		return slice_of(NULL, 0);
	struct slice rest = slice_of(image->names + at, image->header.names_len - at);
	return slice_of(rest.at, dns_name_check(rest));
}

static uint64_t group_start(const struct image *image, uint64_t slot)
{
	return le64toh(image->groups[slot / IMAGE_BUCKET_SLOTS]);
}

struct slice image_slot_name(const struct image *image, uint64_t slot)
{
	uint64_t at = group_start(image, slot);
	for (uint64_t i = slot / IMAGE_BUCKET_SLOTS * IMAGE_BUCKET_SLOTS; i < slot; i++)
		if (image->slots[i])
			at += name_at(image, at).len;
	return name_at(image, at);
}

bool image_cursor_next(const struct image *image, struct image_cursor *cursor)
{
	uint64_t slot = cursor->next_slot;
	uint64_t end = image->header.slot_count;
	uint64_t at = cursor->next_at;
	for (; slot < end; slot++) {
		if (slot % IMAGE_BUCKET_SLOTS == 0)
			at = group_start(image, slot);
		if (image->slots[slot])
			break;
	}
	if (slot == end)
		return false;
	*cursor = (struct image_cursor){
		.slot = slot,
		.next_slot = slot + 1,
		.name = name_at(image, at),
		.name_at = at,
	};
	cursor->next_at = at + cursor->name.len;
	return cursor->name.len > 0;
}

void image_each_name(const struct image *image,
	bool (*on_name)(void *context, const struct image_name *name), void *context)
{
	struct image_cursor cursor = { 0 };
	while (image_cursor_next(image, &cursor)) {
		struct image_items items =
			image_set_items(image, image_slot_set(image, image->slots[cursor.slot]));
		const struct image_name name = {
			.name = cursor.name, .items = items.at, .count = items.count
		};
		if (!on_name(context, &name))
			return;
	}
}

struct image_says image_name_says(
	const struct image *image, const struct image_name *name, size_t i)
{
	uint16_t item = le16toh(name->items[i]);
	return (struct image_says){
		.list = image->facets[item >> 2].list,
		.facet = item >> 2,
		.kind = (enum pattern_kind)(item & PATTERN_BOTH),
	};
}

void image_each(const struct image *image, uint16_t list,
	bool (*on_entry)(void *context, struct slice name, enum pattern_kind kind, uint16_t facet),
	void *context)
{
	struct image_cursor cursor = { 0 };
	while (image_cursor_next(image, &cursor)) {
		struct image_items items =
			image_set_items(image, image_slot_set(image, image->slots[cursor.slot]));
		for (size_t i = 0; i < items.count; i++) {
			uint16_t item = le16toh(items.at[i]);
			uint16_t facet = item >> 2;
			enum pattern_kind kind = (enum pattern_kind)(item & PATTERN_BOTH);
			if (image->facets[facet].list == list &&
				!on_entry(context, cursor.name, kind, facet))
				return;
		}
	}
}

void image_each_network(const struct image *image, uint16_t list,
	bool (*on_entry)(void *context, const struct network *network, uint16_t facet),
	void *context)
{
	const uint8_t *row = image->networks;
	for (uint64_t i = 0; i < image->header.network_count; i++, row += IMAGE_NETWORK_LEN) {
		struct network network = { .prefix_len = row[16] };
		uint16_t facet = (uint16_t)(row[18] | row[19] << 8);
		memcpy(network.address.bytes, row, sizeof network.address.bytes);
		if (image->facets[facet].list == list && !on_entry(context, &network, facet))
			return;
	}
}

struct slice image_name_below(struct slice name, uint8_t buffer[DNS_NAME_MAX])
{
	enum { LABEL_MAX = 12 };
	struct writer to = writer_of(buffer, DNS_NAME_MAX);
	if (name.len + 2 > DNS_NAME_MAX)
		return slice_of(NULL, 0);
	size_t len = DNS_NAME_MAX - name.len - 1;
	len = len < LABEL_MAX ? len : LABEL_MAX;
	writer_u8(&to, (uint8_t)len);
	for (size_t i = 0; i < len; i++)
		writer_u8(&to, 0xff);
	writer_slice_bytes(&to, name);
	return writer_slice(&to);
}
