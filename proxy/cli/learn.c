/* learn.c - from what a view asked for to an allow-list for it. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/number.h"
#include "proxy/cli/cli.h"
#include "proxy/replay/learn_line.h"
#include "proxy/replay/learn_tell.h"
#include "proxy/replay/log_source.h"
#include "proxy/replay/replay_judge.h"
#include "proxy/snapshot.h"

struct learn_arguments {
	const char *config;
	const char *view;
	uint64_t least;
	char **files;
	size_t file_count;
};

struct learning {
	struct learn *learn;
	struct replay_judge judge;
	uint16_t view;
	struct learn_told told;
	uint8_t message[LOG_LINE_MESSAGE_MAX];
};

static int parse_arguments(int argc, char **argv, struct learn_arguments *arguments)
{
	static const struct option options[] = {
		{ "view", required_argument, NULL, 'v' },
		{ "min-count", required_argument, NULL, 'm' },
		{ 0 },
	};
	*arguments = (struct learn_arguments){ .least = 1 };
	opterr = 0;
	for (int option; (option = getopt_long(argc, argv, "c:", options, NULL)) != -1;) {
		switch (option) {
		case 'c': arguments->config = optarg; break;
		case 'v': arguments->view = optarg; break;
		case 'm':
			if (!number_parse(optarg, 0, UINT64_MAX, &arguments->least))
				return cli_usage("\"%s\" is not a number", optarg);
			break;
		default: return cli_usage("learn does not know \"%s\"", argv[optind - 1]);
		}
	}
	if (!arguments->config || !arguments->view || optind >= argc)
		return cli_usage("learn needs -c FILE, --view NAME and at least one LOG");
	arguments->files = argv + optind;
	arguments->file_count = (size_t)(argc - optind);
	return EXIT_FINE;
}

static void note_time(struct learn_told *told, int64_t time_s)
{
	if (time_s == 0)
		return;
	if (told->first_s == 0 || time_s < told->first_s)
		told->first_s = time_s;
	if (time_s > told->last_s)
		told->last_s = time_s;
}

static bool on_line(void *context, const struct log_line *line)
{
	struct learning *learning = context;
	if (!log_line_was_admitted(line) ||
		replay_judge_view(&learning->judge, line) != learning->view)
		return true;
	learning->told.lines++;
	note_time(&learning->told, line->time_s);
	if (!learn_line(learning->learn, line, learning->message))
		learning->told.blocked++;
	return true;
}

static int out_of_memory(void)
{
	fprintf(stderr, "namegate: %s\n", error_text(ERR_NO_MEMORY));
	return EXIT_FAILED;
}

static int tell(const struct learn_arguments *arguments, struct learning *learning)
{
	struct learn_list list;
	if (!learn_finish(learning->learn, arguments->least, &list))
		return out_of_memory();
	learning->told.list = &list;
	learning->told.view = arguments->view;
	learn_tell(stdout, &learning->told);
	learn_list_free(&list);
	return fflush(stdout) == 0 && !ferror(stdout) ? EXIT_FINE : EXIT_FAILED;
}

static int learn(const struct learn_arguments *arguments, struct learning *learning)
{
	struct log_source_counts counts;
	const struct log_sink sink = { .on_line = on_line, .context = learning };
	struct suffixes *suffixes = suffixes_open();
	struct suffix_parents *parents = suffix_parents_open();
	int code = EXIT_FAILED;
	learning->told.has_suffixes = suffixes;
	learning->told.has_parents = parents;
	learning->learn = learn_new(suffixes, parents);
	if (!learning->learn)
		code = out_of_memory();
	else if (log_source_read(arguments->files, arguments->file_count, &sink, &counts))
		code = tell(arguments, learning);
	learn_free(learning->learn);
	suffix_parents_close(parents);
	suffixes_close(suffixes);
	return code;
}

static bool find_view(const struct policy *policy, const char *name, uint16_t *view)
{
	for (size_t i = 0; i < policy_view_count(policy); i++) {
		if (strcmp(policy_view(policy, (uint16_t)i)->name, name) != 0)
			continue;
		*view = (uint16_t)i;
		return true;
	}
	return false;
}

int cli_learn(int argc, char **argv)
{
	struct learn_arguments arguments;
	struct config_errors errors = { 0 };
	const struct snapshot_parts parts = { .offline = true };
	int code = parse_arguments(argc, argv, &arguments);
	if (code)
		return code;
	config_errors_to_stderr(&errors);
	struct snapshot *snapshot = snapshot_load(arguments.config, &parts, &errors);
	if (!snapshot)
		return EXIT_CONFIG;
	struct learning *learning = calloc(1, sizeof *learning);
	if (!learning) {
		code = out_of_memory();
	} else if (!find_view(snapshot->policy, arguments.view, &learning->view)) {
		code = cli_usage("there is no view \"%s\"", arguments.view);
	} else {
		replay_judge_init(&learning->judge, snapshot->policy, snapshot->config);
		code = learn(&arguments, learning);
	}
	free(learning);
	snapshot_unref(snapshot);
	return code;
}
