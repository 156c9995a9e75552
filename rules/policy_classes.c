/* policy_classes.c - views made ready to be found by what clients show (policy_admit.c). */
#include "rules/policy_parts.h"

#include "base/error.h"

#include <stdlib.h>

/* ---- what one view names ---- */

/* "::/0" and "0.0.0.0/0". */
static const struct network every_client[] = {
	{ .prefix_len = 0 },
	{ .address = { { [10] = 0xff, [11] = 0xff } }, .prefix_len = 96 },
};

size_t view_network_count(const struct view_spec *view)
{
	return view->client_count ? view->client_count : 2;
}

const struct network *view_network(const struct view_spec *view, size_t i)
{
	return view->client_count ? &view->clients[i] : &every_client[i];
}

bool view_names_listener(const struct view_spec *view, size_t listener)
{
	for (size_t i = 0; i < view->listener_count; i++)
		if (view->listeners[i] == listener)
			return true;
	return false;
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t one = *(const uint32_t *)a;
	uint32_t other = *(const uint32_t *)b;
	return one < other ? -1 : one > other;
}

static size_t sort_numbers(uint32_t *numbers, size_t count)
{
	size_t kept = 0;
	qsort(numbers, count, sizeof *numbers, compare_numbers);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || numbers[kept - 1] != numbers[i])
			numbers[kept++] = numbers[i];
	return kept;
}

bool view_words(const struct claim_keys *keys, const struct policy_spec *spec,
	const struct view_spec *view, struct arena *memory, struct claim_words words[CLAIM_NETWORK])
{
	for (enum claim_kind kind = 0; kind < CLAIM_NETWORK; kind++) {
		size_t count = claim_keys_view_count(view, kind);
		uint32_t *numbers = arena_take(memory, count, sizeof *numbers);
		if (!numbers)
			return false;
		for (size_t i = 0; i < count; i++)
			numbers[i] = claim_keys_view_key(keys, spec, view, kind, i);
		words[kind] = (struct claim_words){ numbers, sort_numbers(numbers, count) };
	}
	return true;
}

/* ---- views that name the same ---- */

struct member {
	struct claim_words words[CLAIM_NETWORK];
	uint16_t view;
};

static int compare_words(const struct claim_words *a, const struct claim_words *b)
{
	if (a->count != b->count)
		return a->count < b->count ? -1 : 1;
	for (size_t i = 0; i < a->count; i++)
		if (a->keys[i] != b->keys[i])
			return a->keys[i] < b->keys[i] ? -1 : 1;
	return 0;
}

/* Views without any words come first. */
static int compare_named(const struct member *a, const struct member *b)
{
	int order = 0;
	for (enum claim_kind kind = 0; kind < CLAIM_NETWORK && order == 0; kind++)
		order = compare_words(&a->words[kind], &b->words[kind]);
	return order;
}

static int compare_members(const void *a, const void *b)
{
	const struct member *one = a;
	const struct member *other = b;
	int order = compare_named(one, other);
	return order ? order : one->view - other->view;
}

/* ---- networks of a class ---- */

struct members {
	const struct policy_spec *spec;
	const struct member *first;
	size_t count;
	struct net_set_entry *entries; /* room for all networks of all views */
};

/* The networks of all views of the class that hold on a listener; returns how many. */
static size_t collect_networks(const struct members *members, size_t listener)
{
	size_t count = 0;
	for (size_t i = 0; i < members->count; i++) {
		const struct view_spec *view = &members->spec->views[members->first[i].view];
		bool named = view_names_listener(view, listener);
		if (!named && view->listener_count > 0)
			continue;
		for (size_t n = 0; n < view_network_count(view); n++)
			members->entries[count++] = (struct net_set_entry){
				.network = *view_network(view, n),
				.value = members->first[i].view,
				.rank = named,
			};
	}
	return count;
}

static bool listeners_matter(const struct members *members)
{
	for (size_t i = 0; i < members->count; i++)
		if (members->spec->views[members->first[i].view].listener_count > 0)
			return true;
	return false;
}

static int build_sets(struct view_class *class, const struct members *members, struct arena *memory)
{
	size_t count = listeners_matter(members) ? members->spec->listener_count : 1;
	class->sets = arena_take(memory, count, sizeof *class->sets);
	int error = class->sets ? 0 : ERR_NO_MEMORY;
	for (size_t i = 0; i < count && !error; i++) {
		error = net_set_build(
			&class->sets[i], members->entries, collect_networks(members, i));
		class->set_count += !error;
	}
	return error;
}

/* ---- all classes ---- */

static size_t count_networks(const struct policy_spec *spec)
{
	size_t count = 0;
	for (size_t i = 0; i < spec->view_count; i++)
		count += view_network_count(&spec->views[i]);
	return count;
}

static struct view_class *add_class(struct admission_index *index, const struct member *member)
{
	struct view_class *class = &index->classes[index->class_count++];
	if (member)
		memcpy(class->words, member->words, sizeof class->words);
	return class;
}

static bool has_words(const struct member *member)
{
	for (enum claim_kind kind = 0; kind < CLAIM_NETWORK; kind++)
		if (member->words[kind].count > 0)
			return true;
	return false;
}

/* `sorted` is all views; the class of those without words is there in any case. */
static int build_classes(struct admission_index *index, const struct policy_spec *spec,
	const struct member *sorted, struct net_set_entry *entries, struct arena *memory)
{
	struct members members = { .spec = spec, .first = sorted, .entries = entries };
	const struct member *end = sorted + spec->view_count;
	const struct member *next = sorted;
	int error = 0;
	index->classes = arena_take(memory, spec->view_count + 1, sizeof *index->classes);
	if (!index->classes)
		return ERR_NO_MEMORY;
	while (next < end && !has_words(next))
		next++;
	members.count = (size_t)(next - sorted);
	error = build_sets(add_class(index, NULL), &members, memory);
	while (next < end && !error) {
		members.first = next;
		while (next < end && compare_named(members.first, next) == 0)
			next++;
		members.count = (size_t)(next - members.first);
		error = build_sets(add_class(index, members.first), &members, memory);
	}
	return error;
}

/* ---- where a class is looked for ---- */

static void count_classes(struct admission_index *index)
{
	for (size_t i = 0; i < index->class_count; i++)
		for (enum claim_kind kind = 0; kind < CLAIM_NETWORK; kind++)
			for (size_t n = 0; n < index->classes[i].words[kind].count; n++)
				index->keys.keys[index->classes[i].words[kind].keys[n]]
					.class_count++;
}

static uint32_t crowd_of(const struct claim_keys *keys, const struct claim_words *words)
{
	uint32_t most = 0;
	for (size_t i = 0; i < words->count; i++) {
		uint32_t count = keys->keys[words->keys[i]].class_count;
		most = count > most ? count : most;
	}
	return most;
}

/* The kind whose words the fewest classes share: a certificate that everybody has tells less than a
 * token. */
static const struct claim_words *quietest(
	const struct claim_keys *keys, const struct view_class *class)
{
	const struct claim_words *best = NULL;
	uint32_t best_crowd = 0;
	for (enum claim_kind kind = 0; kind < CLAIM_NETWORK; kind++) {
		uint32_t crowd = crowd_of(keys, &class->words[kind]);
		if (class->words[kind].count == 0 || (best && crowd >= best_crowd))
			continue;
		best = &class->words[kind];
		best_crowd = crowd;
	}
	return best;
}

static int place_classes(struct admission_index *index, struct arena *memory)
{
	struct claim_key *keys = index->keys.keys;
	const struct claim_words **chosen = malloc(index->class_count * sizeof *chosen);
	uint32_t total = 0;
	if (!chosen)
		return ERR_NO_MEMORY;
	count_classes(index);
	for (size_t i = 1; i < index->class_count; i++)
		chosen[i] = quietest(&index->keys, &index->classes[i]);
	for (size_t i = 0; i < index->keys.count; i++)
		keys[i].class_count = 0;
	for (size_t i = 1; i < index->class_count; i++)
		for (size_t n = 0; n < chosen[i]->count; n++)
			keys[chosen[i]->keys[n]].class_count++;
	for (size_t i = 0; i < index->keys.count; i++) {
		keys[i].first_class = total;
		total += keys[i].class_count;
		keys[i].class_count = 0;
	}
	index->places = arena_take(memory, total, sizeof *index->places);
	for (uint32_t i = 1; index->places && i < index->class_count; i++)
		for (size_t n = 0; n < chosen[i]->count; n++) {
			struct claim_key *key = &keys[chosen[i]->keys[n]];
			index->places[key->first_class + key->class_count++] = i;
		}
	free(chosen);
	return index->places ? 0 : ERR_NO_MEMORY;
}

/* ---- the whole ---- */

static int note_clients(
	struct admission_index *index, const struct policy_spec *spec, struct arena *memory)
{
	index->clients = arena_take(memory, spec->view_count, sizeof *index->clients);
	if (!index->clients)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < spec->view_count; i++) {
		const struct view_spec *view = &spec->views[i];
		size_t count = view_network_count(view);
		struct network *networks = arena_take(memory, count, sizeof *networks);
		if (!networks)
			return ERR_NO_MEMORY;
		memcpy(networks, view_network(view, 0), count * sizeof *networks);
		index->clients[i] =
			(struct view_clients){ networks, count, view->listener_count > 0 };
	}
	return 0;
}

static int sort_members(struct policy *policy, const struct policy_spec *spec, struct member *to)
{
	for (size_t i = 0; i < spec->view_count; i++) {
		to[i].view = (uint16_t)i;
		if (!view_words(&policy->admission.keys, spec, &spec->views[i], &policy->memory,
			    to[i].words))
			return ERR_NO_MEMORY;
	}
	qsort(to, spec->view_count, sizeof *to, compare_members);
	return 0;
}

int policy_classes_build(struct policy *policy, const struct policy_spec *spec)
{
	struct admission_index *index = &policy->admission;
	struct member *members = malloc((spec->view_count + 1) * sizeof *members);
	struct net_set_entry *entries = malloc((count_networks(spec) + 1) * sizeof *entries);
	int error = members && entries ? 0 : ERR_NO_MEMORY;
	index->listener_count = spec->listener_count;
	if (!error)
		error = claim_keys_build(&index->keys, spec, &policy->memory);
	if (!error)
		error = sort_members(policy, spec, members);
	if (!error)
		error = build_classes(index, spec, members, entries, &policy->memory);
	if (!error)
		error = place_classes(index, &policy->memory);
	if (!error)
		error = note_clients(index, spec, &policy->memory);
	free(members);
	free(entries);
	return error;
}

void policy_classes_deinit(struct policy *policy)
{
	for (size_t i = 0; i < policy->admission.class_count; i++)
		for (size_t n = 0; n < policy->admission.classes[i].set_count; n++)
			net_set_deinit(&policy->admission.classes[i].sets[n]);
}

size_t policy_classes_memory(const struct policy *policy)
{
	size_t sum = 0;
	for (size_t i = 0; i < policy->admission.class_count; i++)
		for (size_t n = 0; n < policy->admission.classes[i].set_count; n++)
			sum += net_set_memory(&policy->admission.classes[i].sets[n]);
	return sum;
}
