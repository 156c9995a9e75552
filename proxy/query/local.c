#include "proxy/query/local.h"

#include "dns/reply.h"

enum { CHAIN_MAX = 8 };

/* RFC 9462 4 and 6.4: an answer from elsewhere would send clients round the firewall. */
static const uint8_t resolver_arpa[] = "\10resolver\4arpa";

struct collector {
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

static bool is_never_asked(struct slice name)
{
	return dns_name_is_under(name, slice_of(resolver_arpa, sizeof resolver_arpa));
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

bool local_answer(struct local_answer *answer, const struct policy *policy,
	const struct dns_query *query, struct slice name, void *buffer, size_t capacity)
{
	const struct dns_query plain = { .flags = query->flags,
		.name = query->name,
		.type = query->type,
		.class = query->class };
	struct collector collector = { .owner = query->name };
	bool never_asked = is_never_asked(name);
	answer->chase.len = 0;
	dns_reply_begin(&collector.reply, &plain, (struct dns_reply_limits){ .size = capacity },
		buffer, capacity);
	if (!policy_local_records(policy, name, query->type, on_record, &collector) && !never_asked)
		return false;
	follow(&collector, answer, policy, query->type);
	/* Part of the records would be a lie, and none of them another. */
	if (collector.reply.truncated)
		collector.reply.rcode = DNS_RCODE_SERVFAIL;
	collector.reply.flags &= (uint16_t)~DNS_FLAG_TC;
	if (collector.reply.counts[DNS_SECTION_ANSWER] == 0)
		dns_reply_add_soa(&collector.reply, 60);
	answer->message = dns_reply_finish(&collector.reply);
	return true;
}
