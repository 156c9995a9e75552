/* keeper.h - sees to it that lists stay fresh: asks servers when it is time, watches files, and has
 * the lists loaded again when there is something new. It never judges and never touches what is in
 * force: lists.h does, and the owner publishes. On the main loop, used by its thread alone.
 *
 * What is new within `list_rebuild_interval` shares one load. A list that failed is asked for again
 * after a minute, then two, and so on, up to its own interval. */
#ifndef PROXY_LISTS_KEEPER_H
#define PROXY_LISTS_KEEPER_H

#include <uv.h>

#include "proxy/lists/list_status.h"
#include "proxy/lists/lists.h"

enum { KEEPER_FETCHES_MAX = 4 }; /* children at once */

struct keeper;

struct keeper_owner {
	/* Load the lists now, and tell with keeper_loaded(). `accept` is a list's name or NULL; it
	 * dies with the call. False when a load is under way: it will be asked again. */
	bool (*load)(void *context, const char *accept);
	/* Is any load under way, also one that nobody here asked for? What it reads is left alone.
	 */
	bool (*is_loading)(void *context);
	void *context;
	const char *config_file; /* what a child reads */
};

/* NULL when out of memory. */
struct keeper *keeper_new(uv_loop_t *loop, const struct keeper_owner *owner);
void keeper_close(struct keeper *keeper); /* NULL is fine; children are ended */

/* A configuration and its lists are in force: at the start, and after each reload. Both live until
 * the next call or the end. */
void keeper_adopt(struct keeper *keeper, const struct config *config, const struct lists *lists);

/* A load that was asked for has ended, with lists that are in force now (or decide the same as
 * those in force); their items say what became of what was fetched or has changed. NULL: it failed,
 * and is asked for again after a while. */
void keeper_loaded(struct keeper *keeper, const struct lists *lists);

/* Ask now (NULL: for all). 0; -ENOENT: there is no such list; ERR_INVALID: it is inline. */
int keeper_refresh(struct keeper *keeper, const char *name);
/* Take the edition that was refused for its numbers or names, whatever these guards say, with the
 * next load. 0; -ENOENT; ERR_INVALID: none was refused; -EPERM: it was, for what it is (digest,
 * signature, not a list, empty), which nobody can vouch for. */
int keeper_accept(struct keeper *keeper, const char *name);

/* What is known of a list, by its index in the configuration; valid until the loop goes on. */
size_t keeper_count(const struct keeper *keeper);
void keeper_tell(const struct keeper *keeper, size_t list, struct list_status *status);
/* How often each fault was met since the start. */
const uint64_t *keeper_faults(const struct keeper *keeper, size_t list);

#endif
