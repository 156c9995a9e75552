/* adblock.c - the part of adblock syntax that speaks of whole host names, with the meaning that DNS
 * filters give it (https://adguard-dns.io/kb/general/dns-filtering-syntax/):
 *
 *   ||example.com^           the name and everything below
 *   |example.com^            that name alone
 *   *.example.com            everything below, not itself; also "||*.example.com^", ".example.com^"
 *   example.com              that name alone, and so are the names of lines as in hosts(5)
 *   ||*^                     every name; "*" or nothing only with a modifier that narrows it
 *   @@...                    an exception from this list
 *   ! ..., # ..., [...]      comments, and the header of the file
 *
 * The end of a name is '^', '|', "^|", "^*", or a slash and an asterisk.
 *
 * Modifiers: "important" goes before exceptions without it; "dnstype=A|~AAAA" limits the rule to,
 * or excepts, query types, by name or number; "denyallow=a.com|b.com" excepts names with all below
 * from this rule alone; "all" says that everything is blocked, pages too, which is what DNS does
 * anyway. A rule with any other modifier, with a path, a wildcard within, a regular expression, or
 * about the contents of pages does not speak of whole names, and is left out (LIST_REJECT_NOT_DNS):
 * as the source above has it, this avoids false positives of lists that were made for browsers.
 * "||name" without an end is such a rule too: "||example.co" would be "example.com" as well. */
#include "rules/lists/format.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "dns/types.h"

#include <stdlib.h>

enum {
	RANK_EXCEPT = FACET_RANK_PLAIN + 1,
	RANK_IMPORTANT = FACET_RANK_PLAIN + 2, /* and the exceptions one above */

	DENYALLOW_MAX = 200,          /* names of one rule */
	DENYALLOW_WIRE_MAX = 1 << 14, /* bytes of them */
};

struct rule {
	struct slice pattern;
	struct slice denyallow; /* as written; empty: none */
	bool except;
	bool modified; /* has any modifier */
	struct dns_name name;
	enum pattern_kind kind;
	struct facet facet;
};

static bool is_blank_or_end(struct slice text, size_t i)
{
	return i >= text.len || text.at[i] == ' ' || text.at[i] == '\t';
}

/* "##.ad", "###ad", "#@#.ad", "#?#", "#$#", "#%#": about the contents of pages. "# text", "###
 * text" and "####" are comments. */
static bool is_cosmetic_marker(struct slice text)
{
	size_t hashes = 0;
	while (hashes < text.len && text.at[hashes] == '#')
		hashes++;
	if (hashes == 1)
		return text.len > 2 && memchr("@?$%", text.at[1], 4) && !is_blank_or_end(text, 2);
	return hashes <= 3 && !is_blank_or_end(text, hashes);
}

/* What is left of a line without its comment. '#' within a word is none. */
static struct slice without_comment(struct slice line)
{
	if (line.at[0] == '!' || (line.at[0] == '#' && !is_cosmetic_marker(line)))
		return slice_of(line.at, 0);
	if (line.at[0] == '[' && line.at[line.len - 1] == ']')
		return slice_of(line.at, 0);
	const uint8_t *hash = memchr(line.at, '#', line.len);
	if (hash && hash > line.at && (hash[-1] == ' ' || hash[-1] == '\t'))
		return list_trim(slice_of(line.at, (size_t)(hash - line.at)));
	return line;
}

/* "||example.com^", as nearly every line is. */
static bool read_simple(struct list_reading *reading, struct slice line)
{
	struct dns_name name;
	if (!list_take_prefix(&line, "||") || !list_take_suffix(&line, "^"))
		return false;
	if (memchr(line.at, '\\', line.len) || list_read_name(line, &name) != LIST_REJECT_NONE)
		return false;
	list_tell_pattern(reading, &name, PATTERN_BOTH);
	return true;
}

static enum list_reject read_name(struct slice text, struct dns_name *name)
{
	static const char url_bytes[] = "/:?=&%;,+@~\\^|*";
	enum list_reject reject = list_read_name(text, name);
	if (reject == LIST_REJECT_ASTERISK || memchr(text.at, '\\', text.len))
		return LIST_REJECT_NOT_DNS;
	if (reject != LIST_REJECT_NOT_A_NAME)
		return reject;
	for (size_t i = 0; i < text.len; i++)
		if (memchr(url_bytes, text.at[i], sizeof url_bytes - 1))
			return LIST_REJECT_NOT_DNS;
	return reject;
}

/* "example.com": taken for a name only where it can hardly be part of a URL. */
static enum list_reject read_bare(struct rule *rule)
{
	struct slice text = rule->pattern;
	enum list_reject reject = read_name(text, &rule->name);
	bool dot = memchr(text.at, '.', text.len) != NULL;
	rule->kind = PATTERN_EXACT;
	if (reject == LIST_REJECT_NONE &&
		(rule->except || rule->modified || !dot || text.at[0] == '-' || text.at[0] == '_'))
		return LIST_REJECT_NOT_DNS;
	return reject;
}

/* Patterns that every name matches; those that are easily written by mistake only with a modifier
 * that narrows them. */
static bool is_everything(const struct rule *rule, bool *needs_limit)
{
	static const char *const texts[] = { "||*^", "*", "", "||*", "||", "|*", "|" };
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		*needs_limit = i > 0;
		if (slice_equals_text(rule->pattern, texts[i]))
			return true;
	}
	return false;
}

static enum list_reject read_everything(struct rule *rule, bool needs_limit)
{
	bool limited = rule->facet.type_count > 0 || rule->denyallow.len > 0;
	rule->name = (struct dns_name){ .len = 1 };
	rule->kind = PATTERN_BOTH;
	return needs_limit && !limited ? LIST_REJECT_NOT_DNS : LIST_REJECT_NONE;
}

static bool take_end(struct slice *text)
{
	static const char *const ends[] = { "^|", "^*", "^", "|", "/*" };
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		if (list_take_suffix(text, ends[i]))
			return true;
	return false;
}

static enum list_reject read_pattern(struct rule *rule)
{
	static const struct {
		const char *start;
		enum pattern_kind kind;
		bool open; /* has no end */
	} forms[] = {
		{ "||*.", PATTERN_BELOW, false },
		{ "||", PATTERN_BOTH, false },
		{ "|", PATTERN_EXACT, false },
		{ "*.", PATTERN_BELOW, true },
		{ ".", PATTERN_BELOW, false },
	};
	struct slice text = rule->pattern;
	bool needs_limit;
	if (is_everything(rule, &needs_limit))
		return read_everything(rule, needs_limit);
	if (text.at[0] == '/') /* a regular expression, or a path */
		return LIST_REJECT_NOT_DNS;
	if (memchr(text.at, ' ', text.len) || memchr(text.at, '\t', text.len))
		return LIST_REJECT_SYNTAX;
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		if (!list_take_prefix(&text, forms[i].start))
			continue;
		if (!take_end(&text) && !forms[i].open)
			return LIST_REJECT_NOT_DNS;
		rule->kind = forms[i].kind;
		return read_name(text, &rule->name);
	}
	return read_bare(rule);
}

/* The part of `list` up to the next `separator`, taken off with it; false when nothing is left. */
static bool take_part(struct slice *list, uint8_t separator, struct slice *part)
{
	if (!list->at)
		return false;
	const uint8_t *end = memchr(list->at, separator, list->len);
	size_t len = end ? (size_t)(end - list->at) : list->len;
	*part = slice_of(list->at, len);
	*list = end ? slice_of(end + 1, list->len - len - 1) : slice_of(NULL, 0);
	return true;
}

static enum list_reject read_all(struct rule *rule, struct slice value)
{
	(void)value;
	return rule->except ? LIST_REJECT_NOT_DNS : LIST_REJECT_NONE;
}

static enum list_reject read_important(struct rule *rule, struct slice value)
{
	(void)value;
	rule->facet.rank = rule->except ? RANK_IMPORTANT + 1 : RANK_IMPORTANT;
	return LIST_REJECT_NONE;
}

/* A set of types, ascending. */
struct types {
	unsigned count;
	uint16_t at[FACET_TYPES_MAX];
};

static bool types_have(const struct types *types, uint16_t type)
{
	for (unsigned i = 0; i < types->count; i++)
		if (types->at[i] == type)
			return true;
	return false;
}

static bool types_add(struct types *types, uint16_t type)
{
	unsigned i = types->count;
	if (types_have(types, type))
		return true;
	if (types->count == FACET_TYPES_MAX)
		return false;
	for (; i > 0 && types->at[i - 1] > type; i--)
		types->at[i] = types->at[i - 1];
	types->at[i] = type;
	types->count++;
	return true;
}

/* "AAAA", "TYPE28" or "28". */
static bool read_type(struct slice text, uint16_t *type)
{
	uint32_t number = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9' || number > UINT16_MAX)
			return dns_type_parse(text, type) && *type > 0;
		number = number * 10 + text.at[i] - '0';
	}
	*type = (uint16_t)number;
	return number > 0 && number <= UINT16_MAX;
}

/* Where types are both asked for and excepted, those asked for count, less the excepted ones. */
static enum list_reject set_types(
	struct facet *facet, const struct types *only, const struct types *except)
{
	facet->except_types = only->count == 0;
	const struct types *from = facet->except_types ? except : only;
	facet->type_count = 0;
	for (unsigned i = 0; i < from->count; i++)
		if (facet->except_types || !types_have(except, from->at[i]))
			facet->types[facet->type_count++] = from->at[i];
	return facet->type_count ? LIST_REJECT_NONE : LIST_REJECT_SYNTAX;
}

static enum list_reject read_dnstype(struct rule *rule, struct slice value)
{
	struct types only = { .count = 0 };
	struct types except = { .count = 0 };
	struct slice word;
	while (take_part(&value, '|', &word)) {
		uint16_t type;
		struct types *types = list_take_prefix(&word, "~") ? &except : &only;
		if (!read_type(word, &type))
			return LIST_REJECT_SYNTAX;
		if (!types_add(types, type))
			return LIST_REJECT_TOO_LONG;
	}
	return set_types(&rule->facet, &only, &except);
}

static enum list_reject read_denyallow(struct rule *rule, struct slice value)
{
	rule->denyallow = value; /* what it means depends on the pattern */
	return LIST_REJECT_NONE;
}

static const struct modifier {
	const char *name;
	bool has_value;
	enum list_reject (*read)(struct rule *rule, struct slice value);
} modifiers[] = {
	{ "all", false, read_all },
	{ "important", false, read_important },
	{ "dnstype", true, read_dnstype },
	{ "denyallow", true, read_denyallow },
};
enum { MODIFIER_COUNT = sizeof modifiers / sizeof *modifiers };

static enum list_reject read_modifier(struct rule *rule, struct slice text, unsigned *seen)
{
	struct slice value = text;
	struct slice name;
	take_part(&value, '=', &name);
	for (unsigned i = 0; i < MODIFIER_COUNT; i++) {
		if (!slice_equals_text(name, modifiers[i].name))
			continue;
		if (modifiers[i].has_value != (value.len > 0) || *seen & 1u << i)
			return LIST_REJECT_SYNTAX;
		*seen |= 1u << i;
		return modifiers[i].read(rule, value);
	}
	return name.len ? LIST_REJECT_NOT_DNS : LIST_REJECT_SYNTAX;
}

static enum list_reject read_modifiers(struct rule *rule, struct slice text)
{
	enum list_reject reject = LIST_REJECT_NONE;
	unsigned seen = 0;
	struct slice part;
	while (!reject && take_part(&text, ',', &part))
		reject = read_modifier(rule, part, &seen);
	rule->modified = true;
	return reject;
}

static enum list_reject read_rule(struct rule *rule, struct slice line)
{
	enum list_reject reject = LIST_REJECT_NONE;
	rule->except = list_take_prefix(&line, "@@");
	rule->facet.effect = rule->except ? FACET_EXCEPT : FACET_LISTED;
	rule->facet.rank = rule->except ? RANK_EXCEPT : FACET_RANK_PLAIN;
	if (memchr(line.at, '#', line.len) || (line.len && line.at[0] == '/'))
		return LIST_REJECT_NOT_DNS;
	const uint8_t *dollar = memchr(line.at, '$', line.len);
	rule->pattern = slice_of(line.at, dollar ? (size_t)(dollar - line.at) : line.len);
	if (dollar)
		reject = read_modifiers(
			rule, slice_of(dollar + 1, line.len - rule->pattern.len - 1));
	return reject ? reject : read_pattern(rule);
}

/* The names of $denyallow that say anything for this rule, as wire, one behind another. */
struct denied {
	size_t count;
	struct slice names[DENYALLOW_MAX];
	uint8_t wire[DENYALLOW_WIRE_MAX];
};

static enum list_reject add_denied(
	struct denied *denied, struct writer *to, const struct rule *rule, struct slice text)
{
	struct dns_name name;
	enum list_reject reject = read_name(text, &name);
	if (reject)
		return reject;
	struct slice wire = dns_name_slice(&name);
	if (dns_name_is_under(dns_name_slice(&rule->name), wire))
		return LIST_REJECT_SYNTAX; /* nothing would be left */
	if (rule->kind == PATTERN_EXACT || !dns_name_is_under(wire, dns_name_slice(&rule->name)))
		return LIST_REJECT_NONE;
	if (denied->count == DENYALLOW_MAX)
		return LIST_REJECT_TOO_LONG;
	denied->names[denied->count++] = slice_of(to->at + to->len, wire.len);
	writer_slice_bytes(to, wire);
	return to->failed ? LIST_REJECT_TOO_LONG : LIST_REJECT_NONE;
}

static int compare_names(const void *a, const void *b)
{
	const struct slice *x = a;
	const struct slice *y = b;
	int order = memcmp(x->at, y->at, x->len < y->len ? x->len : y->len);
	return order ? order : (x->len > y->len) - (x->len < y->len);
}

static void sort_denied(struct denied *denied)
{
	size_t kept = 0;
	qsort(denied->names, denied->count, sizeof *denied->names, compare_names);
	for (size_t i = 0; i < denied->count; i++)
		if (i == 0 || !slice_equals(denied->names[i], denied->names[kept - 1]))
			denied->names[kept++] = denied->names[i];
	denied->count = kept;
}

static enum list_reject read_denied(struct denied *denied, const struct rule *rule)
{
	enum list_reject reject = LIST_REJECT_NONE;
	struct writer to = writer_of(denied->wire, sizeof denied->wire);
	struct slice list = rule->denyallow;
	struct slice part;
	while (!reject && take_part(&list, '|', &part))
		reject = add_denied(denied, &to, rule, part);
	sort_denied(denied);
	return reject;
}

/* The same for the same rule, wherever and however it is written. */
static uint64_t group_of(const struct rule *rule, const struct denied *denied)
{
	uint8_t canonical[DENYALLOW_WIRE_MAX + DNS_NAME_MAX + 1];
	struct writer to = writer_of(canonical, sizeof canonical);
	writer_slice_bytes(&to, dns_name_slice(&rule->name));
	writer_u8(&to, (uint8_t)rule->kind);
	for (size_t i = 0; i < denied->count; i++)
		writer_slice_bytes(&to, denied->names[i]);
	uint64_t hash = XXH3_64bits(canonical, to.len);
	return hash ? hash : 1;
}

static enum list_reject tell_with_denied(struct list_reading *reading, struct rule *rule)
{
	struct denied denied;
	denied.count = 0;
	enum list_reject reject = read_denied(&denied, rule);
	if (reject)
		return reject;
	if (denied.count)
		rule->facet.group = group_of(rule, &denied);
	list_tell_facet(reading, &rule->name, rule->kind, &rule->facet);
	struct facet cancel = {
		.effect = FACET_CANCEL, .rank = rule->facet.rank, .group = rule->facet.group
	};
	for (size_t i = 0; i < denied.count; i++) {
		struct dns_name name = { .len = (uint8_t)denied.names[i].len };
		memcpy(name.wire, denied.names[i].at, name.len);
		list_tell_facet(reading, &name, PATTERN_BOTH, &cancel);
	}
	return LIST_REJECT_NONE;
}

/* "0.0.0.0 example.com". */
static bool is_hosts_line(struct slice line)
{
	struct slice word = list_take_word(&line);
	return line.len > 0 && list_is_address(word);
}

static void adblock_read_line(struct list_reading *reading, struct slice line)
{
	line = without_comment(line);
	if (line.len == 0 || read_simple(reading, line))
		return;
	if (is_hosts_line(line)) {
		list_format_hosts.read_line(reading, line);
		return;
	}
	struct rule rule = { .modified = false };
	enum list_reject reject = read_rule(&rule, line);
	if (!reject && rule.denyallow.len)
		reject = tell_with_denied(reading, &rule);
	else if (!reject)
		list_tell_facet(reading, &rule.name, rule.kind, &rule.facet);
	if (reject)
		list_tell_reject(reading, reject, line);
}

static enum list_likeness adblock_resembles(struct slice line)
{
	if (line.at[0] == '!')
		return LIST_NEUTRAL;
	if (list_take_prefix(&line, "||") || list_take_prefix(&line, "@@") ||
		list_take_prefix(&line, "[Adblock") || memmem(line.at, line.len, "##", 2))
		return LIST_SURE;
	bool one_word = !memchr(line.at, ' ', line.len) && !memchr(line.at, '<', line.len);
	return one_word || is_hosts_line(line) ? LIST_POSSIBLE : LIST_FOREIGN;
}

const struct list_format_type list_format_adblock = {
	.name = "adblock",
	.comments = LIST_COMMENTS_OWN,
	.read_line = adblock_read_line,
	.resembles = adblock_resembles,
};
