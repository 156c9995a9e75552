#include "rules/addresses.h"

#include "dns/types.h"

struct telling {
	const struct dns_answer *answer;
	struct dns_record record;
	bool (*on_address)(
		void *context, const struct address *address, const struct dns_name *owner);
	void *context;
};

/* A row of addresses of `size` bytes each. */
static bool tell_row(const struct telling *telling, struct slice bytes, size_t size)
{
	for (size_t at = 0; at + size <= bytes.len; at += size) {
		struct address address;
		if (size == 4)
			address = address_of_v4(bytes.at + at);
		else
			memcpy(address.bytes, bytes.at + at, sizeof address.bytes);
		if (telling->on_address(telling->context, &address, &telling->record.owner))
			return true;
	}
	return false;
}

enum { KEY_IPV4HINT = 4, KEY_IPV6HINT = 6 }; /* RFC 9460 14.3.2 */

/* RFC 9460 2.2: priority, target, then keys with their values. */
static bool tell_hints(const struct telling *telling)
{
	const struct dns_record *record = &telling->record;
	struct reader rdata = reader_of(
		slice_of(telling->answer->message.at, record->rdata_at + record->rdata.len));
	reader_seek(&rdata, record->rdata_at + 2);
	dns_name_skip(&rdata);
	while (reader_left(&rdata) > 0) {
		uint16_t key = reader_u16(&rdata);
		struct slice value = reader_bytes(&rdata, reader_u16(&rdata));
		if (key == KEY_IPV4HINT && tell_row(telling, value, 4))
			return true;
		if (key == KEY_IPV6HINT && tell_row(telling, value, 16))
			return true;
	}
	return false;
}

static bool tell_record(const struct telling *telling)
{
	switch (telling->record.type) {
	case DNS_TYPE_A: return tell_row(telling, telling->record.rdata, 4);
	case DNS_TYPE_AAAA: return tell_row(telling, telling->record.rdata, 16);
	case DNS_TYPE_SVCB:
	case DNS_TYPE_HTTPS: return tell_hints(telling);
	default: return false;
	}
}

static bool is_used(const struct telling *telling)
{
	uint16_t type = telling->answer->type;
	bool is_service = type == DNS_TYPE_HTTPS || type == DNS_TYPE_SVCB;
	return telling->record.section == DNS_SECTION_ANSWER ||
		(telling->record.section == DNS_SECTION_ADDITIONAL && is_service);
}

bool addresses_each(const struct dns_answer *answer,
	bool (*on_address)(
		void *context, const struct address *address, const struct dns_name *owner),
	void *context)
{
	struct telling telling = { .answer = answer, .on_address = on_address, .context = context };
	struct dns_record_walk walk;
	dns_record_walk_begin(&walk, answer);
	while (dns_record_next(&walk, &telling.record))
		if (is_used(&telling) && tell_record(&telling))
			return true;
	return false;
}
