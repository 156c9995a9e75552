/* domain_lists.c - where the names come from: lists that stand in the file, and files. */
#include "proxy/config/resolve.h"

#include "proxy/config/builtin.h"

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
	struct list_sink sink = {
		.on_pattern = on_inline_pattern, .on_reject = on_inline_reject, .context = &check
	};
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

static void resolve_list(
	struct resolve *resolve, const struct draft_domain_list *from, struct domain_list_spec *to)
{
	bool has_file = is_given(from, "file"), has_domains = is_given(from, "domains");
	to->name = from->name;
	to->file = from->file;
	to->format = from->format == DRAFT_NO_WORD ? LIST_DOMAINS : (enum list_format)from->format;
	if (has_file && has_domains)
		problem_with(resolve, from, "file", "a list has domains or a file, not both");
	else if (!has_file && !has_domains && !from->element.broken)
		problem_in(resolve->errors, from->element.at,
			"a list needs domains = [ ... ] or file = \"...\" with its format");
	if (has_file && !is_given(from, "format"))
		problem_with(resolve, from, "file",
			"a file needs its format (domains, hosts, wildcard): plain names look the "
			"same in all, and mean different things");
	if (has_file || !has_domains)
		return;
	to->inline_text = join_domains(resolve, from);
	if (!resolve->no_memory && (!is_given(from, "format") || from->format != DRAFT_NO_WORD))
		check_inline(resolve, from, to);
}

void resolve_lists(struct resolve *resolve)
{
	const struct draft_domain_list *from = resolve->draft->domain_lists.at;
	size_t count = resolve->draft->domain_lists.count;
	struct domain_list_spec *to = resolve_take(resolve, count + 1, sizeof *to);
	resolve->domain_lists = names_new("domain list", count + 1, resolve->scratch);
	resolve->no_memory |= !resolve->domain_lists.at;
	for (size_t i = 0; !resolve->no_memory && i < count; i++) {
		resolve_list(resolve, &from[i], &to[i]);
		names_add(&resolve->domain_lists, from[i].name,
			setting_child_or_self(from[i].element.at, "name"), i);
	}
	names_add(&resolve->domain_lists, builtin_client_health, NULL, count);
	names_check(&resolve->domain_lists, resolve->errors);
	resolve->lists = to;
	resolve->config->policy.lists = to;
	resolve->config->policy.list_count = count;
}
