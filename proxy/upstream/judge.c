#include "proxy/upstream/judge.h"

#include "base/random.h"
#include "base/reader.h"

struct slice judge_question(struct slice message)
{
	struct reader r = reader_of(message);
	reader_skip(&r, DNS_HEADER_LEN);
	size_t name_len = dns_name_check(slice_of(r.at, reader_left(&r)));
	reader_seek(&r, DNS_HEADER_LEN);
	return reader_bytes(&r, name_len ? name_len + 4 : 0);
}

/* Names hold their lengths below 64 and types compare as numbers, so lower case may be applied to
 * the name alone. */
static bool same_but_for_case(struct slice ours, struct slice theirs)
{
	size_t name_len = ours.len - 4;
	return dns_name_equals(slice_of(ours.at, name_len), slice_of(theirs.at, name_len)) &&
		memcmp(ours.at + name_len, theirs.at + name_len, 4) == 0;
}

static enum judge_match match_question(
	const struct judge_sent *sent, struct slice ours, struct slice theirs)
{
	if (ours.len < 5)
		return JUDGE_FOREIGN;
	if (slice_equals(ours, theirs))
		return JUDGE_EXACT;
	/* A forger who folds the case gains nothing by it: over TCP he has to be there. */
	if (same_but_for_case(ours, theirs))
		return sent->exact_case ? JUDGE_FOLDED : JUDGE_EXACT;
	return JUDGE_FOREIGN;
}

enum judge_match judge_match(const struct judge_sent *sent, struct slice answer)
{
	struct slice ours = judge_question(sent->message);
	struct reader r = reader_of(answer);
	reader_skip(&r, 2);
	uint16_t flags = reader_u16(&r);
	uint16_t questions = reader_u16(&r);
	reader_skip(&r, 6);
	if (r.failed || !(flags & DNS_FLAG_QR) || flags & DNS_FLAG_OPCODE)
		return JUDGE_FOREIGN;
	if (questions == 0 && reader_left(&r) == 0 && sent->has_opt &&
		(flags & 0xf) == DNS_RCODE_FORMERR)
		return JUDGE_NO_QUESTION;
	struct slice theirs = reader_bytes(&r, ours.len);
	if (r.failed || questions != 1)
		return JUDGE_FOREIGN;
	return match_question(sent, ours, theirs);
}

enum judge_verdict judge_answer(const struct judge_sent *sent, enum judge_match match,
	struct slice answer, bool cut, struct dns_answer *opened)
{
	if (match == JUDGE_NO_QUESTION)
		return JUDGE_DROP_OPT;
	if (match == JUDGE_FOLDED && !sent->over_tcp)
		return JUDGE_ASK_TCP;
	/* The flags were there for judge_match(). What is truncated over TCP has no better place to
	 * come from. */
	if ((cut || answer.at[2] & DNS_FLAG_TC >> 8) && !sent->over_tcp)
		return JUDGE_ASK_TCP;
	if (dns_answer_open(opened, answer) != 0)
		return JUDGE_MALFORMED;
	if (opened->rcode == DNS_RCODE_FORMERR && sent->has_opt && !opened->opt.present)
		return JUDGE_DROP_OPT;
	return JUDGE_ANSWER;
}

void judge_mix_case(struct random_pool *random, uint8_t *name, size_t len)
{
	uint64_t bits = 0;
	unsigned left = 0;
	for (size_t i = 0; i < len; i++) {
		uint8_t lower = dns_lower(name[i]);
		if (lower < 'a' || lower > 'z')
			continue;
		if (left == 0) {
			bits = random_u64(random);
			left = 64;
		}
		name[i] = bits & 1 ? lower : (uint8_t)(lower & ~0x20);
		bits >>= 1;
		left--;
	}
}
