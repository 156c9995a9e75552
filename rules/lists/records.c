#include "rules/lists/records.h"

#include "base/reader.h"
#include "dns/types.h"

enum { RECORD_HEAD_LEN = 8 }; /* type, TTL, length */

/* clang-format off */
static const uint8_t null_records[] = {
	0, DNS_TYPE_A,    0, 0, 0, RECORDS_TTL_S, 0, 4,  0, 0, 0, 0,
	0, DNS_TYPE_AAAA, 0, 0, 0, RECORDS_TTL_S, 0, 16,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
};
/* clang-format on */

const struct facet records_null_facet = {
	.rank = FACET_RANK_PLAIN,
	.given = GIVEN_RECORDS,
	.records = { .at = null_records, .len = sizeof null_records },
};

static int compare(struct slice a, struct slice b)
{
	int order = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);
	return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* The record at the reader's place, whole. */
static struct slice take_record(struct reader *from)
{
	const uint8_t *start = from->at;
	reader_skip(from, RECORD_HEAD_LEN - 2);
	reader_skip(from, reader_u16(from));
	return slice_of(start, (size_t)(from->at - start));
}

static bool insert(struct records *records, size_t place, struct slice record)
{
	uint8_t *at = records->bytes + place;
	if (sizeof records->bytes - records->len < record.len)
		return false;
	memmove(at + record.len, at, records->len - place);
	memcpy(at, record.at, record.len);
	records->len += record.len;
	return true;
}

bool records_add(struct records *records, uint16_t type, uint32_t ttl_s, struct slice rdata)
{
	uint8_t bytes[FACET_RECORDS_MAX];
	struct writer to = writer_of(bytes, sizeof bytes);
	writer_u16(&to, type);
	writer_u32(&to, ttl_s);
	writer_u16(&to, (uint16_t)rdata.len);
	writer_slice_bytes(&to, rdata);
	if (to.failed)
		return false;
	struct reader from = reader_of(records_slice(records));
	size_t place = 0;
	while (reader_left(&from) > 0) {
		int order = compare(take_record(&from), writer_slice(&to));
		if (order == 0)
			return true;
		if (order > 0)
			break;
		place = reader_position(&from);
	}
	return insert(records, place, writer_slice(&to));
}

bool records_add_address(struct records *records, struct slice text, uint32_t ttl_s)
{
	char copy[ADDRESS_TEXT_MAX];
	struct address address;
	if (text.len == 0 || text.len >= sizeof copy || memchr(text.at, 0, text.len))
		return false;
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	if (!address_parse(&address, copy))
		return false;
	/* "::ffff:192.0.2.1" is written with colons, and so is an IPv6 address. */
	if (memchr(text.at, ':', text.len))
		return records_add(records, DNS_TYPE_AAAA, ttl_s, slice_of(address.bytes, 16));
	return records_add(records, DNS_TYPE_A, ttl_s, slice_of(address.bytes + 12, 4));
}
