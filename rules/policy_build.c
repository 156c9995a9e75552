/* policy_build.c - from a specification and an image of its lists to an immutable policy, and what
 * its indices mean. Nothing of the specification is kept; the image is. */
#include "rules/policy_parts.h"

#include "base/error.h"
#include "rules/group_walk.h"
#include "rules/rebinding.h"

#include <stdlib.h>

/* A copy of a text that may be missing; false when out of memory. */
static bool copy_text(struct policy *policy, const char *text, const char **copy)
{
	*copy = text ? arena_text(&policy->memory, text) : NULL;
	return *copy || !text;
}

static bool copy_bytes(struct policy *policy, const void *at, size_t size, const void **copy)
{
	*copy = NULL;
	if (size == 0)
		return true;
	void *taken = arena_take(&policy->memory, 1, size);
	if (!taken)
		return false;
	*copy = memcpy(taken, at, size);
	return true;
}

static bool on_network(void *context, const struct network *network, uint16_t facet)
{
	(void)network;
	(void)facet;
	*(bool *)context = true;
	return false; /* one is enough */
}

static void take_counts(const struct image *image, uint16_t number, struct list_info *to)
{
	const struct image_list *list = image_list(image, number);
	to->format = list->format; /* that of a LIST_AUTO too */
	to->entry_count = list->entry_count;
	to->covered_count = list->covered_count;
	memcpy(to->reject_counts, list->reject_counts, sizeof to->reject_counts);
	if (image_has_networks(image))
		image_each_network(image, number, on_network, &to->has_networks);
}

static int build_list(struct policy *policy, const struct domain_list_spec *from, uint16_t number,
	int error, struct list_info *to)
{
	to->format = from->format;
	to->number = number;
	if (!copy_text(policy, from->name, &to->name) || !copy_text(policy, from->file, &to->file))
		return ERR_NO_MEMORY;
	if (number == POLICY_NO_ID) {
		to->error = error;
		return error ? 0 : ERR_INVALID;
	}
	if (!policy->image || number >= image_list_count(policy->image))
		return ERR_INVALID;
	take_counts(policy->image, number, to);
	return 0;
}

static int build_lists(
	struct policy *policy, const struct policy_spec *spec, const struct policy_lists *lists)
{
	policy->image = lists ? lists->image : NULL;
	policy->list_count = spec->list_count;
	policy->lists = arena_take(&policy->memory, spec->list_count, sizeof *policy->lists);
	int error = policy->lists ? 0 : ERR_NO_MEMORY;
	for (size_t i = 0; i < spec->list_count && !error; i++)
		error = build_list(policy, &spec->lists[i], lists->numbers[i], lists->errors[i],
			&policy->lists[i]);
	return error;
}

static int build_rule(struct policy *policy, uint16_t group, const struct rule_spec *from)
{
	struct rule_info *to = &policy->rules[policy->rule_count];
	const void *domain;
	const void *addresses;
	if (from->list >= policy->list_count || from->schedule > policy->schedule_count)
		return ERR_INVALID;
	if (!copy_text(policy, from->name, &to->name) ||
		!copy_bytes(
			policy, from->override_domain.wire, from->override_domain.len, &domain) ||
		!copy_bytes(policy, from->addresses, from->address_count * sizeof *from->addresses,
			&addresses))
		return ERR_NO_MEMORY;
	to->group = group;
	to->list = from->list;
	to->priority = from->priority;
	to->action = from->action;
	to->block_response = from->block_response;
	to->redirection = from->redirection;
	to->query_type = from->query_type;
	to->schedule = from->schedule;
	to->override_domain = slice_of(domain, from->override_domain.len);
	to->override_ttl_s = from->override_ttl_s;
	to->addresses = addresses;
	to->address_count = from->address_count;
	policy->keys[policy->rule_count++] =
		(struct policy_key){ .list = policy->lists[from->list].number,
			.query_type = from->query_type };
	return 0;
}

/* The order in the specification settles what the priority does not. */
static int compare_rules(const void *a, const void *b)
{
	const struct rule_spec *one = *(const struct rule_spec *const *)a;
	const struct rule_spec *other = *(const struct rule_spec *const *)b;
	if (one->priority != other->priority)
		return one->priority < other->priority ? -1 : 1;
	return one < other ? -1 : one > other;
}

static int index_group(struct policy *policy, struct policy_group *group)
{
	if (group->rule_count < GROUP_WALK_RULES_MIN)
		return 0;
	uint32_t *entries = arena_take(&policy->memory, group->rule_count, sizeof *entries);
	if (!entries)
		return ERR_NO_MEMORY;
	for (uint16_t i = 0; i < group->rule_count; i++) {
		uint16_t rule = (uint16_t)(group->first_rule + i);
		entries[i] = group_walk_entry(policy->keys[rule].list, rule);
	}
	group_walk_sort(entries, group->rule_count);
	group->by_list = entries;
	return 0;
}

static int build_group(struct policy *policy, uint16_t group, const struct rule_group_spec *from,
	const struct rule_spec **sorted)
{
	struct policy_group *to = &policy->groups[group];
	to->first_rule = (uint16_t)policy->rule_count;
	to->rule_count = (uint16_t)from->rule_count;
	if (!copy_text(policy, from->name, &to->name))
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < from->rule_count; i++)
		sorted[i] = &from->rules[i];
	qsort(sorted, from->rule_count, sizeof *sorted, compare_rules);
	int error = 0;
	for (size_t i = 0; i < from->rule_count && !error; i++)
		error = build_rule(policy, group, sorted[i]);
	return error ? error : index_group(policy, to);
}

static int build_groups(struct policy *policy, const struct policy_spec *spec)
{
	size_t rule_count = 0;
	for (size_t i = 0; i < spec->group_count; i++)
		rule_count += spec->groups[i].rule_count;
	if (rule_count > POLICY_RULES_MAX || spec->group_count >= POLICY_NO_ID)
		return ERR_TOO_LONG;
	policy->group_count = spec->group_count;
	policy->groups = arena_take(&policy->memory, spec->group_count, sizeof *policy->groups);
	policy->rules = arena_take(&policy->memory, rule_count, sizeof *policy->rules);
	policy->keys = arena_take(&policy->memory, rule_count, sizeof *policy->keys);
	const struct rule_spec **sorted = malloc((rule_count + 1) * sizeof *sorted);
	int error = policy->groups && policy->rules && policy->keys && sorted ? 0 : ERR_NO_MEMORY;
	for (size_t i = 0; i < spec->group_count && !error; i++)
		error = build_group(policy, (uint16_t)i, &spec->groups[i], sorted);
	free(sorted);
	return error;
}

static int build_exceptions(struct policy *policy, const struct policy_spec *spec)
{
	size_t count = spec->rebinding_exception_count;
	struct slice *names = arena_take(&policy->memory, count, sizeof *names);
	for (size_t i = 0; names && i < count; i++) {
		const struct dns_name *from = &spec->rebinding_exceptions[i];
		uint8_t *wire = arena_take(&policy->memory, 1, from->len);
		if (!wire)
			return ERR_NO_MEMORY;
		dns_name_lower(wire, from->wire, from->len);
		names[i] = slice_of(wire, from->len);
	}
	if (!names)
		return ERR_NO_MEMORY;
	rebinding_sort(names, count);
	policy->rebinding_exceptions = names;
	policy->rebinding_exception_count = count;
	return 0;
}

static int build_all(
	struct policy *policy, const struct policy_spec *spec, const struct policy_lists *lists)
{
	if (spec->list_count > POLICY_LISTS_MAX || spec->view_count > POLICY_VIEWS_MAX)
		return ERR_TOO_LONG;
	if (spec->schedule_count > SCHEDULES_MAX)
		return ERR_TOO_LONG;
	policy->schedule_count = spec->schedule_count;
	int error = build_lists(policy, spec, lists);
	if (!error)
		error = build_groups(policy, spec);
	if (!error)
		error = policy_views_build(policy, spec);
	if (!error)
		error = policy_local_build(policy, spec);
	if (!error)
		error = build_exceptions(policy, spec);
	return error;
}

struct policy *policy_build(
	const struct policy_spec *spec, const struct policy_lists *lists, int *error)
{
	struct policy *policy = calloc(1, sizeof *policy);
	*error = policy ? build_all(policy, spec, lists) : ERR_NO_MEMORY;
	if (!*error)
		return policy;
	policy_free(policy);
	return NULL;
}

void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	policy_classes_deinit(policy);
	arena_free(&policy->memory);
	free(policy);
}

const struct rule_info *policy_rule(const struct policy *policy, uint16_t rule)
{
	return rule < policy->rule_count ? &policy->rules[rule] : NULL;
}

enum action policy_match_action(const struct policy *policy, const struct rule_match *match)
{
	enum action action = policy->rules[match->rule].action;
	if (action != ACTION_GIVEN)
		return action;
	bool passes = image_facet(policy->image, match->entry.facet)->effect == FACET_PASS;
	return passes ? ACTION_ALLOW : ACTION_BLOCK;
}

size_t policy_rule_count(const struct policy *policy)
{
	return policy->rule_count;
}

const char *policy_group_name(const struct policy *policy, uint16_t group)
{
	return group < policy->group_count ? policy->groups[group].name : NULL;
}

const struct list_info *policy_list(const struct policy *policy, uint16_t list)
{
	return list < policy->list_count ? &policy->lists[list] : NULL;
}

size_t policy_list_count(const struct policy *policy)
{
	return policy->list_count;
}

const struct facet *policy_facet(const struct policy *policy, uint16_t facet)
{
	return policy->image ? image_facet(policy->image, facet) : NULL;
}

struct slice policy_entry_name(const struct list_entry *entry, struct slice name)
{
	uint8_t offsets[DNS_NAME_LABELS_MAX];
	size_t count = dns_name_labels(name, offsets);
	size_t at = entry->labels == 0   ? name.len - 1
		: entry->labels <= count ? offsets[count - entry->labels]
					 : 0;
	return slice_of(name.at + at, name.len - at);
}

static void write_network(
	struct writer *to, const struct list_entry *entry, const struct address *address)
{
	bool v4 = address_is_v4(address) && entry->labels >= 96;
	struct address first = { { 0 } };
	for (unsigned bit = 0; bit < entry->labels; bit++)
		first.bytes[bit / 8] |= (uint8_t)(address->bytes[bit / 8] & 0x80u >> bit % 8);
	address_write(to, &first);
	writer_u8(to, '/');
	writer_decimal(to, v4 ? entry->labels - 96u : entry->labels);
}

void policy_entry_write_text(struct writer *to, const struct list_entry *entry, struct slice name,
	const struct address *address)
{
	uint8_t lower[DNS_NAME_MAX];
	if (entry->kind == LIST_ENTRY_NETWORK) {
		write_network(to, entry, address);
		return;
	}
	dns_name_lower(lower, name.at, name.len);
	list_pattern_write_text(to, policy_entry_name(entry, slice_of(lower, name.len)),
		(enum pattern_kind)entry->kind);
}

size_t policy_memory(const struct policy *policy)
{
	return sizeof *policy + policy->memory.reserved + policy_classes_memory(policy);
}
