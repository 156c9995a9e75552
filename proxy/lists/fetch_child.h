/* fetch_child.h - runs namegate-fetch for one list, on the caller's loop: starts it with an empty
 * environment and the descriptors it needs, reads its report, ends it when it takes too long. What
 * it wrote is the caller's: nothing is read of it here. */
#ifndef PROXY_LISTS_FETCH_CHILD_H
#define PROXY_LISTS_FETCH_CHILD_H

#include <uv.h>

#include "proxy/lists/fetch_report.h"

enum {
	/* What a child may take longer than its list's timeout, before it is killed: it reads its
	 * configuration first, and gives up by itself. */
	FETCH_CHILD_SPARE_MS = 10000,
	FETCH_CHILD_PATH_MAX = 4096,
};

struct fetch_wish {
	const char *program; /* NULL: fetch_child_program() */
	const char *config_file;
	const char *list;
	const char *etag;          /* of the edition that is there; NULL or empty: none */
	const char *last_modified; /* likewise */
	int body_fd;               /* an empty file; stays the caller's */
	int signature_fd;          /* the same, for a list with a minisign key; else -1 */
	unsigned timeout_ms;       /* then it is killed */
};

struct fetch_child;

/* Called once, from the loop, when the child has ended, unless it was cancelled; the child is gone
 * then. What went wrong on our side is LIST_FAULT_INTERNAL (or LIST_FAULT_TIMEOUT) with a sentence.
 * The report lives during the call. */
typedef void (*fetch_child_done_fn)(void *context, const struct fetch_report *report);

/* The wish is not needed after the call. NULL on failure (*error): -ENOENT when there is no such
 * program, ERR_NO_MEMORY, or what libuv says; `done` is not called then. */
struct fetch_child *fetch_child_start(uv_loop_t *loop, const struct fetch_wish *wish,
	fetch_child_done_fn done, void *context, int *error);

/* Kills it; `done` is not called. It frees itself in later turns of the loop. */
void fetch_child_cancel(struct fetch_child *child);

/* Where the program is: beside the one that runs, else where it is installed. False when it is in
 * neither place; `path` is the latter then. */
bool fetch_child_program(char path[FETCH_CHILD_PATH_MAX]);

#endif
