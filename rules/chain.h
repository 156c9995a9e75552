/* chain.h - where an answer leads: its CNAME, DNAME, SVCB and HTTPS records as links between names,
 * given out one name at a time to be judged. Part of step 11 of a query's journey.
 *
 * The order (hop numbers follow it): first whatever can be reached from the question, breadth first
 * and for each name in the order of the records: the target of a CNAME whose owner it is; what a
 * DNAME above it makes of it (RFC 6672 2.2), and that DNAME's own target; the TargetName of an SVCB
 * or HTTPS record whose owner it is ("." is the owner itself, RFC 9460 2.5.2). Then the targets of
 * all other such records in the answer section, and what they lead to: a client may read an answer
 * in its own way, and so odd order or a record that does not belong is no way round. Every name
 * comes once. What can only be reached through a trusted name does not come at all.
 *
 * Lives on the caller's stack; about 21 kB, of which a usual answer touches little. */
#ifndef RULES_CHAIN_H
#define RULES_CHAIN_H

#include "dns/answer.h"
#include "rules/verdict.h"

enum {
	CHAIN_NAMES_MAX = POLICY_HOPS_MAX + 1, /* with the question */
	CHAIN_LINKS_MAX = 2 * POLICY_HOPS_MAX, /* every name by a DNAME and its CNAME */
};

struct chain_link {
	uint16_t type;
	struct dns_name owner; /* lower case */
	struct dns_name target;
};

struct chain {
	unsigned link_count;
	unsigned name_count;
	unsigned next;                      /* the name that comes next */
	bool failed;                        /* it cannot be followed to its end */
	uint32_t trusted;                   /* bits of names whose links are not inspected */
	uint32_t expanded;                  /* bits of names whose links have been followed */
	uint32_t leads_to[CHAIN_NAMES_MAX]; /* by CNAME or DNAME: bits of names */
	struct chain_link links[CHAIN_LINKS_MAX];
	struct dns_name names[CHAIN_NAMES_MAX]; /* lower case; 0: the question */
};

/* Collects the links. `question` is in lower case. */
void chain_begin(struct chain *chain, struct slice question, const struct dns_answer *answer);

/* The next name to judge: its number, which is its hop, or 0 when there are no more. */
unsigned chain_next(struct chain *chain);

/* The rule that matched this name trusts what it leads to. To be said before the next
 * chain_next(). */
void chain_trust(struct chain *chain, unsigned hop);

/* After the last name: was the answer one that cannot be followed to its end? */
bool chain_has_failed(const struct chain *chain);

#endif
