/* revisions_order.c - one is put back, or let go. The running program is told over its control
 * socket: its state directory need not be readable. */
#include "proxy/cli/revisions.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/number.h"
#include "proxy/cli/cli.h"
#include "proxy/cli/control_ask.h"
#include "proxy/cli/revisions_running.h"

enum { POLL_MS = 200, POLLS_MAX = 300 };

bool cli_revisions_number(const char *text, uint32_t *number)
{
	uint64_t value;
	bool good = number_parse(text, 1, UINT32_MAX - 1, &value);
	*number = (uint32_t)value;
	return good;
}

static int ask(const char *file, const char *line, struct running *running)
{
	char socket[PATH_MAX];
	struct slice lines;
	int code = cli_control_find(file, socket);
	if (!code)
		code = cli_control_say(socket, line, &lines);
	if (code)
		return code;
	for (int i = 0; i < POLLS_MAX; i++) {
		usleep(POLL_MS * 1000);
		if (cli_revisions_running(socket, running) && !running->is_loading)
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

static int rollback(const char *file, int count, char **words, const char *because)
{
	struct running running;
	uint32_t number;
	char line[CONTROL_LINE_MAX];
	struct writer to = writer_of(line, sizeof line - 1);
	if (count != 2 || !cli_revisions_number(words[1], &number))
		return cli_usage("revisions rollback needs the number of a revision");
	if (!because || !*because)
		return cli_usage("revisions rollback needs --because \"...\"");
	writer_text(&to, "revisions rollback ");
	writer_decimal(&to, number);
	writer_u8(&to, ' ');
	control_word_write(&to, slice_of_text(because));
	if (to.failed)
		return cli_usage("the reason is too long");
	line[to.len] = '\0';
	int code = ask(file, line, &running);
	return code ? code : tell_outcome(&running, number);
}

static int unpin(const char *file, int count)
{
	struct running running;
	if (count != 1)
		return cli_usage("revisions unpin takes nothing more");
	int code = ask(file, "revisions unpin", &running);
	return code ? code : tell_outcome(&running, 0);
}

bool cli_revisions_is_order(const char *word)
{
	return strcmp(word, "rollback") == 0 || strcmp(word, "unpin") == 0;
}

int cli_revisions_order(const char *file, int count, char **words, const char *because)
{
	return strcmp(words[0], "unpin") == 0 ? unpin(file, count)
					      : rollback(file, count, words, because);
}
