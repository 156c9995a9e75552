/* fetch_report.h - what a child that fetched a list tells its parent, as lines "key value" on its
 * standard output; the parent reads it as a stranger's. The body goes to a descriptor that the
 * parent opened. Pure. */
#ifndef PROXY_LISTS_FETCH_REPORT_H
#define PROXY_LISTS_FETCH_REPORT_H

#include "base/writer.h"
#include "proxy/lists/guard.h"

enum {
	FETCH_BODY_FD = 3,      /* in the child: where the body goes */
	FETCH_SIGNATURE_FD = 4, /* where the minisign signature goes, when one is asked for */
	FETCH_TAG_MAX = 256,    /* bytes of an ETag and of a date, with the NUL */
	FETCH_WHY_MAX = 256,
	FETCH_REPORT_MAX = 2048, /* bytes of a whole report */
};

struct fetch_report {
	enum list_fault fault;
	bool not_modified; /* 304: there is no body */
	uint64_t body_len; /* bytes as they were written */
	char etag[FETCH_TAG_MAX];
	char last_modified[FETCH_TAG_MAX];
	char content_type[FETCH_TAG_MAX];
	char why[FETCH_WHY_MAX]; /* a sentence; empty when all is well */
};

/* At most FETCH_REPORT_MAX bytes; what is not printable ASCII is written as '?'. */
void fetch_report_write(struct writer *to, const struct fetch_report *report);
/* False when it is not a whole report, or one whose lines contradict each other: a fault without a
 * sentence, a body that was not modified. `report` is garbage then. */
bool fetch_report_read(struct fetch_report *report, struct slice text);

#endif
