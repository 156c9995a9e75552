/* lint.c - tells everything that is odd about a list, as compilers do: FILE:LINE: KIND: TEXT. About
 * a configuration: lint_policy.c. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/number.h"
#include "proxy/cli/cli.h"
#include "proxy/lists/list_file.h"
#include "proxy/lists/list_lint.h"
#include "proxy/lists/unpack.h"
#include "proxy/watch/json_put.h"

/* The largest `max_size` that a configuration can give. */
static const size_t text_max = (size_t)4 << 30;

struct lint_arguments {
	const char *file;
	const char *config_file; /* NULL: it is about a list */
	enum list_format format; /* LIST_AUTO: finds out */
	bool json;
	bool strict;
	uint64_t max; /* findings that are told; the others are counted */
};

struct telling {
	const struct lint_arguments *arguments;
	uint64_t told;
};

static int take_subject(int argc, char **argv, struct lint_arguments *arguments)
{
	if (arguments->config_file && (optind != argc || arguments->format != LIST_AUTO))
		return cli_usage("lint needs -c FILE or a LIST, not both");
	if (!arguments->config_file && optind != argc - 1)
		return cli_usage("lint needs one LIST, or -c FILE");
	arguments->file = argv[optind];
	return EXIT_FINE;
}

static int parse_arguments(int argc, char **argv, struct lint_arguments *arguments)
{
	static const struct option options[] = {
		{ "format", required_argument, NULL, 'f' },
		{ "json", no_argument, NULL, 'j' },
		{ "max", required_argument, NULL, 'm' },
		{ "strict", no_argument, NULL, 's' },
		{ 0 },
	};
	*arguments = (struct lint_arguments){ .format = LIST_AUTO, .max = UINT64_MAX };
	opterr = 0;
	for (int option; (option = getopt_long(argc, argv, "c:", options, NULL)) != -1;) {
		switch (option) {
		case 'f':
			if (!list_format_parse(optarg, &arguments->format))
				return cli_usage("there is no list format \"%s\"", optarg);
			break;
		case 'm':
			if (!number_parse(optarg, 0, UINT64_MAX, &arguments->max))
				return cli_usage("\"%s\" is not a number", optarg);
			break;
		case 'c': arguments->config_file = optarg; break;
		case 'j': arguments->json = true; break;
		case 's': arguments->strict = true; break;
		default: return cli_usage("lint does not know \"%s\"", argv[optind - 1]);
		}
	}
	return take_subject(argc, argv, arguments);
}

/* ---- the text ---- */

static int read_text(const char *file, struct slice *text)
{
	struct slice packed;
	int error = list_file_read(file, text_max, text);
	if (error || !unpack_is_packed(*text))
		return error;
	packed = *text;
	error = unpack(packed, text_max, text);
	free((void *)(uintptr_t)packed.at);
	return error;
}

static const char *meaning_of(int error)
{
	switch (error) {
	case ERR_INVALID: return "not a file";
	case ERR_MALFORMED: return "damaged: it cannot be unpacked";
	case ERR_TOO_LONG: return "too large";
	default: return error_text(error);
	}
}

static int fail(const char *file, int error)
{
	fprintf(stderr, "namegate: %s: %s\n", file, meaning_of(error));
	return EXIT_FAILED;
}

/* ---- what is found ---- */

static void tell_json(const struct lint_finding *finding)
{
	static char line[LINT_FINDING_MAX];
	struct writer to = writer_of(line, sizeof line);
	lint_finding_write_json(&to, finding);
	writer_u8(&to, '\n');
	fwrite(to.at, 1, to.len, stdout);
}

static void tell_text(const char *file, const struct lint_finding *finding)
{
	static char line[LINT_FINDING_MAX];
	struct writer to = writer_of(line, sizeof line);
	lint_finding_write_text(&to, finding);
	printf("%s:%" PRIu32 ": %s: %.*s\n", file, finding->line, lint_kind_name(finding->kind),
		(int)to.len, line);
}

static void on_finding(void *context, const struct lint_finding *finding)
{
	struct telling *telling = context;
	if (telling->told >= telling->arguments->max)
		return;
	telling->told++;
	if (telling->arguments->json)
		tell_json(finding);
	else
		tell_text(telling->arguments->file, finding);
}

/* ---- the summary ---- */

static uint64_t count_findings(const struct lint_summary *summary)
{
	uint64_t count = 0;
	for (unsigned i = 0; i < LINT_KINDS; i++)
		count += summary->counts[i];
	return count;
}

static void put_counts(struct writer *to, const struct lint_summary *summary)
{
	json_put_key(to, "findings");
	writer_u8(to, '{');
	for (unsigned i = 0; i < LINT_KINDS; i++)
		json_put_number(to, lint_kind_name((enum lint_kind)i), summary->counts[i]);
	writer_u8(to, '}');
	json_put_key(to, "rejected");
	writer_u8(to, '{');
	for (unsigned i = 0; i < LIST_REJECT_COUNT; i++)
		if (summary->reject_counts[i])
			json_put_number(to, list_reject_name((enum list_reject)i),
				summary->reject_counts[i]);
	writer_u8(to, '}');
}

static void summarise_json(const struct lint_arguments *arguments, enum list_format format,
	bool has_suffixes, const struct lint_summary *summary)
{
	static char line[LINT_FINDING_MAX];
	struct writer to = writer_of(line, sizeof line);
	writer_u8(&to, '{');
	json_put_text(&to, "kind", "summary");
	json_put_text(&to, "file", arguments->file);
	json_put_text(&to, "format", list_format_name(format));
	json_put_number(&to, "lines", summary->line_count);
	json_put_number(&to, "entries", summary->entry_count);
	put_counts(&to, summary);
	if (!has_suffixes)
		json_put_text(&to, "suffixes", "unknown");
	writer_text(&to, "}\n");
	fwrite(to.at, 1, to.len, stdout);
}

static void print_rejected(const struct lint_summary *summary)
{
	const char *between = " (";
	if (!summary->counts[LINT_REJECTED])
		return;
	for (unsigned i = 0; i < LIST_REJECT_COUNT; i++) {
		if (!summary->reject_counts[i])
			continue;
		printf("%s%" PRIu64 " %s", between, summary->reject_counts[i],
			list_reject_name((enum list_reject)i));
		between = ", ";
	}
	putchar(')');
}

static void summarise_text(const struct lint_arguments *arguments, enum list_format format,
	bool has_suffixes, const struct lint_summary *summary)
{
	uint64_t count = count_findings(summary);
	if (count > arguments->max)
		printf("%s: %" PRIu64 " more findings\n", arguments->file, count - arguments->max);
	printf("%s: format %s, %" PRIu64 " lines, %" PRIu64 " entries; %" PRIu64 " rejected",
		arguments->file, list_format_name(format), summary->line_count,
		summary->entry_count, summary->counts[LINT_REJECTED]);
	print_rejected(summary);
	for (unsigned i = LINT_REJECTED + 1; i < LINT_KINDS; i++)
		printf(", %" PRIu64 " %s", summary->counts[i], lint_kind_name((enum lint_kind)i));
	puts(has_suffixes ? "" : "; this system has no public suffix list");
}

static int judge(const struct lint_arguments *arguments, const struct lint_summary *summary)
{
	for (unsigned i = 0; i < LINT_KINDS; i++)
		if (summary->counts[i] &&
			(arguments->strict || !lint_kind_is_note((enum lint_kind)i)))
			return EXIT_FAILED;
	return EXIT_FINE;
}

static int lint(const struct lint_arguments *arguments, enum list_format format, struct slice text)
{
	struct telling telling = { .arguments = arguments };
	struct lint_summary summary;
	struct suffixes *suffixes = suffixes_open();
	int error = list_lint(format, text, suffixes, on_finding, &telling, &summary);
	bool has_suffixes = suffixes != NULL;
	suffixes_close(suffixes);
	if (error)
		return fail(arguments->file, error);
	if (arguments->json)
		summarise_json(arguments, format, has_suffixes, &summary);
	else
		summarise_text(arguments, format, has_suffixes, &summary);
	return judge(arguments, &summary);
}

int cli_lint(int argc, char **argv)
{
	struct lint_arguments arguments;
	struct slice text;
	int code = parse_arguments(argc, argv, &arguments);
	if (code)
		return code;
	if (arguments.config_file)
		return cli_lint_policy(&(struct lint_policy_arguments){
			arguments.config_file, arguments.json, arguments.strict, arguments.max });
	int error = read_text(arguments.file, &text);
	if (error)
		return fail(arguments.file, error);
	enum list_format format = arguments.format;
	if (format == LIST_AUTO && !list_recognise(text, &format))
		code = cli_usage("%s: the format is not clear from what is in it: use --format, "
				 "as plain names always need it",
			arguments.file);
	else
		code = lint(&arguments, format, text);
	free((void *)(uintptr_t)text.at);
	return code;
}
