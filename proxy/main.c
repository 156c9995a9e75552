/* main.c - the verbs of the command line. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proxy/cli/cli.h"
#include "tls/start.h"

static const struct cli_verb verbs[] = {
	{ "run", "-c FILE", "serve, in the foreground", cli_run },
	{ "check", "-c FILE", "tell all errors of a configuration and its files", cli_check },
	{ "explain",
		"-c FILE NAME [--type TYPE] [--client ADDRESS] [--view NAME] [--listener NAME] "
		"[--certificate NAME]... [--token TEXT] [--path NAME] [--tls-name NAME] "
		"[--answer RECORD]... [--answer-file FILE] [--live] [--running] [--expect VERDICT] "
		"[--json]",
		"show how a question would be decided, why, and what would change it",
		cli_explain },
	{ "compile", "-c FILE -o IMAGE [--salt HEX]",
		"all lists of a configuration as one image, for many proxies to map", cli_compile },
	{ "flush", "-c FILE (NAME [--below] | --all)",
		"let the running program forget cached answers", cli_flush },
	{ "allow", "-c FILE NAME [--below] --for DURATION [--view VIEW] --because WHY",
		"let the running program let a name through for a time, whatever its rules say",
		cli_allow },
	{ "block", "-c FILE NAME [--below] --for DURATION [--view VIEW] --because WHY",
		"the same, to block it", cli_block },
	{ "exceptions", "-c FILE [--json | end NUMBER]",
		"tell what is allowed and blocked by hand; end one before its time",
		cli_exceptions },
	{ "lint", "(-c FILE | LIST [--format FORMAT]) [--json] [--max N] [--strict]",
		"tell what a policy says that can never happen, or everything that is odd about "
		"the lines of a list",
		cli_lint },
	{ "lists", "-c FILE [--json | refresh [NAME] | accept NAME]",
		"tell what the running program knows of its lists; let it try them now; take one "
		"out of quarantine",
		cli_lists },
	{ "fetch", "-c FILE NAME [-o FILE]", "fetch one list by hand, and say what came",
		cli_fetch },
	{ "report", "-c FILE [--json] [LOG...]",
		"what each list has that others have not, what it costs, and what it did in "
		"recorded logs",
		cli_report },
	{ "revisions", "-c FILE [--json | diff N [M] | rollback N --because WHY | unpin]",
		"list the policies that went live, compare two, put one back", cli_revisions },
	{ "replay",
		"-c CANDIDATE [--current FILE] LOG... [--json] [--top N] [--examples N] "
		"[--max-differences N] [--threads N]",
		"run a recorded query log through a candidate, and tell what differs", cli_replay },
	{ "token", "NAME [--for TIME]",
		"make a secret by which a client is known, and its row of the configuration",
		cli_token },
	{ "shadow",
		"-c FILE (start CANDIDATE [--share PERCENT] [--view NAME]... | stop | promote | "
		"status [--json])",
		"let the running program judge real queries by a candidate as well; put it in "
		"force",
		cli_shadow },
	{ "learn", "-c FILE --view NAME [--min-count N] LOG...",
		"print an allow-list of what a view asked for, for a default action of BLOCK",
		cli_learn },
	{ "version", "", "show versions", cli_version },
};

enum { VERB_COUNT = sizeof verbs / sizeof *verbs };

static void print_help(FILE *to)
{
	fputs("namegate: a DNS firewall for DNS over HTTPS, DNS over TLS and plain DNS\n\nusage:\n",
		to);
	for (size_t i = 0; i < VERB_COUNT; i++)
		fprintf(to, "  namegate %-8s %s\n%19s%s\n", verbs[i].name, verbs[i].arguments, "",
			verbs[i].summary);
	fputs("\nexit codes: 0; 1 failure at run time; 2 usage; 3 differences (replay); "
	      "78 bad configuration\n"
	      "signals of run: HUP reload; USR1 reopen the query log; TERM, INT finish and end\n",
		to);
}

int cli_usage(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fputs("namegate: ", stderr);
	vfprintf(stderr, format, arguments);
	fputs("\ntry: namegate help\n", stderr);
	va_end(arguments);
	return EXIT_USAGE;
}

const char *cli_config_argument(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "-c") == 0)
		return argv[2];
	cli_usage("%s needs -c FILE and nothing else", argv[0]);
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return cli_usage("no verb given");
	const char *verb = argv[1];
	if (strcmp(verb, "help") == 0 || strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0) {
		print_help(stdout);
		return EXIT_FINE;
	}
	if (strcmp(verb, "--version") == 0)
		verb = "version";
	if (!tls_start()) {
		fputs("namegate: no memory to begin with\n", stderr);
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < VERB_COUNT; i++)
		if (strcmp(verb, verbs[i].name) == 0)
			return verbs[i].run(argc - 1, argv + 1);
	return cli_usage("unknown verb \"%s\"", verb);
}
