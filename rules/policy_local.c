/* policy_local.c - our own records: sorted by name, found by binary search. */
#include "rules/policy_parts.h"

#include "base/error.h"
#include "dns/types.h"

#include <stdlib.h>

static int compare_names(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return a.len < b.len ? -1 : 1;
	return memcmp(a.at, b.at, a.len);
}

/* Records of one name keep the order in which they were written: their RDATA was copied in that
 * order into one block. */
static int compare_records(const void *a, const void *b)
{
	const struct local_record_spec *one = a;
	const struct local_record_spec *other = b;
	int order = compare_names(dns_name_slice(&one->name), dns_name_slice(&other->name));
	if (order != 0)
		return order;
	return one->rdata.at < other->rdata.at ? -1 : one->rdata.at > other->rdata.at;
}

/* One byte more than the RDATA, so that every record has a place of its own. */
static uint8_t *take_rdata(struct policy *policy, const struct policy_spec *spec)
{
	size_t size = 0;
	for (size_t i = 0; i < spec->local_record_count; i++)
		size += spec->local_records[i].rdata.len + 1;
	return arena_take(&policy->memory, size, 1);
}

int policy_local_build(struct policy *policy, const struct policy_spec *spec)
{
	size_t count = spec->local_record_count;
	uint8_t *rdata = take_rdata(policy, spec);
	policy->local_records = arena_take(&policy->memory, count, sizeof *policy->local_records);
	if (!rdata || !policy->local_records)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		struct local_record_spec *record = &policy->local_records[i];
		*record = spec->local_records[i];
		dns_name_lower(record->name.wire, record->name.wire, record->name.len);
		if (record->rdata.len > 0)
			memcpy(rdata, record->rdata.at, record->rdata.len);
		record->rdata.at = rdata;
		rdata += record->rdata.len + 1;
	}
	policy->local_record_count = count;
	qsort(policy->local_records, count, sizeof *policy->local_records, compare_records);
	return 0;
}

/* The first record whose name is not before `name`. */
static size_t find_first(const struct policy *policy, struct slice name)
{
	size_t low = 0;
	size_t high = policy->local_record_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct local_record_spec *record = &policy->local_records[middle];
		if (compare_names(dns_name_slice(&record->name), name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool policy_local_has(const struct policy *policy, struct slice name)
{
	size_t first = find_first(policy, name);
	return first < policy->local_record_count &&
		slice_equals(dns_name_slice(&policy->local_records[first].name), name);
}

bool policy_local_records(const struct policy *policy, struct slice name, uint16_t type,
	void (*on_record)(void *context, uint16_t type, uint32_t ttl_s, struct slice rdata),
	void *context)
{
	bool found = false;
	for (size_t i = find_first(policy, name); i < policy->local_record_count; i++) {
		const struct local_record_spec *record = &policy->local_records[i];
		if (!slice_equals(dns_name_slice(&record->name), name))
			break;
		found = true;
		if (record->type == type || record->type == DNS_TYPE_CNAME || type == DNS_TYPE_ANY)
			on_record(context, record->type, record->ttl_s, record->rdata);
	}
	return found;
}
