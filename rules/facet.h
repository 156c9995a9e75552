/* facet.h - what an entry of a list says about the names it covers, beyond that they are listed.
 * Most entries of most lists say nothing more: that facet is all zeros but for its rank. A list
 * has few facets, whatever its length; entries share them.
 *
 * Of the entries of one list that cover a name, the one with the highest rank counts; of equal
 * ranks the one with the most labels. So formats in which the closest entry wins (RPZ, unbound,
 * dnsmasq) give all the same rank, and adblock ranks its exceptions above what they except. */
#ifndef RULES_FACET_H
#define RULES_FACET_H

#include "base/slice.h"

enum facet_effect {
	FACET_LISTED, /* the list matches */
	FACET_EXCEPT, /* the list does not match (adblock "@@") */
	FACET_PASS,   /* the list does not match, and a rule GIVEN allows (rpz-passthru.) */
	FACET_CANCEL, /* entries of the same `group` that stand above this name do not count for it
			 (adblock $denyallow) */
	FACET_EFFECTS
};

/* What the entry itself wants to happen; rules whose action is GIVEN do it. */
enum given {
	GIVEN_NOTHING, /* the rule's block_response */
	GIVEN_NXDOMAIN,
	GIVEN_NODATA,
	GIVEN_REFUSED,
	GIVEN_DROP,
	GIVEN_TCP_ONLY, /* over UDP an empty truncated answer, else as if it were not listed */
	GIVEN_RECORDS,  /* `records`; of another type than asked: NODATA */
	GIVEN_COUNT
};

enum {
	FACET_TYPES_MAX = 16,
	FACET_RECORDS_MAX = 4096, /* bytes */
	FACET_RANK_PLAIN = 1,     /* of a format that knows no other */
};

/* Plain value; `records` belongs to whoever made it and dies with the call it is given to. */
struct facet {
	enum facet_effect effect;
	enum given given;
	uint8_t rank;
	bool except_types;               /* the entry counts for every query type but `types` */
	uint8_t type_count;              /* 0: it counts for every query type */
	uint16_t types[FACET_TYPES_MAX]; /* ascending */
	uint64_t group; /* of FACET_CANCEL and what it cancels; a hash of what the line says, so
			   that the order of lines is nothing; 0: none */
	/* GIVEN_RECORDS: {type, TTL in seconds, length, rdata} as in a message (16, 32, 16 bits,
	 * network order), in ascending order of bytes. rdata is uncompressed. A CNAME whose target
	 * begins with the label "*" means that label replaced by the name asked for. */
	struct slice records;
};

#endif
