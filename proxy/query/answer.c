/* From what was found to a reply: steps 11 and 12. */
#include "base/not_cleared.h"
#include "dns/answer.h"
#include "proxy/query/parts.h"

static void copy_records(struct dns_reply *reply, const struct dns_answer *answer)
{
	struct dns_record_walk walk;
	struct dns_record record;
	dns_record_walk_begin(&walk, answer);
	while (dns_record_next(&walk, &record))
		dns_reply_copy(reply, answer, &record);
}

/* ---- a reply: step 12 ---- */

/* What stands in front of the answer for a name that ours led to. */
static void copy_way_to_chase(const struct query *q, struct dns_reply *reply)
{
	NOT_CLEARED uint8_t buffer[LOCAL_MAX];
	struct local_answer local;
	struct dns_answer answer;
	if (q->verdict.action == ACTION_BLOCK)
		query_write_alias(q, reply);
	else if (local_data_answer(&local, query_policy(q), &q->asked, q->facts.name, buffer,
			 sizeof buffer) &&
		dns_answer_open(&answer, local.message) == 0)
		copy_records(reply, &answer);
}

/* Record by record: what was kept does not fit as it is, or something stands in front of it. The
 * TTLs are made ready in place: a copy that is kept for this query alone whenever it has an age. */
static bool copy_found(const struct query *q, struct dns_reply *reply, const struct found *found,
	enum svcb_handling svcb)
{
	struct dns_answer answer;
	const struct dns_packed *packed = &found->packed;
	if (found->age.age_s > 0 || found->age.fixed_ttl_s > 0)
		dns_packed_age_message(
			packed, found->age, (uint8_t *)(uintptr_t)packed->message.at);
	if (dns_answer_open(&answer, packed->message) != 0)
		return false;
	if (q->chase.len)
		copy_way_to_chase(q, reply);
	if (svcb == SVCB_PASS)
		copy_records(reply, &answer);
	else
		query_copy_stripped(&answer, svcb, reply);
	/* It fitted upstream, but not as we write it: there is no truth to tell. */
	return !(reply->flags & DNS_FLAG_TC) || q->to.protocol == PROTOCOL_UDP;
}

static bool wants_authentic(const struct query *q)
{
	return q->asked.flags & DNS_FLAG_AD || q->asked.opt.dnssec_ok;
}

static void set_flags(const struct query *q, struct dns_reply *reply, const struct found *found,
	enum svcb_handling svcb)
{
	/* FORMERR and extended rcodes (BADVERS, BADCOOKIE) are about our hop to the upstream: what
	 * the client said could be read. */
	uint16_t rcode = found->packed.rcode;
	bool is_ours = rcode == DNS_RCODE_FORMERR || rcode >= DNS_RCODE_BADVERS;
	reply->rcode = is_ours ? DNS_RCODE_SERVFAIL : rcode;
	if (found->packed.authentic && wants_authentic(q) && q->chase.len == 0 && svcb == SVCB_PASS)
		reply->flags |= DNS_FLAG_AD;
}

static void set_ede(const struct query *q, struct dns_reply *reply, const struct found *found,
	char *text, size_t size)
{
	if (q->verdict.action == ACTION_BLOCK) {
		reply->ede = DNS_EDE_BLOCKED;
		reply->ede_text = query_block_text(q, text, size);
		return;
	}
	reply->ede = found->ede == DNS_EDE_NONE ? found->packed.ede : found->ede;
	reply->ede_text = found->packed.ede_text;
}

static void end_with_found(struct query *q, const struct found *found)
{
	NOT_CLEARED char text[DNS_EDE_TEXT_MAX];
	NOT_CLEARED struct dns_reply reply;
	dns_reply_begin(
		&reply, &q->asked, query_reply_limits(q), q->worker->reply_buffer, DNS_MESSAGE_MAX);
	enum svcb_handling svcb = query_svcb_handling(q, found);
	bool pasted = q->chase.len == 0 && svcb == SVCB_PASS &&
		dns_packed_paste(&reply, &found->packed, found->age);
	if (!pasted && !copy_found(q, &reply, found, svcb)) {
		query_end_with_rcode(
			q, METRICS_SOURCE_ERROR, DNS_RCODE_SERVFAIL, DNS_EDE_OTHER, "too long");
		return;
	}
	set_flags(q, &reply, found, svcb);
	set_ede(q, &reply, found, text, sizeof text);
	query_end_with_reply(
		q, &reply, q->verdict.action == ACTION_BLOCK ? METRICS_SOURCE_RULE : found->source);
}

/* ---- a verdict: step 11 ---- */

/* An override, or an entry's own CNAME, leads to a name that is resolved for the client: without
 * the address behind it the CNAME would be of no use to a stub. The blocked name itself is never
 * asked.
 */
static bool needs_chase(struct query *q)
{
	NOT_CLEARED struct dns_name target;
	uint32_t ttl_s;
	if (q->verdict.action != ACTION_BLOCK || q->asked.type == DNS_TYPE_CNAME ||
		q->asked.class != DNS_CLASS_IN || !query_find_alias(q, &target, &ttl_s) ||
		dns_name_equals(dns_name_slice(&target), q->asked.name))
		return false;
	q->chase.len = target.len;
	dns_name_lower(q->chase.wire, target.wire, target.len);
	return true;
}

void query_block(struct query *q)
{
	if (needs_chase(q))
		query_seek(q);
	else
		query_end_by_verdict(q);
}

void query_judge(struct query *q, const struct dns_answer *answer)
{
	query_take_exceptions(q);
	struct facts facts = q->facts;
	facts.name = query_sought(q);
	policy_judge_answer(query_policy(q), &facts, answer, &q->verdict, NULL);
}

bool query_view_judges(const struct view_info *view, const struct dns_packed *packed)
{
	return packed->leads_somewhere ||
		(packed->has_addresses && (view->rebinding_protection || view->has_networks));
}

static bool must_judge(const struct query *q, const struct dns_packed *packed)
{
	if (q->verdict.action == ACTION_BLOCK) /* overridden: its target is the operator's word */
		return false;
	return query_view_judges(policy_view(query_policy(q), q->facts.view), packed);
}

void query_answer(struct query *q, struct found *found)
{
	struct dns_answer answer;
	query_shadow_answer(q, &found->packed);
	if (must_judge(q, &found->packed)) {
		if (dns_answer_open(&answer, found->packed.message) != 0) {
			query_end_with_rcode(
				q, METRICS_SOURCE_ERROR, DNS_RCODE_SERVFAIL, DNS_EDE_OTHER, NULL);
			return;
		}
		query_judge(q, &answer);
		if (verdict_is_final(&q->verdict)) {
			q->chase.len = 0;
			query_block(q);
			return;
		}
	}
	end_with_found(q, found);
}

void query_answer_local(struct query *q, struct slice message)
{
	NOT_CLEARED uint8_t buffer[DNS_PACKED_HEAD_MAX + LOCAL_MAX * 2];
	static const struct dns_packed_ttls as_they_are = { 0, DNS_TTL_MAX_S, DNS_TTL_MAX_S };
	struct found found = { .source = METRICS_SOURCE_LOCAL, .ede = DNS_EDE_NONE };
	struct dns_answer answer;
	struct slice packed = slice_of(NULL, 0);
	if (dns_answer_open(&answer, message) == 0)
		packed = dns_packed_write(&answer, &as_they_are, buffer, sizeof buffer);
	if (packed.len == 0) {
		query_end_with_rcode(
			q, METRICS_SOURCE_ERROR, DNS_RCODE_SERVFAIL, DNS_EDE_OTHER, NULL);
		return;
	}
	dns_packed_open(&found.packed, packed);
	query_answer(q, &found);
}
