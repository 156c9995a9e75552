#include "dns/rdata_text.h"

#include "base/address.h"
#include "dns/rdata.h"

static const char hex_digits[] = "0123456789ABCDEF";

/* RFC 3597 5: the form that fits every type. */
static void write_generic(struct writer *to, struct slice rdata)
{
	writer_text(to, "\\# ");
	writer_decimal(to, rdata.len);
	if (rdata.len > 0)
		writer_u8(to, ' ');
	for (size_t i = 0; i < rdata.len; i++) {
		writer_u8(to, (uint8_t)hex_digits[rdata.at[i] >> 4]);
		writer_u8(to, (uint8_t)hex_digits[rdata.at[i] & 0xf]);
	}
}

static void write_quoted(struct writer *to, struct slice text)
{
	writer_u8(to, '"');
	for (size_t i = 0; i < text.len; i++) {
		uint8_t byte = text.at[i];
		if (byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\') {
			writer_u8(to, byte);
			continue;
		}
		writer_u8(to, '\\');
		writer_u8(to, (uint8_t)('0' + byte / 100));
		writer_u8(to, (uint8_t)('0' + byte / 10 % 10));
		writer_u8(to, (uint8_t)('0' + byte % 10));
	}
	writer_u8(to, '"');
}

static bool write_address(struct writer *to, size_t len, struct slice rdata)
{
	if (rdata.len != len)
		return false;
	if (len == 4)
		address_write_v4(to, rdata.at);
	else
		address_write_v6(to, rdata.at);
	return true;
}

static bool write_strings(struct writer *to, struct slice rdata)
{
	struct reader from = reader_of(rdata);
	for (bool first = true; reader_left(&from) > 0; first = false) {
		struct slice text = reader_bytes(&from, reader_u8(&from));
		if (from.failed)
			return false;
		if (!first)
			writer_u8(to, ' ');
		write_quoted(to, text);
	}
	return rdata.len > 0;
}

/* Numbers of `width` bytes each (2 or 4), with blanks between. */
static void write_numbers(struct writer *to, struct slice bytes, size_t width)
{
	struct reader from = reader_of(bytes);
	for (bool first = true; reader_left(&from) >= width; first = false) {
		if (!first)
			writer_u8(to, ' ');
		writer_decimal(to, width == 2 ? reader_u16(&from) : reader_u32(&from));
	}
}

static bool write_parts(
	struct writer *to, const struct dns_answer *answer, const struct dns_record *record)
{
	struct dns_rdata_walk walk;
	struct dns_rdata_part part;
	bool is_naptr = record->type == DNS_TYPE_NAPTR;
	dns_rdata_walk_begin(
		&walk, answer->message, record->type, record->rdata_at, record->rdata.len);
	for (bool first = true; dns_rdata_next(&walk, &part); first = false) {
		if (!first)
			writer_u8(to, ' ');
		if (part.is_name)
			dns_name_write_text(to, dns_name_slice(&part.name));
		else if (is_naptr && !first)
			write_strings(to, part.bytes);
		else
			write_numbers(to, part.bytes, record->type == DNS_TYPE_SOA ? 4 : 2);
	}
	return !walk.message.failed;
}

static bool write_by_type(
	struct writer *to, const struct dns_answer *answer, const struct dns_record *record)
{
	switch (record->type) {
	case DNS_TYPE_A: return write_address(to, 4, record->rdata);
	case DNS_TYPE_AAAA: return write_address(to, 16, record->rdata);
	case DNS_TYPE_TXT:
	case DNS_TYPE_SPF:
	case DNS_TYPE_HINFO: return write_strings(to, record->rdata);
	case DNS_TYPE_SIG:
	case DNS_TYPE_NXT:
	case DNS_TYPE_SVCB:
	case DNS_TYPE_HTTPS: return false;
	default:
		return dns_rdata_kind(record->type) != DNS_RDATA_OPAQUE &&
			write_parts(to, answer, record);
	}
}

void dns_rdata_write_text(
	struct writer *to, const struct dns_answer *answer, const struct dns_record *record)
{
	struct writer before = *to;
	if (write_by_type(to, answer, record))
		return;
	*to = before;
	write_generic(to, record->rdata);
}
