/* lint_policy.c - lint -c FILE: what a policy says that can never happen, or that is hardly meant,
 * as compilers do: FILE:LINE: KIND: TEXT. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/error.h"
#include "proxy/cli/cli.h"
#include "proxy/policy_findings.h"
#include "proxy/snapshot.h"
#include "proxy/watch/escape.h"
#include "proxy/watch/json_put.h"

enum {
	LINE_MAX_LEN = 2 * POLICY_FINDING_MAX, /* with the path of a file */
	CHECK_STEPS_MAX = 100000000,
};

struct telling {
	const struct lint_policy_arguments *arguments;
	struct policy_findings all;
	uint64_t warnings;
	uint64_t notes;
};

static struct policy_findings findings_of(
	const struct snapshot *snapshot, const struct suffixes *suffixes)
{
	return (struct policy_findings){
		.config = snapshot->config,
		.policy = snapshot->policy,
		.image = lists_for_policy(snapshot->lists).image,
		.suffixes = suffixes,
	};
}

static void tell_json(const struct telling *telling, const struct policy_finding *finding)
{
	static char line[POLICY_FINDING_MAX];
	struct writer to = writer_of(line, sizeof line);
	policy_finding_write_json(&to, &telling->all, finding);
	writer_u8(&to, '\n');
	fwrite(to.at, 1, to.len, stdout);
}

/* FILE:LINE: KIND: TEXT */
static void say_line(
	struct writer *to, const struct telling *telling, const struct policy_finding *finding)
{
	static char words[POLICY_FINDING_MAX];
	struct writer said = writer_of(words, sizeof words);
	struct config_place place = policy_finding_place(&telling->all, finding);
	policy_finding_write_text(&said, &telling->all, finding);
	writer_text(to, place.file);
	writer_text(to, ":");
	writer_decimal(to, place.line);
	writer_text(to, ": ");
	writer_text(to, policy_finding_name(finding->kind));
	writer_text(to, ": ");
	escape_text(to, writer_slice(&said), POLICY_FINDING_MAX);
}

static void tell_text(const struct telling *telling, const struct policy_finding *finding)
{
	static char line[LINE_MAX_LEN];
	struct writer to = writer_of(line, sizeof line);
	say_line(&to, telling, finding);
	printf("%.*s\n", (int)to.len, line);
}

static void on_finding(void *context, const struct policy_finding *finding)
{
	struct telling *telling = context;
	uint64_t told = telling->warnings + telling->notes;
	if (policy_finding_is_note(finding))
		telling->notes++;
	else
		telling->warnings++;
	if (told >= telling->arguments->max)
		return;
	if (telling->arguments->json)
		tell_json(telling, finding);
	else
		tell_text(telling, finding);
}

static void summarise_json(const struct telling *telling)
{
	static char line[POLICY_FINDING_MAX];
	struct writer to = writer_of(line, sizeof line);
	writer_u8(&to, '{');
	json_put_text(&to, "kind", "summary");
	json_put_text(&to, "file", telling->arguments->config_file);
	json_put_number(&to, "warnings", telling->warnings);
	json_put_number(&to, "notes", telling->notes);
	if (!telling->all.suffixes)
		json_put_text(&to, "suffixes", "unknown");
	writer_text(&to, "}\n");
	fwrite(to.at, 1, to.len, stdout);
}

static void summarise_text(const struct telling *telling)
{
	uint64_t count = telling->warnings + telling->notes;
	const char *file = telling->arguments->config_file;
	if (count > telling->arguments->max)
		printf("%s: %" PRIu64 " more findings\n", file, count - telling->arguments->max);
	printf("%s: %" PRIu64 " warning%s, %" PRIu64 " note%s%s\n", file, telling->warnings,
		telling->warnings == 1 ? "" : "s", telling->notes, telling->notes == 1 ? "" : "s",
		telling->all.suffixes ? "" : "; this system has no public suffix list");
}

/* ---- check ---- */

static void on_warning(void *context, const struct policy_finding *finding)
{
	static char line[LINE_MAX_LEN];
	struct telling *telling = context;
	struct writer to = writer_of(line, sizeof line);
	if (policy_finding_is_note(finding)) {
		telling->notes++;
		return;
	}
	telling->warnings++;
	if (finding->kind == POLICY_LINT_HEALTH)
		return;
	say_line(&to, telling, finding);
	fprintf(stderr, "%.*s\n", (int)to.len, line);
}

void cli_lint_warn(const struct snapshot *snapshot)
{
	const struct policy_lint_options options = { .now_s = time(NULL),
		.steps_max = CHECK_STEPS_MAX };
	struct suffixes *suffixes = suffixes_open();
	struct telling telling = { .all = findings_of(snapshot, suffixes) };
	int error = policy_findings_each(&telling.all, &options, on_warning, &telling);
	suffixes_close(suffixes);
	if (!error && telling.warnings + telling.notes > 0)
		printf("%s: lint: %" PRIu64 " warning%s, %" PRIu64 " note%s\n",
			snapshot->config->file, telling.warnings, telling.warnings == 1 ? "" : "s",
			telling.notes, telling.notes == 1 ? "" : "s");
}

/* ---- lint ---- */

static int lint(struct telling *telling)
{
	const struct policy_lint_options options = { .now_s = time(NULL) };
	int error = policy_findings_each(&telling->all, &options, on_finding, telling);
	if (error) {
		fprintf(stderr, "namegate: %s: %s\n", telling->arguments->config_file,
			error_text(error));
		return EXIT_FAILED;
	}
	if (telling->arguments->json)
		summarise_json(telling);
	else
		summarise_text(telling);
	bool is_bad = telling->warnings || (telling->arguments->strict && telling->notes);
	return is_bad ? EXIT_FAILED : EXIT_FINE;
}

int cli_lint_policy(const struct lint_policy_arguments *arguments)
{
	struct config_errors errors = { 0 };
	const struct snapshot_parts parts = { .lists.must_load = true, .offline = true };
	config_errors_to_stderr(&errors);
	struct snapshot *snapshot = snapshot_load(arguments->config_file, &parts, &errors);
	if (!snapshot)
		return EXIT_CONFIG;
	struct suffixes *suffixes = suffixes_open();
	struct telling telling = { .arguments = arguments, .all = findings_of(snapshot, suffixes) };
	int code = lint(&telling);
	suffixes_close(suffixes);
	snapshot_unref(snapshot);
	return code;
}
