/* judge.h - is this the answer to what we asked, and what has to be done with it? Pure: bytes in,
 * a word out. RFC 5452 9.1 (what may be accepted), RFC 6891 7 (servers without EDNS), RFC 7766 5
 * (truncation), draft-vixie-dnsext-dns0x20 (case). */
#ifndef PROXY_UPSTREAM_JUDGE_H
#define PROXY_UPSTREAM_JUDGE_H

#include "dns/answer.h"

struct random_pool;

/* What was sent. */
struct judge_sent {
	struct slice message; /* as on the wire: header, one question, perhaps our OPT */
	bool has_opt;
	bool exact_case; /* 0x20 was applied: case must come back bit by bit */
	bool over_tcp;
};

enum judge_match {
	JUDGE_FOREIGN, /* not an answer to this question: throw it away, keep waiting */
	JUDGE_EXACT,
	JUDGE_FOLDED,     /* the question in another case, though exact_case */
	JUDGE_NO_QUESTION /* a bare FORMERR header to a query that had an OPT */
};

/* QR, opcode, exactly one question, and it is ours. The id is the caller's matter: it found `sent`
 * by it. */
enum judge_match judge_match(const struct judge_sent *sent, struct slice answer);

enum judge_verdict {
	JUDGE_ANSWER,    /* `opened` is filled */
	JUDGE_ASK_TCP,   /* ask the same server again over TCP */
	JUDGE_DROP_OPT,  /* ask again without OPT */
	JUDGE_MALFORMED, /* from the server, but it cannot be read */
};

/* For an answer that matches (anything but JUDGE_FOREIGN). `cut`: it was longer than our buffer. */
enum judge_verdict judge_answer(const struct judge_sent *sent, enum judge_match match,
	struct slice answer, bool cut, struct dns_answer *opened);

/* The question of a message that we wrote: name, type, class. */
struct slice judge_question(struct slice message);

/* Random case for every letter of a wire name: one more bit per letter that a forger must guess. */
void judge_mix_case(struct random_pool *random, uint8_t *name, size_t len);

#endif
