/* query.c - the life of one query, top to bottom. See query.h, and docs/map.md for the journey.
 *
 * A query begins on the stack. What can be answered at once (malformed, blocked, ours, kept) never
 * leaves it; a slot of the table is taken only by what has to wait. There is one wait, the
 * upstream, and one exit, query_end(). */
#include "proxy/query/query.h"

#include "base/not_cleared.h"
#include "proxy/cache/cache.h"
#include "proxy/front/conn.h"
#include "proxy/query/parts.h"
#include "proxy/query/routes.h"

/* ---- the way in: steps 3 to 5 ---- */

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
	[DNS_QUERY_OPTION] = { DNS_RCODE_FORMERR, false },
	[DNS_QUERY_NO_QUESTION] = { DNS_RCODE_NOERROR, false },
};

static void end_faulty(struct query *q, enum dns_query_fault fault)
{
	if (faults[fault].is_not_dns)
		metrics_drop(q->worker->metrics,
			fault == DNS_QUERY_SILENCE ? METRICS_DROP_NOT_A_QUERY
						   : METRICS_DROP_MALFORMED);
	if (faults[fault].is_not_dns && q->to.protocol == PROTOCOL_DOH)
		conn_reject(q->worker, &q->to, 400);
	else if (fault != DNS_QUERY_SILENCE)
		query_end_with_rcode(
			q, METRICS_SOURCE_ERROR, faults[fault].rcode, DNS_EDE_NONE, NULL);
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
	q->stale_at_ms = 0;
	q->upstream = NULL;
	q->upstream_us = 0;
	q->is_kept = false;
	q->age_s = 0;
	q->held = false;
	q->holder = HOLDERS_NONE;
	q->held_by_view = false;
	q->shadow.is_taken = false;
	q->shadow.is_on = false;
	q->is_judged = false;
	q->is_rate_limited = false;
	q->cookie_state = DNS_COOKIE_CLIENT;
	q->verdict.match.rule = POLICY_NO_ID;
	q->verdict.exception = 0;
	q->verdict.monitor_count = 0;
	q->facts.view = POLICY_NO_ID;
	q->client_by = CLAIM_NETWORK;
	q->client_id.len = 0;
	q->facts.is_datagram = to->protocol == PROTOCOL_UDP;
	q->facts.schedules = worker->schedules;
	query_take_exceptions(q);
}

/* What some faults are depends on the transport, and on whether there are cookies here. */
static enum dns_query_fault refine(const struct query *q, enum dns_query_fault fault)
{
	bool is_malformed = q->cookie_state == DNS_COOKIE_MALFORMED;
	if (fault == DNS_QUERY_KEEPALIVE && q->to.protocol == PROTOCOL_UDP)
		fault = DNS_QUERY_FINE;
	if (fault == DNS_QUERY_NO_QUESTION && !q->asked.opt.has_cookie && !is_malformed)
		return DNS_QUERY_FORMERR;
	if ((fault == DNS_QUERY_FINE || fault == DNS_QUERY_NO_QUESTION) && is_malformed)
		return DNS_QUERY_OPTION;
	return fault;
}

/* Step 3: a message that can be read, from somebody who may be answered; or the end. */
static bool query_open(struct query *q, struct slice message)
{
	enum dns_query_fault fault = dns_query_open(&q->asked, message);
	take_names(q);
	query_take_cookie(q);
	fault = refine(q, fault);
	if (fault != DNS_QUERY_SILENCE && !query_permit_datagram(q))
		return false;
	if (fault == DNS_QUERY_NO_QUESTION && q->cookie_state == DNS_COOKIE_INVALID)
		query_end_with_rcode(
			q, METRICS_SOURCE_ERROR, DNS_RCODE_BADCOOKIE, DNS_EDE_NONE, NULL);
	else if (fault)
		end_faulty(q, fault);
	return fault == DNS_QUERY_FINE;
}

void query_begin(struct worker *worker, const struct reply_to *to, const struct claims *claims,
	struct slice token, struct slice message)
{
	NOT_CLEARED struct query query;
	struct query *q = &query;

	query_init(q, worker, to, message);
	if (!query_open(q, message) || !query_admit(q, claims, token) || !query_permit(q))
		return;
	q->is_judged = true;
	policy_judge_query(query_policy(q), &q->facts, &q->verdict, NULL);
	query_shadow_question(q);
	if (verdict_is_final(&q->verdict))
		query_block(q);
	else if (q->asked.class != DNS_CLASS_IN) /* CH and the like ask about a server itself */
		query_end_with_rcode(
			q, METRICS_SOURCE_ERROR, DNS_RCODE_REFUSED, DNS_EDE_NONE, NULL);
	else
		query_seek(q);
}

/* ---- what can be answered at once: step 6 ---- */

/* Names of our own. A CNAME that leads elsewhere is judged here and then followed. */
static void end_local(struct query *q, const struct local_answer *local)
{
	struct dns_answer answer;
	if (local->chase.len == 0 || q->chase.len > 0) {
		query_answer_local(q, local->message);
		return;
	}
	if (dns_answer_open(&answer, local->message)) {
		query_end_with_rcode(
			q, METRICS_SOURCE_ERROR, DNS_RCODE_SERVFAIL, DNS_EDE_OTHER, NULL);
		return;
	}
	query_shadow_local(q, &answer);
	query_judge(q, &answer);
	if (verdict_is_final(&q->verdict)) {
		query_block(q);
		return;
	}
	q->chase = local->chase;
	query_seek(q);
}

static bool seek_local(struct query *q, bool is_routed)
{
	NOT_CLEARED uint8_t buffer[LOCAL_MAX];
	NOT_CLEARED struct local_answer local;
	NOT_CLEARED struct dns_query chased;
	const struct dns_query *asked = &q->asked;
	const struct snapshot *snapshot = query_snapshot(q);
	const struct local_sources sources = { .policy = snapshot->policy,
		.special_names = snapshot->config->special_names,
		.ddr = snapshot->ddr,
		.is_routed = is_routed,
		.minimal_any = q->to.protocol == PROTOCOL_UDP &&
			snapshot->config->any_queries == ANY_MINIMAL };
	if (q->chase.len) {
		chased = q->asked;
		chased.name = dns_name_slice(&q->chase);
		asked = &chased;
	}
	if (!local_answer(&local, &sources, asked, query_sought(q), buffer, sizeof buffer))
		return false;
	end_local(q, &local);
	return true;
}

/* Only answers to ordinary questions are kept: what a resolver says without recursion depends on
 * its own cache. */
static bool may_be_kept(const struct query *q)
{
	return q->worker->cache && q->asked.flags & DNS_FLAG_RD && q->asked.type != CACHE_ANY_TYPE;
}

static void look_up(const struct query *q, struct cache_hit *hit)
{
	const struct cache_key key = {
		.name = query_sought(q),
		.type = q->asked.type,
		.class = q->asked.class,
		.flags = (uint8_t)((q->asked.opt.dnssec_ok ? CACHE_KEY_DO : 0) |
			(q->asked.flags & DNS_FLAG_CD ? CACHE_KEY_CD : 0)),
		.group = q->group,
	};
	cache_find(q->worker->cache, &key, worker_cache_now_s(q->worker), q->worker->cache_buffer,
		hit);
}

static void note_age(struct query *q, const struct cache_hit *hit)
{
	q->is_kept = true;
	q->age_s = hit->age_s;
}

/* What a failed attempt of ours left behind is still a failure. */
static void count_remembered(const struct query *q, const struct found *found)
{
	bool is_ours = found->packed.ede == DNS_EDE_NO_REACHABLE_AUTHORITY ||
		found->packed.ede == DNS_EDE_NETWORK_ERROR;
	if (is_ours)
		query_count_failure(q, FAILURE_UPSTREAMS_DOWN, METRICS_FAILURE_CLOSED);
}

static void end_fresh(struct query *q, const struct cache_hit *hit)
{
	struct found found = { .age = { .age_s = hit->age_s },
		.source = METRICS_SOURCE_CACHE,
		.ede = hit->state == CACHE_FAILED ? DNS_EDE_CACHED_ERROR : DNS_EDE_NONE };
	dns_packed_open(&found.packed, hit->value);
	note_age(q, hit);
	if (hit->state == CACHE_FAILED && q->verdict.action == ACTION_BLOCK) {
		query_end_blocked(q); /* the override itself needs nobody */
		return;
	}
	if (hit->state == CACHE_FAILED)
		count_remembered(q, &found);
	query_answer(q, &found);
}

static void end_stale(struct query *q, const struct cache_hit *hit)
{
	struct found found = { .age = { .fixed_ttl_s = STALE_TTL_S },
		.source = METRICS_SOURCE_STALE };
	dns_packed_open(&found.packed, hit->value);
	found.ede = found.packed.rcode == DNS_RCODE_NXDOMAIN ? DNS_EDE_STALE_NXDOMAIN
							     : DNS_EDE_STALE_ANSWER;
	found.packed.authentic = false; /* it was, once */
	note_age(q, hit);
	query_answer(q, &found);
}

bool query_answer_stale(struct query *q)
{
	struct cache_hit hit;
	if (!may_be_kept(q))
		return false;
	look_up(q, &hit);
	if (hit.state == CACHE_STALE)
		end_stale(q, &hit);
	else if (hit.state == CACHE_FRESH) /* another worker was luckier */
		end_fresh(q, &hit);
	else
		return false;
	return true;
}

/* What was kept. Stale answers have to wait until an upstream was given a chance. */
static bool seek_kept(struct query *q)
{
	struct cache_hit hit;
	if (!may_be_kept(q))
		return false;
	look_up(q, &hit);
	if (hit.refresh)
		query_refresh(q);
	if (hit.state == CACHE_FRESH || hit.state == CACHE_FAILED) {
		metrics_add(q->worker->metrics, METRIC_CACHE_HITS, 1);
		end_fresh(q, &hit);
		return true;
	}
	metrics_add(q->worker->metrics, METRIC_CACHE_MISSES, 1);
	bool is_closed = query_fails_closed(q, FAILURE_UPSTREAMS_DOWN);
	if (hit.state == CACHE_STALE && hit.retry_later) {
		query_count_failure(q, FAILURE_UPSTREAMS_DOWN,
			is_closed ? METRICS_FAILURE_CLOSED : METRICS_FAILURE_STALE);
		if (is_closed)
			query_end_with_rcode(q, METRICS_SOURCE_ERROR, DNS_RCODE_SERVFAIL,
				DNS_EDE_CACHED_ERROR, "no upstream answered a moment ago");
		else
			end_stale(q, &hit);
		return true;
	}
	if (hit.state == CACHE_STALE && !is_closed)
		q->stale_at_ms =
			worker_now_ms(q->worker) + query_snapshot(q)->config->cache.stale_after_ms;
	return false;
}

void query_seek(struct query *q)
{
	const struct snapshot *snapshot = query_snapshot(q);
	struct route route = routes_find(snapshot->routes, q->facts.view, query_sought(q));
	q->group = snapshot->config->upstream_groups[route.group].identity;
	q->stale_at_ms = 0;
	q->is_kept = false; /* what a blocked answer was is not what the override is */
	if (!seek_local(q, route.is_explicit) && !seek_kept(q))
		query_wait(q);
}
