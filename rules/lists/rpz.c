/* rpz.c - response policy zones (draft-vixie-dnsops-dns-rpz-00): DNS zones whose owners are
 * triggers and whose records are what to do.
 *
 * Triggers: a name itself; "*.name", everything below it; "32.1.2.0.192.rpz-ip", an address in the
 * answer. Of the entries that cover a name the closest counts. The client's address and the
 * addresses and names of name servers (rpz-client-ip, rpz-nsip, rpz-nsdname) are named and left
 * out: namegate asks resolvers and never sees a delegation.
 *
 * What to do, by the target of a CNAME: "." NXDOMAIN, "*." NODATA, "rpz-passthru." or the trigger
 * itself nothing, "rpz-drop." no answer, "rpz-tcp-only." come again over TCP; another target that
 * ends in rpz-... is none that we know. Every other record is the answer itself.
 *
 * Owners end in the zone's name, which is cut off: it is the owner of the SOA, or what $ORIGIN
 * says. Lists are often published with neither ("@ SOA" and relative owners): then it is the
 * root. What stands at the zone's own name is about the zone, and nothing here. */
#include "rules/lists/format.h"

#include "base/error.h"
#include "dns/types.h"
#include "rules/lists/rpz_answers.h"
#include "rules/lists/rpz_trigger.h"
#include "rules/lists/zone_rdata.h"
#include "rules/lists/zone_text.h"

/* Of the last record, and so of those behind it that name none. */
enum owner_state { OWNER_UNKNOWN, OWNER_REJECTED, OWNER_FINE };

struct rpz {
	struct list_reading *reading;
	struct zone_text zone;
	struct dns_name apex; /* the zone's name */
	bool has_apex;        /* for good, but for what a SOA says */
	bool has_soa;
	bool is_origin_apex; /* then what is relative is a trigger as it stands */
	enum owner_state owner_state;
	enum list_reject owner_reject;
	struct rpz_trigger owner;
	struct rpz_answers answers;
};

/* --- what to do --- */

static const struct facet nxdomain = { .rank = FACET_RANK_PLAIN, .given = GIVEN_NXDOMAIN };
static const struct facet nodata = { .rank = FACET_RANK_PLAIN, .given = GIVEN_NODATA };
static const struct facet passthru = { .rank = FACET_RANK_PLAIN, .effect = FACET_PASS };
static const struct facet drop = { .rank = FACET_RANK_PLAIN, .given = GIVEN_DROP };
static const struct facet tcp_only = { .rank = FACET_RANK_PLAIN, .given = GIVEN_TCP_ONLY };

/* A wire name that is written as text, with its final zero. */
#define WIRE(text)                                                                                 \
	{                                                                                          \
		(const uint8_t *)(text), sizeof(text)                                              \
	}

static const struct {
	struct slice target;
	const struct facet *facet;
} actions[] = {
	{ WIRE(""), &nxdomain },
	{ WIRE("\1*"), &nodata },
	{ WIRE("\14rpz-passthru"), &passthru },
	{ WIRE("\10rpz-drop"), &drop },
	{ WIRE("\14rpz-tcp-only"), &tcp_only },
};

static const struct facet *action_of(struct slice target)
{
	for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
		if (dns_name_equals(target, actions[i].target))
			return actions[i].facet;
	return NULL;
}

/* Reserved for actions to come (section 3 of the draft): whoever writes one of them does not mean
 * an answer. */
static bool is_reserved(struct slice target)
{
	uint8_t offsets[DNS_NAME_LABELS_MAX];
	size_t count = dns_name_labels(target, offsets);
	if (count == 0 || target.at[offsets[count - 1]] < 4)
		return false;
	uint8_t front[4];
	dns_name_lower(front, target.at + offsets[count - 1] + 1, sizeof front);
	return memcmp(front, "rpz-", sizeof front) == 0;
}

static void tell(struct rpz *rpz, const struct rpz_trigger *owner, const struct facet *facet)
{
	if (owner->kind == RPZ_TRIGGER_NETWORK)
		list_tell_network(rpz->reading, &owner->network, facet);
	else
		list_tell_facet(rpz->reading, &owner->name,
			owner->kind == RPZ_TRIGGER_BELOW ? PATTERN_BELOW : PATTERN_EXACT, facet);
}

static void tell_records(struct rpz *rpz, const struct rpz_trigger *owner, struct slice records)
{
	const struct facet facet = {
		.rank = FACET_RANK_PLAIN, .given = GIVEN_RECORDS, .records = records
	};
	tell(rpz, owner, &facet);
}

/* --- owners --- */

static bool is_ascii(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] >= 0x80)
			return false;
	return true;
}

/* A name that is not relative to the zone's own name, or that has bytes which only a zone may have:
 * put together, cut, and looked at as every list's names are. */
static enum list_reject read_whole_name(struct rpz *rpz, struct slice text, struct dns_name *name)
{
	char cut[DNS_NAME_TEXT_MAX];
	struct dns_name whole;
	if (!is_ascii(text))
		return LIST_REJECT_NOT_ASCII;
	if (!zone_name_read(&whole, text, &rpz->zone.origin))
		return LIST_REJECT_NOT_A_NAME;
	if (!dns_name_is_under(dns_name_slice(&whole), dns_name_slice(&rpz->apex)))
		return LIST_REJECT_SYNTAX;
	whole.len = (uint8_t)(whole.len - rpz->apex.len + 1);
	whole.wire[whole.len - 1] = 0;
	if (whole.len == 1) {
		*name = (struct dns_name){ .len = 1 };
		return LIST_REJECT_NONE;
	}
	/* An asterisk that is not the first label is one of the name's bytes. */
	struct writer to = writer_of(cut, sizeof cut);
	list_pattern_write_text(&to, dns_name_slice(&whole), PATTERN_EXACT);
	return to.failed ? LIST_REJECT_TOO_LONG : list_read_name(writer_slice(&to), name);
}

/* The same for what a zone transfer has, a line of a million: an absolute name of plain letters.
 * False when it is something else. */
static bool read_absolute_name(struct rpz *rpz, struct slice text, struct dns_name *name)
{
	uint8_t offsets[DNS_NAME_LABELS_MAX];
	if (!zone_name_is_absolute(text) || list_read_name(text, name) != LIST_REJECT_NONE)
		return false;
	if (!dns_name_is_under(dns_name_slice(name), dns_name_slice(&rpz->apex)))
		return false;
	name->len = (uint8_t)(name->len - rpz->apex.len + 1);
	name->wire[name->len - 1] = 0;
	size_t count = dns_name_labels(dns_name_slice(name), offsets);
	/* It may end in a number now. */
	return count > 0 && name->wire[offsets[count - 1] + 1] > '9';
}

/* Is the text, relative or not, what it is to other lists? */
static bool is_short(const struct rpz *rpz, struct slice text)
{
	bool is_dotted = text.len > 0 && text.at[text.len - 1] == '.';
	return rpz->is_origin_apex && (!is_dotted || rpz->apex.len == 1);
}

static enum list_reject read_name(struct rpz *rpz, struct slice text, struct dns_name *name)
{
	enum list_reject reject = LIST_REJECT_NOT_A_NAME;
	if (is_short(rpz, text))
		reject = list_read_name(text, name);
	else if (read_absolute_name(rpz, text, name))
		reject = LIST_REJECT_NONE;
	if (reject == LIST_REJECT_NOT_A_NAME || reject == LIST_REJECT_ASTERISK)
		reject = read_whole_name(rpz, text, name);
	return reject;
}

/* "*" alone is relative, as "@" is. */
static void read_owner(struct rpz *rpz, struct slice text)
{
	struct rpz_trigger *owner = &rpz->owner;
	bool is_below = list_take_asterisk(&text);
	enum list_reject reject =
		read_name(rpz, text.len ? text : slice_of_text("@"), &owner->name);
	if (!reject)
		reject = rpz_trigger_settle(owner, is_below);
	rpz->owner_reject = reject;
	rpz->owner_state = reject ? OWNER_REJECTED : OWNER_FINE;
}

/* --- the zone's own name --- */

static void note_origin(struct rpz *rpz, bool is_record)
{
	if (!rpz->has_apex && rpz->zone.has_origin)
		rpz->apex = rpz->zone.origin;
	rpz->has_apex = rpz->has_apex || rpz->zone.has_origin || is_record;
	rpz->is_origin_apex =
		dns_name_equals(dns_name_slice(&rpz->zone.origin), dns_name_slice(&rpz->apex));
}

/* The first SOA knows best; without $ORIGIN, relative names are relative to its owner (as they are
 * to the name under which a name server has the zone). */
static void note_soa(struct rpz *rpz, struct slice owner)
{
	struct dns_name name;
	if (rpz->has_soa || !zone_name_read(&name, owner, &rpz->zone.origin))
		return;
	dns_name_lower(rpz->apex.wire, name.wire, name.len);
	rpz->apex.len = name.len;
	rpz->has_apex = true;
	rpz->has_soa = true;
	if (!rpz->zone.has_origin)
		rpz->zone.origin = rpz->apex;
	note_origin(rpz, true);
}

/* --- records --- */

/* What signs a zone is about the zone (section 2 of the draft). */
static bool is_of_zone(uint16_t type)
{
	static const uint16_t types[] = { DNS_TYPE_SOA, DNS_TYPE_RRSIG, DNS_TYPE_NSEC,
		DNS_TYPE_NSEC3, DNS_TYPE_NSEC3PARAM, DNS_TYPE_DNSKEY, DNS_TYPE_ZONEMD };
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (types[i] == type)
			return true;
	return false;
}

static void read_cname(struct rpz *rpz, const struct zone_entry *entry, struct slice target)
{
	const struct facet *facet = action_of(target);
	uint8_t record[8 + DNS_NAME_MAX];
	if (!facet && rpz_trigger_is(&rpz->owner, target))
		facet = &passthru;
	if (facet) {
		tell(rpz, &rpz->owner, facet);
		return;
	}
	if (is_reserved(target)) {
		list_tell_reject(rpz->reading, LIST_REJECT_ANSWER, entry->text);
		return;
	}
	struct writer to = writer_of(record, sizeof record);
	writer_u16(&to, DNS_TYPE_CNAME);
	writer_u32(&to, entry->ttl_s);
	writer_u16(&to, (uint16_t)target.len);
	writer_slice_bytes(&to, target);
	tell_records(rpz, &rpz->owner, writer_slice(&to));
}

static void keep_record(struct rpz *rpz, const struct zone_entry *entry, struct slice rdata)
{
	const struct rpz_trigger *owner = &rpz->owner;
	struct rpz_owner_key key = { (uint8_t)owner->kind, dns_name_slice(&owner->name) };
	int error = rpz_answers_add(
		&rpz->answers, &key, entry->line, entry->text.at, entry->type, entry->ttl_s, rdata);
	if (error == ERR_TOO_LONG)
		list_tell_reject(rpz->reading, LIST_REJECT_TOO_MANY, entry->text);
	else if (error)
		rpz->reading->error = error;
}

static void read_data(struct rpz *rpz, const struct zone_entry *entry)
{
	uint8_t rdata[FACET_RECORDS_MAX];
	struct writer to = writer_of(rdata, sizeof rdata);
	if (!zone_rdata_read(&to, entry->type, entry->rdata, entry->rdata_count, &rpz->zone.origin))
		list_tell_reject(rpz->reading, LIST_REJECT_ANSWER, entry->text);
	else if (entry->type == DNS_TYPE_CNAME)
		read_cname(rpz, entry, writer_slice(&to));
	else
		keep_record(rpz, entry, writer_slice(&to));
}

static void read_entry(struct rpz *rpz, const struct zone_entry *entry)
{
	rpz->reading->line = entry->line;
	note_origin(rpz, !entry->fault);
	if (entry->type == DNS_TYPE_SOA && !entry->fault)
		note_soa(rpz, entry->owner);
	if (entry->is_owner_unknown)
		rpz->owner_state = OWNER_UNKNOWN;
	else if (entry->owner.len > 0)
		read_owner(rpz, entry->owner);
	if (entry->fault)
		list_tell_reject(rpz->reading, entry->fault, entry->text);
	else if (rpz->owner_state == OWNER_UNKNOWN)
		list_tell_reject(rpz->reading, LIST_REJECT_SYNTAX, entry->text);
	else if (rpz->owner_state == OWNER_REJECTED)
		list_tell_reject(rpz->reading, rpz->owner_reject, entry->text);
	else if (rpz->owner.kind != RPZ_TRIGGER_APEX && !is_of_zone(entry->type))
		read_data(rpz, entry);
}

/* --- the short way --- */

static size_t skip_blanks(struct slice text, size_t at)
{
	while (at < text.len && (text.at[at] == ' ' || text.at[at] == '\t'))
		at++;
	return at;
}

static bool take_word(struct slice text, size_t *at, const char *word, size_t len)
{
	if (text.len - *at <= len || memcmp(text.at + *at, word, len) != 0)
		return false;
	size_t behind = skip_blanks(text, *at + len);
	if (behind == *at + len)
		return false;
	*at = behind;
	return true;
}

/* "name CNAME ." and "name IN CNAME .", nearly every line of nearly every list, without taking it
 * apart. False when it is another one, or one that the long way knows better; then nothing has
 * happened. */
static bool read_plain_line(struct rpz *rpz)
{
	struct slice text = rpz->zone.rest;
	struct rpz_trigger *owner = &rpz->owner;
	size_t at = 0;
	while (at < text.len && text.at[at] != ' ' && text.at[at] != '\t' && text.at[at] != '\n')
		at++;
	struct slice name = slice_of(text.at, at);
	at = skip_blanks(text, at);
	take_word(text, &at, "IN", 2);
	if (!take_word(text, &at, "CNAME", 5) || at == text.len || text.at[at] != '.')
		return false;
	at = skip_blanks(text, at + 1);
	at += at < text.len && text.at[at] == '\r';
	if (at < text.len && text.at[at] != '\n')
		return false;
	if (name.len == 0 || name.at[0] == '$' || name.at[0] == ';')
		return false; /* no owner; from here on, the long way finds this line's owner again
			       */
	bool is_below = list_take_asterisk(&name);
	if (!is_short(rpz, name) || list_read_name(name, &owner->name) != LIST_REJECT_NONE)
		return false;
	if (rpz_trigger_settle(owner, is_below) || owner->kind == RPZ_TRIGGER_NETWORK)
		return false;
	rpz->owner_state = OWNER_FINE;
	rpz->reading->line = rpz->zone.line;
	rpz->zone.line += at < text.len;
	at += at < text.len;
	rpz->zone.rest = slice_of(text.at + at, text.len - at);
	tell(rpz, owner, &nxdomain);
	return true;
}

/* --- the whole --- */

static void on_answer(
	void *context, const struct rpz_owner_key *key, uint32_t line, struct slice records)
{
	struct rpz *rpz = context;
	struct rpz_trigger owner;
	rpz->reading->line = line;
	owner.name.len = (uint8_t)key->name.len;
	memcpy(owner.name.wire, key->name.at, key->name.len);
	rpz_trigger_settle(&owner, key->kind == RPZ_TRIGGER_BELOW);
	tell_records(rpz, &owner, records);
}

static void on_left_out(void *context, uint32_t line, const uint8_t *line_at)
{
	struct rpz *rpz = context;
	const uint8_t *newline = memchr(line_at, '\n', (size_t)(rpz->zone.rest.at - line_at));
	size_t len = (size_t)((newline ? newline : rpz->zone.rest.at) - line_at);
	rpz->reading->line = line;
	list_tell_reject(rpz->reading, LIST_REJECT_ANSWER, slice_of(line_at, len));
}

static void rpz_read_text(struct list_reading *reading, struct slice text)
{
	struct rpz rpz = { .reading = reading, .apex = { .len = 1 } };
	struct zone_entry entry;
	const struct rpz_answers_sink sink = { on_answer, on_left_out, &rpz };
	zone_text_begin(&rpz.zone, text);
	while (!reading->error) {
		if (rpz.is_origin_apex && read_plain_line(&rpz))
			continue;
		if (!zone_text_next(&rpz.zone, &entry))
			break;
		read_entry(&rpz, &entry);
	}
	if (!reading->error)
		rpz_answers_tell(&rpz.answers, &sink);
	rpz_answers_deinit(&rpz.answers);
}

/* "name [TTL] [IN] CNAME target": no other format has such lines but unbound, whose are quoted. Of
 * other records and of the numbers of a SOA nothing is to be learned. */
static enum list_likeness rpz_resembles(struct slice line)
{
	if (line.at[0] == ';' || list_take_prefix(&line, "@ "))
		return LIST_NEUTRAL;
	if (list_take_prefix(&line, "$TTL ") || list_take_prefix(&line, "$ORIGIN "))
		return LIST_SURE;
	uint16_t type = 0;
	struct slice word = list_take_word(&line);
	if (zone_ttl_read(word, &(uint32_t){ 0 }) || dns_type_parse(word, &type) ||
		word.at[0] == ')')
		return LIST_NEUTRAL;
	if (word.at[word.len - 1] == ':')
		return LIST_FOREIGN;
	for (unsigned i = 0; i < 3 && line.len > 0; i++) {
		word = list_take_word(&line);
		if (dns_type_parse(word, &type))
			break;
	}
	if (type == 0 || line.len == 0)
		return LIST_FOREIGN;
	return type == DNS_TYPE_CNAME ? LIST_SURE : LIST_NEUTRAL;
}

const struct list_format_type list_format_rpz = {
	.name = "rpz",
	.read_text = rpz_read_text,
	.resembles = rpz_resembles,
};
