/* revisions.c - the policies that went live: list them, compare two, put one back. Listing and
 * comparing read the state directory, and so work when the program is down. */
#include "proxy/cli/revisions.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/utc.h"
#include "proxy/cli/cli.h"
#include "proxy/cli/control_ask.h"
#include "proxy/cli/number.h"
#include "proxy/watch/json_put.h"

enum { POLL_MS = 200, POLLS_MAX = 300 };

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

static bool parse_number(const char *text, uint32_t *number)
{
	uint64_t value;
	bool good = cli_number_parse(text, 1, UINT32_MAX - 1, &value);
	*number = (uint32_t)value;
	return good;
}

/* ---- what is in force ---- */

/* What the running program says of itself. */
struct running {
	uint32_t revision;
	uint32_t kept;
	bool is_pinned;
	bool is_loading;
	uint32_t asked; /* by the last rollback (its number) or unpin (0) */
	uint32_t came;  /* what that became; 0: refused */
	char policy_hash[REVISION_HASH_MAX];
};

static bool read_running(struct running *to, struct slice line)
{
	char text[256], pinned[4], loading[4];
	if (line.len >= sizeof text)
		return false;
	memcpy(text, line.at, line.len);
	text[line.len] = '\0';
	if (sscanf(text, "revision %u kept %u pinned %3s loading %3s asked %u came %u policy %32s",
		    &to->revision, &to->kept, pinned, loading, &to->asked, &to->came,
		    to->policy_hash) != 7)
		return false;
	to->is_pinned = strcmp(pinned, "yes") == 0;
	to->is_loading = strcmp(loading, "yes") == 0;
	return true;
}

/* Says nothing when nobody is there. */
static bool find_running(const struct config *config, struct running *running)
{
	static uint8_t buffer[CONTROL_ANSWER_MAX];
	struct control_answer answer;
	memset(running, 0, sizeof *running);
	return config->control_socket &&
		control_client_ask(config->control_socket, "revisions status", buffer, &answer) ==
		0 &&
		answer.error.len == 0 && read_running(running, answer.lines);
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
	bool is_running = find_running(config, &running);
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
		!parse_number(arguments->words[1], &from) ||
		(arguments->word_count == 3 && !parse_number(arguments->words[2], &to)))
		return cli_usage("revisions diff needs a number, or two");
	if (to == 0 && count > 0)
		to = numbers[count - 1];
	return cli_revisions_diff(config->state_directory, from, to);
}

/* ---- rollback and unpin ---- */

static int ask(const struct config *config, const char *line, struct running *running)
{
	struct slice lines;
	int code = cli_control_ask(config->file, line, &lines);
	if (code)
		return code;
	for (int i = 0; i < POLLS_MAX; i++) {
		usleep(POLL_MS * 1000);
		if (find_running(config, running) && !running->is_loading)
			return EXIT_FINE;
	}
	fputs("namegate: it is still loading; `namegate revisions` tells what becomes of it\n",
		stderr);
	return EXIT_FAILED;
}

static const char *pin_note(const struct running *running, uint32_t asked)
{
	if (running->is_pinned && !asked)
		return "; STILL pinned, the program's log says why: the next reload takes what is "
		       "pinned";
	if (running->is_pinned)
		return "; pinned until the configuration file changes, or `namegate revisions "
		       "unpin`";
	return asked ? "; NOT pinned, the program's log says why: the next reload takes the "
		       "configuration file"
		     : "";
}

static int tell_outcome(const struct running *running, uint32_t asked)
{
	bool good = running->came && running->asked == asked;
	if (good)
		printf("revision %u is in force, policy %s%s\n", running->came,
			running->policy_hash, pin_note(running, asked));
	else
		fprintf(stderr,
			"namegate: refused, revision %u stays in force; the program's log says "
			"why\n",
			running->revision);
	return good ? EXIT_FINE : EXIT_FAILED;
}

static int rollback(const struct config *config, const struct revisions_arguments *arguments)
{
	struct running running;
	uint32_t number;
	char line[CONTROL_LINE_MAX];
	struct writer to = writer_of(line, sizeof line - 1);
	if (arguments->word_count != 2 || !parse_number(arguments->words[1], &number))
		return cli_usage("revisions rollback needs the number of a revision");
	if (!arguments->because || !*arguments->because)
		return cli_usage("revisions rollback needs --because \"...\"");
	writer_text(&to, "revisions rollback ");
	writer_decimal(&to, number);
	writer_u8(&to, ' ');
	control_word_write(&to, slice_of_text(arguments->because));
	if (to.failed)
		return cli_usage("the reason is too long");
	line[to.len] = '\0';
	int code = ask(config, line, &running);
	return code ? code : tell_outcome(&running, number);
}

static int unpin(const struct config *config, const struct revisions_arguments *arguments)
{
	struct running running;
	if (arguments->word_count != 1)
		return cli_usage("revisions unpin takes nothing more");
	int code = ask(config, "revisions unpin", &running);
	return code ? code : tell_outcome(&running, 0);
}

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
	if (strcmp(word, "rollback") == 0)
		return rollback(config, arguments);
	if (strcmp(word, "unpin") == 0)
		return unpin(config, arguments);
	return cli_usage("revisions does not know \"%s\"", word);
}

int cli_revisions(int argc, char **argv)
{
	struct revisions_arguments arguments = { 0 };
	struct config_errors errors = { 0 };
	int code = parse_arguments(argc, argv, &arguments);
	if (code)
		return code;
	config_errors_to_stderr(&errors);
	struct config *config = config_load(arguments.file, &errors);
	if (!config)
		return EXIT_CONFIG;
	code = run(config, &arguments);
	config_free(config);
	return code;
}
