#include "rules/lists/zone_text.h"

#include "dns/types.h"

#include <strings.h>

void zone_text_begin(struct zone_text *zone, struct slice text)
{
	zone->rest = text;
	zone->line = 1;
	zone->origin = (struct dns_name){ .len = 1 };
	zone->has_origin = false;
	zone->has_ttl = false;
	zone->is_ttl_said = false;
	zone->ttl_s = ZONE_TTL_DEFAULT_S;
	zone->word_count = 0;
}

/* --- names and numbers --- */

bool zone_name_is_absolute(struct slice text)
{
	size_t escapes = 0;
	if (text.len == 0 || text.at[text.len - 1] != '.')
		return false;
	while (escapes + 1 < text.len && text.at[text.len - 2 - escapes] == '\\')
		escapes++;
	return escapes % 2 == 0;
}

bool zone_name_read(struct dns_name *name, struct slice text, const struct dns_name *origin)
{
	bool is_absolute = zone_name_is_absolute(text);
	if (!is_absolute && origin->len == 0)
		return false;
	if (slice_equals_text(text, "@")) {
		*name = *origin;
		return true;
	}
	if (!dns_name_from_text(name, text))
		return false;
	if (is_absolute)
		return true;
	if (name->len - 1u + origin->len > DNS_NAME_MAX)
		return false;
	memcpy(name->wire + name->len - 1, origin->wire, origin->len);
	name->len = (uint8_t)(name->len - 1 + origin->len);
	return true;
}

static uint32_t seconds_of_unit(uint8_t unit)
{
	static const struct {
		char unit;
		uint32_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (dns_lower(unit) == units[i].unit)
			return units[i].seconds;
	return 0;
}

bool zone_ttl_read(struct slice text, uint32_t *ttl_s)
{
	uint64_t sum = 0;
	uint64_t number = 0;
	bool has_digit = false;
	for (size_t i = 0; i < text.len && sum + number <= ZONE_TTL_MAX_S; i++) {
		uint8_t byte = text.at[i];
		if (byte >= '0' && byte <= '9') {
			number = number * 10 + (byte - '0');
			has_digit = true;
			continue;
		}
		uint32_t seconds = seconds_of_unit(byte);
		if (seconds == 0 || !has_digit)
			return false;
		sum += number * seconds;
		number = 0;
		has_digit = i + 1 == text.len; /* the last unit ends the text */
	}
	*ttl_s = (uint32_t)(sum + number);
	return has_digit && sum + number <= ZONE_TTL_MAX_S;
}

/* --- words --- */

struct cursor {
	const uint8_t *at;
	const uint8_t *end;
	uint32_t lines; /* that ended */
	unsigned depth; /* of parentheses */
	size_t word_bytes;
};

static bool is_blank(uint8_t byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r';
}

static const bool ends_word[256] = {
	[' '] = true,
	['\t'] = true,
	['\r'] = true,
	['\n'] = true,
	[';'] = true,
	['('] = true,
	[')'] = true,
};

static void skip_line(struct cursor *cursor)
{
	const uint8_t *newline = memchr(cursor->at, '\n', (size_t)(cursor->end - cursor->at));
	cursor->at = newline ? newline : cursor->end;
}

/* An escape takes the byte behind it along, but not a line's end. */
static bool skip_byte(struct cursor *cursor)
{
	if (*cursor->at++ != '\\')
		return true;
	if (cursor->at == cursor->end || *cursor->at == '\n')
		return false;
	cursor->at++;
	return true;
}

static enum list_reject take_word(struct zone_text *zone, struct cursor *cursor)
{
	bool is_quoted = *cursor->at == '"';
	const uint8_t *start = cursor->at += is_quoted;
	while (cursor->at < cursor->end) {
		if (is_quoted ? *cursor->at == '"' || *cursor->at == '\n' : ends_word[*cursor->at])
			break;
		if (!skip_byte(cursor))
			return LIST_REJECT_SYNTAX;
	}
	size_t len = (size_t)(cursor->at - start);
	if (is_quoted && (cursor->at == cursor->end || *cursor->at++ != '"'))
		return LIST_REJECT_SYNTAX;
	cursor->word_bytes += len;
	if (zone->word_count == ZONE_WORDS_MAX || cursor->word_bytes > LIST_LINE_MAX)
		return LIST_REJECT_TOO_LONG;
	zone->words[zone->word_count++] = (struct zone_word){ slice_of(start, len), is_quoted };
	return LIST_REJECT_NONE;
}

/* All words up to the end of the entry, behind which the cursor is then. */
static enum list_reject take_words(struct zone_text *zone, struct cursor *cursor)
{
	enum list_reject fault = LIST_REJECT_NONE;
	zone->word_count = 0;
	while (!fault && cursor->at < cursor->end) {
		uint8_t byte = *cursor->at;
		if (is_blank(byte)) {
			cursor->at++;
		} else if (byte == ';') {
			skip_line(cursor);
		} else if (byte == '\n') {
			cursor->at++;
			cursor->lines++;
			if (cursor->depth == 0)
				return LIST_REJECT_NONE;
			if (cursor->lines == ZONE_ENTRY_LINES_MAX)
				return LIST_REJECT_SYNTAX;
		} else if (byte == '(') {
			cursor->at++;
			cursor->depth++;
		} else if (byte == ')') {
			cursor->at++;
			if (cursor->depth-- == 0)
				return LIST_REJECT_SYNTAX;
		} else {
			fault = take_word(zone, cursor);
		}
	}
	return fault ? fault : cursor->depth ? LIST_REJECT_SYNTAX : LIST_REJECT_NONE;
}

/* --- entries --- */

static enum list_reject obey_origin(struct zone_text *zone, const struct zone_word *word)
{
	struct dns_name name;
	if (word->is_quoted || !zone_name_read(&name, word->text, &zone->origin)) {
		zone->origin.len = 0;
		return LIST_REJECT_NOT_A_NAME;
	}
	dns_name_lower(zone->origin.wire, name.wire, name.len);
	zone->origin.len = name.len;
	zone->has_origin = true;
	return LIST_REJECT_NONE;
}

static enum list_reject obey_ttl(struct zone_text *zone, const struct zone_word *word)
{
	uint32_t ttl_s;
	if (!zone_ttl_read(word->text, &ttl_s))
		return LIST_REJECT_SYNTAX;
	zone->ttl_s = ttl_s;
	zone->has_ttl = true;
	zone->is_ttl_said = true;
	return LIST_REJECT_NONE;
}

static enum list_reject obey(struct zone_text *zone)
{
	static const struct {
		const char *name;
		enum list_reject (*obey)(struct zone_text *zone, const struct zone_word *word);
	} rows[] = {
		{ "$ORIGIN", obey_origin },
		{ "$TTL", obey_ttl },
	};
	struct slice name = zone->words[0].text;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (name.len == strlen(rows[i].name) &&
			strncasecmp((const char *)name.at, rows[i].name, name.len) == 0)
			return zone->word_count == 2 ? rows[i].obey(zone, &zone->words[1])
						     : LIST_REJECT_SYNTAX;
	return LIST_REJECT_SYNTAX;
}

static bool is_class(struct slice text, const char *name)
{
	return text.len == strlen(name) && strncasecmp((const char *)text.at, name, text.len) == 0;
}

/* TTL and class, each at most once and in either order (RFC 1035 5.1), then the type. */
static enum list_reject read_head(struct zone_text *zone, struct zone_entry *entry, size_t at)
{
	bool has_ttl = false;
	bool has_class = false;
	for (; at < zone->word_count && !zone->words[at].is_quoted; at++) {
		struct slice text = zone->words[at].text;
		if (!has_ttl && zone_ttl_read(text, &entry->ttl_s))
			has_ttl = true;
		else if (!has_class && (is_class(text, "IN") || is_class(text, "CLASS1")))
			has_class = true;
		else
			break;
	}
	if (at == zone->word_count || zone->words[at].is_quoted ||
		!dns_type_parse(zone->words[at].text, &entry->type))
		return LIST_REJECT_SYNTAX;
	entry->rdata = zone->words + at + 1;
	entry->rdata_count = zone->word_count - at - 1;
	if (!has_ttl)
		entry->ttl_s = zone->ttl_s;
	else if (!zone->is_ttl_said) {
		zone->ttl_s = entry->ttl_s;
		zone->has_ttl = true;
	}
	return LIST_REJECT_NONE;
}

/* The last resort of RFC 1035 and what BIND does: the SOA's last number. */
static void note_minimum(struct zone_text *zone, const struct zone_entry *entry)
{
	uint32_t ttl_s;
	if (zone->has_ttl || entry->type != DNS_TYPE_SOA || entry->rdata_count == 0)
		return;
	if (zone_ttl_read(entry->rdata[entry->rdata_count - 1].text, &ttl_s))
		zone->ttl_s = ttl_s;
}

static enum list_reject read_record(struct zone_text *zone, struct zone_entry *entry, bool owned)
{
	if (owned && zone->words[0].is_quoted)
		return LIST_REJECT_SYNTAX;
	if (owned)
		entry->owner = zone->words[0].text;
	entry->is_owner_unknown = false;
	enum list_reject fault = read_head(zone, entry, owned);
	if (!fault)
		note_minimum(zone, entry);
	return fault;
}

static struct slice first_line(const uint8_t *at, const uint8_t *end)
{
	const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
	end = newline ? newline : end;
	while (end > at && is_blank(end[-1]))
		end--;
	while (at < end && is_blank(*at))
		at++;
	return slice_of(at, (size_t)(end - at));
}

/* An entry that was taken apart is behind us; of one that was not, its first line. */
static void move_on(struct zone_text *zone, struct cursor *cursor, bool is_fault)
{
	const uint8_t *at = cursor->at;
	uint32_t lines = cursor->lines;
	if (is_fault) {
		const uint8_t *newline = memchr(zone->rest.at, '\n', zone->rest.len);
		at = newline ? newline + 1 : cursor->end;
		lines = 1;
	}
	zone->rest = slice_of(at, (size_t)(cursor->end - at));
	zone->line += lines;
}

bool zone_text_next(struct zone_text *zone, struct zone_entry *entry)
{
	while (zone->rest.len > 0) {
		const uint8_t *start = zone->rest.at;
		struct cursor cursor = { .at = start, .end = start + zone->rest.len };
		bool owned = !is_blank(*start);
		*entry = (struct zone_entry){ .line = zone->line, .is_owner_unknown = true };
		entry->fault = take_words(zone, &cursor);
		move_on(zone, &cursor, entry->fault != LIST_REJECT_NONE);
		if (!entry->fault && zone->word_count == 0)
			continue;
		bool is_directive = owned && !entry->fault && !zone->words[0].is_quoted &&
			zone->words[0].text.at[0] == '$';
		if (is_directive) {
			entry->fault = obey(zone);
			entry->is_owner_unknown = false;
			if (!entry->fault)
				continue;
		} else if (!entry->fault) {
			entry->fault = read_record(zone, entry, owned);
		}
		entry->text = first_line(start, cursor.end);
		return true;
	}
	return false;
}
