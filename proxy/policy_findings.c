#include "proxy/policy_findings.h"

#include <stdlib.h>

#include "base/error.h"
#include "proxy/client_health.h"
#include "proxy/watch/json_put.h"

enum { ENTRY_MAX = DNS_NAME_TEXT_MAX + 2 };

/* ---- names that are let through ---- */

/* What the entries of one list of the image let through. */
struct open_door {
	bool is_wanted; /* a rule lets through what it lists */
	bool is_given;  /* a rule lets through what passes */
	struct policy_finding found;
};

struct doors {
	const struct policy_findings *findings;
	const struct image *image;
	struct open_door *at;
};

static bool lets_through(const struct doors *doors, const struct image_says *says)
{
	enum facet_effect effect = image_facet(doors->image, says->facet)->effect;
	const struct open_door *door = &doors->at[says->list];
	return (says->kind & PATTERN_BELOW) &&
		((door->is_wanted && effect == FACET_LISTED) ||
			(door->is_given && effect == FACET_PASS));
}

static bool on_name(void *context, const struct image_name *name)
{
	struct doors *doors = context;
	for (size_t i = 0; i < name->count; i++) {
		struct image_says says = image_name_says(doors->image, name, i);
		if (!lets_through(doors, &says))
			continue;
		enum suffix_kind kind = suffixes_find(doors->findings->suffixes, name->name);
		struct policy_finding *found = &doors->at[says.list].found;
		if (kind == SUFFIX_NONE)
			return true;
		if (found->count++ > 0 && !slice_precedes(name->name, found->name))
			continue;
		found->name = name->name;
		found->pattern = says.kind;
		found->detail = kind;
	}
	return true;
}

static bool mark_doors(const struct doors *doors)
{
	const struct policy *policy = doors->findings->policy;
	bool any = false;
	for (size_t i = 0; i < policy_rule_count(policy); i++) {
		const struct rule_info *rule = policy_rule(policy, (uint16_t)i);
		uint16_t number = policy_list(policy, rule->list)->number;
		if (number == POLICY_NO_ID)
			continue;
		doors->at[number].is_wanted |= rule->action == ACTION_ALLOW;
		doors->at[number].is_given |= rule->action == ACTION_GIVEN;
		any |= rule->action == ACTION_ALLOW || rule->action == ACTION_GIVEN;
	}
	return any;
}

static void tell_doors(const struct doors *doors, policy_lint_fn on_finding, void *context)
{
	const struct policy *policy = doors->findings->policy;
	for (size_t i = 0; i < policy_rule_count(policy); i++) {
		const struct rule_info *rule = policy_rule(policy, (uint16_t)i);
		uint16_t number = policy_list(policy, rule->list)->number;
		if (number == POLICY_NO_ID || doors->at[number].found.count == 0 ||
			(rule->action != ACTION_ALLOW && rule->action != ACTION_GIVEN))
			continue;
		struct policy_finding finding = doors->at[number].found;
		finding.group = rule->group;
		finding.rule = (uint16_t)i;
		finding.list = rule->list;
		on_finding(context, &finding);
	}
}

static int look_for_suffixes(
	const struct policy_findings *findings, policy_lint_fn on_finding, void *context)
{
	struct doors doors = { .findings = findings, .image = findings->image };
	if (!doors.image || !findings->suffixes)
		return 0;
	size_t count = image_list_count(doors.image);
	doors.at = calloc(count + 1, sizeof *doors.at);
	if (!doors.at)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++)
		doors.at[i].found = policy_finding_of(POLICY_LINT_SUFFIX);
	if (mark_doors(&doors))
		image_each_name(doors.image, on_name, &doors);
	tell_doors(&doors, on_finding, context);
	free(doors.at);
	return 0;
}

/* ---- names of health checks ---- */

static void look_for_health(
	const struct policy_findings *findings, policy_lint_fn on_finding, void *context)
{
	for (size_t i = 0; i < policy_view_count(findings->policy); i++) {
		struct client_health_finding health;
		if (!client_health_find(findings->policy, (uint16_t)i, &health))
			continue;
		struct policy_finding finding = policy_finding_of(POLICY_LINT_HEALTH);
		finding.view = (uint16_t)i;
		finding.rule = health.verdict.match.rule;
		finding.group = health.verdict.match.group;
		finding.list = health.verdict.match.list;
		finding.text = health.name->example;
		finding.user = health.name->user;
		finding.detail = (unsigned)health.count;
		on_finding(context, &finding);
	}
}

int policy_findings_each(const struct policy_findings *findings,
	const struct policy_lint_options *options, policy_lint_fn on_finding, void *context)
{
	int error = policy_lint(
		findings->policy, &findings->config->policy, options, on_finding, context);
	if (!error)
		error = look_for_suffixes(findings, on_finding, context);
	if (!error)
		look_for_health(findings, on_finding, context);
	return error;
}

/* ---- words ---- */

/* What is needed to say a finding. */
struct saying {
	struct writer *to;
	const struct policy_findings *all;
	const struct policy_finding *finding;
};

static void say(const struct saying *saying, const char *text)
{
	writer_text(saying->to, text);
}

static void say_quoted(const struct saying *saying, const char *before, const char *name)
{
	writer_text(saying->to, before);
	writer_text(saying->to, " \"");
	writer_text(saying->to, name);
	writer_text(saying->to, "\"");
}

static const char *view_name(const struct saying *saying)
{
	return policy_view(saying->all->policy, saying->finding->view)->name;
}

static void say_list(const struct saying *saying, const char *before)
{
	say_quoted(saying, before, policy_list(saying->all->policy, saying->finding->list)->name);
}

static void say_rule_name(const struct saying *saying, uint16_t number)
{
	const struct rule_info *rule = policy_rule(saying->all->policy, number);
	writer_text(saying->to, policy_group_name(saying->all->policy, rule->group));
	writer_text(saying->to, "/");
	writer_text(saying->to, rule->name);
}

static void say_rule(const struct saying *saying)
{
	say(saying, "rule ");
	say_rule_name(saying, saying->finding->rule);
}

/* " in view "x"", " in view "x" and 2 more of 5"; nothing when it is so in all of them. */
static void say_views(const struct saying *saying)
{
	const struct policy_finding *finding = saying->finding;
	if (finding->view_count == finding->view_total)
		return;
	say_quoted(saying, " in view", view_name(saying));
	say(saying, " (");
	writer_decimal(saying->to, finding->view_count);
	say(saying, " of the ");
	writer_decimal(saying->to, finding->view_total);
	say(saying, " that use it)");
}

static void say_empty(const struct saying *saying)
{
	say_rule(saying);
	say_list(saying, " never matches: domain_list");
	say(saying, " is empty");
}

static void say_nothing(const struct saying *saying)
{
	const struct rule_info *rule = policy_rule(saying->all->policy, saying->finding->rule);
	say_rule(saying);
	say_list(saying, " never matches: no entry of domain_list");
	say(saying, " counts for ");
	say(saying, action_name(rule->action));
	if (rule->query_type) {
		say(saying, " and questions of type ");
		dns_type_write(saying->to, rule->query_type);
	}
}

static void say_never_on(const struct saying *saying)
{
	const struct policy_spec *spec = &saying->all->config->policy;
	say_rule(saying);
	say_quoted(saying, " never matches: schedule",
		spec->schedules[saying->finding->schedule].name);
	say(saying, " is never on");
}

static void say_shadowed(const struct saying *saying)
{
	const struct policy_finding *finding = saying->finding;
	const struct rule_info *by = policy_rule(saying->all->policy, finding->by);
	say_rule(saying);
	say(saying, " never decides");
	say_views(saying);
	say(saying, ": all that it matches is decided before, by ");
	say(saying, action_name(by->action));
	say(saying, " of rule ");
	say_rule_name(saying, finding->by);
	if (finding->by_others)
		say(saying, " and others");
}

static void say_not_examined(const struct saying *saying)
{
	bool missing = policy_list(saying->all->policy, saying->finding->list)->error != 0;
	say_rule(saying);
	if (missing)
		say_list(saying, " was not examined: nothing is known of domain_list");
	else
		say(saying,
			" was not examined to the end: there is too much to look at; nothing "
			"that it decides was found so far");
}

static void say_unreachable(const struct saying *saying)
{
	bool has_tokens = saying->all->config->policy.views[saying->finding->view].token_count > 0;
	say_quoted(saying, "view", view_name(saying));
	say(saying,
		has_tokens ? " is nobody's: all its tokens have expired"
			   : " is nobody's: other views claim all its clients with more right");
}

static void say_observed(const struct saying *saying)
{
	say_quoted(saying, "view", view_name(saying));
	say_quoted(saying, " only observes rule_group",
		policy_group_name(saying->all->policy, saying->finding->group));
}

static void say_group(const struct saying *saying)
{
	say_quoted(saying, "rule_group",
		policy_group_name(saying->all->policy, saying->finding->group));
	say(saying, " is associated with no view");
}

static void say_idle_list(const struct saying *saying)
{
	say_list(saying, "domain_list");
	say(saying, " is used by no rule");
}

static void say_idle_schedule(const struct saying *saying)
{
	const struct policy_spec *spec = &saying->all->config->policy;
	say_quoted(saying, "schedule", spec->schedules[saying->finding->schedule].name);
	say(saying, " is used by no rule");
}

static void say_token(const struct saying *saying, const char *what)
{
	const struct policy_spec *spec = &saying->all->config->policy;
	say_quoted(saying, "token", spec->tokens[saying->finding->token].name);
	say(saying, what);
}

static void say_idle_token(const struct saying *saying)
{
	say_token(saying, " is taken by no view");
}

static void say_expired(const struct saying *saying)
{
	say_token(saying, " has expired");
	say_quoted(saying, "; view", view_name(saying));
	say(saying, " names it");
}

static void say_entries(const struct saying *saying)
{
	const struct policy_finding *finding = saying->finding;
	list_pattern_write_text(saying->to, finding->name, finding->pattern);
	if (finding->count < 2)
		return;
	say(saying, " and ");
	writer_decimal(saying->to, finding->count - 1);
	say(saying, " more");
}

static void say_apex(const struct saying *saying)
{
	say_entries(saying);
	say_list(saying, " of domain_list");
	say(saying, saying->finding->count < 2 ? " covers" : " cover");
	say(saying, " what is below, not the name itself");
}

static void say_suffix(const struct saying *saying)
{
	say_rule(saying);
	say(saying, " lets through ");
	say_entries(saying);
	say_list(saying, " of domain_list");
	say(saying, ": all names below ");
	say(saying, suffix_kind_text((enum suffix_kind)saying->finding->detail));
}

static void say_health(const struct saying *saying)
{
	const struct policy_finding *finding = saying->finding;
	say_quoted(saying, "view", view_name(saying));
	say(saying, " blocks ");
	say(saying, finding->text);
	say(saying, " (");
	say(saying, finding->user);
	say(saying, ")");
	if (finding->detail > 1) {
		say(saying, " and ");
		writer_decimal(saying->to, finding->detail - 1);
		say(saying, " more");
	}
	say(saying, ", by which clients test their resolver or network, by ");
	if (finding->rule == POLICY_NO_ID)
		say(saying, "default_action");
	else
		say_rule(saying);
}

/* A row for each kind; `where` is what the finding is about. */
enum where { AT_RULE, AT_VIEW, AT_GROUP, AT_LIST, AT_SCHEDULE, AT_TOKEN };
static const struct {
	const char *name;
	bool is_note;
	enum where where;
	void (*say)(const struct saying *saying);
} kinds[POLICY_LINT_KINDS] = {
	[POLICY_LINT_EMPTY] = { "empty", false, AT_RULE, say_empty },
	[POLICY_LINT_NOTHING] = { "never_matches", false, AT_RULE, say_nothing },
	[POLICY_LINT_NEVER_ON] = { "never_on", false, AT_RULE, say_never_on },
	[POLICY_LINT_SHADOWED] = { "shadowed", false, AT_RULE, say_shadowed },
	[POLICY_LINT_NOT_EXAMINED] = { "not_examined", true, AT_RULE, say_not_examined },
	[POLICY_LINT_UNREACHABLE] = { "unreachable", false, AT_VIEW, say_unreachable },
	[POLICY_LINT_OBSERVED] = { "observed", true, AT_VIEW, say_observed },
	[POLICY_LINT_GROUP_UNUSED] = { "unused_group", true, AT_GROUP, say_group },
	[POLICY_LINT_LIST_UNUSED] = { "unused_list", true, AT_LIST, say_idle_list },
	[POLICY_LINT_SCHEDULE_UNUSED] = { "unused_schedule", true, AT_SCHEDULE, say_idle_schedule },
	[POLICY_LINT_TOKEN_UNUSED] = { "unused_token", true, AT_TOKEN, say_idle_token },
	[POLICY_LINT_TOKEN_EXPIRED] = { "expired_token", false, AT_TOKEN, say_expired },
	[POLICY_LINT_APEX] = { "apex", true, AT_LIST, say_apex },
	[POLICY_LINT_SUFFIX] = { "suffix", false, AT_RULE, say_suffix },
	[POLICY_LINT_HEALTH] = { "health", false, AT_VIEW, say_health },
};

const char *policy_finding_name(enum policy_lint_kind kind)
{
	return kinds[kind].name;
}

/* A rule may be of use in one view and not in another. */
bool policy_finding_is_note(const struct policy_finding *finding)
{
	return kinds[finding->kind].is_note || finding->view_count < finding->view_total;
}

/* ---- where ---- */

/* The policy has rules by priority, the configuration as they were written. */
static const struct config_place *place_of_rule(
	const struct policy_findings *findings, const struct policy_finding *finding)
{
	const struct config *config = findings->config;
	const struct rule_group_spec *group = &config->policy.groups[finding->group];
	uint32_t priority = policy_rule(findings->policy, finding->rule)->priority;
	for (size_t i = 0; i < group->rule_count; i++)
		if (group->rules[i].priority == priority)
			return &config->places.rules[finding->group][i];
	return &config->places.groups[finding->group];
}

struct config_place policy_finding_place(
	const struct policy_findings *findings, const struct policy_finding *finding)
{
	const struct config_places *places = &findings->config->places;
	const struct config_place *found = NULL;
	switch (kinds[finding->kind].where) {
	case AT_RULE: found = place_of_rule(findings, finding); break;
	case AT_VIEW: found = &places->views[finding->view]; break;
	case AT_GROUP: found = &places->groups[finding->group]; break;
	case AT_LIST: found = &places->lists[finding->list]; break;
	case AT_SCHEDULE: found = &places->schedules[finding->schedule]; break;
	case AT_TOKEN: found = &places->tokens[finding->token]; break;
	}
	if (found->file)
		return *found;
	return (struct config_place){ findings->config->file, 0 };
}

void policy_finding_write_text(struct writer *to, const struct policy_findings *findings,
	const struct policy_finding *finding)
{
	const struct saying saying = { to, findings, finding };
	kinds[finding->kind].say(&saying);
}

/* ---- for programs ---- */

static void put_rule(
	struct writer *to, const char *key, const struct policy_findings *findings, uint16_t number)
{
	char text[256];
	struct writer name = writer_of(text, sizeof text);
	const struct saying saying = { .to = &name, .all = findings };
	if (number == POLICY_NO_ID)
		return;
	say_rule_name(&saying, number);
	json_put_slice(to, key, writer_slice(&name));
}

static void put_parts(struct writer *to, const struct policy_findings *findings,
	const struct policy_finding *finding)
{
	const struct policy *policy = findings->policy;
	const struct policy_spec *spec = &findings->config->policy;
	if (finding->view != POLICY_NO_ID)
		json_put_text(to, "view", policy_view(policy, finding->view)->name);
	if (finding->group != POLICY_NO_ID)
		json_put_text(to, "rule_group", policy_group_name(policy, finding->group));
	put_rule(to, "rule", findings, finding->rule);
	put_rule(to, "by", findings, finding->by);
	if (finding->list != POLICY_NO_ID)
		json_put_text(to, "domain_list", policy_list(policy, finding->list)->name);
	if (finding->schedule != POLICY_NO_ID)
		json_put_text(to, "schedule", spec->schedules[finding->schedule].name);
	if (finding->token != POLICY_NO_ID)
		json_put_text(to, "token", spec->tokens[finding->token].name);
}

static void put_entries(struct writer *to, const struct policy_finding *finding)
{
	uint8_t bytes[ENTRY_MAX];
	struct writer entry = writer_of(bytes, sizeof bytes);
	if (finding->count == 0)
		return;
	list_pattern_write_text(&entry, finding->name, finding->pattern);
	json_put_slice(to, "entry", writer_slice(&entry));
	json_put_number(to, "entries", finding->count);
}

void policy_finding_write_json(struct writer *to, const struct policy_findings *findings,
	const struct policy_finding *finding)
{
	static char text[POLICY_FINDING_MAX];
	struct writer words = writer_of(text, sizeof text);
	struct config_place place = policy_finding_place(findings, finding);
	policy_finding_write_text(&words, findings, finding);
	writer_u8(to, '{');
	json_put_text(to, "kind", kinds[finding->kind].name);
	json_put_text(to, "level", policy_finding_is_note(finding) ? "note" : "warning");
	json_put_text(to, "file", place.file);
	json_put_number(to, "line", place.line);
	put_parts(to, findings, finding);
	put_entries(to, finding);
	if (finding->view_total) {
		json_put_number(to, "views", finding->view_count);
		json_put_number(to, "views_of", finding->view_total);
	}
	json_put_slice(to, "text", writer_slice(&words));
	writer_u8(to, '}');
}
