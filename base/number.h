/* number.h - numbers that somebody has written. */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* Decimal digits and nothing else. False when it is not that, or not within least..most. */
bool number_parse(const char *text, uint64_t least, uint64_t most, uint64_t *number);

#endif
