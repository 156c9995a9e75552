/* revisions.c - the policies that went live: list them, compare two. Both read the state directory,
 * and so work when the program is down. */
#include "proxy/cli/revisions.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/utc.h"
#include "proxy/cli/cli.h"
#include "proxy/cli/revisions_running.h"
#include "proxy/watch/json_put.h"

struct revisions_arguments {
	const char *file;
	const char *because;
	bool json;
	int word_count;
	char **words;
};

static int parse_arguments(int argc, char **argv, struct revisions_arguments *arguments)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "because", required_argument, NULL, 'b' },
		{ 0 },
	};
	opterr = 0;
	for (int option; (option = getopt_long(argc, argv, "c:", options, NULL)) != -1;) {
		switch (option) {
		case 'c': arguments->file = optarg; break;
		case 'j': arguments->json = true; break;
		case 'b': arguments->because = optarg; break;
		default: return cli_usage("revisions does not know \"%s\"", argv[optind - 1]);
		}
	}
	arguments->word_count = argc - optind;
	arguments->words = argv + optind;
	return arguments->file ? EXIT_FINE : cli_usage("revisions needs -c FILE");
}

/* ---- list ---- */

/* Of a file, which may say anything. */
static void write_time(char text[32], int64_t time_s)
{
	struct writer to = writer_of(text, 31);
	utc_write(&to, time_s);
	text[to.len] = '\0';
}

static void print_json(const struct revision *revision, bool in_force, bool pinned)
{
	static char line[8 * REVISION_PATH_MAX];
	struct writer to = writer_of(line, sizeof line);
	char when[32];
	write_time(when, revision->time_s);
	writer_text(&to, "{");
	json_put_number(&to, "revision", revision->number);
	json_put_text(&to, "time", when);
	json_put_text(&to, "why", revision->why);
	json_put_text(&to, "policy_hash", revision->policy_hash);
	json_put_text(&to, "config_hash", revision->config_hash);
	json_put_text(&to, "file", revision->file);
	json_put_text(&to, "directory", revision->directory);
	json_put_text(&to, "version", revision->version);
	json_put_number(&to, "lists", revision->list_count);
	json_put_key(&to, "in_force");
	writer_text(&to, in_force ? "true" : "false");
	json_put_key(&to, "pinned");
	writer_text(&to, pinned ? "true" : "false");
	writer_text(&to, "}\n");
	fwrite(line, 1, to.len, stdout);
}

/* What changed since the one before. */
static const char *change_of(const struct revision *before, const struct revision *revision)
{
	if (before->number == 0)
		return "";
	if (strcmp(before->config_hash, revision->config_hash) != 0)
		return "configuration";
	return strcmp(before->policy_hash, revision->policy_hash) != 0 ? "lists" : "nothing";
}

static void print_row(
	const struct revision *revision, const struct revision *before, bool in_force, bool pinned)
{
	char when[32];
	write_time(when, revision->time_s);
	printf("%c%c%7u  %s  %.12s  %-13s  %s\n", in_force ? '*' : ' ', pinned ? 'P' : ' ',
		revision->number, when, revision->policy_hash, change_of(before, revision),
		revision->why);
}

static void print_notes(const struct running *running, bool is_running, bool pinned)
{
	if (is_running)
		printf("*: in force as revision %u, policy %s\n", running->revision,
			running->policy_hash);
	else
		puts("the running program could not be asked what is in force");
	if (pinned)
		puts("P: pinned: stays in force until the configuration file changes, or "
		     "`namegate revisions unpin`");
}

/* The one of its number, if it is kept; else all that are the same policy. */
static bool is_in_force(
	const struct revision *revision, const struct running *running, bool by_number)
{
	return strcmp(revision->policy_hash, running->policy_hash) == 0 &&
		(!by_number || revision->number == running->revision);
}

static bool holds(const uint32_t *numbers, size_t count, uint32_t number)
{
	for (size_t i = 0; i < count; i++)
		if (numbers[i] == number)
			return true;
	return false;
}

static int list(const struct config *config, bool json)
{
	uint32_t numbers[REVISIONS_MAX + 1];
	struct running running;
	struct revision_pin pin = { .number = 0 };
	struct revision revision, before = { .number = 0 };
	size_t count = revisions_numbers(config->state_directory, numbers);
	bool is_running = cli_revisions_running(config->control_socket, &running);
	bool pinned = revisions_pinned(config->state_directory, &pin);
	bool by_number = holds(numbers, count, running.revision);
	if (!json)
		printf("%9s  %-20s  %-12s  %-13s  %s\n", "REVISION", "SINCE", "POLICY", "CHANGED",
			"WHY");
	for (size_t i = 0; i < count; i++) {
		if (!revisions_read(config->state_directory, numbers[i], &revision))
			continue;
		bool in_force = is_running && is_in_force(&revision, &running, by_number);
		if (json)
			print_json(&revision, in_force, numbers[i] == pin.number);
		else
			print_row(&revision, &before, in_force, numbers[i] == pin.number);
		revision_deinit(&before);
		before = revision;
	}
	revision_deinit(&before);
	if (!json)
		print_notes(&running, is_running, pinned);
	return EXIT_FINE;
}

/* ---- diff ---- */

static int diff(const struct config *config, const struct revisions_arguments *arguments)
{
	uint32_t numbers[REVISIONS_MAX + 1], from, to = 0;
	size_t count = revisions_numbers(config->state_directory, numbers);
	if (arguments->word_count < 2 || arguments->word_count > 3 ||
		!cli_revisions_number(arguments->words[1], &from) ||
		(arguments->word_count == 3 && !cli_revisions_number(arguments->words[2], &to)))
		return cli_usage("revisions diff needs a number, or two");
	if (to == 0 && count > 0)
		to = numbers[count - 1];
	return cli_revisions_diff(config->state_directory, from, to);
}

/* ---- */

/* Who may not look must not take it for empty. */
static bool may_read(const char *state_directory, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/revisions", state_directory);
	return access(path, R_OK | X_OK) == 0 || errno != EACCES;
}

static int run(const struct config *config, const struct revisions_arguments *arguments)
{
	const char *word = arguments->word_count ? arguments->words[0] : "list";
	char path[PATH_MAX];
	if (!*config->state_directory) {
		fprintf(stderr, "namegate: %s: no state_directory: nothing is kept\n",
			config->file);
		return EXIT_FAILED;
	}
	if (!may_read(config->state_directory, path)) {
		fprintf(stderr, "namegate: %s: %s\n", path, error_text(-EACCES));
		return EXIT_FAILED;
	}
	if (strcmp(word, "list") == 0 && arguments->word_count <= 1)
		return list(config, arguments->json);
	if (strcmp(word, "diff") == 0)
		return diff(config, arguments);
	return cli_usage("revisions does not know \"%s\"", word);
}

int cli_revisions(int argc, char **argv)
{
	struct revisions_arguments arguments = { 0 };
	struct config_errors errors = { 0 };
	int code = parse_arguments(argc, argv, &arguments);
	if (code)
		return code;
	if (arguments.word_count && cli_revisions_is_order(arguments.words[0]))
		return cli_revisions_order(
			arguments.file, arguments.word_count, arguments.words, arguments.because);
	config_errors_to_stderr(&errors);
	struct config *config = config_load(arguments.file, &errors);
	if (!config)
		return EXIT_CONFIG;
	code = run(config, &arguments);
	config_free(config);
	return code;
}
