/* list_fault.h - why a list could not be read, fetched or taken: one closed set for the child that
 * fetches, the guards, the state file, logs and metrics. The order tells: from DIGEST on an edition
 * was seen and refused, from TOO_FEW on an operator may accept it all the same (keeper.h). */
#ifndef PROXY_LISTS_LIST_FAULT_H
#define PROXY_LISTS_LIST_FAULT_H

#include <stdbool.h>

enum list_fault {
	LIST_FAULT_NONE,
	/* reading and fetching */
	LIST_FAULT_UNREADABLE,  /* a file; or there is no edition yet */
	LIST_FAULT_UNREACHABLE, /* no answer: no address, no connection */
	LIST_FAULT_HTTP,        /* a status that is not 200 or 304 */
	LIST_FAULT_REDIRECT,    /* to another host, too many, or away from https */
	LIST_FAULT_TLS,         /* certificate */
	LIST_FAULT_FORBIDDEN,   /* a private address */
	LIST_FAULT_TIMEOUT,     /* of the whole fetch, or of a part of it */
	LIST_FAULT_TOO_LARGE,   /* fetched or unpacked; or more than an image has room for */
	LIST_FAULT_TRUNCATED,   /* fewer bytes than were promised; a broken gzip or zstd */
	LIST_FAULT_INTERNAL,    /* we or the child could not do our work */
	/* guards */
	LIST_FAULT_DIGEST,
	LIST_FAULT_SIGNATURE,
	LIST_FAULT_NOT_A_LIST,  /* by its bytes or content type; a format nobody recognises */
	LIST_FAULT_EMPTY,       /* not one entry */
	LIST_FAULT_EXPECTATION, /* with it the policy does not do what is expected of it */
	LIST_FAULT_TOO_FEW,     /* as the bounds of struct list_guards, from here on */
	LIST_FAULT_SHRUNK,
	LIST_FAULT_GROWN,
	LIST_FAULT_REJECTS,
	LIST_FAULT_CANARY_MISSING,
	LIST_FAULT_CANARY_HIT,
	LIST_FAULT_COUNT
};

/* "shrunk": for metrics and the state file. "none" is no fault. */
const char *list_fault_name(enum list_fault fault);
bool list_fault_parse(const char *name, enum list_fault *fault);

#endif
