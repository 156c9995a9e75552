#include "dns/packed.h"

#include "base/not_cleared.h"
#include "dns/belong.h"

/* What stands in front. No padding: packed answers are compared byte by byte. */
struct head {
	uint32_t magic;
	uint32_t ttl_s;
	int32_t ede;
	uint16_t rcode;
	uint16_t counts[3];
	uint8_t kind;
	uint8_t flags;
	uint8_t ede_text_len;
	uint8_t zero;
};
_Static_assert(sizeof(struct head) == 24, "no padding");
_Static_assert(sizeof(struct head) <= DNS_PACKED_HEAD_MAX, "promised");

enum {
	MAGIC = 0x6e677031, /* "ngp1": the version, and the order of bytes of this machine */
	AUTHENTIC = 1,
	LEADS_SOMEWHERE = 2,
	HAS_ADDRESSES = 4,
	NEGATIVE_MAX_S = 3 * 3600, /* RFC 2308 5 */
	SOA_MINIMUM_LEN = 4,
};

/* What there is to know of an answer before it is written. */
struct survey {
	unsigned counts[3]; /* of the records that belong */
	unsigned others;    /* in the answer section: they have the type that was asked for */
	bool has_soa;       /* that of the zone that a negative answer is about */
	uint32_t negative_s;
	uint32_t least_s; /* the least TTL of all; UINT32_MAX when there are no records */
	uint8_t flags;
};

static uint32_t at_most(uint32_t value, uint32_t limit)
{
	return value < limit ? value : limit;
}

/* ---- what sort of answer it is ---- */

/* RFC 2308 5: the lesser of the SOA's TTL and its MINIMUM, which is its last field. */
static void survey_soa(struct survey *survey, const struct dns_record *record)
{
	if (survey->has_soa || record->rdata.len < SOA_MINIMUM_LEN)
		return;
	struct reader minimum = reader_of(
		slice_of(record->rdata.at + record->rdata.len - SOA_MINIMUM_LEN, SOA_MINIMUM_LEN));
	survey->has_soa = true;
	survey->negative_s = at_most(record->ttl_s, reader_u32(&minimum));
}

static uint8_t flags_of_type(uint16_t type)
{
	switch (type) {
	case DNS_TYPE_CNAME:
	case DNS_TYPE_DNAME: return LEADS_SOMEWHERE;
	case DNS_TYPE_A:
	case DNS_TYPE_AAAA: return HAS_ADDRESSES;
	case DNS_TYPE_SVCB:
	case DNS_TYPE_HTTPS: return LEADS_SOMEWHERE | HAS_ADDRESSES;
	default: return 0;
	}
}

static void survey_record(struct survey *survey, const struct dns_answer *answer,
	const struct dns_belong *belong, const struct dns_record *record)
{
	survey->counts[record->section]++;
	survey->least_s = at_most(record->ttl_s, survey->least_s);
	if (record->section == DNS_SECTION_ANSWER) {
		survey->flags |= flags_of_type(record->type);
		survey->others += answer->type == record->type || answer->type == DNS_TYPE_ANY;
	}
	if (record->section == DNS_SECTION_AUTHORITY && record->type == DNS_TYPE_SOA &&
		dns_belong_is_above_last(belong, &record->owner))
		survey_soa(survey, record);
}

static void survey_answer(
	struct survey *survey, const struct dns_answer *answer, const struct dns_belong *belong)
{
	struct dns_record_walk walk;
	struct dns_record record;
	*survey = (struct survey){ .least_s = UINT32_MAX };
	if (answer->flags & DNS_FLAG_AD)
		survey->flags |= AUTHENTIC;
	dns_record_walk_begin(&walk, answer);
	while (dns_record_next(&walk, &record))
		if (dns_belong_has(belong, &record))
			survey_record(survey, answer, belong, &record);
}

static enum dns_packed_kind kind_of_nxdomain(
	const struct survey *survey, const struct dns_belong *belong)
{
	if (!survey->has_soa || survey->others > 0)
		return DNS_PACKED_FLEETING;
	if (survey->counts[DNS_SECTION_ANSWER] == 0)
		return DNS_PACKED_NXDOMAIN;
	/* Records of a name that does not exist: there is no sense in that to be kept. */
	return dns_belong_is_alias(belong) ? DNS_PACKED_NXDOMAIN_BEHIND : DNS_PACKED_FLEETING;
}

static enum dns_packed_kind kind_of(const struct survey *survey, const struct dns_answer *answer,
	const struct dns_belong *belong)
{
	switch (answer->rcode) {
	case DNS_RCODE_FORMERR:
	case DNS_RCODE_SERVFAIL:
	case DNS_RCODE_NOTIMP:
	case DNS_RCODE_REFUSED:
	case DNS_RCODE_NOTAUTH: return DNS_PACKED_FAILURE;
	default: break;
	}
	if (answer->rcode >= DNS_RCODE_BADVERS)
		return DNS_PACKED_FAILURE;
	if (answer->flags & DNS_FLAG_TC)
		return DNS_PACKED_FLEETING;
	if (answer->rcode == DNS_RCODE_NXDOMAIN)
		return kind_of_nxdomain(survey, belong);
	if (answer->rcode != DNS_RCODE_NOERROR)
		return DNS_PACKED_FLEETING;
	if (survey->others > 0)
		return DNS_PACKED_POSITIVE;
	return survey->has_soa ? DNS_PACKED_NODATA : DNS_PACKED_FLEETING;
}

/* ---- writing ---- */

/* Between which bounds the TTLs of a message are written. */
struct bounds {
	uint32_t min_s;
	uint32_t max_s;
};

static struct bounds bounds_of(
	enum dns_packed_kind kind, const struct survey *survey, const struct dns_packed_ttls *ttls)
{
	struct bounds bounds = { .max_s = at_most(ttls->max_s, DNS_TTL_MAX_S) };
	if (kind == DNS_PACKED_POSITIVE)
		bounds.min_s = at_most(ttls->min_s, bounds.max_s);
	if (kind == DNS_PACKED_NODATA || kind == DNS_PACKED_NXDOMAIN ||
		kind == DNS_PACKED_NXDOMAIN_BEHIND) {
		uint32_t most_s = at_most(ttls->negative_max_s, NEGATIVE_MAX_S);
		most_s = at_most(most_s, survey->negative_s);
		/* An alias in front may end sooner than the negative answer behind it. */
		most_s = at_most(most_s, survey->least_s);
		bounds.max_s = at_most(bounds.max_s, most_s);
	}
	return bounds;
}

static uint32_t bound(uint32_t ttl_s, struct bounds bounds)
{
	ttl_s = at_most(ttl_s, bounds.max_s);
	return ttl_s > bounds.min_s ? ttl_s : bounds.min_s;
}

/* Where the TTL of the record at `at` stands: behind owner, type and class. */
static uint16_t ttl_position(const struct writer *message, size_t at)
{
	struct reader reader = reader_of(writer_slice(message));
	reader_seek(&reader, at);
	dns_name_skip(&reader);
	return (uint16_t)(reader_position(&reader) + 4);
}

static void copy_records(struct dns_reply *reply, const struct dns_answer *answer,
	const struct dns_belong *belong, struct bounds bounds, uint8_t *positions)
{
	struct dns_record_walk walk;
	struct dns_record record;
	dns_record_walk_begin(&walk, answer);
	while (dns_record_next(&walk, &record) && !reply->truncated) {
		if (!dns_belong_has(belong, &record))
			continue;
		size_t at = reply->to.len;
		record.ttl_s = bound(record.ttl_s, bounds);
		dns_reply_copy(reply, answer, &record);
		uint16_t position = ttl_position(&reply->to, at);
		memcpy(positions, &position, sizeof position);
		positions += sizeof position;
	}
}

/* The message: the question in lower case, and the records that belong to it. Empty when it does
 * not fit. */
static struct slice write_message(const struct dns_answer *answer, const struct dns_belong *belong,
	struct bounds bounds, uint8_t *positions, struct writer *to)
{
	uint8_t lower[DNS_NAME_MAX];
	size_t question_len = DNS_HEADER_LEN + answer->name.len + 4;
	size_t capacity = to->capacity - to->len;
	struct dns_reply reply;
	if (capacity < question_len)
		return slice_of(NULL, 0);
	dns_name_lower(lower, answer->name.at, answer->name.len);
	const struct dns_query query = { .flags = DNS_FLAG_RD,
		.name = slice_of(lower, answer->name.len),
		.type = answer->type,
		.class = answer->class };
	dns_reply_begin(&reply, &query, (struct dns_reply_limits){ .size = DNS_MESSAGE_MAX },
		to->at + to->len, capacity);
	/* Those above 15 are about our hop to the upstream, not about the question. */
	reply.rcode = answer->rcode < DNS_RCODE_BADVERS ? answer->rcode : DNS_RCODE_SERVFAIL;
	reply.flags |= answer->flags & (DNS_FLAG_AD | DNS_FLAG_TC);
	copy_records(&reply, answer, belong, bounds, positions);
	if (reply.truncated)
		return slice_of(NULL, 0);
	return dns_reply_finish(&reply);
}

static void write_head(struct writer *to, const struct head *head, struct slice ede_text)
{
	writer_bytes(to, head, sizeof *head);
	writer_slice_bytes(to, ede_text);
	for (size_t section = 0; section < 3; section++)
		writer_zeros(to, 2u * head->counts[section]); /* positions, yet to be filled in */
}

static bool may_be_kept(enum dns_packed_kind kind)
{
	return kind != DNS_PACKED_FAILURE && kind != DNS_PACKED_FLEETING;
}

static struct head head_of(const struct dns_answer *answer, const struct survey *survey,
	enum dns_packed_kind kind, struct bounds bounds)
{
	struct head head = { .magic = MAGIC, .kind = (uint8_t)kind, .flags = survey->flags };
	/* 0: it is over as soon as it is told. */
	if (may_be_kept(kind))
		head.ttl_s = bound(survey->least_s, bounds);
	if (may_be_kept(kind) && head.ttl_s == 0)
		head.kind = DNS_PACKED_FLEETING;
	head.rcode = answer->rcode < DNS_RCODE_BADVERS ? answer->rcode : DNS_RCODE_SERVFAIL;
	for (size_t section = 0; section < 3; section++)
		head.counts[section] = (uint16_t)survey->counts[section];
	return head;
}

static struct slice pack(const struct dns_answer *answer, const struct dns_packed_ttls *ttls,
	int ede, struct slice ede_text, void *buffer, size_t capacity)
{
	NOT_CLEARED struct dns_belong belong;
	NOT_CLEARED struct survey survey;
	if (!dns_belong_begin(&belong, answer))
		return slice_of(NULL, 0);
	survey_answer(&survey, answer, &belong);
	enum dns_packed_kind kind = kind_of(&survey, answer, &belong);
	struct bounds bounds = bounds_of(kind, &survey, ttls);
	struct head head = head_of(answer, &survey, kind, bounds);
	head.ede = ede;
	head.ede_text_len = (uint8_t)ede_text.len;
	struct writer to = writer_of(buffer, capacity);
	write_head(&to, &head, ede_text);
	if (to.failed)
		return slice_of(NULL, 0);
	uint8_t *positions = to.at + sizeof head + ede_text.len;
	struct slice message = write_message(answer, &belong, bounds, positions, &to);
	return message.len ? slice_of(buffer, to.len + message.len) : message;
}

struct slice dns_packed_write(const struct dns_answer *answer, const struct dns_packed_ttls *ttls,
	void *buffer, size_t capacity)
{
	struct slice said = answer->opt.ede;
	if (said.len < 2)
		return pack(answer, ttls, DNS_EDE_NONE, slice_of(NULL, 0), buffer, capacity);
	struct slice text = dns_ede_text_cut(slice_of(said.at + 2, said.len - 2));
	return pack(answer, ttls, said.at[0] << 8 | said.at[1], text, buffer, capacity);
}

struct slice dns_packed_failure(struct slice name, uint16_t type, uint16_t class, int ede,
	const char *ede_text, void *buffer, size_t capacity)
{
	const struct dns_answer answer = { .rcode = DNS_RCODE_SERVFAIL,
		.name = name,
		.type = type,
		.class = class };
	const struct dns_packed_ttls ttls = { .max_s = 0 };
	struct slice text = slice_of_text(ede_text ? ede_text : "");
	return pack(&answer, &ttls, ede, dns_ede_text_cut(text), buffer, capacity);
}

/* ---- reading ---- */

void dns_packed_open(struct dns_packed *packed, struct slice bytes)
{
	struct head head;
	memcpy(&head, bytes.at, sizeof head);
	size_t records = (size_t)head.counts[0] + head.counts[1] + head.counts[2];
	size_t positions_at = sizeof head + head.ede_text_len;
	size_t message_at = positions_at + 2 * records;
	*packed = (struct dns_packed){
		.kind = (enum dns_packed_kind)head.kind,
		.rcode = head.rcode,
		.authentic = head.flags & AUTHENTIC,
		.leads_somewhere = head.flags & LEADS_SOMEWHERE,
		.has_addresses = head.flags & HAS_ADDRESSES,
		.ede = head.ede,
		.ede_text = slice_of(bytes.at + sizeof head, head.ede_text_len),
		.ttl_s = head.ttl_s,
		.counts = { head.counts[0], head.counts[1], head.counts[2] },
		.ttl_positions = slice_of(bytes.at + positions_at, 2 * records),
		.message = slice_of(bytes.at + message_at, bytes.len - message_at),
	};
}

/* Can dns_packed_open() find its parts? */
static bool has_parts(struct slice bytes)
{
	struct head head;
	if (bytes.len < sizeof head || bytes.len > DNS_PACKED_MAX)
		return false;
	memcpy(&head, bytes.at, sizeof head);
	size_t records = (size_t)head.counts[0] + head.counts[1] + head.counts[2];
	return head.magic == MAGIC && head.ede >= DNS_EDE_NONE && head.ede <= UINT16_MAX &&
		bytes.len - sizeof head >= head.ede_text_len + 2 * records;
}

/* Whatever is true of a packed answer follows from its message and from how it was packed: so it is
 * one exactly when packing its message gives it again. */
bool dns_packed_check(struct slice bytes)
{
	static const struct dns_packed_ttls ttls = { .max_s = DNS_TTL_MAX_S,
		.negative_max_s = NEGATIVE_MAX_S };
	NOT_CLEARED uint8_t buffer[DNS_PACKED_MAX];
	struct dns_packed packed;
	struct dns_answer answer;
	if (!has_parts(bytes))
		return false;
	dns_packed_open(&packed, bytes);
	if (dns_answer_open(&answer, packed.message) < 0 ||
		dns_ede_text_cut(packed.ede_text).len != packed.ede_text.len)
		return false;
	struct slice again =
		pack(&answer, &ttls, packed.ede, packed.ede_text, buffer, sizeof buffer);
	return again.len > 0 && slice_equals(again, bytes);
}

/* ---- replying ---- */

static uint32_t aged(uint32_t ttl_s, struct dns_packed_age age)
{
	if (age.fixed_ttl_s > 0)
		return age.fixed_ttl_s;
	return ttl_s > age.age_s ? ttl_s - age.age_s : 0;
}

static uint32_t age_ttl(uint8_t *at, struct dns_packed_age age)
{
	uint32_t ttl_s =
		(uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
	ttl_s = aged(ttl_s, age);
	at[0] = (uint8_t)(ttl_s >> 24);
	at[1] = (uint8_t)(ttl_s >> 16);
	at[2] = (uint8_t)(ttl_s >> 8);
	at[3] = (uint8_t)ttl_s;
	return ttl_s;
}

/* Returns the least TTL of `count` records from the one numbered `first`; UINT32_MAX for none. */
static uint32_t age_records(const struct dns_packed *packed, size_t first, size_t count,
	struct dns_packed_age age, uint8_t *message)
{
	uint32_t least_s = UINT32_MAX;
	for (size_t i = first; i < first + count; i++) {
		uint16_t position;
		memcpy(&position, packed->ttl_positions.at + 2 * i, sizeof position);
		least_s = at_most(age_ttl(message + position, age), least_s);
	}
	return least_s;
}

/* Ages all records; returns the least TTL of answer and authority. */
static uint32_t age_message(
	const struct dns_packed *packed, struct dns_packed_age age, uint8_t *message)
{
	size_t told = (size_t)packed->counts[0] + packed->counts[1];
	age_records(packed, told, packed->counts[2], age, message);
	return age_records(packed, 0, told, age, message);
}

void dns_packed_age_message(
	const struct dns_packed *packed, struct dns_packed_age age, uint8_t *message)
{
	age_message(packed, age, message);
}

bool dns_packed_paste(
	struct dns_reply *reply, const struct dns_packed *packed, struct dns_packed_age age)
{
	struct writer *to = &reply->to;
	struct slice name = reply->query->name;
	size_t at = DNS_HEADER_LEN + name.len + 4;
	if (to->failed || to->len != at || packed->message.len < at ||
		packed->message.len > to->capacity ||
		!dns_name_equals(slice_of(packed->message.at + DNS_HEADER_LEN, name.len), name))
		return false;
	memcpy(to->at + at, packed->message.at + at, packed->message.len - at);
	to->len = packed->message.len;
	reply->ttl_min_s = age_message(packed, age, to->at);
	reply->rcode = packed->rcode;
	reply->flags |= (uint16_t)(packed->message.at[2] << 8 & DNS_FLAG_TC);
	for (size_t section = 0; section < 3; section++)
		reply->counts[section] = packed->counts[section];
	/* What was pasted is no RRset that a record added later could take back. */
	reply->section = DNS_SECTION_ADDITIONAL;
	reply->rrset_owner.len = 0;
	return true;
}
