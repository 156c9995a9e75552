/* policy_judge.c - the evaluator. Semantics of Amazon Route 53 Resolver DNS Firewall: associations
 * by ascending priority, rules by ascending priority, the first match ends evaluation, whatever its
 * action is. Ours: MONITOR is noted and goes on, and default_action BLOCK is one more last rule. */
#include "rules/policy_parts.h"

#include "rules/chain.h"
#include "rules/rebinding.h"

/* What one name came to. */
struct judgement {
	enum action action;
	enum verdict_reason reason;
	enum block_response block_response;
	bool trusted;
	struct rule_match match;
};

struct judge {
	const struct policy *policy;
	const struct view_info *view;
	uint16_t query_type;
	uint16_t hop;
	bool decided; /* of this hop */
	struct judgement judgement;
	struct verdict *verdict; /* for MONITOR rules */
	const struct policy_trace *trace;
	struct name_matches matches; /* of this hop's name */
};

static const struct rule_match no_match = {
	.group = POLICY_NO_ID,
	.rule = POLICY_NO_ID,
	.list = POLICY_NO_ID,
	.entry = POLICY_NO_ENTRY,
};

static void note_monitor(struct verdict *verdict, const struct rule_match *match)
{
	if (verdict->monitor_count < VERDICT_MONITORS_MAX)
		verdict->monitors[verdict->monitor_count++] = *match;
}

static void decide(struct judge *judge, const struct rule_match *match)
{
	const struct rule_info *rule = &judge->policy->rules[match->rule];
	judge->decided = true;
	judge->judgement = (struct judgement){
		.action = rule->action,
		.reason = REASON_RULE,
		.block_response = rule->block_response,
		.trusted = rule->redirection == REDIRECTION_TRUST,
		.match = *match,
	};
}

static void judge_rule(struct judge *judge, uint16_t group, uint16_t rule)
{
	const struct policy_key *key = &judge->policy->keys[rule];
	bool type_matched = key->query_type == 0 || key->query_type == judge->query_type;
	bool list_matched = name_matches_has(&judge->matches, key->list);
	bool matched = type_matched && list_matched;
	if (!matched && !judge->trace)
		return;
	struct rule_match match = {
		.group = group,
		.rule = rule,
		.list = key->list,
		.hop = judge->hop,
		.entry = list_matched ? judge->matches.entries[key->list] : POLICY_NO_ENTRY,
	};
	bool monitor = judge->policy->rules[rule].action == ACTION_MONITOR;
	bool counts = matched && !judge->decided;
	if (judge->trace)
		judge->trace->on_rule(judge->trace->context, &match, type_matched, list_matched,
			counts && !monitor);
	if (counts && monitor)
		note_monitor(judge->verdict, &match);
	else if (counts)
		decide(judge, &match);
}

static void judge_rules(struct judge *judge)
{
	const struct view_info *view = judge->view;
	for (size_t i = 0; i < view->association_count; i++) {
		uint16_t number = view->associations[i].group;
		const struct policy_group *group = &judge->policy->groups[number];
		for (uint16_t n = 0; n < group->rule_count; n++) {
			judge_rule(judge, number, (uint16_t)(group->first_rule + n));
			if (judge->decided && !judge->trace)
				return;
		}
	}
}

/* Judges one name, lower case; the outcome is in judge->judgement. */
static void judge_name(struct judge *judge, unsigned hop, struct slice name)
{
	judge->hop = (uint16_t)hop;
	judge->decided = false;
	judge->judgement = (struct judgement){ .match = no_match };
	judge->judgement.match.hop = judge->hop;
	if (judge->trace)
		judge->trace->on_name(judge->trace->context, hop, name);
	bool listed = name_index_find(&judge->policy->index, name, &judge->matches);
	if (listed || judge->trace)
		judge_rules(judge);
	if (judge->decided || judge->view->default_action != ACTION_BLOCK)
		return;
	judge->judgement.action = ACTION_BLOCK;
	judge->judgement.reason = REASON_DEFAULT;
	judge->judgement.block_response = judge->view->default_block_response;
}

static void take_judgement(struct verdict *verdict, const struct judgement *judgement)
{
	verdict->action = judgement->action;
	verdict->reason = judgement->reason;
	verdict->block_response = judgement->block_response;
	verdict->trusted = judgement->trusted;
	verdict->match = judgement->match;
}

static void fail(struct verdict *verdict, enum fail_mode mode)
{
	if (mode == FAIL_OPEN) {
		verdict->reason = REASON_FAIL_OPEN;
		return;
	}
	take_judgement(
		verdict, &(struct judgement){ .reason = REASON_FAIL_CLOSED, .match = no_match });
	verdict->matched_name.len = 0;
}

/* A view that does not exist is a mistake of the program, and lets nothing through. */
static enum fail_mode fail_mode_of(const struct view_info *view)
{
	return view ? view->fail_mode : FAIL_CLOSED;
}

void policy_judge_query(const struct policy *policy, const struct facts *facts,
	struct verdict *verdict, const struct policy_trace *trace)
{
	struct judge judge;
	struct dns_name name;
	const struct view_info *view = policy_view(policy, facts->view);
	verdict->monitor_count = 0;
	verdict->matched_name.len = 0;
	take_judgement(verdict, &(struct judgement){ .match = no_match });
	if (!view || view->failed || facts->name.len == 0 || facts->name.len > DNS_NAME_MAX) {
		fail(verdict, fail_mode_of(view));
		return;
	}
	judge.policy = policy;
	judge.view = view;
	judge.query_type = facts->query_type;
	judge.verdict = verdict;
	judge.trace = trace;
	/* Lower case is the caller's duty; a caller who forgets it must not open a hole. */
	name.len = (uint8_t)facts->name.len;
	dns_name_lower(name.wire, facts->name.at, facts->name.len);
	judge_name(&judge, 0, dns_name_slice(&name));
	take_judgement(verdict, &judge.judgement);
}

static bool is_worse(enum action action, enum action than)
{
	return action == ACTION_BLOCK || (action == ACTION_ALERT && than != ACTION_ALERT);
}

/* Judges the names of an answer until one blocks. */
static void judge_chain(struct judge *judge, struct chain *chain)
{
	struct verdict *verdict = judge->verdict;
	for (unsigned hop; (hop = chain_next(chain)) != 0;) {
		const struct dns_name *name = &chain->names[hop];
		judge_name(judge, hop, dns_name_slice(name));
		if (is_worse(judge->judgement.action, verdict->action)) {
			take_judgement(verdict, &judge->judgement);
			verdict->matched_name = *name;
		}
		if (verdict->action == ACTION_BLOCK)
			return;
		if (judge->judgement.trusted)
			chain_trust(chain, hop);
	}
	if (chain_has_failed(chain))
		fail(verdict, judge->view->fail_mode);
}

static void judge_names(const struct policy *policy, const struct view_info *view,
	const struct facts *facts, const struct dns_answer *answer, struct verdict *verdict,
	const struct policy_trace *trace)
{
	struct judge judge;
	struct chain chain;
	/* No association: the firewall is off for this view, and so is its failure mode. */
	if (verdict->reason == REASON_FAIL_OPEN ||
		(view->association_count == 0 && view->default_action != ACTION_BLOCK))
		return;
	chain_begin(&chain, facts->name, answer);
	judge.policy = policy;
	judge.view = view;
	judge.query_type = facts->query_type;
	judge.verdict = verdict;
	judge.trace = trace;
	judge_chain(&judge, &chain);
}

/* Needs no list, and so has no failure mode: a view that is open for want of a list is protected
 * all the same. */
static void judge_addresses(const struct policy *policy, const struct view_info *view,
	const struct facts *facts, const struct dns_answer *answer, struct verdict *verdict)
{
	struct dns_name owner;
	if (!view->rebinding_protection || verdict_is_final(verdict) ||
		policy_local_has(policy, facts->name) ||
		!rebinding_finds(answer, policy->rebinding_exceptions,
			policy->rebinding_exception_count, &owner))
		return;
	take_judgement(verdict,
		&(struct judgement){ .action = ACTION_BLOCK,
			.reason = REASON_REBINDING,
			.block_response = BLOCK_NODATA,
			.match = no_match });
	verdict->matched_name.len = 0;
	if (dns_name_equals(dns_name_slice(&owner), facts->name))
		return;
	verdict->matched_name.len = owner.len;
	dns_name_lower(verdict->matched_name.wire, owner.wire, owner.len);
}

void policy_judge_answer(const struct policy *policy, const struct facts *facts,
	const struct dns_answer *answer, struct verdict *verdict, const struct policy_trace *trace)
{
	const struct view_info *view = policy_view(policy, facts->view);
	if (verdict_is_final(verdict) || verdict->trusted || !view)
		return;
	judge_names(policy, view, facts, answer, verdict, trace);
	judge_addresses(policy, view, facts, answer, verdict);
}
