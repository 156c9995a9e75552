/* unbound.c - the local zones of an unbound.conf (unbound.conf(5), "local-zone" and "local-data"):
 * a zone is its name and everything below, and of two zones that cover a name the longer one
 * counts.
 *
 *   local-zone: "example.com." TYPE    TYPE says what the zone wants, see `types` below; those that
 *                                      resolve as usual are exceptions from this list's other zones
 *   local-data: "example.com. A 192.0.2.1"
 *                                      that name alone has this answer; A, AAAA and CNAME
 *
 * Records of one name belong together when they follow each other, and to their zone when they
 * follow it: those of a `redirect` zone answer for all names below, those of an `always_...` zone
 * are passed over. (unbound passes over records further below such a zone as well; here they
 * answer, which blocks the name all the same.) Zones stand on one line each. "server:" and
 * "nodefault" say nothing; every other setting is left out (LIST_REJECT_NOT_DNS). */
#include "rules/lists/format.h"
#include "rules/lists/records.h"

#include "dns/types.h"

/* What records at the zone's own name do. */
enum data_use {
	DATA_NONE, /* nothing */
	DATA_NAME, /* answer for the name; the zone is what lies below */
	DATA_ZONE, /* answer for the whole zone */
};

static const struct zone_type {
	const char *name;
	enum facet_effect effect;
	enum given given;
	enum data_use data;
} types[] = {
	{ "always_nxdomain", FACET_LISTED, GIVEN_NXDOMAIN, DATA_NONE },
	{ "always_null", FACET_LISTED, GIVEN_RECORDS, DATA_NONE },
	{ "redirect", FACET_LISTED, GIVEN_NODATA, DATA_ZONE },
	{ "static", FACET_LISTED, GIVEN_NXDOMAIN, DATA_NAME },
	{ "always_nodata", FACET_LISTED, GIVEN_NODATA, DATA_NONE },
	{ "refuse", FACET_LISTED, GIVEN_REFUSED, DATA_NAME },
	{ "always_refuse", FACET_LISTED, GIVEN_REFUSED, DATA_NONE },
	{ "deny", FACET_LISTED, GIVEN_DROP, DATA_NAME },
	{ "always_deny", FACET_LISTED, GIVEN_DROP, DATA_NONE },
	{ "inform_deny", FACET_LISTED, GIVEN_DROP, DATA_NAME },
	{ "inform_redirect", FACET_LISTED, GIVEN_NODATA, DATA_ZONE },
	{ "transparent", FACET_EXCEPT, GIVEN_NOTHING, DATA_NAME },
	{ "typetransparent", FACET_EXCEPT, GIVEN_NOTHING, DATA_NAME },
	{ "always_transparent", FACET_EXCEPT, GIVEN_NOTHING, DATA_NONE },
	{ "inform", FACET_EXCEPT, GIVEN_NOTHING, DATA_NAME },
};

/* What has been read and not been told, because the next line may belong to it. */
struct pending {
	bool any;
	uint32_t line;
	struct dns_name name;
	const struct zone_type *type; /* NULL: only records */
	struct records records;
};

static struct facet facet_of_zone(const struct zone_type *type)
{
	if (type->given == GIVEN_RECORDS)
		return records_null_facet;
	return (struct facet){
		.rank = FACET_RANK_PLAIN, .effect = type->effect, .given = type->given
	};
}

/* The records, and the zone as far as they leave something of it. */
static void tell_zone(struct list_reading *reading, const struct pending *pending)
{
	const struct zone_type *type = pending->type;
	enum data_use use = type ? type->data : DATA_NAME;
	bool has_data = use != DATA_NONE && pending->records.len > 0;
	struct facet data = { .rank = FACET_RANK_PLAIN,
		.given = GIVEN_RECORDS,
		.records = records_slice(&pending->records) };
	if (has_data)
		list_tell_facet(reading, &pending->name,
			use == DATA_ZONE ? PATTERN_BOTH : PATTERN_EXACT, &data);
	if (!type || (has_data && use == DATA_ZONE))
		return;
	struct facet zone = facet_of_zone(type);
	list_tell_facet(reading, &pending->name, has_data ? PATTERN_BELOW : PATTERN_BOTH, &zone);
}

static void tell_pending(struct list_reading *reading, struct pending *pending)
{
	uint32_t line = reading->line;
	if (!pending->any)
		return;
	reading->line = pending->line;
	tell_zone(reading, pending);
	reading->line = line;
	pending->any = false;
}

static void begin_pending(struct list_reading *reading, struct pending *pending,
	const struct dns_name *name, const struct zone_type *type)
{
	tell_pending(reading, pending);
	pending->any = true;
	pending->line = reading->line;
	pending->name.len = name->len;
	memcpy(pending->name.wire, name->wire, name->len);
	pending->type = type;
	pending->records.len = 0;
}

/* A word, or what stands in quotes of either kind. False when there is none, or no second quote. */
static bool take_value(struct slice *line, struct slice *value)
{
	*line = list_trim(*line);
	if (line->len == 0)
		return false;
	uint8_t quote = line->at[0];
	if (quote != '"' && quote != '\'') {
		*value = list_take_word(line);
		return true;
	}
	const uint8_t *end = memchr(line->at + 1, quote, line->len - 1);
	if (!end)
		return false;
	*value = slice_of(line->at + 1, (size_t)(end - line->at - 1));
	*line = slice_of(end + 1, line->len - value->len - 2);
	return true;
}

static enum list_reject read_zone_name(struct slice text, struct dns_name *name)
{
	*name = (struct dns_name){ .len = 1 };
	return slice_equals_text(text, ".") ? LIST_REJECT_NONE : list_read_name(text, name);
}

static const struct zone_type *find_type(struct slice text)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (slice_equals_text(text, types[i].name))
			return &types[i];
	return NULL;
}

static enum list_reject read_zone(
	struct list_reading *reading, struct pending *pending, struct slice line)
{
	struct slice text;
	struct slice type_text;
	struct dns_name name;
	if (!take_value(&line, &text) || !take_value(&line, &type_text) || list_trim(line).len)
		return LIST_REJECT_SYNTAX;
	enum list_reject reject = read_zone_name(text, &name);
	const struct zone_type *type = find_type(type_text);
	if (reject || slice_equals_text(type_text, "nodefault"))
		return reject;
	if (!type)
		return LIST_REJECT_NOT_DNS;
	begin_pending(reading, pending, &name, type);
	return LIST_REJECT_NONE;
}

static bool read_ttl(struct slice word, uint32_t *ttl_s)
{
	uint32_t value = 0;
	for (size_t i = 0; i < word.len; i++) {
		if (word.at[i] < '0' || word.at[i] > '9' || value > INT32_MAX / 10 - 1)
			return false;
		value = value * 10 + word.at[i] - '0';
	}
	*ttl_s = value;
	return word.len > 0;
}

static bool is_class_in(struct slice word)
{
	return word.len == 2 && (word.at[0] | 0x20) == 'i' && (word.at[1] | 0x20) == 'n';
}

struct record {
	struct dns_name owner;
	uint16_t type;
	uint32_t ttl_s;
	struct slice rdata; /* text */
};

/* "example.com. 3600 IN A 192.0.2.1". */
static enum list_reject read_record(struct slice text, struct record *record)
{
	struct slice owner = list_take_word(&text);
	struct slice word = list_take_word(&text);
	enum list_reject reject = read_zone_name(owner, &record->owner);
	if (reject)
		return reject;
	record->ttl_s = RECORDS_TTL_S;
	if (read_ttl(word, &record->ttl_s))
		word = list_take_word(&text);
	if (is_class_in(word))
		word = list_take_word(&text);
	record->rdata = list_trim(text);
	return dns_type_parse(word, &record->type) ? LIST_REJECT_NONE : LIST_REJECT_ANSWER;
}

static bool add_record(struct records *records, const struct record *record)
{
	struct dns_name target;
	bool colon = memchr(record->rdata.at, ':', record->rdata.len) != NULL;
	switch (record->type) {
	case DNS_TYPE_A:
		return !colon && records_add_address(records, record->rdata, record->ttl_s);
	case DNS_TYPE_AAAA:
		return colon && records_add_address(records, record->rdata, record->ttl_s);
	case DNS_TYPE_CNAME:
		return list_read_name(record->rdata, &target) == LIST_REJECT_NONE &&
			records_add(
				records, DNS_TYPE_CNAME, record->ttl_s, dns_name_slice(&target));
	default: return false;
	}
}

static enum list_reject read_data(
	struct list_reading *reading, struct pending *pending, struct slice line)
{
	struct slice text;
	struct record record;
	if (!take_value(&line, &text) || list_trim(line).len)
		return LIST_REJECT_SYNTAX;
	enum list_reject reject = read_record(text, &record);
	if (reject)
		return reject;
	if (!pending->any ||
		!slice_equals(dns_name_slice(&pending->name), dns_name_slice(&record.owner)))
		begin_pending(reading, pending, &record.owner, NULL);
	bool added = add_record(&pending->records, &record);
	if (!added && !pending->type && pending->records.len == 0)
		pending->any = false;
	return added ? LIST_REJECT_NONE : LIST_REJECT_ANSWER;
}

/* "word: value", or a clause: "word:". */
static bool is_setting(struct slice word)
{
	if (!list_take_suffix(&word, ":") || word.len == 0)
		return false;
	for (size_t i = 0; i < word.len; i++)
		if (word.at[i] != '-' && (word.at[i] < 'a' || word.at[i] > 'z'))
			return false;
	return true;
}

static enum list_reject read_setting(
	struct list_reading *reading, struct pending *pending, struct slice line)
{
	struct slice rest = line;
	struct slice word = list_take_word(&rest);
	if (slice_equals_text(word, "server:")) {
		if (list_trim(rest).len == 0)
			return LIST_REJECT_NONE;
		word = list_take_word(&rest);
	}
	if (slice_equals_text(word, "local-zone:"))
		return read_zone(reading, pending, rest);
	if (slice_equals_text(word, "local-data:"))
		return read_data(reading, pending, rest);
	return is_setting(word) ? LIST_REJECT_NOT_DNS : LIST_REJECT_SYNTAX;
}

static void read_line(struct list_reading *reading, struct pending *pending, struct slice line)
{
	enum list_reject reject = line.len > LIST_LINE_MAX ? LIST_REJECT_TOO_LONG
							   : read_setting(reading, pending, line);
	if (!reject)
		return;
	tell_pending(reading, pending); /* so that lines are told in their order */
	list_tell_reject(reading, reject, line);
}

static void unbound_read_text(struct list_reading *reading, struct slice text)
{
	struct pending pending;
	struct slice line;
	pending.any = false;
	while (!reading->error && list_take_line(&text, LIST_COMMENTS_APART, &line)) {
		reading->line++;
		if (line.len > 0)
			read_line(reading, &pending, line);
	}
	tell_pending(reading, &pending);
}

static enum list_likeness unbound_resembles(struct slice line)
{
	struct slice word = list_take_word(&line);
	if (slice_equals_text(word, "local-zone:") || slice_equals_text(word, "local-data:"))
		return LIST_SURE;
	return is_setting(word) ? LIST_POSSIBLE : LIST_FOREIGN;
}

const struct list_format_type list_format_unbound = {
	.name = "unbound",
	.read_text = unbound_read_text,
	.resembles = unbound_resembles,
};
