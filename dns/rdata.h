/* rdata.h - the names inside RDATA, by type (types.def says which types have them).
 * Every user of RDATA that may hold compressed names goes through this one walk, so that what was
 * checked is what is copied and what is logged. */
#ifndef DNS_RDATA_H
#define DNS_RDATA_H

#include "dns/name.h"
#include "dns/types.h"

/* RDATA as a row of parts: bytes as they are, or a name. */
struct dns_rdata_part {
	bool is_name;
	struct slice bytes;   /* when not a name */
	struct dns_name name; /* decompressed, when a name */
};

struct dns_rdata_walk {
	struct reader message; /* from the message's first byte to the end of the RDATA */
	const char *layout;
};

/* `rdata_at` and `rdata_len` must lie inside the message. */
void dns_rdata_walk_begin(struct dns_rdata_walk *walk, struct slice message, uint16_t type,
	size_t rdata_at, size_t rdata_len);

/* The next part; false at the end or when the RDATA does not follow its type's layout: then
 * walk->message.failed is set. */
bool dns_rdata_next(struct dns_rdata_walk *walk, struct dns_rdata_part *part);

#endif
