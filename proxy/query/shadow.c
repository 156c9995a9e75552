/* What the candidate would have done. It judges beside the policy in force, in the same steps and
 * by the same answers, and nothing here changes what the client gets: replies leave at the end of
 * the turn. */
#include "dns/answer.h"
#include "proxy/query/parts.h"
#include "proxy/shadow/shadow.h"

static const struct policy *candidate_of(const struct query *q)
{
	return query_snapshot(q)->shadow->candidate->policy;
}

/* The query as the candidate's rules see it. */
static struct facts facts_of(const struct query *q, struct slice name)
{
	struct worker *worker = q->worker;
	struct facts facts = q->facts;
	facts.now_s = ((int64_t)worker_now_us(worker) + worker->wall_offset_us) / 1000000;
	facts.exceptions = worker_exceptions(worker); /* they may have come and ended meanwhile */
	facts.view = q->shadow.view;
	facts.schedules = q->shadow.schedules;
	facts.name = name;
	return facts;
}

void query_shadow_admit(struct query *q, const struct claims *claims)
{
	const struct shadow *shadow = query_snapshot(q)->shadow;
	if (!shadow || !shadow_takes(shadow, q->facts.view, &claims->client))
		return;
	q->shadow.is_taken = true;
	q->shadow.view = shadow_find_view(shadow, claims);
}

void query_shadow_question(struct query *q)
{
	if (!q->shadow.is_taken)
		return;
	q->shadow.is_on = true;
	q->shadow.is_answered = false;
	q->shadow.schedules = q->worker->shadow_schedules;
	if (q->shadow.view == POLICY_NO_ID)
		return;
	const struct facts facts = facts_of(q, q->facts.name);
	policy_judge_query(candidate_of(q), &facts, &q->shadow.verdict, NULL);
}

/* Has it let the question through, so that the answer is to be judged? */
static bool is_open(const struct query *q)
{
	return q->shadow.view != POLICY_NO_ID && !verdict_is_final(&q->shadow.verdict);
}

void query_shadow_local(struct query *q, const struct dns_answer *answer)
{
	if (!q->shadow.is_on || !is_open(q))
		return;
	const struct facts facts = facts_of(q, q->facts.name);
	policy_judge_answer(candidate_of(q), &facts, answer, &q->shadow.verdict, NULL);
}

/* What stands in for a blocked answer is not the answer. */
void query_shadow_answer(struct query *q, const struct dns_packed *packed)
{
	struct dns_answer answer;
	if (!q->shadow.is_on || q->verdict.action == ACTION_BLOCK)
		return;
	q->shadow.is_answered = true;
	if (!is_open(q) ||
		!query_view_judges(policy_view(candidate_of(q), q->shadow.view), packed) ||
		dns_answer_open(&answer, packed->message) != 0)
		return;
	const struct facts facts = facts_of(q, query_sought(q));
	policy_judge_answer(candidate_of(q), &facts, &answer, &q->shadow.verdict, NULL);
}

/* ---- the end ---- */

/* The policy in force has ended the query before there was an answer. */
static bool is_unknown(const struct query *q)
{
	bool was_ended = q->facts.view == POLICY_NO_ID || verdict_is_final(&q->verdict);
	return was_ended && !q->shadow.is_answered && is_open(q) && !q->shadow.verdict.trusted;
}

static void count(const struct query *q, const struct shadow_judged *in_force,
	const struct shadow_judged *candidate, bool differs)
{
	const struct snapshot *snapshot = query_snapshot(q);
	struct metrics *metrics = q->worker->metrics;
	uint16_t view = q->facts.view;
	uint16_t label = view == POLICY_NO_ID ? METRICS_NO_VIEW : snapshot->view_labels[view];
	metrics_shadow_decision(metrics, label, shadow_outcome(candidate));
	if (differs)
		metrics_shadow_difference(
			metrics, label, shadow_outcome(in_force), shadow_outcome(candidate));
	shadow_count(snapshot->shadow, snapshot->shadow->tally->tables[q->worker->index], view,
		in_force, candidate, q->asked.name, q->asked.type);
}

void query_shadow_end(const struct query *q, struct query_log_shadow *told)
{
	const struct shadow *shadow = query_snapshot(q)->shadow;
	const struct shadow_judged in_force = { .policy = query_policy(q),
		.rules = shadow->rules_in_force,
		.view = q->facts.view,
		.verdict = &q->verdict };
	const struct shadow_judged candidate = { .policy = candidate_of(q),
		.rules = shadow->rules,
		.view = q->shadow.view,
		.verdict = &q->shadow.verdict,
		.is_unknown = is_unknown(q) };
	bool differs = shadow_differs(&in_force, &candidate);
	count(q, &in_force, &candidate, differs);
	*told = (struct query_log_shadow){ .policy = candidate.policy,
		.policy_hash = shadow->candidate->policy_hash,
		.verdict = candidate.view == POLICY_NO_ID ? NULL : candidate.verdict,
		.is_unknown = candidate.is_unknown,
		.differs = differs };
}
