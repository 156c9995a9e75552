#include "dns/query.h"

enum {
	OPTION_SUBNET = 8,
	OPTION_COOKIE = 10,
	OPTION_KEEPALIVE = 11,
	OPTION_PADDING = 12,
	OPTION_EDE = 15,
};

bool dns_opt_read(struct dns_opt *opt, struct slice rdata)
{
	struct reader options = reader_of(rdata);
	opt->options = rdata;
	for (unsigned count = 0; reader_left(&options) > 0; count++) {
		uint16_t code = reader_u16(&options);
		struct slice value = reader_bytes(&options, reader_u16(&options));
		if (options.failed || count == DNS_OPTIONS_MAX)
			return false;
		if (code == OPTION_KEEPALIVE)
			opt->has_keepalive = true;
		else if (code == OPTION_PADDING)
			opt->has_padding = true;
		else if (code == OPTION_COOKIE && !opt->has_cookie) {
			opt->has_cookie = true;
			opt->cookie = value;
		} else if (code == OPTION_EDE && value.len >= 2 && opt->ede.len == 0)
			opt->ede = value;
	}
	return true;
}

bool dns_opt_find(const struct dns_opt *opt, uint16_t code, struct slice *value)
{
	struct reader options = reader_of(opt->options);
	while (reader_left(&options) > 0) {
		uint16_t found = reader_u16(&options);
		*value = reader_bytes(&options, reader_u16(&options));
		if (found == code && !options.failed)
			return true;
	}
	return false;
}

/* RFC 7871 6: an address cut to its prefix, as short as can be, and the scope still open. It goes
 * no further than here; families that we do not know may have any. */
static bool subnet_is_sound(struct slice value)
{
	struct reader fields = reader_of(value);
	unsigned family = reader_u16(&fields);
	unsigned prefix_len = reader_u8(&fields);
	unsigned scope_len = reader_u8(&fields);
	struct slice address = reader_bytes(&fields, reader_left(&fields));
	if (fields.failed || scope_len != 0)
		return false;
	if (family != 1 && family != 2)
		return true;
	if (prefix_len > (family == 1 ? 32 : 128) || address.len != (prefix_len + 7) / 8)
		return false;
	unsigned spare = (8 - prefix_len % 8) % 8;
	return spare == 0 || (address.at[address.len - 1] & ((1u << spare) - 1)) == 0;
}

/* What is wrong with an option that says something else than its RFC lets it say. */
static enum dns_query_fault options_fault(const struct dns_opt *opt)
{
	enum dns_query_fault fault = DNS_QUERY_FINE;
	struct reader options = reader_of(opt->options);
	while (reader_left(&options) > 0) {
		uint16_t code = reader_u16(&options);
		struct slice value = reader_bytes(&options, reader_u16(&options));
		if (code == OPTION_SUBNET && !subnet_is_sound(value))
			return DNS_QUERY_OPTION;
		/* RFC 7828 3.2.1: a client sends the option empty. */
		if (code == OPTION_KEEPALIVE && value.len > 0)
			fault = DNS_QUERY_KEEPALIVE;
	}
	return fault;
}

bool dns_opt_take(
	struct dns_opt *opt, bool owner_is_root, uint16_t class, uint32_t ttl, struct slice rdata)
{
	if (opt->present || !owner_is_root)
		return false;
	opt->present = true;
	opt->payload_size = class;
	opt->rcode_high = (uint8_t)(ttl >> 24);
	opt->version = (uint8_t)(ttl >> 16);
	opt->dnssec_ok = ttl >> 15 & 1;
	return opt->version > 0 || dns_opt_read(opt, rdata);
}

/* Steps over the records behind the question, taking note of OPT and TSIG. Both belong into the
 * additional section (RFC 6891 6.1.1), and TSIG is the last record of all (RFC 8945 5.1). */
static enum dns_query_fault read_records(
	struct dns_query *query, struct reader *message, unsigned before, unsigned additional)
{
	unsigned count = before + additional;
	bool has_tsig = false;
	for (unsigned i = 0; i < count; i++) {
		size_t owner_at = reader_position(message);
		dns_name_skip(message);
		bool owner_is_root = reader_position(message) == owner_at + 1;
		uint16_t type = reader_u16(message);
		uint16_t class = reader_u16(message);
		uint32_t ttl = reader_u32(message);
		struct slice rdata = reader_bytes(message, reader_u16(message));
		if (message->failed)
			return DNS_QUERY_FORMERR;
		if (type != DNS_TYPE_OPT && type != DNS_TYPE_TSIG)
			continue;
		has_tsig = type == DNS_TYPE_TSIG;
		if (i < before || (has_tsig && i + 1 < count))
			return DNS_QUERY_FORMERR;
		if (!has_tsig && !dns_opt_take(&query->opt, owner_is_root, class, ttl, rdata))
			return DNS_QUERY_FORMERR;
	}
	if (reader_left(message) > 0)
		return DNS_QUERY_FORMERR;
	if (query->opt.present && query->opt.version > 0)
		return DNS_QUERY_BADVERS;
	return has_tsig ? DNS_QUERY_NOTAUTH : DNS_QUERY_FINE;
}

static bool read_question(struct dns_query *query, struct reader *message)
{
	struct slice rest = slice_of(message->at, reader_left(message));
	size_t len = dns_name_check(rest);
	if (len == 0)
		return false;
	struct slice name = reader_bytes(message, len);
	uint16_t type = reader_u16(message);
	uint16_t class = reader_u16(message);
	if (message->failed)
		return false;
	query->name = name;
	query->type = type;
	query->class = class;
	return true;
}

enum dns_query_fault dns_query_open(struct dns_query *query, struct slice bytes)
{
	struct reader message = reader_of(bytes);
	*query = (struct dns_query){ .id = reader_u16(&message), .flags = reader_u16(&message) };
	unsigned questions = reader_u16(&message);
	unsigned answers = reader_u16(&message);
	unsigned authorities = reader_u16(&message);
	unsigned additional = reader_u16(&message);
	if (message.failed || query->flags & DNS_FLAG_QR)
		return DNS_QUERY_SILENCE;
	if (query->flags & DNS_FLAG_OPCODE)
		return DNS_QUERY_NOTIMP;
	/* RFC 9619 3: a query has one question; RFC 7873 5.4: or wants a cookie. */
	if (questions > 1 || (questions == 1 && !read_question(query, &message)))
		return DNS_QUERY_FORMERR;
	enum dns_query_fault fault =
		read_records(query, &message, answers + authorities, additional);
	if (fault)
		return fault;
	if (questions == 0)
		return query->opt.has_cookie ? DNS_QUERY_NO_QUESTION : DNS_QUERY_FORMERR;
	if (query->type == DNS_TYPE_AXFR || query->type == DNS_TYPE_IXFR)
		return DNS_QUERY_REFUSED;
	/* OPT is no question, and NONE a class that only updates know (RFC 2136 2.4). */
	if (query->type == DNS_TYPE_OPT || query->class == DNS_CLASS_NONE)
		return DNS_QUERY_FORMERR;
	return options_fault(&query->opt);
}
