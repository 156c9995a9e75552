/* revisions.h - the parts of `namegate revisions`; for its files alone. */
#ifndef PROXY_CLI_REVISIONS_H
#define PROXY_CLI_REVISIONS_H

#include "proxy/revisions/revisions.h"

/* The number of a revision; false when the text is none. */
bool cli_revisions_number(const char *text, uint32_t *number);

/* "rollback" or "unpin", and what is given with it: tells the running program, which `file` (see
 * cli_control_find()) leads to, and waits for what comes of it. Gives an exit_code. */
bool cli_revisions_is_order(const char *word);
int cli_revisions_order(const char *file, int count, char **words, const char *because);

/* Prints what is different in two kept revisions. Gives an exit_code. */
int cli_revisions_diff(const char *state_directory, uint32_t from, uint32_t to);

#endif
