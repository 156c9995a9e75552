/* list_lint.h - everything that is odd about a list, line by line: what was left out, what says
 * nothing new, and what takes more with it than whoever wrote it may have meant. For the command
 * line, off the loops: its memory is that of building an image, 24 bytes a finding, what is found
 * in bytes, and about 100 more for each duplicate and covered entry (ten million lines: 0.8 GB; if
 * all of them are duplicates, 1.5 GB). */
#ifndef PROXY_LISTS_LIST_LINT_H
#define PROXY_LISTS_LIST_LINT_H

#include "proxy/lists/lint_finding.h"

struct lint_summary {
	uint64_t line_count;
	uint64_t entry_count; /* distinct ones that are not covered */
	uint64_t counts[LINT_KINDS];
	uint64_t reject_counts[LIST_REJECT_COUNT];
};

/* Looks at a whole list and then tells all findings, by ascending line; a finding dies with the
 * call that it is given to. `suffixes` may be NULL: then none are looked for. 0, ERR_NO_MEMORY, or
 * an error of the image builder. */
int list_lint(enum list_format format, struct slice text, const struct suffixes *suffixes,
	void (*on_finding)(void *context, const struct lint_finding *finding), void *context,
	struct lint_summary *summary);

#endif
