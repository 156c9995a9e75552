/* list_report.h - what each list is worth: what it has that others have not, what it costs, and
 * what it did in recorded query logs. For the command line, off the loops. */
#ifndef PROXY_LIST_REPORT_H
#define PROXY_LIST_REPORT_H

#include "proxy/lists/lists.h"
#include "proxy/replay/log_line.h"
#include "rules/list_values.h"

/* What a list did, line by line of the logs, by the rules as they are now. */
struct list_deeds {
	uint64_t hits;    /* lines in which it holds a name or an address, and a rule of the view
			     looks at it */
	uint64_t blocks;  /* that it decided */
	uint64_t only;    /* of these: without it they would not have been blocked */
	uint64_t changes; /* lines that would have been decided in another way without it */
};

enum list_advice {
	LIST_KEEP,
	LIST_UNUSED,    /* no rule looks at it */
	LIST_EMPTY,     /* it has no entries */
	LIST_NEVER_HIT, /* nothing in the logs: a note, not an advice to drop it */
	LIST_DROP,      /* others have nearly all of it, and without it nothing in the logs would
			   have been decided in another way; where there are no logs, those others
			   are in rules of the same actions */
};

struct list_report_row {
	const char *name;
	bool is_loaded;
	bool is_used;            /* by a rule */
	unsigned actions;        /* of those rules: bits of enum action */
	struct list_value value; /* zeros when it is not loaded */
	struct list_deeds deeds;
	enum list_advice advice;
	size_t like; /* DROP: the list that has the most of it */
};

struct list_report {
	struct list_report_row *rows; /* as in the configuration */
	size_t count;
	uint64_t *overlap; /* [a * count + b], see list_values.h */
	uint64_t names;
	uint64_t image_bytes;
	uint64_t lines;    /* good ones */
	uint64_t judged;   /* less those of no view */
	uint64_t blocked;  /* by the rules as they are now ... */
	uint64_t by_lists; /* ... of these by rules about lists; the others: default_action,
			      rebinding protection */
	uint64_t recorded; /* that the log says were blocked */
	struct report_variants *variants;
};

/* 0 or ERR_NO_MEMORY. All that is given stays until list_report_deinit(). */
int list_report_init(struct list_report *report, const struct config *config,
	const struct lists *lists, const struct policy *policy);
void list_report_deinit(struct list_report *report);

/* Judges one line, with and without each list that it is about. False when out of memory. */
bool list_report_add(struct list_report *report, const struct log_line *line);

/* After the last line: what to do. Each advice is about its list alone: after one was dropped, the
 * others have to be looked at again. Of two lists that have each other's names only the larger one
 * is to be dropped. */
void list_report_advise(struct list_report *report);

/* "drop" */
const char *list_advice_name(enum list_advice advice);

#endif
