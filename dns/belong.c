#include "dns/belong.h"

static bool same_names(const struct dns_name *a, const struct dns_name *b)
{
	return dns_name_equals(dns_name_slice(a), dns_name_slice(b));
}

/* Is `name` the same as `parent` or below it? The ends are compared first: one step for most. */
static bool is_under(const struct dns_name *name, const struct dns_name *parent)
{
	if (name->len < parent->len)
		return false;
	struct slice end = slice_of(name->wire + name->len - parent->len, parent->len);
	return dns_name_equals(end, dns_name_slice(parent)) &&
		dns_name_is_under(dns_name_slice(name), dns_name_slice(parent));
}

/* ---- the chain ---- */

static bool add_link(
	struct dns_belong *belong, const struct dns_answer *answer, const struct dns_record *record)
{
	struct dns_name target;
	if (!dns_record_target(answer, record, &target))
		return true;
	for (unsigned i = 0; i < belong->link_count; i++) {
		const struct dns_belong_link *link = &belong->links[i];
		if (link->type == record->type && same_names(&link->owner, &record->owner) &&
			same_names(&link->target, &target))
			return true;
	}
	if (belong->link_count == DNS_BELONG_LINKS_MAX)
		return false;
	struct dns_belong_link *link = &belong->links[belong->link_count++];
	link->type = record->type;
	link->owner = record->owner;
	link->target = target;
	return true;
}

static bool collect_links(struct dns_belong *belong, const struct dns_answer *answer)
{
	struct dns_record_walk walk;
	struct dns_record record;
	if (answer->type == DNS_TYPE_CNAME || answer->type == DNS_TYPE_ANY)
		return true;
	dns_record_walk_begin(&walk, answer);
	while (dns_record_next(&walk, &record) && record.section == DNS_SECTION_ANSWER)
		if ((record.type == DNS_TYPE_CNAME || record.type == DNS_TYPE_DNAME) &&
			record.class == belong->class && !add_link(belong, answer, &record))
			return false;
	return true;
}

/* RFC 6672 2.2: the labels that `name` has below the owner, put before the target. False when it
 * is not below, or what comes out is too long. */
static bool substitute(
	const struct dns_name *name, const struct dns_belong_link *dname, struct dns_name *made)
{
	if (name->len <= dname->owner.len || !is_under(name, &dname->owner))
		return false;
	size_t kept = (size_t)(name->len - dname->owner.len);
	if (kept + dname->target.len > DNS_NAME_MAX)
		return false;
	memcpy(made->wire, name->wire, kept);
	memcpy(made->wire + kept, dname->target.wire, dname->target.len);
	made->len = (uint8_t)(kept + dname->target.len);
	return true;
}

static bool is_on_chain(const struct dns_belong *belong, const struct dns_name *name)
{
	for (unsigned i = 0; i < belong->name_count; i++)
		if (same_names(&belong->names[i], name))
			return true;
	return false;
}

static bool add_name(struct dns_belong *belong, const struct dns_name *name)
{
	if (is_on_chain(belong, name))
		return true;
	if (belong->name_count == DNS_BELONG_NAMES_MAX)
		return false;
	belong->names[belong->name_count++] = *name;
	return true;
}

static bool follow_links(struct dns_belong *belong)
{
	for (unsigned i = 0; i < belong->name_count; i++) {
		for (unsigned k = 0; k < belong->link_count; k++) {
			const struct dns_belong_link *link = &belong->links[k];
			struct dns_name made = { .len = 0 };
			if (link->type == DNS_TYPE_DNAME)
				substitute(&belong->names[i], link, &made);
			else if (same_names(&belong->names[i], &link->owner))
				made = link->target;
			if (made.len > 0 && !add_name(belong, &made))
				return false;
		}
	}
	return true;
}

/* ---- what hangs on the chain ---- */

/* The end of a name of the chain that is this name; empty when it is not above any. */
static struct slice above_chain(const struct dns_belong *belong, const struct dns_name *name)
{
	for (unsigned i = 0; i < belong->name_count; i++) {
		const struct dns_name *below = &belong->names[i];
		if (is_under(below, name))
			return slice_of(below->wire + below->len - name->len, name->len);
	}
	return slice_of(NULL, 0);
}

static void add_apex(struct dns_belong *belong, const struct dns_name *name)
{
	struct slice apex = above_chain(belong, name);
	if (apex.len == 0 || belong->apex_count == DNS_BELONG_APEXES_MAX)
		return;
	for (unsigned i = 0; i < belong->apex_count; i++)
		if (dns_name_equals(belong->apexes[i], apex))
			return;
	belong->apexes[belong->apex_count++] = apex;
}

/* RFC 4034 3.1: the type covered stands first, the signer's name behind 18 bytes. */
enum { RRSIG_SIGNER_AT = 18 };

static bool read_signer(const struct dns_record *record, struct dns_name *signer)
{
	struct reader rdata = reader_of(record->rdata);
	reader_skip(&rdata, RRSIG_SIGNER_AT);
	signer->len = (uint8_t)dns_name_check(slice_of(rdata.at, reader_left(&rdata)));
	memcpy(signer->wire, rdata.at, signer->len);
	return signer->len > 0;
}

/* The type, or that which a signature covers: a signature stays with what it signs. */
static uint16_t type_covered(const struct dns_record *record)
{
	struct reader rdata = reader_of(record->rdata);
	return record->type == DNS_TYPE_RRSIG ? reader_u16(&rdata) : record->type;
}

static bool is_denial(uint16_t type)
{
	return type == DNS_TYPE_NSEC || type == DNS_TYPE_NSEC3;
}

static void learn_authority(struct dns_belong *belong, const struct dns_record *record)
{
	struct dns_name signer;
	if (record->type == DNS_TYPE_SOA || record->type == DNS_TYPE_NS)
		add_apex(belong, &record->owner);
	/* RFC 4035 5.3.1: nobody signs for names outside of the zone. */
	else if (record->type == DNS_TYPE_RRSIG && is_denial(type_covered(record)) &&
		read_signer(record, &signer) && is_under(&record->owner, &signer))
		add_apex(belong, &signer);
}

/* Where the types whose targets' addresses are worth having keep the target's name. */
static bool read_service_target(
	const struct dns_answer *answer, const struct dns_record *record, struct dns_name *target)
{
	static const struct {
		uint16_t type;
		uint8_t name_at;
	} rows[] = { { DNS_TYPE_NS, 0 }, { DNS_TYPE_MX, 2 }, { DNS_TYPE_SRV, 6 },
		{ DNS_TYPE_SVCB, 2 }, { DNS_TYPE_HTTPS, 2 } };
	size_t row = 0;
	while (row < sizeof rows / sizeof *rows && rows[row].type != record->type)
		row++;
	if (row == sizeof rows / sizeof *rows)
		return false;
	struct reader rdata =
		reader_of(slice_of(answer->message.at, record->rdata_at + record->rdata.len));
	reader_seek(&rdata, record->rdata_at + rows[row].name_at);
	dns_name_read(&rdata, target);
	return !rdata.failed;
}

static bool is_target(const struct dns_belong *belong, const struct dns_name *name)
{
	for (unsigned i = 0; i < belong->target_count; i++)
		if (same_names(&belong->targets[i], name))
			return true;
	return false;
}

static void learn_answer(
	struct dns_belong *belong, const struct dns_answer *answer, const struct dns_record *record)
{
	struct dns_name target;
	if (belong->target_count == DNS_BELONG_TARGETS_MAX || !dns_belong_has(belong, record) ||
		!read_service_target(answer, record, &target))
		return;
	/* RFC 9460 2.5.2: "." is the owner itself. */
	bool is_owner = target.len == 1 &&
		(record->type == DNS_TYPE_SVCB || record->type == DNS_TYPE_HTTPS);
	const struct dns_name *name = is_owner ? &record->owner : &target;
	if (!is_target(belong, name))
		belong->targets[belong->target_count++] = *name;
}

static void learn_rest(struct dns_belong *belong, const struct dns_answer *answer)
{
	struct dns_record_walk walk;
	struct dns_record record;
	dns_record_walk_begin(&walk, answer);
	while (dns_record_next(&walk, &record) && record.section != DNS_SECTION_ADDITIONAL)
		if (record.section == DNS_SECTION_ANSWER)
			learn_answer(belong, answer, &record);
		else if (record.class == belong->class)
			learn_authority(belong, &record);
}

bool dns_belong_begin(struct dns_belong *belong, const struct dns_answer *answer)
{
	belong->class = answer->class;
	belong->link_count = 0;
	belong->name_count = 1;
	belong->apex_count = 0;
	belong->target_count = 0;
	belong->names[0].len = (uint8_t)answer->name.len;
	memcpy(belong->names[0].wire, answer->name.at, answer->name.len);
	if (!collect_links(belong, answer) || !follow_links(belong))
		return false;
	learn_rest(belong, answer);
	return true;
}

static bool belongs_to_answer(const struct dns_belong *belong, const struct dns_record *record)
{
	return is_on_chain(belong, &record->owner) ||
		(type_covered(record) == DNS_TYPE_DNAME &&
			above_chain(belong, &record->owner).len > 0);
}

static bool belongs_to_authority(const struct dns_belong *belong, const struct dns_record *record)
{
	uint16_t type = type_covered(record);
	if (type == DNS_TYPE_SOA || type == DNS_TYPE_NS || type == DNS_TYPE_DS)
		return above_chain(belong, &record->owner).len > 0;
	for (unsigned i = 0; i < belong->apex_count && is_denial(type); i++)
		if (dns_name_is_under(dns_name_slice(&record->owner), belong->apexes[i]))
			return true;
	return false;
}

static bool belongs_to_additional(const struct dns_belong *belong, const struct dns_record *record)
{
	uint16_t type = type_covered(record);
	return (type == DNS_TYPE_A || type == DNS_TYPE_AAAA) && is_target(belong, &record->owner);
}

bool dns_belong_has(const struct dns_belong *belong, const struct dns_record *record)
{
	if (record->class != belong->class)
		return false;
	switch (record->section) {
	case DNS_SECTION_ANSWER: return belongs_to_answer(belong, record);
	case DNS_SECTION_AUTHORITY: return belongs_to_authority(belong, record);
	default: return belongs_to_additional(belong, record);
	}
}

bool dns_belong_is_above_last(const struct dns_belong *belong, const struct dns_name *name)
{
	return is_under(&belong->names[belong->name_count - 1], name);
}
