/* control_ask.h - what the verbs that tell the running program something have in common: where its
 * control socket is, and how to say that nobody listens there. */
#ifndef PROXY_CLI_CONTROL_ASK_H
#define PROXY_CLI_CONTROL_ASK_H

#include <limits.h>

#include "proxy/control/control_client.h"

/* The control socket that a configuration file names; or `file` is that socket itself, for when the
 * configuration file does not load any more and the program serves all the same. EXIT_FINE, or
 * another exit_code after a message. */
int cli_control_find(const char *file, char path[PATH_MAX]);

/* Says a line at a socket. EXIT_FINE and the answer, which lives until the next call, or another
 * exit_code after a message. */
int cli_control_say(const char *path, const char *line, struct slice *lines);

/* Both, one after the other. */
int cli_control_ask(const char *file, const char *line, struct slice *lines);

/* Prints what is told page by page: asks "`verb` NUMBER" from 0 on, until a page's last line is
 * "next 0". `first_line` says what becomes of the line that each page begins with. Between two
 * pages the program may have changed, but after `pages_max` it ends. An exit_code. */
enum control_first_line { CONTROL_FIRST_LINE_KEPT, CONTROL_FIRST_LINE_DROPPED };
int cli_control_print_pages(
	const char *file, const char *verb, enum control_first_line first_line, unsigned pages_max);

#endif
