/* shadow.c - a candidate beside the policy in force: begun, looked at, ended, put in force. Waits
 * until the running program has done what it was told. */
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proxy/cli/cli.h"
#include "proxy/cli/control_ask.h"

enum {
	/* Twice as long each time: a small candidate is there at once, a large one may take long.
	 */
	ASK_FIRST_MS = 20,
	ASK_MOST_MS = 1000,
	VIEWS_MAX = CONTROL_WORDS_MAX - 4, /* as many as one request has room for */
};

struct shadow_arguments {
	const char *file;
	const char *what; /* "start", "stop", "promote", "status" */
	const char *candidate;
	unsigned long share;
	const char *views[VIEWS_MAX];
	size_t view_count;
	bool has_scope; /* a share or a view was given */
	bool json;
};

static bool read_share(const char *text, unsigned long *share)
{
	char *end;
	*share = strtoul(text, &end, 10);
	if (*end == '%')
		end++;
	return *text >= '0' && *text <= '9' && *end == '\0' && *share >= 1 && *share <= 100;
}

static int check_words(const struct shadow_arguments *arguments)
{
	bool is_start = arguments->what && strcmp(arguments->what, "start") == 0;
	bool is_status = arguments->what && strcmp(arguments->what, "status") == 0;
	bool is_known = is_start || is_status ||
		(arguments->what &&
			(strcmp(arguments->what, "stop") == 0 ||
				strcmp(arguments->what, "promote") == 0));
	if (!arguments->file)
		return cli_usage("shadow needs -c FILE");
	if (!is_known)
		return cli_usage("shadow takes start CANDIDATE, stop, promote or status");
	if (is_start != (arguments->candidate != NULL))
		return cli_usage(is_start ? "shadow start needs one CANDIDATE"
					  : "shadow %s takes nothing else",
			arguments->what);
	if (!is_start && arguments->has_scope)
		return cli_usage("--share and --view are for shadow start");
	if (!is_status && arguments->json)
		return cli_usage("--json is for shadow status");
	return EXIT_FINE;
}

static int parse_arguments(int argc, char **argv, struct shadow_arguments *arguments)
{
	static const struct option options[] = {
		{ "share", required_argument, NULL, 's' },
		{ "view", required_argument, NULL, 'v' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	opterr = 0;
	for (int option; (option = getopt_long(argc, argv, "c:", options, NULL)) != -1;) {
		switch (option) {
		case 'c': arguments->file = optarg; break;
		case 'j': arguments->json = true; break;
		case 's':
			arguments->has_scope = true;
			if (!read_share(optarg, &arguments->share))
				return cli_usage("--share takes 1%% to 100%%, not \"%s\"", optarg);
			break;
		case 'v':
			arguments->has_scope = true;
			if (arguments->view_count == VIEWS_MAX)
				return cli_usage("at most %d views", VIEWS_MAX);
			arguments->views[arguments->view_count++] = optarg;
			break;
		default: return cli_usage("shadow does not know \"%s\"", argv[optind - 1]);
		}
	}
	if (optind < argc)
		arguments->what = argv[optind++];
	if (optind < argc)
		arguments->candidate = argv[optind++];
	if (optind < argc)
		return cli_usage("shadow does not know \"%s\"", argv[optind]);
	return check_words(arguments);
}

/* ---- the lines that are said ---- */

static void put_word(struct writer *to, const char *text)
{
	writer_u8(to, ' ');
	control_word_write(to, slice_of_text(text));
}

/* The running program is somewhere else: it needs to know where. */
static bool put_path(struct writer *to, const char *path)
{
	char absolute[PATH_MAX];
	if (path[0] != '/' &&
		(!getcwd(absolute, sizeof absolute) ||
			strlen(absolute) + strlen(path) + 2 > sizeof absolute))
		return false;
	if (path[0] == '/')
		absolute[0] = '\0';
	else
		strcat(absolute, "/");
	if (strlen(absolute) + strlen(path) >= sizeof absolute)
		return false;
	strcat(absolute, path);
	put_word(to, absolute);
	return true;
}

static bool write_line(const struct shadow_arguments *arguments, char *line, size_t size)
{
	struct writer to = writer_of(line, size - 1);
	bool good = true;
	writer_text(&to, "shadow ");
	if (strcmp(arguments->what, "status") == 0)
		writer_text(&to, arguments->json ? "json" : "text");
	else
		writer_text(&to, arguments->what);
	if (arguments->candidate) {
		good = put_path(&to, arguments->candidate);
		writer_u8(&to, ' ');
		writer_decimal(&to, arguments->share);
	}
	for (size_t i = 0; i < arguments->view_count; i++) {
		good = good && arguments->views[i][0];
		put_word(&to, arguments->views[i]);
	}
	line[to.len] = '\0';
	return good && !to.failed;
}

/* ---- the wait ---- */

static void wait_a_moment(long *wait_ms)
{
	const struct timespec pause = { .tv_sec = *wait_ms / 1000,
		.tv_nsec = *wait_ms % 1000 * 1000000 };
	nanosleep(&pause, NULL);
	*wait_ms = *wait_ms * 2 < ASK_MOST_MS ? *wait_ms * 2 : ASK_MOST_MS;
}

/* Until nothing is being loaded any more; lists may take long. EXIT_FINE when it came to `wanted`,
 * and what was said about it. */
static int wait_for(const char *file, const char *wanted)
{
	struct slice lines;
	struct slice state;
	long wait_ms = ASK_FIRST_MS;
	do {
		wait_a_moment(&wait_ms);
		int code = cli_control_ask(file, "shadow state", &lines);
		if (code)
			return code;
		state = slice_take_line(&lines);
	} while (slice_equals_text(state, "loading") || slice_equals_text(state, "promoting"));
	bool good = slice_equals_text(state, wanted);
	fwrite(lines.at, 1, lines.len, good ? stdout : stderr);
	return good ? EXIT_FINE : EXIT_FAILED;
}

static int order(const struct shadow_arguments *arguments)
{
	if (strcmp(arguments->what, "start") == 0) {
		int code = wait_for(arguments->file, "running");
		puts(code ? "not started" : "started; \"namegate shadow status\" tells more");
		return code;
	}
	return strcmp(arguments->what, "promote") == 0 ? wait_for(arguments->file, "off")
						       : EXIT_FINE;
}

int cli_shadow(int argc, char **argv)
{
	struct shadow_arguments arguments = { .share = 100 };
	char line[CONTROL_LINE_MAX];
	struct slice lines;
	int code = parse_arguments(argc, argv, &arguments);
	if (code)
		return code;
	if (!write_line(&arguments, line, sizeof line))
		return cli_usage("not the name of a file or a view");
	code = cli_control_ask(arguments.file, line, &lines);
	if (code)
		return code;
	if (strcmp(arguments.what, "status") == 0) {
		slice_take_line(&lines); /* the state, which stands below as well */
		fwrite(lines.at, 1, lines.len, stdout);
	}
	return order(&arguments);
}
