/* log_line.h - one line of a recorded query log, read back: ours (docs/query-log.md) or the one
 * that Amazon Route 53 Resolver writes, which has the same fields without "ext". Pure; made for
 * millions of lines: only what is needed is looked at, and nothing is allocated. */
#ifndef PROXY_REPLAY_LOG_LINE_H
#define PROXY_REPLAY_LOG_LINE_H

#include "base/address.h"
#include "dns/name.h"
#include "rules/verdict.h"

enum { LOG_LINE_ANSWERS_MAX = 64 };

/* One record of the answer, as text. */
struct log_answer {
	struct slice rdata; /* JSON's escapes are still in it */
	uint16_t type;
};

/* Texts are slices of the line, JSON's escapes still in them; empty where the line has none. */
struct log_line {
	int64_t time_s;        /* since 1970; 0: none */
	struct dns_name name;  /* as written */
	struct dns_name lower; /* lower case */
	uint16_t type;
	uint16_t class;
	uint16_t rcode;
	struct address client;
	bool has_client; /* false: omitted, or hashed */
	struct slice client_text;
	bool is_datagram;   /* transport UDP */
	struct slice view;  /* vpc_id */
	struct slice group; /* of what decided, when it was written: ours and AWS's fields */
	struct slice rule;
	struct slice list;
	struct slice entry;
	struct slice client_id;
	struct slice policy_hash;
	enum action
		action; /* ACTION_NONE where the line has none: nothing matched, or it is AWS's */
	bool has_ext;   /* it is one of ours, so that the action is known */
	bool is_truncated; /* the line has not all records of the answer */
	struct log_answer answers[LOG_LINE_ANSWERS_MAX];
	unsigned answer_count;
};

/* False when it is not such a line: not JSON, or without a name and a type. A fuzz target's. */
bool log_line_read(struct log_line *line, struct slice text);

/* What an upstream said, as far as the line has it: a DNS message with the question and the records
 * of the answer, CNAME owners chained as they stand. Records whose text is not understood are left
 * out and counted. Empty when the line has no records. `buffer` has LOG_LINE_MESSAGE_MAX bytes. */
enum { LOG_LINE_MESSAGE_MAX = 65535 };
struct slice log_line_answer(const struct log_line *line, void *buffer, unsigned *left_out);

#endif
