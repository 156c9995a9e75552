/* belong.h - which records of an answer belong to its question. The rest is what a server thought
 * useful to say, or an attacker (RFC 2181 5.4.1): nobody asked for it, and it is not handed on.
 *
 * The chain: the question's name, what CNAME records of the answer section make of it, and what
 * DNAME records above it do (RFC 6672 2.2), in whatever order they stand. No alias is followed for
 * questions of type CNAME and ANY. What belongs, all of the question's class:
 *   answer      every record of a name of the chain; DNAME and its RRSIG above such a name
 *   authority   SOA, NS, DS and their RRSIG of a name of the chain or above one; NSEC, NSEC3 and
 *               their RRSIG under a zone's apex that is such a name: the owner of an SOA or NS
 *               record here, or who signed them
 *   additional  A, AAAA and their RRSIG of names that SRV, MX, NS, SVCB and HTTPS records of the
 *               chain lead to (the first DNS_BELONG_TARGETS_MAX of them)
 *
 * Pure; one value on the caller's stack, about 25 kB, of which a usual answer touches little (see
 * not_cleared.h). */
#ifndef DNS_BELONG_H
#define DNS_BELONG_H

#include "dns/answer.h"

enum {
	DNS_BELONG_NAMES_MAX = 17, /* as many as the rules judge: 16 and the question */
	DNS_BELONG_LINKS_MAX = 32, /* every name by a DNAME and its CNAME */
	DNS_BELONG_APEXES_MAX = 8,
	DNS_BELONG_TARGETS_MAX = 16,
};

struct dns_belong_link {
	uint16_t type; /* CNAME or DNAME */
	struct dns_name owner;
	struct dns_name target;
};

struct dns_belong {
	uint16_t class;
	unsigned link_count;
	unsigned name_count;
	unsigned apex_count;
	unsigned target_count;
	struct dns_belong_link links[DNS_BELONG_LINKS_MAX];
	struct dns_name names[DNS_BELONG_NAMES_MAX]; /* the chain; 0: the question */
	struct slice apexes[DNS_BELONG_APEXES_MAX];  /* ends of `names` */
	struct dns_name targets[DNS_BELONG_TARGETS_MAX];
};

/* Reads the answer's chain. False when it has more aliases or more names than the limits: an answer
 * that nobody can use. Points into itself: not to be copied. */
bool dns_belong_begin(struct dns_belong *belong, const struct dns_answer *answer);

/* Does a record of this answer belong to its question? */
bool dns_belong_has(const struct dns_belong *belong, const struct dns_record *record);

/* Does the question lead to another name? */
static inline bool dns_belong_is_alias(const struct dns_belong *belong)
{
	return belong->name_count > 1;
}

/* Is it the last name of the chain, or above it? So is the zone that a negative answer is about
 * (RFC 2308 2.1, 2.2). */
bool dns_belong_is_above_last(const struct dns_belong *belong, const struct dns_name *name);

#endif
