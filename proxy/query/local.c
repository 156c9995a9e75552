#include "proxy/query/local.h"
#include "base/not_cleared.h"

#include "dns/reply.h"
#include "proxy/query/special.h"

enum { CHAIN_MAX = 8, ANY_TTL_S = 3600 };

struct collector {
	struct dns_query query; /* without EDNS */
	struct dns_reply reply;
	struct slice owner;
	struct dns_name target; /* of the CNAME that owner has */
};

static void on_record(void *context, uint16_t type, uint32_t ttl_s, struct slice rdata)
{
	struct collector *collector = context;
	dns_reply_add(&collector->reply, DNS_SECTION_ANSWER, collector->owner, type, DNS_CLASS_IN,
		ttl_s, rdata);
	if (type != DNS_TYPE_CNAME || rdata.len > DNS_NAME_MAX)
		return;
	collector->target.len = (uint8_t)rdata.len;
	dns_name_lower(collector->target.wire, rdata.at, rdata.len);
}

/* Follows our own CNAMEs as far as they are ours. */
static void follow(struct collector *collector, struct local_answer *answer,
	const struct policy *policy, uint16_t type)
{
	for (unsigned i = 0; i < CHAIN_MAX && type != DNS_TYPE_CNAME; i++) {
		if (collector->target.len == 0)
			return;
		answer->chase = collector->target;
		collector->target.len = 0;
		collector->owner = dns_name_slice(&answer->chase);
		if (!policy_local_records(policy, collector->owner, type, on_record, collector))
			return;
		if (collector->target.len == 0)
			answer->chase.len = 0; /* the end of the chain is ours too */
	}
}

static void begin(struct collector *collector, struct local_answer *answer,
	const struct dns_query *query, void *buffer, size_t capacity)
{
	collector->query = (struct dns_query){ .flags = query->flags,
		.name = query->name,
		.type = query->type,
		.class = query->class };
	collector->owner = query->name;
	collector->target.len = 0;
	answer->chase.len = 0;
	dns_reply_begin(&collector->reply, &collector->query,
		(struct dns_reply_limits){ .size = capacity }, buffer, capacity);
}

static void finish(struct collector *collector, struct local_answer *answer)
{
	/* Part of the records would be a lie, and none of them another. */
	if (collector->reply.truncated)
		collector->reply.rcode = DNS_RCODE_SERVFAIL;
	collector->reply.flags &= (uint16_t)~DNS_FLAG_TC;
	answer->message = dns_reply_finish(&collector->reply);
}

bool local_data_answer(struct local_answer *answer, const struct policy *policy,
	const struct dns_query *query, struct slice name, void *buffer, size_t capacity)
{
	NOT_CLEARED struct collector collector;
	if (!policy_local_has(policy, name)) /* as most names: nothing is begun for them */
		return false;
	begin(&collector, answer, query, buffer, capacity);
	policy_local_records(policy, name, query->type, on_record, &collector);
	follow(&collector, answer, policy, query->type);
	if (collector.reply.counts[DNS_SECTION_ANSWER] == 0)
		dns_reply_add_soa(&collector.reply, 60);
	finish(&collector, answer);
	return true;
}

/* RFC 8482 4.2 and 6: who wants all records of a name as a rule wants to flood somebody else. */
static void write_minimal_any(struct dns_reply *reply, struct slice name)
{
	static const uint8_t hinfo[] = "\7RFC8482"; /* and an empty text, which is the NUL */
	dns_reply_add(reply, DNS_SECTION_ANSWER, name, DNS_TYPE_HINFO, DNS_CLASS_IN, ANY_TTL_S,
		slice_of(hinfo, sizeof hinfo));
}

bool local_answer(struct local_answer *answer, const struct local_sources *sources,
	const struct dns_query *query, struct slice name, void *buffer, size_t capacity)
{
	NOT_CLEARED struct collector collector;
	enum special_name special;
	if (local_data_answer(answer, sources->policy, query, name, buffer, capacity))
		return true;
	bool is_ddr = ddr_is_ours(name);
	bool is_special = !is_ddr && !sources->is_routed &&
		special_find(sources->special_names, name, query->type, &special);
	bool is_any = sources->minimal_any && query->type == DNS_TYPE_ANY;
	if (!is_ddr && !is_special && !is_any)
		return false;
	begin(&collector, answer, query, buffer, capacity);
	if (is_ddr)
		ddr_answer(sources->ddr, name, query->type, &collector.reply);
	else if (is_special)
		special_answer(special, name, &collector.reply);
	else
		write_minimal_any(&collector.reply, query->name);
	finish(&collector, answer);
	return true;
}
