/* image_find.c - what queries do with an image. All suffixes of a name that can have an entry are
 * hashed before the first look at memory, then all look at the filter, and few go on to the slots:
 * so the waits for memory overlap.
 *
 * Hits are walked from the longest name to the root. What counts for a list is then the first entry
 * of the highest rank. */
#include "rules/image_layout.h"
#include "base/not_cleared.h"

/* A suffix of the name that is looked up. */
struct candidate {
	uint64_t where;
	const uint64_t *block;
	uint8_t at; /* in the name */
	uint8_t labels;
};

/* What covers a name or an address: a set of a name, or one network. */
struct hit {
	struct image_items items;
	uint8_t wanted; /* kinds */
	uint8_t labels;
	uint8_t kind; /* told as; 0: the item's own */
};

struct search {
	const struct image *image;
	struct image_matches *matches;
	uint16_t query_type;
	bool cancels;                                  /* any bit in `cancelled` */
	uint64_t kept[IMAGE_LISTS_MAX / 64];           /* lists that were decided before */
	uint64_t seen[IMAGE_LISTS_MAX / 64];           /* lists that have an entry so far */
	uint64_t cancelled[IMAGE_FACETS_MAX / 64 + 1]; /* by group; only filled when `cancels` */
};

static bool has_bit(const uint64_t *bits, unsigned at)
{
	return bits[at / 64] >> at % 64 & 1;
}

static void set_bit(uint64_t *bits, unsigned at, bool on)
{
	uint64_t bit = UINT64_C(1) << at % 64;
	bits[at / 64] = on ? bits[at / 64] | bit : bits[at / 64] & ~bit;
}

static bool counts_for_type(const struct facet *facet, uint16_t query_type)
{
	if (facet->type_count == 0)
		return true;
	for (unsigned i = 0; i < facet->type_count; i++)
		if (facet->types[i] == query_type)
			return !facet->except_types;
	return facet->except_types;
}

/* The list's entry when it is the first, or of a higher rank than what stood nearer. */
static void consider(struct search *search, const struct hit *hit, uint16_t item)
{
	const struct image_facet_row *row = &search->image->facets[item >> 2];
	const struct facet *facet = &row->facet;
	struct list_entry *entry = &search->matches->entries[row->list];
	if (facet->effect == FACET_CANCEL || !counts_for_type(facet, search->query_type) ||
		has_bit(search->kept, row->list))
		return;
	if (search->cancels && row->group && has_bit(search->cancelled, row->group))
		return;
	if (has_bit(search->seen, row->list) &&
		search->image->facets[entry->facet].facet.rank >= facet->rank)
		return;
	*entry = (struct list_entry){
		.kind = hit->kind ? hit->kind : item & PATTERN_BOTH,
		.labels = hit->labels,
		.facet = item >> 2,
	};
	set_bit(search->seen, row->list, true);
	set_bit(search->matches->lists, row->list, facet->effect != FACET_EXCEPT);
}

/* From here on, entries of its group do not count. */
static void cancel(struct search *search, uint16_t item)
{
	const struct image_facet_row *row = &search->image->facets[item >> 2];
	if (row->facet.effect != FACET_CANCEL || row->group == 0 ||
		!counts_for_type(&row->facet, search->query_type))
		return;
	if (!search->cancels)
		memset(search->cancelled, 0, sizeof search->cancelled);
	search->cancels = true;
	set_bit(search->cancelled, row->group, true);
}

static void take_hit(struct search *search, const struct hit *hit)
{
	for (size_t i = 0; i < hit->items.count; i++) {
		uint16_t item = le16toh(hit->items.at[i]);
		if (item & hit->wanted)
			consider(search, hit, item);
	}
	if (search->image->all_listed)
		return;
	for (size_t i = 0; i < hit->items.count; i++) {
		uint16_t item = le16toh(hit->items.at[i]);
		if (item & hit->wanted)
			cancel(search, item);
	}
}

/* Could one of these entries let a name through? */
static bool is_lenient(const struct image *image, struct image_items items)
{
	if (image->all_listed)
		return false;
	for (size_t i = 0; i < items.count; i++)
		if (image->facets[le16toh(items.at[i]) >> 2].facet.effect != FACET_LISTED)
			return true;
	return false;
}

static bool slot_has_name(const struct image *image, const uint64_t *slot, struct slice name)
{
	return slice_equals(image_slot_name(image, (uint64_t)(slot - image->slots)), name);
}

/* Leaves what only few need as it is. */
static void search_begin(struct search *search, const struct image *image, uint16_t query_type,
	struct image_matches *matches)
{
	search->image = image;
	search->matches = matches;
	search->query_type = query_type;
	search->cancels = false;
	for (unsigned i = 0; i < image->list_words; i++) {
		search->kept[i] = matches->lists[i];
		search->seen[i] = 0;
	}
}

static bool search_found(const struct search *search)
{
	uint64_t any = 0;
	for (unsigned i = 0; i < search->image->list_words; i++)
		any |= search->matches->lists[i] & ~search->kept[i];
	return any != 0;
}

/* Fills `candidates` with the suffixes that may have entries, the longest first. */
static size_t hash_suffixes(
	const struct image *image, struct slice name, struct candidate candidates[])
{
	const struct image_header *header = &image->header;
	NOT_CLEARED uint8_t offsets[DNS_NAME_LABELS_MAX];
	size_t labels = dns_name_labels(name, offsets);
	const uint64_t *depths = header->exact_depths;
	size_t count = 0;
	for (size_t i = 0; i <= labels; i++, depths = header->below_depths) {
		if (!image_depth_is_used(depths, labels - i))
			continue;
		size_t at = i < labels ? offsets[i] : name.len - 1;
		struct candidate *candidate = &candidates[count++];
		candidate->where = image_where(header->salt, name.at + at, name.len - at);
		candidate->block =
			image_block(image->filter, header->block_count, candidate->where);
		candidate->at = (uint8_t)at;
		candidate->labels = (uint8_t)(labels - i);
		__builtin_prefetch(candidate->block);
	}
	return count;
}

/* Those that the filter does not know go. */
static size_t ask_filter(const struct image *image, struct candidate candidates[], size_t count)
{
	size_t left = 0;
	for (size_t i = 0; i < count; i++) {
		struct candidate *candidate = &candidates[i];
		if (!image_block_has(candidate->block, candidate->where))
			continue;
		__builtin_prefetch(
			image->slots + image_home(image->header.bucket_count, candidate->where));
		candidates[left++] = *candidate;
	}
	return left;
}

static void ask_slots(struct search *search, struct slice name, const struct candidate *candidate)
{
	const struct image *image = search->image;
	struct slice suffix = slice_of(name.at + candidate->at, name.len - candidate->at);
	const uint64_t *slot = image_slot_find(image, candidate->where, suffix.at, suffix.len);
	if (!slot)
		return;
	struct hit hit = {
		.items = image_set_items(image, image_slot_set(image, *slot)),
		.wanted = candidate->at == 0 ? PATTERN_EXACT : PATTERN_BELOW,
		.labels = candidate->labels,
	};
	if (is_lenient(image, hit.items) && !slot_has_name(image, slot, suffix))
		return;
	take_hit(search, &hit);
}

static bool search_names(
	struct search *search, struct slice name, const struct candidate candidates[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		ask_slots(search, name, &candidates[i]);
	return search_found(search);
}

/* In steps for which every compiler takes four stores or fewer; for all at once some take a string
 * instruction, which costs 10 ns to begin. */
static void clear_lists(struct image_matches *matches)
{
	enum { STEP = 4 };
	for (unsigned i = 0; i < IMAGE_LISTS_MAX / 64; i += STEP)
		memset(&matches->lists[i], 0, STEP * sizeof *matches->lists);
}

bool image_find(const struct image *image, struct slice name, uint16_t query_type,
	struct image_matches *matches)
{
	NOT_CLEARED struct candidate candidates[DNS_NAME_LABELS_MAX + 1];
	NOT_CLEARED struct search search;
	clear_lists(matches);
	size_t count = hash_suffixes(image, name, candidates);
	count = ask_filter(image, candidates, count);
	if (count == 0)
		return false;
	search_begin(&search, image, query_type, matches);
	return search_names(&search, name, candidates, count);
}

static void cut_address(uint8_t bytes[16], unsigned prefix_len)
{
	for (unsigned i = 0; i < 16; i++, prefix_len -= prefix_len < 8 ? prefix_len : 8)
		if (prefix_len < 8)
			bytes[i] &= (uint8_t)(0xff00 >> prefix_len);
}

/* The first network of this length that is not below `address`. */
static uint32_t find_network(
	const struct image *image, const uint8_t address[16], uint32_t low, uint32_t high)
{
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (memcmp(image->networks + (size_t)middle * IMAGE_NETWORK_LEN, address, 16) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void ask_networks(struct search *search, const struct address *address, uint8_t prefix_len)
{
	const struct image *image = search->image;
	uint32_t end = image->prefix_starts[129 - prefix_len];
	uint8_t cut[16];
	memcpy(cut, address->bytes, sizeof cut);
	cut_address(cut, prefix_len);
	for (uint32_t i = find_network(image, cut, image->prefix_starts[128 - prefix_len], end);
		i < end; i++) {
		const uint8_t *row = image->networks + (size_t)i * IMAGE_NETWORK_LEN;
		if (memcmp(row, cut, sizeof cut) != 0)
			return;
		uint16_t item = htole16((uint16_t)((row[18] | row[19] << 8) << 2 | PATTERN_BOTH));
		struct hit hit = {
			.items = { .at = &item, .count = 1 },
			.wanted = PATTERN_BOTH,
			.labels = prefix_len,
			.kind = LIST_ENTRY_NETWORK,
		};
		take_hit(search, &hit);
	}
}

bool image_find_address(const struct image *image, const struct address *address,
	uint16_t query_type, struct image_matches *matches)
{
	NOT_CLEARED struct search search;
	if (!image->has_networks)
		return false;
	/* An IPv4 address is in IPv4 networks only, see base/address.h. */
	unsigned shortest = address_is_v4(address) ? 96 : 0;
	search_begin(&search, image, query_type, matches);
	for (unsigned len = 129; len-- > shortest;)
		if (image->prefix_starts[128 - len] < image->prefix_starts[129 - len])
			ask_networks(&search, address, (uint8_t)len);
	return search_found(&search);
}

/* The suffix of a name that has this many labels; empty when it has fewer. */
static struct slice suffix_of(struct slice name, unsigned labels)
{
	uint8_t offsets[DNS_NAME_LABELS_MAX];
	size_t count = dns_name_labels(name, offsets);
	if (labels > count)
		return slice_of(NULL, 0);
	size_t at = labels ? offsets[count - labels] : name.len - 1;
	return slice_of(name.at + at, name.len - at);
}

bool image_holds(
	const struct image *image, uint16_t list, struct slice name, const struct list_entry *entry)
{
	if (entry->facet >= image->header.facet_count || image->facets[entry->facet].list != list)
		return false;
	if (entry->kind == LIST_ENTRY_NETWORK)
		return true;
	struct slice suffix = suffix_of(name, entry->labels);
	if (suffix.len == 0)
		return false;
	uint64_t where = image_where(image->header.salt, suffix.at, suffix.len);
	const uint64_t *slot = image_slot_find(image, where, suffix.at, suffix.len);
	if (!slot || !slot_has_name(image, slot, suffix))
		return false;
	struct image_items items = image_set_items(image, image_slot_set(image, *slot));
	for (size_t i = 0; i < items.count; i++)
		if (le16toh(items.at[i]) == (entry->facet << 2 | entry->kind))
			return true;
	return false;
}
