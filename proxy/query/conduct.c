/* How a view treats its clients beside the rules: how much they may ask, and what they get when
 * something is not as it should be. */
#include "proxy/query/parts.h"
#include "proxy/query/rate_limit.h"

const struct view_config *query_conduct(const struct query *q)
{
	return &query_snapshot(q)->config->views[q->facts.view];
}

static uint16_t view_label(const struct query *q)
{
	return query_snapshot(q)->view_labels[q->facts.view];
}

/* ---- failures ---- */

bool query_fails_closed(const struct query *q, enum failure failure)
{
	return q->facts.view != POLICY_NO_ID &&
		query_conduct(q)->on_failure[failure] == ON_FAILURE_CLOSED;
}

void query_count_failure(
	const struct query *q, enum failure failure, enum metrics_failure_result result)
{
	metrics_failure(q->worker->metrics, view_label(q), failure, result);
}

/* An unfinished list: the evaluator has taken the view's fail mode. */
void query_count_lists_not_ready(const struct query *q)
{
	const struct view_info *view = policy_view(query_policy(q), q->facts.view);
	if (!view->failed)
		return;
	if (q->verdict.reason == REASON_FAIL_CLOSED)
		query_count_failure(q, FAILURE_LISTS_NOT_READY, METRICS_FAILURE_CLOSED);
	if (q->verdict.reason == REASON_FAIL_OPEN)
		query_count_failure(q, FAILURE_LISTS_NOT_READY, METRICS_FAILURE_OPEN);
}

/* Looked at before anybody is asked; a line that cannot be written after all is query_end()'s. */
static bool is_log_blocked(const struct query *q)
{
	return query_fails_closed(q, FAILURE_LOG_BLOCKED) && query_log_is_blocked(q->worker->log);
}

static void end_log_blocked(struct query *q)
{
	query_count_failure(q, FAILURE_LOG_BLOCKED, METRICS_FAILURE_CLOSED);
	query_end_with_rcode(
		q, METRICS_SOURCE_ERROR, DNS_RCODE_SERVFAIL, DNS_EDE_OTHER, QUERY_LOG_BLOCKED_TEXT);
}

/* ---- the rate ---- */

static void end_refused(struct query *q)
{
	query_end_with_rcode(q, METRICS_SOURCE_ERROR, DNS_RCODE_REFUSED, DNS_EDE_PROHIBITED,
		"too many questions");
}

/* Over UDP every other one gets no answer at all: whose address was forged gets no more bytes than
 * were sent in its name. */
static enum metrics_limited end_limited(struct query *q)
{
	if (q->to.protocol != PROTOCOL_UDP) {
		end_refused(q);
		return METRICS_LIMITED_REFUSED;
	}
	if (q->worker->limited++ % 2 == 0) {
		query_end_truncated(q);
		return METRICS_LIMITED_TRUNCATED;
	}
	query_end_silent(q);
	return METRICS_LIMITED_SILENT;
}

static bool is_within_limit(const struct query *q)
{
	const struct rate_limit_config *limit = &query_conduct(q)->rate_limit;
	if (limit->per_second == 0 || !q->worker->rate_limits)
		return true;
	const struct rate_limit_client client = {
		.view = policy_view(query_policy(q), q->facts.view)->name,
		.address = &q->to.client,
		.is_unproven = !query_is_proven(q),
	};
	return rate_limits_take(q->worker->rate_limits, limit, &client, worker_now_us(q->worker));
}

static bool permit_by_rate(struct query *q)
{
	enum metrics_limited result = METRICS_LIMITED_DRY_RUN;
	if (is_within_limit(q))
		return true;
	q->is_rate_limited = true;
	bool permitted = query_conduct(q)->rate_limit.dry_run;
	if (!permitted)
		result = end_limited(q);
	metrics_rate_limited(q->worker->metrics, view_label(q), result);
	return permitted;
}

bool query_permit(struct query *q)
{
	if (!permit_by_rate(q))
		return false;
	if (!is_log_blocked(q))
		return true;
	end_log_blocked(q);
	return false;
}
