/* explain_near.c - rules that nearly matched: what people look for when a rule does not do what
 * they wrote it for. */
#include "proxy/explain/explain_parts.h"

struct probe {
	const struct image *image;
	uint16_t list; /* in the image */
	uint16_t type;
};

/* The entry that the list has for a name, if it is one of exactly so many labels. */
static bool find_entry(const struct probe *probe, struct slice name, unsigned labels,
	enum pattern_kind kind, struct list_entry *entry)
{
	struct image_matches matches;
	if (!image_find(probe->image, name, probe->type, &matches) ||
		!image_matches_have(&matches, probe->list))
		return false;
	*entry = matches.entries[probe->list];
	return entry->labels == labels && (entry->kind & kind) &&
		image_holds(probe->image, probe->list, policy_entry_name(entry, name), entry);
}

/* "*.example.com" does not have example.com itself. */
static bool find_only_below(const struct probe *probe, struct slice name, struct dns_name *found,
	struct list_entry *entry)
{
	uint8_t offsets[DNS_NAME_LABELS_MAX];
	static const uint8_t label[] = { 1, 'x' };
	if (name.len + sizeof label > DNS_NAME_MAX)
		return false;
	found->len = (uint8_t)(name.len + sizeof label);
	memcpy(found->wire, label, sizeof label);
	memcpy(found->wire + sizeof label, name.at, name.len);
	return find_entry(probe, dns_name_slice(found), (unsigned)dns_name_labels(name, offsets),
		PATTERN_BELOW, entry);
}

/* "example.com" is that name alone; the closest one above the name. */
static bool find_only_apex(const struct probe *probe, struct slice name, struct dns_name *found,
	struct list_entry *entry)
{
	uint8_t offsets[DNS_NAME_LABELS_MAX];
	size_t count = dns_name_labels(name, offsets);
	for (size_t i = 1; i < count; i++) {
		struct slice parent = slice_of(name.at + offsets[i], name.len - offsets[i]);
		if (!find_entry(probe, parent, (unsigned)(count - i), PATTERN_EXACT, entry))
			continue;
		found->len = (uint8_t)parent.len;
		memcpy(found->wire, parent.at, parent.len);
		return true;
	}
	return false;
}

static void add(struct trace *trace, const struct trace_rule *rule, const char *reason,
	const char *entry, const char *text)
{
	const struct trace_rule copy = *rule; /* a row that is lost is any row that is lost */
	struct trace_near *row = trace_add(trace, TRACE_NEAR);
	row->hop = copy.hop;
	row->reason = reason;
	row->group = copy.group;
	row->rule = copy.rule;
	row->action = copy.action;
	row->list = copy.list;
	row->entry = entry;
	row->text = text;
}

static void near_entries(struct trace *trace, const struct explain_near *near, struct slice name,
	const struct rule_match *match, const struct trace_rule *rule)
{
	const struct probe probe = {
		.image = near->world->lists->file ? near->world->lists->file->image : NULL,
		.list = policy_list(near->world->policy, match->list)->number,
		.type = near->facts->query_type,
	};
	struct dns_name found;
	struct list_entry entry;
	if (!probe.image || probe.list == POLICY_NO_ID || name.len == 0)
		return;
	if (find_only_below(&probe, name, &found, &entry))
		add(trace, rule, "only_below",
			explain_entry_text(trace, &entry, dns_name_slice(&found), NULL),
			"the entry covers what is below this name, not the name itself");
	if (find_only_apex(&probe, name, &found, &entry))
		add(trace, rule, "only_apex",
			explain_entry_text(trace, &entry, dns_name_slice(&found), NULL),
			"the entry is for the name above alone, not for what is below it");
}

static const char *text_of(struct trace *trace, const struct trace_rule *rule)
{
	const char *outcome = rule->outcome;
	if (strcmp(outcome, "other_query_type") == 0)
		return trace_format(trace, "the list has the name, but the rule is for %s alone",
			rule->query_type);
	if (strcmp(outcome, "exception_in_list") == 0)
		return "an exception within the list takes the name out of it";
	if (strcmp(outcome, "passes") == 0)
		return "the entry lets the name pass, which only a rule with GIVEN obeys";
	if (strcmp(outcome, "tcp_only") == 0)
		return "the entry is about datagrams, and this client's question is none";
	if (strcmp(outcome, "schedule_off") == 0)
		return trace_format(trace, "the schedule \"%s\" is off now", rule->schedule);
	if (strcmp(outcome, "recorded") == 0)
		return "it matches, but MONITOR only records";
	if (strcmp(outcome, "observed") == 0)
		return "it matches, but its group is associated to observe only";
	return NULL;
}

void explain_near_rule(struct trace *trace, const struct explain_near *near, struct slice name,
	const struct rule_match *match, const struct trace_rule *rule)
{
	const char *text = text_of(trace, rule);
	if (text)
		add(trace, rule, rule->outcome, rule->entry, text);
	else if (strcmp(rule->outcome, "not_listed") == 0)
		near_entries(trace, near, name, match, rule);
}
