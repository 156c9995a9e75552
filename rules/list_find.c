/* list_find.c - an image has no line numbers: who wants one has the list read again. */
#include "rules/list.h"

/* How much of what is sought a line says. */
enum likeness { UNLIKE, SAME_NAME, SAME_FACET, SAME };

struct search {
	struct slice name;
	enum pattern_kind kind;
	const struct facet *facet;
	enum likeness likeness; /* of the best line so far */
	uint32_t line;
};

enum { FOUND = 1 }; /* ends the reading */

static bool same_facets(const struct facet *a, const struct facet *b)
{
	return a->effect == b->effect && a->given == b->given && a->rank == b->rank &&
		a->except_types == b->except_types && a->type_count == b->type_count &&
		memcmp(a->types, b->types, a->type_count * sizeof *a->types) == 0 &&
		a->group == b->group && slice_equals(a->records, b->records);
}

static enum likeness compare(const struct search *search, const struct list_pattern *pattern)
{
	if (!(pattern->kind & search->kind) ||
		!slice_equals(dns_name_slice(pattern->name), search->name))
		return UNLIKE;
	if (!same_facets(pattern->facet, search->facet))
		return SAME_NAME;
	return pattern->kind == search->kind ? SAME : SAME_FACET;
}

static int on_pattern(void *context, const struct list_pattern *pattern)
{
	struct search *search = context;
	enum likeness likeness = compare(search, pattern);
	if (likeness > search->likeness) {
		search->likeness = likeness;
		search->line = pattern->line;
	}
	return search->likeness == SAME ? FOUND : 0;
}

static struct slice line_at(struct slice text, uint32_t number)
{
	for (;;) {
		const uint8_t *end = text.len ? memchr(text.at, '\n', text.len) : NULL;
		size_t len = end ? (size_t)(end - text.at) : text.len;
		if (--number == 0 || !end)
			return slice_of(text.at, len);
		text = slice_of(text.at + len + 1, text.len - len - 1);
	}
}

static struct slice without_return(struct slice line)
{
	if (line.len && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

bool list_find_entry(enum list_format format, struct slice text, struct slice name,
	enum pattern_kind kind, const struct facet *facet, struct list_line *found)
{
	struct search search = { .name = name, .kind = kind, .facet = facet };
	const struct list_sink sink = { .on_pattern = on_pattern, .context = &search };
	list_read(format, text, &sink);
	if (search.likeness == UNLIKE)
		return false;
	found->number = search.line;
	found->text = without_return(line_at(text, search.line));
	return true;
}
