/* compress.h - name compression for a message that is being written (RFC 1035 4.1.4).
 * Remembers the position of up to DNS_COMPRESS_SLOTS suffixes, found by hash and verified against
 * the written bytes, so the work per name is bounded by its labels. Compares without case: an owner
 * that equals the question takes the case of the question. */
#ifndef DNS_COMPRESS_H
#define DNS_COMPRESS_H

#include "dns/name.h"

enum { DNS_COMPRESS_SLOTS = 64 };

struct dns_compress {
	uint16_t positions[DNS_COMPRESS_SLOTS]; /* 0: empty, as the header stands there */
};

void dns_compress_init(struct dns_compress *compress);

/* Writes `name` (wire, uncompressed), with a pointer where a suffix is known, and remembers its own
 * suffixes. The writer must hold the whole message from its first byte. */
void dns_compress_write(struct dns_compress *compress, struct writer *message, struct slice name);

/* Remembers a name that already stands uncompressed at `position`. */
void dns_compress_learn(
	struct dns_compress *compress, const struct writer *message, size_t position);

/* Forgets every position at or behind `position`: the message was cut there. */
void dns_compress_cut(struct dns_compress *compress, size_t position);

#endif
