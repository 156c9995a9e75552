/* dns_reply_fuzz.c - a query and an answer, both hostile, become a reply within a limit.
 * The input: one byte that chooses the limit, two bytes with the query's length, query, answer. */
#include "base/reader.h"
#include "dns/query.h"

#include "tests/unit/rebuild.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_reply(const struct dns_query *query, const struct dns_answer *answer,
	const struct dns_reply *reply, struct slice message)
{
	struct dns_answer opened;
	REBUILD_REQUIRE(message.len <= reply->limits.size);
	REBUILD_REQUIRE(dns_answer_open(&opened, message) == 0);
	REBUILD_REQUIRE(opened.id == query->id);
	REBUILD_REQUIRE(slice_equals(opened.name, query->name)); /* bit-exact */
	REBUILD_REQUIRE(opened.type == query->type && opened.class == query->class);
	REBUILD_REQUIRE(opened.opt.present == query->opt.present);
	REBUILD_REQUIRE(!(opened.flags & DNS_FLAG_TC) || reply->truncated);
	if (query->opt.present)
		REBUILD_REQUIRE(opened.rcode == answer->rcode);
	rebuild_compare(answer, message);
}

/* An RRset is there whole or not at all, when its records stand together. */
static void check_rrsets(const struct dns_answer *before, struct slice message)
{
	struct dns_answer after;
	struct dns_record_walk bw, aw;
	struct dns_record b, a = { .type = 0 }, next;
	bool any = false;
	dns_answer_open(&after, message);
	dns_record_walk_begin(&bw, before);
	dns_record_walk_begin(&aw, &after);
	/* Into `next` first: the end of a walk leaves its record in pieces. */
	for (; dns_record_next(&aw, &next); any = true) {
		a = next;
		dns_record_next(&bw, &b);
	}
	if (!any || !dns_record_next(&bw, &b))
		return;
	/* `a` is the last record that was kept, `b` the first one that was not. */
	REBUILD_REQUIRE(a.section != b.section || a.type != b.type ||
		!dns_name_equals(dns_name_slice(&a.owner), dns_name_slice(&b.owner)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t buffer[DNS_MESSAGE_MAX];
	static const size_t sizes[] = { 512, 513, 600, 1231, 1232, 4096, DNS_MESSAGE_MAX };
	struct reader input = reader_of(slice_of(data, size));
	uint8_t choice = reader_u8(&input);
	struct slice asked = reader_bytes(&input, reader_u16(&input) % 512);
	struct slice answered = reader_bytes(&input, reader_left(&input));
	struct dns_query query;
	struct dns_answer answer;
	struct dns_reply reply;
	if (input.failed || dns_query_open(&query, asked) != DNS_QUERY_FINE ||
		dns_answer_open(&answer, answered) < 0)
		return 0;
	struct dns_reply_limits limits = { .size = sizes[choice % 7],
		.encrypted = choice & 0x40,
		.keepalive_ds = choice & 0x80 ? 300 : 0 };
	struct slice message = rebuild(&reply, &query, &answer, limits, buffer, sizeof buffer);
	check_reply(&query, &answer, &reply, message);
	check_rrsets(&answer, message);
	return 0;
}
