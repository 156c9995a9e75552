#include "rules/chain.h"

#include "dns/types.h"

static void copy_lower(struct dns_name *to, struct slice name)
{
	to->len = (uint8_t)name.len;
	dns_name_lower(to->wire, name.at, name.len);
}

static bool is_redirection(uint16_t type)
{
	return type == DNS_TYPE_CNAME || type == DNS_TYPE_DNAME;
}

static bool is_link(uint16_t type)
{
	return is_redirection(type) || type == DNS_TYPE_SVCB || type == DNS_TYPE_HTTPS;
}

static bool same_names(const struct dns_name *a, const struct dns_name *b)
{
	return slice_equals(dns_name_slice(a), dns_name_slice(b));
}

static bool same_links(const struct chain_link *a, const struct chain_link *b)
{
	return a->type == b->type && same_names(&a->owner, &b->owner) &&
		same_names(&a->target, &b->target);
}

/* Takes the record for a link unless the same one is there already. */
static void collect_link(
	struct chain *chain, const struct dns_answer *answer, const struct dns_record *record)
{
	struct dns_name target;
	if (!dns_record_target(answer, record, &target) || chain->link_count == CHAIN_LINKS_MAX) {
		chain->failed = true;
		return;
	}
	struct chain_link *link = &chain->links[chain->link_count];
	link->type = record->type;
	copy_lower(&link->owner, dns_name_slice(&record->owner));
	copy_lower(&link->target, dns_name_slice(&target));
	if (link->target.len == 1 && !is_redirection(link->type))
		link->target = link->owner;
	for (unsigned i = 0; i < chain->link_count; i++)
		if (same_links(&chain->links[i], link))
			return;
	chain->link_count++;
}

void chain_begin(struct chain *chain, struct slice question, const struct dns_answer *answer)
{
	chain->link_count = 0;
	chain->name_count = 1;
	chain->next = 1;
	chain->failed = false;
	chain->trusted = 0;
	chain->expanded = 0;
	chain->leads_to[0] = 0;
	copy_lower(&chain->names[0], question);
	struct dns_record_walk walk;
	struct dns_record record;
	dns_record_walk_begin(&walk, answer);
	while (dns_record_next(&walk, &record) && record.section == DNS_SECTION_ANSWER)
		if (is_link(record.type))
			collect_link(chain, answer, &record);
}

/* The number of a name, which is added when it is new; CHAIN_NAMES_MAX when there is no room. */
static unsigned number_of(struct chain *chain, const struct dns_name *name)
{
	for (unsigned i = 0; i < chain->name_count; i++)
		if (same_names(&chain->names[i], name))
			return i;
	if (chain->name_count == CHAIN_NAMES_MAX) {
		chain->failed = true;
		return CHAIN_NAMES_MAX;
	}
	chain->leads_to[chain->name_count] = 0;
	chain->names[chain->name_count] = *name;
	return chain->name_count++;
}

static void lead_to(struct chain *chain, unsigned from, const struct dns_name *name)
{
	unsigned to = number_of(chain, name);
	if (to < CHAIN_NAMES_MAX)
		chain->leads_to[from] |= UINT32_C(1) << to;
}

/* RFC 6672 2.2: the labels that `name` has below the owner, put before the target. */
static bool substitute(
	const struct dns_name *name, const struct chain_link *dname, struct dns_name *made)
{
	size_t kept = (size_t)(name->len - dname->owner.len);
	if (kept + dname->target.len > DNS_NAME_MAX)
		return false;
	memcpy(made->wire, name->wire, kept);
	memcpy(made->wire + kept, dname->target.wire, dname->target.len);
	made->len = (uint8_t)(kept + dname->target.len);
	return true;
}

static void follow_dname(struct chain *chain, unsigned from, const struct chain_link *link)
{
	const struct dns_name *name = &chain->names[from];
	struct dns_name made;
	if (name->len <= link->owner.len ||
		!dns_name_is_under(dns_name_slice(name), dns_name_slice(&link->owner)))
		return;
	if (substitute(name, link, &made))
		lead_to(chain, from, &made);
	else
		chain->failed = true; /* RFC 6672 2.2: a server says YXDOMAIN here */
	number_of(chain, &link->target);
}

/* Adds the names that a name leads to. */
static void expand(struct chain *chain, unsigned from)
{
	chain->expanded |= UINT32_C(1) << from;
	for (unsigned i = 0; i < chain->link_count; i++) {
		const struct chain_link *link = &chain->links[i];
		if (link->type == DNS_TYPE_DNAME)
			follow_dname(chain, from, link);
		else if (!same_names(&link->owner, &chain->names[from]))
			continue;
		else if (link->type == DNS_TYPE_CNAME)
			lead_to(chain, from, &link->target);
		else
			number_of(chain, &link->target);
	}
}

/* All that can be reached through names that are judged is known: what trusted names lead to beyond
 * that is taken in as trusted, and stepped over. */
static void cover_trusted(struct chain *chain)
{
	unsigned judged = chain->name_count;
	for (unsigned i = 0; i < chain->name_count; i++) {
		if (i >= judged)
			chain->trusted |= UINT32_C(1) << i;
		if (chain->trusted & ~chain->expanded & UINT32_C(1) << i)
			expand(chain, i);
	}
	chain->next = chain->name_count;
}

/* The first target that nothing led to. */
static bool add_stray(struct chain *chain)
{
	unsigned known = chain->name_count;
	for (unsigned i = 0; i < chain->link_count && chain->name_count == known; i++)
		number_of(chain, &chain->links[i].target);
	return chain->name_count > known;
}

unsigned chain_next(struct chain *chain)
{
	unsigned last = chain->next - 1;
	if (!((chain->trusted | chain->expanded) & UINT32_C(1) << last))
		expand(chain, last);
	if (chain->next == chain->name_count) {
		cover_trusted(chain);
		if (!add_stray(chain))
			return 0;
	}
	return chain->next++;
}

void chain_trust(struct chain *chain, unsigned hop)
{
	chain->trusted |= UINT32_C(1) << hop;
}

/* A name that leads nowhere is at the end of no loop; taking such names away leaves the loops. */
static bool has_loop(const struct chain *chain)
{
	uint32_t left = (UINT32_C(1) << chain->name_count) - 1;
	for (uint32_t before = 0; before != left;) {
		before = left;
		for (unsigned i = 0; i < chain->name_count; i++)
			if (!(chain->leads_to[i] & left))
				left &= ~(UINT32_C(1) << i);
	}
	return left != 0;
}

bool chain_has_failed(const struct chain *chain)
{
	return chain->failed || has_loop(chain);
}
