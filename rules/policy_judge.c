/* policy_judge.c - the evaluator. Semantics of Amazon Route 53 Resolver DNS Firewall: associations
 * by ascending priority, rules by ascending priority, the first match ends evaluation, whatever its
 * action is. Ours: MONITOR is noted and goes on, a rule is as if it were not there while its
 * schedule is off, the rule that decides in a group that only observes is noted, an exception comes
 * before all rules, and default_action BLOCK is one more last rule. */
#include "base/not_cleared.h"
#include "rules/policy_parts.h"

#include "rules/addresses.h"
#include "rules/chain.h"
#include "rules/given.h"
#include "rules/group_walk.h"
#include "rules/rebinding.h"

/* What one name, or one address, came to. */
struct judgement {
	enum action action;
	enum verdict_reason reason;
	enum block_response block_response;
	bool trusted;
	uint32_t exception;
	struct rule_match match;
};

struct judge {
	const struct policy *policy;
	const struct view_info *view;
	const struct facts *facts;
	uint16_t hop;
	struct slice name;        /* of this hop, lower case; or of who has the address */
	bool decided;             /* of this hop */
	bool observing;           /* the association only observes ... */
	bool observed;            /* ... and has come to what it would have decided, for this hop */
	bool failed;              /* an entry's answer cannot be given for a name */
	bool by_exceptions_alone; /* the rules cannot be evaluated */
	struct judgement judgement;
	struct verdict *verdict; /* for MONITOR rules, and observed ones */
	const struct policy_trace *trace;
	struct image_matches matches; /* of this hop's name, or of the address */
};

/* What a rule makes of an entry of its list. */
struct outcome {
	enum action action;
	enum block_response block_response;
};

static const struct rule_match no_match = {
	.group = POLICY_NO_ID,
	.rule = POLICY_NO_ID,
	.list = POLICY_NO_ID,
};

static void judge_init(struct judge *judge, const struct policy *policy,
	const struct view_info *view, const struct facts *facts, struct verdict *verdict,
	const struct policy_trace *trace)
{
	judge->policy = policy;
	judge->view = view;
	judge->facts = facts;
	judge->verdict = verdict;
	judge->trace = trace;
	judge->failed = false;
	judge->by_exceptions_alone = false;
}

/* One network may have all addresses of an answer: that is one thing to tell. */
static bool is_noted(const struct verdict *verdict, const struct rule_match *match)
{
	for (unsigned i = 0; i < verdict->monitor_count; i++)
		if (verdict->monitors[i].rule == match->rule &&
			verdict->monitors[i].entry.kind == LIST_ENTRY_NETWORK)
			return true;
	return false;
}

static void note_monitor(struct verdict *verdict, const struct rule_match *match)
{
	if (match->entry.kind == LIST_ENTRY_NETWORK && is_noted(verdict, match))
		return;
	if (verdict->monitor_count < VERDICT_MONITORS_MAX)
		verdict->monitors[verdict->monitor_count++] = *match;
}

/* ---- what an entry wants ---- */

static struct outcome outcome_given(const struct rule_info *rule, const struct facet *facet)
{
	static const enum block_response responses[GIVEN_COUNT] = {
		[GIVEN_NXDOMAIN] = BLOCK_NXDOMAIN,
		[GIVEN_NODATA] = BLOCK_NODATA,
		[GIVEN_REFUSED] = BLOCK_REFUSED,
		[GIVEN_DROP] = BLOCK_DROP,
		[GIVEN_TCP_ONLY] = BLOCK_TRUNCATE,
		[GIVEN_RECORDS] = BLOCK_RECORDS,
	};
	if (facet->effect == FACET_PASS)
		return (struct outcome){ .action = ACTION_ALLOW };
	return (struct outcome){ .action = ACTION_BLOCK,
		.block_response = facet->given == GIVEN_NOTHING ? rule->block_response
								: responses[facet->given] };
}

/* Does the entry count for the rule at all? Then *outcome is what the rule says. */
static bool find_outcome(const struct judge *judge, const struct rule_info *rule,
	const struct list_entry *entry, struct outcome *outcome)
{
	const struct facet *facet = image_facet(judge->policy->image, entry->facet);
	if (rule->action != ACTION_GIVEN) {
		*outcome = (struct outcome){ rule->action, rule->block_response };
		return facet->effect != FACET_PASS;
	}
	*outcome = outcome_given(rule, facet);
	return outcome->block_response != BLOCK_TRUNCATE || judge->facts->is_datagram;
}

/* A look-up goes by a hash. That it takes another name for a listed one hardly ever happens, and
 * may at worst block; what lets a name through (ALERT ends the evaluation too) is compared byte for
 * byte. */
static bool is_certain(const struct judge *judge, const struct rule_info *rule,
	const struct list_entry *entry, const struct outcome *outcome)
{
	return outcome->action == ACTION_BLOCK || outcome->action == ACTION_MONITOR ||
		entry->kind == LIST_ENTRY_NETWORK ||
		image_holds(judge->policy->image, judge->policy->lists[rule->list].number,
			policy_entry_name(entry, judge->name), entry);
}

/* ---- rules ---- */

static void decide(
	struct judge *judge, const struct rule_match *match, const struct outcome *outcome)
{
	const struct rule_info *rule = &judge->policy->rules[match->rule];
	judge->decided = true;
	if (outcome->action == ACTION_BLOCK && outcome->block_response == BLOCK_RECORDS &&
		!given_fits(image_facet(judge->policy->image, match->entry.facet), judge->name)) {
		judge->failed = true;
		return;
	}
	judge->judgement = (struct judgement){
		.action = outcome->action,
		.reason = REASON_RULE,
		.block_response = outcome->block_response,
		.trusted = rule->redirection == REDIRECTION_TRUST,
		.match = *match,
	};
}

/* Has this hop been decided, as far as the association can tell? */
static bool is_over(const struct judge *judge)
{
	return judge->decided || (judge->observing && judge->observed);
}

/* All of it holds. */
static void settle(struct judge *judge, struct rule_match *match, const struct outcome *outcome,
	bool is_monitor)
{
	if (is_monitor) {
		note_monitor(judge->verdict, match);
	} else if (judge->observing) {
		judge->observed = true;
		note_monitor(judge->verdict, match);
	} else {
		decide(judge, match, outcome);
	}
}

static bool is_on(const struct judge *judge, const struct rule_info *rule)
{
	return rule->schedule == 0 || judge->facts->schedules >> (rule->schedule - 1) & 1;
}

static bool list_has(const struct judge *judge, uint16_t list)
{
	return list < IMAGE_LISTS_MAX && image_matches_have(&judge->matches, list);
}

static void judge_rule(struct judge *judge, uint16_t group, uint16_t number)
{
	const struct policy_key *key = &judge->policy->keys[number];
	bool type_matched = key->query_type == 0 || key->query_type == judge->facts->query_type;
	bool listed = list_has(judge, key->list);
	if (!(type_matched && listed) && !judge->trace)
		return;
	const struct rule_info *rule = &judge->policy->rules[number];
	struct outcome outcome = { .action = ACTION_NONE };
	struct rule_match match = {
		.group = group, .rule = number, .list = rule->list, .hop = judge->hop
	};
	if (listed || (judge->trace && key->list < IMAGE_LISTS_MAX))
		match.entry = judge->matches.entries[key->list];
	struct rule_fit fit = {
		.type_matched = type_matched,
		.schedule_on = is_on(judge, rule),
		.list_matched = listed && find_outcome(judge, rule, &match.entry, &outcome) &&
			is_certain(judge, rule, &match.entry, &outcome),
	};
	bool is_monitor = rule->action == ACTION_MONITOR;
	bool matched = rule_fits(&fit) && !is_over(judge);
	match.observed = matched && judge->observing && !is_monitor;
	fit.decisive = matched && !judge->observing && !is_monitor;
	if (judge->trace)
		judge->trace->on_rule(judge->trace->context, &match, &fit);
	if (matched)
		settle(judge, &match, &outcome, is_monitor);
}

/* Of many rules only those about the lists that were found: 1,000 cost 2 µs of every name that a
 * list has. */
static void judge_group(struct judge *judge, uint16_t number)
{
	NOT_CLEARED struct group_walk walk;
	const struct policy_group *group = &judge->policy->groups[number];
	bool walks = group->by_list && !judge->trace &&
		group_walk_begin(&walk, group->by_list, group->rule_count, &judge->matches);
	uint16_t rule = group->first_rule;
	unsigned end = (unsigned)rule + group->rule_count;
	for (; walks ? group_walk_next(&walk, &rule) : rule < end; rule++) {
		judge_rule(judge, number, rule);
		if (is_over(judge) && !judge->trace)
			return;
	}
}

static void judge_rules(struct judge *judge)
{
	const struct view_info *view = judge->view;
	for (size_t i = 0; i < view->association_count; i++) {
		judge->observing = view->associations[i].observe;
		judge->observed = false;
		judge_group(judge, view->associations[i].group);
		if (judge->decided && !judge->trace)
			return;
	}
}

static void begin_hop(struct judge *judge, unsigned hop, struct slice name)
{
	judge->hop = (uint16_t)hop;
	judge->name = name;
	judge->decided = false;
	judge->judgement = (struct judgement){ .match = no_match };
	judge->judgement.match.hop = judge->hop;
}

/* Who watches sees the entries that count without making their list match: exceptions. */
static void clear_matches(struct judge *judge)
{
	memset(judge->matches.lists, 0, sizeof judge->matches.lists);
	if (judge->trace)
		memset(judge->matches.entries, 0, sizeof judge->matches.entries);
}

static bool look_up(struct judge *judge, struct slice name)
{
	const struct image *image = judge->policy->image;
	if (!image || judge->trace)
		clear_matches(judge);
	return image && image_find(image, name, judge->facts->query_type, &judge->matches);
}

/* As a rule would that stands before all others: ALLOW trusts what the name leads to. */
static void judge_by_exception(struct judge *judge)
{
	const struct facts *facts = judge->facts;
	const struct exception *exception =
		exceptions_find(facts->exceptions, judge->view->name, judge->name, facts->now_s);
	if (!exception)
		return;
	judge->decided = true;
	judge->judgement.action = exception->action;
	judge->judgement.reason = REASON_EXCEPTION;
	judge->judgement.block_response = judge->view->default_block_response;
	judge->judgement.trusted = exception->action == ACTION_ALLOW;
	judge->judgement.exception = exception->id;
	if (judge->trace && judge->trace->on_exception)
		judge->trace->on_exception(judge->trace->context, exception);
}

/* Judges one name, lower case; the outcome is in judge->judgement. */
static void judge_name(struct judge *judge, unsigned hop, struct slice name)
{
	begin_hop(judge, hop, name);
	if (judge->trace)
		judge->trace->on_name(judge->trace->context, hop, name);
	if (judge->facts->exceptions)
		judge_by_exception(judge);
	if (judge->by_exceptions_alone)
		return;
	bool settled = judge->decided && !judge->trace;
	if (!settled && (look_up(judge, name) || judge->trace))
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
	verdict->exception = judgement->exception;
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
	NOT_CLEARED struct judge judge;
	NOT_CLEARED struct dns_name name;
	const struct view_info *view = policy_view(policy, facts->view);
	verdict->monitor_count = 0;
	verdict->matched_name.len = 0;
	take_judgement(verdict, &(struct judgement){ .match = no_match });
	if (!view || facts->name.len == 0 || facts->name.len > DNS_NAME_MAX) {
		fail(verdict, fail_mode_of(view));
		return;
	}
	judge_init(&judge, policy, view, facts, verdict, trace);
	/* Lower case is the caller's duty; a caller who forgets it must not open a hole. */
	name.len = (uint8_t)facts->name.len;
	dns_name_lower(name.wire, facts->name.at, facts->name.len);
	judge.by_exceptions_alone = view->failed;
	judge_name(&judge, 0, dns_name_slice(&name));
	if (judge.failed || (view->failed && !judge.decided))
		fail(verdict, view->fail_mode);
	else
		take_judgement(verdict, &judge.judgement);
}

static bool is_worse(enum action action, enum action than)
{
	return action == ACTION_BLOCK || (action == ACTION_ALERT && than != ACTION_ALERT);
}

/* An exception that let a name through stays noted, unless something else blocks in the end. */
static void take_hop(struct judge *judge, const struct dns_name *name)
{
	struct verdict *verdict = judge->verdict;
	const struct judgement *judgement = &judge->judgement;
	uint32_t exception = verdict->exception ? verdict->exception : judgement->exception;
	if (is_worse(judgement->action, verdict->action)) {
		take_judgement(verdict, judgement);
		verdict->matched_name = *name;
	}
	if (verdict->action != ACTION_BLOCK)
		verdict->exception = exception;
}

/* Judges the names of an answer until one blocks. */
static void judge_chain(struct judge *judge, struct chain *chain)
{
	for (unsigned hop; (hop = chain_next(chain)) != 0;) {
		const struct dns_name *name = &chain->names[hop];
		judge_name(judge, hop, dns_name_slice(name));
		take_hop(judge, name);
		if (judge->verdict->action == ACTION_BLOCK)
			return;
		if (judge->judgement.trusted)
			chain_trust(chain, hop);
	}
	judge->failed |= chain_has_failed(chain);
}

static void judge_names(struct judge *judge, const struct dns_answer *answer)
{
	struct chain chain;
	if (!judge->view->association_count && !judge->view->enforces && !judge->facts->exceptions)
		return;
	chain_begin(&chain, judge->facts->name, answer);
	judge_chain(judge, &chain);
}

/* ---- addresses ---- */

static void take_address(
	struct judge *judge, const struct address *address, const struct dns_name *owner)
{
	struct verdict *verdict = judge->verdict;
	if (!is_worse(judge->judgement.action, verdict->action))
		return;
	take_hop(judge, owner);
	verdict->matched_address = *address;
}

/* True when it blocks. */
static bool judge_address(
	void *context, const struct address *address, const struct dns_name *owner)
{
	struct judge *judge = context;
	struct dns_name lower = { .len = owner->len };
	dns_name_lower(lower.wire, owner->wire, owner->len);
	begin_hop(judge, 0, dns_name_slice(&lower));
	clear_matches(judge);
	bool listed = image_find_address(
		judge->policy->image, address, judge->facts->query_type, &judge->matches);
	if (judge->trace && judge->trace->on_address)
		judge->trace->on_address(judge->trace->context, address, judge->name);
	if (listed || judge->trace)
		judge_rules(judge);
	take_address(judge, address, &lower);
	return judge->verdict->action == ACTION_BLOCK;
}

static void judge_networks(struct judge *judge, const struct dns_answer *answer)
{
	if (judge->view->has_networks && judge->verdict->action != ACTION_BLOCK &&
		!policy_local_has(judge->policy, judge->facts->name))
		addresses_each(answer, judge_address, judge);
}

/* What the lists say about the answer. What blocks, blocks; only then a failure is one. */
static void judge_by_lists(const struct policy *policy, const struct view_info *view,
	const struct facts *facts, const struct dns_answer *answer, struct verdict *verdict,
	const struct policy_trace *trace)
{
	NOT_CLEARED struct judge judge;
	bool is_open = verdict->reason == REASON_FAIL_OPEN;
	if (is_open && !facts->exceptions)
		return;
	judge_init(&judge, policy, view, facts, verdict, trace);
	judge.by_exceptions_alone = is_open;
	judge_names(&judge, answer);
	if (!is_open)
		judge_networks(&judge, answer);
	/* A firewall that is off has no failure mode; what only observes does no harm. */
	if (judge.failed && view->enforces && !is_open && verdict->action != ACTION_BLOCK)
		fail(verdict, view->fail_mode);
}

/* Needs no list, and so has no failure mode: a view that is open for want of a list is protected
 * all the same. */
static void judge_rebinding(const struct policy *policy, const struct view_info *view,
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
	judge_by_lists(policy, view, facts, answer, verdict, trace);
	judge_rebinding(policy, view, facts, answer, verdict);
}
