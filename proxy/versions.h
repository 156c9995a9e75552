/* versions.h - what this program is made of, and of what versions. */
#ifndef PROXY_VERSIONS_H
#define PROXY_VERSIONS_H

#include <stddef.h>

struct version_row {
	const char *name; /* "namegate", "libuv", ... */
	char version[32];
};

enum { VERSION_ROWS = 7 };

/* The versions that are loaded now, which may be newer than those compiled against. */
void versions_read(struct version_row rows[VERSION_ROWS]);

#endif
