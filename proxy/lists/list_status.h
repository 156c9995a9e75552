/* list_status.h - what is known of a list of the running policy, as people and programs read it
 * ("namegate lists"). Pure: the time is given, nothing is allocated. */
#ifndef PROXY_LISTS_LIST_STATUS_H
#define PROXY_LISTS_LIST_STATUS_H

#include "base/writer.h"
#include "proxy/lists/guard.h"
#include "rules/image.h"

enum list_standing {
	LIST_STANDING_GOOD,        /* the last edition that was seen is in force */
	LIST_STANDING_QUARANTINED, /* a guard refused it: the one before is in force, if any */
	LIST_STANDING_NOT_LOADED,  /* nothing is in force */
};

/* Borrowed texts: they live as long as whoever filled it in says. Times are seconds since 1970; 0
 * is never. */
struct list_status {
	const char *name;
	const char *origin; /* "url", "file", "image", "inline" */
	const char *source; /* URL or path; NULL or empty: inline */
	const char *format; /* its name; NULL: not known yet */
	const char *etag;   /* of what is in force; NULL or empty: none */
	enum list_standing standing;
	enum list_fault fault; /* of the last attempt; a list may be good with the one before */
	const char *why;       /* a sentence; NULL or empty when all is well */
	uint64_t entry_count;  /* in force */
	uint64_t covered_count;
	uint64_t reject_counts[LIST_REJECT_COUNT];
	uint64_t byte_count;          /* of the edition in force, as it came */
	uint8_t hash[IMAGE_HASH_LEN]; /* of its entries; zeros: not loaded */
	int64_t last_attempt_s;
	int64_t last_success_s; /* it was asked for, and the answer is in force (or was already) */
	int64_t last_change_s;  /* its entries became others */
	int64_t next_attempt_s;
};

/* One JSON object on one line, without a newline. What is not known is left out. Its size is
 * bounded by that of the texts in it. */
void list_status_write_json(struct writer *to, const struct list_status *status);

enum { LIST_TABLE_COLUMNS = 9 };

/* An aligned table: measure every list, then write head and rows. */
struct list_table {
	int64_t now_s;
	size_t widths[LIST_TABLE_COLUMNS]; /* in characters */
};

struct list_table list_table_of(int64_t now_s);
void list_table_measure(struct list_table *table, const struct list_status *status);
void list_table_write_head(struct writer *to, const struct list_table *table);
/* One line, and one more where something is wrong with the list. */
void list_table_write_row(
	struct writer *to, const struct list_table *table, const struct list_status *status);

/* "2h ago", "in 5m", "now"; "never" for 0. At most 24 bytes. */
void list_status_write_age(struct writer *to, int64_t at_s, int64_t now_s);

#endif
