/* expect_answer.c - the answer in an expectation: from records as zone files have them, one a text,
 * to the DNS message that an upstream would send. The owner may be left out: then it is the name
 * that was asked for, and behind a CNAME or DNAME what that leads to. So may TTL and class. */
#include "proxy/config/resolve.h"

#include "dns/answer.h"
#include "proxy/config/svcb_text.h"
#include "rules/lists/zone_rdata.h"

enum { ANSWER_FLAGS = DNS_FLAG_QR | DNS_FLAG_RD | DNS_FLAG_RA };

/* One record; the entry points into `line`. */
struct record {
	const char *text;
	struct zone_text zone;
	struct zone_entry entry;
	char line[1 + LIST_LINE_MAX];
	uint8_t rdata_bytes[DNS_MESSAGE_MAX];
	struct slice rdata;
};

/* One answer after the other is read in it. */
struct answer_reading {
	struct resolve *resolve;
	struct dns_name at; /* the owner of the next record, when it names none */
	struct writer message;
	struct record record;
	uint8_t message_bytes[DNS_MESSAGE_MAX];
};

static bool read_target(struct writer *to, const struct zone_entry *entry)
{
	const struct dns_name root = { .len = 1 };
	struct dns_name target;
	if (entry->rdata_count != 1 || entry->rdata->is_quoted ||
		!zone_name_read(&target, entry->rdata->text, &root))
		return false;
	writer_bytes(to, target.wire, target.len);
	return true;
}

/* Beside what the entries of lists may have: a DNAME, and parameters of SVCB and HTTPS. */
static bool read_rdata(struct record *record)
{
	const struct zone_entry *entry = &record->entry;
	const struct dns_name root = { .len = 1 };
	struct writer to = writer_of(record->rdata_bytes, sizeof record->rdata_bytes);
	bool fine = zone_rdata_read(&to, entry->type, entry->rdata, entry->rdata_count, &root);
	if (!fine)
		to = writer_of(record->rdata_bytes, sizeof record->rdata_bytes);
	if (!fine && entry->type == DNS_TYPE_DNAME)
		fine = read_target(&to, entry);
	if (!fine && (entry->type == DNS_TYPE_SVCB || entry->type == DNS_TYPE_HTTPS))
		fine = svcb_text_read(&to, entry->rdata, entry->rdata_count, &root);
	record->rdata = writer_slice(&to);
	return fine;
}

/* A line that begins with a blank has no owner, as in a zone file. */
static bool read_line(struct record *record, bool is_owned)
{
	size_t len = strlen(record->text);
	if (len >= LIST_LINE_MAX || strpbrk(record->text, "\r\n"))
		return false;
	record->line[0] = ' ';
	memcpy(record->line + 1, record->text, len);
	zone_text_begin(&record->zone, slice_of(record->line + is_owned, len + !is_owned));
	return zone_text_next(&record->zone, &record->entry) && !record->entry.fault;
}

/* Without an owner if it can be read so. NULL, or what is wrong. */
static const char *read_record(struct record *record)
{
	bool has_head = read_line(record, false);
	if (has_head && read_rdata(record))
		return NULL;
	has_head |= read_line(record, true);
	if (has_head && !record->entry.fault && read_rdata(record))
		return NULL;
	return has_head ? "does not say what a record of its type has"
			: "is not a record such as \"CNAME x.example.\" or \"www.example.com. A "
			  "192.0.2.1\"";
}

/* `prefix.from` becomes `prefix.to`. */
static void move_below(
	struct dns_name *name, const struct dns_name *from, const struct dns_name *to)
{
	if (!dns_name_is_under(dns_name_slice(name), dns_name_slice(from)))
		return;
	size_t prefix_len = (size_t)(name->len - from->len);
	if (prefix_len == 0 || prefix_len + to->len > DNS_NAME_MAX)
		return;
	memcpy(name->wire + prefix_len, to->wire, to->len);
	name->len = (uint8_t)(prefix_len + to->len);
}

/* Where the next record is, if it does not say. */
static void follow(struct answer_reading *reading, const struct dns_name *owner)
{
	const struct record *record = &reading->record;
	struct dns_name target = { .len = (uint8_t)record->rdata.len };
	uint16_t type = record->entry.type;
	if (type != DNS_TYPE_CNAME && type != DNS_TYPE_DNAME)
		return;
	memcpy(target.wire, record->rdata.at, target.len);
	if (type == DNS_TYPE_CNAME)
		reading->at = target;
	else
		move_below(&reading->at, owner, &target);
}

static bool add_record(struct answer_reading *reading, const struct draft_name *from)
{
	struct record *record = &reading->record;
	const struct dns_name root = { .len = 1 };
	struct dns_name owner = reading->at;
	record->text = from->text + strspn(from->text, " \t");
	const char *wrong = read_record(record);
	if (!wrong && record->entry.owner.len &&
		!zone_name_read(&owner, record->entry.owner, &root))
		wrong = "has an owner that is not a domain name";
	if (wrong) {
		problem_in(reading->resolve->errors, from->at, "%s %s", QUOTED(from->text), wrong);
		return false;
	}
	writer_bytes(&reading->message, owner.wire, owner.len);
	writer_u16(&reading->message, record->entry.type);
	writer_u16(&reading->message, DNS_CLASS_IN);
	writer_u32(&reading->message, record->entry.ttl_s);
	writer_u16(&reading->message, (uint16_t)record->rdata.len);
	writer_slice_bytes(&reading->message, record->rdata);
	follow(reading, &owner);
	return true;
}

static void write_question(
	struct writer *to, const struct expect_config *expect, uint16_t record_count)
{
	writer_u16(to, 0);
	writer_u16(to, ANSWER_FLAGS);
	writer_u16(to, 1);
	writer_u16(to, record_count);
	writer_u32(to, 0);
	writer_bytes(to, expect->question.wire, expect->question.len);
	writer_u16(to, expect->type);
	writer_u16(to, DNS_CLASS_IN);
}

static void keep(
	struct answer_reading *reading, const struct draft_expect *from, struct expect_config *to)
{
	struct dns_answer answer;
	struct slice message = writer_slice(&reading->message);
	if (reading->message.failed || dns_answer_open(&answer, message) != 0) {
		problem_with(reading->resolve, from, "answer",
			"these records make no DNS message: they are too many, or too long");
		return;
	}
	uint8_t *kept = resolve_take(reading->resolve, message.len, 1);
	if (!kept)
		return;
	memcpy(kept, message.at, message.len);
	to->answer = slice_of(kept, message.len);
}

static void resolve_answer(
	struct answer_reading *reading, const struct draft_expect *from, struct expect_config *to)
{
	const struct draft_name *records = from->answer.at;
	size_t count = from->answer.count, good = 0;
	reading->at = to->question;
	reading->message = writer_of(reading->message_bytes, sizeof reading->message_bytes);
	write_question(&reading->message, to, (uint16_t)count);
	for (size_t i = 0; i < count; i++)
		good += add_record(reading, &records[i]);
	if (good == count)
		keep(reading, from, to);
}

void resolve_expect_answers(struct resolve *resolve, const struct draft_expect *from,
	struct expect_config *to, size_t count)
{
	struct answer_reading *reading = arena_take(resolve->scratch, 1, sizeof *reading);
	resolve->no_memory |= !reading;
	if (!reading)
		return;
	reading->resolve = resolve;
	for (size_t i = 0; i < count; i++)
		if (!from[i].element.broken && from[i].answer.count > 0)
			resolve_answer(reading, &from[i], &to[i]);
}
