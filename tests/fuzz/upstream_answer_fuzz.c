/* What an upstream, or somebody who pretends to be one, sends: first byte how we asked, the rest is
 * the datagram. Whatever is accepted must be an answer to our question. */
#include <stdint.h>
#include <stdlib.h>

#include "proxy/upstream/judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t with_opt[] = "\x12\x34\1\0\0\1\0\0\0\0\0\1"
					  "\3WwW\7eXample\0\0\1\0\1\0\0\51\4\320\0\0\0\0\0\0";
	if (size < 1)
		return 0;
	bool has_opt = data[0] & 1;
	bool cut = data[0] & 8;
	struct judge_sent sent = {
		.message = slice_of(with_opt, sizeof with_opt - 1 - (has_opt ? 0 : 11)),
		.has_opt = has_opt,
		.exact_case = data[0] & 2,
		.over_tcp = data[0] & 4,
	};
	struct slice answer = slice_of(data + 1, size - 1);
	enum judge_match match = judge_match(&sent, answer);
	if (match == JUDGE_FOREIGN)
		return 0;
	require(answer.len >= DNS_HEADER_LEN && answer.at[2] & 0x80);
	struct dns_answer opened;
	enum judge_verdict verdict = judge_answer(&sent, match, answer, cut, &opened);
	if (verdict != JUDGE_ANSWER)
		return 0;
	struct slice name = slice_of(with_opt + 12, 13);
	require(dns_answer_is_for(&opened, name, DNS_TYPE_A, DNS_CLASS_IN));
	require(!sent.exact_case || sent.over_tcp || slice_equals(opened.name, name));
	require(sent.over_tcp || (!cut && !(opened.flags & DNS_FLAG_TC)));
	struct dns_record_walk walk;
	struct dns_record record;
	dns_record_walk_begin(&walk, &opened);
	for (unsigned count = 0; dns_record_next(&walk, &record); count++)
		require(count < DNS_ANSWER_RECORDS_MAX && record.owner.len > 0);
	return 0;
}
