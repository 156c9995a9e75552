/* policy_parts.h - what a compiled policy is made of. Only for the policy_*.c files: policy_build.c
 * makes it, policy_judge.c judges with it; the others look things up in it. */
#ifndef RULES_POLICY_PARTS_H
#define RULES_POLICY_PARTS_H

#include "base/arena.h"
#include "rules/claim_keys.h"
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
	const uint32_t *by_list; /* the same rules, for group_walk.h; NULL: they are few */
};

/* Words of one kind; a client must show one of them. None: all is well with whatever it shows. */
struct claim_words {
	const uint32_t *keys; /* ascending */
	size_t count;
};

/* Views that name the same certificates, tokens, paths and TLS names: what is left to tell them
 * apart is the client's network and the listener. */
struct view_class {
	struct claim_words words[CLAIM_NETWORK]; /* by kind */
	struct net_set *sets; /* client address to view: one for each listener, or one for all */
	size_t set_count;
};

/* What a view names beside words; for the rare case that views of two classes are equally good. */
struct view_clients {
	const struct network *networks;
	size_t network_count;
	bool names_listeners;
};

/* A client finds its view by the words that it shows: each leads to the classes that look there,
 * and a class looks at that one of its kinds where it has the fewest others beside it. */
struct admission_index {
	struct claim_keys keys;
	struct view_class *classes; /* the first is that of no words at all */
	size_t class_count;
	struct view_clients *clients; /* of each view */
	uint32_t *places;             /* classes, by key */
	size_t listener_count;
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
	struct admission_index admission;
	struct local_record_spec *local_records; /* by name */
	size_t local_record_count;
	struct slice *rebinding_exceptions; /* as rebinding_sort() puts them */
	size_t rebinding_exception_count;
};

/* 0 or an error; what was made is freed with the policy. */
int policy_views_build(struct policy *policy, const struct policy_spec *spec);
int policy_classes_build(struct policy *policy, const struct policy_spec *spec);
void policy_classes_deinit(struct policy *policy);
size_t policy_classes_memory(const struct policy *policy);
int policy_local_build(struct policy *policy, const struct policy_spec *spec);

/* The networks that a view claims, all of them where it names none. */
size_t view_network_count(const struct view_spec *view);
const struct network *view_network(const struct view_spec *view, size_t i);
bool view_names_listener(const struct view_spec *view, size_t listener);

/* What a view names, kind by kind. False when out of memory. */
bool view_words(const struct claim_keys *keys, const struct policy_spec *spec,
	const struct view_spec *view, struct arena *memory,
	struct claim_words words[CLAIM_NETWORK]);

#endif
