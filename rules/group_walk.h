/* group_walk.h - the rules of a group that are about lists which a look-up has found, in the order
 * of the rules: a group of a thousand rules then costs what the few cost that can match.
 *
 * Pure. The index is the policy's, a walk lives on the caller's stack. */
#ifndef RULES_GROUP_WALK_H
#define RULES_GROUP_WALK_H

#include "rules/image.h"

enum {
	GROUP_WALK_LISTS_MAX = 8, /* lists found; with more the rules are gone through one by one */
	GROUP_WALK_RULES_MIN = 24, /* groups with fewer rules need no index */
};

/* A rule in the index of its group: ordered by the list, then by the rule. */
static inline uint32_t group_walk_entry(uint16_t list, uint16_t rule)
{
	return (uint32_t)list << 16 | rule;
}

/* Sorts the entries of a group. */
void group_walk_sort(uint32_t *entries, size_t count);

struct group_walk {
	const uint32_t *next[GROUP_WALK_LISTS_MAX]; /* of each list: its next rule */
	const uint32_t *end;                        /* of the index */
	unsigned count;
};

/* False when the rules are better gone through one by one. */
bool group_walk_begin(struct group_walk *walk, const uint32_t *entries, size_t count,
	const struct image_matches *matches);

/* The next rule; false at the end. */
bool group_walk_next(struct group_walk *walk, uint16_t *rule);

#endif
