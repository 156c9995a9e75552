/* replay_judge.h - what a policy says of one line of a log, and what the line itself says was
 * decided then. The same two judges as for live traffic. Nothing is allocated. */
#ifndef PROXY_REPLAY_REPLAY_JUDGE_H
#define PROXY_REPLAY_REPLAY_JUDGE_H

#include "proxy/config.h"
#include "proxy/replay/log_line.h"
#include "rules/policy.h"

/* What became of a question. */
enum replay_word {
	REPLAY_ALLOW, /* by a rule or by none */
	REPLAY_ALERT,
	REPLAY_BLOCK,
	REPLAY_FAILED,  /* the policy could not be evaluated: SERVFAIL */
	REPLAY_NO_VIEW, /* REFUSED */
};

enum { REPLAY_TEXT_MAX = 256, REPLAY_ENTRY_MAX = DNS_NAME_TEXT_MAX + 2 };

struct replay_outcome {
	enum replay_word word;
	int response; /* of a BLOCK: enum block_response; -1: not known (AWS) */
	/* Who decided: "group/rule", "no rule", "default action" ... Of AWS's records the group. */
	char by[2 * REPLAY_TEXT_MAX];
	bool is_rule_known;
	char list[REPLAY_TEXT_MAX]; /* "": none */
	char entry[REPLAY_ENTRY_MAX];
};

/* A line with its answer, which is made when it is first needed. */
struct replay_line {
	const struct log_line *line;
	bool is_made;
	bool has_answer;
	unsigned left_out;
	enum log_answer_extent extent;
	struct dns_answer answer;
	uint8_t message[LOG_LINE_MESSAGE_MAX];
};
void replay_line_init(struct replay_line *line, const struct log_line *from);

/* One policy and what it knows of the line before; one for each thread. */
struct replay_judge {
	const struct policy *policy;
	const struct config *config;
	int64_t schedules_at_s;
	uint64_t schedules;
};
/* Both stay. */
void replay_judge_init(
	struct replay_judge *judge, const struct policy *policy, const struct config *config);

/* Views go by the name in the line, where the policy has one of that name; else by the client's
 * address and the first listener that speaks as the client did. POLICY_NO_ID: none. */
uint16_t replay_judge_view(const struct replay_judge *judge, const struct log_line *line);

/* What of an answer would have been looked at, and was it there? */
enum replay_sight { REPLAY_SAW_ALL, REPLAY_SAW_PART, REPLAY_SAW_NOTHING };

/* Schedules are those of the line's time; there are no exceptions. */
struct replay_verdict {
	uint16_t view; /* POLICY_NO_ID: none */
	enum replay_sight sight;
	struct verdict verdict;
};
void replay_judge(
	struct replay_judge *judge, struct replay_line *line, struct replay_verdict *verdict);

/* In words. */
void replay_outcome_judged(struct replay_outcome *outcome, const struct replay_judge *judge,
	const struct log_line *line, const struct replay_verdict *verdict);
void replay_outcome_recorded(struct replay_outcome *outcome, const struct log_line *line);

enum replay_change {
	REPLAY_SAME,
	REPLAY_MOVED,     /* the same, but by another rule */
	REPLAY_DIFFERENT, /* allowed, alerted, blocked in another way */
};
enum replay_change replay_compare(
	const struct replay_outcome *before, const struct replay_outcome *after);

/* "BLOCK NXDOMAIN", "ALLOW". */
enum { REPLAY_OUTCOME_TEXT_MAX = 32 };
const char *replay_outcome_text(
	const struct replay_outcome *outcome, char text[REPLAY_OUTCOME_TEXT_MAX]);

#endif
