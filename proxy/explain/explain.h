/* explain.h - judges a question as traffic is judged, by the same two functions, and writes down
 * all of it. For the command line, and in the running program for the control socket; takes as long
 * as judging takes, reads no file. */
#ifndef PROXY_EXPLAIN_EXPLAIN_H
#define PROXY_EXPLAIN_EXPLAIN_H

#include "proxy/config.h"
#include "proxy/explain/trace.h"
#include "proxy/lists/lists.h"
#include "proxy/query/routes.h"
#include "rules/policy.h"

/* What decides. Borrowed for the call. */
struct explain_world {
	const struct config *config;
	const struct policy *policy;
	const struct lists *lists;
	const struct routes *routes;
	const struct exceptions *exceptions; /* NULL: none */
	int64_t now_s;                       /* of schedules and exceptions */
	const char *policy_hash;
	uint32_t revision; /* 0: it does not run */
	/* When a list came, 0 when that is not known; NULL: nothing is known. */
	int64_t (*fetched_s)(void *context, size_t list);
	void *context;
};

struct explain_question {
	struct dns_name name; /* as asked */
	uint16_t type;
	struct claims claims; /* by which the view is found ... */
	uint16_t view;        /* ... unless it is named; else POLICY_NO_ID */
	struct slice answer;  /* an opened one's message; empty: none */
	const char *answer_from;
};

/* Where the evaluation stood. */
struct explain_outcome {
	uint16_t view; /* POLICY_NO_ID: nobody claims the client, and nothing was judged */
	struct verdict verdict;
	struct facts facts; /* its name is of the outcome */
	struct dns_name lower;
	struct slice answer;   /* of the question, or our own data; empty: none */
	bool is_answer_judged; /* the question alone did not end it */
	uint8_t local[4096];
	uint16_t group; /* upstream group that is asked; POLICY_NO_ID: none */
};

void explain_take(struct trace *trace, const struct explain_world *world,
	const struct explain_question *question, struct explain_outcome *outcome);

/* Comes the client to nothing from elsewhere? */
static inline bool explain_blocks(const struct verdict *verdict)
{
	return verdict_is_final(verdict);
}

#endif
