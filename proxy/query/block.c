/* A verdict as a reply. */
#include "base/not_cleared.h"
#include "proxy/query/parts.h"
#include "rules/given.h"

const struct rule_info *query_rule(const struct query *q)
{
	uint16_t rule = q->verdict.match.rule;
	return rule == POLICY_NO_ID ? NULL : policy_rule(query_policy(q), rule);
}

static void write_nothing(const struct query *q, struct dns_reply *reply)
{
	(void)q;
	dns_reply_add_soa(reply, BLOCK_TTL_S);
}

static void write_nxdomain(const struct query *q, struct dns_reply *reply)
{
	(void)q;
	reply->rcode = DNS_RCODE_NXDOMAIN;
	dns_reply_add_soa(reply, BLOCK_TTL_S);
}

/* ---- somewhere else ---- */

static const struct facet *entry_facet(const struct query *q)
{
	return policy_facet(query_policy(q), q->verdict.match.entry.facet);
}

static bool find_own_alias(const struct query *q, struct dns_name *target, uint32_t *ttl_s)
{
	struct reader records = reader_of(entry_facet(q)->records);
	struct given_record record;
	if (!given_next(&records, DNS_TYPE_CNAME, &record))
		return false;
	*ttl_s = record.ttl_s;
	return given_target(record.rdata, verdict_matched_name(&q->verdict, q->asked.name), target);
}

static bool find_override(const struct query *q, struct dns_name *target, uint32_t *ttl_s)
{
	const struct rule_info *rule = query_rule(q);
	target->len = (uint8_t)rule->override_domain.len;
	memcpy(target->wire, rule->override_domain.at, rule->override_domain.len);
	*ttl_s = rule->override_ttl_s;
	return true;
}

bool query_find_alias(const struct query *q, struct dns_name *target, uint32_t *ttl_s)
{
	switch (q->verdict.block_response) {
	case BLOCK_OVERRIDE: return find_override(q, target, ttl_s);
	case BLOCK_RECORDS: return find_own_alias(q, target, ttl_s);
	default: return false;
	}
}

void query_write_alias(const struct query *q, struct dns_reply *reply)
{
	struct dns_name target;
	uint32_t ttl_s;
	if (!query_find_alias(q, &target, &ttl_s) ||
		dns_name_equals(dns_name_slice(&target), q->asked.name))
		dns_reply_add_soa(reply, BLOCK_TTL_S); /* a loop: the name it leads to is itself */
	else
		dns_reply_add_cname(reply, dns_name_slice(&target), ttl_s);
}

/* ---- something else ---- */

static void write_refused(const struct query *q, struct dns_reply *reply)
{
	(void)q;
	reply->rcode = DNS_RCODE_REFUSED;
}

static void write_addresses(const struct query *q, struct dns_reply *reply)
{
	const struct rule_info *rule = query_rule(q);
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

/* A CNAME comes instead of all else (RFC 2181 10.1). */
static void write_records(const struct query *q, struct dns_reply *reply)
{
	struct reader records = reader_of(entry_facet(q)->records);
	struct given_record record;
	struct dns_name target;
	uint32_t ttl_s;
	if (find_own_alias(q, &target, &ttl_s)) {
		query_write_alias(q, reply);
		return;
	}
	while (given_next(&records, q->asked.type, &record))
		dns_reply_add(reply, DNS_SECTION_ANSWER, q->asked.name, record.type, DNS_CLASS_IN,
			record.ttl_s, record.rdata);
	if (reply->counts[DNS_SECTION_ANSWER] == 0 && !reply->truncated)
		dns_reply_add_soa(reply, BLOCK_TTL_S);
}

static void write_truncated(const struct query *q, struct dns_reply *reply)
{
	(void)q;
	reply->flags |= DNS_FLAG_TC;
}

static void (*const block_writers[BLOCK_RESPONSE_COUNT])(
	const struct query *q, struct dns_reply *reply) = {
	[BLOCK_NODATA] = write_nothing,
	[BLOCK_NXDOMAIN] = write_nxdomain,
	[BLOCK_OVERRIDE] = query_write_alias,
	[BLOCK_REFUSED] = write_refused,
	[BLOCK_DROP] = write_refused, /* where silence is not possible: HTTP */
	[BLOCK_ADDRESS] = write_addresses,
	[BLOCK_TRUNCATE] = write_truncated,
	[BLOCK_RECORDS] = write_records,
};

/* "group/rule", so that whoever asks dig sees which rule it was. */
struct slice query_block_text(const struct query *q, char *text, size_t size)
{
	const struct rule_info *rule = query_rule(q);
	struct writer to = writer_of(text, size);
	if (q->verdict.reason == REASON_REBINDING)
		writer_text(&to, "rebinding protection");
	else if (q->verdict.reason == REASON_EXCEPTION)
		writer_text(&to, "exception");
	else if (!rule)
		writer_text(&to, "default action");
	else {
		writer_text(&to, policy_group_name(query_policy(q), rule->group));
		writer_u8(&to, '/');
		writer_text(&to, rule->name);
	}
	return writer_slice(&to);
}

void query_end_blocked(struct query *q)
{
	NOT_CLEARED char text[DNS_EDE_TEXT_MAX];
	NOT_CLEARED struct dns_reply reply;
	if (q->verdict.block_response == BLOCK_DROP && q->to.protocol != PROTOCOL_DOH) {
		query_end(q,
			&(struct outcome){ .source = METRICS_SOURCE_RULE,
				.rcode = DNS_RCODE_REFUSED,
				.ede = DNS_EDE_NONE });
		return;
	}
	dns_reply_begin(
		&reply, &q->asked, query_reply_limits(q), q->worker->reply_buffer, DNS_MESSAGE_MAX);
	reply.ede = DNS_EDE_BLOCKED;
	reply.ede_text = query_block_text(q, text, sizeof text);
	block_writers[q->verdict.block_response](q, &reply);
	query_end_with_reply(q, &reply, METRICS_SOURCE_RULE);
}

static void end_failed_closed(struct query *q)
{
	bool not_ready = policy_view(query_policy(q), q->facts.view)->failed;
	query_end_with_rcode(q, METRICS_SOURCE_ERROR, DNS_RCODE_SERVFAIL,
		not_ready ? DNS_EDE_NOT_READY : DNS_EDE_OTHER,
		not_ready ? "a list of this view is not there yet"
			  : "the policy of this view could not be evaluated");
}

void query_end_by_verdict(struct query *q)
{
	if (q->verdict.reason == REASON_FAIL_CLOSED)
		end_failed_closed(q);
	else
		query_end_blocked(q);
}
