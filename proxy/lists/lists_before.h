/* lists_before.h - the lists that a load starts from: those in force, or those that the last run
 * left in the state directory. */
#ifndef PROXY_LISTS_LISTS_BEFORE_H
#define PROXY_LISTS_LISTS_BEFORE_H

#include "proxy/lists/list_state.h"
#include "proxy/lists/lists.h"

/* NULL when nothing is there, or nothing that can be used: then all lists are read again. */
struct lists *lists_from_state(const char *directory);

/* The same list (name and source) among those before, if it is loaded there, and its number in
 * their image. `before` may be NULL. */
const struct lists_item *lists_before(
	const struct lists *before, const struct lists_item *item, uint16_t *number);

/* The state file of a directory; empty when there is none. */
void lists_read_state(struct list_state *state, const char *directory);

#endif
