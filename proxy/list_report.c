#include "proxy/list_report.h"

#include <stdlib.h>

#include "base/error.h"
#include "proxy/replay/replay_judge.h"
#include "rules/addresses.h"

enum {
	LIKE_SHARE = 20,        /* at most one in so many is its own: it may be dropped */
	LIKE_SHARE_BLIND = 100, /* the same where there was no log */
};

/* The policy without one list. */
struct variant {
	struct policy *policy; /* NULL: not needed so far */
	struct replay_judge judge;
};

struct report_variants {
	const struct config *config;
	const struct lists *lists;
	const struct policy *policy;
	struct replay_judge judge;
	struct replay_line line;
	struct variant *at; /* one for each list */
	uint64_t *is_used;  /* [view * words + list / 64] */
	size_t words;       /* of one view */
	uint64_t *hit;      /* lists that the line is about */
	bool no_memory;
};

/* ---- the policy without one list ---- */

static void leave_out(struct rule_group_spec *to, const struct rule_group_spec *from,
	struct rule_spec *rules, uint16_t list)
{
	*to = (struct rule_group_spec){ .name = from->name, .rules = rules };
	for (size_t i = 0; i < from->rule_count; i++)
		if (from->rules[i].list != list)
			rules[to->rule_count++] = from->rules[i];
}

static struct policy *build_without(const struct report_variants *variants, uint16_t list)
{
	struct policy_spec spec = variants->config->policy;
	const struct policy_lists where = lists_for_policy(variants->lists);
	struct policy *policy = NULL;
	size_t count = 0;
	int error;
	for (size_t i = 0; i < spec.group_count; i++)
		count += spec.groups[i].rule_count;
	struct rule_group_spec *groups = calloc(spec.group_count + 1, sizeof *groups);
	struct rule_spec *rules = calloc(count + 1, sizeof *rules);
	if (groups && rules) {
		struct rule_spec *at = rules;
		for (size_t i = 0; i < spec.group_count; i++) {
			leave_out(&groups[i], &spec.groups[i], at, list);
			at += groups[i].rule_count;
		}
		spec.groups = groups;
		policy = policy_build(&spec, &where, &error);
	}
	free(groups);
	free(rules);
	return policy;
}

static struct replay_judge *judge_without(struct report_variants *variants, size_t list)
{
	struct variant *variant = &variants->at[list];
	if (!variant->policy) {
		variant->policy = build_without(variants, (uint16_t)list);
		if (!variant->policy) {
			variants->no_memory = true;
			return NULL;
		}
		replay_judge_init(&variant->judge, variant->policy, variants->config);
	}
	return &variant->judge;
}

/* ---- before the first line ---- */

static void note_used(
	struct list_report *report, struct report_variants *variants, const struct policy *policy)
{
	const struct policy_spec *spec = &variants->config->policy;
	for (size_t v = 0; v < spec->view_count; v++) {
		uint64_t *used = variants->is_used + v * variants->words;
		for (size_t a = 0; a < spec->views[v].association_count; a++) {
			const struct rule_group_spec *group =
				&spec->groups[spec->views[v].associations[a].group];
			for (size_t i = 0; i < group->rule_count; i++)
				used[group->rules[i].list / 64] |= UINT64_C(1)
					<< group->rules[i].list % 64;
		}
	}
	for (size_t i = 0; i < policy_rule_count(policy); i++) {
		const struct rule_info *rule = policy_rule(policy, (uint16_t)i);
		report->rows[rule->list].is_used = true;
		report->rows[rule->list].actions |= 1u << rule->action;
	}
}

static int count_values(struct list_report *report, const struct lists *lists)
{
	const struct image *image = lists_for_policy(lists).image;
	uint16_t *numbers = calloc(report->count + 1, sizeof *numbers);
	size_t *rows = calloc(report->count + 1, sizeof *rows);
	struct list_values values = { .count = 0 };
	size_t count = 0;
	for (size_t i = 0; numbers && rows && i < report->count; i++) {
		if (lists->numbers[i] == POLICY_NO_ID)
			continue;
		rows[count] = i;
		numbers[count++] = lists->numbers[i];
	}
	int error = numbers && rows ? 0 : ERR_NO_MEMORY;
	if (!error && image)
		error = list_values_count(&values, image, numbers, count);
	for (size_t i = 0; !error && i < values.count; i++) {
		report->rows[rows[i]].is_loaded = true;
		report->rows[rows[i]].value = values.lists[i];
		for (size_t j = 0; j < values.count; j++)
			report->overlap[rows[i] * report->count + rows[j]] =
				values.overlap[i * values.count + j];
	}
	report->names = values.names;
	report->image_bytes = image ? image_bytes(image).len : 0;
	list_values_deinit(&values);
	free(numbers);
	free(rows);
	return error;
}

static bool make_variants(struct list_report *report, const struct config *config,
	const struct lists *lists, const struct policy *policy)
{
	struct report_variants *variants = calloc(1, sizeof *variants);
	report->variants = variants;
	if (!variants)
		return false;
	variants->config = config;
	variants->lists = lists;
	variants->policy = policy;
	variants->words = report->count / 64 + 1;
	variants->at = calloc(report->count + 1, sizeof *variants->at);
	variants->hit = calloc(variants->words, sizeof *variants->hit);
	variants->is_used = calloc(
		(config->policy.view_count + 1) * variants->words, sizeof *variants->is_used);
	replay_judge_init(&variants->judge, policy, config);
	return variants->at && variants->hit && variants->is_used;
}

int list_report_init(struct list_report *report, const struct config *config,
	const struct lists *lists, const struct policy *policy)
{
	size_t count = config->policy.list_count;
	*report = (struct list_report){ .count = count };
	report->rows = calloc(count + 1, sizeof *report->rows);
	report->overlap = calloc(count * count + 1, sizeof *report->overlap);
	int error = ERR_NO_MEMORY;
	if (report->rows && report->overlap && make_variants(report, config, lists, policy))
		error = count_values(report, lists);
	if (error) {
		list_report_deinit(report);
		return error;
	}
	for (size_t i = 0; i < count; i++)
		report->rows[i].name = config->policy.lists[i].name;
	note_used(report, report->variants, policy);
	return 0;
}

void list_report_deinit(struct list_report *report)
{
	struct report_variants *variants = report->variants;
	for (size_t i = 0; variants && variants->at && i < report->count; i++)
		policy_free(variants->at[i].policy);
	if (variants) {
		free(variants->at);
		free(variants->hit);
		free(variants->is_used);
	}
	free(variants);
	free(report->rows);
	free(report->overlap);
	*report = (struct list_report){ .count = 0 };
}

/* ---- a line ---- */

/* A list that only makes an exception does nothing, with or without it. */
static void take_matches(struct report_variants *variants, const struct image_matches *matches)
{
	const struct lists *lists = variants->lists;
	for (size_t i = 0; i < lists->count; i++)
		if (lists->numbers[i] != POLICY_NO_ID &&
			image_matches_have(matches, lists->numbers[i]))
			variants->hit[i / 64] |= UINT64_C(1) << i % 64;
}

static void hit_name(struct report_variants *variants, struct slice name)
{
	struct image_matches matches;
	const struct image *image = lists_for_policy(variants->lists).image;
	if (image && image_find(image, name, variants->line.line->type, &matches))
		take_matches(variants, &matches);
}

static bool hit_address(void *context, const struct address *address, const struct dns_name *owner)
{
	struct report_variants *variants = context;
	struct image_matches matches;
	const struct image *image = lists_for_policy(variants->lists).image;
	(void)owner;
	memset(matches.lists, 0, sizeof matches.lists);
	if (image && image_find_address(image, address, variants->line.line->type, &matches))
		take_matches(variants, &matches);
	return false;
}

static void hit_target(struct report_variants *variants, const struct dns_record *record)
{
	struct dns_name target, lower;
	if (!dns_record_target(&variants->line.answer, record, &target))
		return;
	lower.len = target.len;
	dns_name_lower(lower.wire, target.wire, target.len);
	hit_name(variants, dns_name_slice(&lower));
}

/* Which lists have a name or an address of the line, and are looked at in its view? */
static void find_hits(struct report_variants *variants, uint16_t view)
{
	struct replay_line *line = &variants->line;
	struct dns_record_walk walk;
	struct dns_record record;
	memset(variants->hit, 0, variants->words * sizeof *variants->hit);
	hit_name(variants, dns_name_slice(&line->line->lower));
	if (line->is_made && line->has_answer) {
		dns_record_walk_begin(&walk, &line->answer);
		while (dns_record_next(&walk, &record))
			hit_target(variants, &record);
		addresses_each(&line->answer, hit_address, variants);
	}
	for (size_t i = 0; i < variants->words; i++)
		variants->hit[i] &= variants->is_used[view * variants->words + i];
}

/* What a client sees: ALLOW by a rule and by none are one thing. */
static int outcome_of(const struct verdict *verdict)
{
	if (verdict->reason == REASON_FAIL_CLOSED)
		return -1;
	if (verdict->action == ACTION_BLOCK)
		return ACTION_COUNT + (int)verdict->block_response;
	return verdict->action == ACTION_ALERT ? ACTION_ALERT : ACTION_ALLOW;
}

static void try_without(struct list_report *report, size_t list, const struct verdict *with)
{
	struct report_variants *variants = report->variants;
	struct list_deeds *deeds = &report->rows[list].deeds;
	struct replay_judge *judge = judge_without(variants, list);
	struct replay_verdict without;
	deeds->hits++;
	if (!judge)
		return;
	replay_judge(judge, &variants->line, &without);
	bool decided = with->action == ACTION_BLOCK && with->reason == REASON_RULE &&
		with->match.list == list;
	deeds->blocks += decided;
	deeds->only += decided && without.verdict.action != ACTION_BLOCK;
	deeds->changes += outcome_of(with) != outcome_of(&without.verdict);
}

bool list_report_add(struct list_report *report, const struct log_line *line)
{
	struct report_variants *variants = report->variants;
	struct replay_verdict with;
	report->lines++;
	report->recorded += line->action == ACTION_BLOCK;
	replay_line_init(&variants->line, line);
	if (!log_line_was_admitted(line) || line->class != DNS_CLASS_IN)
		return true;
	replay_judge(&variants->judge, &variants->line, &with);
	if (with.view == POLICY_NO_ID)
		return true;
	report->judged++;
	bool is_blocked = with.verdict.action == ACTION_BLOCK;
	report->blocked += is_blocked;
	report->by_lists += is_blocked && with.verdict.reason == REASON_RULE;
	find_hits(variants, with.view);
	for (size_t i = 0; i < report->count; i++)
		if (variants->hit[i / 64] >> i % 64 & 1)
			try_without(report, i, &with.verdict);
	return !variants->no_memory;
}

/* ---- what to do ---- */

/* A name on an allow list is not blocked because a block list has it as well. */
static bool shares_with_other_actions(const struct list_report *report, size_t list)
{
	for (size_t i = 0; i < report->count; i++)
		if (report->overlap[list * report->count + i] > 0 &&
			report->rows[i].actions != report->rows[list].actions)
			return true;
	return false;
}

static bool is_like_others(const struct list_report *report, size_t list)
{
	const struct list_report_row *row = &report->rows[list];
	uint64_t share = report->judged ? LIKE_SHARE : LIKE_SHARE_BLIND;
	if (!report->judged && shares_with_other_actions(report, list))
		return false;
	return row->is_loaded && row->value.compared > 0 &&
		row->value.unique * share <= row->value.compared && row->deeds.changes == 0;
}

/* Is it so because of a list that is to be dropped as well, or the other way round? */
static bool leans_on_dropped(const struct list_report *report, size_t list)
{
	for (size_t i = 0; i < report->count; i++)
		if (i != list && report->rows[i].advice == LIST_DROP &&
			(report->overlap[list * report->count + i] > 0 ||
				report->overlap[i * report->count + list] > 0))
			return true;
	return false;
}

static size_t most_like(const struct list_report *report, size_t list)
{
	const uint64_t *overlap = report->overlap + list * report->count;
	size_t best = list == 0 ? 1 : 0;
	for (size_t i = 0; i < report->count; i++)
		if (i != list && overlap[i] > overlap[best])
			best = i;
	return best;
}

/* The largest that may still be dropped; report->count: none. */
static size_t next_to_drop(const struct list_report *report)
{
	size_t best = report->count;
	for (size_t i = 0; i < report->count; i++) {
		const struct list_report_row *row = &report->rows[i];
		if (row->advice != LIST_KEEP || !row->is_used || !is_like_others(report, i) ||
			leans_on_dropped(report, i))
			continue;
		if (best == report->count || row->value.bytes > report->rows[best].value.bytes)
			best = i;
	}
	return best;
}

void list_report_advise(struct list_report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		struct list_report_row *row = &report->rows[i];
		if (!row->is_used)
			row->advice = LIST_UNUSED;
		else if (row->is_loaded && row->value.entries == 0)
			row->advice = LIST_EMPTY;
	}
	for (size_t i; (i = next_to_drop(report)) < report->count;) {
		report->rows[i].advice = LIST_DROP;
		report->rows[i].like = most_like(report, i);
	}
	for (size_t i = 0; i < report->count && report->judged; i++)
		if (report->rows[i].advice == LIST_KEEP && report->rows[i].deeds.hits == 0)
			report->rows[i].advice = LIST_NEVER_HIT;
}

const char *list_advice_name(enum list_advice advice)
{
	static const char *const names[] = {
		[LIST_KEEP] = "keep",
		[LIST_UNUSED] = "unused",
		[LIST_EMPTY] = "empty",
		[LIST_NEVER_HIT] = "never_hit",
		[LIST_DROP] = "drop",
	};
	return names[advice];
}
