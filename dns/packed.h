/* packed.h - an answer in the form in which it is kept: what an upstream said, re-encoded once, so
 * that a reply to the next client is one copy and a few patches.
 *
 * A packed answer is one run of bytes without pointers: a fixed head, the EDE text, the positions
 * of all TTLs, and a whole DNS message: header, question in lower case, the records that belong to
 * the question (see belong.h: what nobody asked for is neither kept nor handed on) with names
 * compressed by us, no OPT, no TSIG. It may be copied, written to a file and read again on the same
 * machine; after a file it must pass dns_packed_check(). Pure. */
#ifndef DNS_PACKED_H
#define DNS_PACKED_H

#include "dns/reply.h"

/* What sort of answer it is, for whoever keeps it (RFC 2308 2, RFC 9520 1). */
enum dns_packed_kind {
	DNS_PACKED_POSITIVE,
	DNS_PACKED_NODATA,   /* the name has no records of that type; has an SOA */
	DNS_PACKED_NXDOMAIN, /* the question's own name does not exist, whatever the type; has an
				SOA and no records in the answer section */
	DNS_PACKED_NXDOMAIN_BEHIND, /* a name that an alias of the question leads to does not exist
				     */
	DNS_PACKED_FAILURE,         /* SERVFAIL, REFUSED and the like: the resolution failed */
	DNS_PACKED_FLEETING /* good for this client, not to be kept: TTL 0, a negative answer
			       without SOA (RFC 2308 5), a referral, TC, another rcode */
};

/* What TTLs are kept within, in seconds. */
struct dns_packed_ttls {
	uint32_t min_s; /* of positive answers, those of TTL 0 too; 0: as the upstream says */
	uint32_t max_s; /* of all; at most DNS_TTL_MAX_S. Wins over min_s */
	uint32_t negative_max_s; /* of NODATA and NXDOMAIN; at most 3 h (RFC 2308 5) */
};

struct dns_packed {
	enum dns_packed_kind kind;
	uint16_t rcode;       /* below 16: what is said about our own hop is SERVFAIL here */
	bool authentic;       /* the upstream set AD */
	bool leads_somewhere; /* there is a CNAME, DNAME, SVCB or HTTPS record: judge its targets */
	bool has_addresses;   /* there is an A or AAAA record, or an SVCB or HTTPS one (hints) */
	int ede;              /* of the upstream, or DNS_EDE_NONE */
	struct slice ede_text;
	uint32_t ttl_s; /* how long it may be kept: the least TTL of all records, and for
			   negative answers MINIMUM of the SOA; 0 for FAILURE and FLEETING */
	uint16_t counts[3];
	struct slice ttl_positions; /* in `message`; native uint16_t each, unaligned */
	struct slice message;       /* dns_answer_open() opens it */
};

enum { DNS_PACKED_HEAD_MAX = 64 };

/* Packs an opened answer; TTLs in the message are already within `ttls`, and those of a negative
 * answer are at most its ttl_s. Returns its bytes in `buffer`; empty when it does not fit, or when
 * it has more aliases than dns_belong_begin() follows. A size of DNS_PACKED_HEAD_MAX +
 * DNS_EDE_TEXT_MAX + 2 * DNS_ANSWER_RECORDS_MAX + DNS_MESSAGE_MAX always suffices, but for an
 * answer that as we write it is longer than a message can be. */
enum {
	DNS_PACKED_MAX = DNS_PACKED_HEAD_MAX + DNS_EDE_TEXT_MAX + 2 * DNS_ANSWER_RECORDS_MAX +
		DNS_MESSAGE_MAX
};
struct slice dns_packed_write(const struct dns_answer *answer, const struct dns_packed_ttls *ttls,
	void *buffer, size_t capacity);

/* A failure of our own (nobody answered in time ...): SERVFAIL for this question, with an extended
 * error. `name` is lower-case wire. */
struct slice dns_packed_failure(struct slice name, uint16_t type, uint16_t class, int ede,
	const char *ede_text, void *buffer, size_t capacity);

/* Opens what dns_packed_write() wrote. Trusts the bytes: those of a file go through
 * dns_packed_check() first. */
void dns_packed_open(struct dns_packed *packed, struct slice bytes);

/* Are these bytes a packed answer that can be opened, replied with and judged, whatever wrote them?
 * Everything is checked; for files, not for the query path. */
bool dns_packed_check(struct slice bytes);

/* Which TTLs a reply tells: those kept, less the age; or one and the same (RFC 8767 4: 30 s). */
struct dns_packed_age {
	uint32_t age_s;
	uint32_t fixed_ttl_s; /* 0: use age_s */
};

/* Puts the whole packed answer into a reply that has just begun (dns_reply_begin(): question and
 * nothing else): records, TTLs by age, rcode, reply->ttl_min_s. The question stays the client's
 * own, and names that are the question's take its case. TC is set where the upstream's answer had
 * it; AD and EDE are the caller's. False when it does not fit into the reply's limits, or the
 * reply's question is for another name, or something stands behind it: nothing was changed; then
 * open `message` and copy record by record, which truncates by the rules. Nothing but
 * dns_reply_finish() comes after it. */
bool dns_packed_paste(
	struct dns_reply *reply, const struct dns_packed *packed, struct dns_packed_age age);

/* The other way, for when it does not fit: applies the age to the TTLs of the packed message itself
 * (a copy that the caller owns). */
void dns_packed_age_message(
	const struct dns_packed *packed, struct dns_packed_age age, uint8_t *message);

#endif
