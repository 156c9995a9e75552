#include "rules/list_values.h"

#include <stdlib.h>

#include "base/error.h"
#include "dns/types.h"

enum { NOT_ASKED = 0xffff, NETWORK_BYTES = 20 };

struct counting {
	struct list_values *values;
	const struct image *image;
	uint16_t index_of[IMAGE_LISTS_MAX]; /* in `values`; NOT_ASKED */
	double per_name;                    /* bytes beside the name itself */
	double *bytes;
	/* Of the name that is looked at: which lists cover it, and which what is below it. */
	uint64_t itself[IMAGE_LISTS_MAX / 64];
	uint64_t below[IMAGE_LISTS_MAX / 64];
};

static void set_bit(uint64_t *bits, size_t at)
{
	bits[at / 64] |= UINT64_C(1) << at % 64;
}

static bool has_bit(const uint64_t *bits, size_t at)
{
	return bits[at / 64] >> at % 64 & 1;
}

/* By their place in `values`. */
static void find_covering(const struct counting *counting, struct slice name, uint64_t *covering)
{
	struct image_matches matches;
	memset(covering, 0, IMAGE_LISTS_MAX / 8);
	if (name.len == 0 || !image_find(counting->image, name, DNS_TYPE_A, &matches))
		return;
	for (unsigned i = 0; i < image_list_count(counting->image); i++) {
		if (!image_matches_have(&matches, i) || counting->index_of[i] == NOT_ASKED)
			continue;
		const struct facet *facet = image_facet(counting->image, matches.entries[i].facet);
		if (facet->effect == FACET_LISTED)
			set_bit(covering, counting->index_of[i]);
	}
}

static bool is_compared(const struct counting *counting, const struct image_says *says)
{
	const struct facet *facet = image_facet(counting->image, says->facet);
	if (facet->effect != FACET_LISTED || facet->type_count == 0)
		return facet->effect == FACET_LISTED;
	for (unsigned i = 0; i < facet->type_count; i++)
		if (facet->types[i] == DNS_TYPE_A)
			return !facet->except_types;
	return facet->except_types;
}

static void compare(struct counting *counting, size_t own, enum pattern_kind kind)
{
	struct list_values *values = counting->values;
	bool is_unique = true;
	for (size_t i = 0; i < values->count; i++) {
		if ((kind & PATTERN_EXACT && !has_bit(counting->itself, i)) ||
			(kind & PATTERN_BELOW && !has_bit(counting->below, i)))
			continue;
		if (i == own)
			continue;
		values->overlap[own * values->count + i]++;
		is_unique = false;
	}
	values->overlap[own * values->count + own]++;
	values->lists[own].compared++;
	values->lists[own].unique += is_unique;
}

/* Only what entries need is looked up: most are of one kind. */
static unsigned kinds_of(const struct counting *counting, const struct image_name *name)
{
	unsigned kinds = 0;
	for (size_t i = 0; i < name->count; i++) {
		struct image_says says = image_name_says(counting->image, name, i);
		if (counting->index_of[says.list] != NOT_ASKED)
			kinds |= says.kind;
	}
	return kinds;
}

static unsigned count_items(const struct counting *counting, const struct image_name *name)
{
	unsigned count = 0;
	for (size_t i = 0; i < name->count; i++)
		count += counting->index_of[image_name_says(counting->image, name, i).list] !=
			NOT_ASKED;
	return count;
}

static bool on_name(void *context, const struct image_name *name)
{
	struct counting *counting = context;
	uint8_t buffer[DNS_NAME_MAX];
	unsigned kinds = kinds_of(counting, name);
	if (!kinds)
		return true;
	counting->values->names++;
	if (kinds & PATTERN_EXACT)
		find_covering(counting, name->name, counting->itself);
	if (kinds & PATTERN_BELOW)
		find_covering(counting, image_name_below(name->name, buffer), counting->below);
	double share = (counting->per_name + (double)name->name.len) / count_items(counting, name);
	for (size_t i = 0; i < name->count; i++) {
		struct image_says says = image_name_says(counting->image, name, i);
		uint16_t own = counting->index_of[says.list];
		if (own == NOT_ASKED)
			continue;
		counting->bytes[own] += share;
		if (is_compared(counting, &says))
			compare(counting, own, says.kind);
	}
	return true;
}

static bool on_network(void *context, const struct network *network, uint16_t facet)
{
	(void)network;
	(void)facet;
	*(double *)context += NETWORK_BYTES;
	return true;
}

/* Filter, slots and places of names: all that is not names, divided by them. */
static double bytes_per_name(const struct image *image)
{
	size_t count = image_name_count(image);
	/* In the cold part 8 bytes for every 8 slots say where the names begin. */
	return count ? (double)image_hot_len(image) / (double)count + 1 : 0;
}

static void finish(struct counting *counting, const uint16_t *numbers)
{
	const struct image *image = counting->image;
	for (size_t i = 0; i < counting->values->count; i++) {
		struct list_value *value = &counting->values->lists[i];
		value->entries = image_list(image, numbers[i])->entry_count;
		if (image_has_networks(image))
			image_each_network(image, numbers[i], on_network, &counting->bytes[i]);
		value->bytes = (uint64_t)counting->bytes[i];
	}
}

int list_values_count(struct list_values *values, const struct image *image,
	const uint16_t *numbers, size_t count)
{
	struct counting *counting = calloc(1, sizeof *counting);
	*values = (struct list_values){ .count = count };
	values->lists = calloc(count + 1, sizeof *values->lists);
	values->overlap = calloc(count * count + 1, sizeof *values->overlap);
	if (counting)
		counting->bytes = calloc(count + 1, sizeof *counting->bytes);
	int error =
		counting && counting->bytes && values->lists && values->overlap ? 0 : ERR_NO_MEMORY;
	if (!error) {
		counting->values = values;
		counting->image = image;
		counting->per_name = bytes_per_name(image);
		memset(counting->index_of, 0xff, sizeof counting->index_of);
		for (size_t i = 0; i < count; i++)
			counting->index_of[numbers[i]] = (uint16_t)i;
		image_each_name(image, on_name, counting);
		finish(counting, numbers);
	}
	if (counting)
		free(counting->bytes);
	free(counting);
	if (error)
		list_values_deinit(values);
	return error;
}

void list_values_deinit(struct list_values *values)
{
	free(values->lists);
	free(values->overlap);
	*values = (struct list_values){ .count = 0 };
}
