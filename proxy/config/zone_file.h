/* zone_file.h - time zones by name, from the system's files (tzdata). */
#ifndef PROXY_CONFIG_ZONE_FILE_H
#define PROXY_CONFIG_ZONE_FILE_H

#include "base/arena.h"
#include "base/zone.h"

/* Room for what is wrong. */
struct zone_fault {
	char text[400];
};

/* Reads "Europe/Berlin" from $TZDIR, else /usr/share/zoneinfo; nothing outside of it. `zone` is the
 * arena's, and NULL for "UTC", which needs no file. Returns NULL, or what is wrong, to be said
 * behind the name; "" when out of memory. */
const char *zone_file_read(struct zone **zone, const char *name, struct arena *memory,
	struct arena *scratch, struct zone_fault *fault);

#endif
