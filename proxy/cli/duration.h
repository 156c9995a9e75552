/* duration.h - "30m", "90d": how long, on the command line, spelled as in the configuration. */
#ifndef PROXY_CLI_DURATION_H
#define PROXY_CLI_DURATION_H

#include <stdbool.h>
#include <stdint.h>

enum { CLI_DURATION_DAYS_MAX = 36500 };

/* A number and one of s, m, h, d. False when it is not that, is 0, or is longer than
 * CLI_DURATION_DAYS_MAX days. */
bool cli_duration_parse(const char *text, int64_t *seconds);

#endif
