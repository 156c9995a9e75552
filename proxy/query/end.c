/* The exit: step 13. */
#include "proxy/front/conn.h"
#include "proxy/front/udp.h"
#include "proxy/query/parts.h"

struct dns_reply_limits query_reply_limits(const struct query *q)
{
	bool is_datagram = q->to.protocol == PROTOCOL_UDP;
	bool tells_idle = q->to.protocol == PROTOCOL_TCP || q->to.protocol == PROTOCOL_DOT;
	return (struct dns_reply_limits){
		.size = is_datagram ? dns_reply_udp_size(&q->asked) : DNS_MESSAGE_MAX,
		.encrypted = q->to.protocol == PROTOCOL_DOT || q->to.protocol == PROTOCOL_DOH,
		.keepalive_ds = tells_idle ? (uint16_t)(conn_idle_timeout_ms(q->worker) / 100) : 0,
		.cookie = slice_of(q->cookie, sizeof q->cookie), /* if the client has one */
	};
}

static void count(const struct query *q, const struct outcome *outcome, uint32_t duration_us)
{
	const struct snapshot *snapshot = query_snapshot(q);
	struct metrics *metrics = q->worker->metrics;
	bool claimed = q->facts.view != POLICY_NO_ID;
	uint16_t view = claimed ? snapshot->view_labels[q->facts.view] : METRICS_NO_VIEW;
	metrics_request(metrics, view, q->to.protocol, !address_is_v4(&q->to.client), q->asked.type,
		q->message_len);
	metrics_response(metrics, view, q->to.protocol, outcome->rcode, outcome->source,
		duration_us, outcome->reply.len);
	if (!q->is_judged)
		return;
	query_count_lists_not_ready(q);
	const struct verdict *verdict = &q->verdict;
	metrics_decision(metrics, view, verdict->action, verdict->block_response);
	if (verdict->match.rule != POLICY_NO_ID)
		metrics_rule_match(metrics, snapshot->rule_labels[verdict->match.rule]);
	for (unsigned i = 0; i < verdict->monitor_count; i++) {
		uint16_t rule = snapshot->rule_labels[verdict->monitors[i].rule];
		if (verdict->monitors[i].observed)
			metrics_observed_match(metrics, rule);
		else
			metrics_rule_match(metrics, rule);
	}
	if (verdict->exception)
		metrics_exception(metrics, view);
	if (verdict->exception)
		worker_note_exception(q->worker, verdict->exception);
}

/* NULL when it was ended while the query waited. */
static const struct exception *exception_of(const struct query *q)
{
	const struct exceptions *exceptions = q->worker->exceptions;
	return exceptions ? exceptions_by_id(exceptions, q->verdict.exception) : NULL;
}

/* A client that no view claims is told of as in the view that tells least. */
static enum log_clients log_clients_of(const struct query *q)
{
	const struct config *config = query_snapshot(q)->config;
	enum log_clients least = LOG_CLIENTS_FULL;
	if (q->facts.view != POLICY_NO_ID)
		return query_conduct(q)->log_clients;
	for (size_t i = 0; i < config->policy.view_count; i++)
		if (config->views[i].log_clients > least)
			least = config->views[i].log_clients;
	return least;
}

/* False when the line was lost. */
static bool write_log(const struct query *q, const struct outcome *outcome,
	const struct query_log_shadow *shadow, uint32_t duration_us)
{
	const struct snapshot *snapshot = query_snapshot(q);
	if (!q->worker->log || q->asked.name.len == 0)
		return true;
	int64_t begun_us = (int64_t)q->begun_us + q->worker->wall_offset_us;
	const struct query_log_event event = {
		.time_s = begun_us / 1000000,
		.time_us = (uint32_t)(begun_us % 1000000),
		.protocol = q->to.protocol,
		.client = q->to.client,
		.client_port = q->to.client_port,
		.client_by = q->client_id.len ? claim_kind_name(q->client_by) : NULL,
		.client_id = q->client_id,
		.log_clients = log_clients_of(q),
		.is_rate_limited = q->is_rate_limited,
		.name = q->asked.name,
		.type = q->asked.type,
		.class = q->asked.class,
		.rcode = outcome->rcode,
		.reply = outcome->reply,
		.policy = snapshot->policy,
		.policy_hash = snapshot->policy_hash,
		.revision = snapshot->revision,
		.view = q->facts.view,
		.verdict = q->is_judged ? &q->verdict : NULL,
		.exception = q->verdict.exception ? exception_of(q) : NULL,
		.upstream = q->upstream,
		.source = metrics_source_name(outcome->source),
		.upstream_us = q->upstream_us,
		.is_kept = q->is_kept,
		.age_s = q->age_s,
		.duration_us = duration_us,
		.ede = outcome->ede,
		.shadow = shadow,
	};
	return query_log_write(q->worker->log, &event);
}

static uint32_t duration_of(const struct query *q)
{
	return (uint32_t)(worker_now_us(q->worker) - q->begun_us);
}

static void send_reply(struct query *q, const struct outcome *outcome)
{
	if (outcome->reply.len == 0)
		metrics_drop(q->worker->metrics,
			q->is_judged ? METRICS_DROP_RULE : METRICS_DROP_RATE_LIMITED);
	else if (q->to.protocol == PROTOCOL_UDP)
		udp_front_reply(q->worker->udp, &q->to, outcome->reply);
	else
		conn_reply(q->worker, &q->to, outcome->reply, outcome->max_age_s);
}

static struct outcome outcome_of_rcode(
	struct query *q, enum metrics_source source, uint16_t rcode, int ede, const char *ede_text)
{
	struct outcome outcome = { .source = source, .rcode = rcode, .ede = ede };
	outcome.reply = dns_reply_rcode(&q->asked, query_reply_limits(q), rcode, ede, ede_text,
		q->worker->reply_buffer, DNS_MESSAGE_MAX);
	return outcome;
}

/* What is told of it; false when the line was lost. */
static bool tell(struct query *q, const struct outcome *outcome, uint32_t duration_us)
{
	struct query_log_shadow shadow;
	if (q->shadow.is_on)
		query_shadow_end(q, &shadow);
	return write_log(q, outcome, q->shadow.is_on ? &shadow : NULL, duration_us);
}

/* The line comes first: a view may want no answer to leave without one. */
void query_end(struct query *q, const struct outcome *outcome)
{
	uint32_t duration_us = duration_of(q);
	struct outcome told = *outcome;
	query_release(q);
	bool is_lost = !tell(q, outcome, duration_us);
	if (is_lost && told.reply.len && told.rcode != DNS_RCODE_SERVFAIL &&
		query_fails_closed(q, FAILURE_LOG_BLOCKED)) {
		query_count_failure(q, FAILURE_LOG_BLOCKED, METRICS_FAILURE_CLOSED);
		told = outcome_of_rcode(q, METRICS_SOURCE_ERROR, DNS_RCODE_SERVFAIL, DNS_EDE_OTHER,
			QUERY_LOG_BLOCKED_TEXT);
	}
	send_reply(q, &told);
	count(q, &told, duration_us);
}

void query_end_rejected(struct query *q, unsigned status)
{
	const struct outcome outcome = {
		.source = METRICS_SOURCE_ERROR, .rcode = DNS_RCODE_REFUSED, .ede = DNS_EDE_NONE
	};
	conn_reject(q->worker, &q->to, status);
	count(q, &outcome, duration_of(q));
	tell(q, &outcome, duration_of(q));
}

void query_end_with_rcode(
	struct query *q, enum metrics_source source, uint16_t rcode, int ede, const char *ede_text)
{
	struct outcome outcome = outcome_of_rcode(q, source, rcode, ede, ede_text);
	query_end(q, &outcome);
}

void query_end_truncated(struct query *q)
{
	struct dns_reply reply;
	dns_reply_begin(
		&reply, &q->asked, query_reply_limits(q), q->worker->reply_buffer, DNS_MESSAGE_MAX);
	reply.flags |= DNS_FLAG_TC;
	query_end_with_reply(q, &reply, METRICS_SOURCE_ERROR);
}

void query_end_silent(struct query *q)
{
	query_end(q,
		&(struct outcome){ .source = METRICS_SOURCE_ERROR,
			.rcode = DNS_RCODE_REFUSED,
			.ede = DNS_EDE_NONE });
}

void query_end_with_reply(struct query *q, struct dns_reply *reply, enum metrics_source source)
{
	struct outcome outcome = { .source = source, .rcode = reply->rcode, .ede = reply->ede };
	outcome.max_age_s = reply->ttl_min_s == UINT32_MAX ? 0 : reply->ttl_min_s;
	outcome.reply = dns_reply_finish(reply);
	query_end(q, &outcome);
}
