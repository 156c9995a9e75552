/* local_data.c - records of our own: from "A" and "192.0.2.1" to owner, type and RDATA. */
#include "proxy/config/resolve.h"

#include "dns/types.h"
#include "proxy/config/domain.h"

#include <stdio.h>
#include <stdlib.h>

enum { STRING_MAX = 255 }; /* a character-string, RFC 1035 3.3 */

static bool read_name(struct resolve *resolve, const struct draft_local_record *from,
	const char *key, const char *text, struct dns_name *name)
{
	const char *wrong = domain_parse(name, text);
	if (wrong)
		problem_with(resolve, from, key, "%s %s", QUOTED(text), wrong);
	else if (strchr(text, '*'))
		problem_with(
			resolve, from, key, "an asterisk stands for nothing here: write one name");
	else
		return true;
	return false;
}

static bool read_owner(
	struct resolve *resolve, const struct draft_local_record *from, struct dns_name *name)
{
	struct address address;
	bool is_address = address_parse(&address, from->name);
	if (is_address && from->type == DNS_TYPE_PTR) {
		domain_of_network(name, &address, 128);
		return true;
	}
	if (is_address) {
		problem_with(resolve, from, "name",
			"%s is an address; only a PTR record can be named by one",
			QUOTED(from->name));
		return false;
	}
	if (!read_name(resolve, from, "name", from->name, name))
		return false;
	dns_name_lower(name->wire, name->wire, name->len);
	return true;
}

static bool keep(
	struct resolve *resolve, struct local_record_spec *to, const void *bytes, size_t len)
{
	void *kept = resolve_take(resolve, len, 1);
	if (!kept)
		return false;
	memcpy(kept, bytes, len);
	to->rdata = slice_of(kept, len);
	return true;
}

static bool read_address(struct resolve *resolve, const struct draft_local_record *from,
	struct local_record_spec *to)
{
	bool wants_v4 = from->type == DNS_TYPE_A;
	struct address address;
	if (!address_parse(&address, from->value) || address_is_v4(&address) != wants_v4) {
		problem_with(resolve, from, "value", "%s is not an %s address", QUOTED(from->value),
			wants_v4 ? "IPv4" : "IPv6");
		return false;
	}
	size_t start = wants_v4 ? 12 : 0;
	return keep(resolve, to, address.bytes + start, sizeof address.bytes - start);
}

static bool read_target(struct resolve *resolve, const struct draft_local_record *from,
	struct local_record_spec *to)
{
	struct dns_name target;
	if (!read_name(resolve, from, "value", from->value, &target))
		return false;
	if (from->type == DNS_TYPE_CNAME &&
		dns_name_equals(dns_name_slice(&target), dns_name_slice(&to->name))) {
		problem_with(resolve, from, "value", "this CNAME leads to itself");
		return false;
	}
	return keep(resolve, to, target.wire, target.len);
}

/* The text in character-strings of at most 255 bytes; an empty text is one empty string. */
static bool read_strings(struct resolve *resolve, const struct draft_local_record *from,
	struct local_record_spec *to)
{
	size_t len = strlen(from->value);
	uint8_t *rdata = resolve_take(resolve, len + len / STRING_MAX + 1, 1);
	if (!rdata)
		return false;
	struct writer strings = writer_of(rdata, len + len / STRING_MAX + 1);
	size_t at = 0;
	do {
		size_t part = len - at > STRING_MAX ? STRING_MAX : len - at;
		writer_u8(&strings, (uint8_t)part);
		writer_bytes(&strings, from->value + at, part);
		at += part;
	} while (at < len);
	to->rdata = writer_slice(&strings);
	return true;
}

static bool read_rdata(struct resolve *resolve, const struct draft_local_record *from,
	struct local_record_spec *to)
{
	switch (from->type) {
	case DNS_TYPE_A:
	case DNS_TYPE_AAAA: return read_address(resolve, from, to);
	case DNS_TYPE_TXT: return read_strings(resolve, from, to);
	default: return read_target(resolve, from, to);
	}
}

static bool resolve_record(struct resolve *resolve, const struct draft_local_record *from,
	struct local_record_spec *to)
{
	if (from->element.broken)
		return false;
	to->type = (uint16_t)from->type;
	to->ttl_s = from->ttl_s;
	bool has_owner = read_owner(resolve, from, &to->name);
	return read_rdata(resolve, from, to) && has_owner;
}

struct sorted_record {
	const struct local_record_spec *record;
	const struct draft_local_record *from;
	size_t walk; /* the one that came by first, see check_loops(); 0: none yet */
};

static int compare_slices(struct slice a, struct slice b)
{
	int order = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);
	return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* By name, then CNAMEs first, then by type and data, then as written. */
static int compare_records(const void *a, const void *b)
{
	const struct local_record_spec *left = ((const struct sorted_record *)a)->record;
	const struct local_record_spec *right = ((const struct sorted_record *)b)->record;
	int order = compare_slices(dns_name_slice(&left->name), dns_name_slice(&right->name));
	if (order)
		return order;
	bool left_cname = left->type == DNS_TYPE_CNAME, right_cname = right->type == DNS_TYPE_CNAME;
	if (left_cname != right_cname)
		return left_cname ? -1 : 1;
	if (left->type != right->type)
		return left->type < right->type ? -1 : 1;
	order = compare_slices(left->rdata, right->rdata);
	return order ? order : (left > right) - (left < right);
}

/* RFC 1034 3.6.2: where a CNAME is, nothing else may be. */
static void check_neighbours(
	struct resolve *resolve, const struct sorted_record *sorted, size_t count)
{
	size_t first = 0; /* of this name */
	for (size_t i = 1; i < count; i++) {
		const struct local_record_spec *record = sorted[i].record;
		const struct local_record_spec *before = sorted[i - 1].record;
		if (!dns_name_equals(dns_name_slice(&record->name), dns_name_slice(&before->name)))
			first = i;
		else if (sorted[first].record->type == DNS_TYPE_CNAME)
			problem_with(resolve, sorted[i].from, "name",
				"%s has a CNAME in %s, and where a CNAME is nothing else can "
				"be",
				QUOTED(sorted[i].from->name),
				LINE_OF(sorted[first].from->element.at,
					sorted[i].from->element.at));
		else if (record->type == before->type && slice_equals(record->rdata, before->rdata))
			problem_with(resolve, sorted[i].from, "value", "the same record is in %s",
				LINE_OF(sorted[i - 1].from->element.at,
					sorted[i].from->element.at));
	}
}

static int compare_name(const void *name, const void *record)
{
	const struct sorted_record *sorted = record;
	return compare_slices(*(const struct slice *)name, dns_name_slice(&sorted->record->name));
}

/* The CNAME that the one in hand leads to; NULL when the chain ends. */
static struct sorted_record *next_cname(
	struct sorted_record *sorted, size_t count, const struct sorted_record *from)
{
	const struct slice *target = &from->record->rdata;
	if (from->record->type != DNS_TYPE_CNAME)
		return NULL;
	return bsearch(target, sorted, count, sizeof *sorted, compare_name);
}

/* CNAMEs that lead to one another have no answer. Each record is passed once: a walk that meets its
 * own mark went round, and one that meets an earlier walk's need not go there again. */
static void check_loops(struct resolve *resolve, struct sorted_record *sorted, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct sorted_record *at = &sorted[i];
		struct sorted_record *last = NULL;
		for (; at && at->walk == 0; at = next_cname(sorted, count, at)) {
			at->walk = i + 1;
			last = at;
		}
		if (at && last && at->walk == i + 1)
			problem_with(resolve, last->from, "value",
				"this CNAME leads back to %s of %s", QUOTED(at->from->name),
				LINE_OF(at->from->element.at, last->from->element.at));
	}
}

void resolve_local_data(struct resolve *resolve)
{
	const struct draft_local_record *from = resolve->draft->local_data.at;
	size_t count = resolve->draft->local_data.count, sorted_count = 0;
	struct local_record_spec *to = resolve_take(resolve, count, sizeof *to);
	struct sorted_record *sorted = arena_take(resolve->scratch, count, sizeof *sorted);
	resolve->no_memory |= !sorted;
	for (size_t i = 0; !resolve->no_memory && i < count; i++)
		if (resolve_record(resolve, &from[i], &to[i]))
			sorted[sorted_count++] =
				(struct sorted_record){ .record = &to[i], .from = &from[i] };
	if (sorted_count)
		qsort(sorted, sorted_count, sizeof *sorted, compare_records);
	check_neighbours(resolve, sorted, sorted_count);
	check_loops(resolve, sorted, sorted_count);
	resolve->config->policy.local_records = to;
	resolve->config->policy.local_record_count = count;
}
