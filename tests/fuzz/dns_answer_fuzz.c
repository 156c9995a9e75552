/* dns_answer_fuzz.c - an upstream's message: when it opens, it can be walked to its end, each
 * record can be logged, and rebuilding it says the same records again. */
#include "dns/answer.h"

#include "dns/rdata_text.h"
#include "tests/unit/rebuild.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_record(const struct dns_answer *answer, const struct dns_record *record)
{
	static char text[4 * DNS_MESSAGE_MAX + 64];
	struct dns_name target;
	struct writer to = writer_of(text, sizeof text);
	REBUILD_REQUIRE(dns_name_check(dns_name_slice(&record->owner)) == record->owner.len);
	REBUILD_REQUIRE(record->ttl_s <= INT32_MAX);
	if (dns_record_target(answer, record, &target))
		REBUILD_REQUIRE(dns_name_check(dns_name_slice(&target)) == target.len);
	dns_rdata_write_text(&to, answer, record);
	REBUILD_REQUIRE(!to.failed && to.len > 0);
	for (size_t i = 0; i < to.len; i++)
		REBUILD_REQUIRE(text[i] >= 0x20 && text[i] < 0x7f);
}

static unsigned check_records(const struct dns_answer *answer)
{
	struct dns_record_walk walk;
	struct dns_record record;
	unsigned count = 0;
	dns_record_walk_begin(&walk, answer);
	for (; dns_record_next(&walk, &record); count++)
		check_record(answer, &record);
	REBUILD_REQUIRE(walk.section == DNS_SECTION_ADDITIONAL && walk.left == 0);
	REBUILD_REQUIRE(!walk.reader.failed);
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t buffer[DNS_MESSAGE_MAX];
	struct dns_answer answer;
	struct dns_reply reply;
	if (dns_answer_open(&answer, slice_of(data, size)) < 0)
		return 0;
	REBUILD_REQUIRE(dns_name_check(answer.name) == answer.name.len && answer.name.len > 0);
	REBUILD_REQUIRE(dns_answer_is_for(&answer, answer.name, answer.type, answer.class) ==
		!(answer.flags & DNS_FLAG_OPCODE));
	unsigned count = check_records(&answer);
	struct dns_query query = rebuild_query(&answer, size % 2);
	struct slice message = rebuild(&reply, &query, &answer,
		(struct dns_reply_limits){ .size = sizeof buffer }, buffer, sizeof buffer);
	unsigned copied = rebuild_compare(&answer, message);
	REBUILD_REQUIRE(copied == count || reply.truncated);
	return 0;
}
