#include "proxy/lists/lint_health.h"

#include <stdlib.h>

#include "dns/types.h"

/* One name, and the first line of each entry that covers it: by how many of the name's labels the
 * entry leaves out, and by its kind. */
struct watched {
	const struct builtin_name *about;
	struct dns_name name;
	size_t label_count;
	uint8_t offsets[DNS_NAME_LABELS_MAX + 1]; /* of the labels, and of the root */
	uint32_t lines[DNS_NAME_LABELS_MAX + 1][PATTERN_BOTH + 1];
	struct lint_finding found; /* while they are gathered */
};

struct lint_health {
	size_t count;
	struct watched watched[];
};

static void watch(struct watched *watched, const struct builtin_name *about)
{
	watched->about = about;
	dns_name_from_text(&watched->name, slice_of_text(about->example));
	struct slice name = dns_name_slice(&watched->name);
	watched->label_count = dns_name_labels(name, watched->offsets);
	watched->offsets[watched->label_count] = (uint8_t)(name.len - 1);
}

struct lint_health *lint_health_new(void)
{
	size_t count = builtin_client_health_count;
	struct lint_health *health = calloc(1, sizeof *health + count * sizeof health->watched[0]);
	if (!health)
		return NULL;
	health->count = count;
	for (size_t i = 0; i < count; i++)
		watch(&health->watched[i], &builtin_client_health_names[i]);
	return health;
}

void lint_health_free(struct lint_health *health)
{
	free(health);
}

static struct slice suffix_of(const struct watched *watched, size_t left_out)
{
	size_t offset = watched->offsets[left_out];
	return slice_of(watched->name.wire + offset, watched->name.len - offset);
}

static void see(struct watched *watched, const struct list_pattern *pattern)
{
	struct slice name = dns_name_slice(pattern->name);
	for (size_t i = 0; i <= watched->label_count; i++) {
		struct slice suffix = suffix_of(watched, i);
		if (suffix.len != name.len)
			continue;
		uint32_t *line = &watched->lines[i][pattern->kind];
		if (!*line && slice_equals(suffix, name))
			*line = pattern->line;
		return;
	}
}

void lint_health_see(struct lint_health *health, const struct list_pattern *pattern)
{
	if (pattern->facet->effect != FACET_LISTED)
		return;
	for (size_t i = 0; i < health->count; i++)
		see(&health->watched[i], pattern);
}

/* The entry of the list that counts for the name, for either type that clients ask for. */
static const struct list_entry *find_entry(
	const struct watched *watched, const struct image *image, struct image_matches *matches)
{
	static const uint16_t types[] = { DNS_TYPE_A, DNS_TYPE_AAAA };
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		if (!image_find(image, dns_name_slice(&watched->name), types[i], matches))
			continue;
		const struct list_entry *entry = &matches->entries[0];
		if (image_facet(image, entry->facet)->effect == FACET_LISTED)
			return entry;
	}
	return NULL;
}

/* An entry may have been put together from two lines, one for the name and one for what is below.
 */
static uint32_t line_of(const struct watched *watched, size_t left_out, unsigned kind)
{
	uint32_t first = 0;
	unsigned needed = left_out == 0 ? PATTERN_EXACT : PATTERN_BELOW;
	for (unsigned i = PATTERN_EXACT; i <= PATTERN_BOTH; i++) {
		uint32_t line = watched->lines[left_out][i];
		if (line && (i & kind & needed) && (!first || line < first))
			first = line;
	}
	return first;
}

static bool find(
	const struct watched *watched, const struct image *image, struct lint_finding *finding)
{
	struct image_matches matches = { 0 };
	const struct list_entry *entry = find_entry(watched, image, &matches);
	if (!entry || entry->labels > watched->label_count)
		return false;
	size_t left_out = watched->label_count - entry->labels;
	*finding = (struct lint_finding){
		.kind = LINT_HEALTH,
		.line = line_of(watched, left_out, entry->kind),
		.name = suffix_of(watched, left_out),
		.pattern = entry->kind,
		.health = watched->about,
		.health_count = 1,
	};
	return true;
}

static bool is_same_entry(const struct lint_finding *a, const struct lint_finding *b)
{
	return a->line == b->line && a->pattern == b->pattern && slice_equals(a->name, b->name);
}

/* An entry that covers several names is told once: the one that had it first counts the others. */
static bool has_joined(struct lint_health *health, size_t number)
{
	const struct lint_finding *found = &health->watched[number].found;
	for (size_t i = 0; i < number; i++) {
		struct lint_finding *first = &health->watched[i].found;
		if (first->health_count == 0 || !is_same_entry(first, found))
			continue;
		first->health_count++;
		return true;
	}
	return false;
}

void lint_health_find(struct lint_health *health, const struct image *image,
	void (*on_finding)(void *context, const struct lint_finding *finding), void *context)
{
	for (size_t i = 0; i < health->count; i++) {
		struct lint_finding *found = &health->watched[i].found;
		if (!find(&health->watched[i], image, found) || has_joined(health, i))
			found->health_count = 0;
	}
	for (size_t i = 0; i < health->count; i++)
		if (health->watched[i].found.health_count > 0)
			on_finding(context, &health->watched[i].found);
}
