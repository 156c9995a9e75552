/* flush.c - tells the running program to forget cached answers. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "dns/name.h"
#include "proxy/cli/cli.h"
#include "proxy/cli/control_ask.h"

struct flush_arguments {
	const char *file;
	const char *name; /* NULL: all */
	bool below;
	bool all;
};

static int parse_arguments(int argc, char **argv, struct flush_arguments *arguments)
{
	static const struct option options[] = {
		{ "below", no_argument, NULL, 'b' },
		{ "all", no_argument, NULL, 'a' },
		{ 0 },
	};
	opterr = 0;
	for (int option; (option = getopt_long(argc, argv, "c:", options, NULL)) != -1;) {
		switch (option) {
		case 'c': arguments->file = optarg; break;
		case 'b': arguments->below = true; break;
		case 'a': arguments->all = true; break;
		default: return cli_usage("flush does not know \"%s\"", argv[optind - 1]);
		}
	}
	if (optind < argc)
		arguments->name = argv[optind++];
	bool is_one =
		arguments->all ? !arguments->name && !arguments->below : arguments->name != NULL;
	if (!arguments->file || optind < argc || !is_one)
		return cli_usage("flush needs -c FILE, and a NAME (with --below or not) or --all");
	return EXIT_FINE;
}

/* The line that is said; false when the name is none. */
static bool write_line(const struct flush_arguments *arguments, char *line, size_t size)
{
	struct dns_name name;
	char text[DNS_NAME_TEXT_MAX];
	if (arguments->all) {
		snprintf(line, size, "flush all");
		return true;
	}
	if (!dns_name_from_text(&name, slice_of_text(arguments->name)))
		return false;
	snprintf(line, size, "flush %s %s", arguments->below ? "below" : "name",
		dns_name_text(dns_name_slice(&name), text));
	return true;
}

int cli_flush(int argc, char **argv)
{
	struct flush_arguments arguments = { 0 };
	struct slice lines;
	char line[DNS_NAME_TEXT_MAX + 16];
	int code = parse_arguments(argc, argv, &arguments);
	if (code)
		return code;
	if (!write_line(&arguments, line, sizeof line))
		return cli_usage("\"%s\" is not a domain name", arguments.name);
	code = cli_control_ask(arguments.file, line, &lines);
	if (code == EXIT_FINE)
		fwrite(lines.at, 1, lines.len, stdout);
	return code;
}
