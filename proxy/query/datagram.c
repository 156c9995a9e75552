/* Answers over UDP go to whoever a datagram says it is from. A network that is asked for so many
 * that it can hardly have asked itself gets few and short ones, until somebody in it shows by a
 * cookie, or over TCP, that he is there. Malformed questions count as well: they are answered too.
 */
#include "proxy/query/parts.h"
#include "proxy/query/rate_limit.h"

bool query_is_proven(const struct query *q)
{
	return q->to.protocol != PROTOCOL_UDP ||
		(q->asked.opt.has_cookie && q->cookie_state >= DNS_COOKIE_OLD);
}

/* The buckets of views have names; these have none. */
static bool is_within_limit(const struct query *q, const struct udp_rate_limit_config *config)
{
	const struct rate_limit_client client = { .view = "", .address = &q->to.client };
	if (networks_contain(config->exempt, config->exempt_count, &q->to.client))
		return true;
	return rate_limits_take(
		q->worker->rate_limits, &config->limit, &client, worker_now_us(q->worker));
}

/* Who sent a cookie is told ours, and comes back with it (RFC 7873 5.2.3); who has none, over TCP.
 * Neither gets more bytes than were sent in its name, but for the cookie. */
static enum metrics_limited end_limited(struct query *q, unsigned slip)
{
	if (slip == 0 || q->worker->datagrams_limited++ % slip != 0) {
		query_end_silent(q);
		return METRICS_LIMITED_SILENT;
	}
	if (q->asked.opt.has_cookie) {
		query_end_with_rcode(
			q, METRICS_SOURCE_ERROR, DNS_RCODE_BADCOOKIE, DNS_EDE_NONE, NULL);
		return METRICS_LIMITED_BADCOOKIE;
	}
	query_end_truncated(q);
	return METRICS_LIMITED_TRUNCATED;
}

bool query_permit_datagram(struct query *q)
{
	const struct udp_rate_limit_config *config = &query_snapshot(q)->config->udp_rate_limit;
	enum metrics_limited result = METRICS_LIMITED_DRY_RUN;
	if (config->limit.per_second == 0 || !q->worker->rate_limits || query_is_proven(q) ||
		is_within_limit(q, config))
		return true;
	q->is_rate_limited = true;
	bool permitted = config->limit.dry_run;
	if (!permitted)
		result = end_limited(q, config->slip);
	metrics_udp_limited(q->worker->metrics, result);
	return permitted;
}
