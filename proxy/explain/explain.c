/* explain.c - fills the trace: who is asking, where the answer would come from, what every rule
 * says to every name and address, and the verdict. */
#include "proxy/explain/explain.h"

#include "base/error.h"
#include "dns/rdata_text.h"
#include "proxy/explain/explain_parts.h"
#include "proxy/query/local.h"
#include "proxy/query/special.h"

struct taking {
	struct trace *trace;
	const struct explain_world *world;
	struct explain_outcome *outcome;
	uint64_t schedules;
	struct dns_name name; /* of the hop that is judged, or who has the address */
	struct address address;
	bool is_address;
	bool is_decided; /* what the hop comes to */
	uint32_t hop;
	uint32_t exceptions_used[EXCEPTIONS_MAX];
};

/* ---- policy, question, view ---- */

static void take_policy(struct taking *taking)
{
	const struct explain_world *world = taking->world;
	char hash[EXCEPTION_HASH_MAX] = "";
	struct trace_policy *row = trace_add(taking->trace, TRACE_POLICY);
	if (world->exceptions)
		exceptions_hash(world->exceptions, world->now_s, hash);
	row->from = world->revision ? "running" : "file";
	row->file = trace_text(taking->trace, world->config->file);
	row->revision = world->revision;
	row->hash = trace_text(taking->trace, world->policy_hash);
	row->exceptions_hash = hash[0] ? trace_text(taking->trace, hash) : NULL;
	row->now_s = world->now_s;
}

static const char *type_text(struct trace *trace, uint16_t type)
{
	char text[16];
	struct writer to = writer_of(text, sizeof text);
	dns_type_write(&to, type);
	return trace_slice(trace, writer_slice(&to));
}

/* Plain DNS comes over TCP as well; it is rare. */
static bool is_datagram(const struct config *config, uint16_t listener)
{
	return listener < config->listener_count &&
		config->listeners[listener].kind == LISTENER_DNS;
}

static void take_question(struct taking *taking, const struct explain_question *question)
{
	const struct config *config = taking->world->config;
	uint16_t listener = question->claims.listener;
	char client[ADDRESS_TEXT_MAX];
	struct trace_question *row = trace_add(taking->trace, TRACE_QUESTION);
	row->name = trace_name(taking->trace, dns_name_slice(&question->name));
	row->type = type_text(taking->trace, question->type);
	row->is_datagram = is_datagram(config, listener);
	if (listener < config->listener_count)
		row->listener = trace_text(taking->trace, config->listeners[listener].name);
	if (question->view != POLICY_NO_ID)
		return;
	address_text(&question->claims.client, client);
	row->client = trace_text(taking->trace, client);
}

static void take_view(struct taking *taking, const struct explain_question *question)
{
	const struct policy *policy = taking->world->policy;
	struct trace_view *row = trace_add(taking->trace, TRACE_VIEW);
	uint16_t view = question->view;
	if (view == POLICY_NO_ID)
		view = explain_admit(taking->trace, taking->world, &question->claims, row);
	taking->outcome->view = view;
	const struct view_info *info = policy_view(policy, view);
	if (!info)
		return;
	row->name = trace_text(taking->trace, info->name);
	row->default_action = action_name(info->default_action);
	if (info->default_action == ACTION_BLOCK)
		row->default_block_response = block_response_name(info->default_block_response);
	row->fail_mode = info->fail_mode == FAIL_OPEN ? "open" : "closed";
	row->is_failed = info->failed;
}

/* ---- exceptions ---- */

static const char *kind_text(enum pattern_kind kind)
{
	return kind == PATTERN_EXACT ? "exact" : kind == PATTERN_BELOW ? "below" : "both";
}

static const char *pattern_text(struct trace *trace, struct slice name, enum pattern_kind kind)
{
	char text[DNS_NAME_TEXT_MAX + 2];
	struct writer to = writer_of(text, sizeof text);
	list_pattern_write_text(&to, name, kind);
	return trace_slice(trace, writer_slice(&to));
}

/* All that are in force: whoever changes something must know them. */
static void take_exceptions(struct taking *taking)
{
	size_t count = 0;
	const struct exception *all = taking->world->exceptions
		? exceptions_all(taking->world->exceptions, &count)
		: NULL;
	for (size_t i = 0; i < count && i < EXCEPTIONS_MAX; i++) {
		if (all[i].until_s <= taking->world->now_s)
			continue;
		struct trace_exception *row = trace_add(taking->trace, TRACE_EXCEPTION);
		row->id = all[i].id;
		row->action = action_name(all[i].action);
		row->name = pattern_text(taking->trace, dns_name_slice(&all[i].name), all[i].kind);
		row->kind = kind_text(all[i].kind);
		row->view = all[i].view[0] ? trace_text(taking->trace, all[i].view) : NULL;
		row->until_s = all[i].until_s;
		row->because = trace_text(taking->trace, all[i].because);
		row->by = trace_text(taking->trace, all[i].by);
		row->hops = taking->exceptions_used[i];
	}
}

static void on_exception(void *context, const struct exception *exception)
{
	struct taking *taking = context;
	size_t count;
	const struct exception *all = exceptions_all(taking->world->exceptions, &count);
	taking->is_decided = true;
	for (size_t i = 0; i < count && i < EXCEPTIONS_MAX; i++)
		if (all[i].id == exception->id)
			taking->exceptions_used[i]++;
}

/* ---- names, addresses, rules ---- */

static struct trace_hop *add_hop(struct taking *taking, struct slice name)
{
	struct trace_hop *row = trace_add(taking->trace, TRACE_HOP);
	taking->hop = (uint32_t)trace_count(taking->trace, TRACE_HOP) - 1;
	taking->name.len = (uint8_t)name.len;
	memcpy(taking->name.wire, name.at, name.len);
	taking->is_decided = false;
	row->number = taking->hop;
	row->name = trace_name(taking->trace, name);
	return row;
}

static void on_name(void *context, unsigned hop, struct slice name)
{
	struct taking *taking = context;
	struct trace_hop *row = add_hop(taking, name);
	row->what = hop ? "answer" : "question";
	row->place = hop;
	taking->is_address = false;
}

static void on_address(void *context, const struct address *address, struct slice owner)
{
	struct taking *taking = context;
	char text[ADDRESS_TEXT_MAX];
	struct trace_hop *row = add_hop(taking, owner);
	address_text(address, text);
	row->what = "address";
	row->address = trace_text(taking->trace, text);
	taking->address = *address;
	taking->is_address = true;
}

const char *explain_entry_text(struct trace *trace, const struct list_entry *entry,
	struct slice name, const struct address *address)
{
	char text[DNS_NAME_TEXT_MAX + 2];
	struct writer to = writer_of(text, sizeof text);
	policy_entry_write_text(&to, entry, name, address);
	return trace_slice(trace, writer_slice(&to));
}

/* What an entry says beyond being listed. */
static const char *meaning_of(const struct facet *facet)
{
	static const char *const given[GIVEN_COUNT] = {
		[GIVEN_NXDOMAIN] = "wants NXDOMAIN",
		[GIVEN_NODATA] = "wants NODATA",
		[GIVEN_REFUSED] = "wants REFUSED",
		[GIVEN_DROP] = "wants DROP",
		[GIVEN_TCP_ONLY] = "wants TCP only",
		[GIVEN_RECORDS] = "has records of its own",
	};
	if (!facet)
		return NULL;
	return facet->effect == FACET_PASS      ? "lets the name pass"
		: facet->effect == FACET_LISTED ? given[facet->given]
						: "an exception";
}

static void take_entry(
	struct taking *taking, const struct rule_match *match, struct trace_rule *row)
{
	const struct facet *facet = policy_facet(taking->world->policy, match->entry.facet);
	struct slice name = dns_name_slice(&taking->name);
	row->entry = explain_entry_text(taking->trace, &match->entry, name, &taking->address);
	row->meaning = meaning_of(facet);
	row->entry_kind = match->entry.kind;
	row->facet = facet ? (uint32_t)facet->effect * GIVEN_COUNT + facet->given : 0;
	if (match->entry.kind != LIST_ENTRY_NETWORK)
		row->entry_name = trace_name(taking->trace, policy_entry_name(&match->entry, name));
}

/* Why a rule did not decide; or that it did. */
static const char *outcome_of(const struct taking *taking, const struct rule_info *rule,
	const struct rule_match *match, const struct rule_fit *fit)
{
	const struct facet *facet = policy_facet(taking->world->policy, match->entry.facet);
	if (fit->decisive)
		return "decides";
	if (match->entry.kind == 0)
		return "not_listed";
	if (!fit->list_matched)
		return facet && facet->effect == FACET_EXCEPT     ? "exception_in_list"
			: facet && facet->effect == FACET_PASS    ? "passes"
			: facet && facet->given == GIVEN_TCP_ONLY ? "tcp_only"
								  : "not_listed";
	if (!fit->type_matched)
		return "other_query_type";
	if (!fit->schedule_on)
		return "schedule_off";
	if (match->observed)
		return "observed";
	return rule->action == ACTION_MONITOR && !taking->is_decided ? "recorded" : "would_match";
}

static int64_t next_on(const struct schedule_spec *schedule, int64_t now_s)
{
	enum { DAYS = 8, MINUTE_S = 60 };
	int64_t from = now_s - now_s % MINUTE_S;
	for (int i = 1; i < DAYS * SCHEDULE_DAY_MIN; i++)
		if (schedule_is_on(schedule, from + (int64_t)i * MINUTE_S))
			return from + (int64_t)i * MINUTE_S;
	return 0;
}

static void take_schedule(struct taking *taking, const struct rule_info *rule,
	const struct rule_fit *fit, struct trace_rule *row)
{
	const struct policy_spec *spec = &taking->world->config->policy;
	if (rule->schedule == 0 || rule->schedule > spec->schedule_count)
		return;
	const struct schedule_spec *schedule = &spec->schedules[rule->schedule - 1];
	row->schedule = trace_text(taking->trace, schedule->name);
	row->is_schedule_off = !fit->schedule_on;
	if (!fit->schedule_on)
		row->schedule_on_s = next_on(schedule, taking->world->now_s);
}

static const struct association_spec *association_of(const struct taking *taking, uint16_t group)
{
	const struct view_info *view = policy_view(taking->world->policy, taking->outcome->view);
	for (size_t i = 0; i < view->association_count; i++)
		if (view->associations[i].group == group)
			return &view->associations[i];
	return NULL;
}

static void take_rule(
	struct taking *taking, const struct rule_match *match, const struct rule_fit *fit)
{
	const struct policy *policy = taking->world->policy;
	const struct rule_info *rule = policy_rule(policy, match->rule);
	const struct association_spec *association = association_of(taking, match->group);
	struct trace_rule *row = trace_add(taking->trace, TRACE_RULE);
	row->hop = taking->hop;
	row->association = association ? association->priority : 0;
	row->is_observed = association && association->observe;
	row->group = trace_text(taking->trace, policy_group_name(policy, match->group));
	row->rule = trace_text(taking->trace, rule->name);
	row->priority = rule->priority;
	row->action = action_name(rule->action);
	if (rule->action == ACTION_BLOCK || rule->action == ACTION_GIVEN)
		row->block_response = block_response_name(rule->block_response);
	row->redirection = rule->redirection == REDIRECTION_TRUST ? "TRUST" : "INSPECT";
	if (rule->query_type)
		row->query_type = type_text(taking->trace, rule->query_type);
	row->list = trace_text(taking->trace, policy_list(policy, match->list)->name);
	row->outcome = outcome_of(taking, rule, match, fit);
	take_schedule(taking, rule, fit, row);
	if (match->entry.kind)
		take_entry(taking, match, row);
	if (taking->trace->is_cut || (taking->is_address && match->entry.kind == 0))
		return; /* what is not told need not be sought */
	const struct explain_near near = { taking->world, &taking->outcome->facts };
	explain_near_rule(taking->trace, &near,
		taking->is_address ? slice_of(NULL, 0) : dns_name_slice(&taking->name), match, row);
}

static void on_rule(void *context, const struct rule_match *match, const struct rule_fit *fit)
{
	struct taking *taking = context;
	take_rule(taking, match, fit);
	taking->is_decided |= fit->decisive;
}

/* ---- the answer, and where it comes from ---- */

static void take_records(struct taking *taking, const struct dns_answer *answer, const char *from)
{
	struct dns_record_walk walk;
	struct dns_record record;
	char text[DNS_NAME_TEXT_MAX + 2048];
	dns_record_walk_begin(&walk, answer);
	while (dns_record_next(&walk, &record)) {
		struct writer to = writer_of(text, sizeof text);
		if (record.section != DNS_SECTION_ANSWER)
			continue;
		dns_name_write_text(&to, dns_name_slice(&record.owner));
		writer_u8(&to, ' ');
		dns_type_write(&to, record.type);
		writer_u8(&to, ' ');
		dns_rdata_write_text(&to, answer, &record);
		struct trace_answer *row = trace_add(taking->trace, TRACE_ANSWER);
		row->from = from;
		row->record = trace_slice(taking->trace, writer_slice(&to));
	}
}

static void ignore_record(void *context, uint16_t type, uint32_t ttl_s, struct slice rdata)
{
	(void)context;
	(void)type;
	(void)ttl_s;
	(void)rdata;
}

static void take_upstream(
	struct taking *taking, const struct route *route, struct trace_source *row)
{
	const struct config *config = taking->world->config;
	row->is_routed = route->is_explicit;
	row->from = config->upstream_group_count ? "upstream_group" : "system_resolvers";
	if (config->upstream_group_count)
		row->name = trace_text(taking->trace, config->upstream_groups[route->group].name);
	taking->outcome->group = route->group;
}

/* Who gives the answer to what is not blocked. */
static void take_source(struct taking *taking)
{
	const struct explain_world *world = taking->world;
	const struct facts *facts = &taking->outcome->facts;
	struct route route = routes_find(world->routes, facts->view, facts->name);
	struct trace_source *row = trace_add(taking->trace, TRACE_SOURCE);
	enum special_name special;
	if (verdict_is_final(&taking->outcome->verdict))
		row->from = "nowhere";
	else if (policy_local_records(
			 world->policy, facts->name, facts->query_type, ignore_record, NULL))
		row->from = "local_data";
	else if (ddr_is_ours(facts->name))
		row->from = "discovery";
	else if (!route.is_explicit &&
		special_find(
			world->config->special_names, facts->name, facts->query_type, &special)) {
		row->from = "special_name";
		row->name = special_name_text(special);
	} else
		take_upstream(taking, &route, row);
}

/* What we answer ourselves leads somewhere too; another answer is not asked for then. */
static const char *find_answer(struct taking *taking, const struct explain_question *question)
{
	struct explain_outcome *outcome = taking->outcome;
	const struct dns_query query = { .name = dns_name_slice(&question->name),
		.type = question->type,
		.class = DNS_CLASS_IN };
	struct local_answer local;
	outcome->answer = question->answer;
	if (!local_data_answer(&local, taking->world->policy, &query, outcome->facts.name,
		    outcome->local, sizeof outcome->local))
		return question->answer_from;
	outcome->answer = local.message;
	return "local_data";
}

static void judge_answer(struct taking *taking, const struct explain_question *question,
	const struct policy_trace *trace)
{
	struct explain_outcome *outcome = taking->outcome;
	struct dns_answer answer;
	const char *from = find_answer(taking, question);
	if (outcome->answer.len == 0 || dns_answer_open(&answer, outcome->answer) != 0) {
		outcome->answer = slice_of(NULL, 0);
		return;
	}
	take_records(taking, &answer, from);
	if (verdict_is_final(&outcome->verdict))
		return;
	outcome->is_answer_judged = true;
	policy_judge_answer(
		taking->world->policy, &outcome->facts, &answer, &outcome->verdict, trace);
}

static void judge(struct taking *taking, const struct explain_question *question)
{
	struct explain_outcome *outcome = taking->outcome;
	const struct policy_trace trace = { .on_name = on_name,
		.on_address = on_address,
		.on_exception = on_exception,
		.on_rule = on_rule,
		.context = taking };
	outcome->lower.len = question->name.len;
	dns_name_lower(outcome->lower.wire, question->name.wire, question->name.len);
	outcome->facts = (struct facts){ .view = outcome->view,
		.query_type = question->type,
		.is_datagram = is_datagram(taking->world->config, question->claims.listener),
		.name = dns_name_slice(&outcome->lower),
		.now_s = taking->world->now_s,
		.schedules = taking->schedules,
		.exceptions = taking->world->exceptions };
	policy_judge_query(taking->world->policy, &outcome->facts, &outcome->verdict, &trace);
	take_source(taking);
	judge_answer(taking, question, &trace);
}

/* ---- the verdict ---- */

static const char *reason_text(enum verdict_reason reason)
{
	static const char *const texts[] = {
		[REASON_NO_MATCH] = "no_match",
		[REASON_RULE] = "rule",
		[REASON_DEFAULT] = "default_action",
		[REASON_FAIL_CLOSED] = "fail_closed",
		[REASON_FAIL_OPEN] = "fail_open",
		[REASON_REBINDING] = "rebinding",
		[REASON_EXCEPTION] = "exception",
	};
	return texts[reason];
}

static void mark_deciding(struct taking *taking, const struct trace_verdict *verdict)
{
	for (size_t i = 0; i < trace_count(taking->trace, TRACE_HOP); i++) {
		struct trace_hop *hop = trace_row(taking->trace, TRACE_HOP, i);
		bool is_here = verdict->address
			? hop->address && strcmp(hop->address, verdict->address) == 0
			: !hop->address && hop->place == verdict->place;
		if (!is_here)
			continue;
		hop->is_deciding = true;
		return;
	}
}

static void take_verdict(struct taking *taking)
{
	const struct policy *policy = taking->world->policy;
	const struct verdict *verdict = &taking->outcome->verdict;
	const struct rule_match *match = &verdict->match;
	const struct rule_info *rule = policy_rule(policy, match->rule);
	struct slice name = verdict_matched_name(verdict, taking->outcome->facts.name);
	struct trace_verdict *row = trace_add(taking->trace, TRACE_VERDICT);
	char text[ADDRESS_TEXT_MAX];
	row->action = verdict->action == ACTION_NONE
		? verdict->reason == REASON_FAIL_CLOSED ? "FAIL" : "ALLOW"
		: action_name(verdict->action);
	if (verdict->action == ACTION_BLOCK)
		row->block_response = block_response_name(verdict->block_response);
	row->reason = reason_text(verdict->reason);
	row->place = match->hop;
	row->name = trace_name(taking->trace, name);
	row->exception = verdict->exception;
	row->is_trusted = verdict->trusted;
	row->is_blocked = verdict_is_final(verdict);
	row->is_answer_judged = taking->outcome->is_answer_judged;
	if (rule) {
		row->group = trace_text(taking->trace, policy_group_name(policy, match->group));
		row->rule = trace_text(taking->trace, rule->name);
		row->list = trace_text(taking->trace, policy_list(policy, match->list)->name);
		row->entry = explain_entry_text(
			taking->trace, &match->entry, name, &verdict->matched_address);
	}
	if (rule && match->entry.kind == LIST_ENTRY_NETWORK) {
		address_text(&verdict->matched_address, text);
		row->address = trace_text(taking->trace, text);
	}
	if (rule || verdict->reason == REASON_DEFAULT || verdict->reason == REASON_EXCEPTION)
		mark_deciding(taking, row);
}

void explain_take(struct trace *trace, const struct explain_world *world,
	const struct explain_question *question, struct explain_outcome *outcome)
{
	const struct policy_spec *spec = &world->config->policy;
	struct taking taking = { .trace = trace, .world = world, .outcome = outcome };
	outcome->group = POLICY_NO_ID;
	outcome->answer = slice_of(NULL, 0);
	outcome->is_answer_judged = false;
	if (spec->schedule_count)
		taking.schedules =
			schedules_on(spec->schedules, spec->schedule_count, world->now_s);
	take_policy(&taking);
	take_question(&taking, question);
	take_view(&taking, question);
	if (outcome->view == POLICY_NO_ID)
		return;
	judge(&taking, question);
	take_exceptions(&taking);
	take_verdict(&taking);
	explain_take_lists(trace, world);
}
