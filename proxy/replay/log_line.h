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
	struct slice response; /* of a BLOCK: "NXDOMAIN" ... */
	struct slice reason;   /* why, when it was not a rule: "default_action" ... */
	struct slice matched_name;
	struct slice matched_address;
	uint16_t hop; /* 0: the question, an address, or the line does not say */
	struct slice client_id;
	struct slice policy_hash;
	enum action action;   /* ACTION_NONE where the line has none: nothing matched */
	bool is_rate_limited; /* and no rule decided: most likely it was not judged at all */
	bool has_exception;   /* an operator's exception had a say (exceptions.h) */
	bool has_ext;         /* it is one of ours: rule and response are known */
	bool has_view;        /* it has a vpc_id; empty: no view claimed the client */
	bool is_truncated;    /* the line has not all records of the answer */
	struct log_answer answers[LOG_LINE_ANSWERS_MAX];
	unsigned answer_count;
};

/* False when it is not such a line: not JSON, or without a name and a type. A fuzz target's. */
bool log_line_read(struct log_line *line, struct slice text);

/* Was it judged? Not where no view claimed the client, the question was refused as it was, or the
 * client asked too much. */
static inline bool log_line_was_admitted(const struct log_line *line)
{
	return (line->view.len > 0 || !line->has_view) && !line->is_rate_limited;
}

/* A text of a line as it is, JSON's escapes undone: UTF-8, in `buffer` when there are escapes and
 * cut at its end. What is no escape stays. */
struct slice log_line_plain(struct slice text, void *buffer, size_t size);

/* How much of an upstream's answer a line has. */
enum log_answer_extent {
	LOG_ANSWER_WHOLE,   /* all that is judged of it */
	LOG_ANSWER_PART,    /* records were cut off or not understood, or it was blocked: then it is
			       what the line says of the name or the address that was the reason */
	LOG_ANSWER_UNKNOWN, /* the question was blocked, or nobody knows at what */
};

/* What an upstream said, as far as the line has it: a DNS message with the question and those
 * records of the answer that are judged (addresses, CNAME, DNAME, SVCB, HTTPS), CNAME owners
 * chained as they stand. The records of a line that was blocked are ours, so they are not looked
 * at. Records whose text is not understood are left out and counted. Empty when there is nothing to
 * judge. `buffer` has LOG_LINE_MESSAGE_MAX bytes. */
enum { LOG_LINE_MESSAGE_MAX = 65535 };
struct slice log_line_answer(const struct log_line *line, void *buffer, unsigned *left_out);

/* After log_line_answer(), which says how many it left out. */
enum log_answer_extent log_line_extent(const struct log_line *line, unsigned left_out);

#endif
