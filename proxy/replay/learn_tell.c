#include "proxy/replay/learn_tell.h"

#include <inttypes.h>
#include <time.h>

#include "base/utc.h"
#include "proxy/watch/escape.h"

/* A view's name inside of a libconfig string or a comment. */
static void print_name(FILE *to, const char *name)
{
	char text[512];
	struct writer line = writer_of(text, sizeof text);
	escape_json(&line, slice_of_text(name), sizeof text);
	fwrite(line.at, 1, line.len, to);
}

static void print_time(FILE *to, int64_t time_s)
{
	char text[UTC_TEXT_LEN];
	struct writer writer = writer_of(text, sizeof text);
	utc_write(&writer, time_s);
	fwrite(text, 1, writer.len, to);
}

static void print_share(FILE *to, uint64_t part, uint64_t whole)
{
	/* Rounded down: what is not all of it is not "100.0 %". */
	uint64_t tenths = whole ? (uint64_t)((double)part / (double)whole * 1000) : 1000;
	if (part < whole && tenths == 1000)
		tenths = 999;
	fprintf(to, "%" PRIu64 ".%" PRIu64 " %%", tenths / 10, tenths % 10);
}

static void print_left_out(FILE *to, const struct learn_told *told)
{
	const struct learn_list *list = told->list;
	if (told->blocked > 0)
		fprintf(to, "# %" PRIu64 " questions were blocked: nothing was learned of them.\n",
			told->blocked);
	if (list->rare > 0)
		fprintf(to, "# Left out: %" PRIu64 " entries that were needed too seldom.\n",
			list->rare);
	if (list->refused > 0)
		fprintf(to,
			"# Left out: %" PRIu64
			" names that are public suffixes, the root, or asterisks.\n",
			list->refused);
	if (list->without_room > 0)
		fprintf(to, "# Left out: %" PRIu64 " questions and targets: too many names.\n",
			list->without_room);
	if (!told->has_suffixes)
		fputs("# This system has no public suffix list: no domain is allowed as a whole.\n",
			to);
	else if (!told->has_parents)
		fputs("# This system has not the public suffix list's text: a domain that is "
		      "allowed as a whole\n# may have others' names below it.\n",
			to);
}

static void print_head(FILE *to, const struct learn_told *told)
{
	const struct learn_list *list = told->list;
	fputs("# Learned from what the view \"", to);
	print_name(to, told->view);
	fprintf(to, "\" asked: %" PRIu64 " questions", told->lines);
	if (told->first_s) {
		fputs(", ", to);
		print_time(to, told->first_s);
		fputs(" to ", to);
		print_time(to, told->last_s);
	}
	fprintf(to,
		".\n# %zu entries for %" PRIu32 " names; they cover %" PRIu64 " of %" PRIu64
		" questions, ",
		list->count, list->names, list->covered, list->asked);
	print_share(to, list->covered, list->asked);
	fputs(".\n", to);
	print_left_out(to, told);
}

/* The text of a pattern, its backslashes doubled for libconfig. */
static void print_pattern(FILE *to, const struct learn_entry *entry)
{
	char text[DNS_NAME_TEXT_MAX];
	dns_name_text(dns_name_slice(&entry->name), text);
	fputs(entry->is_below ? "*." : "", to);
	for (const char *at = text; *at; at++) {
		if (*at == '\\')
			fputc('\\', to);
		if (*at != '.' || at[1] || at == text) /* no dot at the end */
			fputc(*at, to);
	}
}

static void print_entry(FILE *to, const struct learn_entry *entry, bool is_last)
{
	fputs("\t\t\"", to);
	print_pattern(to, entry);
	fprintf(to, "\"%s # ", is_last ? "" : ",");
	if (entry->asked)
		fprintf(to, "%" PRIu64 " questions", entry->asked);
	if (entry->led_to)
		fprintf(to, "%s%" PRIu64 " answers", entry->asked ? ", " : "", entry->led_to);
	if (entry->is_below)
		fprintf(to, ", %" PRIu32 " names", entry->names);
	fputc('\n', to);
}

static void print_list(FILE *to, const struct learn_told *told)
{
	const struct learn_list *list = told->list;
	fputs("domain_lists = ( {\n\tname = \"learned-", to);
	print_name(to, told->view);
	fputs("\";\n\tdomains = [\n", to);
	for (size_t i = 0; i < list->count; i++) {
		if (i == list->asked_count)
			fputs("\t\t# Nobody asked for these: answers lead to them (CNAME, HTTPS, "
			      "SVCB),\n\t\t# and they are judged too unless the rule has "
			      "redirection = \"TRUST\".\n",
				to);
		print_entry(to, &list->entries[i], i + 1 == list->count);
	}
	fputs("\t];\n} );\n", to);
}

static void print_group(FILE *to, const struct learn_told *told)
{
	fputs("rule_groups = ( {\n\tname = \"learned-", to);
	print_name(to, told->view);
	fputs("\";\n\trules = ( { name = \"learned\"; priority = 100; action = \"ALLOW\"; "
	      "domain_list = \"learned-",
		to);
	print_name(to, told->view);
	fputs("\"; } );\n} );\n# And in the view:\n#\tdefault_action = \"BLOCK\";\n"
	      "#\tassociations = ( { rule_group = \"learned-",
		to);
	print_name(to, told->view);
	fputs("\"; priority = 1000; } );\n", to);
}

void learn_tell(FILE *to, const struct learn_told *told)
{
	print_head(to, told);
	if (told->list->count == 0)
		return;
	print_list(to, told);
	print_group(to, told);
}
