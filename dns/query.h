/* query.h - what a client asked: one message, checked once, borrowed from the caller's bytes. */
#ifndef DNS_QUERY_H
#define DNS_QUERY_H

#include "dns/name.h"
#include "dns/types.h"

enum { DNS_HEADER_LEN = 12, DNS_MESSAGE_MAX = 65535 };

enum dns_flag {
	DNS_FLAG_QR = 0x8000,
	DNS_FLAG_OPCODE = 0x7800,
	DNS_FLAG_AA = 0x0400,
	DNS_FLAG_TC = 0x0200,
	DNS_FLAG_RD = 0x0100,
	DNS_FLAG_RA = 0x0080,
	DNS_FLAG_AD = 0x0020,
	DNS_FLAG_CD = 0x0010,
};

/* What the OPT record of a message said (RFC 6891). */
struct dns_opt {
	bool present;
	bool dnssec_ok;
	bool has_padding;   /* RFC 7830 */
	bool has_keepalive; /* RFC 7828 */
	uint8_t version;
	uint8_t rcode_high;
	uint16_t payload_size;
	struct slice options; /* all of them, each checked to stay inside */
	struct slice ede;     /* the first extended error: code and text; empty when none */
	bool has_cookie;      /* RFC 7873 */
	struct slice cookie;  /* the first one's value, of any length; nothing of it is checked */
};

struct dns_query {
	uint16_t id;
	uint16_t flags;
	struct slice name; /* the question's name, uncompressed, exactly as asked; empty when there
			      is no readable question */
	uint16_t type;
	uint16_t class;
	struct dns_opt opt;
};

/* What is to be done with a message that is not to be resolved. */
enum dns_query_fault {
	DNS_QUERY_FINE = 0,
	DNS_QUERY_SILENCE, /* shorter than a header, or an answer: never answered (RFC 5625 4.1) */
	DNS_QUERY_FORMERR,
	DNS_QUERY_NOTIMP,      /* another opcode (RFC 8906 3.1.4) */
	DNS_QUERY_BADVERS,     /* EDNS version above 0 (RFC 6891 6.1.3) */
	DNS_QUERY_REFUSED,     /* zone transfer (RFC 5936 2.2.1) */
	DNS_QUERY_KEEPALIVE,   /* a keepalive that is not empty: FORMERR over a stream; over UDP the
				  option is to be ignored (RFC 7828 3.2.1, 3.2.2) */
	DNS_QUERY_NOTAUTH,     /* signed with a TSIG key that we do not have (RFC 8945 5.2) */
	DNS_QUERY_OPTION,      /* an option with a value that is none: FORMERR (RFC 7871 7.1.2) */
	DNS_QUERY_NO_QUESTION, /* none, but a cookie: the client wants a server cookie, and nothing
				  else (RFC 7873 5.4); FORMERR where there are no cookies */
};

/* The value of the first option with this code; false when there is none. */
bool dns_opt_find(const struct dns_opt *opt, uint16_t code, struct slice *value);

/* Opens a client's message. `query` is filled as far as the message could be read, so that an error
 * answer can echo id, flags and question. The view points into `message` and dies with it.
 * Everything is checked here: counts, names, record bounds, one OPT at most and only in the
 * additional section, options that stay inside it, TSIG last. Bytes after the last record make it
 * malformed. */
enum dns_query_fault dns_query_open(struct dns_query *query, struct slice message);

/* Reads the options of an OPT record; false when one does not fit. At most DNS_OPTIONS_MAX are
 * looked at; more make the message malformed. */
enum { DNS_OPTIONS_MAX = 64 };
bool dns_opt_read(struct dns_opt *opt, struct slice rdata);

/* Takes a whole OPT record; false when it is the second, when its owner is not the root (RFC 6891
 * 6.1.1), or when its options cannot be read. Those of a version above 0 are not looked at: what
 * they would mean is not known. */
bool dns_opt_take(
	struct dns_opt *opt, bool owner_is_root, uint16_t class, uint32_t ttl, struct slice rdata);

#endif
