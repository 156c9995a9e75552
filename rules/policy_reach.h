/* policy_reach.h - which rules decide anything? By trying: policy_lint.h says what is tried and why
 * that is enough. A part of the lint. */
#ifndef RULES_POLICY_REACH_H
#define RULES_POLICY_REACH_H

#include "rules/policy.h"

struct policy_reach;

/* What was found of one rule of one association. */
struct rule_reach {
	bool matches; /* there is something that it would match if it stood alone */
	bool decides; /* and that no earlier rule decides: it does, or notes it */
	bool by_others;
	uint16_t by; /* a rule that decides instead, where it only matches; else POLICY_NO_ID */
};

/* Looks until all is known, or `steps_max` rules and look-ups (of 16 each) have been tried. NULL
 * when out of memory. `spec` and `policy` stay until policy_reach_free(). */
struct policy_reach *policy_reach_new(
	const struct policy *policy, const struct policy_spec *spec, uint64_t steps_max);
void policy_reach_free(struct policy_reach *reach); /* NULL is fine */

/* Was everything tried? If not, a rule that does not decide may do so all the same. */
bool policy_reach_is_whole(const struct policy_reach *reach);

/* `association` as in view_info, `rule` counts from 0 within its group. */
struct rule_reach policy_reach_rule(
	const struct policy_reach *reach, uint16_t view, size_t association, uint16_t rule);

#endif
