#include "proxy/replay/replay_judge.h"

#include <stdio.h>

#include "dns/types.h"

/* ---- the line ---- */

void replay_line_init(struct replay_line *line, const struct log_line *from)
{
	line->line = from;
	line->is_made = false;
}

static void make_answer(struct replay_line *line)
{
	if (line->is_made)
		return;
	struct slice message = log_line_answer(line->line, line->message, &line->left_out);
	line->is_made = true;
	line->has_answer = message.len > 0 && dns_answer_open(&line->answer, message) == 0;
	line->extent = log_line_extent(line->line, line->left_out);
}

/* ---- judging ---- */

void replay_judge_init(
	struct replay_judge *judge, const struct policy *policy, const struct config *config)
{
	*judge = (struct replay_judge){
		.policy = policy, .config = config, .schedules_at_s = INT64_MIN
	};
}

static uint64_t schedules_at(struct replay_judge *judge, int64_t time_s)
{
	const struct policy_spec *spec = &judge->config->policy;
	if (judge->schedules_at_s != time_s) {
		judge->schedules = schedules_on(spec->schedules, spec->schedule_count, time_s);
		judge->schedules_at_s = time_s;
	}
	return judge->schedules;
}

static uint16_t view_by_name(const struct policy *policy, struct slice name)
{
	uint8_t buffer[REPLAY_TEXT_MAX];
	struct slice plain = log_line_plain(name, buffer, sizeof buffer);
	for (size_t i = 0; i < policy_view_count(policy); i++)
		if (slice_equals_text(plain, policy_view(policy, (uint16_t)i)->name))
			return (uint16_t)i;
	return POLICY_NO_ID;
}

/* The log has no listeners, but what was spoken. */
static uint16_t listener_of(const struct config *config, bool is_datagram)
{
	for (size_t i = 0; i < config->listener_count; i++)
		if ((config->listeners[i].kind == LISTENER_DNS) == is_datagram)
			return (uint16_t)i;
	return 0;
}

uint16_t replay_judge_view(const struct replay_judge *judge, const struct log_line *line)
{
	uint16_t view = line->view.len ? view_by_name(judge->policy, line->view) : POLICY_NO_ID;
	if (view != POLICY_NO_ID || !line->has_client)
		return view;
	const struct claims claims = { .client = line->client,
		.listener = listener_of(judge->config, line->is_datagram),
		.now_s = line->time_s };
	return policy_find_view(judge->policy, &claims).view;
}

static bool leads_somewhere(const struct log_line *line)
{
	for (unsigned i = 0; i < line->answer_count; i++) {
		uint16_t type = line->answers[i].type;
		if (type != DNS_TYPE_A && type != DNS_TYPE_AAAA &&
			dns_rdata_kind(type) != DNS_RDATA_OPAQUE)
			return true;
	}
	return line->answer_count == 0; /* then it is as easy to look */
}

/* Most answers have addresses alone, which most views do not look at. */
static bool must_judge(const struct replay_judge *judge, const struct log_line *line, uint16_t view)
{
	const struct view_info *info = policy_view(judge->policy, view);
	return info->rebinding_protection || info->has_networks || line->is_truncated ||
		line->action == ACTION_BLOCK || line->hop > 0 || leads_somewhere(line);
}

static void judge_answer(struct replay_judge *judge, struct replay_line *line,
	const struct facts *facts, struct replay_verdict *verdict)
{
	static const enum replay_sight sights[] = {
		[LOG_ANSWER_WHOLE] = REPLAY_SAW_ALL,
		[LOG_ANSWER_PART] = REPLAY_SAW_PART,
		[LOG_ANSWER_UNKNOWN] = REPLAY_SAW_NOTHING,
	};
	if (verdict_is_final(&verdict->verdict) || verdict->verdict.trusted ||
		!must_judge(judge, line->line, facts->view))
		return;
	make_answer(line);
	verdict->sight = sights[line->extent];
	if (line->has_answer)
		policy_judge_answer(judge->policy, facts, &line->answer, &verdict->verdict, NULL);
}

void replay_judge(
	struct replay_judge *judge, struct replay_line *line, struct replay_verdict *verdict)
{
	const struct log_line *from = line->line;
	verdict->view = replay_judge_view(judge, from);
	verdict->sight = REPLAY_SAW_ALL;
	if (verdict->view == POLICY_NO_ID)
		return;
	const struct facts facts = { .view = verdict->view,
		.query_type = from->type,
		.is_datagram = from->is_datagram,
		.name = dns_name_slice(&from->lower),
		.now_s = from->time_s,
		.schedules = schedules_at(judge, from->time_s) };
	policy_judge_query(judge->policy, &facts, &verdict->verdict, NULL);
	judge_answer(judge, line, &facts, verdict);
}

/* ---- in words ---- */

static void put_text(char *to, size_t size, const char *text)
{
	size_t len = strlen(text);
	if (len >= size)
		len = size - 1;
	memcpy(to, text, len);
	to[len] = '\0';
}

static void put_plain(char *to, size_t size, struct slice escaped)
{
	uint8_t buffer[REPLAY_ENTRY_MAX];
	struct slice plain = log_line_plain(escaped, buffer, sizeof buffer);
	size_t len = plain.len < size - 1 ? plain.len : size - 1;
	if (len > 0)
		memcpy(to, plain.at, len);
	to[len] = '\0';
}

static void put_rule(struct replay_outcome *outcome, const char *group, const char *rule)
{
	size_t len = strnlen(group, REPLAY_TEXT_MAX - 1);
	memcpy(outcome->by, group, len);
	outcome->by[len] = '/';
	put_text(outcome->by + len + 1, REPLAY_TEXT_MAX, rule);
}

static const char *text_of_reason(enum verdict_reason reason)
{
	static const char *const texts[] = {
		[REASON_NO_MATCH] = "no rule",
		[REASON_RULE] = "no rule",
		[REASON_DEFAULT] = "default action",
		[REASON_FAIL_CLOSED] = "policy failed",
		[REASON_FAIL_OPEN] = "policy failed",
		[REASON_REBINDING] = "rebinding protection",
		[REASON_EXCEPTION] = "exception",
	};
	return texts[reason];
}

static enum replay_word word_of(const struct verdict *verdict)
{
	if (verdict->reason == REASON_FAIL_CLOSED)
		return REPLAY_FAILED;
	switch (verdict->action) {
	case ACTION_BLOCK: return REPLAY_BLOCK;
	case ACTION_ALERT: return REPLAY_ALERT;
	default: return REPLAY_ALLOW;
	}
}

static void put_entry(
	struct replay_outcome *outcome, const struct log_line *line, const struct verdict *verdict)
{
	struct writer to = writer_of(outcome->entry, sizeof outcome->entry - 1);
	if (!verdict->match.entry.kind)
		return;
	policy_entry_write_text(&to, &verdict->match.entry,
		verdict_matched_name(verdict, dns_name_slice(&line->lower)),
		&verdict->matched_address);
	outcome->entry[to.len] = '\0';
}

void replay_outcome_judged(struct replay_outcome *outcome, const struct replay_judge *judge,
	const struct log_line *line, const struct replay_verdict *judged)
{
	const struct verdict *verdict = &judged->verdict;
	outcome->list[0] = outcome->entry[0] = '\0';
	outcome->is_rule_known = true;
	if (judged->view == POLICY_NO_ID) {
		outcome->word = REPLAY_NO_VIEW;
		put_text(outcome->by, sizeof outcome->by, "no view");
		return;
	}
	outcome->word = word_of(verdict);
	outcome->response = (int)verdict->block_response;
	/* A reason of its own may stand beside the rule that would have decided. */
	bool by_rule = verdict->reason == REASON_RULE && verdict->match.rule != POLICY_NO_ID;
	if (!by_rule) {
		put_text(outcome->by, sizeof outcome->by, text_of_reason(verdict->reason));
		return;
	}
	put_rule(outcome, policy_group_name(judge->policy, verdict->match.group),
		policy_rule(judge->policy, verdict->match.rule)->name);
	if (verdict->match.list != POLICY_NO_ID)
		put_text(outcome->list, sizeof outcome->list,
			policy_list(judge->policy, verdict->match.list)->name);
	put_entry(outcome, line, verdict);
}

static enum replay_word recorded_word(const struct log_line *line)
{
	if (line->action == ACTION_BLOCK)
		return REPLAY_BLOCK;
	if (slice_equals_text(line->reason, "policy_failed") && line->rcode == DNS_RCODE_SERVFAIL)
		return REPLAY_FAILED;
	return line->action == ACTION_ALERT ? REPLAY_ALERT : REPLAY_ALLOW;
}

/* All of them: an entry may want more than a configuration can. */
static int parse_response(struct slice text)
{
	for (int i = 0; i < BLOCK_RESPONSE_COUNT; i++)
		if (slice_equals_text(text, block_response_name((enum block_response)i)))
			return i;
	return -1;
}

static const char *recorded_reason(struct slice reason)
{
	static const struct {
		const char *word;
		enum verdict_reason reason;
	} words[] = { { "default_action", REASON_DEFAULT }, { "rebinding", REASON_REBINDING },
		{ "policy_failed", REASON_FAIL_CLOSED }, { "exception", REASON_EXCEPTION } };
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (slice_equals_text(reason, words[i].word))
			return text_of_reason(words[i].reason);
	return text_of_reason(REASON_NO_MATCH);
}

void replay_outcome_recorded(struct replay_outcome *outcome, const struct log_line *line)
{
	char group[REPLAY_TEXT_MAX];
	char rule[REPLAY_TEXT_MAX];
	outcome->word = recorded_word(line);
	outcome->response = parse_response(line->response);
	outcome->is_rule_known = line->has_ext;
	put_plain(outcome->list, sizeof outcome->list, line->list);
	put_plain(outcome->entry, sizeof outcome->entry, line->entry);
	put_plain(group, sizeof group, line->group);
	put_plain(rule, sizeof rule, line->rule);
	if (line->reason.len > 0 || (line->group.len == 0 && line->rule.len == 0))
		put_text(outcome->by, sizeof outcome->by, recorded_reason(line->reason));
	else if (line->rule.len > 0)
		put_rule(outcome, group, rule);
	else
		put_text(outcome->by, sizeof outcome->by, group);
}

enum replay_change replay_compare(
	const struct replay_outcome *before, const struct replay_outcome *after)
{
	if (before->word != after->word)
		return REPLAY_DIFFERENT;
	if (before->word == REPLAY_BLOCK && before->response >= 0 && after->response >= 0 &&
		before->response != after->response)
		return REPLAY_DIFFERENT;
	if (before->is_rule_known && after->is_rule_known && strcmp(before->by, after->by) != 0)
		return REPLAY_MOVED;
	return REPLAY_SAME;
}

const char *replay_outcome_text(
	const struct replay_outcome *outcome, char text[REPLAY_OUTCOME_TEXT_MAX])
{
	static const char *const words[] = {
		[REPLAY_ALLOW] = "ALLOW",
		[REPLAY_ALERT] = "ALERT",
		[REPLAY_BLOCK] = "BLOCK",
		[REPLAY_FAILED] = "SERVFAIL",
		[REPLAY_NO_VIEW] = "REFUSED",
	};
	bool has_response = outcome->word == REPLAY_BLOCK && outcome->response >= 0;
	snprintf(text, REPLAY_OUTCOME_TEXT_MAX, "%s%s%s", words[outcome->word],
		has_response ? " " : "",
		has_response ? block_response_name((enum block_response)outcome->response) : "");
	return text;
}
