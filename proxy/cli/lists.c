/* lists.c - what the running program knows of its lists; and "try now", "take it all the same". */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/cli/cli.h"
#include "proxy/cli/control_ask.h"

enum { PAGES_MAX = 4096 }; /* lists_max and then some: each page has at least one */

struct lists_arguments {
	const char *file;
	const char *what; /* "refresh", "accept"; NULL: tell */
	const char *name; /* NULL: all */
	bool json;
};

static int parse_words(struct lists_arguments *arguments, int count, char **words)
{
	bool is_accept = count > 0 && strcmp(words[0], "accept") == 0;
	bool is_refresh = count > 0 && strcmp(words[0], "refresh") == 0;
	if (count > 0 && !is_accept && !is_refresh)
		return cli_usage("lists does not know \"%s\"", words[0]);
	if (!arguments->file)
		return cli_usage("lists needs -c FILE");
	if (arguments->json && count > 0)
		return cli_usage("lists %s has no --json", words[0]);
	if (is_accept && count != 2)
		return cli_usage("lists accept needs one NAME");
	if (is_refresh && count > 2)
		return cli_usage("lists refresh takes one NAME, or none for all");
	arguments->what = count > 0 ? words[0] : NULL;
	arguments->name = count > 1 ? words[1] : NULL;
	return EXIT_FINE;
}

static int parse_arguments(int argc, char **argv, struct lists_arguments *arguments)
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
		default: return cli_usage("lists does not know \"%s\"", argv[optind - 1]);
		}
	}
	return parse_words(arguments, argc - optind, argv + optind);
}

static int order(const struct lists_arguments *arguments)
{
	char line[CONTROL_LINE_MAX];
	struct slice lines;
	struct writer to = writer_of(line, sizeof line - 1);
	writer_text(&to, "lists ");
	writer_text(&to, arguments->what);
	if (arguments->name) {
		writer_u8(&to, ' ');
		control_word_write(&to, slice_of_text(arguments->name));
	}
	if (to.failed || (arguments->name && !arguments->name[0]))
		return cli_usage("\"%s\" is not the name of a list", arguments->name);
	line[to.len] = '\0';
	int code = cli_control_ask(arguments->file, line, &lines);
	if (code == EXIT_FINE)
		fwrite(lines.at, 1, lines.len, stdout);
	return code;
}

int cli_lists(int argc, char **argv)
{
	struct lists_arguments arguments = { 0 };
	int code = parse_arguments(argc, argv, &arguments);
	if (code)
		return code;
	if (arguments.what)
		return order(&arguments);
	return cli_control_print_pages(arguments.file, arguments.json ? "lists json" : "lists text",
		CONTROL_FIRST_LINE_DROPPED, PAGES_MAX);
}
