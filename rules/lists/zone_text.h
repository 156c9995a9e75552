/* zone_text.h - master files (RFC 1035 5), record by record: the words are taken apart, parentheses
 * and comments are gone, $ORIGIN and $TTL are obeyed. What the RDATA's words mean is zone_rdata.h.
 *
 * Everything points into the text. A bad entry is a fault of its own line, and reading goes on with
 * the line behind: so an open parenthesis or quote does not swallow the rest of the file. For the
 * same reason a string does not go over the end of a line. $INCLUDE and $GENERATE are faults. */
#ifndef RULES_LISTS_ZONE_TEXT_H
#define RULES_LISTS_ZONE_TEXT_H

#include "rules/list.h"

enum {
	ZONE_WORDS_MAX = 256,        /* of an entry */
	ZONE_ENTRY_LINES_MAX = 32,   /* of an entry in parentheses; also how often a line of an
					endless one can be looked at */
	ZONE_TTL_MAX_S = 0x7fffffff, /* RFC 2181 8 */
	ZONE_TTL_DEFAULT_S = 60,     /* where neither record, file nor SOA say anything */
};

/* As it stands there, escapes included, without quotes. */
struct zone_word {
	struct slice text;
	bool is_quoted;
};

struct zone_entry {
	struct slice text;      /* its first line, for reports */
	uint32_t line;          /* the number of that */
	enum list_reject fault; /* if there is one, nothing below holds but `owner` */
	struct slice owner;     /* empty: the same as of the entry before */
	bool is_owner_unknown;  /* a fault: what has no owner behind it, has none */
	uint16_t type;
	uint32_t ttl_s;
	const struct zone_word *rdata; /* until the next entry */
	size_t rdata_count;
};

struct zone_text {
	struct slice rest; /* what has not been read */
	uint32_t line;     /* the number of its first line */
	/* What relative names are relative to: the root until a $ORIGIN, or the reader, says
	 * another; "no name" after a bad $ORIGIN. */
	struct dns_name origin;
	bool has_origin; /* a $ORIGIN was there */
	bool has_ttl;
	uint32_t ttl_s;   /* of $TTL (RFC 2308 4), the last record (RFC 1035 5.1), or the SOA */
	bool is_ttl_said; /* by $TTL */
	size_t word_count;
	struct zone_word words[ZONE_WORDS_MAX];
};

void zone_text_begin(struct zone_text *zone, struct slice text);

/* The next record or fault; false when there is none left. */
bool zone_text_next(struct zone_text *zone, struct zone_entry *entry);

/* A name as it stands in a zone: relative, absolute, or "@". Any bytes may be in it; case is kept.
 * False when it is none. */
bool zone_name_read(struct dns_name *name, struct slice text, const struct dns_name *origin);

/* Does the text end with a dot that is not escaped? */
bool zone_name_is_absolute(struct slice text);

/* "3600" or, as BIND writes it, "1h", "1w2d3h4m5s". */
bool zone_ttl_read(struct slice text, uint32_t *ttl_s);

#endif
