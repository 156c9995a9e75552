/* lint_finding.h - one thing that is odd about a line of a list, and how it is said. */
#ifndef PROXY_LISTS_LINT_FINDING_H
#define PROXY_LISTS_LINT_FINDING_H

#include "proxy/config/builtin.h"
#include "proxy/lists/suffixes.h"
#include "rules/list.h"

enum lint_kind {
	LINT_REJECTED,  /* a line, or a word of it, that was left out */
	LINT_SUFFIX,    /* an entry for a public suffix, a top-level domain or everything */
	LINT_HEALTH,    /* an entry that covers a name by which clients test their network */
	LINT_DUPLICATE, /* the same entry stands in an earlier line */
	LINT_COVERED,   /* another entry of the list covers it */
	LINT_KINDS
};

struct lint_finding {
	enum lint_kind kind;
	uint32_t line;
	/* LINT_REJECTED */
	enum list_reject reject;
	struct slice text; /* any bytes may be in it */
	/* all others: the entry */
	struct slice name; /* wire */
	enum pattern_kind pattern;
	/* LINT_SUFFIX */
	enum suffix_kind suffix;
	bool is_exception; /* what it names is let through */
	/* LINT_HEALTH */
	const struct builtin_name *health; /* the first that it covers */
	size_t health_count;
	/* LINT_COVERED: by what */
	struct slice by;
	enum pattern_kind by_pattern;
	/* LINT_DUPLICATE: of the first; LINT_COVERED: of what covers it; 0: not known */
	uint32_t by_line;
};

/* "rejected" */
const char *lint_kind_name(enum lint_kind kind);
/* Duplicates and covered entries change nothing in what a list does: they are notes. */
bool lint_kind_is_note(enum lint_kind kind);

enum { LINT_FINDING_MAX = 16384 }; /* bytes that either of these writes at most */

/* What is wrong, in one line without the kind; control characters are replaced. */
void lint_finding_write_text(struct writer *to, const struct lint_finding *finding);
/* One JSON object without a newline: kind, line, and what belongs to the kind. */
void lint_finding_write_json(struct writer *to, const struct lint_finding *finding);

#endif
