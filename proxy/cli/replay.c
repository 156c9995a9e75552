/* replay.c - a recorded query log through a candidate policy: what would have been decided in
 * another way? */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/number.h"
#include "proxy/cli/cli.h"
#include "proxy/cpu_count.h"
#include "proxy/replay/replay_tell.h"
#include "proxy/snapshot.h"

enum { TOP_DEFAULT = 10, EXAMPLES_DEFAULT = 3, PROGRESS_MS = 200 };

struct replay_arguments {
	const char *candidate;
	const char *current;
	char **files;
	size_t file_count;
	bool json;
	uint64_t examples;
	uint64_t top;
	uint64_t max_differences;
	uint64_t threads;
};

static int parse_arguments(int argc, char **argv, struct replay_arguments *arguments)
{
	static const struct option options[] = {
		{ "current", required_argument, NULL, 'b' },
		{ "json", no_argument, NULL, 'j' },
		{ "examples", required_argument, NULL, 'e' },
		{ "top", required_argument, NULL, 'n' },
		{ "max-differences", required_argument, NULL, 'm' },
		{ "threads", required_argument, NULL, 't' },
		{ 0 },
	};
	bool good = true;
	*arguments = (struct replay_arguments){
		.examples = EXAMPLES_DEFAULT, .top = TOP_DEFAULT, .threads = cpu_count()
	};
	opterr = 0;
	for (int option; (option = getopt_long(argc, argv, "c:", options, NULL)) != -1;) {
		switch (option) {
		case 'c': arguments->candidate = optarg; break;
		case 'b': arguments->current = optarg; break;
		case 'j': arguments->json = true; break;
		case 'e':
			good = number_parse(optarg, 0, REPLAY_EXAMPLES_MAX, &arguments->examples);
			break;
		case 'n': good = number_parse(optarg, 1, REPLAY_TOP_MAX, &arguments->top); break;
		case 'm':
			good = number_parse(optarg, 0, UINT64_MAX, &arguments->max_differences);
			break;
		case 't':
			good = number_parse(optarg, 1, REPLAY_THREADS_MAX, &arguments->threads);
			break;
		default: return cli_usage("replay does not know \"%s\"", argv[optind - 1]);
		}
		if (!good)
			return cli_usage("\"%s\" is not a number that fits", optarg);
	}
	if (!arguments->candidate || optind >= argc)
		return cli_usage("replay needs -c FILE and at least one LOG");
	arguments->files = argv + optind;
	arguments->file_count = (size_t)(argc - optind);
	return EXIT_FINE;
}

/* ---- progress ---- */

struct progress {
	uint64_t told_ms;
	bool was_told;
};

static uint64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void on_progress(void *context, uint64_t bytes, uint64_t total, uint64_t lines)
{
	struct progress *progress = context;
	uint64_t now = now_ms();
	if (now - progress->told_ms < PROGRESS_MS)
		return;
	progress->told_ms = now;
	progress->was_told = true;
	if (total > 0 && bytes <= total)
		fprintf(stderr, "\r%" PRIu64 " lines, %u %% ", lines,
			(unsigned)((double)bytes * 100 / (double)total));
	else
		fprintf(stderr, "\r%" PRIu64 " lines ", lines);
}

/* ---- */

static struct snapshot *load(const char *file)
{
	struct config_errors errors = { 0 };
	const struct snapshot_parts parts = { .offline = true, .lists.must_load = true };
	config_errors_to_stderr(&errors);
	return snapshot_load(file, &parts, &errors);
}

static int conclude(const struct replay_arguments *arguments, const struct replay_result *result)
{
	if (!result->is_complete)
		return EXIT_FAILED;
	return result->counts.different > arguments->max_differences ? EXIT_DIFFERENT : EXIT_FINE;
}

static int tell(const struct replay_arguments *arguments, const struct snapshot *candidate,
	const struct snapshot *current, const struct replay_result *result)
{
	const struct replay_told told = { .result = result,
		.files = arguments->files,
		.candidate = arguments->candidate,
		.candidate_hash = candidate->policy_hash,
		.current = arguments->current,
		.current_hash = current ? current->policy_hash : NULL,
		.top = (unsigned)arguments->top };
	if (arguments->json)
		replay_tell_json(stdout, &told);
	else
		replay_tell_text(stdout, &told);
	if (fflush(stdout) == 0 && !ferror(stdout))
		return conclude(arguments, result);
	fprintf(stderr, "namegate: standard output: %s\n", error_text(-errno));
	return EXIT_FAILED;
}

static int replay(const struct replay_arguments *arguments, const struct snapshot *candidate,
	const struct snapshot *current)
{
	struct progress progress = { .told_ms = now_ms() };
	const struct replay_options options = { .candidate = candidate->policy,
		.candidate_config = candidate->config,
		.current = current ? current->policy : NULL,
		.current_config = current ? current->config : NULL,
		.threads = (unsigned)arguments->threads,
		.examples = (unsigned)arguments->examples,
		.on_progress = isatty(STDERR_FILENO) ? on_progress : NULL,
		.context = &progress };
	struct replay_result *result =
		replay_run(&options, arguments->files, arguments->file_count);
	if (progress.was_told)
		fputs("\r\033[K", stderr);
	if (!result) {
		fprintf(stderr, "namegate: %s\n", error_text(ERR_NO_MEMORY));
		return EXIT_FAILED;
	}
	int code = tell(arguments, candidate, current, result);
	replay_result_free(result);
	return code;
}

int cli_replay(int argc, char **argv)
{
	struct replay_arguments arguments;
	struct snapshot *current = NULL;
	int code = parse_arguments(argc, argv, &arguments);
	if (code)
		return code;
	struct snapshot *candidate = load(arguments.candidate);
	if (!candidate)
		return EXIT_CONFIG;
	if (arguments.current)
		current = load(arguments.current);
	code = arguments.current && !current ? EXIT_CONFIG : replay(&arguments, candidate, current);
	if (current)
		snapshot_unref(current);
	snapshot_unref(candidate);
	return code;
}
