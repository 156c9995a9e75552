/* zone_text_fuzz.c - any bytes as a master file: every line is looked at, nothing points outside,
 * and RDATA that could be read follows its type. */
#include "rules/lists/zone_rdata.h"

#include "dns/rdata.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool truth)
{
	if (!truth)
		abort();
}

static void check_inside(struct slice part, const uint8_t *data, size_t size)
{
	check(part.at >= data && part.at + part.len <= data + size);
}

static void check_rdata(const struct zone_entry *entry, const struct dns_name *origin)
{
	uint8_t rdata[FACET_RECORDS_MAX];
	struct writer to = writer_of(rdata, sizeof rdata);
	struct dns_rdata_walk walk;
	struct dns_rdata_part part;
	if (!zone_rdata_read(&to, entry->type, entry->rdata, entry->rdata_count, origin))
		return;
	dns_rdata_walk_begin(&walk, writer_slice(&to), entry->type, 0, to.len);
	while (dns_rdata_next(&walk, &part))
		check(!part.is_name || dns_name_check(dns_name_slice(&part.name)) == part.name.len);
	check(!walk.message.failed && reader_left(&walk.message) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct zone_text zone;
	struct zone_entry entry;
	uint32_t line = 0;
	zone_text_begin(&zone, slice_of(data, size));
	while (zone_text_next(&zone, &entry)) {
		check(entry.line > line && zone.line >= entry.line);
		line = entry.line;
		check(entry.text.len > 0);
		check_inside(entry.text, data, size);
		if (entry.owner.len > 0)
			check_inside(entry.owner, data, size);
		if (entry.fault)
			continue;
		check(!entry.is_owner_unknown && entry.ttl_s <= ZONE_TTL_MAX_S);
		check(entry.rdata_count < ZONE_WORDS_MAX);
		for (size_t i = 0; i < entry.rdata_count; i++)
			check_inside(entry.rdata[i].text, data, size);
		check_rdata(&entry, &zone.origin);
	}
	check(zone.rest.len == 0);
	return 0;
}
