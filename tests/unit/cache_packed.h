/* cache_packed.h - packed answers for the tests of the cache's file: an address, or no such name.
 */
#ifndef TESTS_UNIT_CACHE_PACKED_H
#define TESTS_UNIT_CACHE_PACKED_H

#include "dns/packed.h"
#include "dns/types.h"

static inline void cache_packed_soa(struct writer *to)
{
	static const uint8_t soa[] = { 0, 0, 6, 0, 1, 0, 0, 0x0e, 0x10, 0, 22, 0, 0, 0, 0, 0, 1, 0,
		0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0x0e, 0x10 };
	writer_bytes(to, soa, sizeof soa);
}

/* What an upstream says about the address of `name`, packed; `buffer` holds DNS_PACKED_MAX. */
static inline struct slice cache_packed(
	struct slice name, bool exists, uint32_t ttl_s, uint32_t address, void *buffer)
{
	static const struct dns_packed_ttls ttls = { .max_s = DNS_TTL_MAX_S,
		.negative_max_s = 3600 };
	uint8_t bytes[512];
	struct writer to = writer_of(bytes, sizeof bytes);
	struct dns_answer answer;
	writer_u32(&to, exists ? 0x00008180 : 0x00008183);
	writer_u32(&to, exists ? 0x00010001 : 0x00010000);
	writer_u32(&to, exists ? 0x00000000 : 0x00010000);
	writer_slice_bytes(&to, name);
	writer_u32(&to, 0x00010001);
	if (exists) {
		writer_u16(&to, 0xc00c);
		writer_u32(&to, 0x00010001);
		writer_u32(&to, ttl_s);
		writer_u16(&to, 4);
		writer_u32(&to, address);
	} else {
		cache_packed_soa(&to);
	}
	if (to.failed || dns_answer_open(&answer, writer_slice(&to)) != 0)
		return slice_of(NULL, 0);
	return dns_packed_write(&answer, &ttls, buffer, DNS_PACKED_MAX);
}

#endif
