#include "rules/given.h"

#include "dns/types.h"

static bool read_record(struct reader *records, struct given_record *record)
{
	record->type = reader_u16(records);
	record->ttl_s = reader_u32(records);
	record->rdata = reader_bytes(records, reader_u16(records));
	return !records->failed;
}

bool given_next(struct reader *records, uint16_t type, struct given_record *record)
{
	while (reader_left(records) > 0 && read_record(records, record))
		if (record->type == type || record->type == DNS_TYPE_CNAME || type == DNS_TYPE_ANY)
			return true;
	return false;
}

bool given_target(struct slice rdata, struct slice name, struct dns_name *target)
{
	size_t front = 0; /* of the name, without its root */
	if (rdata.len == 0 || rdata.len > DNS_NAME_MAX || dns_name_check(rdata) != rdata.len)
		return false;
	if (rdata.len > 2 && rdata.at[0] == 1 && rdata.at[1] == '*') {
		front = name.len - 1;
		rdata = slice_of(rdata.at + 2, rdata.len - 2);
	}
	if (front + rdata.len > DNS_NAME_MAX)
		return false;
	memcpy(target->wire, name.at, front);
	memcpy(target->wire + front, rdata.at, rdata.len);
	target->len = (uint8_t)(front + rdata.len);
	return true;
}

bool given_fits(const struct facet *facet, struct slice name)
{
	struct reader records = reader_of(facet->records);
	struct given_record record;
	struct dns_name target;
	while (given_next(&records, DNS_TYPE_CNAME, &record))
		if (!given_target(record.rdata, name, &target))
			return false;
	return true;
}
