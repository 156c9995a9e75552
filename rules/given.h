/* given.h - the records that an entry of a list brings along (GIVEN_RECORDS in facet.h), one by
 * one. Pure; the bytes come from a checked image, and are read with care all the same. */
#ifndef RULES_GIVEN_H
#define RULES_GIVEN_H

#include "base/reader.h"
#include "dns/name.h"
#include "rules/facet.h"

struct given_record {
	uint16_t type;
	uint32_t ttl_s;
	struct slice rdata; /* plain: no compressed names; lives as long as the facet */
};

/* The next record that answers a question of `type`: those of the type, CNAMEs always, and all for
 * type ANY. False at the end. Begin with reader_of(facet->records). */
bool given_next(struct reader *records, uint16_t type, struct given_record *record);

/* Where the CNAME of `rdata` leads from `name`: a leading label "*" stands for the name. False when
 * that is longer than a name can be, or when there is no name in `rdata`. */
bool given_target(struct slice rdata, struct slice name, struct dns_name *target);

/* Can the records be said of this name? Not when one of their CNAMEs leads nowhere. */
bool given_fits(const struct facet *facet, struct slice name);

#endif
