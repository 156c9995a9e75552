/* policy_model_test.c - the evaluator against a second one that is as plain as its definition: no
 * index, no hashes, no wire form; names are arrays of label numbers, lists are scanned line by
 * line. Policies, questions and answers are generated; a failure prints the seed, and
 * POLICY_MODEL_SEED=<seed> runs that one alone. */
#include "tests/unit/policy_texts.h"
#include "tests/unit/rules_fixture.h"

#include <time.h>

enum {
	POLICIES = 4000,
	QUESTIONS = 12, /* per policy */
	LISTS_MAX = 5,
	PATTERNS_MAX = 6,
	SAYING_MAX = 6, /* more patterns, that say something */
	GROUPS_MAX = 3,
	RULES_MAX = 5,
	SCHEDULES = 3,
	EXCEPTED_MAX = 4,
	NOW = 1000, /* when all is judged */
	RECORDS_MAX = 20,
	NAMES_MAX = 64,
};

/* What labels there are; names that are compared are made of their numbers. Most are short and few,
 * so that names meet; the odd ones are those that text and C strings would confuse. */
static const struct {
	const char *bytes;
	uint8_t len;
} alphabet[] = {
	{ "a", 1 },
	{ "b", 1 },
	{ "c", 1 },
	{ "a", 1 },
	{ "b", 1 },
	{ "ab", 2 },
	{ "a.b", 3 },
	{ "\0", 1 },
	{ "a\0", 2 },
	{ "*", 1 },
	{ "\xff\xc1", 2 },
	{ "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 63 },
};
enum { ALPHABET = sizeof alphabet / sizeof *alphabet };

struct name {
	unsigned count;
	uint8_t labels[160]; /* leftmost first */
};

/* What a pattern says beyond its name. The first one is nothing. */
#define ALIAS_LABEL "\x3fxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define ALIAS_REST  "\x39yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
#define ALIAS                                                                                      \
	"\0\5\0\0\0\1\0\xfd"                                                                       \
	"\1*" ALIAS_LABEL ALIAS_LABEL ALIAS_LABEL ALIAS_REST /* and a root */
enum { LENGTHENED = 250 };
static const struct saying {
	enum facet_effect effect;
	enum given given;
	uint8_t rank;
	uint16_t type;  /* the only one, or 0 */
	bool but_type;  /* all types but this one */
	bool lengthens; /* its CNAME makes a name LENGTHENED bytes longer */
} sayings[] = {
	{ FACET_LISTED, GIVEN_NOTHING, 1, 0, false, false },
	{ FACET_LISTED, GIVEN_NXDOMAIN, 1, 0, false, false },
	{ FACET_LISTED, GIVEN_DROP, 2, 0, false, false },
	{ FACET_LISTED, GIVEN_REFUSED, 1, DNS_TYPE_A, false, false },
	{ FACET_LISTED, GIVEN_NODATA, 3, DNS_TYPE_A, true, false },
	{ FACET_LISTED, GIVEN_TCP_ONLY, 1, 0, false, false },
	{ FACET_LISTED, GIVEN_RECORDS, 1, 0, false, true },
	{ FACET_PASS, GIVEN_NOTHING, 1, 0, false, false },
	{ FACET_EXCEPT, GIVEN_NOTHING, 1, 0, false, false },
	{ FACET_EXCEPT, GIVEN_NOTHING, 2, 0, false, false },
};
enum { SAYINGS = sizeof sayings / sizeof *sayings };

struct pattern {
	struct name name;
	bool itself;
	bool below;
	const struct saying *saying;
};

struct list {
	enum list_format format;
	struct pattern patterns[PATTERNS_MAX + SAYING_MAX];
	unsigned text_count; /* those of the text */
	unsigned count;
	bool lost;
	char text[65536];
};

struct rule {
	char name[24];
	unsigned priority;
	enum action action;
	enum block_response response;
	unsigned list;
	unsigned type;
	unsigned schedule; /* 0: always */
	bool trust;
};

/* What an operator said by hand. */
struct excepted {
	struct name name;
	bool itself;
	bool below;
	bool allow;
	const char *view; /* "": all */
	int64_t until;
};

struct group {
	struct rule rules[RULES_MAX];
	unsigned count;
};

struct world {
	struct list lists[LISTS_MAX];
	unsigned list_count;
	struct group groups[GROUPS_MAX];
	unsigned group_count;
	struct association_spec associations[GROUPS_MAX];
	unsigned association_count;
	bool walled;
	bool open;
	bool is_datagram;                       /* the client's questions */
	uint64_t schedules;                     /* which are on */
	struct excepted excepted[EXCEPTED_MAX]; /* the first has the id 1 */
	unsigned excepted_count;
};

/* A rule as it is asked. */
struct asked {
	const struct rule *rule;
	unsigned place; /* of its association */
	bool observe;
};

struct record {
	struct name owner;
	unsigned type;
	struct name target;
};

/* What the model says, to be compared word by word. */
struct outcome {
	enum action action;
	enum verdict_reason reason;
	enum block_response response;
	bool trust;
	const struct rule *rule;
	const struct pattern *pattern;
	unsigned exception; /* its id */
	unsigned hop;
	bool failed; /* the pattern's answer cannot be given */
	const struct rule *monitors[VERDICT_MONITORS_MAX];
	bool observed[VERDICT_MONITORS_MAX];
	unsigned monitor_count;
};

static uint64_t random_state;

static unsigned below(unsigned bound)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)((random_state >> 33) % bound);
}

static bool one_in(unsigned bound)
{
	return below(bound) == 0;
}

/* ---- the model ---- */

static bool same_label(uint8_t a, uint8_t b)
{
	return alphabet[a].len == alphabet[b].len &&
		memcmp(alphabet[a].bytes, alphabet[b].bytes, alphabet[a].len) == 0;
}

/* Are the last `tail->count` labels of `name` those of `tail`? */
static bool ends_with(const struct name *name, const struct name *tail)
{
	if (name->count < tail->count)
		return false;
	for (unsigned i = 1; i <= tail->count; i++)
		if (!same_label(name->labels[name->count - i], tail->labels[tail->count - i]))
			return false;
	return true;
}

static bool same(const struct name *a, const struct name *b)
{
	return a->count == b->count && ends_with(a, b);
}

static bool counts_for(const struct saying *saying, unsigned type)
{
	return !saying->type || (saying->type == type) != saying->but_type;
}

static bool is_better(const struct pattern *pattern, const struct pattern *than)
{
	if (!than || pattern->saying->rank != than->saying->rank)
		return !than || pattern->saying->rank > than->saying->rank;
	return pattern->name.count > than->name.count;
}

static const struct pattern *match_list(
	const struct list *list, const struct name *name, unsigned type)
{
	const struct pattern *best = NULL;
	for (unsigned i = 0; i < list->count; i++) {
		const struct pattern *pattern = &list->patterns[i];
		bool hit = same(name, &pattern->name)
			? pattern->itself
			: pattern->below && ends_with(name, &pattern->name);
		if (hit && counts_for(pattern->saying, type) && is_better(pattern, best))
			best = pattern;
	}
	return best && best->saying->effect != FACET_EXCEPT ? best : NULL;
}

static size_t wire_length(const struct name *name)
{
	size_t len = 1;
	for (unsigned i = 0; i < name->count; i++)
		len += alphabet[name->labels[i]].len + 1u;
	return len;
}

/* What a rule makes of a pattern; false when the rule is not for it. */
static bool weigh(const struct rule *rule, const struct pattern *pattern, const struct name *name,
	bool is_datagram, struct outcome *outcome)
{
	const struct saying *saying = pattern->saying;
	outcome->action = rule->action;
	outcome->response = rule->response;
	if (rule->action != ACTION_GIVEN)
		return saying->effect == FACET_LISTED;
	outcome->action = saying->effect == FACET_PASS ? ACTION_ALLOW : ACTION_BLOCK;
	switch (saying->given) {
	case GIVEN_NXDOMAIN: outcome->response = BLOCK_NXDOMAIN; break;
	case GIVEN_NODATA: outcome->response = BLOCK_NODATA; break;
	case GIVEN_REFUSED: outcome->response = BLOCK_REFUSED; break;
	case GIVEN_DROP: outcome->response = BLOCK_DROP; break;
	case GIVEN_TCP_ONLY: outcome->response = BLOCK_TRUNCATE; return is_datagram;
	case GIVEN_RECORDS:
		outcome->response = BLOCK_RECORDS;
		outcome->failed = wire_length(name) + LENGTHENED > DNS_NAME_MAX;
		break;
	default: break;
	}
	return true;
}

/* The rules that a view has, in the order in which they are to be asked. */
static unsigned rules_in_order(const struct world *world, struct asked *ordered)
{
	unsigned count = 0;
	for (unsigned place = 0; place < 1000; place++)
		for (unsigned a = 0; a < world->association_count; a++) {
			if (world->associations[a].priority != place)
				continue;
			const struct group *group = &world->groups[world->associations[a].group];
			for (unsigned priority = 0; priority < 1000; priority++)
				for (unsigned r = 0; r < group->count; r++)
					if (group->rules[r].priority == priority)
						ordered[count++] = (struct asked){ &group->rules[r],
							a, world->associations[a].observe };
		}
	return count;
}

/* The one that counts for a name; its id, or 0. */
static unsigned find_excepted(const struct world *world, const struct name *name)
{
	unsigned best = 0;
	for (unsigned i = 0; i < world->excepted_count; i++) {
		const struct excepted *one = &world->excepted[i];
		const struct excepted *other = best ? &world->excepted[best - 1] : NULL;
		bool hit = same(name, &one->name) ? one->itself
						  : one->below && ends_with(name, &one->name);
		if (!hit || one->until <= NOW || (*one->view && strcmp(one->view, "view") != 0))
			continue;
		/* The later one wins where nothing else tells them apart. */
		if (other && one->name.count != other->name.count) {
			if (one->name.count < other->name.count)
				continue;
		} else if (other && !*one->view != !*other->view) {
			if (!*one->view)
				continue;
		} else if (other && one->allow && !other->allow) {
			continue;
		}
		best = i + 1;
	}
	return best;
}

static void note(struct outcome *noted, const struct rule *rule, bool observed)
{
	if (noted->monitor_count == VERDICT_MONITORS_MAX)
		return;
	noted->observed[noted->monitor_count] = observed;
	noted->monitors[noted->monitor_count++] = rule;
}

static bool is_off(const struct world *world, const struct rule *rule)
{
	return rule->schedule && !(world->schedules >> (rule->schedule - 1) & 1);
}

static struct outcome judge_one(const struct world *world, const struct asked *rules,
	unsigned rule_count, const struct name *name, unsigned type, unsigned hop,
	struct outcome *noted)
{
	struct outcome outcome = { .action = ACTION_NONE, .reason = REASON_NO_MATCH, .hop = hop };
	bool done[GROUPS_MAX] = { false }; /* associations that observed what they would decide */
	outcome.exception = find_excepted(world, name);
	if (outcome.exception) {
		bool allow = world->excepted[outcome.exception - 1].allow;
		outcome.action = allow ? ACTION_ALLOW : ACTION_BLOCK;
		outcome.reason = REASON_EXCEPTION;
		outcome.response = BLOCK_REFUSED;
		outcome.trust = allow;
		return outcome;
	}
	for (unsigned i = 0; i < rule_count; i++) {
		const struct rule *rule = rules[i].rule;
		const struct pattern *pattern = match_list(&world->lists[rule->list], name, type);
		struct outcome one = outcome;
		if (world->lists[rule->list].lost || is_off(world, rule) || done[rules[i].place] ||
			(rule->type && rule->type != type) || !pattern ||
			!weigh(rule, pattern, name, world->is_datagram, &one))
			continue;
		if (rule->action == ACTION_MONITOR) {
			note(noted, rule, false);
			continue;
		}
		if (rules[i].observe) {
			note(noted, rule, true);
			done[rules[i].place] = true;
			continue;
		}
		if (one.failed) {
			outcome.failed = true;
			return outcome;
		}
		one.reason = REASON_RULE;
		one.trust = rule->trust;
		one.rule = rule;
		one.pattern = pattern;
		return one;
	}
	if (world->walled) {
		outcome.action = ACTION_BLOCK;
		outcome.reason = REASON_DEFAULT;
		outcome.response = BLOCK_REFUSED;
	}
	return outcome;
}

/* The names of an answer: which there are, who leads to whom, and who rides along. */
struct walk {
	struct name names[NAMES_MAX];
	bool rides[NAMES_MAX];  /* is not judged */
	bool trusts[NAMES_MAX]; /* what it leads to rides along */
	bool judged[NAMES_MAX];
	bool followed[NAMES_MAX];
	bool leads[NAMES_MAX][NAMES_MAX];
	unsigned count;
	bool failed;
};

static int place_of(const struct walk *walk, const struct name *name)
{
	for (unsigned i = 0; i < walk->count; i++)
		if (same(&walk->names[i], name))
			return (int)i;
	return -1;
}

static int add(struct walk *walk, const struct name *name, bool rides)
{
	int place = place_of(walk, name);
	if (place >= 0)
		return place;
	if (walk->count == 1 + POLICY_HOPS_MAX) {
		walk->failed = true;
		return -1;
	}
	walk->names[walk->count] = *name;
	walk->rides[walk->count] = rides;
	return (int)walk->count++;
}

static void follow(
	struct walk *walk, unsigned from, const struct record *records, unsigned count, bool rides)
{
	const struct name name = walk->names[from];
	walk->followed[from] = true;
	for (unsigned i = 0; i < count; i++) {
		const struct record *record = &records[i];
		int to = -1;
		if (record->type == DNS_TYPE_DNAME) {
			if (same(&name, &record->owner) || !ends_with(&name, &record->owner))
				continue;
			struct name made = name;
			made.count -= record->owner.count;
			memcpy(made.labels + made.count, record->target.labels,
				record->target.count);
			made.count += record->target.count;
			if (wire_length(&made) > 255)
				walk->failed = true;
			else
				to = add(walk, &made, rides);
			if (to >= 0)
				walk->leads[from][to] = true;
			add(walk, &record->target, rides);
		} else if (same(&name, &record->owner)) {
			bool itself = record->type != DNS_TYPE_CNAME && record->target.count == 0;
			to = add(walk, itself ? &record->owner : &record->target, rides);
			if (to >= 0 && record->type == DNS_TYPE_CNAME)
				walk->leads[from][to] = true;
		}
	}
}

/* Can one come back to `goal`, going only by what leads on? */
static bool comes_back(const struct walk *walk, unsigned at, unsigned goal, bool *seen)
{
	for (unsigned to = 0; to < walk->count; to++) {
		if (!walk->leads[at][to])
			continue;
		if (to == goal)
			return true;
		if (seen[to])
			continue;
		seen[to] = true;
		if (comes_back(walk, to, goal, seen))
			return true;
	}
	return false;
}

/* One step of the walk; false at its end. */
static bool step(struct walk *walk, const struct record *records, unsigned count)
{
	for (unsigned i = 0; i < walk->count; i++)
		if (walk->judged[i] && !walk->trusts[i] && !walk->followed[i]) {
			follow(walk, i, records, count, false);
			return true;
		}
	for (unsigned i = 0; i < walk->count; i++)
		if (!walk->judged[i] && !walk->rides[i])
			return true; /* is to be judged first */
	for (unsigned i = 0; i < walk->count; i++)
		if (!walk->followed[i]) {
			follow(walk, i, records, count, true);
			return true;
		}
	for (unsigned i = 0; i < count; i++) {
		bool itself = records[i].type != DNS_TYPE_CNAME &&
			records[i].type != DNS_TYPE_DNAME && records[i].target.count == 0;
		const struct name *target = itself ? &records[i].owner : &records[i].target;
		if (place_of(walk, target) < 0)
			return add(walk, target, false) >= 0;
	}
	return false;
}

/* What a hop came to, into what the whole has come to. */
static void take(struct outcome *total, struct outcome one)
{
	bool worse = one.action == ACTION_BLOCK ||
		(one.action == ACTION_ALERT && total->action != ACTION_ALERT);
	unsigned let_through = total->exception ? total->exception : one.exception;
	if (worse) {
		memcpy(one.monitors, total->monitors, sizeof one.monitors);
		memcpy(one.observed, total->observed, sizeof one.observed);
		one.monitor_count = total->monitor_count;
		*total = one;
	}
	if (total->action != ACTION_BLOCK)
		total->exception = let_through;
}

/* Of a view that is open exceptions alone are looked at. */
static struct outcome judge_hop(const struct world *world, const struct asked *rules,
	unsigned rule_count, const struct name *name, unsigned type, unsigned hop, bool open,
	struct outcome *total)
{
	struct outcome one = { .action = ACTION_NONE };
	if (!open || find_excepted(world, name))
		one = judge_one(world, rules, rule_count, name, type, hop, total);
	return one;
}

static void judge_walk(const struct world *world, const struct asked *rules, unsigned rule_count,
	unsigned type, struct walk *walk, const struct record *records, unsigned count,
	struct outcome *total)
{
	bool open = total->reason == REASON_FAIL_OPEN;
	bool enforces = world->walled;
	for (unsigned i = 0; i < world->association_count; i++)
		enforces |= !world->associations[i].observe;
	walk->judged[0] = true;
	while (step(walk, records, count)) {
		for (unsigned i = 0; i < walk->count; i++) {
			if (walk->judged[i] || walk->rides[i])
				continue;
			struct outcome one = judge_hop(
				world, rules, rule_count, &walk->names[i], type, i, open, total);
			walk->judged[i] = true;
			walk->failed |= one.failed;
			walk->trusts[i] = one.trust;
			take(total, one);
			if (one.action == ACTION_BLOCK)
				return;
			break;
		}
	}
	for (unsigned i = 0; i < walk->count; i++) {
		bool seen[NAMES_MAX] = { false };
		walk->failed |= comes_back(walk, i, i, seen);
	}
	if (!walk->failed || !enforces || open)
		return;
	if (world->open) {
		total->reason = REASON_FAIL_OPEN;
		return;
	}
	total->reason = REASON_FAIL_CLOSED;
	total->action = ACTION_NONE;
	total->rule = NULL;
	total->pattern = NULL;
	total->exception = 0;
	total->hop = 0;
	total->trust = false;
}

static bool lacks_a_list(const struct world *world, const struct asked *rules, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (world->lists[rules[i].rule->list].lost && !rules[i].observe)
			return true;
	return false;
}

static struct outcome model(const struct world *world, const struct name *question, unsigned type,
	const struct record *records, unsigned count, struct walk *walk)
{
	struct asked rules[GROUPS_MAX * RULES_MAX];
	unsigned rule_count = rules_in_order(world, rules);
	struct outcome noted = { .monitor_count = 0 };
	struct outcome total = { .monitor_count = 0 };
	memset(walk, 0, sizeof *walk);
	add(walk, question, false);
	bool lost = lacks_a_list(world, rules, rule_count) && !find_excepted(world, question);
	if (!lost) {
		total = judge_one(world, rules, rule_count, question, type, 0, &noted);
		memcpy(total.monitors, noted.monitors, sizeof total.monitors);
		memcpy(total.observed, noted.observed, sizeof total.observed);
		total.monitor_count = noted.monitor_count;
	}
	if (lost || total.failed)
		total.reason = world->open ? REASON_FAIL_OPEN : REASON_FAIL_CLOSED;
	if (total.action != ACTION_BLOCK && total.reason != REASON_FAIL_CLOSED && !total.trust)
		judge_walk(world, rules, rule_count, type, walk, records, count, &total);
	return total;
}

/* ---- what is generated ---- */

static struct name random_name(unsigned labels_max)
{
	struct name name = { .count = below(labels_max + 1) };
	for (unsigned i = 0; i < name.count; i++)
		name.labels[i] = (uint8_t)below(one_in(3) ? ALPHABET : 5);
	if (name.count && one_in(40))
		name.labels[0] = ALPHABET - 1;
	return name;
}

static uint8_t random_case(uint8_t byte)
{
	return byte >= 'a' && byte <= 'z' && one_in(3) ? (uint8_t)(byte - 32) : byte;
}

static struct dns_name to_wire(const struct name *name, bool mixed_case)
{
	struct dns_name wire = { .len = 0 };
	assert_true(wire_length(name) <= DNS_NAME_MAX);
	for (unsigned i = 0; i < name->count; i++) {
		wire.wire[wire.len++] = alphabet[name->labels[i]].len;
		for (unsigned n = 0; n < alphabet[name->labels[i]].len; n++) {
			uint8_t byte = (uint8_t)alphabet[name->labels[i]].bytes[n];
			wire.wire[wire.len++] = mixed_case ? random_case(byte) : byte;
		}
	}
	wire.wire[wire.len++] = 0;
	return wire;
}

static void write_name(struct writer *to, const struct name *name)
{
	for (unsigned i = 0; i < name->count; i++) {
		for (unsigned n = 0; n < alphabet[name->labels[i]].len; n++) {
			uint8_t byte = random_case((uint8_t)alphabet[name->labels[i]].bytes[n]);
			char escaped[8];
			bool letter = (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
			snprintf(escaped, sizeof escaped,
				letter && !one_in(9) ? "%c"
					: byte > ' ' && byte < 127 && !letter && one_in(2)
					? "\\%c"
					: "\\%03u",
				byte);
			writer_text(to, escaped);
		}
		writer_text(to, i + 1 < name->count || one_in(4) ? "." : "");
	}
}

static const char *const noise[] = { "", "# a comment", "a..b", "two names", "ex*mple", "192.0.2.1",
	"b\xc3\xbc", "::1", ".x", "*x" };

/* A line of the list's format, and what it means. False when the format cannot say it. */
static bool write_pattern(struct writer *to, const struct list *list, struct pattern *pattern)
{
	bool asterisk = one_in(2);
	bool all = pattern->name.count == 0;
	if (all && list->format == LIST_HOSTS)
		return false;
	pattern->itself = list->format != LIST_DOMAINS || !asterisk || all;
	pattern->below =
		list->format == LIST_WILDCARD || (list->format == LIST_DOMAINS && asterisk) || all;
	if (list->format == LIST_HOSTS)
		writer_text(to, one_in(2) ? "0.0.0.0 " : "::1\t");
	if (all)
		writer_text(to, "*");
	else if (list->format != LIST_HOSTS && asterisk)
		writer_text(to, "*.");
	write_name(to, &pattern->name);
	return true;
}

/* Two of a name that differ, and of which none comes before the other, are no question. */
static bool is_ambiguous(const struct list *list, const struct pattern *pattern)
{
	for (unsigned i = 0; i < list->count; i++) {
		const struct pattern *other = &list->patterns[i];
		if (same(&other->name, &pattern->name) && other->saying != pattern->saying &&
			other->saying->rank == pattern->saying->rank)
			return true;
	}
	return false;
}

/* Often about the names that the list has, or those above and below. */
static void random_sayings(struct list *list)
{
	unsigned wanted = one_in(4) ? 0 : below(SAYING_MAX + 1);
	for (unsigned i = 0; i < wanted; i++) {
		struct pattern *pattern = &list->patterns[list->count];
		pattern->name = random_name(3);
		if (list->count && one_in(2))
			pattern->name = list->patterns[below(list->count)].name;
		bool all = pattern->name.count == 0;
		unsigned kinds = 1 + below(3);
		pattern->itself = all || kinds & 1;
		pattern->below = all || kinds & 2;
		pattern->saying = &sayings[below(SAYINGS)];
		if (!is_ambiguous(list, pattern))
			list->count++;
	}
}

static void random_list(struct list *list)
{
	struct writer to = writer_of(list->text, sizeof list->text - 1);
	unsigned wanted = below(PATTERNS_MAX + 1);
	list->format = (enum list_format)below(LIST_WILDCARD + 1);
	list->lost = one_in(40);
	list->count = 0;
	for (unsigned i = 0; i < wanted; i++) {
		struct pattern *pattern = &list->patterns[list->count];
		pattern->name = random_name(one_in(16) ? 0 : 3);
		/* What is noise in one format is a name in another: not in hosts lists. */
		if (one_in(3) && list->format != LIST_HOSTS) {
			writer_text(&to, noise[below(sizeof noise / sizeof *noise)]);
			writer_text(&to, one_in(2) ? "\r\n" : "\n");
		}
		pattern->saying = &sayings[0];
		if (!write_pattern(&to, list, pattern))
			continue;
		list->count++;
		writer_text(&to, one_in(3) ? " # why\n" : one_in(2) ? "\r\n" : "\n");
	}
	assert_false(to.failed);
	list->text[to.len] = '\0';
	list->text_count = list->count;
	random_sayings(list);
}

static void random_group(struct group *group, unsigned list_count, unsigned number)
{
	static const unsigned types[] = { 0, 0, 0, DNS_TYPE_A, DNS_TYPE_HTTPS, DNS_TYPE_ANY };
	static const enum action actions[] = { ACTION_ALLOW, ACTION_ALLOW, ACTION_ALERT,
		ACTION_BLOCK, ACTION_MONITOR, ACTION_GIVEN, ACTION_GIVEN };
	group->count = below(RULES_MAX + 1);
	for (unsigned i = 0; i < group->count; i++) {
		struct rule *rule = &group->rules[i];
		snprintf(rule->name, sizeof rule->name, "%u.%u", number, i);
		rule->priority = below(100) * RULES_MAX + i; /* unique, in any order */
		rule->action = actions[below(sizeof actions / sizeof *actions)];
		rule->response = (enum block_response)below(BLOCK_CONFIGURED_COUNT);
		rule->list = below(list_count);
		rule->type = types[below(sizeof types / sizeof *types)];
		rule->trust = one_in(4);
		rule->schedule = one_in(3) ? 1 + below(SCHEDULES) : 0;
	}
}

static struct name random_listed(const struct world *world);

static void random_exceptions(struct world *world)
{
	static const char *const views[] = { "", "", "view", "other" };
	world->excepted_count = one_in(2) ? 0 : 1 + below(EXCEPTED_MAX);
	for (unsigned i = 0; i < world->excepted_count; i++) {
		struct excepted *one = &world->excepted[i];
		unsigned kinds = 1 + below(3);
		*one = (struct excepted){ .name = random_listed(world),
			.itself = kinds & 1,
			.below = kinds & 2,
			.allow = one_in(2),
			.view = views[below(sizeof views / sizeof *views)],
			.until = one_in(4) ? NOW : NOW + 1 };
		if (i > 0 && one_in(3))
			one->name = world->excepted[below(i)].name;
	}
}

static void random_world(struct world *world)
{
	world->list_count = 1 + below(LISTS_MAX);
	for (unsigned i = 0; i < world->list_count; i++)
		random_list(&world->lists[i]);
	world->group_count = 1 + below(GROUPS_MAX);
	for (unsigned i = 0; i < world->group_count; i++)
		random_group(&world->groups[i], world->list_count, i);
	world->association_count = one_in(10) ? 0 : 1 + below(world->group_count);
	for (unsigned i = 0; i < world->association_count; i++)
		world->associations[i] = (struct association_spec){
			.group = (uint16_t)((i + 1) % world->group_count),
			.priority = below(100) * GROUPS_MAX + i,
			.observe = one_in(4),
		};
	world->walled = one_in(6);
	world->open = one_in(3);
	world->is_datagram = one_in(2);
	world->schedules = below(1 << SCHEDULES);
	random_exceptions(world);
}

/* A name that some list may have something to say about. */
static struct name random_listed(const struct world *world)
{
	const struct list *list = &world->lists[below(world->list_count)];
	if (list->count == 0 || one_in(3))
		return random_name(4);
	struct name name = list->patterns[below(list->count)].name;
	if (name.count < 4 && one_in(2)) {
		memmove(name.labels + 1, name.labels, name.count++);
		name.labels[0] = (uint8_t)below(5);
	}
	return name;
}

/* Links that often go on where another ended. */
static unsigned random_records(
	struct record *records, const struct name *question, const struct world *world)
{
	static const unsigned types[] = { DNS_TYPE_CNAME, DNS_TYPE_CNAME, DNS_TYPE_CNAME,
		DNS_TYPE_DNAME, DNS_TYPE_HTTPS, DNS_TYPE_SVCB };
	unsigned count = one_in(6) ? 0 : below(one_in(10) ? RECORDS_MAX : 6);
	for (unsigned i = 0; i < count; i++) {
		struct record *record = &records[i];
		record->type = types[below(sizeof types / sizeof *types)];
		record->owner = i == 0 || one_in(4) ? *question : records[below(i)].target;
		if (one_in(8))
			record->owner = random_name(3);
		if (record->type == DNS_TYPE_DNAME && record->owner.count && !one_in(6)) {
			/* Its owner is above a name of the chain. */
			record->owner.count--;
			memmove(record->owner.labels, record->owner.labels + 1,
				record->owner.count);
		}
		record->target = one_in(9) ? random_name(0) : random_listed(world);
	}
	/* In another order than they are followed. */
	for (unsigned i = count; i > 1 && one_in(2); i--) {
		unsigned other = below(i);
		struct record moving = records[i - 1];
		records[i - 1] = records[other];
		records[other] = moving;
	}
	return count;
}

/* ---- the real one, and the comparison ---- */

static const struct world *building;

static struct facet facet_of(const struct saying *saying)
{
	struct facet facet = { .effect = saying->effect,
		.given = saying->given,
		.rank = saying->rank,
		.except_types = saying->but_type,
		.type_count = saying->type != 0,
		.types = { saying->type } };
	if (saying->lengthens)
		facet.records = slice_of(ALIAS, sizeof ALIAS);
	return facet;
}

static int add_saying(struct image_builder *builder, const struct pattern *pattern)
{
	const struct dns_name name = to_wire(&pattern->name, false);
	const struct facet facet = facet_of(pattern->saying);
	const struct list_pattern told = { .name = &name,
		.kind = (enum pattern_kind)(pattern->itself + 2 * pattern->below),
		.facet = &facet,
		.line = 1 };
	return image_add_pattern(builder, &told);
}

static int add_list(struct image_builder *builder, const struct list_text *text, size_t list)
{
	const struct list *from = &building->lists[list];
	int error = image_add_text(builder, text->text, NULL, NULL);
	for (unsigned i = from->text_count; i < from->count && !error; i++)
		error = add_saying(builder, &from->patterns[i]);
	return error;
}

static void build(const struct world *world, uint64_t salt, struct policy_texts *built)
{
	static const char *const list_names[LISTS_MAX] = { "0", "1", "2", "3", "4" };
	struct domain_list_spec lists[LISTS_MAX] = { { .name = NULL } };
	struct list_text texts[LISTS_MAX] = { { .error = 0 } };
	struct rule_spec rules[GROUPS_MAX][RULES_MAX];
	struct rule_group_spec groups[GROUPS_MAX];
	for (unsigned i = 0; i < world->list_count; i++) {
		lists[i].name = list_names[i];
		lists[i].format = world->lists[i].format;
		texts[i].error = world->lists[i].lost ? -EIO : 0;
		texts[i].text = slice_of_text(world->lists[i].lost ? "" : world->lists[i].text);
	}
	for (unsigned g = 0; g < world->group_count; g++) {
		for (unsigned r = 0; r < world->groups[g].count; r++) {
			const struct rule *rule = &world->groups[g].rules[r];
			rules[g][r] = (struct rule_spec){
				.name = rule->name,
				.priority = rule->priority,
				.action = rule->action,
				.block_response = rule->response,
				.list = (uint16_t)rule->list,
				.query_type = (uint16_t)rule->type,
				.schedule = (uint8_t)rule->schedule,
				.redirection =
					rule->trust ? REDIRECTION_TRUST : REDIRECTION_INSPECT,
			};
		}
		groups[g] = (struct rule_group_spec){
			.name = "group", .rules = rules[g], .rule_count = world->groups[g].count
		};
	}
	struct view_spec view = {
		.name = "view",
		.default_action = world->walled ? ACTION_BLOCK : ACTION_ALLOW,
		.default_block_response = BLOCK_REFUSED,
		.fail_mode = world->open ? FAIL_OPEN : FAIL_CLOSED,
		.associations = world->associations,
		.association_count = world->association_count,
	};
	const struct schedule_spec schedules[SCHEDULES] = { { .days = 1 } };
	struct policy_spec spec = { .schedules = schedules,
		.schedule_count = SCHEDULES,
		.lists = lists,
		.list_count = world->list_count,
		.groups = groups,
		.group_count = world->group_count,
		.views = &view,
		.view_count = 1 };
	building = world;
	assert_int_equal(policy_texts_build_with(built, &spec, texts, salt, add_list), 0);
}

static struct exceptions *build_exceptions(const struct world *world)
{
	struct exception at[EXCEPTED_MAX];
	if (world->excepted_count == 0)
		return NULL;
	/* In another order than that of their ids. */
	for (unsigned i = 0; i < world->excepted_count; i++) {
		const struct excepted *one = &world->excepted[i];
		struct exception *to = &at[world->excepted_count - 1 - i];
		*to = (struct exception){ .id = i + 1,
			.action = one->allow ? ACTION_ALLOW : ACTION_BLOCK,
			.kind = (enum pattern_kind)(one->itself + 2 * one->below),
			.name = to_wire(&one->name, false),
			.until_s = one->until };
		strcpy(to->view, one->view);
	}
	struct exceptions *exceptions = exceptions_new(at, world->excepted_count);
	assert_non_null(exceptions);
	return exceptions;
}

static void ignore_name(void *context, unsigned hop, struct slice name)
{
	(void)context;
	(void)hop;
	(void)name;
}

static void ignore_rule(void *context, const struct rule_match *match, const struct rule_fit *fit)
{
	(void)context;
	(void)match;
	(void)fit;
}

static void judge(const struct policy *policy, const struct world *world,
	const struct exceptions *exceptions, const struct name *question, unsigned type,
	const struct record *records, unsigned count, struct verdict *verdict)
{
	static struct fixture_answer answer;
	struct policy_trace trace = { .on_name = ignore_name, .on_rule = ignore_rule };
	struct dns_name name = to_wire(question, true);
	struct dns_name lower = to_wire(question, false);
	struct facts facts = { .query_type = (uint16_t)type,
		.is_datagram = world->is_datagram,
		.name = dns_name_slice(&lower),
		.now_s = NOW,
		.schedules = world->schedules,
		.exceptions = exceptions };
	const struct policy_trace *watched = one_in(3) ? &trace : NULL;
	fixture_answer_begin(&answer, dns_name_slice(&name), (uint16_t)type);
	for (unsigned i = 0; i < count; i++) {
		struct dns_name owner = to_wire(&records[i].owner, true);
		struct dns_name target = to_wire(&records[i].target, true);
		fixture_answer_link(&answer, dns_name_slice(&owner), (uint16_t)records[i].type,
			dns_name_slice(&target));
	}
	policy_judge_query(policy, &facts, verdict, watched);
	if (!verdict_is_final(verdict))
		policy_judge_answer(policy, &facts, fixture_answer_open(&answer), verdict, watched);
}

static const char *rule_name(const struct policy *policy, uint16_t rule)
{
	return rule == POLICY_NO_ID ? "-" : policy_rule(policy, rule)->name;
}

/* The entry is one of the list's, covers the name, and says the same as the pattern that counts: an
 * entry that is covered by an equal one above it is left out. */
static bool is_entry_of(const struct policy *policy, const struct list_entry *entry,
	const struct outcome *outcome, const struct list *list, const struct name *name)
{
	const struct facet *facet = policy_facet(policy, entry->facet);
	const struct facet expected = facet_of(outcome->pattern->saying);
	if (facet->effect != expected.effect || facet->given != expected.given ||
		facet->rank != expected.rank || facet->type_count != expected.type_count ||
		facet->except_types != expected.except_types ||
		!slice_equals(facet->records, expected.records))
		return false;
	for (unsigned i = 0; i < list->count; i++) {
		const struct pattern *pattern = &list->patterns[i];
		if (pattern->saying == outcome->pattern->saying &&
			pattern->name.count == entry->labels && ends_with(name, &pattern->name))
			return entry->labels <= outcome->pattern->name.count;
	}
	return false;
}

static bool agree(const struct world *world, const struct policy *policy,
	const struct verdict *verdict, const struct outcome *outcome, const struct walk *walk)
{
	if (verdict->action != outcome->action || verdict->reason != outcome->reason ||
		verdict->trusted != outcome->trust || verdict->match.hop != outcome->hop ||
		verdict->exception != outcome->exception)
		return false;
	if (outcome->action == ACTION_BLOCK && verdict->block_response != outcome->response)
		return false;
	if (strcmp(rule_name(policy, verdict->match.rule),
		    outcome->rule ? outcome->rule->name : "-") != 0)
		return false;
	if (outcome->rule &&
		(verdict->match.list != outcome->rule->list ||
			!is_entry_of(policy, &verdict->match.entry, outcome,
				&world->lists[outcome->rule->list], &walk->names[outcome->hop])))
		return false;
	struct dns_name name = to_wire(&walk->names[outcome->hop], false);
	if (!slice_equals(dns_name_slice(&verdict->matched_name),
		    outcome->hop ? dns_name_slice(&name) : slice_of(NULL, 0)))
		return false;
	if (verdict->monitor_count != outcome->monitor_count)
		return false;
	for (unsigned i = 0; i < outcome->monitor_count; i++)
		if (verdict->monitors[i].observed != outcome->observed[i] ||
			strcmp(rule_name(policy, verdict->monitors[i].rule),
				outcome->monitors[i]->name) != 0)
			return false;
	return true;
}

static unsigned reasons[REASON_EXCEPTION + 1];
static unsigned observed;
static unsigned let_through; /* a name of an answer, by an exception */
static unsigned actions[ACTION_COUNT];
static unsigned responses[BLOCK_RESPONSE_COUNT];
static unsigned given_failures;
static unsigned passes;
static unsigned later_hops;

static void compare_seed(uint64_t seed, struct world *world, struct walk *walk)
{
	random_state = seed;
	below(2);
	random_world(world);
	struct policy_texts built;
	build(world, seed * 3, &built);
	const struct policy *policy = built.policy;
	struct exceptions *exceptions = build_exceptions(world);
	for (unsigned i = 0; i < QUESTIONS; i++) {
		static const unsigned types[] = { DNS_TYPE_A, DNS_TYPE_HTTPS, DNS_TYPE_ANY };
		struct record records[RECORDS_MAX];
		struct verdict verdict;
		struct name question = one_in(2) ? random_name(4) : random_listed(world);
		unsigned type = types[below(3)];
		unsigned count = random_records(records, &question, world);
		struct outcome outcome = model(world, &question, type, records, count, walk);
		memset(&verdict, 0xa5, sizeof verdict);
		judge(policy, world, exceptions, &question, type, records, count, &verdict);
		if (!agree(world, policy, &verdict, &outcome, walk))
			fail_msg("POLICY_MODEL_SEED=%llu question %u: action %d reason %d rule %s "
				 "hop %u exception %u, not action %d reason %d rule %s hop %u "
				 "exception %u",
				(unsigned long long)seed, i, verdict.action, verdict.reason,
				rule_name(policy, verdict.match.rule), verdict.match.hop,
				verdict.exception, outcome.action, outcome.reason,
				outcome.rule ? outcome.rule->name : "-", outcome.hop,
				outcome.exception);
		reasons[outcome.reason]++;
		actions[outcome.action]++;
		later_hops += outcome.hop > 0;
		let_through += outcome.exception && outcome.reason != REASON_EXCEPTION;
		for (unsigned n = 0; n < outcome.monitor_count; n++)
			observed += outcome.observed[n];
		given_failures += outcome.failed;
		if (outcome.action == ACTION_BLOCK)
			responses[outcome.response]++;
		if (outcome.rule && outcome.rule->action == ACTION_GIVEN)
			passes += outcome.action == ACTION_ALLOW;
	}
	exceptions_unref(exceptions);
	policy_texts_free(&built);
}

static void test_model_agrees(void **state)
{
	(void)state;
	struct world *world = calloc(1, sizeof *world);
	struct walk *walk = calloc(1, sizeof *walk);
	const char *given = getenv("POLICY_MODEL_SEED");
	assert_true(world && walk);
	if (given) {
		compare_seed(strtoull(given, NULL, 10), world, walk);
	} else {
		for (uint64_t seed = 1; seed <= POLICIES; seed++)
			compare_seed(seed, world, walk);
		/* New ones in each run. */
		uint64_t first = (uint64_t)time(NULL) << 16;
		for (uint64_t seed = first; seed < first + POLICIES / 4; seed++)
			compare_seed(seed, world, walk);
		print_message("reasons: %u no match, %u rule, %u default, %u closed, %u open; "
			      "%u exception; %u at later hops, %u passed, %u let through, "
			      "%u observed, %u answers that do not fit\n",
			reasons[0], reasons[1], reasons[2], reasons[3], reasons[4],
			reasons[REASON_EXCEPTION], later_hops, passes, let_through, observed,
			given_failures);
		/* A comparison of nothing would agree as well. */
		for (unsigned i = 0; i <= REASON_FAIL_OPEN; i++)
			assert_true(reasons[i] > 100);
		assert_true(reasons[REASON_EXCEPTION] > 1000);
		assert_true(let_through > 100);
		assert_true(observed > 1000);
		for (unsigned i = 0; i < ACTION_MONITOR; i++)
			assert_true(actions[i] > 100);
		for (unsigned i = 0; i < BLOCK_RESPONSE_COUNT; i++)
			assert_true(responses[i] > 40);
		assert_true(later_hops > 1000);
		assert_true(given_failures > 40);
		assert_true(passes > 60);
	}
	free(world);
	free(walk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model_agrees),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
