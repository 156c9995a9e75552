/* types.h - the numbers of the protocol and their names. */
#ifndef DNS_TYPES_H
#define DNS_TYPES_H

#include "base/slice.h"
#include "base/writer.h"

enum dns_type {
#define DNS_TYPE(name, number, kind) DNS_TYPE_##name = number,
#include "dns/types.def"
#undef DNS_TYPE
};

enum dns_rcode {
#define DNS_RCODE(name, number) DNS_RCODE_##name = number,
#include "dns/types.def"
#undef DNS_RCODE
};

enum dns_class {
	DNS_CLASS_IN = 1,
	DNS_CLASS_CH = 3,
	DNS_CLASS_HS = 4,
	DNS_CLASS_NONE = 254,
	DNS_CLASS_ANY = 255
};

enum dns_opcode { DNS_OPCODE_QUERY = 0 };

/* Extended DNS errors (RFC 8914) that namegate itself gives. */
enum dns_ede {
	DNS_EDE_NONE = -1,
	DNS_EDE_OTHER = 0,
	DNS_EDE_STALE_ANSWER = 3,
	DNS_EDE_CACHED_ERROR = 13,
	DNS_EDE_NOT_READY = 14,
	DNS_EDE_BLOCKED = 15,
	DNS_EDE_PROHIBITED = 18,
	DNS_EDE_STALE_NXDOMAIN = 19,
	DNS_EDE_NO_REACHABLE_AUTHORITY = 22,
	DNS_EDE_NETWORK_ERROR = 23,
	DNS_EDE_INVALID_DATA = 24,
};

/* How the RDATA of a type is laid out, see types.def. */
enum dns_rdata_kind {
	DNS_RDATA_OPAQUE,
	DNS_RDATA_V4,
	DNS_RDATA_V6,
	DNS_RDATA_NAME,
	DNS_RDATA_NAME_NAME,
	DNS_RDATA_U16_NAME,
	DNS_RDATA_U16_NAME_NAME,
	DNS_RDATA_SOA,
	DNS_RDATA_SRV,
	DNS_RDATA_SIG,
	DNS_RDATA_NAPTR,
	DNS_RDATA_NAME_REST,
	DNS_RDATA_U16_NAME_REST,
};

enum dns_rdata_kind dns_rdata_kind(uint16_t type);

/* "AAAA", or NULL for a type without a name here. */
const char *dns_type_name(uint16_t type);
/* "NXDOMAIN", or NULL. */
const char *dns_rcode_name(uint16_t rcode);
/* "IN", "CH", "HS", "NONE", "ANY", or NULL. */
const char *dns_class_name(uint16_t class);

/* "AAAA" or "TYPE28" (RFC 3597 section 5), whatever applies. */
void dns_type_write(struct writer *to, uint16_t type);

/* "AAAA", "aaaa", "TYPE28". False when it is neither a known name nor TYPE0..TYPE65535. */
bool dns_type_parse(struct slice text, uint16_t *type);

#endif
