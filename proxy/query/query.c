/* query.c - the life of one query, top to bottom. See query.h, and docs/map.md for the journey.
 *
 * A query begins on the stack. What can be answered at once (malformed, blocked, ours) never leaves
 * it; a slot of the table is taken only by what has to wait. There is one wait, the upstream, and
 * one exit, query_end(). */
#include "proxy/query/query.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/log.h"
#include "dns/answer.h"
#include "dns/reply.h"
#include "proxy/front/conn.h"
#include "proxy/front/udp.h"
#include "proxy/query/join.h"
#include "proxy/query/local.h"
#include "proxy/worker.h"

enum {
	BLOCK_TTL_S = 60,  /* of negative and made-up answers */
	LOCAL_MAX = 16384, /* bytes of an answer of our own */
};

struct query {
	struct worker *worker;
	struct list waiting; /* among those who wait for the same ask */
	struct query *next_free;
	struct reply_to to;
	struct dns_query asked; /* its name is name_asked */
	struct facts facts;     /* its name is name_lower */
	struct verdict verdict;
	struct epoch *epoch;
	uint64_t begun_us;
	size_t message_len;
	struct dns_name chase; /* we ask for this name instead, and put what led to it in front */
	const char *upstream;  /* who answered; NULL: nobody was asked. Its name is good only in the
				  turn that brought the answer */
	uint32_t upstream_us;
	bool held; /* counted by its connection */
	uint8_t name_asked[DNS_NAME_MAX];
	uint8_t name_lower[DNS_NAME_MAX];
};

struct query_table {
	struct query *queries;
	size_t capacity;
	size_t untouched; /* first that was never used */
	size_t waiting;
	struct query *free;
	struct join_table *asks;
};

/* What a query ends with. */
struct outcome {
	struct slice reply; /* empty: silence */
	enum metrics_source source;
	uint16_t rcode;
	int ede;
	uint32_t max_age_s;
};

struct query_table *query_table_new(size_t capacity)
{
	struct query_table *table = calloc(1, sizeof *table);
	if (!table)
		return NULL;
	table->capacity = capacity;
	table->queries = calloc(capacity, sizeof *table->queries);
	table->asks = join_table_new(capacity);
	if (table->queries && table->asks)
		return table;
	query_table_free(table);
	return NULL;
}

void query_table_free(struct query_table *table)
{
	if (!table)
		return;
	join_table_free(table->asks);
	free(table->queries);
	free(table);
}

size_t query_table_waiting(const struct query_table *table)
{
	return table->waiting;
}

static const struct snapshot *snapshot_of(const struct query *q)
{
	return q->epoch->snapshot;
}

static const struct policy *policy_of(const struct query *q)
{
	return snapshot_of(q)->policy;
}

static struct dns_reply_limits reply_limits(const struct query *q)
{
	uint16_t idle_ds = (uint16_t)(snapshot_of(q)->config->limits.idle_timeout_ms / 100);
	switch (q->to.protocol) {
	case PROTOCOL_UDP:
		return (struct dns_reply_limits){ .size = dns_reply_udp_size(&q->asked) };
	case PROTOCOL_TCP:
		return (struct dns_reply_limits){ .size = DNS_MESSAGE_MAX,
			.keepalive_ds = idle_ds };
	case PROTOCOL_DOT:
		return (struct dns_reply_limits){
			.size = DNS_MESSAGE_MAX, .encrypted = true, .keepalive_ds = idle_ds
		};
	default: return (struct dns_reply_limits){ .size = DNS_MESSAGE_MAX, .encrypted = true };
	}
}

/* ---- the exit: step 13 ---- */

static void count(const struct query *q, const struct outcome *outcome, uint32_t duration_us)
{
	const struct snapshot *snapshot = snapshot_of(q);
	struct metrics *metrics = q->worker->metrics;
	bool claimed = q->facts.view != POLICY_NO_ID;
	uint16_t view = claimed ? snapshot->view_labels[q->facts.view] : METRICS_NO_VIEW;
	metrics_request(metrics, view, q->to.protocol, !address_is_v4(&q->to.client), q->asked.type,
		q->message_len);
	metrics_response(metrics, view, q->to.protocol, outcome->rcode, outcome->source,
		duration_us, outcome->reply.len);
	if (!claimed)
		return;
	const struct verdict *verdict = &q->verdict;
	metrics_decision(metrics, view, verdict->action, verdict->block_response);
	if (verdict->match.rule != POLICY_NO_ID)
		metrics_rule_match(metrics, snapshot->rule_labels[verdict->match.rule]);
	for (unsigned i = 0; i < verdict->monitor_count; i++)
		metrics_rule_match(metrics, snapshot->rule_labels[verdict->monitors[i].rule]);
}

static void write_log(const struct query *q, const struct outcome *outcome, uint32_t duration_us)
{
	const struct snapshot *snapshot = snapshot_of(q);
	if (!q->worker->log || q->asked.name.len == 0)
		return;
	int64_t begun_us = (int64_t)q->begun_us + q->worker->wall_offset_us;
	const struct query_log_event event = {
		.time_s = begun_us / 1000000,
		.time_us = (uint32_t)(begun_us % 1000000),
		.protocol = q->to.protocol,
		.client = q->to.client,
		.client_port = q->to.client_port,
		.name = q->asked.name,
		.type = q->asked.type,
		.class = q->asked.class,
		.rcode = outcome->rcode,
		.reply = outcome->reply,
		.policy = snapshot->policy,
		.policy_hash = snapshot->policy_hash,
		.revision = snapshot->revision,
		.view = q->facts.view,
		.verdict = q->facts.view == POLICY_NO_ID ? NULL : &q->verdict,
		.upstream = q->upstream,
		.source = metrics_source_name(outcome->source),
		.upstream_us = q->upstream_us,
		.duration_us = duration_us,
		.ede = outcome->ede,
	};
	query_log_write(q->worker->log, &event);
}

static void query_end(struct query *q, const struct outcome *outcome)
{
	uint32_t duration_us = (uint32_t)(worker_now_us(q->worker) - q->begun_us);
	if (q->held)
		conn_release(q->worker, &q->to);
	if (outcome->reply.len == 0)
		metrics_drop(q->worker->metrics, METRICS_DROP_RULE);
	else if (q->to.protocol == PROTOCOL_UDP)
		udp_front_reply(q->worker->udp, &q->to, outcome->reply);
	else
		conn_reply(q->worker, &q->to, outcome->reply, outcome->max_age_s);
	count(q, outcome, duration_us);
	write_log(q, outcome, duration_us);
}

static void end_with_rcode(
	struct query *q, enum metrics_source source, uint16_t rcode, int ede, const char *ede_text)
{
	struct outcome outcome = { .source = source, .rcode = rcode, .ede = ede };
	outcome.reply = dns_reply_rcode(&q->asked, reply_limits(q), rcode, ede, ede_text,
		q->worker->reply_buffer, DNS_MESSAGE_MAX);
	query_end(q, &outcome);
}

static void end_with_reply(struct query *q, struct dns_reply *reply, enum metrics_source source)
{
	struct outcome outcome = { .source = source, .rcode = reply->rcode, .ede = reply->ede };
	outcome.max_age_s = reply->ttl_min_s == UINT32_MAX ? 0 : reply->ttl_min_s;
	outcome.reply = dns_reply_finish(reply);
	query_end(q, &outcome);
}

/* ---- a verdict as an answer ---- */

static const struct rule_info *rule_of(const struct query *q)
{
	uint16_t rule = q->verdict.match.rule;
	return rule == POLICY_NO_ID ? NULL : policy_rule(policy_of(q), rule);
}

static void write_nothing(struct query *q, struct dns_reply *reply)
{
	(void)q;
	dns_reply_add_soa(reply, BLOCK_TTL_S);
}

static void write_nxdomain(struct query *q, struct dns_reply *reply)
{
	(void)q;
	reply->rcode = DNS_RCODE_NXDOMAIN;
	dns_reply_add_soa(reply, BLOCK_TTL_S);
}

static void write_override(struct query *q, struct dns_reply *reply)
{
	const struct rule_info *rule = rule_of(q);
	if (dns_name_equals(rule->override_domain, q->asked.name))
		dns_reply_add_soa(reply, BLOCK_TTL_S); /* a loop: the name it leads to is itself */
	else
		dns_reply_add_cname(reply, rule->override_domain, rule->override_ttl_s);
}

static void write_refused(struct query *q, struct dns_reply *reply)
{
	(void)q;
	reply->rcode = DNS_RCODE_REFUSED;
}

static void write_addresses(struct query *q, struct dns_reply *reply)
{
	const struct rule_info *rule = rule_of(q);
	for (size_t i = 0; i < rule->address_count; i++) {
		const struct address *address = &rule->addresses[i];
		bool v4 = address_is_v4(address);
		if (q->asked.type != (v4 ? DNS_TYPE_A : DNS_TYPE_AAAA))
			continue;
		struct slice rdata =
			v4 ? slice_of(address->bytes + 12, 4) : slice_of(address->bytes, 16);
		dns_reply_add(reply, DNS_SECTION_ANSWER, q->asked.name, q->asked.type, DNS_CLASS_IN,
			BLOCK_TTL_S, rdata);
	}
	if (reply->counts[DNS_SECTION_ANSWER] == 0)
		dns_reply_add_soa(reply, BLOCK_TTL_S);
}

static void (*const block_writers[BLOCK_RESPONSE_COUNT])(
	struct query *q, struct dns_reply *reply) = {
	[BLOCK_NODATA] = write_nothing,
	[BLOCK_NXDOMAIN] = write_nxdomain,
	[BLOCK_OVERRIDE] = write_override,
	[BLOCK_REFUSED] = write_refused,
	[BLOCK_DROP] = write_refused, /* where silence is not possible: HTTP */
	[BLOCK_ADDRESS] = write_addresses,
};

/* "group/rule", so that whoever asks dig sees which rule it was. */
static struct slice block_text(const struct query *q, char *text, size_t size)
{
	const struct rule_info *rule = rule_of(q);
	struct writer to = writer_of(text, size);
	if (q->verdict.reason == REASON_REBINDING)
		writer_text(&to, "rebinding protection");
	else if (!rule)
		writer_text(&to, "default action");
	else {
		writer_text(&to, policy_group_name(policy_of(q), rule->group));
		writer_u8(&to, '/');
		writer_text(&to, rule->name);
	}
	return writer_slice(&to);
}

static void end_blocked(struct query *q)
{
	char text[DNS_EDE_TEXT_MAX];
	struct dns_reply reply;
	if (q->verdict.block_response == BLOCK_DROP && q->to.protocol != PROTOCOL_DOH) {
		query_end(q,
			&(struct outcome){ .source = METRICS_SOURCE_RULE,
				.rcode = DNS_RCODE_REFUSED,
				.ede = DNS_EDE_NONE });
		return;
	}
	dns_reply_begin(
		&reply, &q->asked, reply_limits(q), q->worker->reply_buffer, DNS_MESSAGE_MAX);
	reply.ede = DNS_EDE_BLOCKED;
	reply.ede_text = block_text(q, text, sizeof text);
	block_writers[q->verdict.block_response](q, &reply);
	end_with_reply(q, &reply, METRICS_SOURCE_RULE);
}

static void end_failed_closed(struct query *q)
{
	end_with_rcode(q, METRICS_SOURCE_ERROR, DNS_RCODE_SERVFAIL, DNS_EDE_OTHER,
		"the policy of this view could not be evaluated");
}

static void end_by_verdict(struct query *q)
{
	if (q->verdict.reason == REASON_FAIL_CLOSED)
		end_failed_closed(q);
	else
		end_blocked(q);
}

/* ---- the wait: step 8 ---- */

static struct query *slot_take(struct query_table *table)
{
	struct query *slot = table->free;
	if (slot)
		table->free = slot->next_free;
	else if (table->untouched < table->capacity)
		slot = &table->queries[table->untouched++];
	if (slot)
		table->waiting++;
	return slot;
}

static void slot_give_back(struct query_table *table, struct query *slot)
{
	table->waiting--;
	slot->next_free = table->free;
	table->free = slot;
}

static void copy_to_slot(struct query *slot, const struct query *q)
{
	*slot = *q;
	slot->asked.name.at = slot->name_asked;
	slot->facts.name.at = slot->name_lower;
	/* What pointed into the client's message is not needed any more, and must not be. */
	slot->asked.opt.options = slice_of(NULL, 0);
	slot->asked.opt.ede = slice_of(NULL, 0);
	slot->upstream = NULL;
	slot->epoch = epoch_pin(q->epoch);
}

static struct dns_request request_of(const struct query *q)
{
	return (struct dns_request){
		.name = q->chase.len ? dns_name_slice(&q->chase) : q->facts.name,
		.type = q->asked.type,
		.class = q->asked.class,
		.recursion_desired = q->asked.flags & DNS_FLAG_RD,
		.checking_disabled = q->asked.flags & DNS_FLAG_CD,
		.dnssec_ok = q->asked.opt.dnssec_ok,
		.authentic_wanted = q->asked.flags & DNS_FLAG_AD || q->asked.opt.dnssec_ok,
	};
}

static void end_busy(struct query *q, enum metrics_drop_reason reason)
{
	metrics_drop(q->worker->metrics, reason);
	if (q->verdict.action == ACTION_BLOCK) { /* the override itself needs nobody */
		end_blocked(q);
		return;
	}
	end_with_rcode(q, METRICS_SOURCE_ERROR, DNS_RCODE_SERVFAIL, DNS_EDE_OTHER,
		"too many queries in flight");
}

/* Counts the query for its connection, once; UDP has none. */
static bool hold(struct query *q)
{
	if (q->held || q->to.protocol == PROTOCOL_UDP)
		return true;
	q->held = conn_hold(q->worker, &q->to);
	return q->held;
}

/* Steps 7 and 8: the ask that answers this query, already in flight or begun now; NULL: full. */
static struct join_ask *find_or_begin_ask(struct query *q)
{
	struct query_table *table = q->worker->queries;
	struct dns_request request = request_of(q);
	struct join_key key = join_key_of(&request);
	bool fresh;
	struct join_ask *ask = join_find_or_add(table->asks, &key, &fresh);
	if (ask && !fresh)
		metrics_add(q->worker->metrics, METRIC_COALESCED, 1);
	if (!ask || !fresh)
		return ask;
	const struct worker_upstreams *upstreams = q->worker->upstreams;
	if (upstreams &&
		!upstream_ask(upstreams->set, 0, join_ask_number(table->asks, ask), &request))
		return ask;
	join_end(table->asks, ask);
	return NULL;
}

static void query_wait(struct query *q)
{
	struct query_table *table = q->worker->queries;
	if (!hold(q)) {
		end_busy(q, METRICS_DROP_PER_CONNECTION);
		return;
	}
	struct query *slot = slot_take(table);
	struct join_ask *ask = slot ? find_or_begin_ask(q) : NULL;
	if (slot && !ask)
		slot_give_back(table, slot);
	if (!ask) {
		end_busy(q, METRICS_DROP_QUERIES_FULL);
		return;
	}
	copy_to_slot(slot, q);
	list_init(&slot->waiting);
	list_append(&ask->waiting, &slot->waiting);
}

/* ---- the way back: steps 9 to 12 ---- */

static void copy_records(struct dns_reply *reply, const struct dns_answer *answer)
{
	struct dns_record_walk walk;
	struct dns_record record;
	dns_record_walk_begin(&walk, answer);
	while (dns_record_next(&walk, &record))
		dns_reply_copy(reply, answer, &record);
}

/* What stands in front of the answer for a name that ours led to. */
static void copy_way_to_chase(struct query *q, struct dns_reply *reply)
{
	uint8_t buffer[LOCAL_MAX];
	struct local_answer local;
	struct dns_answer answer;
	if (q->verdict.action == ACTION_BLOCK) {
		write_override(q, reply);
		return;
	}
	if (local_answer(&local, policy_of(q), &q->asked, q->facts.name, buffer, sizeof buffer) &&
		dns_answer_open(&answer, local.message) == 0)
		copy_records(reply, &answer);
}

static bool wants_authentic(const struct query *q)
{
	return q->asked.flags & DNS_FLAG_AD || q->asked.opt.dnssec_ok;
}

static void set_ede(struct query *q, struct dns_reply *reply, const struct dns_answer *answer,
	char *text, size_t size)
{
	if (q->verdict.action == ACTION_BLOCK) {
		reply->ede = DNS_EDE_BLOCKED;
		reply->ede_text = block_text(q, text, size);
	} else if (answer->opt.ede.len >= 2) {
		reply->ede = answer->opt.ede.at[0] << 8 | answer->opt.ede.at[1];
		reply->ede_text = slice_of(answer->opt.ede.at + 2, answer->opt.ede.len - 2);
	}
}

/* Step 12: rebuilds the answer for this client. */
static void end_with_answer(
	struct query *q, const struct dns_answer *answer, enum metrics_source source)
{
	char text[DNS_EDE_TEXT_MAX];
	struct dns_reply reply;
	dns_reply_begin(
		&reply, &q->asked, reply_limits(q), q->worker->reply_buffer, DNS_MESSAGE_MAX);
	/* Extended rcodes (BADVERS, BADCOOKIE) are about our hop to the upstream, not the client's.
	 */
	reply.rcode = answer->rcode < DNS_RCODE_BADVERS ? answer->rcode : DNS_RCODE_SERVFAIL;
	if (answer->flags & DNS_FLAG_AD && wants_authentic(q) && q->chase.len == 0)
		reply.flags |= DNS_FLAG_AD;
	if (q->chase.len)
		copy_way_to_chase(q, &reply);
	copy_records(&reply, answer);
	if (reply.truncated && reply.flags & DNS_FLAG_TC && q->to.protocol != PROTOCOL_UDP) {
		/* It fitted upstream, but not as we write it: there is no truth to tell. */
		end_with_rcode(
			q, METRICS_SOURCE_ERROR, DNS_RCODE_SERVFAIL, DNS_EDE_OTHER, "too long");
		return;
	}
	set_ede(q, &reply, answer, text, sizeof text);
	end_with_reply(q, &reply, q->verdict.action == ACTION_BLOCK ? METRICS_SOURCE_RULE : source);
}

static void chase(struct query *q);

/* An override leads to a name that is resolved for the client: without the address behind it the
 * CNAME would be of no use to a stub. The blocked name itself is never asked. */
static bool needs_chase(struct query *q)
{
	if (q->verdict.action != ACTION_BLOCK || q->verdict.block_response != BLOCK_OVERRIDE ||
		q->asked.type == DNS_TYPE_CNAME || q->asked.class != DNS_CLASS_IN)
		return false;
	const struct rule_info *rule = rule_of(q);
	if (!rule || dns_name_equals(rule->override_domain, q->asked.name))
		return false;
	q->chase.len = (uint8_t)rule->override_domain.len;
	dns_name_lower(q->chase.wire, rule->override_domain.at, rule->override_domain.len);
	return true;
}

/* The verdict says that this query does not get what it asked for. */
static void query_block(struct query *q)
{
	if (needs_chase(q))
		chase(q);
	else
		end_by_verdict(q);
}

/* Step 11: judges where the answer leads. */
static void query_answer_with(
	struct query *q, const struct dns_answer *answer, enum metrics_source source)
{
	bool overridden = q->verdict.action == ACTION_BLOCK; /* its target is the operator's word */
	if (!overridden) {
		struct facts facts = q->facts;
		if (q->chase.len)
			facts.name = dns_name_slice(&q->chase);
		policy_judge_answer(policy_of(q), &facts, answer, &q->verdict, NULL);
	}
	if (overridden || !verdict_is_final(&q->verdict)) {
		end_with_answer(q, answer, source);
		return;
	}
	q->chase.len = 0;
	query_block(q);
}

/* The name that is asked instead may be one of ours. */
static void chase(struct query *q)
{
	uint8_t buffer[LOCAL_MAX];
	struct local_answer local;
	struct dns_answer answer;
	struct dns_query asked = q->asked;
	asked.name = dns_name_slice(&q->chase);
	bool ours = local_answer(&local, policy_of(q), &asked, asked.name, buffer, sizeof buffer);
	if (ours && dns_answer_open(&answer, local.message) == 0)
		query_answer_with(q, &answer, METRICS_SOURCE_LOCAL);
	else
		query_wait(q);
}

struct failure_row {
	int error;
	int ede;
	const char *text;
};

static const struct failure_row failures[] = {
	{ ERR_TIMEOUT, DNS_EDE_NO_REACHABLE_AUTHORITY, "no upstream answered in time" },
	{ ERR_UNREACHABLE, DNS_EDE_NETWORK_ERROR, "no upstream could be reached" },
	{ ERR_MALFORMED, DNS_EDE_INVALID_DATA, "the upstream's answer is malformed" },
	{ 0, DNS_EDE_OTHER, "the upstream could not be asked" },
};

static void end_unanswered(struct query *q, int error)
{
	if (q->verdict.action == ACTION_BLOCK) { /* the override itself needs nobody */
		end_blocked(q);
		return;
	}
	const struct failure_row *row = failures;
	while (row->error && row->error != error)
		row++;
	end_with_rcode(q, METRICS_SOURCE_ERROR, DNS_RCODE_SERVFAIL, row->ede, row->text);
}

static void query_resume(
	struct query *q, const struct upstream_result *result, const char *upstream)
{
	q->upstream = upstream;
	q->upstream_us = result->duration_us;
	if (result->error)
		end_unanswered(q, result->error);
	else
		query_answer_with(q, result->opened, METRICS_SOURCE_UPSTREAM);
}

void query_on_upstream(void *context, upstream_ask_id id, const struct upstream_result *result)
{
	const struct worker_upstreams *from = context;
	struct worker *worker = from->worker;
	struct query_table *table = worker->queries;
	struct join_ask *ask = join_find_number(table->asks, id);
	if (!ask)
		return;
	/* Not by the configuration of the query: it may have joined this ask after a reload. */
	const char *upstream = result->upstream == UPSTREAM_NO_INDEX
		? NULL
		: from->epoch->snapshot->config->upstreams[result->upstream].name;
	/* Emptied first: whoever asks again from now on is a new question. */
	struct list waiting = ask->waiting;
	waiting.next->prev = &waiting;
	waiting.prev->next = &waiting;
	list_init(&ask->waiting);
	join_end(table->asks, ask);
	for (struct list *node; (node = list_take_first(&waiting));) {
		struct query *q = container_of(node, struct query, waiting);
		query_resume(q, result, upstream);
		epoch_unpin(q->epoch);
		slot_give_back(table, q);
	}
}

/* ---- the way in: steps 3 to 6 ---- */

struct fault_row {
	uint16_t rcode;
	bool is_not_dns; /* HTTP can say so better: 400 */
};

static const struct fault_row faults[] = {
	[DNS_QUERY_SILENCE] = { DNS_RCODE_FORMERR, true },
	[DNS_QUERY_FORMERR] = { DNS_RCODE_FORMERR, true },
	[DNS_QUERY_NOTIMP] = { DNS_RCODE_NOTIMP, false },
	[DNS_QUERY_BADVERS] = { DNS_RCODE_BADVERS, false },
	[DNS_QUERY_REFUSED] = { DNS_RCODE_REFUSED, false },
	[DNS_QUERY_KEEPALIVE] = { DNS_RCODE_FORMERR, false },
	[DNS_QUERY_NOTAUTH] = { DNS_RCODE_NOTAUTH, false },
};

static void end_faulty(struct query *q, enum dns_query_fault fault)
{
	if (faults[fault].is_not_dns)
		metrics_drop(q->worker->metrics,
			fault == DNS_QUERY_SILENCE ? METRICS_DROP_NOT_A_QUERY
						   : METRICS_DROP_MALFORMED);
	if (faults[fault].is_not_dns && q->to.protocol == PROTOCOL_DOH)
		conn_reject(q->worker, &q->to);
	else if (fault != DNS_QUERY_SILENCE)
		end_with_rcode(q, METRICS_SOURCE_ERROR, faults[fault].rcode, DNS_EDE_NONE, NULL);
}

/* Names are kept by the query: a connection may reuse the message's memory for the reply. */
static void take_names(struct query *q)
{
	size_t len = q->asked.name.len;
	if (len > 0)
		memcpy(q->name_asked, q->asked.name.at, len);
	dns_name_lower(q->name_lower, q->name_asked, len);
	q->asked.name = slice_of(q->name_asked, len);
	q->facts.name = slice_of(q->name_lower, len);
	q->facts.query_type = q->asked.type;
}

static void query_init(
	struct query *q, struct worker *worker, const struct reply_to *to, struct slice message)
{
	q->worker = worker;
	q->to = *to;
	q->epoch = worker->epoch;
	q->begun_us = worker_now_us(worker);
	q->message_len = message.len;
	q->chase.len = 0;
	q->upstream = NULL;
	q->upstream_us = 0;
	q->held = false;
	q->verdict.match.rule = POLICY_NO_ID;
	q->verdict.monitor_count = 0;
	q->facts.view = POLICY_NO_ID;
}

/* Step 3: a message that can be read, or the end. */
static bool query_open(struct query *q, struct slice message)
{
	enum dns_query_fault fault = dns_query_open(&q->asked, message);
	if (fault == DNS_QUERY_KEEPALIVE && q->to.protocol == PROTOCOL_UDP)
		fault = DNS_QUERY_FINE;
	take_names(q);
	if (fault)
		end_faulty(q, fault);
	return fault == DNS_QUERY_FINE;
}

/* Step 4: a view that claims the client, or the end. */
static bool query_admit(struct query *q)
{
	q->facts.view = policy_find_view(policy_of(q), &q->to.client, q->to.listener);
	if (q->facts.view != POLICY_NO_ID)
		return true;
	metrics_drop(q->worker->metrics, METRICS_DROP_NO_VIEW);
	end_with_rcode(q, METRICS_SOURCE_ERROR, DNS_RCODE_REFUSED, DNS_EDE_PROHIBITED,
		"no view claims this client");
	return false;
}

/* Step 6: names of our own. A CNAME that leads elsewhere is judged here and then followed. */
static void query_answer_local(struct query *q, const struct local_answer *local)
{
	struct dns_answer answer;
	if (dns_answer_open(&answer, local->message)) {
		end_with_rcode(q, METRICS_SOURCE_ERROR, DNS_RCODE_SERVFAIL, DNS_EDE_OTHER, NULL);
		return;
	}
	if (local->chase.len == 0) {
		query_answer_with(q, &answer, METRICS_SOURCE_LOCAL);
		return;
	}
	policy_judge_answer(policy_of(q), &q->facts, &answer, &q->verdict, NULL);
	if (verdict_is_final(&q->verdict)) {
		query_block(q);
		return;
	}
	q->chase = local->chase;
	query_wait(q);
}

void query_begin(struct worker *worker, const struct reply_to *to, struct slice message)
{
	struct query query;
	struct query *q = &query;
	struct local_answer local;
	uint8_t buffer[LOCAL_MAX];

	query_init(q, worker, to, message);
	if (!query_open(q, message) || !query_admit(q))
		return;
	policy_judge_query(policy_of(q), &q->facts, &q->verdict, NULL);
	if (verdict_is_final(&q->verdict))
		query_block(q);
	else if (q->asked.class != DNS_CLASS_IN) /* CH and the like ask about a server itself */
		end_with_rcode(q, METRICS_SOURCE_ERROR, DNS_RCODE_REFUSED, DNS_EDE_NONE, NULL);
	else if (local_answer(
			 &local, policy_of(q), &q->asked, q->facts.name, buffer, sizeof buffer))
		query_answer_local(q, &local);
	else
		query_wait(q);
}
