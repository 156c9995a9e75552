/* name_index.c - how it lies in memory:
 *
 *   slots    {tag, at} {tag, at} ... in ascending order of tag, each at or a little behind the
 *            place that its tag says: a linear-probing table that never has to be wrapped, and in
 *            which a search for what is not there ends at the first greater tag
 *   entries  [entry][entry]..[last entry][name]  [entry][name] ...
 *            an entry is 6 bytes: line (4), and list, kind and "last of this name" (2)
 *
 * So a name that one list holds costs 6 bytes, itself, and 8 / NAME_INDEX_LOAD of the slots. An
 * entry's number is its offset. Built by sorting: patterns are sorted by tag (radix), which brings
 * equal names together and lets the table be filled from front to back without a cache miss. */
#include "rules/name_index.h"

#include "base/error.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
	ENTRY_LEN = 6,
	ENTRY_LAST = 0x8000,
	ENTRY_KIND_SHIFT = 12,
	ENTRY_LIST_MASK = 0x0fff,
	LOAD_PERCENT = 85,
};

struct name_index_pattern {
	uint32_t tag;
	uint32_t name_at;
	uint32_t line;
	uint16_t list;
	uint8_t kind;
	uint8_t name_len;
};

/* The hash of a suffix is the hash of its first label keyed with the hash of the rest. */
static inline uint64_t hash_label(uint64_t parent, const uint8_t *label)
{
	return XXH3_64bits_withSeed(label, (size_t)label[0] + 1, parent);
}

static inline uint32_t tag_of(uint64_t hash)
{
	return (uint32_t)(hash >> 32);
}

static inline size_t home_of(uint64_t capacity, uint32_t tag)
{
	return (size_t)(tag * capacity >> 32);
}

void name_index_builder_init(struct name_index_builder *builder, uint64_t salt)
{
	uint8_t root = 0;
	*builder = (struct name_index_builder){ .root_hash = XXH3_64bits_withSeed(&root, 1, salt) };
}

void name_index_builder_deinit(struct name_index_builder *builder)
{
	free(builder->patterns);
	free(builder->names);
	*builder = (struct name_index_builder){ .root_hash = builder->root_hash };
}

/* Makes room for `wanted` elements; 0 or ERR_NO_MEMORY. */
static int grow(void **at, size_t *capacity, size_t wanted, size_t size)
{
	if (wanted <= *capacity)
		return 0;
	size_t more = *capacity ? *capacity * 2 : 1024;
	while (more < wanted)
		more *= 2;
	void *moved = realloc(*at, more * size);
	if (!moved)
		return ERR_NO_MEMORY;
	*at = moved;
	*capacity = more;
	return 0;
}

static int builder_make_room(struct name_index_builder *builder, size_t name_len)
{
	void *patterns = builder->patterns;
	void *names = builder->names;
	int error = grow(&patterns, &builder->pattern_capacity, builder->pattern_count + 1,
		sizeof *builder->patterns);
	builder->patterns = patterns;
	if (error)
		return error;
	error = grow(&names, &builder->names_capacity, builder->names_len + name_len, 1);
	builder->names = names;
	return error;
}

static uint32_t tag_of_name(const struct name_index_builder *builder, const struct dns_name *name)
{
	uint8_t offsets[DNS_NAME_LABELS_MAX];
	uint64_t hash = builder->root_hash;
	for (size_t i = dns_name_labels(dns_name_slice(name), offsets); i-- > 0;)
		hash = hash_label(hash, name->wire + offsets[i]);
	return tag_of(hash);
}

int name_index_add(struct name_index_builder *builder, unsigned list, const struct dns_name *name,
	enum pattern_kind kind, uint32_t line)
{
	if (builder->names_len > UINT32_MAX - DNS_NAME_MAX)
		return ERR_TOO_LONG;
	int error = builder_make_room(builder, name->len);
	if (error)
		return error;
	builder->patterns[builder->pattern_count++] = (struct name_index_pattern){
		.tag = tag_of_name(builder, name),
		.name_at = (uint32_t)builder->names_len,
		.line = line,
		.list = (uint16_t)list,
		.kind = (uint8_t)kind,
		.name_len = name->len,
	};
	memcpy(builder->names + builder->names_len, name->wire, name->len);
	builder->names_len += name->len;
	return 0;
}

/* Sorts by tag, keeping the order of equal ones; `spare` is as large. The result is in the array
 * that is returned. */
static struct name_index_pattern *sort_by_tag(
	struct name_index_pattern *patterns, struct name_index_pattern *spare, size_t count)
{
	enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };
	size_t starts[DIGITS];
	for (unsigned shift = 0; shift < 32; shift += DIGIT_BITS) {
		memset(starts, 0, sizeof starts);
		for (size_t i = 0; i < count; i++)
			starts[patterns[i].tag >> shift & (DIGITS - 1)]++;
		size_t sum = 0;
		for (size_t i = 0; i < DIGITS; i++) {
			size_t here = starts[i];
			starts[i] = sum;
			sum += here;
		}
		for (size_t i = 0; i < count; i++)
			spare[starts[patterns[i].tag >> shift & (DIGITS - 1)]++] = patterns[i];
		struct name_index_pattern *sorted = spare;
		spare = patterns;
		patterns = sorted;
	}
	return patterns;
}

static int compare_names(const uint8_t *names, const struct name_index_pattern *a,
	const struct name_index_pattern *b)
{
	if (a->name_len != b->name_len)
		return a->name_len < b->name_len ? -1 : 1;
	return memcmp(names + a->name_at, names + b->name_at, a->name_len);
}

/* Two names may have one tag. Within such a run equal names are brought together, in the order in
 * which they were added (an insertion sort: runs are short, or one name in many lists). */
static void sort_runs_by_name(
	struct name_index_pattern *patterns, size_t count, const uint8_t *names)
{
	for (size_t i = 1; i < count; i++) {
		struct name_index_pattern moving = patterns[i];
		size_t to = i;
		while (to > 0 && patterns[to - 1].tag == moving.tag &&
			compare_names(names, &patterns[to - 1], &moving) > 0) {
			patterns[to] = patterns[to - 1];
			to--;
		}
		patterns[to] = moving;
	}
}

static bool same_name(const uint8_t *names, const struct name_index_pattern *a,
	const struct name_index_pattern *b)
{
	return a->tag == b->tag && compare_names(names, a, b) == 0;
}

/* Has the run of one name that begins at `first` this list and kind before `at`? The patterns of
 * one list stand together, and have at most one of each kind. */
static bool is_duplicate(const struct name_index_pattern *first,
	const struct name_index_pattern *end, const struct name_index_pattern *at)
{
	for (const struct name_index_pattern *p = end; p-- > first && p->list == at->list;)
		if (p->kind == at->kind)
			return true;
	return false;
}

/* Moves duplicates behind the `*kept` patterns that stay. Without memory of its own: duplicates are
 * gathered in `spare`. */
static void part_duplicates(struct name_index_pattern *patterns, struct name_index_pattern *spare,
	size_t count, const uint8_t *names, size_t *kept)
{
	size_t to = 0;
	size_t first = 0; /* of the run of one name, among those kept */
	size_t duplicates = 0;
	for (size_t i = 0; i < count; i++) {
		if (to > first && !same_name(names, &patterns[first], &patterns[i]))
			first = to;
		if (is_duplicate(patterns + first, patterns + to, &patterns[i]))
			spare[duplicates++] = patterns[i];
		else
			patterns[to++] = patterns[i];
	}
	memcpy(patterns + to, spare, duplicates * sizeof *spare);
	*kept = to;
}

static int compare_additions(const void *a, const void *b)
{
	const struct name_index_pattern *one = a;
	const struct name_index_pattern *other = b;
	return one->name_at < other->name_at ? -1 : one->name_at > other->name_at;
}

static void tell_duplicates(struct name_index_pattern *patterns, size_t count, const uint8_t *names,
	name_index_duplicate_fn on_duplicate, void *context)
{
	if (!on_duplicate || count == 0)
		return;
	qsort(patterns, count, sizeof *patterns, compare_additions);
	for (size_t i = 0; i < count; i++)
		on_duplicate(context, patterns[i].list, patterns[i].line,
			slice_of(names + patterns[i].name_at, patterns[i].name_len),
			(enum pattern_kind)patterns[i].kind);
}

/* How many names, bytes of entries and slots the sorted patterns need. */
static void measure(struct name_index *index, const struct name_index_pattern *patterns,
	size_t count, const uint8_t *names)
{
	index->entry_count = count;
	index->entries_len = 1 + count * ENTRY_LEN; /* offset 0 says "empty" */
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && same_name(names, &patterns[i - 1], &patterns[i]))
			continue;
		index->name_count++;
		index->entries_len += patterns[i].name_len;
	}
	index->entries_len += DNS_NAME_MAX; /* a comparison may read this far behind a name */
	index->capacity = index->name_count * 100 / LOAD_PERCENT + 1;
	size_t next = 0;
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && same_name(names, &patterns[i - 1], &patterns[i]))
			continue;
		size_t home = home_of(index->capacity, patterns[i].tag);
		next = (home > next ? home : next) + 1;
	}
	index->slot_count = (next > index->capacity ? next : index->capacity) + 1;
}

static void put_entry(uint8_t *to, const struct name_index_pattern *pattern, bool last)
{
	uint16_t what = (uint16_t)(pattern->list | pattern->kind << ENTRY_KIND_SHIFT |
		(last ? ENTRY_LAST : 0));
	memcpy(to, &pattern->line, 4);
	memcpy(to + 4, &what, 2);
}

static void note_depth(struct name_index *index, struct slice name)
{
	uint8_t offsets[DNS_NAME_LABELS_MAX];
	unsigned depth = (unsigned)dns_name_labels(name, offsets);
	index->depths[depth / 64] |= UINT64_C(1) << depth % 64;
	if (depth > index->depth_max)
		index->depth_max = depth;
}

static void fill(struct name_index *index, const struct name_index_pattern *patterns, size_t count,
	const uint8_t *names)
{
	size_t next = 0;
	size_t at = 1;
	for (size_t i = 0; i < count; i++) {
		bool first = i == 0 || !same_name(names, &patterns[i - 1], &patterns[i]);
		bool last = i + 1 == count || !same_name(names, &patterns[i], &patterns[i + 1]);
		if (first) {
			size_t home = home_of(index->capacity, patterns[i].tag);
			next = home > next ? home : next;
			index->slots[next++] = (struct name_index_slot){
				.tag = patterns[i].tag,
				.at = (uint32_t)at,
			};
		}
		put_entry(index->entries + at, &patterns[i], last);
		at += ENTRY_LEN;
		if (last) {
			struct slice name =
				slice_of(names + patterns[i].name_at, patterns[i].name_len);
			memcpy(index->entries + at, name.at, name.len);
			at += name.len;
			note_depth(index, name);
		}
	}
}

static int build_sorted(struct name_index *index, const struct name_index_pattern *patterns,
	size_t count, const uint8_t *names)
{
	measure(index, patterns, count, names);
	if (index->entries_len > UINT32_MAX)
		return ERR_TOO_LONG;
	index->slots = calloc(index->slot_count, sizeof *index->slots);
	index->entries = calloc(index->entries_len, 1);
	if (!index->slots || !index->entries) {
		name_index_deinit(index);
		return ERR_NO_MEMORY;
	}
	fill(index, patterns, count, names);
	return 0;
}

int name_index_build(struct name_index *index, struct name_index_builder *builder,
	name_index_duplicate_fn on_duplicate, void *context)
{
	struct name_index built = { .root_hash = builder->root_hash };
	size_t count = builder->pattern_count;
	size_t kept = 0;
	struct name_index_pattern *spare = malloc(count ? count * sizeof *spare : 1);
	int error = spare ? 0 : ERR_NO_MEMORY;
	if (!error && count > 0) {
		struct name_index_pattern *sorted = sort_by_tag(builder->patterns, spare, count);
		if (sorted == spare) {
			spare = builder->patterns;
			builder->patterns = sorted;
		}
		sort_runs_by_name(sorted, count, builder->names);
		part_duplicates(sorted, spare, count, builder->names, &kept);
		tell_duplicates(sorted + kept, count - kept, builder->names, on_duplicate, context);
	}
	free(spare);
	if (!error)
		error = build_sorted(&built, builder->patterns, kept, builder->names);
	if (!error)
		*index = built;
	name_index_builder_deinit(builder);
	return error;
}

void name_index_deinit(struct name_index *index)
{
	free(index->slots);
	free(index->entries);
	*index = (struct name_index){ 0 };
}

static inline uint16_t entry_what(const uint8_t *entry)
{
	uint16_t what;
	memcpy(&what, entry + 4, 2);
	return what;
}

/* The name behind the entries that begin at `at`. */
static const uint8_t *entry_name(const struct name_index *index, size_t at)
{
	const uint8_t *entry = index->entries + at;
	while (!(entry_what(entry) & ENTRY_LAST))
		entry += ENTRY_LEN;
	return entry + ENTRY_LEN;
}

/* Takes the lists of one name into the set; those that a longer name has put there stay. */
static void take_entries(const struct name_index *index, size_t at, enum pattern_kind wanted,
	struct name_matches *matches)
{
	for (;; at += ENTRY_LEN) {
		uint16_t what = entry_what(index->entries + at);
		unsigned list = what & ENTRY_LIST_MASK;
		if (what >> ENTRY_KIND_SHIFT & wanted && !name_matches_has(matches, list)) {
			matches->lists[list / 64] |= UINT64_C(1) << list % 64;
			matches->entries[list] = (uint32_t)at;
		}
		if (what & ENTRY_LAST)
			return;
	}
}

static void probe(const struct name_index *index, uint32_t tag, struct slice suffix,
	enum pattern_kind wanted, struct name_matches *matches)
{
	const struct name_index_slot *slot = index->slots + home_of(index->capacity, tag);
	/* The last slot of all is empty. */
	for (; slot->at && slot->tag <= tag; slot++) {
		if (slot->tag != tag ||
			memcmp(entry_name(index, slot->at), suffix.at, suffix.len) != 0)
			continue;
		take_entries(index, slot->at, wanted, matches);
		return;
	}
}

static inline bool depth_is_used(const struct name_index *index, size_t depth)
{
	return index->depths[depth / 64] >> depth % 64 & 1;
}

bool name_index_find(
	const struct name_index *index, struct slice name, struct name_matches *matches)
{
	uint8_t offsets[DNS_NAME_LABELS_MAX];
	uint32_t tags[DNS_NAME_LABELS_MAX + 1]; /* by number of labels */
	size_t depth = dns_name_labels(name, offsets);
	size_t deepest = depth < index->depth_max ? depth : index->depth_max;
	uint64_t hash = index->root_hash;
	memset(matches->lists, 0, sizeof matches->lists);
	for (size_t i = 0; i <= deepest; i++) {
		if (i > 0)
			hash = hash_label(hash, name.at + offsets[depth - i]);
		tags[i] = tag_of(hash);
		if (depth_is_used(index, i))
			__builtin_prefetch(index->slots + home_of(index->capacity, tags[i]));
	}
	for (size_t i = deepest + 1; i-- > 0;) {
		if (!depth_is_used(index, i))
			continue;
		size_t at = i > 0 ? offsets[depth - i] : name.len - 1;
		probe(index, tags[i], slice_of(name.at + at, name.len - at),
			i == depth ? PATTERN_EXACT : PATTERN_BELOW, matches);
	}
	for (size_t i = 0; i < NAME_INDEX_LISTS_MAX / 64; i++)
		if (matches->lists[i])
			return true;
	return false;
}

struct name_index_entry name_index_entry(const struct name_index *index, uint32_t entry)
{
	uint16_t what = entry_what(index->entries + entry);
	const uint8_t *name = entry_name(index, entry);
	struct name_index_entry found = {
		.list = what & ENTRY_LIST_MASK,
		.kind = (enum pattern_kind)(what >> ENTRY_KIND_SHIFT & PATTERN_BOTH),
		.name = slice_of(name, dns_name_check(slice_of(name, DNS_NAME_MAX))),
	};
	memcpy(&found.line, index->entries + entry, 4);
	return found;
}

size_t name_index_memory(const struct name_index *index)
{
	return index->slot_count * sizeof *index->slots + index->entries_len;
}
