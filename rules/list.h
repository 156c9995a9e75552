/* list.h - domain lists: what a line of each format means.
 * To add a format: a file in rules/lists/ with one `list_format_type`, and a row in list.c.
 * Meaning belongs to the format, never to the engine: every format turns its lines into patterns.
 */
#ifndef RULES_LIST_H
#define RULES_LIST_H

#include "dns/name.h"

enum list_format { LIST_DOMAINS, LIST_HOSTS, LIST_WILDCARD, LIST_FORMAT_COUNT };

/* What a pattern covers: the name itself, the names below it, or both. */
enum pattern_kind { PATTERN_EXACT = 1, PATTERN_BELOW = 2, PATTERN_BOTH = 3 };

/* Why a line was left out. Comments and empty lines are not rejected, they are nothing. */
enum list_reject {
	LIST_REJECT_NONE,
	LIST_REJECT_NOT_A_NAME, /* not a domain name */
	LIST_REJECT_TOO_LONG,   /* name or line */
	LIST_REJECT_ASTERISK,   /* an asterisk that is not the whole leftmost label */
	LIST_REJECT_ADDRESS,    /* an IP address where a name belongs */
	LIST_REJECT_NO_NAME,    /* a hosts line without a name */
	LIST_REJECT_NOT_ASCII,  /* write names as A-labels (xn--...) */
	LIST_REJECT_DUPLICATE,  /* the same pattern stood before in this list: counted, not an error
				 */
	LIST_REJECT_COUNT,
};

const char *list_reject_text(enum list_reject reject);
const char *list_format_name(enum list_format format);
bool list_format_parse(const char *text, enum list_format *format);

/* Receives what a list holds, line by line; line numbers start at 1. */
struct list_sink {
	/* `name` is lower case, without the asterisk; it dies with the call. 0, or an error that
	 * ends the reading. */
	int (*on_pattern)(
		void *context, const struct dns_name *name, enum pattern_kind kind, uint32_t line);
	void (*on_reject)(void *context, uint32_t line, enum list_reject reject, struct slice text);
	void *context;
};

/* Reads a whole list. A bad line never stops it: it is told to the sink and left out.
 * CR LF, a UTF-8 byte order mark, a missing last newline and NUL bytes are survived.
 * 0, or what on_pattern returned. */
int list_read(enum list_format format, struct slice text, const struct list_sink *sink);

#endif
