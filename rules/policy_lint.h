/* policy_lint.h - what a policy says that can never happen: rules that decide nothing, views that
 * nobody gets, parts that nothing refers to. Off the loops, for the command line: allocates.
 *
 * Whether a rule can match is not guessed. What the lists say divides all names into classes within
 * which every rule sees the same: for each name of the image that name itself, and whatever is
 * below it and below no other name. One name of each class that can matter, with every type that a
 * rule or an entry speaks of and one more, over UDP and over TCP, goes through the rules; so do
 * both ends of every network. A rule for which that finds nothing decides nothing, and a rule that
 * decides something is never told to be dead. But for one thing: of schedules only the rule's own
 * is taken to be on, so a rule may be dead and not be told when others always shadow it by turns.
 *
 * It ends when all rules have decided something, which is soon, or after POLICY_LINT_STEPS_MAX
 * rules and look-ups; then what is not known is told as POLICY_LINT_NOT_EXAMINED. */
#ifndef RULES_POLICY_LINT_H
#define RULES_POLICY_LINT_H

#include "rules/policy.h"

enum policy_lint_kind {
	/* A rule ... */
	POLICY_LINT_EMPTY,        /* has a list without entries */
	POLICY_LINT_NOTHING,      /* has a list of which no entry counts for its type and action */
	POLICY_LINT_NEVER_ON,     /* has a schedule that is never on */
	POLICY_LINT_SHADOWED,     /* would match, but earlier rules decide about all of it */
	POLICY_LINT_NOT_EXAMINED, /* may do something or not: its list could not be loaded, or there
				     was too much to look at */
	/* A view ... */
	POLICY_LINT_UNREACHABLE, /* has no client that no other view claims with more right */
	POLICY_LINT_OBSERVED,    /* only observes a group: a reminder */
	/* Others */
	POLICY_LINT_GROUP_UNUSED, /* no view has an association with it */
	POLICY_LINT_LIST_UNUSED,  /* no rule refers to it */
	POLICY_LINT_SCHEDULE_UNUSED,
	POLICY_LINT_TOKEN_UNUSED,  /* no view takes it */
	POLICY_LINT_TOKEN_EXPIRED, /* and a view would take it */
	POLICY_LINT_APEX, /* a list of plain names has "*.example" and does not hold "example" */
	/* What only the program around knows; see proxy/policy_findings.h. */
	POLICY_LINT_SUFFIX, /* a rule lets through all names below a public suffix */
	POLICY_LINT_HEALTH, /* a view blocks a name by which clients test their network */
	POLICY_LINT_KINDS
};

/* Indices are POLICY_NO_ID where there is nothing. A finding dies with the call that it is given
 * to; names live as long as the image. */
struct policy_finding {
	enum policy_lint_kind kind;
	uint16_t view; /* of several the first */
	uint16_t group;
	uint16_t rule; /* of the policy */
	uint16_t list;
	uint16_t token;
	uint16_t schedule;
	/* SHADOWED: in so many views ... */
	uint32_t view_count;
	uint32_t view_total; /* ... of those that use the group */
	uint16_t by;         /* a rule that decides instead */
	bool by_others;      /* and it is not alone */
	/* APEX, SUFFIX: so many entries, of which this is the first in the order of bytes */
	uint64_t count;
	struct slice name;
	enum pattern_kind pattern;
	/* SUFFIX: enum suffix_kind; HEALTH: how many names */
	unsigned detail;
	const char *text; /* HEALTH: the name ... */
	const char *user; /* ... and who asks for it */
};

struct policy_finding policy_finding_of(enum policy_lint_kind kind);

/* A look-up counts for 16 of them, a rule for one. Two billion are less than a minute. */
#define POLICY_LINT_STEPS_MAX UINT64_C(2000000000)

struct policy_lint_options {
	int64_t now_s;      /* for tokens */
	uint64_t steps_max; /* 0: POLICY_LINT_STEPS_MAX */
};

typedef void (*policy_lint_fn)(void *context, const struct policy_finding *finding);

/* `policy` was built of `spec`. Tells all findings but the last two kinds, in the order of the
 * kinds, and for each in that of the configuration. 0 or ERR_NO_MEMORY. */
int policy_lint(const struct policy *policy, const struct policy_spec *spec,
	const struct policy_lint_options *options, policy_lint_fn on_finding, void *context);

#endif
