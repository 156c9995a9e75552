/* format.h - what a list format must bring, and the words that formats share.
 * A format sees one line at a time, without comment and outer blanks, never empty, never longer
 * than LIST_LINE_MAX, and tells patterns and rejects. It keeps no state of its own. */
#ifndef RULES_LISTS_FORMAT_H
#define RULES_LISTS_FORMAT_H

#include "rules/list.h"

struct list_reading {
	const struct list_sink *sink;
	uint32_t line;
	int error;            /* what on_pattern returned; nothing more is told then */
	struct slice address; /* hosts: the last word that was found to be an address */
};

struct list_format_type {
	const char *name;
	bool comment_anywhere; /* '#' ends a line wherever it stands */
	void (*read_line)(struct list_reading *reading, struct slice line);
	/* Instead, where lines do not stand for themselves (zone files): reads all of it, and keeps
	 * reading->line at where it is. NULL for most. */
	void (*read_text)(struct list_reading *reading, struct slice text);
};

extern const struct list_format_type list_format_domains;
extern const struct list_format_type list_format_hosts;
extern const struct list_format_type list_format_wildcard;

void list_tell_pattern(
	struct list_reading *reading, const struct dns_name *name, enum pattern_kind kind);
void list_tell_facet(struct list_reading *reading, const struct dns_name *name,
	enum pattern_kind kind, const struct facet *facet);
void list_tell_network(
	struct list_reading *reading, const struct network *network, const struct facet *facet);
void list_tell_reject(struct list_reading *reading, enum list_reject reject, struct slice text);

/* Takes the next word off the front of `line`; empty when there is none left. */
struct slice list_take_word(struct slice *line);

/* Takes a leading "*." off. "*" and "*." alone leave nothing. */
bool list_take_asterisk(struct slice *text);

/* A name, lower case; LIST_REJECT_NONE or why it is none. */
enum list_reject list_read_name(struct slice text, struct dns_name *name);

/* An IP address or network, alone? */
bool list_is_address(struct slice text);

#endif
