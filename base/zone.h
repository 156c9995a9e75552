/* zone.h - how far a place's clock is from UTC at a time: what a TZif file says (RFC 8536), read
 * from bytes. The C library knows one zone at a time and for all threads, a policy knows several.
 * Pure: whoever calls opens the file. */
#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include "base/arena.h"
#include "base/slice.h"

struct zone;

enum { ZONE_FILE_MAX = 256 * 1024 };

/* Reads a TZif file of version 1 to 4; of version 2 and later the 64-bit part and the rule at its
 * end, which says what comes after the last transition. All memory is the arena's. 0, or
 * ERR_MALFORMED, ERR_NO_MEMORY; whatever the bytes are. */
int zone_read(struct zone **zone, struct slice tzif, struct arena *memory);

/* Seconds east of UTC at `now_s` (seconds since 1970). NULL is UTC. */
int32_t zone_offset_s(const struct zone *zone, int64_t now_s);

#endif
