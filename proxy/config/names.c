#include "proxy/config/names.h"

#include <stdlib.h>

enum { NAMES_SHOWN = 8 };

struct names names_new(const char *kind, size_t most, struct arena *memory)
{
	return (struct names){ .kind = kind, .at = arena_take(memory, most, sizeof(struct named)) };
}

void names_add(struct names *names, const char *name, const struct setting *at, size_t index)
{
	if (name && names->at)
		names->at[names->count++] = (struct named){ name, at, index };
}

static int compare_names(const void *a, const void *b)
{
	const struct named *left = a, *right = b;
	int order = strcmp(left->name, right->name);
	if (order)
		return order;
	return (left->index > right->index) - (left->index < right->index);
}

void names_check(struct names *names, struct config_errors *errors)
{
	static const char reserved[] = "builtin:";
	if (names->count)
		qsort(names->at, names->count, sizeof *names->at, compare_names);
	for (size_t i = 0; i < names->count; i++) {
		const struct named *named = &names->at[i];
		if (!named->at)
			continue;
		if (strncmp(named->name, reserved, strlen(reserved)) == 0)
			problem_in(errors, named->at, "names that begin with \"%s\" are reserved",
				reserved);
		if (i == 0 || !named[-1].at || strcmp(named->name, named[-1].name) != 0)
			continue;
		const struct setting *first = named[-1].at;
		struct setting_path path;
		problem_in(errors, named->at, "%s is already the name of another %s: %s in %s",
			QUOTED(named->name), names->kind, setting_path(first, &path),
			LINE_OF(first, named->at));
	}
}

static const struct named *search(const struct names *names, const char *name)
{
	struct named wanted = { .name = name };
	size_t from = 0, to = names->count;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		if (compare_names(&names->at[middle], &wanted) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	bool found = from < names->count && strcmp(names->at[from].name, name) == 0;
	return found ? &names->at[from] : NULL;
}

static void write_names(struct writer *to, const struct names *names)
{
	for (size_t i = 0; i < names->count && i < NAMES_SHOWN; i++) {
		if (i)
			writer_text(to, ", ");
		writer_text(to, QUOTED(names->at[i].name));
	}
	if (names->count > NAMES_SHOWN)
		writer_text(to, ", ...");
}

uint16_t names_find(const struct names *names, const char *name, const struct setting *reference,
	struct config_errors *errors)
{
	const struct named *named = search(names, name);
	if (named)
		return (uint16_t)named->index;
	struct suggestion suggestion = suggestion_for(name);
	for (size_t i = 0; i < names->count; i++)
		suggestion_offer(&suggestion, names->at[i].name);
	struct hint hint;
	char known[1024];
	struct writer to = writer_of(known, sizeof known - 1);
	write_names(&to, names);
	known[to.len] = '\0';
	if (suggestion.best)
		problem_in(errors, reference, "there is no %s %s%s", names->kind, QUOTED(name),
			suggestion_hint(&suggestion, &hint));
	else if (names->count)
		problem_in(errors, reference, "there is no %s %s; there are %s", names->kind,
			QUOTED(name), known);
	else
		problem_in(errors, reference, "there is no %s %s, and none at all", names->kind,
			QUOTED(name));
	return POLICY_NO_ID;
}
