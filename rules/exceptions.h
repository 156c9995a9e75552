/* exceptions.h - what an operator allowed or blocked by hand, for a time and for a reason: an
 * overlay over every policy, looked at before its rules. It ends by itself with the next query
 * after `until_s`, whatever is cached, because verdicts are made on the way out.
 *
 * A set is immutable and counted; a change makes a new one. Pure. */
#ifndef RULES_EXCEPTIONS_H
#define RULES_EXCEPTIONS_H

#include "rules/verdict.h"

enum {
	EXCEPTIONS_MAX = 256,    /* in force at once */
	EXCEPTION_VIEW_MAX = 65, /* with the NUL, as the next ones */
	EXCEPTION_BECAUSE_MAX = 201,
	EXCEPTION_BY_MAX = 33,
	EXCEPTION_HASH_MAX = 33,
};

struct exception {
	uint32_t id;            /* from 1; never used again */
	enum action action;     /* ALLOW, or BLOCK with the view's default_block_response */
	enum pattern_kind kind; /* the name, what is below it, or both */
	struct dns_name name;   /* lower case */
	/* By name, so that it outlives reloads; "": every view. */
	char view[EXCEPTION_VIEW_MAX];
	int64_t made_s; /* seconds since 1970 */
	int64_t until_s;
	char because[EXCEPTION_BECAUSE_MAX]; /* UTF-8, no control bytes */
	char by[EXCEPTION_BY_MAX];           /* who made it: a user's name or number */
};

struct exceptions;

/* Copies. NULL when out of memory, or there are more than EXCEPTIONS_MAX. None are fine. */
struct exceptions *exceptions_new(const struct exception *at, size_t count);
struct exceptions *exceptions_ref(struct exceptions *exceptions);
void exceptions_unref(struct exceptions *exceptions); /* NULL is fine */

/* In the order of their ids. */
const struct exception *exceptions_all(const struct exceptions *exceptions, size_t *count);
const struct exception *exceptions_by_id(const struct exceptions *exceptions, uint32_t id);

/* The one that decides for a name (lower case) in a view, or NULL: that with the most labels; of
 * these one that names the view; then BLOCK before ALLOW; then the newest. Those of which `until_s`
 * is not later than `now_s` are none. */
const struct exception *exceptions_find(
	const struct exceptions *exceptions, const char *view, struct slice name, int64_t now_s);

/* Of what they say, whatever was made when and by whom; "" when there are none at `now_s`. */
void exceptions_hash(
	const struct exceptions *exceptions, int64_t now_s, char hex[EXCEPTION_HASH_MAX]);

#endif
