/* choice.h - in which order an ask tries the members of its group. A word on each policy stands at
 * enum upstream_policy. In all of them nobody is asked twice before everybody was asked once, and
 * who does not answer is asked last. Pure: chance is passed in. */
#ifndef PROXY_UPSTREAM_CHOICE_H
#define PROXY_UPSTREAM_CHOICE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/random.h"
#include "proxy/config.h"
#include "proxy/upstream/health.h"

enum {
	CHOICE_LEARN_ONE_IN = 32, /* copies of queries that only teach how fast somebody is ... */
	CHOICE_LEARN_NEW_ONE_IN = 4, /* ... and while nothing is known of a member */
	CHOICE_UNWELL_AT_ONCE = 3,   /* asked at once when nobody is known to answer */
};
#define CHOICE_NONE SIZE_MAX

/* What is known of a member, from the point of view of one ask. */
struct choice_member {
	enum health_state health;
	uint32_t smooth_us; /* how long it takes; 0: not known */
	unsigned weight;
	unsigned tries; /* in this ask */
	bool is_out;    /* has failed in this ask, or cannot be asked now */
	bool is_lame; /* quick to answer, but it is others who know: of no good where speed decides
		       */
};

/* Who is asked next: a position in `members`; CHOICE_NONE when all are out. */
size_t choice_next(enum upstream_policy policy, const struct choice_member *members, size_t count,
	struct random_pool *random);

/* To how many of them at once, from the start: `first` is who choice_next() named. */
unsigned choice_width(enum upstream_policy policy, const struct choice_member *first);

/* Who gets a copy as well, so that it is known how fast it is; mostly CHOICE_NONE. */
size_t choice_learn(enum upstream_policy policy, const struct choice_member *members, size_t count,
	struct random_pool *random);

#endif
