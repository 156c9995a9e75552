/* dns_query_fuzz.c - a client's message: whatever comes, the view can be trusted and there is an
 * answer that keeps its promises. */
#include "dns/query.h"

#include "tests/unit/rebuild.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint16_t rcodes[] = {
	[DNS_QUERY_FINE] = DNS_RCODE_NXDOMAIN,
	[DNS_QUERY_FORMERR] = DNS_RCODE_FORMERR,
	[DNS_QUERY_NOTIMP] = DNS_RCODE_NOTIMP,
	[DNS_QUERY_BADVERS] = DNS_RCODE_BADVERS,
	[DNS_QUERY_REFUSED] = DNS_RCODE_REFUSED,
	[DNS_QUERY_KEEPALIVE] = DNS_RCODE_FORMERR,
	[DNS_QUERY_NOTAUTH] = DNS_RCODE_NOTAUTH,
	[DNS_QUERY_OPTION] = DNS_RCODE_FORMERR,
	[DNS_QUERY_NO_QUESTION] = DNS_RCODE_BADCOOKIE,
};

static void check_reply(const struct dns_query *query, struct slice message, uint16_t rcode,
	struct dns_reply_limits limits)
{
	static uint8_t buffer[4096];
	struct dns_answer answer;
	struct slice reply = dns_reply_rcode(
		query, limits, rcode, DNS_EDE_BLOCKED, "policy", buffer, sizeof buffer);
	REBUILD_REQUIRE(reply.len >= DNS_HEADER_LEN && reply.len <= limits.size);
	REBUILD_REQUIRE(reply.at[0] == message.at[0] && reply.at[1] == message.at[1]);
	REBUILD_REQUIRE(reply.at[2] & 0x80);
	if (query->name.len == 0)
		return;
	size_t question_len = query->name.len + 4;
	REBUILD_REQUIRE(dns_answer_open(&answer, reply) == 0);
	REBUILD_REQUIRE(answer.rcode == rcode);
	REBUILD_REQUIRE(answer.opt.present == query->opt.present);
	REBUILD_REQUIRE(answer.opt.dnssec_ok == query->opt.dnssec_ok);
	REBUILD_REQUIRE(memcmp(reply.at + DNS_HEADER_LEN, query->name.at, question_len) == 0);
	if (limits.encrypted && query->opt.has_padding)
		REBUILD_REQUIRE(reply.len % DNS_REPLY_PADDING == 0);
	else
		REBUILD_REQUIRE(!answer.opt.has_padding);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_query query;
	struct slice message = slice_of(data, size);
	enum dns_query_fault fault = dns_query_open(&query, message);
	REBUILD_REQUIRE(dns_name_check(query.name) == query.name.len);
	if (fault == DNS_QUERY_SILENCE)
		return 0;
	REBUILD_REQUIRE(size >= DNS_HEADER_LEN && !(data[2] & 0x80));
	REBUILD_REQUIRE(fault != DNS_QUERY_FINE || query.name.len > 0);
	REBUILD_REQUIRE(fault != DNS_QUERY_BADVERS || query.opt.present);
	if (query.name.len > 0) /* borrowed from the message, where every query has it */
		REBUILD_REQUIRE(query.name.at == data + DNS_HEADER_LEN);
	check_reply(&query, message, rcodes[fault],
		(struct dns_reply_limits){ .size = dns_reply_udp_size(&query) });
	check_reply(&query, message, rcodes[fault],
		(struct dns_reply_limits){ .size = 4096, .encrypted = true, .keepalive_ds = 300 });
	return 0;
}
