/* policy_parts.h - what a compiled policy is made of. Only for the policy_*.c files: policy_build.c
 * makes it, policy_judge.c judges with it; the others look things up in it. */
#ifndef RULES_POLICY_PARTS_H
#define RULES_POLICY_PARTS_H

#include "base/arena.h"
#include "rules/net_set.h"
#include "rules/policy.h"

_Static_assert((int)IMAGE_LISTS_MAX >= (int)POLICY_LISTS_MAX, "an image holds every list");
_Static_assert((int)NET_SET_NONE == (int)POLICY_NO_ID, "no network: no view");

/* What the judge reads of each rule, close together; rule_info has the rest. */
struct policy_key {
	uint16_t list;       /* its number in the image; POLICY_NO_ID: in none */
	uint16_t query_type; /* 0: every type */
};

struct policy_group {
	const char *name;
	uint16_t first_rule; /* of policy.rules, by ascending priority */
	uint16_t rule_count;
};

struct policy {
	struct arena memory;       /* of all that has no owner of its own */
	const struct image *image; /* NULL: no list has anything */
	struct list_info *lists;
	size_t list_count;
	struct rule_info *rules;
	struct policy_key *keys; /* one for each rule */
	size_t rule_count;
	struct policy_group *groups;
	size_t group_count;
	size_t schedule_count; /* as of facts.schedules */
	struct view_info *views;
	size_t view_count;
	struct net_set *listeners; /* client address to view, for each listener */
	size_t listener_count;
	struct local_record_spec *local_records; /* by name */
	size_t local_record_count;
	struct slice *rebinding_exceptions; /* as rebinding_sort() puts them */
	size_t rebinding_exception_count;
};

/* Has local_data records of this name (lower case)? */
bool policy_local_has(const struct policy *policy, struct slice name);

/* 0 or an error; what was made is freed with the policy. */
int policy_views_build(struct policy *policy, const struct policy_spec *spec);
int policy_local_build(struct policy *policy, const struct policy_spec *spec);

#endif
