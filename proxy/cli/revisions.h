/* revisions.h - the parts of `namegate revisions`; for its files alone. */
#ifndef PROXY_CLI_REVISIONS_H
#define PROXY_CLI_REVISIONS_H

#include "proxy/revisions/revisions.h"

/* Prints what is different in two kept revisions. Gives an exit_code. */
int cli_revisions_diff(const char *state_directory, uint32_t from, uint32_t to);

#endif
