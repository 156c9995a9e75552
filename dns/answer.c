#include "dns/answer.h"

#include "base/error.h"
#include "dns/rdata.h"

struct record_head {
	uint16_t type;
	uint16_t class;
	uint32_t ttl;
	uint16_t rdata_len;
	size_t rdata_at;
};

/* The fixed fields behind the owner; the reader ends behind the RDATA. */
static struct record_head read_head(struct reader *message)
{
	struct record_head head = { .type = reader_u16(message) };
	head.class = reader_u16(message);
	head.ttl = reader_u32(message);
	head.rdata_len = reader_u16(message);
	head.rdata_at = reader_position(message);
	reader_skip(message, head.rdata_len);
	return head;
}

/* Most owners are the name of the question, by a pointer to it: that has been read. */
static void read_owner(
	const struct dns_answer *answer, struct reader *message, struct dns_name *owner)
{
	static const uint8_t question[] = { 0xc0, DNS_HEADER_LEN };
	if (reader_left(message) < sizeof question ||
		memcmp(message->at, question, sizeof question) != 0) {
		dns_name_read(message, owner);
		return;
	}
	reader_skip(message, sizeof question);
	owner->len = (uint8_t)answer->name.len;
	memcpy(owner->wire, answer->name.at, answer->name.len);
}

/* Adds the length of the names inside to *names_len. */
static bool rdata_is_sound(struct slice message, const struct record_head *head, size_t *names_len)
{
	if (dns_rdata_kind(head->type) == DNS_RDATA_OPAQUE)
		return true;
	struct dns_rdata_walk walk;
	struct dns_rdata_part part;
	dns_rdata_walk_begin(&walk, message, head->type, head->rdata_at, head->rdata_len);
	while (dns_rdata_next(&walk, &part))
		*names_len += part.is_name ? part.name.len : 0;
	return !walk.message.failed;
}

static bool take_opt(
	struct dns_answer *answer, const struct dns_name *owner, const struct record_head *head)
{
	struct slice rdata = slice_of(answer->message.at + head->rdata_at, head->rdata_len);
	if (!dns_opt_take(&answer->opt, owner->len == 1, head->class, head->ttl, rdata))
		return false;
	answer->rcode = (uint16_t)(answer->rcode | answer->opt.rcode_high << 4);
	return true;
}

static bool check_records(struct dns_answer *answer, struct reader *message)
{
	struct dns_name owner;
	/* Every later walk reads the names again. 4096 records with three names of 127 labels would
	 * cost 10 ms each time; 256 KiB are four times what fits into a message uncompressed. */
	size_t names_len = 0;
	for (unsigned section = 0; section < 3; section++) {
		for (unsigned i = 0; i < answer->counts[section]; i++) {
			read_owner(answer, message, &owner);
			struct record_head head = read_head(message);
			names_len += owner.len;
			if (message->failed || !rdata_is_sound(answer->message, &head, &names_len))
				return false;
			if (names_len > DNS_ANSWER_NAMES_MAX)
				return false;
			if (head.type != DNS_TYPE_OPT)
				continue;
			if (section != DNS_SECTION_ADDITIONAL || !take_opt(answer, &owner, &head))
				return false;
		}
	}
	return true;
}

int dns_answer_open(struct dns_answer *answer, struct slice bytes)
{
	struct reader message = reader_of(bytes);
	*answer = (struct dns_answer){ .message = bytes, .id = reader_u16(&message) };
	answer->flags = reader_u16(&message);
	answer->rcode = answer->flags & 0xf;
	unsigned questions = reader_u16(&message);
	for (unsigned section = 0; section < 3; section++)
		answer->counts[section] = reader_u16(&message);
	unsigned records = (unsigned)answer->counts[0] + answer->counts[1] + answer->counts[2];
	if (message.failed || !(answer->flags & DNS_FLAG_QR) || questions != 1 ||
		records > DNS_ANSWER_RECORDS_MAX)
		return ERR_MALFORMED;
	size_t len = dns_name_check(slice_of(message.at, reader_left(&message)));
	answer->name = reader_bytes(&message, len);
	answer->type = reader_u16(&message);
	answer->class = reader_u16(&message);
	answer->records_at = reader_position(&message);
	if (len == 0 || message.failed || !check_records(answer, &message))
		return ERR_MALFORMED;
	return 0;
}

bool dns_answer_is_for(
	const struct dns_answer *answer, struct slice name, uint16_t type, uint16_t class)
{
	return !(answer->flags & DNS_FLAG_OPCODE) && answer->type == type &&
		answer->class == class && dns_name_equals(answer->name, name);
}

void dns_record_walk_begin(struct dns_record_walk *walk, const struct dns_answer *answer)
{
	*walk = (struct dns_record_walk){
		.answer = answer, .reader = reader_of(answer->message), .left = answer->counts[0]
	};
	reader_seek(&walk->reader, answer->records_at);
}

bool dns_record_next(struct dns_record_walk *walk, struct dns_record *record)
{
	for (;;) {
		while (walk->left == 0 && walk->section < DNS_SECTION_ADDITIONAL)
			walk->left = walk->answer->counts[++walk->section];
		if (walk->left == 0)
			return false;
		walk->left--;
		read_owner(walk->answer, &walk->reader, &record->owner);
		struct record_head head = read_head(&walk->reader);
		if (walk->reader.failed)
			return false;
		if (head.type == DNS_TYPE_OPT || head.type == DNS_TYPE_TSIG)
			continue;
		record->section = (enum dns_section)walk->section;
		record->type = head.type;
		record->class = head.class;
		record->ttl_s = head.ttl & 0x80000000u ? 0 : head.ttl;
		record->rdata = slice_of(walk->answer->message.at + head.rdata_at, head.rdata_len);
		record->rdata_at = head.rdata_at;
		return true;
	}
}

bool dns_record_target(
	const struct dns_answer *answer, const struct dns_record *record, struct dns_name *target)
{
	enum dns_rdata_kind kind = dns_rdata_kind(record->type);
	bool is_service = kind == DNS_RDATA_U16_NAME_REST;
	if (!is_service && kind != DNS_RDATA_NAME)
		return false;
	struct reader message =
		reader_of(slice_of(answer->message.at, record->rdata_at + record->rdata.len));
	/* RFC 9460 2.2: SvcPriority, then the TargetName. */
	reader_seek(&message, record->rdata_at + (is_service ? 2 : 0));
	dns_name_read(&message, target);
	return !message.failed;
}

/* How long it may be kept: of an SOA not longer than the negative answer that it is for (RFC 2308
 * 5), whose time is counted in its last field. */
static uint32_t lifetime_s(const struct dns_record *record)
{
	if (record->type != DNS_TYPE_SOA || record->rdata.len < 4)
		return record->ttl_s;
	struct reader fields = reader_of(record->rdata);
	reader_seek(&fields, record->rdata.len - 4);
	uint32_t minimum_s = reader_u32(&fields);
	return minimum_s < record->ttl_s ? minimum_s : record->ttl_s;
}

void dns_answer_age(struct dns_answer *answer, uint8_t *to, uint32_t age_s)
{
	enum { TTL_BEFORE_RDATA = 6 };
	struct dns_record_walk walk;
	struct dns_record record;
	struct writer message = writer_of(to, answer->message.len);
	writer_slice_bytes(&message, answer->message);
	dns_record_walk_begin(&walk, answer);
	while (dns_record_next(&walk, &record)) {
		uint32_t ttl_s = lifetime_s(&record);
		ttl_s = ttl_s > age_s ? ttl_s - age_s : 0;
		size_t at = record.rdata_at - TTL_BEFORE_RDATA;
		writer_patch_u16(&message, at, (uint16_t)(ttl_s >> 16));
		writer_patch_u16(&message, at + 2, (uint16_t)ttl_s);
	}
	dns_answer_open(answer, writer_slice(&message));
}
