/* links.h - the links to one upstream, those included that are still to come up: how many there may
 * be, and which of them takes the next question. */
#ifndef PROXY_UPSTREAM_LINKS_H
#define PROXY_UPSTREAM_LINKS_H

#include "proxy/upstream/link.h"

enum {
	LINKS_MAX = 4,     /* that take questions */
	LINKS_CEILING = 8, /* with those that are silent, or on their way out */
};

struct links {
	struct list all; /* but those that are closing; by age */
	uint64_t serial; /* of the link that came up last */
};

void links_init(struct links *links);

void links_add(struct links *links, struct link *link);

/* Gives it its serial. */
void links_note_up(struct links *links, struct link *link);

/* Takes it out and closes it; no question may be on it. */
void links_drop(struct link *link);

/* Drops those that are not up yet. */
void links_drop_coming(struct links *links);

unsigned links_up(const struct links *links);
unsigned links_usable(const struct links *links);
bool links_has_coming(const struct links *links);

/* Does one of them take a question now? */
bool links_has_room(const struct links *links);

/* May one more be opened? Those that take nothing new are in nobody's way, within reason. */
bool links_may_have_more(const struct links *links);

/* The oldest that has room, so that others fall idle and go. NULL: none. Who wants one that came up
 * after the serial `after` gets it, if there can be one. */
struct link *links_choose(const struct links *links, uint64_t after);

#endif
