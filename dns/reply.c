#include "dns/reply.h"

#include "base/not_cleared.h"
#include "dns/rdata.h"

enum {
	OPT_LEN = 11,
	OPTION_HEAD = 4,
	OPTION_COOKIE = 10,
	OPTION_KEEPALIVE = 11,
	OPTION_PADDING = 12,
	OPTION_EDE = 15,
};

size_t dns_reply_udp_size(const struct dns_query *query)
{
	if (!query->opt.present || query->opt.payload_size < 512)
		return 512; /* RFC 1035 4.2.1, RFC 6891 6.2.3 */
	return query->opt.payload_size < DNS_PAYLOAD_SIZE ? query->opt.payload_size
							  : DNS_PAYLOAD_SIZE;
}

/* What records leave free for the OPT and the cookie in it. */
static size_t reserved_len(const struct dns_query *query, const struct dns_reply_limits *limits)
{
	if (!query->opt.present)
		return 0;
	bool has_cookie = query->opt.has_cookie && limits->cookie.len > 0;
	return OPT_LEN + (has_cookie ? OPTION_HEAD + limits->cookie.len : 0);
}

void dns_reply_begin(struct dns_reply *reply, const struct dns_query *query,
	struct dns_reply_limits limits, void *buffer, size_t capacity)
{
	if (capacity > limits.size)
		capacity = limits.size;
	if (capacity > DNS_MESSAGE_MAX)
		capacity = DNS_MESSAGE_MAX;
	limits.size = capacity;
	reply->to = writer_of(buffer, capacity - reserved_len(query, &limits));
	reply->query = query;
	reply->limits = limits;
	dns_compress_init(&reply->compress);
	reply->flags = (uint16_t)(DNS_FLAG_QR | (query->flags & (DNS_FLAG_OPCODE | DNS_FLAG_RD)));
	/* These two say something about QUERY only (RFC 1035 4.1.1, RFC 4035 3.2.2). */
	if (!(query->flags & DNS_FLAG_OPCODE))
		reply->flags |= (uint16_t)(DNS_FLAG_RA | (query->flags & DNS_FLAG_CD));
	reply->rcode = DNS_RCODE_NOERROR;
	memset(reply->counts, 0, sizeof reply->counts);
	reply->ede = DNS_EDE_NONE;
	reply->ede_text = slice_of(NULL, 0);
	reply->section = DNS_SECTION_ANSWER;
	reply->rrset_at = 0;
	reply->rrset_counts = 0;
	reply->rrset_type = 0;
	reply->rrset_owner.len = 0; /* of no record: the first one begins an RRset */
	reply->truncated = false;
	reply->ttl_min_s = UINT32_MAX;
	writer_zeros(&reply->to, DNS_HEADER_LEN);
	if (query->name.len == 0)
		return;
	writer_slice_bytes(&reply->to, query->name);
	writer_u16(&reply->to, query->type);
	writer_u16(&reply->to, query->class);
	dns_compress_learn(&reply->compress, &reply->to, DNS_HEADER_LEN);
}

/* Notes where an RRset begins, so that it can be taken back whole. */
static void begin_record(
	struct dns_reply *reply, enum dns_section section, struct slice owner, uint16_t type)
{
	bool same = reply->section == (unsigned)section && reply->rrset_type == type &&
		dns_name_equals(dns_name_slice(&reply->rrset_owner), owner);
	if (same)
		return;
	reply->section = section;
	reply->rrset_type = type;
	reply->rrset_owner.len = (uint8_t)owner.len;
	memcpy(reply->rrset_owner.wire, owner.at, owner.len);
	reply->rrset_at = reply->to.len;
	reply->rrset_counts = reply->counts[section];
}

/* RFC 2181 9: TC is for RRsets that were required; additional ones just stay away. */
static void take_back_rrset(struct dns_reply *reply)
{
	reply->to.failed = false;
	reply->to.len = reply->rrset_at;
	reply->counts[reply->section] = reply->rrset_counts;
	dns_compress_cut(&reply->compress, reply->rrset_at);
	reply->truncated = true;
	if (reply->section != DNS_SECTION_ADDITIONAL)
		reply->flags |= DNS_FLAG_TC;
}

static void note_ttl(struct dns_reply *reply, uint32_t ttl_s)
{
	if (reply->section != DNS_SECTION_ADDITIONAL && ttl_s < reply->ttl_min_s)
		reply->ttl_min_s = ttl_s;
}

/* The MINIMUM of an SOA is its last field; a negative answer is kept no longer. */
static void note_soa_minimum(struct dns_reply *reply, struct slice rdata)
{
	if (rdata.len < 4)
		return;
	struct reader minimum = reader_of(slice_of(rdata.at + rdata.len - 4, 4));
	note_ttl(reply, reader_u32(&minimum));
}

/* Everything before RDLENGTH; gives the position of RDLENGTH. */
static size_t write_head(
	struct dns_reply *reply, struct slice owner, uint16_t type, uint16_t class, uint32_t ttl_s)
{
	if (ttl_s > DNS_TTL_MAX_S)
		ttl_s = DNS_TTL_MAX_S;
	note_ttl(reply, ttl_s);
	dns_compress_write(&reply->compress, &reply->to, owner);
	writer_u16(&reply->to, type);
	writer_u16(&reply->to, class);
	writer_u32(&reply->to, ttl_s);
	writer_u16(&reply->to, 0);
	return reply->to.len - 2;
}

static void end_record(struct dns_reply *reply, size_t length_at)
{
	if (!reply->to.failed)
		writer_patch_u16(&reply->to, length_at, (uint16_t)(reply->to.len - length_at - 2));
	if (reply->to.failed)
		take_back_rrset(reply);
	else
		reply->counts[reply->section]++;
}

void dns_reply_add(struct dns_reply *reply, enum dns_section section, struct slice owner,
	uint16_t type, uint16_t class, uint32_t ttl_s, struct slice rdata)
{
	if (reply->truncated)
		return;
	begin_record(reply, section, owner, type);
	size_t length_at = write_head(reply, owner, type, class, ttl_s);
	/* What a CNAME leads to owns the records behind it: they take its case. */
	if (type == DNS_TYPE_CNAME)
		dns_compress_write(&reply->compress, &reply->to, rdata);
	else
		writer_slice_bytes(&reply->to, rdata);
	end_record(reply, length_at);
}

void dns_reply_copy(
	struct dns_reply *reply, const struct dns_answer *answer, const struct dns_record *record)
{
	struct dns_rdata_walk walk;
	struct dns_rdata_part part;
	struct slice owner = dns_name_slice(&record->owner);
	if (reply->truncated)
		return;
	begin_record(reply, record->section, owner, record->type);
	size_t length_at = write_head(reply, owner, record->type, record->class, record->ttl_s);
	dns_rdata_walk_begin(
		&walk, answer->message, record->type, record->rdata_at, record->rdata.len);
	/* RFC 3597 4: only the types of RFC 1035 may be compressed. */
	bool may_compress = record->type <= DNS_TYPE_MX;
	while (dns_rdata_next(&walk, &part)) {
		if (!part.is_name)
			writer_slice_bytes(&reply->to, part.bytes);
		else if (may_compress)
			dns_compress_write(
				&reply->compress, &reply->to, dns_name_slice(&part.name));
		else
			writer_slice_bytes(&reply->to, dns_name_slice(&part.name));
	}
	if (record->type == DNS_TYPE_SOA && record->section == DNS_SECTION_AUTHORITY)
		note_soa_minimum(reply, record->rdata);
	end_record(reply, length_at);
}

void dns_reply_add_cname(struct dns_reply *reply, struct slice target, uint32_t ttl_s)
{
	dns_reply_add(reply, DNS_SECTION_ANSWER, reply->query->name, DNS_TYPE_CNAME,
		reply->query->class, ttl_s, target);
}

void dns_reply_add_soa_above(struct dns_reply *reply, struct slice name, uint32_t ttl_s)
{
	struct slice owner = name;
	if (owner.len > 1)
		owner = slice_of(owner.at + owner.at[0] + 1, owner.len - owner.at[0] - 1u);
	uint8_t rdata[22];
	struct writer to = writer_of(rdata, sizeof rdata);
	writer_u8(&to, 0); /* no name server and no mailbox stand behind it */
	writer_u8(&to, 0);
	writer_u32(&to, 1);
	writer_u32(&to, 3600);
	writer_u32(&to, 600);
	writer_u32(&to, 86400);
	writer_u32(&to, ttl_s);
	dns_reply_add(reply, DNS_SECTION_AUTHORITY, owner, DNS_TYPE_SOA, reply->query->class, ttl_s,
		writer_slice(&to));
}

void dns_reply_add_soa(struct dns_reply *reply, uint32_t ttl_s)
{
	dns_reply_add_soa_above(reply, reply->query->name, ttl_s);
}

void dns_reply_add_zone_soa(
	struct dns_reply *reply, enum dns_section section, struct slice apex, uint32_t ttl_s)
{
	static const uint8_t nobody[] = "\6nobody\7invalid";
	uint8_t rdata[DNS_NAME_MAX + sizeof nobody + 20];
	struct writer to = writer_of(rdata, sizeof rdata);
	writer_slice_bytes(&to, apex);
	writer_bytes(&to, nobody, sizeof nobody);
	writer_u32(&to, 1);
	writer_u32(&to, 3600);
	writer_u32(&to, 1200);
	writer_u32(&to, 604800);
	writer_u32(&to, ttl_s);
	dns_reply_add(
		reply, section, apex, DNS_TYPE_SOA, reply->query->class, ttl_s, writer_slice(&to));
}

static bool option_fits(const struct dns_reply *reply, size_t len)
{
	return reply->limits.size - reply->to.len >= OPTION_HEAD + len;
}

struct slice dns_ede_text_cut(struct slice text)
{
	if (text.len <= DNS_EDE_TEXT_MAX)
		return text;
	text.len = DNS_EDE_TEXT_MAX;
	while (text.len > 0 && (text.at[text.len] & 0xc0) == 0x80)
		text.len--;
	return text;
}

static void write_cookie(struct dns_reply *reply)
{
	struct slice cookie = reply->limits.cookie;
	if (!reply->query->opt.has_cookie || cookie.len == 0 || !option_fits(reply, cookie.len))
		return;
	writer_u16(&reply->to, OPTION_COOKIE);
	writer_u16(&reply->to, (uint16_t)cookie.len);
	writer_slice_bytes(&reply->to, cookie);
}

static void write_ede(struct dns_reply *reply)
{
	if (reply->ede == DNS_EDE_NONE)
		return;
	struct slice text = dns_ede_text_cut(reply->ede_text);
	if (!option_fits(reply, 2 + text.len))
		text.len = 0;
	if (!option_fits(reply, 2))
		return;
	writer_u16(&reply->to, OPTION_EDE);
	writer_u16(&reply->to, (uint16_t)(2 + text.len));
	writer_u16(&reply->to, (uint16_t)reply->ede);
	writer_slice_bytes(&reply->to, text);
}

static void write_keepalive(struct dns_reply *reply)
{
	/* RFC 7828 3.2.2, 3.3.1: told when asked, never over UDP. */
	if (!reply->query->opt.has_keepalive || reply->limits.keepalive_ds == 0 ||
		!option_fits(reply, 2))
		return;
	writer_u16(&reply->to, OPTION_KEEPALIVE);
	writer_u16(&reply->to, 2);
	writer_u16(&reply->to, reply->limits.keepalive_ds);
}

static void write_padding(struct dns_reply *reply)
{
	/* RFC 7830 4: only an answer to a padded query, only where it is encrypted. */
	if (!reply->query->opt.has_padding || !reply->limits.encrypted || !option_fits(reply, 0))
		return;
	size_t len = reply->to.len + OPTION_HEAD;
	size_t padded = (len + DNS_REPLY_PADDING - 1) / DNS_REPLY_PADDING * DNS_REPLY_PADDING;
	if (padded > reply->limits.size)
		padded = reply->limits.size;
	writer_u16(&reply->to, OPTION_PADDING);
	writer_u16(&reply->to, (uint16_t)(padded - len));
	writer_zeros(&reply->to, padded - len);
}

static void write_opt(struct dns_reply *reply)
{
	struct writer *to = &reply->to;
	const uint8_t opt[OPT_LEN] = {
		[2] = DNS_TYPE_OPT, /* of the root */
		[3] = DNS_PAYLOAD_SIZE >> 8,
		[4] = DNS_PAYLOAD_SIZE & 0xff,
		[5] = (uint8_t)(reply->rcode >> 4),
		[7] = reply->query->opt.dnssec_ok ? 0x80 : 0, /* RFC 3225 3 */
	};
	to->capacity = reply->limits.size;
	writer_bytes(to, opt, sizeof opt);
	size_t length_at = to->len - 2;
	write_cookie(reply);
	write_keepalive(reply);
	write_ede(reply);
	write_padding(reply);
	writer_patch_u16(to, length_at, (uint16_t)(to->len - length_at - 2));
	reply->counts[DNS_SECTION_ADDITIONAL]++;
}

struct slice dns_reply_finish(struct dns_reply *reply)
{
	struct writer *to = &reply->to;
	if (reply->query->opt.present)
		write_opt(reply);
	else if (reply->rcode > 0xf) /* the low bits alone would say another thing */
		reply->rcode = DNS_RCODE_SERVFAIL;
	writer_patch_u16(to, 0, reply->query->id);
	writer_patch_u16(to, 2, (uint16_t)(reply->flags | (reply->rcode & 0xf)));
	writer_patch_u16(to, 4, reply->query->name.len > 0);
	for (size_t section = 0; section < 3; section++)
		writer_patch_u16(to, 6 + 2 * section, reply->counts[section]);
	return writer_slice(to);
}

struct slice dns_reply_rcode(const struct dns_query *query, struct dns_reply_limits limits,
	uint16_t rcode, int ede, const char *ede_text, void *buffer, size_t capacity)
{
	NOT_CLEARED struct dns_reply reply;
	dns_reply_begin(&reply, query, limits, buffer, capacity);
	reply.rcode = rcode;
	reply.ede = ede;
	if (ede_text)
		reply.ede_text = slice_of_text(ede_text);
	return dns_reply_finish(&reply);
}
