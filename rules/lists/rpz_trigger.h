/* rpz_trigger.h - what an owner of a policy zone triggers on: names, or addresses in the answer. */
#ifndef RULES_LISTS_RPZ_TRIGGER_H
#define RULES_LISTS_RPZ_TRIGGER_H

#include "rules/list.h"

enum rpz_trigger_kind {
	RPZ_TRIGGER_APEX, /* the zone's own name: none */
	RPZ_TRIGGER_EXACT,
	RPZ_TRIGGER_BELOW,
	RPZ_TRIGGER_NETWORK,
};

struct rpz_trigger {
	enum rpz_trigger_kind kind;
	struct dns_name name; /* lower case, without the zone's name and the asterisk */
	struct network network;
};

/* Fills in the rest for trigger->name. LIST_REJECT_TRIGGER for those that are not supported,
 * LIST_REJECT_SYNTAX for an address that is none: host bits are set, numbers too large or missing.
 * IPv4 is "24.0.2.0.192.rpz-ip", IPv6 "48.zz.db8.2001.rpz-ip": the prefix's length first, then what
 * is written last. */
enum list_reject rpz_trigger_settle(struct rpz_trigger *trigger, bool is_below);

/* Is the target of a CNAME the trigger itself? So passthru was written before it had a word; of an
 * address, without "rpz-ip". ("*.name CNAME *.name." is not: it means all of the name asked for,
 * with "name" behind it, as BIND reads it.) */
bool rpz_trigger_is(const struct rpz_trigger *trigger, struct slice target);

#endif
