/* parts.h - what the files of query/ share. For them alone.
 *
 *   query.c   the way in: steps 3 to 6, and where an answer is sought
 *   cookie.c  the client's DNS cookie, and ours
 *   datagram.c  how much goes to addresses that may be forged
 *   admission.c  whose view: step 4
 *   conduct.c what the view permits, and what it does when something fails
 *   wait.c    the table, the wait for an upstream, and the way back: steps 7 to 10
 *   answer.c  from what was found to a reply: steps 11 and 12
 *   svcb.c    HTTPS and SVCB records, as a view's clients get them
 *   block.c   a verdict as a reply
 *   shadow.c  what the candidate would have done, beside all of it
 *   end.c     the exit: step 13 */
#ifndef PROXY_QUERY_PARTS_H
#define PROXY_QUERY_PARTS_H

#include "dns/packed.h"
#include "proxy/query/holders.h"
#include "proxy/query/join.h"
#include "proxy/query/local.h"
#include "proxy/query/query.h"
#include "proxy/worker.h"

enum {
	BLOCK_TTL_S = 60,    /* of negative and made-up answers */
	STALE_TTL_S = 30,    /* RFC 8767 4 */
	LOCAL_MAX = 16384,   /* bytes of an answer of our own */
	CLIENT_ID_MAX = 255, /* bytes of what the log calls a client */
};

/* A query as the candidate sees it. */
struct query_shadow {
	bool is_taken;      /* its view was looked for */
	bool is_on;         /* its question was judged */
	bool is_answered;   /* it has seen the answer that the client gets */
	uint16_t view;      /* the candidate's; POLICY_NO_ID: none claims the client */
	uint64_t schedules; /* of the candidate */
	struct verdict verdict;
};

struct query {
	struct worker *worker;
	struct list waiting;   /* among those who wait for the same ask */
	struct list impatient; /* among those who take a stale answer at stale_at_ms */
	struct query *next_free;
	struct reply_to to;
	struct dns_query asked; /* its name is name_asked */
	struct facts facts;     /* its name is name_lower */
	struct verdict verdict;
	struct epoch *epoch;
	uint64_t begun_us;
	uint64_t stale_at_ms; /* 0: there is nothing stale to take */
	size_t message_len;
	struct dns_name chase; /* we ask for this name instead, and put what led to it in front */
	uint32_t group;        /* identity of the upstream group that is asked */
	const char *upstream;  /* who answered; NULL: nobody was asked. Its name is good only in the
				  turn that brought the answer */
	uint32_t upstream_us;
	bool is_kept; /* answered from the cache */
	uint32_t age_s;
	bool held;            /* counted by its connection */
	uint32_t holder;      /* the client, among those who hold places; or HOLDERS_NONE */
	bool held_by_view;    /* counted by its view */
	bool is_judged;       /* the verdict is one */
	bool is_rate_limited; /* beyond a limit, answered or not */
	enum dns_cookie_state cookie_state; /* while asked.opt.has_cookie */
	uint8_t cookie[DNS_COOKIE_LEN];     /* the same: what the answer says */
	struct query_shadow shadow;
	enum claim_kind client_by;
	struct slice client_id; /* of the policy, of the connection in the turn that brought the
				   query, or in client_id_text */
	uint8_t client_id_text[CLIENT_ID_MAX];
	uint8_t name_asked[DNS_NAME_MAX];
	uint8_t name_lower[DNS_NAME_MAX];
};

struct query_table {
	struct query *queries;
	size_t capacity;
	size_t untouched; /* first that was never used */
	size_t waiting;
	struct query *free;
	struct list impatient; /* by stale_at_ms */
	struct join_table *asks;
	struct holders *holders;
	uint32_t view_counts[METRICS_VIEWS + 2]; /* by the view's label, so that a reload does not
						    make another one of it */
};

/* What a query ends with. */
struct outcome {
	struct slice reply; /* empty: silence */
	enum metrics_source source;
	uint16_t rcode;
	int ede;
	uint32_t max_age_s;
};

/* What a query is answered with: an answer that was packed, of whatever age. */
struct found {
	struct dns_packed packed;
	struct dns_packed_age age;
	enum metrics_source source;
	int ede; /* instead of the upstream's code, which keeps its text; or DNS_EDE_NONE */
};

static inline const struct snapshot *query_snapshot(const struct query *q)
{
	return q->epoch->snapshot;
}

/* Exceptions may have come and ended since the query began. */
static inline void query_take_exceptions(struct query *q)
{
	struct worker *worker = q->worker;
	q->facts.now_s = ((int64_t)worker_now_us(worker) + worker->wall_offset_us) / 1000000;
	q->facts.exceptions = worker_exceptions(worker);
}

static inline const struct policy *query_policy(const struct query *q)
{
	return q->epoch->snapshot->policy;
}

/* The name that an answer is sought for, lower case. */
static inline struct slice query_sought(const struct query *q)
{
	return q->chase.len ? dns_name_slice(&q->chase) : q->facts.name;
}

/* admission.c: a view that claims the client, or the end. `token` is one that came beside the
 * message; empty: none. */
bool query_admit(struct query *q, const struct claims *transport, struct slice token);

#define QUERY_LOG_BLOCKED_TEXT "the query log takes no lines"

/* conduct.c: of a query that has a view. */
const struct view_config *query_conduct(const struct query *q);
/* May the client ask now? False: it was answered. */
bool query_permit(struct query *q);
/* Also of a query without a view: false. */
bool query_fails_closed(const struct query *q, enum failure failure);
void query_count_failure(
	const struct query *q, enum failure failure, enum metrics_failure_result result);
void query_count_lists_not_ready(const struct query *q);

/* query.c: an answer for the name that is sought: ours, kept, or to be waited for. */
void query_seek(struct query *q);
/* A fresh or stale answer that is kept; false when there is none. `q` is not ended then. */
bool query_answer_stale(struct query *q);

/* wait.c: gives back what the query held of its connection, client and view. */
void query_release(struct query *q);
/* Waits for an upstream. */
void query_wait(struct query *q);
/* Asks again although there is an answer; nobody waits for it. */
void query_refresh(const struct query *q);

/* cookie.c: judges the client's cookie and makes ours. Where there are none, and when it is
 * malformed, the query has no cookie from then on. */
void query_take_cookie(struct query *q);

/* datagram.c: false when it has been ended. */
bool query_permit_datagram(struct query *q);
/* Is whoever asks where he says he is: by a connection, or by a cookie of ours? */
bool query_is_proven(const struct query *q);

/* answer.c: step 11 for what the name that is sought leads to. */
void query_judge(struct query *q, const struct dns_answer *answer);
/* Judges what was found, and ends. */
void query_answer(struct query *q, struct found *found);
/* The same for a message of our own. */
void query_answer_local(struct query *q, struct slice message);
/* Most answers have records of the question's own name only: then there is nothing left to judge.
 */
bool query_view_judges(const struct view_info *view, const struct dns_packed *packed);
/* The verdict says that this query does not get what it asked for. */
void query_block(struct query *q);

/* svcb.c: what has to be done to HTTPS and SVCB records of what was found; SVCB_PASS when there is
 * nothing to be done. */
enum svcb_handling query_svcb_handling(const struct query *q, const struct found *found);
/* Copies all records of an answer to which that has to be done. */
void query_copy_stripped(
	const struct dns_answer *answer, enum svcb_handling handling, struct dns_reply *reply);

/* block.c */
/* The name that a blocked client is sent to instead, by its rule or by the list's entry. */
bool query_find_alias(const struct query *q, struct dns_name *target, uint32_t *ttl_s);
void query_write_alias(const struct query *q, struct dns_reply *reply);
struct slice query_block_text(const struct query *q, char *text, size_t size);
void query_end_blocked(struct query *q);
void query_end_by_verdict(struct query *q);
const struct rule_info *query_rule(const struct query *q);

/* shadow.c: the candidate judges what the policy in force has judged. Nothing of the query but its
 * `shadow` changes. */
/* Step 4: whose is it, if it is to be judged at all? Behind our own answer to that. */
void query_shadow_admit(struct query *q, const struct claims *claims);
/* Step 5. What is refused between the two is not judged. */
void query_shadow_question(struct query *q);
/* An answer of our own that leads elsewhere. */
void query_shadow_local(struct query *q, const struct dns_answer *answer);
/* The answer; before the policy in force judges it. */
void query_shadow_answer(struct query *q, const struct dns_packed *packed);
/* Counts; `told` is for the log. */
void query_shadow_end(const struct query *q, struct query_log_shadow *told);

/* end.c: the one exit. */
struct dns_reply_limits query_reply_limits(const struct query *q);
void query_end(struct query *q, const struct outcome *outcome);
void query_end_with_rcode(
	struct query *q, enum metrics_source source, uint16_t rcode, int ede, const char *ede_text);
/* Over HTTP alone: no DNS message, but this status. */
void query_end_rejected(struct query *q, unsigned status);
/* An empty answer that is truncated: who is there comes back over TCP. */
void query_end_truncated(struct query *q);
/* No answer at all. */
void query_end_silent(struct query *q);
void query_end_with_reply(struct query *q, struct dns_reply *reply, enum metrics_source source);

#endif
