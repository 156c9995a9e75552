/* suggest.c - see suggest.h. What is permanent is tried from the least to the most that is written:
 * a line less, a line more, a rule more, a setting. */
#include "proxy/explain/suggest.h"

#include <stdlib.h>

enum { TRIES_MAX = 16, HOUR_S = 3600 };

struct suggesting {
	struct trace *trace;
	const struct explain_world *world;
	const struct explain_outcome *outcome;
	struct excerpt *excerpt; /* NULL: exceptions alone */
	bool is_blocked;         /* now */
};

static const char *verdict_text(struct trace *trace, const struct verdict *verdict)
{
	if (verdict->reason == REASON_FAIL_CLOSED)
		return "SERVFAIL";
	if (verdict->action != ACTION_BLOCK)
		return verdict->action == ACTION_NONE ? "ALLOW" : action_name(verdict->action);
	return trace_format(trace, "BLOCK %s", block_response_name(verdict->block_response));
}

/* Without the dot at the end, as configurations and lists have it. */
static const char *plain_name(struct trace *trace, const struct dns_name *name)
{
	char text[DNS_NAME_TEXT_MAX];
	dns_name_text(dns_name_slice(name), text);
	size_t len = strlen(text);
	if (len > 1)
		text[len - 1] = '\0';
	return trace_text(trace, text);
}

/* The name that decided, else the question. */
static const struct dns_name *deciding_name(const struct suggesting *suggesting)
{
	const struct verdict *verdict = &suggesting->outcome->verdict;
	return verdict->matched_name.len ? &verdict->matched_name : &suggesting->outcome->lower;
}

static const char *view_name(const struct suggesting *suggesting)
{
	return policy_view(suggesting->world->policy, suggesting->outcome->view)->name;
}

/* ---- exceptions ---- */

static bool is_plain(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._-/:+,@%";
	return *text && text[strspn(text, plain)] == '\0';
}

/* One word for a shell; no quote is in names' texts, but it may be in a path. */
static const char *shell_word(struct trace *trace, const char *text)
{
	if (is_plain(text))
		return text;
	size_t size = 4 * strlen(text) + 3, len = 0;
	char *word = arena_take(&trace->memory, 1, size);
	if (!word)
		return "";
	word[len++] = '\'';
	for (; *text; text++) {
		if (*text == '\'') {
			memcpy(word + len, "'\\''", 4);
			len += 4;
			continue;
		}
		word[len++] = *text;
	}
	word[len] = '\'';
	return word;
}

static bool judge_with(const struct suggesting *suggesting, const struct exceptions *exceptions,
	struct verdict *verdict)
{
	const struct explain_outcome *outcome = suggesting->outcome;
	struct facts facts = outcome->facts;
	struct dns_answer answer;
	facts.exceptions = exceptions;
	policy_judge_query(suggesting->world->policy, &facts, verdict, NULL);
	if (!verdict_is_final(verdict) && outcome->answer.len &&
		dns_answer_open(&answer, outcome->answer) == 0)
		policy_judge_answer(suggesting->world->policy, &facts, &answer, verdict, NULL);
	return explain_blocks(verdict) != suggesting->is_blocked;
}

static const struct exception *all_exceptions(const struct suggesting *suggesting, size_t *count)
{
	*count = 0;
	return suggesting->world->exceptions ? exceptions_all(suggesting->world->exceptions, count)
					     : NULL;
}

/* Of two for the same name in the same view the newer one stays alone. */
static bool is_replaced(const struct exception *old, const struct exception *by)
{
	return strcmp(old->view, by->view) == 0 &&
		dns_name_equals(dns_name_slice(&old->name), dns_name_slice(&by->name));
}

/* All but `without` (0: none), and one more (NULL: none). */
static bool try_exceptions(const struct suggesting *suggesting, uint32_t without,
	const struct exception *more, struct verdict *verdict)
{
	size_t count, kept = 0;
	const struct exception *all = all_exceptions(suggesting, &count);
	struct exception *some = calloc(count + 1, sizeof *some);
	for (size_t i = 0; some && i < count; i++)
		if (all[i].id != without && !(more && is_replaced(&all[i], more)))
			some[kept++] = all[i];
	if (some && more)
		some[kept++] = *more;
	struct exceptions *exceptions = some ? exceptions_new(some, kept) : NULL;
	free(some);
	bool flips = exceptions && judge_with(suggesting, exceptions, verdict);
	exceptions_unref(exceptions);
	return flips;
}

static bool suggest_exception(struct suggesting *suggesting, const struct dns_name *name)
{
	const char *word = suggesting->is_blocked ? "allow" : "block";
	struct trace *trace = suggesting->trace;
	struct exception more = { .id = UINT32_MAX,
		.action = suggesting->is_blocked ? ACTION_ALLOW : ACTION_BLOCK,
		.kind = PATTERN_EXACT,
		.name = *name,
		.made_s = suggesting->world->now_s,
		.until_s = suggesting->world->now_s + HOUR_S };
	struct verdict verdict;
	size_t len = strlen(view_name(suggesting));
	if (len >= sizeof more.view)
		return false;
	memcpy(more.view, view_name(suggesting), len);
	if (!try_exceptions(suggesting, 0, &more, &verdict))
		return false;
	struct trace_change *row = trace_add(trace, TRACE_CHANGE);
	row->kind = "exception";
	row->action = action_name(more.action);
	row->domain = plain_name(trace, name);
	row->view = trace_text(trace, more.view);
	row->verdict = verdict_text(trace, &verdict);
	row->text = trace_format(trace, "for an hour, by an exception: %s %s",
		suggesting->is_blocked ? "allow" : "block", row->domain);
	row->command =
		trace_format(trace, "namegate %s %s --view %s --for 1h --because 'say why' -c %s",
			word, shell_word(trace, row->domain), shell_word(trace, row->view),
			shell_word(trace, suggesting->world->config->file));
	row->paste = row->command;
	return true;
}

static void suggest_end(struct suggesting *suggesting)
{
	uint32_t id = suggesting->outcome->verdict.exception;
	struct verdict verdict;
	if (!id || !try_exceptions(suggesting, id, NULL, &verdict))
		return;
	struct trace *trace = suggesting->trace;
	struct trace_change *row = trace_add(trace, TRACE_CHANGE);
	row->kind = "end_exception";
	row->verdict = verdict_text(trace, &verdict);
	row->text = trace_format(trace, "end exception %u", id);
	row->command = trace_format(trace, "namegate exceptions end %u -c %s", id,
		shell_word(trace, suggesting->world->config->file));
	row->paste = row->command;
}

void suggest_exceptions(struct trace *trace, const struct explain_world *world,
	const struct explain_outcome *outcome)
{
	struct suggesting suggesting = { .trace = trace,
		.world = world,
		.outcome = outcome,
		.is_blocked = explain_blocks(&outcome->verdict) };
	if (outcome->view == POLICY_NO_ID)
		return;
	suggest_end(&suggesting);
	if (!suggest_exception(&suggesting, &outcome->lower) && outcome->verdict.matched_name.len)
		suggest_exception(&suggesting, &outcome->verdict.matched_name);
}

/* ---- trying ---- */

static bool try_tweak(const struct suggesting *suggesting, const struct excerpt_tweak *tweak,
	struct verdict *verdict)
{
	return excerpt_judge(suggesting->excerpt, tweak, verdict) == 0 &&
		explain_blocks(verdict) != suggesting->is_blocked;
}

static bool has_ending(const char *text, const char *ending)
{
	size_t len = strlen(text), size = strlen(ending);
	return len >= size && strcmp(text + len - size, ending) == 0;
}

/* Can the operator write into it? Not when it is fetched, compiled, packed or our own. */
static bool is_editable(const struct suggesting *suggesting, uint16_t list)
{
	static const char *const packed[] = { ".gz", ".xz", ".zst", ".bz2", ".zip" };
	const struct lists_item *item = &suggesting->world->lists->items[list];
	if ((item->origin != LIST_INLINE && item->origin != LIST_FILE) ||
		strncmp(item->name, "builtin:", strlen("builtin:")) == 0 ||
		suggesting->world->lists->numbers[list] == POLICY_NO_ID)
		return false;
	for (size_t i = 0; item->path && i < sizeof packed / sizeof *packed; i++)
		if (has_ending(item->path, packed[i]))
			return false;
	return true;
}

static const struct association_spec *association_of(
	const struct suggesting *suggesting, uint16_t group)
{
	const struct view_info *view =
		policy_view(suggesting->world->policy, suggesting->outcome->view);
	for (size_t i = 0; i < view->association_count; i++)
		if (view->associations[i].group == group)
			return &view->associations[i];
	return NULL;
}

/* The rule that decided; NULL when none did. */
static const struct rule_info *deciding_rule(const struct suggesting *suggesting)
{
	const struct verdict *verdict = &suggesting->outcome->verdict;
	return verdict->reason == REASON_RULE
		? policy_rule(suggesting->world->policy, verdict->match.rule)
		: NULL;
}

/* ---- a line less ---- */

/* The lines that say what counts for the name, or the address, of the verdict. */
static unsigned find_lines(const struct excerpt_list *list, const struct verdict *verdict,
	struct slice name, uint32_t lines[], unsigned most)
{
	const struct list_entry *entry = &verdict->match.entry;
	struct slice wanted = policy_entry_name(entry, name);
	unsigned count = 0;
	for (size_t i = 0; i < list->count && count < most; i++) {
		const struct excerpt_pattern *pattern = &list->patterns[i];
		bool is_it = entry->kind == LIST_ENTRY_NETWORK
			? pattern->name.len == 0 && pattern->network.prefix_len == entry->labels &&
				network_contains(&pattern->network, &verdict->matched_address)
			: pattern->kind & entry->kind &&
				dns_name_equals(dns_name_slice(&pattern->name), wanted);
		if (is_it && pattern->line)
			lines[count++] = pattern->line;
	}
	return count;
}

static const char *text_of_line(const struct excerpt_list *list, uint32_t line)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->patterns[i].line == line && list->patterns[i].text)
			return list->patterns[i].text;
	return "";
}

static void tell_removal(struct suggesting *suggesting, const struct excerpt_tweak *tweak,
	const struct verdict *verdict)
{
	struct trace *trace = suggesting->trace;
	const struct excerpt_list *list = &suggesting->excerpt->lists[tweak->list];
	const struct lists_item *item = &suggesting->world->lists->items[tweak->list];
	struct trace_change *row = trace_add(trace, TRACE_CHANGE);
	row->kind = "remove_entry";
	row->list = trace_text(trace, item->name);
	row->file = trace_text(trace, item->path);
	row->verdict = verdict_text(trace, verdict);
	row->entries = row->lines = row->paste = "";
	for (unsigned i = 0; i < tweak->line_count; i++) {
		const char *text = text_of_line(list, tweak->lines[i]);
		row->entries = trace_format(trace, "%s%s\n", row->entries, text);
		row->lines = trace_format(trace, "%s%u\n", row->lines, tweak->lines[i]);
		row->paste = item->path ? trace_format(trace, "%s%s:%u: %s\n", row->paste,
						  item->path, tweak->lines[i], text)
					: trace_format(trace, "%s\"%s\"\n", row->paste, text);
	}
	row->text = trace_format(trace, "take %s out of the list %s",
		tweak->line_count == 1 ? "this line" : "these lines", row->list);
}

/* What the entry covered comes to light when it is gone: as long as the same list decides, more
 * goes. */
static void suggest_removal(struct suggesting *suggesting)
{
	struct verdict verdict = suggesting->outcome->verdict;
	struct excerpt_tweak tweak = { .list = verdict.match.list };
	if (verdict.reason != REASON_RULE || !is_editable(suggesting, tweak.list) ||
		!suggesting->excerpt->lists[tweak.list].is_current)
		return;
	while (verdict.match.list == tweak.list && verdict.match.entry.kind) {
		unsigned count = find_lines(&suggesting->excerpt->lists[tweak.list], &verdict,
			verdict_matched_name(&verdict, suggesting->outcome->facts.name),
			tweak.lines + tweak.line_count, TWEAK_LINES_MAX - tweak.line_count);
		if (count == 0)
			return;
		tweak.line_count += count;
		if (try_tweak(suggesting, &tweak, &verdict)) {
			tell_removal(suggesting, &tweak, &verdict);
			return;
		}
	}
}

/* ---- a line more ---- */

static const char *entry_line(struct trace *trace, enum list_format format,
	const struct dns_name *name, bool is_exception)
{
	const char *text = plain_name(trace, name);
	if (name->len <= 1 || !text || (is_exception && format != LIST_ADBLOCK))
		return NULL;
	switch (format) {
	case LIST_DOMAINS:
	case LIST_WILDCARD: return text;
	case LIST_HOSTS: return trace_format(trace, "0.0.0.0 %s", text);
	case LIST_ADBLOCK: return trace_format(trace, "%s||%s^", is_exception ? "@@" : "", text);
	default: return NULL;
	}
}

static bool suggest_addition(struct suggesting *suggesting, uint16_t list,
	const struct dns_name *name, bool is_exception)
{
	struct trace *trace = suggesting->trace;
	const struct lists_item *item = &suggesting->world->lists->items[list];
	struct excerpt_tweak tweak = { .list = list,
		.text = entry_line(trace, item->format, name, is_exception) };
	struct verdict verdict;
	if (!tweak.text || !is_editable(suggesting, list) ||
		!try_tweak(suggesting, &tweak, &verdict))
		return false;
	struct trace_change *row = trace_add(trace, TRACE_CHANGE);
	row->kind = "add_entry";
	row->list = trace_text(trace, item->name);
	row->file = trace_text(trace, item->path);
	row->entries = tweak.text;
	row->verdict = verdict_text(trace, &verdict);
	row->text = trace_format(trace, "add a line to the list %s", row->list);
	row->paste = item->path ? tweak.text : trace_format(trace, "\"%s\"", tweak.text);
	return true;
}

/* Would it be asked before what decided? */
static bool is_before(const struct suggesting *suggesting, const struct rule_info *rule)
{
	const struct rule_info *deciding = deciding_rule(suggesting);
	const struct association_spec *own = association_of(suggesting, rule->group);
	const struct association_spec *other =
		deciding ? association_of(suggesting, deciding->group) : NULL;
	if (!own || own->observe)
		return false;
	if (!other)
		return true;
	return own->priority != other->priority ? own->priority < other->priority
						: rule->priority < deciding->priority;
}

static bool is_on(const struct suggesting *suggesting, const struct rule_info *rule)
{
	const struct facts *facts = &suggesting->outcome->facts;
	return (rule->query_type == 0 || rule->query_type == facts->query_type) &&
		(rule->schedule == 0 || facts->schedules >> (rule->schedule - 1) & 1);
}

static void suggest_additions(struct suggesting *suggesting)
{
	const struct policy *policy = suggesting->world->policy;
	enum action wanted = suggesting->is_blocked ? ACTION_ALLOW : ACTION_BLOCK;
	const struct rule_info *deciding = deciding_rule(suggesting);
	unsigned tries = 0;
	if (deciding && suggesting->is_blocked &&
		suggest_addition(suggesting, deciding->list, deciding_name(suggesting), true))
		return;
	for (size_t i = 0; i < policy_rule_count(policy) && tries < TRIES_MAX; i++) {
		const struct rule_info *rule = policy_rule(policy, (uint16_t)i);
		if (rule->action != wanted || !is_before(suggesting, rule) ||
			!is_on(suggesting, rule))
			continue;
		tries++;
		if (suggest_addition(suggesting, rule->list, deciding_name(suggesting), false))
			return;
	}
}

/* ---- a rule more ---- */

static bool is_taken(const struct policy_spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->list_count; i++)
		if (strcmp(spec->lists[i].name, name) == 0)
			return true;
	for (size_t i = 0; i < spec->group_count; i++) {
		if (strcmp(spec->groups[i].name, name) == 0)
			return true;
		for (size_t n = 0; n < spec->groups[i].rule_count; n++)
			if (strcmp(spec->groups[i].rules[n].name, name) == 0)
				return true;
	}
	return false;
}

static const char *free_name(struct suggesting *suggesting)
{
	const struct policy_spec *spec = &suggesting->world->config->policy;
	const char *stem = suggesting->is_blocked ? "allow-by-hand" : "block-by-hand";
	const char *name = stem;
	for (unsigned i = 2; name && is_taken(spec, name); i++)
		name = trace_format(suggesting->trace, "%s-%u", stem, i);
	return name;
}

static bool has_priority(const struct rule_group_spec *group, uint32_t priority)
{
	for (size_t i = 0; i < group->rule_count; i++)
		if (group->rules[i].priority == priority)
			return true;
	return false;
}

/* The next free one before `priority`; 0: there is none. */
static uint32_t free_priority(const struct rule_group_spec *group, uint32_t priority)
{
	while (priority > 1)
		if (!has_priority(group, --priority))
			return priority;
	return 0;
}

static uint32_t free_association(const struct suggesting *suggesting, uint32_t before)
{
	const struct view_info *view =
		policy_view(suggesting->world->policy, suggesting->outcome->view);
	uint32_t last = 0;
	for (size_t i = 0; i < view->association_count; i++)
		if (before == 0 || view->associations[i].priority < before)
			last = view->associations[i].priority;
	if (before == 0)
		return last < INT32_MAX - 10u ? last + 10 : 0;
	return last + 1 < before ? before - 1 : 0;
}

/* Where a rule stands that comes before what decided. */
static bool place_rule(
	const struct suggesting *suggesting, struct excerpt_tweak *tweak, struct rule_spec *rule)
{
	const struct policy_spec *spec = &suggesting->world->config->policy;
	const struct rule_info *deciding = deciding_rule(suggesting);
	const struct association_spec *association =
		deciding ? association_of(suggesting, deciding->group) : NULL;
	const char *name = deciding ? spec->groups[deciding->group].name : NULL;
	if (name && strncmp(name, "builtin:", strlen("builtin:")) != 0) {
		rule->priority = free_priority(&spec->groups[deciding->group], deciding->priority);
		tweak->group = deciding->group;
		if (rule->priority)
			return true;
	}
	rule->priority = 10;
	tweak->group = POLICY_NO_ID;
	tweak->association = free_association(suggesting, association ? association->priority : 0);
	return tweak->association != 0;
}

static const char *rule_paste(struct suggesting *suggesting, const struct trace_change *row)
{
	struct trace *trace = suggesting->trace;
	const char *list = trace_format(trace,
		"domain_lists:  { name = \"%s\"; domains = [ \"%s\" ]; }", row->list, row->domain);
	const char *rule = trace_format(trace,
		"{ name = \"%s\"; priority = %u; action = \"%s\"; domain_list = \"%s\";%s%s }",
		row->rule, row->priority, row->action, row->list,
		row->block_response ? " block_response = \"NXDOMAIN\";" : "",
		strcmp(row->redirection, "TRUST") == 0 ? " redirection = \"TRUST\";" : "");
	if (row->association == 0)
		return trace_format(trace, "%s\nrule group %s:  %s", list, row->group, rule);
	return trace_format(trace,
		"%s\nrule_groups:  { name = \"%s\"; rules = ( %s ); }\n"
		"view %s, associations:  { rule_group = \"%s\"; priority = %u; }",
		list, row->group, rule, row->view, row->group, row->association);
}

static void tell_rule(struct suggesting *suggesting, const struct excerpt_tweak *tweak,
	const struct verdict *verdict)
{
	struct trace *trace = suggesting->trace;
	const struct policy_spec *spec = &suggesting->world->config->policy;
	struct trace_change *row = trace_add(trace, TRACE_CHANGE);
	row->kind = "rule";
	row->rule = row->list = free_name(suggesting);
	row->group = tweak->group == POLICY_NO_ID
		? row->rule
		: trace_text(trace, spec->groups[tweak->group].name);
	row->priority = tweak->rule->priority;
	row->action = action_name(tweak->rule->action);
	if (tweak->rule->action == ACTION_BLOCK)
		row->block_response = block_response_name(tweak->rule->block_response);
	row->redirection = tweak->rule->redirection == REDIRECTION_TRUST ? "TRUST" : "INSPECT";
	row->domain = tweak->domain;
	row->view = trace_text(trace, view_name(suggesting));
	row->association = tweak->association;
	row->verdict = verdict_text(trace, verdict);
	row->text = trace_format(trace, "add a rule: %s %s%s", row->action, row->domain,
		tweak->rule->redirection == REDIRECTION_TRUST ? ", whatever it leads to" : "");
	row->paste = rule_paste(suggesting, row);
}

static bool suggest_rule(
	struct suggesting *suggesting, const struct dns_name *name, enum redirection redirection)
{
	struct rule_spec rule = { .name = "",
		.action = suggesting->is_blocked ? ACTION_ALLOW : ACTION_BLOCK,
		.block_response = BLOCK_NXDOMAIN,
		.redirection = redirection };
	struct excerpt_tweak tweak = {
		.list = POLICY_NO_ID, .rule = &rule, .domain = plain_name(suggesting->trace, name)
	};
	struct verdict verdict;
	if (name->len <= 1 || !tweak.domain || !place_rule(suggesting, &tweak, &rule) ||
		!try_tweak(suggesting, &tweak, &verdict))
		return false;
	tell_rule(suggesting, &tweak, &verdict);
	return true;
}

static void suggest_rules(struct suggesting *suggesting)
{
	const struct dns_name *question = &suggesting->outcome->lower;
	if (suggest_rule(suggesting, deciding_name(suggesting), REDIRECTION_INSPECT))
		return;
	if (suggesting->is_blocked)
		suggest_rule(suggesting, question, REDIRECTION_TRUST);
	else
		suggest_rule(suggesting, question, REDIRECTION_INSPECT);
}

/* ---- settings ---- */

static void tell_setting(struct suggesting *suggesting, const char *key, const char *value,
	const char *text, const struct verdict *verdict)
{
	struct trace_change *row = trace_add(suggesting->trace, TRACE_CHANGE);
	row->kind = "setting";
	row->key = key;
	row->value = value;
	row->verdict = verdict_text(suggesting->trace, verdict);
	row->text = text;
}

static void suggest_rebinding(struct suggesting *suggesting)
{
	const struct dns_name *question = &suggesting->outcome->lower;
	struct excerpt_tweak tweak = { .list = POLICY_NO_ID, .rebinding_exception = question };
	struct verdict verdict;
	if (suggesting->outcome->verdict.reason != REASON_REBINDING ||
		!try_tweak(suggesting, &tweak, &verdict))
		return;
	const char *name = plain_name(suggesting->trace, question);
	tell_setting(suggesting, "rebinding_exceptions", name,
		"add the name to rebinding_exceptions", &verdict);
	struct trace_change *row = trace_row(
		suggesting->trace, TRACE_CHANGE, trace_count(suggesting->trace, TRACE_CHANGE) - 1);
	row->paste = trace_format(suggesting->trace, "\"%s\"", name);
}

static void suggest_open(struct suggesting *suggesting)
{
	const struct excerpt_tweak tweak = { .list = POLICY_NO_ID, .is_open = true };
	struct verdict verdict;
	if (suggesting->outcome->verdict.reason != REASON_FAIL_CLOSED ||
		!try_tweak(suggesting, &tweak, &verdict))
		return;
	tell_setting(suggesting, "fail_mode", "open",
		"let through what cannot be evaluated, in the whole view", &verdict);
	struct trace_change *row = trace_row(
		suggesting->trace, TRACE_CHANGE, trace_count(suggesting->trace, TRACE_CHANGE) - 1);
	row->view = trace_text(suggesting->trace, view_name(suggesting));
	row->paste = "fail_mode = \"open\";";
}

/* ---- all of it ---- */

/* Indices aside, both say the same? */
static bool same_verdicts(const struct verdict *a, const struct verdict *b)
{
	return a->action == b->action && a->reason == b->reason &&
		(a->action != ACTION_BLOCK || a->block_response == b->block_response) &&
		a->match.rule == b->match.rule && a->match.hop == b->match.hop &&
		a->exception == b->exception;
}

void suggest_changes(struct trace *trace, struct excerpt *excerpt)
{
	struct suggesting suggesting = { .trace = trace,
		.world = excerpt->world,
		.outcome = excerpt->outcome,
		.excerpt = excerpt,
		.is_blocked = explain_blocks(&excerpt->outcome->verdict) };
	struct verdict verdict;
	if (excerpt->outcome->view == POLICY_NO_ID)
		return;
	if (excerpt_judge(excerpt, NULL, &verdict) != 0 ||
		!same_verdicts(&verdict, &excerpt->outcome->verdict)) {
		struct trace_note *note = trace_add(trace, TRACE_NOTE);
		note->text = "no changes of lists and rules are told: a list's text has changed "
			     "since it was loaded, so they could not be tried";
		return;
	}
	suggest_removal(&suggesting);
	suggest_additions(&suggesting);
	suggest_rules(&suggesting);
	suggest_rebinding(&suggesting);
	suggest_open(&suggesting);
}
