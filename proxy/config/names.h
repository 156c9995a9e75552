/* names.h - things that have names which nothing else of their kind may have: finds duplicates,
 * and what a reference means. */
#ifndef PROXY_CONFIG_NAMES_H
#define PROXY_CONFIG_NAMES_H

#include "proxy/config/problem.h"

struct named {
	const char *name;
	const struct setting *at; /* the setting that gives the name */
	size_t index;
};

struct names {
	const char *kind; /* "rule group", for messages */
	struct named *at; /* sorted once names_check() was called */
	size_t count;
};

/* Room for up to `most` names; at == NULL when out of memory. */
struct names names_new(const char *kind, size_t most, struct arena *memory);

/* `name` may be NULL: then it was missing, which has been told. `at` is NULL for what is there
 * without having been written. */
void names_add(struct names *names, const char *name, const struct setting *at, size_t index);

/* Sorts, and tells of every name that was given before and of those that are reserved. */
void names_check(struct names *names, struct config_errors *errors);

/* The index that belongs to the name, or POLICY_NO_ID after the problem was told at `reference`. */
uint16_t names_find(const struct names *names, const char *name, const struct setting *reference,
	struct config_errors *errors);

#endif
