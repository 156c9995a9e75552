/* Names are sorted by their labels from the right, so that what is below a domain stands together,
 * with the domain itself in front. */
#include "proxy/replay/learn.h"

#include <stdlib.h>

#include "proxy/replay/replay_tally.h"

struct learn {
	const struct suffixes *suffixes;
	const struct suffix_parents *parents;
	struct tally *asked;
	struct tally *led_to;
};

struct known {
	struct dns_name name;
	uint8_t labels;
	uint64_t asked;
	uint64_t led_to;
};

struct planning {
	const struct learn *learn;
	struct known *names;
	size_t name_count;
	uint64_t least;
	struct learn_list *list;
};

struct learn *learn_new(const struct suffixes *suffixes, const struct suffix_parents *parents)
{
	struct learn *learn = malloc(sizeof *learn);
	if (!learn)
		return NULL;
	*learn = (struct learn){ .suffixes = suffixes,
		.parents = parents,
		.asked = tally_new(LEARN_NAMES_MAX),
		.led_to = tally_new(LEARN_NAMES_MAX) };
	if (learn->asked && learn->led_to)
		return learn;
	learn_free(learn);
	return NULL;
}

void learn_free(struct learn *learn)
{
	if (!learn)
		return;
	tally_free(learn->asked);
	tally_free(learn->led_to);
	free(learn);
}

void learn_asked(struct learn *learn, struct slice name)
{
	static const struct tally_place nowhere = { 0 };
	tally_add(learn->asked, name, 1, &nowhere, slice_of(NULL, 0));
}

void learn_led_to(struct learn *learn, struct slice name)
{
	static const struct tally_place nowhere = { 0 };
	tally_add(learn->led_to, name, 1, &nowhere, slice_of(NULL, 0));
}

/* ---- names ---- */

static struct slice suffix_of(
	const struct dns_name *name, const uint8_t *offsets, size_t labels, size_t kept)
{
	size_t at = kept == 0 ? name->len - 1u : offsets[labels - kept];
	return slice_of(name->wire + at, name->len - at);
}

static struct slice last_labels(const struct known *known, size_t kept)
{
	uint8_t offsets[DNS_NAME_LABELS_MAX];
	size_t labels = dns_name_labels(dns_name_slice(&known->name), offsets);
	return suffix_of(&known->name, offsets, labels, kept);
}

static int compare_label(const uint8_t *a, const uint8_t *b)
{
	size_t len = a[0] < b[0] ? a[0] : b[0];
	int order = memcmp(a + 1, b + 1, len);
	return order ? order : a[0] - b[0];
}

static int compare_names(const struct dns_name *a, const struct dns_name *b)
{
	uint8_t left[DNS_NAME_LABELS_MAX], right[DNS_NAME_LABELS_MAX];
	size_t left_count = dns_name_labels(dns_name_slice(a), left);
	size_t right_count = dns_name_labels(dns_name_slice(b), right);
	while (left_count > 0 && right_count > 0) {
		int order =
			compare_label(a->wire + left[--left_count], b->wire + right[--right_count]);
		if (order)
			return order;
	}
	return (left_count > 0) - (right_count > 0);
}

static int compare_known(const void *a, const void *b)
{
	return compare_names(&((const struct known *)a)->name, &((const struct known *)b)->name);
}

static void take(struct planning *planning, const struct tally *tally, bool is_asked)
{
	uint8_t offsets[DNS_NAME_LABELS_MAX];
	for (uint32_t i = 0; i < tally_row_count(tally); i++) {
		struct tally_row row = tally_row(tally, i);
		struct known *to = &planning->names[planning->name_count++];
		*to = (struct known){ .asked = is_asked ? row.count : 0,
			.led_to = is_asked ? 0 : row.count };
		to->name.len = (uint8_t)row.key.len;
		memcpy(to->name.wire, row.key.at, row.key.len);
		to->labels = (uint8_t)dns_name_labels(dns_name_slice(&to->name), offsets);
	}
}

/* A name that was asked for and led to is one name. */
static void join_twins(struct planning *planning)
{
	size_t kept = 0;
	for (size_t i = 0; i < planning->name_count; i++) {
		struct known *known = &planning->names[i];
		struct known *before = kept ? &planning->names[kept - 1] : NULL;
		if (before && compare_known(before, known) == 0) {
			before->asked += known->asked;
			before->led_to += known->led_to;
			continue;
		}
		planning->names[kept++] = *known;
	}
	planning->name_count = kept;
}

/* ---- entries ---- */

static void add_entry(struct planning *planning, struct slice name, bool is_below,
	const struct known *from, size_t count)
{
	struct learn_list *list = planning->list;
	struct learn_entry entry = { .is_below = is_below, .names = (uint32_t)count };
	entry.name.len = (uint8_t)name.len;
	memcpy(entry.name.wire, name.at, name.len);
	for (size_t i = 0; i < count; i++) {
		entry.asked += from[i].asked;
		entry.led_to += from[i].led_to;
	}
	if (entry.asked + entry.led_to < planning->least) {
		list->rare++;
		return;
	}
	list->covered += entry.asked;
	list->entries[list->count++] = entry;
}

static enum suffix_kind kind_of(const struct planning *planning, struct slice name)
{
	const struct suffixes *suffixes = planning->learn->suffixes;
	return suffixes ? suffixes_find(suffixes, name) : SUFFIX_NONE;
}

/* One by one, less those that would mean more than themselves, or nobody's name. */
static void add_names(struct planning *planning, const struct known *from, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const uint8_t *wire = from[i].name.wire;
		enum suffix_kind kind = kind_of(planning, dns_name_slice(&from[i].name));
		if (from[i].name.len == 1 || kind == SUFFIX_ICANN ||
			(wire[0] == 1 && wire[1] == '*'))
			planning->list->refused++;
		else
			add_entry(planning, dns_name_slice(&from[i].name), false, &from[i], 1);
	}
}

/* How many of the names have the same `kept` labels at the end as the first. */
static size_t same_end(const struct known *from, size_t count, size_t kept)
{
	struct slice end = last_labels(from, kept);
	size_t same = 1;
	while (same < count && from[same].labels >= kept &&
		slice_equals(last_labels(&from[same], kept), end))
		same++;
	return same;
}

static bool has_strangers_below(const struct planning *planning, struct slice domain)
{
	const struct suffix_parents *parents = planning->learn->parents;
	return parents && suffix_parents_have(parents, domain);
}

/* All below one domain, whose own name may stand in front; `kept` labels are the domain's. */
static void add_domain(struct planning *planning, const struct known *from, size_t count,
	size_t kept, struct slice domain)
{
	bool has_own = from[0].labels == kept;
	if (count - has_own < 2) {
		add_names(planning, from, count);
		return;
	}
	if (has_own)
		add_names(planning, from, 1);
	add_entry(planning, domain, true, from + has_own, count - has_own);
}

static void plan(struct planning *planning, const struct known *from, size_t count, size_t kept);

/* The names of one domain each, one label longer. */
static void plan_children(
	struct planning *planning, const struct known *from, size_t count, size_t kept)
{
	while (count > 0) {
		size_t same = from[0].labels <= kept ? 1 : same_end(from, count, kept + 1);
		if (from[0].labels <= kept)
			add_names(planning, from, 1);
		else
			plan(planning, from, same, kept + 1);
		from += same;
		count -= same;
	}
}

/* Names that have their last `kept` labels in common. No deeper than a name has labels. */
static void plan(struct planning *planning, const struct known *from, size_t count, size_t kept)
{
	struct slice domain = last_labels(from, kept);
	enum suffix_kind kind = kind_of(planning, domain);
	if (!planning->learn->suffixes || kind == SUFFIX_PRIVATE || count == 1)
		add_names(planning, from, count);
	else if (kind != SUFFIX_NONE || has_strangers_below(planning, domain))
		plan_children(planning, from, count, kept);
	else
		add_domain(planning, from, count, kept, domain);
}

/* What was asked for first. */
static int compare_entries(const void *a, const void *b)
{
	const struct learn_entry *left = a;
	const struct learn_entry *right = b;
	if ((left->asked > 0) != (right->asked > 0))
		return left->asked > 0 ? -1 : 1;
	int order = compare_names(&left->name, &right->name);
	return order ? order : left->is_below - right->is_below;
}

static uint64_t sum_of(const struct tally *tally)
{
	uint64_t sum = tally_others(tally);
	for (uint32_t i = 0; i < tally_row_count(tally); i++)
		sum += tally_row(tally, i).count;
	return sum;
}

bool learn_finish(struct learn *learn, uint64_t least, struct learn_list *list)
{
	size_t most = (size_t)tally_row_count(learn->asked) + tally_row_count(learn->led_to) + 1;
	struct planning planning = { .learn = learn, .least = least, .list = list };
	*list = (struct learn_list){ .asked = sum_of(learn->asked),
		.without_room = tally_others(learn->asked) + tally_others(learn->led_to),
		.entries = malloc(most * sizeof *list->entries) };
	planning.names = malloc(most * sizeof *planning.names);
	bool has_memory = list->entries && planning.names;
	if (has_memory) {
		take(&planning, learn->asked, true);
		take(&planning, learn->led_to, false);
		qsort(planning.names, planning.name_count, sizeof *planning.names, compare_known);
		join_twins(&planning);
		list->names = (uint32_t)planning.name_count;
		if (planning.name_count > 0)
			plan(&planning, planning.names, planning.name_count, 0);
		qsort(list->entries, list->count, sizeof *list->entries, compare_entries);
		while (list->asked_count < list->count &&
			list->entries[list->asked_count].asked > 0)
			list->asked_count++;
	}
	free(planning.names);
	if (!has_memory)
		learn_list_free(list);
	return has_memory;
}

void learn_list_free(struct learn_list *list)
{
	free(list->entries);
	*list = (struct learn_list){ 0 };
}
