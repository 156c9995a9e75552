/* utc.h - moments as people write them (RFC 3339, always in UTC) and as programs count them:
 * seconds since 1970. The C library's own depend on the process's time zone. Pure. */
#ifndef BASE_UTC_H
#define BASE_UTC_H

#include "base/slice.h"
#include "base/writer.h"

/* "2027-03-01T12:00:00Z", or "2027-03-01": its first second. Years 1970 to 9999; false when it is
 * anything else, or no such day (a leap second is none). */
bool utc_parse(struct slice text, int64_t *seconds);

enum { UTC_TEXT_LEN = 20 };

/* The first form, UTC_TEXT_LEN bytes; what is outside of the years above is written as the nearest
 * moment inside. */
void utc_write(struct writer *to, int64_t seconds);

/* Has the year a 29 February? Years from 1 on. */
bool utc_is_leap(int64_t year);

#endif
