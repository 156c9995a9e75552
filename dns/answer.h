/* answer.h - what an upstream said: checked once, then walked record by record.
 * The view is borrowed from the message; the records' names are read out of it, decompressed. */
#ifndef DNS_ANSWER_H
#define DNS_ANSWER_H

#include "dns/query.h"

enum dns_section { DNS_SECTION_ANSWER, DNS_SECTION_AUTHORITY, DNS_SECTION_ADDITIONAL };

struct dns_answer {
	struct slice message;
	uint16_t id;
	uint16_t flags;
	uint16_t rcode;    /* with the OPT's upper bits */
	struct slice name; /* of the question */
	uint16_t type;
	uint16_t class;
	uint16_t counts[3]; /* records by section, OPT not left out */
	size_t records_at;  /* where the first record begins */
	struct dns_opt opt;
};

/* Opens an answer: QR is 1, exactly one question, all records inside the message with names and
 * RDATA that can be read, no more than DNS_ANSWER_RECORDS_MAX of them, and their names together no
 * longer than DNS_ANSWER_NAMES_MAX bytes when decompressed. 0 or ERR_MALFORMED.
 * That it answers what was asked is for dns_answer_is_for(). */
enum { DNS_ANSWER_RECORDS_MAX = 4096, DNS_ANSWER_NAMES_MAX = 256 * 1024 };
int dns_answer_open(struct dns_answer *answer, struct slice message);

/* Same question: name without regard to case, type, class, and opcode QUERY. */
bool dns_answer_is_for(
	const struct dns_answer *answer, struct slice name, uint16_t type, uint16_t class);

/* One record. `owner` is decompressed; `rdata` is as it stands in the message (names in it may be
 * compressed: read them with dns_name_read() on a reader over the whole message). */
struct dns_record {
	enum dns_section section;
	struct dns_name owner;
	uint16_t type;
	uint16_t class;
	uint32_t ttl_s; /* top bit set reads as 0 (RFC 2181 8) */
	struct slice rdata;
	size_t rdata_at; /* position in the message */
};

struct dns_record_walk {
	const struct dns_answer *answer;
	struct reader reader;
	unsigned section;
	unsigned left; /* in this section */
};

void dns_record_walk_begin(struct dns_record_walk *walk, const struct dns_answer *answer);

/* The next record; false at the end. An opened answer never fails here. OPT and TSIG are left out:
 * they are between us and the upstream, and a signature does not outlive the rebuilding. */
bool dns_record_next(struct dns_record_walk *walk, struct dns_record *record);

/* Makes a copy of the answer in `to` (answer->message.len bytes) with all TTLs less by `age_s`, not
 * below 0; `answer` becomes a view of the copy. */
void dns_answer_age(struct dns_answer *answer, uint8_t *to, uint32_t age_s);

/* The name at the front of a record's RDATA, as CNAME, DNAME, NS and PTR have it, and, for SVCB and
 * HTTPS, the TargetName behind the priority. False when there is none or it cannot be read. */
bool dns_record_target(
	const struct dns_answer *answer, const struct dns_record *record, struct dns_name *target);

#endif
