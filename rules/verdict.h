/* verdict.h - the words of the firewall, and what an evaluation says. Plain values. */
#ifndef RULES_VERDICT_H
#define RULES_VERDICT_H

#include "rules/image.h"

enum action {
	ACTION_NONE, /* no rule matched and the view allows by default: resolved, nothing reported
		      */
	ACTION_ALLOW,
	ACTION_ALERT,
	ACTION_BLOCK,
	ACTION_MONITOR, /* recorded, evaluation goes on; never the action of a verdict */
	ACTION_GIVEN,   /* what the list's entry itself wants (facet.h); never that of a verdict */
	ACTION_COUNT,
};

enum block_response {
	BLOCK_NODATA,
	BLOCK_NXDOMAIN,
	BLOCK_OVERRIDE, /* a CNAME of the operator's choice */
	BLOCK_REFUSED,
	BLOCK_DROP,    /* no answer at all; over HTTP, where silence is not possible, REFUSED */
	BLOCK_ADDRESS, /* A and AAAA of the operator's choice */
	/* What only an entry can want; no configuration asks for these. */
	BLOCK_TRUNCATE, /* an empty truncated answer: the client comes back over TCP */
	BLOCK_RECORDS,  /* the entry's own (given.h) */
	BLOCK_RESPONSE_COUNT,
	BLOCK_CONFIGURED_COUNT = BLOCK_TRUNCATE,
};

enum redirection { REDIRECTION_INSPECT, REDIRECTION_TRUST };

enum fail_mode { FAIL_CLOSED, FAIL_OPEN };

/* Why the verdict is what it is. */
enum verdict_reason {
	REASON_NO_MATCH, /* ACTION_NONE */
	REASON_RULE,
	REASON_DEFAULT,     /* the view's default_action: one more last rule, "*" BLOCK */
	REASON_FAIL_CLOSED, /* policy could not be evaluated: SERVFAIL */
	REASON_FAIL_OPEN,   /* policy could not be evaluated: let through, flagged */
	REASON_REBINDING,   /* a public name with a private address: NODATA (rebinding.h) */
	REASON_EXCEPTION,   /* an operator's word for a time (exceptions.h) */
};

enum {
	POLICY_NO_ID = 0xffff,
	VERDICT_MONITORS_MAX = 4,
	POLICY_HOPS_MAX = 16, /* names of one answer that are judged; more is a failure */
};

/* A rule that matched: indices into the policy. */
struct rule_match {
	uint16_t group; /* POLICY_NO_ID when no rule */
	uint16_t rule;  /* within the policy's rules, not within the group */
	uint16_t list;  /* POLICY_NO_ID when the rule has no list */
	uint16_t hop;   /* 0: the question, or an address; 1..: a name of the answer */
	bool observed;  /* of a monitor: the rule of an association that only observes; it would
			   have decided */
	struct list_entry entry; /* of the list; its kind is 0 when none */
};

struct verdict {
	enum action action;
	enum verdict_reason reason;
	enum block_response block_response; /* when action is ACTION_BLOCK */
	bool trusted; /* the rule that matched has redirection TRUST: the answer's names are not
			 judged */
	uint8_t monitor_count;
	uint32_t exception; /* id of the one that decided, or that let a name of the answer through;
			       0: none */
	struct rule_match match;
	struct rule_match monitors[VERDICT_MONITORS_MAX]; /* MONITOR rules met on the way, and those
							     that are observed */
	struct dns_name matched_name;   /* the name of the hop that decided, or that has the
					   private address; len 0 when it is the question. Of an
					   entry that is a network always the name that has the
					   address */
	struct address matched_address; /* when match.entry is a network */
};

/* "ALLOW", "NXDOMAIN", as configuration and log spell them; what configuration cannot ask for does
 * not parse. */
const char *action_name(enum action action);
const char *block_response_name(enum block_response response);
bool action_parse(const char *text, enum action *action);
bool block_response_parse(const char *text, enum block_response *response);

/* The name that it is about. */
static inline struct slice verdict_matched_name(
	const struct verdict *verdict, struct slice question)
{
	return verdict->matched_name.len ? dns_name_slice(&verdict->matched_name) : question;
}

/* Does this end the query without an answer from elsewhere? */
static inline bool verdict_is_final(const struct verdict *verdict)
{
	return verdict->action == ACTION_BLOCK || verdict->reason == REASON_FAIL_CLOSED;
}

#endif
