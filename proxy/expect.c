#include "proxy/expect.h"

#include <stdio.h>

#include "proxy/config/problem.h"
#include "proxy/query/local.h"

enum { LOCAL_MAX = 4096 };

void expect_judge_init(struct expect_judge *judge, const struct config *config,
	const struct policy *policy, int64_t now_s)
{
	const struct policy_spec *spec = &config->policy;
	*judge = (struct expect_judge){
		.config = config,
		.policy = policy,
		.now_s = now_s,
		.schedules_now = schedules_on(spec->schedules, spec->schedule_count, now_s),
	};
}

/* ---- judging ---- */

/* What is asked, and what came of it. */
struct trial {
	struct facts facts;
	struct dns_name lower; /* facts.name */
	struct verdict verdict;
};

static uint16_t find_view(const struct expect_judge *judge, const struct expect_config *expect)
{
	if (expect->view != POLICY_NO_ID)
		return expect->view;
	const struct claims claims = { .client = expect->client,
		.listener = expect->listener,
		.now_s = expect->now_s ? expect->now_s : judge->now_s };
	return policy_find_view(judge->policy, &claims).view;
}

static void judge_answer(
	const struct expect_judge *judge, struct trial *trial, struct slice message)
{
	struct dns_answer answer;
	if (message.len && !verdict_is_final(&trial->verdict) &&
		dns_answer_open(&answer, message) == 0)
		policy_judge_answer(judge->policy, &trial->facts, &answer, &trial->verdict, NULL);
}

/* Our own records come first; upstreams are asked where there are none, or where a CNAME of ours
 * leads to somebody else's name. */
static void judge_answers(
	const struct expect_judge *judge, const struct expect_config *expect, struct trial *trial)
{
	uint8_t buffer[LOCAL_MAX];
	struct local_answer local;
	const struct dns_query query = { .name = dns_name_slice(&expect->question),
		.type = expect->type,
		.class = DNS_CLASS_IN };
	if (!local_data_answer(
		    &local, judge->policy, &query, trial->facts.name, buffer, sizeof buffer)) {
		judge_answer(judge, trial, expect->answer);
		return;
	}
	judge_answer(judge, trial, local.message);
	if (!local.chase.len)
		return;
	trial->facts.name = dns_name_slice(&local.chase); /* who is asked for */
	judge_answer(judge, trial, expect->answer);
	trial->facts.name = dns_name_slice(&trial->lower);
}

static uint64_t schedules_of(const struct expect_judge *judge, const struct expect_config *expect)
{
	const struct policy_spec *spec = &judge->config->policy;
	if (!expect->now_s)
		return judge->schedules_now;
	return schedules_on(spec->schedules, spec->schedule_count, expect->now_s);
}

/* False when no view claims the client. */
static bool try_one(
	const struct expect_judge *judge, const struct expect_config *expect, struct trial *trial)
{
	const struct config *config = judge->config;
	trial->lower.len = expect->question.len;
	dns_name_lower(trial->lower.wire, expect->question.wire, expect->question.len);
	trial->facts = (struct facts){
		.view = find_view(judge, expect),
		.query_type = expect->type,
		.is_datagram = config->listeners[expect->listener].kind == LISTENER_DNS,
		.name = dns_name_slice(&trial->lower),
		.now_s = expect->now_s ? expect->now_s : judge->now_s,
		.schedules = schedules_of(judge, expect),
	};
	if (trial->facts.view == POLICY_NO_ID)
		return false;
	policy_judge_query(judge->policy, &trial->facts, &trial->verdict, NULL);
	judge_answers(judge, expect, trial);
	return true;
}

/* ---- comparing ---- */

/* Did this rule decide, or, "none", no rule? */
static bool is_by_rule(
	const struct policy *policy, const struct verdict *verdict, const char *wanted)
{
	char text[256];
	bool by_rule = verdict->reason == REASON_RULE;
	if (strcmp(wanted, EXPECT_NO_RULE) == 0)
		return !by_rule;
	if (!by_rule)
		return false;
	const char *rule = policy_rule(policy, verdict->match.rule)->name;
	snprintf(text, sizeof text, "%s/%s", policy_group_name(policy, verdict->match.group), rule);
	return strcmp(wanted, rule) == 0 || strcmp(wanted, text) == 0;
}

static bool is_as_expected(const struct policy *policy, const struct expect_config *expect,
	const struct verdict *verdict)
{
	enum action action = verdict->action == ACTION_NONE ? ACTION_ALLOW : verdict->action;
	if (verdict->reason == REASON_FAIL_CLOSED || action != expect->verdict)
		return false;
	if (expect->block_response >= 0 && (int)verdict->block_response != expect->block_response)
		return false;
	return !expect->rule || is_by_rule(policy, verdict, expect->rule);
}

/* ---- telling ---- */

static void write_question(
	struct writer *to, const struct expect_judge *judge, const struct expect_config *expect)
{
	char client[ADDRESS_TEXT_MAX];
	if (expect->title) {
		writer_text(to, QUOTED(expect->title));
		writer_text(to, ": ");
	}
	dns_name_write_text(to, dns_name_slice(&expect->question));
	writer_u8(to, ' ');
	dns_type_write(to, expect->type);
	if (expect->view != POLICY_NO_ID) {
		writer_text(to, " in view ");
		writer_text(to, QUOTED(policy_view(judge->policy, expect->view)->name));
	} else {
		address_text(&expect->client, client);
		writer_text(to, " from ");
		writer_text(to, client);
	}
}

static void write_expected(struct writer *to, const struct expect_config *expect)
{
	writer_text(to, action_name(expect->verdict));
	if (expect->block_response >= 0) {
		writer_u8(to, ' ');
		writer_text(to, block_response_name((enum block_response)expect->block_response));
	}
	if (!expect->rule)
		return;
	bool no_rule = strcmp(expect->rule, EXPECT_NO_RULE) == 0;
	writer_text(to, no_rule ? " by no rule" : " by rule ");
	writer_text(to, no_rule ? "" : QUOTED(expect->rule));
}

static void write_entry(struct writer *to, const struct trial *trial)
{
	const struct rule_match *match = &trial->verdict.match;
	struct slice name = verdict_matched_name(&trial->verdict, trial->facts.name);
	if (match->entry.kind == 0)
		return;
	writer_text(to, ", entry \"");
	policy_entry_write_text(to, &match->entry, name, &trial->verdict.matched_address);
	writer_u8(to, '"');
}

static void write_rule(struct writer *to, const struct policy *policy, const struct trial *trial)
{
	const struct rule_match *match = &trial->verdict.match;
	writer_text(to, " by rule \"");
	writer_text(to, policy_group_name(policy, match->group));
	writer_u8(to, '/');
	writer_text(to, policy_rule(policy, match->rule)->name);
	writer_text(to, "\" (list ");
	writer_text(to, QUOTED(policy_list(policy, match->list)->name));
	write_entry(to, trial);
	writer_u8(to, ')');
}

static void write_verdict(struct writer *to, const struct policy *policy, const struct trial *trial)
{
	static const char *const reasons[] = {
		[REASON_NO_MATCH] = ", no rule matches",
		[REASON_RULE] = "",
		[REASON_DEFAULT] = " by default_action",
		[REASON_FAIL_CLOSED] = ": the policy cannot be evaluated",
		[REASON_FAIL_OPEN] = ", as the policy cannot be evaluated",
		[REASON_REBINDING] = " by rebinding_protection",
		[REASON_EXCEPTION] = " by an exception",
	};
	const struct verdict *verdict = &trial->verdict;
	if (verdict->reason == REASON_FAIL_CLOSED)
		writer_text(to, "SERVFAIL");
	else
		writer_text(to,
			verdict->action == ACTION_NONE ? "ALLOW" : action_name(verdict->action));
	if (verdict->action == ACTION_BLOCK) {
		writer_u8(to, ' ');
		writer_text(to, block_response_name(verdict->block_response));
	}
	if (verdict->reason == REASON_RULE)
		write_rule(to, policy, trial);
	writer_text(to, reasons[verdict->reason]);
	if (!verdict->matched_name.len)
		return;
	writer_text(to, ", at ");
	dns_name_write_text(to, dns_name_slice(&verdict->matched_name));
	writer_text(to, " of the answer");
}

/* ---- */

bool expect_holds(const struct expect_judge *judge, size_t index, char message[EXPECT_MESSAGE_MAX])
{
	const struct expect_config *expect = &judge->config->expects[index];
	struct trial trial;
	bool is_claimed = try_one(judge, expect, &trial);
	if (is_claimed && is_as_expected(judge->policy, expect, &trial.verdict))
		return true;
	if (!message)
		return false;
	struct writer to = writer_of(message, EXPECT_MESSAGE_MAX - 1);
	write_question(&to, judge, expect);
	writer_text(&to, ": expected ");
	write_expected(&to, expect);
	writer_text(&to, ", came ");
	if (is_claimed)
		write_verdict(&to, judge->policy, &trial);
	else
		writer_text(&to, "REFUSED: no view claims this client");
	message[to.len] = '\0';
	return false;
}

bool expect_all_hold(const struct expect_judge *judge, struct config_errors *errors)
{
	bool all = true;
	for (size_t i = 0; i < judge->config->expect_count; i++) {
		const struct expect_config *expect = &judge->config->expects[i];
		char message[EXPECT_MESSAGE_MAX], path[32];
		if (expect_holds(judge, i, message))
			continue;
		all = false;
		snprintf(path, sizeof path, "expect[%zu]", i);
		errors->count++;
		errors->on_error(errors->context, expect->file, expect->line, path, message);
	}
	return all;
}
