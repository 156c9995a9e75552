#include "proxy/shadow/shadow.h"

#include <stdlib.h>
#include <xxhash.h>

/* ---- what the indices in force mean in the candidate ---- */

static bool same_listener(const struct listener_config *a, const struct listener_config *b)
{
	return a->kind == b->kind && a->port == b->port &&
		memcmp(&a->address, &b->address, sizeof a->address) == 0;
}

static uint16_t find_listener(const struct config *config, const struct listener_config *wanted)
{
	for (size_t i = 0; i < config->listener_count; i++)
		if (same_listener(&config->listeners[i], wanted))
			return (uint16_t)i;
	return POLICY_NO_ID;
}

static bool map_listeners(struct shadow *shadow, const struct config *in_force)
{
	uint16_t *listeners = arena_take(
		&shadow->memory, in_force->listener_count + 1, sizeof *shadow->listeners);
	for (size_t i = 0; listeners && i < in_force->listener_count; i++)
		listeners[i] = find_listener(shadow->candidate->config, &in_force->listeners[i]);
	shadow->listeners = listeners;
	shadow->listener_count = in_force->listener_count;
	return listeners != NULL;
}

static bool is_wanted(const struct shadow_order *order, const char *view)
{
	for (size_t i = 0; i < order->view_count; i++)
		if (strcmp(order->views[i], view) == 0)
			return true;
	return order->view_count == 0;
}

static bool map_views(
	struct shadow *shadow, const struct policy *in_force, const struct shadow_order *order)
{
	size_t count = policy_view_count(in_force);
	bool *takes = arena_take(&shadow->memory, count + 1, sizeof *takes);
	uint16_t *names = arena_take(&shadow->memory, count + 1, sizeof *names);
	if (!takes || !names)
		return false;
	for (size_t i = 0; i < count; i++) {
		const char *name = policy_view(in_force, (uint16_t)i)->name;
		takes[i] = is_wanted(order, name);
		names[i] = intern_id(&shadow->tally->names, slice_of_text(name));
	}
	shadow->takes_view = takes;
	shadow->views = names;
	shadow->has_views = order->view_count > 0;
	return true;
}

/* "group/rule", as the extended error says it. */
static uint16_t name_of(
	struct shadow_tally *tally, const struct policy *policy, const struct rule_info *rule)
{
	uint8_t text[2 * METRICS_NAME_MAX + 2];
	struct writer to = writer_of(text, sizeof text);
	writer_text(&to, policy_group_name(policy, rule->group));
	writer_u8(&to, '/');
	writer_text(&to, rule->name);
	return to.failed ? 0 : intern_id(&tally->names, writer_slice(&to));
}

static const uint16_t *name_rules(struct shadow *shadow, const struct policy *policy)
{
	size_t count = policy_rule_count(policy);
	uint16_t *names = arena_take(&shadow->memory, count + 1, sizeof *names);
	for (size_t i = 0; names && i < count; i++)
		names[i] = name_of(shadow->tally, policy, policy_rule(policy, (uint16_t)i));
	return names;
}

static void name_reasons(struct shadow *shadow)
{
	static const char *const names[] = {
		[REASON_DEFAULT] = "default action",
		[REASON_FAIL_CLOSED] = "policy failed",
		[REASON_FAIL_OPEN] = "policy failed",
		[REASON_REBINDING] = "rebinding protection",
		[REASON_EXCEPTION] = "exception",
	};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		shadow->reasons[i] = names[i]
			? intern_id(&shadow->tally->names, slice_of_text(names[i]))
			: SHADOW_NO_NAME;
}

struct shadow *shadow_new(struct snapshot *candidate, const struct snapshot *in_force,
	const struct shadow_order *order, struct shadow_tally *tally)
{
	struct shadow *shadow = calloc(1, sizeof *shadow);
	if (!shadow)
		return NULL;
	atomic_init(&shadow->references, 1);
	shadow->candidate = snapshot_ref(candidate);
	shadow->tally = shadow_tally_ref(tally);
	shadow->share = order->share;
	name_reasons(shadow);
	shadow->rules_in_force = name_rules(shadow, in_force->policy);
	shadow->rules = name_rules(shadow, candidate->policy);
	if (shadow->rules_in_force && shadow->rules && map_listeners(shadow, in_force->config) &&
		map_views(shadow, in_force->policy, order))
		return shadow;
	shadow_unref(shadow);
	return NULL;
}

struct shadow *shadow_ref(struct shadow *shadow)
{
	atomic_fetch_add_explicit(&shadow->references, 1, memory_order_relaxed);
	return shadow;
}

void shadow_unref(struct shadow *shadow)
{
	if (!shadow || atomic_fetch_sub_explicit(&shadow->references, 1, memory_order_acq_rel) != 1)
		return;
	snapshot_unref(shadow->candidate);
	shadow_tally_unref(shadow->tally);
	arena_free(&shadow->memory);
	free(shadow);
}

/* ---- whom it judges ---- */

bool shadow_takes(const struct shadow *shadow, uint16_t view, const struct address *client)
{
	if (shadow->has_views && (view == POLICY_NO_ID || !shadow->takes_view[view]))
		return false;
	if (shadow->share >= 100)
		return true;
	return XXH3_64bits_withSeed(client->bytes, sizeof client->bytes, shadow->tally->salt) %
		100 <
		shadow->share;
}

uint16_t shadow_find_view(const struct shadow *shadow, const struct claims *claims)
{
	struct claims there = *claims;
	there.listener = claims->listener < shadow->listener_count
		? shadow->listeners[claims->listener]
		: POLICY_NO_ID;
	if (there.listener == POLICY_NO_ID)
		return POLICY_NO_ID; /* the candidate does not listen there */
	return policy_find_view(shadow->candidate->policy, &there).view;
}

/* ---- what came of it ---- */

enum metrics_outcome shadow_outcome(const struct shadow_judged *judged)
{
	static const enum metrics_outcome actions[ACTION_COUNT] = {
		[ACTION_NONE] = METRICS_OUTCOME_NONE,
		[ACTION_ALLOW] = METRICS_OUTCOME_ALLOW,
		[ACTION_ALERT] = METRICS_OUTCOME_ALERT,
		[ACTION_BLOCK] = METRICS_OUTCOME_BLOCK,
	};
	if (judged->view == POLICY_NO_ID)
		return METRICS_OUTCOME_NO_VIEW;
	if (judged->verdict->reason == REASON_FAIL_CLOSED)
		return METRICS_OUTCOME_FAILED;
	if (judged->is_unknown)
		return METRICS_OUTCOME_UNKNOWN;
	return actions[judged->verdict->action];
}

static bool same_addresses(const struct rule_info *a, const struct rule_info *b)
{
	return a->address_count == b->address_count &&
		memcmp(a->addresses, b->addresses, a->address_count * sizeof *a->addresses) == 0;
}

/* Is the same answered instead? */
static bool same_response(const struct shadow_judged *a, const struct shadow_judged *b)
{
	if (a->verdict->block_response != b->verdict->block_response)
		return false;
	const struct rule_info *rule = policy_rule(a->policy, a->verdict->match.rule);
	const struct rule_info *other = policy_rule(b->policy, b->verdict->match.rule);
	switch (a->verdict->block_response) {
	case BLOCK_OVERRIDE:
		return rule && other && rule->override_ttl_s == other->override_ttl_s &&
			slice_equals(rule->override_domain, other->override_domain);
	case BLOCK_ADDRESS:
		return rule && other && (rule->address_count == 0 || same_addresses(rule, other)) &&
			rule->address_count == other->address_count;
	case BLOCK_RECORDS:
		return slice_equals(policy_facet(a->policy, a->verdict->match.entry.facet)->records,
			policy_facet(b->policy, b->verdict->match.entry.facet)->records);
	default: return true;
	}
}

static enum metrics_outcome without_rule(enum metrics_outcome outcome)
{
	return outcome == METRICS_OUTCOME_ALLOW ? METRICS_OUTCOME_NONE : outcome;
}

bool shadow_differs(const struct shadow_judged *in_force, const struct shadow_judged *candidate)
{
	enum metrics_outcome from = shadow_outcome(in_force);
	enum metrics_outcome to = shadow_outcome(candidate);
	if (from == METRICS_OUTCOME_BLOCK && to == METRICS_OUTCOME_BLOCK)
		return !same_response(in_force, candidate);
	return without_rule(from) != without_rule(to);
}

/* ---- counting ---- */

/* The name of what decided. */
static uint16_t by(const struct shadow *shadow, const struct shadow_judged *judged)
{
	if (judged->view == POLICY_NO_ID)
		return SHADOW_NO_NAME;
	uint16_t rule = judged->verdict->match.rule;
	if (judged->verdict->reason == REASON_RULE && rule != POLICY_NO_ID)
		return judged->rules[rule];
	return shadow->reasons[judged->verdict->reason];
}

static uint8_t response_of(const struct shadow_judged *judged, enum metrics_outcome outcome)
{
	return outcome == METRICS_OUTCOME_BLOCK ? (uint8_t)judged->verdict->block_response : 0;
}

void shadow_count(const struct shadow *shadow, struct shadow_table *table, uint16_t view,
	const struct shadow_judged *in_force, const struct shadow_judged *candidate,
	struct slice name, uint16_t type)
{
	enum metrics_outcome from = shadow_outcome(in_force);
	enum metrics_outcome to = shadow_outcome(candidate);
	const struct shadow_difference what = {
		.view = view == POLICY_NO_ID ? SHADOW_NO_NAME : shadow->views[view],
		.from_by = by(shadow, in_force),
		.to_by = by(shadow, candidate),
		.from = (uint8_t)from,
		.to = (uint8_t)to,
		.from_response = response_of(in_force, from),
		.to_response = response_of(candidate, to),
	};
	shadow_table_count(table, SHADOW_JUDGED);
	if (candidate->is_unknown)
		shadow_table_count(table, SHADOW_UNKNOWN);
	if (shadow_differs(in_force, candidate))
		shadow_table_add(table, &what, name, type);
	else if (what.from_by != what.to_by)
		shadow_table_count(table, SHADOW_ELSEWHERE);
}
