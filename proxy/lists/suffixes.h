/* suffixes.h - names directly below which anybody can have a name of his own: "com", "co.uk",
 * "github.io" (the public suffix list, publicsuffix.org). An entry that covers one of them takes
 * many sites with it that have nothing to do with each other. Only here is libpsl known. */
#ifndef PROXY_LISTS_SUFFIXES_H
#define PROXY_LISTS_SUFFIXES_H

#include "base/slice.h"

enum suffix_kind {
	SUFFIX_NONE,
	SUFFIX_ICANN,   /* of a registry */
	SUFFIX_PRIVATE, /* of somebody who gives names away: hosting, dynamic DNS */
	SUFFIX_TOP,     /* a top-level domain that the list does not know */
	SUFFIX_ROOT,    /* the root: every name */
};

struct suffixes;

/* The newest list that this system has: its own file, or what the library brings. NULL when there
 * is none. Allocates and reads; read by any number of threads afterwards. */
struct suffixes *suffixes_open(void);
void suffixes_close(struct suffixes *suffixes); /* NULL is fine */

/* Which kind a checked wire name in lower case is. Where the list has "*.example", "example" is one
 * as well. */
enum suffix_kind suffixes_find(const struct suffixes *suffixes, struct slice name);

/* What it is, behind "is ": "a public suffix (ICANN section)". */
const char *suffix_kind_text(enum suffix_kind kind);
/* "icann": for programs. */
const char *suffix_kind_name(enum suffix_kind kind);

#endif
