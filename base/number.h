/* number.h - numbers on the command line. */
#ifndef PROXY_CLI_NUMBER_H
#define PROXY_CLI_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* Decimal digits and nothing else. False when it is not that, or not within least..most. */
bool cli_number_parse(const char *text, uint64_t least, uint64_t most, uint64_t *number);

#endif
