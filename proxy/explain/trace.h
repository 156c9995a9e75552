/* trace.h - all that is to be told of one decision, as plain rows: what explain_take() fills, what
 * goes over the control socket (trace_words.h) and what people and programs read (trace_print.h).
 * Texts stand for themselves, so that a trace outlives the policy that it tells of, and means the
 * same in another process. A row's fields, and their names in JSON, are in the tables of trace.c;
 * docs/explain.md says what each means. */
#ifndef PROXY_EXPLAIN_TRACE_H
#define PROXY_EXPLAIN_TRACE_H

#include "base/arena.h"
#include "base/writer.h"

enum trace_kind {
	TRACE_POLICY,
	TRACE_QUESTION,
	TRACE_VIEW,
	TRACE_OTHER_VIEW,
	TRACE_ANSWER,
	TRACE_HOP,
	TRACE_EXCEPTION,
	TRACE_RULE,
	TRACE_NEAR,
	TRACE_LIST,
	TRACE_SOURCE,
	TRACE_VERDICT,
	TRACE_CHANGE,
	TRACE_NOTE,
	TRACE_KINDS,
};

enum { TRACE_ROWS_MAX = 65536 }; /* of all kinds; what is more is left out, and said */

/* NULL is a text that is not known or does not apply; times are seconds since 1970, 0 is none. */
struct trace_policy {
	const char *from; /* "file": as it would be loaded; "running": as it decides now */
	const char *file;
	uint32_t revision; /* 0: not running */
	const char *hash;
	const char *exceptions_hash;
	int64_t now_s; /* what schedules and exceptions were judged by */
};

struct trace_question {
	const char *name;
	const char *type;
	const char *client;
	const char *listener;
	bool is_datagram;
};

struct trace_view {
	const char *name; /* NULL: nobody claims the client */
	const char *by;   /* claim_kind_name(); NULL: it was named by hand */
	const char *client_id;
	const char *claim; /* in words: "network 10.0.0.0/8" */
	const char *fault; /* why there is none */
	const char *default_action;
	const char *default_block_response;
	const char *fail_mode;
	bool is_failed; /* a list that it uses could not be loaded */
};

struct trace_other_view {
	const char *name;
	const char *why; /* "less_specific", "listener", ... */
	const char *text;
};

struct trace_answer {
	const char *from; /* "given", "live", "local_data" */
	const char *record;
};

struct trace_hop {
	uint32_t number;  /* by which rows of rules name it; not the verdict's hop */
	const char *what; /* "question", "answer", "address" */
	uint32_t place;   /* in the chain: 0 the question; of an address 0 as well */
	const char *name; /* or who has the address */
	const char *address;
	bool is_deciding;
};

struct trace_exception {
	uint32_t id;
	const char *action;
	const char *name; /* as a pattern */
	const char *kind; /* "exact", "below", "both" */
	const char *view; /* NULL: every view */
	int64_t until_s;
	const char *because;
	const char *by;
	uint32_t hops; /* how many names it decided about, this time */
};

struct trace_rule {
	uint32_t hop;
	uint32_t association; /* priority */
	bool is_observed;
	const char *group;
	const char *rule;
	uint32_t priority;
	const char *action;
	const char *block_response;
	const char *redirection;
	const char *query_type; /* NULL: every type */
	const char *schedule;   /* NULL: always */
	bool is_schedule_off;
	int64_t schedule_on_s; /* when it is next on, while it is off */
	const char *list;
	const char *outcome; /* "decides", "recorded", "would_match", or why not */
	const char *entry;   /* the pattern */
	const char *meaning; /* what the entry says beyond being listed */
	uint32_t line;       /* of the list's text; 0: not known */
	const char *line_text;
	const char *line_missing; /* why it is not known */
	/* To find the line by; not told to people. */
	const char *entry_name;
	uint32_t entry_kind;
	uint32_t facet; /* effect and what is given */
};

struct trace_near {
	uint32_t hop;
	const char *reason;
	const char *group;
	const char *rule;
	const char *action;
	const char *list;
	const char *entry;
	const char *text; /* a sentence */
};

struct trace_list {
	const char *name;
	const char *origin; /* "inline", "file", "url", "image" */
	const char *source; /* path or URL */
	const char *path;   /* of the text on this disk */
	const char *format;
	const char *hash; /* of its entries */
	int64_t fetched_s;
	const char *fault; /* why it is not there, or not the newest */
};

struct trace_source {
	const char *from; /* "nowhere", "local_data", "discovery", "special_name", "upstream_group",
			     "system_resolvers" */
	const char *name;
	bool is_routed;
};

struct trace_verdict {
	const char *action;
	const char *block_response;
	const char *reason;
	const char *group;
	const char *rule;
	const char *list;
	const char *entry;
	uint32_t place;   /* in the chain */
	const char *name; /* that decided */
	const char *address;
	uint32_t exception;
	bool is_trusted;       /* what the answer leads to is not judged */
	bool is_blocked;       /* the client gets no answer from elsewhere */
	bool is_answer_judged; /* an answer was there to be judged */
};

/* One change that alone makes the opposite of the verdict; tried before it is told. */
struct trace_change {
	const char *kind;    /* "exception", "end_exception", "remove_entry", "add_entry", "rule",
				"setting" */
	const char *text;    /* a sentence */
	const char *paste;   /* what is to be put in, or the command */
	const char *verdict; /* what it becomes */
	const char *list;
	const char *entries; /* each as it stands in the list, one a line */
	const char *lines;   /* their numbers */
	const char *file;
	const char *command;
	const char *group;
	const char *rule;
	uint32_t priority;
	const char *action;
	const char *block_response;
	const char *redirection;
	const char *domain; /* the inline list of the rule: one */
	const char *view;
	uint32_t association; /* the group is new: its priority in the view */
	const char *key;
	const char *value;
};

struct trace_note {
	const char *text;
};

struct trace_rows {
	void *at;
	size_t count;
	size_t capacity;
};

struct trace {
	struct arena memory; /* of the texts */
	struct trace_rows rows[TRACE_KINDS];
	size_t row_count;
	bool is_cut; /* there were more than fit, or no memory for them */
};

/* Zeroed memory is an empty trace. */
void trace_deinit(struct trace *trace);

/* A new row, all zeros, until the next one of its kind; never NULL: what there is no room for goes
 * into a row that is lost, and `is_cut` is set. */
void *trace_add(struct trace *trace, enum trace_kind kind);
size_t trace_count(const struct trace *trace, enum trace_kind kind);
/* NULL when there is none of that number. */
void *trace_row(const struct trace *trace, enum trace_kind kind, size_t number);

/* Copies that live as long as the trace; NULL for NULL, and when out of memory. */
const char *trace_text(struct trace *trace, const char *text);
const char *trace_slice(struct trace *trace, struct slice text);
const char *trace_name(struct trace *trace, struct slice wire);
__attribute__((format(printf, 2, 3))) const char *trace_format(
	struct trace *trace, const char *format, ...);

/* The fields of a row, in order. */
enum field_type { FIELD_TEXT, FIELD_NUMBER, FIELD_TIME, FIELD_BOOL, FIELD_LINES, FIELD_NUMBERS };
struct trace_field {
	const char *name; /* NULL ends a table */
	enum field_type type;
	size_t offset;
	bool is_private; /* not told to people */
	bool is_always;  /* a number that is told when it is 0, too */
};
struct trace_table {
	const char *name; /* of one row, and of the key in JSON */
	bool is_one;      /* there is at most one row */
	size_t size;
	const struct trace_field *fields;
};
const struct trace_table *trace_table(enum trace_kind kind);

#endif
