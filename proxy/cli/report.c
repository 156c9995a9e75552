/* report.c - what each list is worth: its entries beside those of the others, its cost, and what it
 * did in recorded logs. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "proxy/cli/cli.h"
#include "proxy/list_report.h"
#include "proxy/replay/log_source.h"
#include "proxy/snapshot.h"
#include "proxy/watch/json_put.h"

enum {
	NAME_SHOWN = 24, /* columns; longer ones are cut */
	MATRIX_MAX = 24, /* lists; with more, the nearest of each are told */
	NEAREST = 3,
	LINE_MAX_LEN = 8192,
};

struct report_arguments {
	const char *config_file;
	bool json;
	char *const *logs;
	size_t log_count;
};

static int parse_arguments(int argc, char **argv, struct report_arguments *arguments)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { 0 } };
	*arguments = (struct report_arguments){ .config_file = NULL };
	opterr = 0;
	for (int option; (option = getopt_long(argc, argv, "c:", options, NULL)) != -1;) {
		switch (option) {
		case 'c': arguments->config_file = optarg; break;
		case 'j': arguments->json = true; break;
		default: return cli_usage("report does not know \"%s\"", argv[optind - 1]);
		}
	}
	if (!arguments->config_file)
		return cli_usage("report needs -c FILE");
	arguments->logs = argv + optind;
	arguments->log_count = (size_t)(argc - optind);
	return EXIT_FINE;
}

/* ---- text ---- */

static const char *percent(uint64_t part, uint64_t whole, char text[8])
{
	if (part == 0 || whole == 0)
		return ".";
	if (part * 100 < whole)
		return "<1";
	snprintf(text, 8, "%u", (unsigned)((double)part * 100 / (double)whole));
	return text;
}

static void print_heads(const struct list_report *report)
{
	printf("%3s %-*s %10s %10s %4s %9s", "", NAME_SHOWN, "list", "entries", "unique", "%",
		"KiB");
	if (report->lines)
		printf(" %10s %10s %10s %10s", "hits", "blocks", "only", "changes");
	putchar('\n');
}

static void print_rows(const struct list_report *report)
{
	char text[8];
	print_heads(report);
	for (size_t i = 0; i < report->count; i++) {
		const struct list_report_row *row = &report->rows[i];
		printf("%3zu %-*.*s %10" PRIu64 " %10" PRIu64 " %4s %9" PRIu64, i + 1, NAME_SHOWN,
			NAME_SHOWN, row->name, row->value.entries, row->value.unique,
			percent(row->value.unique, row->value.compared, text),
			(row->value.bytes + 1023) / 1024);
		if (report->lines)
			printf(" %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10" PRIu64,
				row->deeds.hits, row->deeds.blocks, row->deeds.only,
				row->deeds.changes);
		putchar('\n');
	}
	printf("%" PRIu64 " names in all, %" PRIu64 " KiB\n", report->names,
		report->image_bytes / 1024);
}

static void print_matrix(const struct list_report *report)
{
	char text[8];
	puts("\nof the entries of each list, percent that are in the list of that number as well:");
	printf("%3s %-*s", "", NAME_SHOWN, "list");
	for (size_t j = 0; j < report->count; j++)
		printf(" %3zu", j + 1);
	putchar('\n');
	for (size_t i = 0; i < report->count; i++) {
		printf("%3zu %-*.*s", i + 1, NAME_SHOWN, NAME_SHOWN, report->rows[i].name);
		for (size_t j = 0; j < report->count; j++)
			printf(" %3s",
				i == j ? "-"
				       : percent(report->overlap[i * report->count + j],
						 report->rows[i].value.compared, text));
		putchar('\n');
	}
}

/* The list that shares most with `list`, of those that share less than `before` does or come behind
 * it; report->count: none. */
static size_t next_nearest(const struct list_report *report, size_t list, size_t before)
{
	const uint64_t *overlap = report->overlap + list * report->count;
	size_t best = report->count;
	for (size_t i = 0; i < report->count; i++) {
		bool is_behind = before == report->count || overlap[i] < overlap[before] ||
			(overlap[i] == overlap[before] && i > before);
		if (i != list && overlap[i] > 0 && is_behind &&
			(best == report->count || overlap[i] > overlap[best]))
			best = i;
	}
	return best;
}

static void print_nearest(const struct list_report *report)
{
	char text[8];
	puts("\nof the entries of each list, percent that are in others as well:");
	for (size_t i = 0; i < report->count; i++) {
		size_t near = report->count;
		printf("%3zu %-*.*s", i + 1, NAME_SHOWN, NAME_SHOWN, report->rows[i].name);
		for (int n = 0; n < NEAREST; n++) {
			near = next_nearest(report, i, near);
			if (near == report->count)
				break;
			printf("  %s %% in %s",
				percent(report->overlap[i * report->count + near],
					report->rows[i].value.compared, text),
				report->rows[near].name);
		}
		putchar('\n');
	}
}

static void print_log(const struct list_report *report, const struct log_source_counts *counts)
{
	printf("\n%" PRIu64 " lines", report->lines);
	if (counts->bad_lines)
		printf(" and %" PRIu64 " that %s none", counts->bad_lines,
			counts->bad_lines == 1 ? "is" : "are");
	printf(", %" PRIu64 " of views: %" PRIu64 " blocked, %" PRIu64 " by lists and %" PRIu64
	       " otherwise; when they were written, %" PRIu64 " were\n",
		report->judged, report->blocked, report->by_lists,
		report->blocked - report->by_lists, report->recorded);
}

static void print_drop(const struct list_report *report, const struct list_report_row *row)
{
	const char *unchanged = ", and without it every line of these logs comes out the same";
	printf("%s: may be dropped: ", row->name);
	if (row->value.unique)
		printf("all but %" PRIu64 " of its entries", row->value.unique);
	else
		printf("all of its entries");
	printf(" are in others, most of them in %s%s\n", report->rows[row->like].name,
		report->judged ? unchanged : "");
}

static void print_advice(const struct list_report *report, const struct list_report_row *row)
{
	switch (row->advice) {
	case LIST_UNUSED: printf("%s: no rule uses it\n", row->name); return;
	case LIST_EMPTY: printf("%s: has no entries\n", row->name); return;
	case LIST_NEVER_HIT:
		printf("%s: never hit in these logs; %" PRIu64
		       " of its entries are in no other list\n",
			row->name, row->value.unique);
		return;
	case LIST_DROP: print_drop(report, row); return;
	case LIST_KEEP: return;
	}
}

static void print_report(const struct list_report *report, const struct log_source_counts *counts)
{
	bool any = false;
	print_rows(report);
	if (report->count > 1 && report->count <= MATRIX_MAX)
		print_matrix(report);
	if (report->count > MATRIX_MAX)
		print_nearest(report);
	if (report->lines)
		print_log(report, counts);
	for (size_t i = 0; i < report->count; i++) {
		if (report->rows[i].advice != LIST_KEEP && !any)
			putchar('\n');
		any |= report->rows[i].advice != LIST_KEEP;
		print_advice(report, &report->rows[i]);
	}
}

/* ---- JSON: an object for each list, and one for all ---- */

static void put_deeds(struct writer *to, const struct list_deeds *deeds)
{
	json_put_number(to, "hits", deeds->hits);
	json_put_number(to, "blocks", deeds->blocks);
	json_put_number(to, "only", deeds->only);
	json_put_number(to, "changes", deeds->changes);
}

static void flush_line(struct writer *to)
{
	fwrite(to->at, 1, to->len, stdout);
	to->len = 0;
}

/* Of the lists that share something. */
static void put_overlap(struct writer *to, const struct list_report *report, size_t list)
{
	const char *between = "";
	json_put_key(to, "overlap");
	writer_u8(to, '[');
	for (size_t i = 0; i < report->count; i++) {
		uint64_t overlap = report->overlap[list * report->count + i];
		if (i == list || overlap == 0)
			continue;
		writer_text(to, between);
		between = ",";
		writer_u8(to, '{');
		json_put_text(to, "list", report->rows[i].name);
		json_put_number(to, "entries", overlap);
		writer_u8(to, '}');
	}
	writer_u8(to, ']');
}

static void tell_list(const struct list_report *report, size_t list)
{
	static char line[LINE_MAX_LEN * 32];
	struct writer to = writer_of(line, sizeof line);
	const struct list_report_row *row = &report->rows[list];
	writer_u8(&to, '{');
	json_put_text(&to, "list", row->name);
	json_put_number(&to, "entries", row->value.entries);
	json_put_number(&to, "compared", row->value.compared);
	json_put_number(&to, "unique", row->value.unique);
	json_put_number(&to, "bytes", row->value.bytes);
	put_overlap(&to, report, list);
	if (report->lines)
		put_deeds(&to, &row->deeds);
	json_put_text(&to, "advice", list_advice_name(row->advice));
	if (row->advice == LIST_DROP)
		json_put_text(&to, "like", report->rows[row->like].name);
	writer_text(&to, "}\n");
	flush_line(&to);
}

static void tell_report(const struct list_report *report, const struct log_source_counts *counts)
{
	char line[LINE_MAX_LEN];
	struct writer to = writer_of(line, sizeof line);
	for (size_t i = 0; i < report->count; i++)
		tell_list(report, i);
	writer_u8(&to, '{');
	json_put_number(&to, "lists", report->count);
	json_put_number(&to, "names", report->names);
	json_put_number(&to, "image_bytes", report->image_bytes);
	if (report->lines) {
		json_put_number(&to, "lines", report->lines);
		json_put_number(&to, "bad_lines", counts->bad_lines);
		json_put_number(&to, "judged", report->judged);
		json_put_number(&to, "blocked", report->blocked);
		json_put_number(&to, "blocked_by_lists", report->by_lists);
		json_put_number(&to, "blocked_then", report->recorded);
	}
	writer_text(&to, "}\n");
	flush_line(&to);
}

/* ---- */

static bool on_line(void *context, const struct log_line *line)
{
	return list_report_add(context, line);
}

static void on_progress(void *context, const struct log_source_counts *counts)
{
	(void)context;
	fprintf(stderr, "\r%" PRIu64 " lines ", counts->lines);
}

static bool read_logs(const struct report_arguments *arguments, struct list_report *report,
	struct log_source_counts *counts)
{
	bool is_seen = isatty(STDERR_FILENO);
	const struct log_sink sink = {
		.on_line = on_line, .on_progress = is_seen ? on_progress : NULL, .context = report
	};
	bool good = log_source_read(arguments->logs, arguments->log_count, &sink, counts);
	if (is_seen)
		fputs("\r\033[K", stderr);
	return good;
}

static int make_report(const struct report_arguments *arguments, const struct snapshot *snapshot)
{
	struct list_report report;
	struct log_source_counts counts = { 0 };
	int error = list_report_init(&report, snapshot->config, snapshot->lists, snapshot->policy);
	if (error) {
		fprintf(stderr, "namegate: %s\n", error_text(error));
		return EXIT_FAILED;
	}
	bool good = arguments->log_count == 0 || read_logs(arguments, &report, &counts);
	if (good) {
		list_report_advise(&report);
		(arguments->json ? tell_report : print_report)(&report, &counts);
	}
	list_report_deinit(&report);
	return good ? EXIT_FINE : EXIT_FAILED;
}

int cli_report(int argc, char **argv)
{
	struct report_arguments arguments;
	struct config_errors errors = { 0 };
	const struct snapshot_parts parts = { .lists.must_load = true, .offline = true };
	int code = parse_arguments(argc, argv, &arguments);
	if (code)
		return code;
	config_errors_to_stderr(&errors);
	struct snapshot *snapshot = snapshot_load(arguments.config_file, &parts, &errors);
	if (!snapshot)
		return EXIT_CONFIG;
	code = make_report(&arguments, snapshot);
	snapshot_unref(snapshot);
	return code;
}
