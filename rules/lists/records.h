/* records.h - the records of an entry that brings its own answer (GIVEN_RECORDS in rules/facet.h),
 * put together in their order whatever the order of the lines. */
#ifndef RULES_LISTS_RECORDS_H
#define RULES_LISTS_RECORDS_H

#include "base/address.h"
#include "rules/facet.h"

enum { RECORDS_TTL_S = 60 }; /* where a format says nothing of TTLs */

struct records {
	size_t len;
	uint8_t bytes[FACET_RECORDS_MAX];
};

static inline struct slice records_slice(const struct records *records)
{
	return slice_of(records->bytes, records->len);
}

/* Adds a record; one that is there already is not added again. False when there is no room. */
bool records_add(struct records *records, uint16_t type, uint32_t ttl_s, struct slice rdata);

/* A or AAAA, as the text says. False when it is no address, or when there is no room. */
bool records_add_address(struct records *records, struct slice text, uint32_t ttl_s);

/* The addresses that lead nowhere: A 0.0.0.0 and AAAA ::. Lives for ever. */
extern const struct facet records_null_facet;

#endif
