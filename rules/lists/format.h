/* format.h - what a list format must bring, and the words that formats share.
 * A format sees one line at a time, without comment and outer blanks, never empty, never longer
 * than LIST_LINE_MAX, and tells patterns and rejects. It keeps no state of its own: what must be
 * remembered from line to line lives on the stack of its read_text. */
#ifndef RULES_LISTS_FORMAT_H
#define RULES_LISTS_FORMAT_H

#include "rules/list.h"

struct list_reading {
	const struct list_sink *sink;
	uint32_t line;
	int error;            /* what on_pattern returned; nothing more is told then */
	struct slice address; /* hosts: the last word that was found to be an address */
};

enum list_comments {
	LIST_COMMENTS_APART,    /* '#' at the start of a line and after a blank */
	LIST_COMMENTS_ANYWHERE, /* '#' wherever it stands */
	LIST_COMMENTS_OWN,      /* the format looks for its own */
};

/* What a line tells about the format that it was written in. */
enum list_likeness {
	LIST_FOREIGN,  /* not a line of this format */
	LIST_NEUTRAL,  /* a comment or a header: nothing is to be learned from it */
	LIST_POSSIBLE, /* of this one, and perhaps of others */
	LIST_SURE,     /* of this one, hardly of another */
};

struct list_format_type {
	const char *name;
	enum list_comments comments;
	void (*read_line)(struct list_reading *reading, struct slice line);
	/* Instead, where lines do not stand for themselves (zone files): reads all of it, and keeps
	 * reading->line at where it is. NULL for most. */
	void (*read_text)(struct list_reading *reading, struct slice text);
	/* For list_recognise(); the line as read_line gets it. NULL: never recognised. */
	enum list_likeness (*resembles)(struct slice line);
};

extern const struct list_format_type list_format_domains;
extern const struct list_format_type list_format_hosts;
extern const struct list_format_type list_format_wildcard;
extern const struct list_format_type list_format_adblock;
extern const struct list_format_type list_format_dnsmasq;
extern const struct list_format_type list_format_unbound;
extern const struct list_format_type list_format_bind;
extern const struct list_format_type list_format_dnscrypt;
extern const struct list_format_type list_format_rpz;
extern const struct list_format_type list_format_networks;

/* The row of a format in list.c. */
const struct list_format_type *list_format_of(enum list_format format);

void list_tell_pattern(
	struct list_reading *reading, const struct dns_name *name, enum pattern_kind kind);
void list_tell_facet(struct list_reading *reading, const struct dns_name *name,
	enum pattern_kind kind, const struct facet *facet);
void list_tell_network(
	struct list_reading *reading, const struct network *network, const struct facet *facet);
void list_tell_reject(struct list_reading *reading, enum list_reject reject, struct slice text);

/* Without blanks at both ends. */
struct slice list_trim(struct slice text);

/* Takes the next line off the front of `text`, without outer blanks, and without a comment where
 * the format leaves that to others; empty ones too. False when there is none left. */
bool list_take_line(struct slice *text, enum list_comments comments, struct slice *line);

/* Takes `prefix` off the front. */
bool list_take_prefix(struct slice *text, const char *prefix);
bool list_take_suffix(struct slice *text, const char *suffix);

/* Takes the next word off the front of `line`; empty when there is none left. */
struct slice list_take_word(struct slice *line);

/* Takes a leading "*." off. "*" and "*." alone leave nothing. */
bool list_take_asterisk(struct slice *text);

/* A name, lower case, internationalised ones as A-labels; LIST_REJECT_NONE or why it is none. */
enum list_reject list_read_name(struct slice text, struct dns_name *name);

/* An IP address or network, alone? */
bool list_is_address(struct slice text);

#endif
