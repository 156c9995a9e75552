/* revisions_live.h - what the running program does with kept revisions: which configuration it
 * takes when one is pinned, and what it leaves behind of each policy that goes live. Off the loops.
 */
#ifndef PROXY_REVISIONS_REVISIONS_LIVE_H
#define PROXY_REVISIONS_REVISIONS_LIVE_H

#include "proxy/revisions/revisions.h"

/* Which configuration is wanted. */
struct revisions_wish {
	uint32_t rollback;           /* this kept one; 0: the file's, or the pinned one's */
	bool unpin;                  /* the file's, whatever is pinned */
	const char *state_directory; /* of the program that runs; NULL: the file says */
};

/* The configuration that is to come into force: that of the file, but the kept one while a pin
 * holds and the file is as it was when it was pinned; then a warning says so. `*kept` is the number
 * of the kept one, or 0. NULL when it cannot be loaded, which was told to `errors`. */
struct config *revisions_choose(const char *file, const struct revisions_wish *wish, uint32_t *kept,
	struct config_errors *errors);

/* Is there a pin that goes before this file as it is? */
bool revisions_is_pinned_over(const char *file);

/* Gives a policy that is about to go live its number, `after` the one in force (0: there is none),
 * and keeps it. What goes wrong is logged: a policy that cannot be kept goes live all the same. */
uint32_t revisions_go_live(const struct revisions_item *item, uint32_t kept, uint32_t after);

#endif
