/* list.h - domain lists: what a line of each format means.
 * To add a format: a file in rules/lists/ with one `list_format_type`, and a row in list.c.
 * Meaning belongs to the format, never to the engine: every format turns its lines into patterns.
 */
#ifndef RULES_LIST_H
#define RULES_LIST_H

#include "base/address.h"
#include "dns/name.h"
#include "rules/facet.h"

enum list_format {
	LIST_DOMAINS,
	LIST_HOSTS,
	LIST_WILDCARD,
	LIST_ADBLOCK,
	LIST_DNSMASQ,
	LIST_UNBOUND,
	LIST_BIND,
	LIST_DNSCRYPT,
	LIST_RPZ,
	LIST_NETWORKS,
	LIST_FORMAT_COUNT,
	LIST_AUTO = LIST_FORMAT_COUNT /* not named: whoever loads the list finds out first */
};

/* What a pattern covers: the name itself, the names below it, or both. "*" is the root with both:
 * every name, the root included. */
enum pattern_kind { PATTERN_EXACT = 1, PATTERN_BELOW = 2, PATTERN_BOTH = 3 };

/* One thing that a line says. Dies with the call it is given to. */
struct list_pattern {
	const struct dns_name *name; /* lower case, without the asterisk */
	enum pattern_kind kind;
	const struct facet *facet;
	uint32_t line;
};

/* The same of the addresses of an answer (networks; RPZ's rpz-ip). */
struct list_network {
	struct network network;
	const struct facet *facet;
	uint32_t line;
};

/* Why a line was left out. Comments and empty lines are not rejected, they are nothing. */
enum list_reject {
	LIST_REJECT_NONE,
	LIST_REJECT_NOT_A_NAME, /* not a domain name */
	LIST_REJECT_TOO_LONG,   /* name, line, or what is counted in it */
	LIST_REJECT_ASTERISK,   /* an asterisk that is not the whole leftmost label */
	LIST_REJECT_ADDRESS,    /* an IP address where a name belongs */
	LIST_REJECT_NO_NAME,    /* a hosts line without a name */
	LIST_REJECT_NOT_ASCII,  /* not an internationalised name that can be looked up */
	LIST_REJECT_SYNTAX,     /* not a line of this format */
	LIST_REJECT_NOT_DNS,  /* good in its format, but not about whole names, or no rule at all */
	LIST_REJECT_TRIGGER,  /* RPZ: rpz-nsdname, rpz-nsip, rpz-client-ip */
	LIST_REJECT_ANSWER,   /* an answer that cannot be given: type, syntax or length */
	LIST_REJECT_TOO_MANY, /* different answers or exceptions, each of which is a facet */
	LIST_REJECT_DUPLICATE, /* the same pattern stood before in this list: counted, not an error
				*/
	LIST_REJECT_COUNT,
};

enum {
	LIST_LINE_MAX = 8192,       /* bytes of a line without its comment */
	LIST_REJECT_TEXT_MAX = 256, /* bytes of a rejected word that are told */
};

const char *list_reject_text(enum list_reject reject);
/* "not_a_name": for programs. */
const char *list_reject_name(enum list_reject reject);
const char *list_format_name(enum list_format format);
bool list_format_parse(const char *text, enum list_format *format);

/* Receives what a list holds, line by line; line numbers start at 1. (Records of an answer may
 * stand apart in a policy zone; they come last.) */
struct list_sink {
	/* 0, or an error that ends the reading. */
	int (*on_pattern)(void *context, const struct list_pattern *pattern);
	/* The same; may be NULL. */
	int (*on_network)(void *context, const struct list_network *network);
	/* `text` is the word or line that was left out, at most LIST_REJECT_TEXT_MAX bytes of it;
	 * any bytes may be in it. May be NULL. */
	void (*on_reject)(void *context, uint32_t line, enum list_reject reject, struct slice text);
	void *context;
};

/* Reads a whole list. A bad line never stops it: it is told to the sink and left out.
 * CR LF, a UTF-8 byte order mark, a missing last newline and NUL bytes are survived. '#' begins a
 * comment at the start of a line and after a blank (in hosts files anywhere, hosts(5)). Names are
 * letters, digits, '-', '_' and dots; every other byte is written as an escape (RFC 1035 5.1), or
 * is UTF-8 of an internationalised name (rules/idn.h).
 * A name that ends in a number is an address or nothing (RFC 3696 2), the root alone is no name.
 * 0, or what on_pattern returned. */
int list_read(enum list_format format, struct slice text, const struct list_sink *sink);

/* Which format is it? By the first some hundred lines, when they are surely of one format and of no
 * other. Plain names are never recognised: "domains", "wildcard" and "dnscrypt" look alike. */
bool list_recognise(struct slice text, enum list_format *format);

/* Where a list says something. */
struct list_line {
	uint32_t number;   /* from 1 */
	struct slice text; /* without its line feed; lives as long as the list's text */
};

/* Reads a list again for the line that an entry comes from: of those with its name (lower case),
 * the first that says kind and facet, else one that says part of it (equal entries may be one).
 * For people: takes as long as reading. False when there is none. */
bool list_find_entry(enum list_format format, struct slice text, struct slice name,
	enum pattern_kind kind, const struct facet *facet, struct list_line *found);

/* A pattern as text: "*.example.com." or "example.com."; for PATTERN_BOTH the name alone, and "*."
 * for the root. Asterisks that stand for themselves are escaped. */
void list_pattern_write_text(struct writer *to, struct slice name, enum pattern_kind kind);

#endif
