/* exceptions.c - allow, block, exceptions: what the running program lets through or blocks for a
 * time, whatever its rules say. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/name.h"
#include "proxy/cli/cli.h"
#include "proxy/cli/control_ask.h"
#include "proxy/cli/duration.h"
#include "rules/exceptions.h"
#include "rules/idn.h"

enum { PAGES_MAX = EXCEPTIONS_MAX + 1 };

/* ---- allow, block ---- */

struct wish {
	const char *file;
	const char *name;
	const char *how_long; /* as given */
	const char *view;     /* NULL: every view */
	const char *because;
	bool below;
};

/* Names in other scripts are looked up as lists' are. */
static bool read_name(const char *given, struct dns_name *name)
{
	char ascii[DNS_NAME_TEXT_MAX];
	struct writer to = writer_of(ascii, sizeof ascii);
	struct slice text = slice_of_text(given);
	for (const char *at = given; *at; at++) {
		if ((unsigned char)*at < 0x80)
			continue;
		if (!idn_to_ascii(&to, text))
			return false;
		text = writer_slice(&to);
		break;
	}
	return dns_name_from_text(name, text);
}

static int check_wish(const struct wish *wish, const char *verb)
{
	int64_t seconds;
	struct dns_name name;
	if (!wish->file || !wish->name || !wish->how_long || !wish->because)
		return cli_usage(
			"%s needs -c FILE, a NAME, --for DURATION and --because WHY", verb);
	if (!cli_duration_parse(wish->how_long, &seconds))
		return cli_usage(
			"\"%s\" is not a duration such as 90s, 30m, 2h or 7d", wish->how_long);
	if (!read_name(wish->name, &name))
		return cli_usage("\"%s\" is not a domain name", wish->name);
	return EXIT_FINE;
}

static int parse_wish(int argc, char **argv, struct wish *wish)
{
	static const struct option options[] = {
		{ "for", required_argument, NULL, 'f' },
		{ "view", required_argument, NULL, 'v' },
		{ "because", required_argument, NULL, 'w' },
		{ "below", no_argument, NULL, 'b' },
		{ 0 },
	};
	opterr = 0;
	for (int option; (option = getopt_long(argc, argv, "c:", options, NULL)) != -1;) {
		switch (option) {
		case 'c': wish->file = optarg; break;
		case 'f': wish->how_long = optarg; break;
		case 'v': wish->view = optarg; break;
		case 'w': wish->because = optarg; break;
		case 'b': wish->below = true; break;
		default:
			return cli_usage("%s does not know \"%s\", or it lacks its value", argv[0],
				argv[optind - 1]);
		}
	}
	if (optind < argc)
		wish->name = argv[optind++];
	if (optind < argc)
		return cli_usage("%s takes one NAME, not \"%s\" too", argv[0], argv[optind]);
	return check_wish(wish, argv[0]);
}

static bool write_wish(const struct wish *wish, const char *action, struct writer *to)
{
	struct dns_name name;
	int64_t seconds;
	if (!read_name(wish->name, &name) || !cli_duration_parse(wish->how_long, &seconds))
		return false;
	writer_text(to, "exceptions add ");
	writer_text(to, action);
	writer_text(to, wish->below ? " both " : " exact ");
	dns_name_write_text(to, dns_name_slice(&name));
	writer_text(to, " ");
	writer_decimal(to, (uint64_t)seconds);
	writer_text(to, " ");
	control_word_write(to, slice_of_text(wish->because));
	if (wish->view)
		writer_text(to, " ");
	if (wish->view)
		control_word_write(to, slice_of_text(wish->view));
	writer_u8(to, 0);
	return !to->failed;
}

static int say_wish(int argc, char **argv, const char *action)
{
	struct wish wish = { 0 };
	struct slice lines;
	char line[CONTROL_LINE_MAX - 1]; /* with a NUL, and it gets a newline */
	struct writer to = writer_of(line, sizeof line);
	int code = parse_wish(argc, argv, &wish);
	if (code)
		return code;
	if (!*wish.because || (wish.view && !*wish.view) || !write_wish(&wish, action, &to))
		return cli_usage("a reason is needed: up to 200 bytes of text on one line");
	code = cli_control_ask(wish.file, line, &lines);
	if (code == EXIT_FINE)
		fwrite(lines.at, 1, lines.len, stdout);
	return code;
}

int cli_allow(int argc, char **argv)
{
	return say_wish(argc, argv, "ALLOW");
}

int cli_block(int argc, char **argv)
{
	return say_wish(argc, argv, "BLOCK");
}

/* ---- exceptions ---- */

struct arguments {
	const char *file;
	const char *ended; /* the number of one; NULL: tell */
	bool json;
};

static int parse_arguments(int argc, char **argv, struct arguments *arguments)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	opterr = 0;
	for (int option; (option = getopt_long(argc, argv, "c:", options, NULL)) != -1;) {
		switch (option) {
		case 'c': arguments->file = optarg; break;
		case 'j': arguments->json = true; break;
		default: return cli_usage("exceptions does not know \"%s\"", argv[optind - 1]);
		}
	}
	bool is_end = argc - optind == 2 && strcmp(argv[optind], "end") == 0;
	if (is_end)
		arguments->ended = argv[optind + 1];
	if (!arguments->file || (!is_end && optind < argc) || (is_end && arguments->json))
		return cli_usage("exceptions needs -c FILE, and --json, or \"end\" and a number");
	if (is_end &&
		(strspn(arguments->ended, "0123456789") != strlen(arguments->ended) ||
			!*arguments->ended || strlen(arguments->ended) > 10))
		return cli_usage("\"%s\" is not the number of an exception", arguments->ended);
	return EXIT_FINE;
}

int cli_exceptions(int argc, char **argv)
{
	struct arguments arguments = { 0 };
	struct slice lines;
	char line[64];
	int code = parse_arguments(argc, argv, &arguments);
	if (code)
		return code;
	if (!arguments.ended)
		return cli_control_print_pages(arguments.file,
			arguments.json ? "exceptions json" : "exceptions text",
			CONTROL_FIRST_LINE_KEPT, PAGES_MAX);
	snprintf(line, sizeof line, "exceptions end %s", arguments.ended);
	code = cli_control_ask(arguments.file, line, &lines);
	if (code == EXIT_FINE)
		fwrite(lines.at, 1, lines.len, stdout);
	return code;
}
