/* syntax.h - checks the grammar of libconfig 1.5 before libconfig sees the text: it would stop at
 * the first error and say "syntax error", sometimes for a later line; it cuts numbers that do not
 * fit without a word, and joins two strings when a comma between them is missing. */
#ifndef PROXY_CONFIG_SYNTAX_H
#define PROXY_CONFIG_SYNTAX_H

#include "proxy/config/source.h"

enum {
	SYNTAX_DEPTH_MAX = 16,  /* brackets within brackets */
	SYNTAX_GROUP_MAX = 256, /* settings in one group */
};

/* The line of every setting and every element in the order of the text: libconfig gives the last
 * element of an array the line of the bracket behind it. */
struct syntax_lines {
	unsigned *at; /* malloc'd */
	size_t count;
	size_t capacity;
};

/* True when libconfig can read source->text. What can be put right (a comma too many, a name that
 * was given twice) is told and blanked out in the text, so that the rest is checked as well. */
bool syntax_check(struct source *source, struct syntax_lines *lines);
void syntax_lines_free(struct syntax_lines *lines);

#endif
