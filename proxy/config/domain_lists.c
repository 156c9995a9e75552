/* domain_lists.c - where the names come from: lists that stand in the file, files, and sources that
 * are fetched, with what guards them. */
#include "proxy/config/resolve.h"

#include "proxy/config/builtin.h"
#include "proxy/config/url.h"
#include "rules/rebinding.h"

/* Who listens while inline domains are read by their format. */
struct inline_check {
	struct resolve *resolve;
	const struct draft_name *domains;
	const char *format;
	size_t count;
	uint32_t heard_line; /* the last line that was something */
};

static void tell_silent(struct inline_check *check, uint32_t until_line)
{
	while (++check->heard_line < until_line)
		problem_in(check->resolve->errors, check->domains[check->heard_line - 1].at,
			"%s holds no domain", QUOTED(check->domains[check->heard_line - 1].text));
}

static void on_inline_line(struct inline_check *check, uint32_t line)
{
	if (line == check->heard_line)
		return;
	tell_silent(check, line);
}

static int on_inline_pattern(void *context, const struct list_pattern *pattern)
{
	on_inline_line(context, pattern->line);
	return 0;
}

static int on_inline_network(void *context, const struct list_network *network)
{
	on_inline_line(context, network->line);
	return 0;
}

static void on_inline_reject(
	void *context, uint32_t line, enum list_reject reject, struct slice text)
{
	struct inline_check *check = context;
	on_inline_line(check, line);
	if (reject != LIST_REJECT_DUPLICATE)
		problem_in(check->resolve->errors, check->domains[line - 1].at, "%s: %s",
			word_quote(&(struct quoted_word){ .text = "" }, (const char *)text.at,
				text.len),
			list_reject_text(reject));
}

/* A mistake in a configuration is an error, as opposed to one in a list that somebody else keeps:
 * read once here, to tell it with its line. */
static void check_inline(struct resolve *resolve, const struct draft_domain_list *from,
	const struct domain_list_spec *to)
{
	struct inline_check check = {
		.resolve = resolve,
		.domains = from->domains.at,
		.count = from->domains.count,
	};
	struct list_sink sink = { .on_pattern = on_inline_pattern,
		.on_network = on_inline_network,
		.on_reject = on_inline_reject,
		.context = &check };
	list_read(to->format, to->inline_text, &sink);
	tell_silent(&check, (uint32_t)check.count + 1);
}

/* One domain a line. Line breaks within one would shift what is told about the others. */
static struct slice join_domains(struct resolve *resolve, const struct draft_domain_list *from)
{
	const struct draft_name *domains = from->domains.at;
	size_t len = 0;
	for (size_t i = 0; i < from->domains.count; i++)
		len += strlen(domains[i].text) + 1;
	char *text = resolve_take(resolve, len + 1, 1);
	struct writer to = writer_of(text, text ? len : 0);
	for (size_t i = 0; text && i < from->domains.count; i++) {
		size_t at = to.len;
		writer_text(&to, domains[i].text);
		for (; at < to.len; at++)
			if (text[at] == '\n')
				text[at] = ' ';
		writer_u8(&to, '\n');
	}
	return writer_slice(&to);
}

/* One of domains, file and source; NULL when there is none. */
static const char *check_origin(struct resolve *resolve, const struct draft_domain_list *from)
{
	static const char *const keys[] = { "domains", "file", "source" };
	const char *first = NULL;
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		if (!is_given(from, keys[i]))
			continue;
		if (first)
			problem_with(resolve, from, keys[i],
				"a list has domains, file or source, but only one of them: %s is "
				"given, too",
				first);
		first = first ? first : keys[i];
	}
	if (!first && !from->element.broken)
		problem_in(resolve->errors, from->element.at,
			"a list needs domains = [ ... ], file = \"...\" or source = "
			"\"https://...\"");
	return first;
}

/* Keys that only some lists have. */
static void check_list_keys(
	struct resolve *resolve, const struct draft_domain_list *from, const char *origin)
{
	static const struct {
		const char *key;
		bool is_of_source;
	} keys[] = {
		{ "refresh", true },
		{ "timeout", true },
		{ "allow_private_addresses", true },
		{ "tls_ca", true },
		{ "minisign_key", false },
		{ "sha256", false },
		{ "max_size", false },
		{ "min_entries", false },
		{ "max_shrink", false },
		{ "max_growth", false },
		{ "max_rejected", false },
		{ "must_contain", false },
		{ "must_not_contain", false },
	};
	bool has_source = is_given(from, "source"), has_file = is_given(from, "file");
	for (size_t i = 0; origin && i < sizeof keys / sizeof keys[0]; i++) {
		bool has_it = has_source || (has_file && !keys[i].is_of_source);
		if (!has_it && is_given(from, keys[i].key))
			problem_with(resolve, from, keys[i].key, "only a list with %s has %s",
				keys[i].is_of_source ? "a source" : "a file or a source",
				keys[i].key);
	}
}

/* Not said when the directory is given but wrong: one error is enough. */
static void check_place_for_editions(struct resolve *resolve, const struct draft_domain_list *from)
{
	const struct draft *draft = resolve->draft;
	const struct setting *directory = setting_child(draft->element.at, "state_directory");
	bool is_wrong = directory && directory->kind != SETTING_TEXT;
	if (!is_wrong && !*draft->state_directory && !draft->lists_image)
		problem_with(resolve, from, "source",
			"a list with a source needs state_directory = \"...\", where its last "
			"good edition is kept");
}

static void check_source_address(struct resolve *resolve, const struct draft_domain_list *from)
{
	struct url url;
	struct domain_fault fault;
	char text[ADDRESS_TEXT_MAX];
	bool is_literal = !url_parse(&url, from->source, &fault) && !*url.host;
	if (!is_literal || from->allow_private_addresses || !rebinding_is_private(&url.address))
		return;
	address_text(&url.address, text);
	problem_with(resolve, from, "source",
		"%s is a private address: set allow_private_addresses = true if that is meant",
		text);
}

/* Canaries that contradict each other let no edition through. */
static void check_canaries(struct resolve *resolve, const struct draft_domain_list *from)
{
	const struct draft_domain *in = from->must_contain.at, *out = from->must_not_contain.at;
	for (size_t i = 0; i < from->must_not_contain.count; i++)
		for (size_t j = 0; j < from->must_contain.count; j++)
			if (slice_equals(dns_name_slice(&out[i].name), dns_name_slice(&in[j].name)))
				problem_in(resolve->errors, out[i].at,
					"%s is in must_contain, too: no list can satisfy both",
					QUOTED(out[i].at->text));
}

static const struct dns_name *copy_names(
	struct resolve *resolve, const struct draft_list *from, size_t *count)
{
	const struct draft_domain *domains = from->at;
	struct dns_name *names = resolve_take(resolve, from->count, sizeof *names);
	for (size_t i = 0; names && i < from->count; i++)
		names[i] = domains[i].name;
	*count = names ? from->count : 0;
	return names;
}

/* Somebody else's list is guarded by itself; a file is the operator's own. */
enum { SOURCE_MAX_SHRINK = 50, SOURCE_MAX_GROWTH = 1000 };

static void resolve_guards(
	struct resolve *resolve, const struct draft_domain_list *from, struct list_guards *to)
{
	bool has_source = from->source != NULL;
	*to = (struct list_guards){
		.min_entries = from->min_entries,
		.max_shrink_percent = from->max_shrink,
		.max_growth_percent = from->max_growth,
		.max_rejected_percent = from->max_rejected,
		.sha256 = from->sha256,
		.minisign_key = from->minisign_key,
	};
	if (has_source && !from->max_shrink)
		to->max_shrink_percent = SOURCE_MAX_SHRINK;
	if (has_source && !from->max_growth)
		to->max_growth_percent = SOURCE_MAX_GROWTH;
	to->must_contain = copy_names(resolve, &from->must_contain, &to->must_contain_count);
	to->must_not_contain =
		copy_names(resolve, &from->must_not_contain, &to->must_not_contain_count);
	check_canaries(resolve, from);
}

static void resolve_source(
	struct resolve *resolve, const struct draft_domain_list *from, struct list_source *to)
{
	to->max_size = from->max_size;
	resolve_guards(resolve, from, &to->guards);
	if (!from->source)
		return;
	to->url = from->source;
	to->refresh_s = from->refresh_s;
	to->timeout_ms = from->timeout_ms;
	to->allow_private = from->allow_private_addresses;
	to->tls_ca = from->tls_ca;
	check_place_for_editions(resolve, from);
	check_source_address(resolve, from);
}

static void resolve_list(struct resolve *resolve, const struct draft_domain_list *from,
	struct domain_list_spec *to, struct list_source *source)
{
	const char *origin = check_origin(resolve, from);
	bool is_inline = origin && strcmp(origin, "domains") == 0;
	bool is_named = from->format != DRAFT_NO_WORD;
	to->name = from->name;
	to->format = is_named ? (enum list_format)from->format : LIST_AUTO;
	source->line = from->element.at->line;
	check_list_keys(resolve, from, origin);
	if (!is_inline) {
		to->file = from->file;
		resolve_source(resolve, from, source);
		return;
	}
	if (!is_named)
		to->format = LIST_DOMAINS;
	to->inline_text = join_domains(resolve, from);
	if (!resolve->no_memory && (!is_given(from, "format") || is_named))
		check_inline(resolve, from, to);
}

void resolve_lists(struct resolve *resolve)
{
	const struct draft_domain_list *from = resolve->draft->domain_lists.at;
	size_t count = resolve->draft->domain_lists.count;
	struct domain_list_spec *to = resolve_take(resolve, count + 1, sizeof *to);
	struct list_source *sources = resolve_take(resolve, count + 1, sizeof *sources);
	resolve->domain_lists = names_new("domain list", count + 1, resolve->scratch);
	resolve->no_memory |= !resolve->domain_lists.at;
	for (size_t i = 0; !resolve->no_memory && i < count; i++) {
		resolve_list(resolve, &from[i], &to[i], &sources[i]);
		names_add(&resolve->domain_lists, from[i].name,
			setting_child_or_self(from[i].element.at, "name"), i);
	}
	names_add(&resolve->domain_lists, builtin_client_health, NULL, count);
	names_check(&resolve->domain_lists, resolve->errors);
	resolve->lists = to;
	resolve->config->policy.lists = to;
	resolve->config->policy.list_count = count;
	resolve->config->list_sources = sources; /* what is built in has none: zeros */
	resolve->config->list_rebuild_interval_ms = resolve->draft->list_rebuild_interval_ms;
	resolve->config->lists_image = resolve->draft->lists_image;
}
