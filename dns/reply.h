/* reply.h - writes what goes back to a client.
 * A reply is always built from parts, never patched from foreign bytes: header, the client's own
 * question bit-exact, records re-encoded one by one, our own OPT last. */
#ifndef DNS_REPLY_H
#define DNS_REPLY_H

#include "dns/answer.h"
#include "dns/compress.h"

enum {
	DNS_PAYLOAD_SIZE = 1232, /* what we say in our OPT and never exceed over UDP (RFC 9715) */
	DNS_REPLY_PADDING = 468, /* block size of answers, RFC 8467 4.1 */
	DNS_TTL_MAX_S = 604800,
	DNS_EDE_TEXT_MAX = 128,
};

/* How the reply travels; decided by the protocol the client used. */
struct dns_reply_limits {
	size_t size;           /* most bytes: see dns_reply_size() */
	bool encrypted;        /* padding may be added */
	uint16_t keepalive_ds; /* our idle timeout in 100 ms, told when asked for; 0: never */
	struct slice cookie;   /* told when the query had one (RFC 7873 5.2); empty: never. Lives
				  as long as the reply is written */
};

/* Most bytes of a UDP reply to this query: 512 without OPT, else the client's payload size between
 * 512 and DNS_PAYLOAD_SIZE. */
size_t dns_reply_udp_size(const struct dns_query *query);

struct dns_reply {
	struct writer to;
	const struct dns_query *query;
	struct dns_reply_limits limits;
	struct dns_compress compress;
	uint16_t flags; /* without rcode */
	uint16_t rcode;
	uint16_t counts[3];
	int ede; /* DNS_EDE_NONE for none */
	struct slice ede_text;
	unsigned section;      /* the section now written */
	size_t rrset_at;       /* where the RRset now written begins ... */
	uint16_t rrset_counts; /* ... and the section's count before it */
	struct dns_name rrset_owner;
	uint16_t rrset_type;
	bool truncated;     /* nothing more is added */
	uint32_t ttl_min_s; /* smallest TTL written in answer or authority, and MINIMUM of a copied
			     * SOA in authority (RFC 8484 5.1, RFC 2308 5); UINT32_MAX when none */
};

/* Starts a reply into `buffer` (at least 512 bytes): header and question. RD and CD are copied, RA
 * is set, AA and AD are 0, the rest is zero. It never gets longer than `capacity`, the limit or
 * DNS_MESSAGE_MAX, whichever is least. */
void dns_reply_begin(struct dns_reply *reply, const struct dns_query *query,
	struct dns_reply_limits limits, void *buffer, size_t capacity);

/* Adds one record with plain RDATA: bytes that hold no compressed name. Sections must come in
 * order. When it does not fit, its whole RRset is taken back, TC is set (not for the additional
 * section) and nothing more is added. */
void dns_reply_add(struct dns_reply *reply, enum dns_section section, struct slice owner,
	uint16_t type, uint16_t class, uint32_t ttl_s, struct slice rdata);

/* Copies one record of an upstream's answer, re-encoding the names in it; TTL is capped. */
void dns_reply_copy(
	struct dns_reply *reply, const struct dns_answer *answer, const struct dns_record *record);

/* A CNAME from the question's name. */
void dns_reply_add_cname(struct dns_reply *reply, struct slice target, uint32_t ttl_s);

/* A synthetic SOA in the authority section, so that stubs keep a negative answer for `ttl_s`
 * (RFC 2308 5). Its owner is the parent of the question's name. */
void dns_reply_add_soa(struct dns_reply *reply, uint32_t ttl_s);
/* The same for a name that aliases lead to; its owner is the parent of that. */
void dns_reply_add_soa_above(struct dns_reply *reply, struct slice name, uint32_t ttl_s);

/* The SOA of a zone that is served here and has nothing in it, as RFC 6303 3 has it: its own name
 * server, nobody's mailbox. For the answer or the authority section. */
void dns_reply_add_zone_soa(
	struct dns_reply *reply, enum dns_section section, struct slice apex, uint32_t ttl_s);

/* Closes the reply: OPT when the query had one, counts and flags. Its options go in this order as
 * far as they fit: a cookie, for which records make room as for the OPT itself; keepalive, the
 * extended error (first without its text), padding. An rcode above 15 needs an OPT; a client
 * without it gets SERVFAIL. The slice lives in the buffer. */
struct slice dns_reply_finish(struct dns_reply *reply);

/* The front of an extended error's text that is told: at most DNS_EDE_TEXT_MAX bytes. It is UTF-8
 * (RFC 8914 2): not cut within a character. */
struct slice dns_ede_text_cut(struct slice text);

/* Shortest way to a reply without records: begin, rcode, finish. */
struct slice dns_reply_rcode(const struct dns_query *query, struct dns_reply_limits limits,
	uint16_t rcode, int ede, const char *ede_text, void *buffer, size_t capacity);

#endif
