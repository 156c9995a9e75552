/* cli.h - the command line: one verb, one file. To add a verb: a file here and a row in main.c. */
#ifndef PROXY_CLI_CLI_H
#define PROXY_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>

enum exit_code {
	EXIT_FINE = 0,
	EXIT_FAILED = 1,    /* at run time */
	EXIT_USAGE = 2,     /* the command line */
	EXIT_DIFFERENT = 3, /* of replay: there are differences */
	EXIT_CONFIG = 78,   /* EX_CONFIG of sysexits.h */
};

struct cli_verb {
	const char *name;
	const char *arguments;
	const char *summary;
	/* argv[0] is the verb. Gives an exit_code. */
	int (*run)(int argc, char **argv);
};

int cli_report(int argc, char **argv);
int cli_allow(int argc, char **argv);
int cli_block(int argc, char **argv);
int cli_exceptions(int argc, char **argv);
int cli_revisions(int argc, char **argv);
int cli_run(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_compile(int argc, char **argv);
int cli_explain(int argc, char **argv);
int cli_fetch(int argc, char **argv);
int cli_flush(int argc, char **argv);
int cli_learn(int argc, char **argv);
int cli_lint(int argc, char **argv);
int cli_lists(int argc, char **argv);
int cli_replay(int argc, char **argv);
int cli_token(int argc, char **argv);
int cli_shadow(int argc, char **argv);
int cli_version(int argc, char **argv);

/* "-c FILE" alone; NULL after a message when it is not that. */
const char *cli_config_argument(int argc, char **argv);

/* lint of a configuration's policy instead of a list. */
struct lint_policy_arguments {
	const char *config_file;
	bool json;
	bool strict;  /* notes make it fail as well */
	uint64_t max; /* findings that are told; the others are counted */
};
int cli_lint_policy(const struct lint_policy_arguments *arguments);
/* For check: the warnings on standard error, and how many there are of all. Looks for some seconds
 * at most, and leaves out what loading has warned of. */
struct snapshot;
void cli_lint_warn(const struct snapshot *snapshot);

/* Says what is wrong with the command line; gives EXIT_USAGE. */
__attribute__((format(printf, 1, 2))) int cli_usage(const char *format, ...);

#endif
