/* policy_build.c - from a specification and the bytes of its lists to an immutable policy, and what
 * its indices mean. Everything is copied; nothing of the specification is kept. */
#include "rules/policy_parts.h"

#include "base/error.h"
#include "rules/rebinding.h"

#include <stdlib.h>

struct building {
	struct policy *policy;
	const struct policy_build_events *events;
	struct name_index_builder builder;
	uint16_t list; /* now being read */
};

static void tell_reject(struct building *building, uint16_t list, uint32_t line,
	enum list_reject reject, struct slice text)
{
	const struct policy_build_events *events = building->events;
	building->policy->lists[list].reject_counts[reject]++;
	if (events && events->on_reject)
		events->on_reject(events->context, list, line, reject, text);
}

static void on_reject(void *context, uint32_t line, enum list_reject reject, struct slice text)
{
	struct building *building = context;
	tell_reject(building, building->list, line, reject, text);
}

static int on_pattern(void *context, const struct list_pattern *pattern)
{
	struct building *building = context;
	building->policy->lists[building->list].pattern_count++;
	return name_index_add(
		&building->builder, building->list, pattern->name, pattern->kind, pattern->line);
}

static void on_duplicate(
	void *context, unsigned list, uint32_t line, struct slice name, enum pattern_kind kind)
{
	struct building *building = context;
	char text[DNS_NAME_TEXT_MAX + 2];
	struct writer to = writer_of(text, sizeof text);
	list_pattern_write_text(&to, name, kind);
	building->policy->lists[list].pattern_count--;
	tell_reject(building, (uint16_t)list, line, LIST_REJECT_DUPLICATE, writer_slice(&to));
}

static int read_lists(struct building *building, const struct list_text *texts)
{
	struct policy *policy = building->policy;
	struct list_sink sink = {
		.on_pattern = on_pattern, .on_reject = on_reject, .context = building
	};
	for (size_t i = 0; i < policy->list_count; i++) {
		building->list = (uint16_t)i;
		policy->lists[i].error = texts[i].error;
		if (texts[i].error)
			continue;
		int error = list_read(policy->lists[i].format, texts[i].text, &sink);
		if (error)
			return error;
	}
	return name_index_build(&policy->index, &building->builder, on_duplicate, building);
}

static int build_index(struct policy *policy, const struct list_text *texts, uint64_t salt,
	const struct policy_build_events *events)
{
	struct building building = { .policy = policy, .events = events };
	name_index_builder_init(&building.builder, salt);
	int error = read_lists(&building, texts);
	name_index_builder_deinit(&building.builder);
	return error;
}

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

static int build_lists(struct policy *policy, const struct policy_spec *spec)
{
	policy->list_count = spec->list_count;
	policy->lists = arena_take(&policy->memory, spec->list_count, sizeof *policy->lists);
	if (!policy->lists)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < spec->list_count; i++) {
		const struct domain_list_spec *from = &spec->lists[i];
		struct list_info *to = &policy->lists[i];
		to->format = from->format;
		if (!copy_text(policy, from->name, &to->name) ||
			!copy_text(policy, from->file, &to->file))
			return ERR_NO_MEMORY;
	}
	return 0;
}

static int build_rule(struct policy *policy, uint16_t group, const struct rule_spec *from)
{
	struct rule_info *to = &policy->rules[policy->rule_count];
	const void *domain;
	const void *addresses;
	if (from->list >= policy->list_count)
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
	to->override_domain = slice_of(domain, from->override_domain.len);
	to->override_ttl_s = from->override_ttl_s;
	to->addresses = addresses;
	to->address_count = from->address_count;
	policy->keys[policy->rule_count++] =
		(struct policy_key){ .list = from->list, .query_type = from->query_type };
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
	return error;
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

static int build_all(struct policy *policy, const struct policy_spec *spec,
	const struct list_text *texts, uint64_t salt, const struct policy_build_events *events)
{
	if (spec->list_count > POLICY_LISTS_MAX || spec->view_count > POLICY_VIEWS_MAX)
		return ERR_TOO_LONG;
	int error = build_lists(policy, spec);
	if (!error)
		error = build_groups(policy, spec);
	if (!error)
		error = build_index(policy, texts, salt, events);
	if (!error)
		error = policy_views_build(policy, spec);
	if (!error)
		error = policy_local_build(policy, spec);
	if (!error)
		error = build_exceptions(policy, spec);
	return error;
}

struct policy *policy_build(const struct policy_spec *spec, const struct list_text *texts,
	uint64_t salt, const struct policy_build_events *events, int *error)
{
	struct policy *policy = calloc(1, sizeof *policy);
	*error = policy ? build_all(policy, spec, texts, salt, events) : ERR_NO_MEMORY;
	if (!*error)
		return policy;
	policy_free(policy);
	return NULL;
}

void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	for (size_t i = 0; i < policy->listener_count; i++)
		net_set_deinit(&policy->listeners[i]);
	name_index_deinit(&policy->index);
	arena_free(&policy->memory);
	free(policy);
}

const struct rule_info *policy_rule(const struct policy *policy, uint16_t rule)
{
	return rule < policy->rule_count ? &policy->rules[rule] : NULL;
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

struct entry_info policy_entry(const struct policy *policy, uint32_t entry)
{
	struct name_index_entry found = name_index_entry(&policy->index, entry);
	return (struct entry_info){ .name = found.name, .kind = found.kind, .line = found.line };
}

void policy_entry_write_text(struct writer *to, const struct policy *policy, uint32_t entry)
{
	struct name_index_entry found = name_index_entry(&policy->index, entry);
	list_pattern_write_text(to, found.name, found.kind);
}

size_t policy_memory(const struct policy *policy)
{
	size_t sum = sizeof *policy + policy->memory.reserved + name_index_memory(&policy->index);
	for (size_t i = 0; i < policy->listener_count; i++)
		sum += net_set_memory(&policy->listeners[i]);
	return sum;
}
