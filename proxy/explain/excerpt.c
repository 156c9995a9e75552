/* excerpt.c - what lists say about the names of one question: from their texts, where these are the
 * ones in force, else from the image. */
#include "proxy/explain/excerpt.h"

#include <stdlib.h>

#include "proxy/lists/list_edition.h"
#include "rules/addresses.h"
#include "rules/chain.h"

/* ---- whom it is about ---- */

static void take_names(struct excerpt *excerpt, const struct dns_answer *answer)
{
	static struct chain chain; /* 21 kB; the command line has one thread */
	excerpt->names[excerpt->name_count++] = excerpt->outcome->lower;
	if (!answer)
		return;
	chain_begin(&chain, excerpt->outcome->facts.name, answer);
	for (unsigned hop; (hop = chain_next(&chain)) != 0;)
		if (excerpt->name_count < EXCERPT_NAMES_MAX)
			excerpt->names[excerpt->name_count++] = chain.names[hop];
}

static bool on_address(void *context, const struct address *address, const struct dns_name *owner)
{
	struct excerpt *excerpt = context;
	(void)owner;
	if (excerpt->address_count == EXCERPT_ADDRESSES_MAX)
		return true;
	excerpt->addresses[excerpt->address_count++] = *address;
	return false;
}

static void take_addresses(struct excerpt *excerpt, const struct dns_answer *answer)
{
	excerpt->addresses =
		arena_take(&excerpt->memory, EXCERPT_ADDRESSES_MAX, sizeof *excerpt->addresses);
	if (answer && excerpt->addresses)
		addresses_each(answer, on_address, excerpt);
}

static bool covers(const struct dns_name *pattern, enum pattern_kind kind, struct slice name)
{
	bool same = dns_name_equals(name, dns_name_slice(pattern));
	return (same && kind & PATTERN_EXACT) ||
		(!same && kind & PATTERN_BELOW && dns_name_is_under(name, dns_name_slice(pattern)));
}

static bool is_about_us(
	const struct excerpt *excerpt, const struct dns_name *name, enum pattern_kind kind)
{
	for (size_t i = 0; i < excerpt->name_count; i++) {
		struct slice ours = dns_name_slice(&excerpt->names[i]);
		if (covers(name, kind, ours) || (name->len == 1 && kind & PATTERN_BELOW))
			return true;
	}
	return false;
}

static bool has_ours(const struct excerpt *excerpt, const struct network *network)
{
	for (size_t i = 0; i < excerpt->address_count; i++)
		if (network_contains(network, &excerpt->addresses[i]))
			return true;
	return false;
}

/* ---- what lists say ---- */

struct reading {
	struct excerpt *excerpt;
	struct excerpt_list *list;
	const struct image *image; /* of what is read from one */
	struct slice text;
	uint32_t line; /* where `rest` begins */
	struct slice rest;
};

static struct excerpt_pattern *add_pattern(struct reading *reading, const struct facet *facet)
{
	struct excerpt_list *list = reading->list;
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? 2 * list->capacity : 8;
		void *at = realloc(list->patterns, capacity * sizeof *list->patterns);
		if (!at) {
			reading->excerpt->failed = true;
			return NULL;
		}
		list->patterns = at;
		list->capacity = capacity;
	}
	struct excerpt_pattern *pattern = &list->patterns[list->count++];
	*pattern = (struct excerpt_pattern){ .facet = *facet };
	if (facet->records.len == 0)
		return pattern;
	uint8_t *records = arena_take(&reading->excerpt->memory, 1, facet->records.len);
	reading->excerpt->failed |= !records;
	if (records)
		memcpy(records, facet->records.at, facet->records.len);
	pattern->facet.records = slice_of(records, records ? facet->records.len : 0);
	return pattern;
}

/* Lines mostly come in order; who goes back begins anew. */
static const char *line_text(struct reading *reading, uint32_t number)
{
	if (number < reading->line) {
		reading->line = 1;
		reading->rest = reading->text;
	}
	for (;;) {
		struct slice rest = reading->rest;
		const uint8_t *end = rest.len ? memchr(rest.at, '\n', rest.len) : NULL;
		size_t len = end ? (size_t)(end - rest.at) : rest.len;
		if (reading->line == number || !end) {
			len -= len && rest.at[len - 1] == '\r';
			char *text = arena_take(&reading->excerpt->memory, 1, len + 1);
			return text && len ? memcpy(text, rest.at, len) : text;
		}
		reading->rest = slice_of(end + 1, rest.len - len - 1);
		reading->line++;
	}
}

static int on_pattern(void *context, const struct list_pattern *from)
{
	struct reading *reading = context;
	if (!is_about_us(reading->excerpt, from->name, from->kind))
		return 0;
	struct excerpt_pattern *pattern = add_pattern(reading, from->facet);
	if (!pattern)
		return 1;
	pattern->name = *from->name;
	pattern->kind = from->kind;
	pattern->line = from->line;
	pattern->text = line_text(reading, from->line);
	return 0;
}

static int on_network(void *context, const struct list_network *from)
{
	struct reading *reading = context;
	if (!has_ours(reading->excerpt, &from->network))
		return 0;
	struct excerpt_pattern *pattern = add_pattern(reading, from->facet);
	if (!pattern)
		return 1;
	pattern->network = from->network;
	pattern->line = from->line;
	pattern->text = line_text(reading, from->line);
	return 0;
}

static bool on_entry(void *context, struct slice name, enum pattern_kind kind, uint16_t facet)
{
	struct reading *reading = context;
	struct dns_name copy = { .len = (uint8_t)name.len };
	memcpy(copy.wire, name.at, name.len);
	if (!is_about_us(reading->excerpt, &copy, kind))
		return true;
	struct excerpt_pattern *pattern = add_pattern(reading, image_facet(reading->image, facet));
	if (!pattern)
		return false;
	pattern->name = copy;
	pattern->kind = kind;
	return true;
}

static bool on_image_network(void *context, const struct network *network, uint16_t facet)
{
	struct reading *reading = context;
	if (!has_ours(reading->excerpt, network))
		return true;
	struct excerpt_pattern *pattern = add_pattern(reading, image_facet(reading->image, facet));
	if (pattern)
		pattern->network = *network;
	return pattern != NULL;
}

static void read_image(struct reading *reading, uint16_t number)
{
	image_each(reading->image, number, on_entry, reading);
	image_each_network(reading->image, number, on_image_network, reading);
}

/* ---- texts ---- */

static const char *copy(
	struct excerpt *excerpt, const char *before, const char *what, const char *after)
{
	size_t size = strlen(before) + strlen(what) + strlen(after) + 1;
	char *text = arena_take(&excerpt->memory, 1, size);
	if (!text)
		return "out of memory";
	strcpy(text, before);
	strcat(text, what);
	return strcat(text, after);
}

/* The text as it stands there now; people look there next. */
static bool open_text(struct excerpt *excerpt, uint16_t number, struct list_edition *edition)
{
	const struct lists_item *item = &excerpt->world->lists->items[number];
	const struct config *config = excerpt->world->config;
	struct excerpt_list *list = &excerpt->lists[number];
	size_t most = config->list_sources[number].max_size;
	*edition = (struct list_edition){ .is_borrowed = true };
	if (item->origin == LIST_IMAGE)
		return false;
	if (!item->path)
		list_edition_take(edition, config->policy.lists[number].inline_text);
	else if (!list_edition_read(edition, item->path, most)) {
		list->missing = copy(excerpt, "", item->path, " cannot be read now");
		return false;
	}
	list->is_current =
		!item->path || memcmp(edition->hash, item->source_hash, sizeof edition->hash) == 0;
	if (list_edition_unpack(edition, most))
		return true;
	list->missing =
		copy(excerpt, "", item->path ? item->path : "inline", " cannot be unpacked");
	return false;
}

static void read_list(struct excerpt *excerpt, uint16_t number)
{
	const struct lists *lists = excerpt->world->lists;
	struct reading reading = { .excerpt = excerpt,
		.list = &excerpt->lists[number],
		.image = lists->file->image,
		.line = 1 };
	const struct list_sink sink = {
		.on_pattern = on_pattern, .on_network = on_network, .context = &reading
	};
	struct list_edition edition;
	if (lists->numbers[number] == POLICY_NO_ID)
		return;
	if (open_text(excerpt, number, &edition)) {
		reading.text = reading.rest = edition.text;
		list_read(lists->items[number].format, edition.text, &sink);
	} else
		read_image(&reading, lists->numbers[number]);
	list_edition_close(&edition);
}

/* Whatever the image knows, exceptions too; also of names and addresses that were not judged,
 * because one before them ended it. */
static void note_matches(
	const struct excerpt *excerpt, const struct image_matches *matches, bool *wanted)
{
	for (size_t i = 0; i < excerpt->list_count; i++) {
		uint16_t number = excerpt->world->lists->numbers[i];
		wanted[i] |= number < IMAGE_LISTS_MAX &&
			(image_matches_have(matches, number) || matches->entries[number].kind);
	}
}

static void find_lists(const struct excerpt *excerpt, bool *wanted)
{
	const struct image *image = excerpt->world->lists->file->image;
	uint16_t type = excerpt->outcome->facts.query_type;
	static struct image_matches matches;
	for (size_t i = 0; i < excerpt->name_count; i++) {
		memset(&matches, 0, sizeof matches);
		image_find(image, dns_name_slice(&excerpt->names[i]), type, &matches);
		note_matches(excerpt, &matches, wanted);
	}
	for (size_t i = 0; i < excerpt->address_count; i++) {
		memset(&matches, 0, sizeof matches);
		image_find_address(image, &excerpt->addresses[i], type, &matches);
		note_matches(excerpt, &matches, wanted);
	}
}

static void read_lists(struct excerpt *excerpt)
{
	bool *wanted = calloc(excerpt->list_count + 1, sizeof *wanted);
	excerpt->failed |= !wanted;
	if (wanted && excerpt->world->lists->file)
		find_lists(excerpt, wanted);
	for (size_t i = 0; wanted && i < excerpt->list_count; i++)
		if (wanted[i])
			read_list(excerpt, (uint16_t)i);
	free(wanted);
}

bool excerpt_open(struct excerpt *excerpt, const struct explain_world *world,
	const struct explain_outcome *outcome)
{
	struct dns_answer answer;
	bool has_answer = outcome->answer.len && dns_answer_open(&answer, outcome->answer) == 0;
	excerpt->world = world;
	excerpt->outcome = outcome;
	excerpt->list_count = world->lists->count;
	excerpt->lists =
		arena_take(&excerpt->memory, excerpt->list_count + 1, sizeof *excerpt->lists);
	take_addresses(excerpt, has_answer ? &answer : NULL);
	if (!excerpt->lists || !excerpt->addresses)
		return false;
	take_names(excerpt, has_answer ? &answer : NULL);
	read_lists(excerpt);
	return !excerpt->failed;
}

void excerpt_close(struct excerpt *excerpt)
{
	for (size_t i = 0; excerpt->lists && i < excerpt->list_count; i++)
		free(excerpt->lists[i].patterns);
	arena_free(&excerpt->memory);
}

uint16_t excerpt_find_list(const struct excerpt *excerpt, const char *name)
{
	for (size_t i = 0; name && i < excerpt->list_count; i++)
		if (strcmp(excerpt->world->lists->items[i].name, name) == 0)
			return (uint16_t)i;
	return POLICY_NO_ID;
}

/* ---- lines ---- */

static bool is_entry(const struct excerpt_pattern *pattern, const struct trace_rule *row,
	const struct dns_name *name)
{
	uint32_t facet = (uint32_t)pattern->facet.effect * GIVEN_COUNT + pattern->facet.given;
	if (facet != row->facet || pattern->line == 0)
		return false;
	if (row->entry_kind == LIST_ENTRY_NETWORK) {
		char text[DNS_NAME_TEXT_MAX + 2];
		const struct list_entry entry = { .kind = LIST_ENTRY_NETWORK,
			.labels = pattern->network.prefix_len };
		struct writer to = writer_of(text, sizeof text);
		policy_entry_write_text(&to, &entry, slice_of(NULL, 0), &pattern->network.address);
		return pattern->name.len == 0 && slice_equals_text(writer_slice(&to), row->entry);
	}
	return pattern->kind & row->entry_kind &&
		dns_name_equals(dns_name_slice(&pattern->name), dns_name_slice(name));
}

static void find_line(const struct excerpt_list *list, struct trace *trace, struct trace_rule *row,
	const char *where)
{
	struct dns_name name = { .len = 0 };
	if (row->entry_name)
		dns_name_from_text(&name, slice_of_text(row->entry_name));
	for (size_t i = 0; i < list->count; i++) {
		const struct excerpt_pattern *pattern = &list->patterns[i];
		if (!is_entry(pattern, row, &name))
			continue;
		row->line = pattern->line;
		row->line_text = trace_text(trace, pattern->text);
		return;
	}
	row->line_missing = list->missing ? trace_text(trace, list->missing)
					  : trace_format(trace, "not in %s any more", where);
}

void excerpt_find_lines(const struct excerpt *excerpt, struct trace *trace)
{
	for (size_t i = 0; i < trace_count(trace, TRACE_RULE); i++) {
		struct trace_rule *row = trace_row(trace, TRACE_RULE, i);
		uint16_t list = row->entry ? excerpt_find_list(excerpt, row->list) : POLICY_NO_ID;
		const struct lists_item *item =
			list == POLICY_NO_ID ? NULL : &excerpt->world->lists->items[list];
		if (item && item->origin != LIST_IMAGE)
			find_line(&excerpt->lists[list], trace, row,
				item->path ? item->path : "inline");
	}
}
