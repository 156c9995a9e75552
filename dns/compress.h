/* compress.h - name compression for a message that is being written (RFC 1035 4.1.4).
 * Remembers up to DNS_COMPRESS_SLOTS labels, each with the place of the label behind it: a name is
 * looked up from its last label to its first, and each step verifies one label only. So the work
 * per name is bounded by its length, whatever stands in the message. Compares without case: an
 * owner that equals the question takes the case of the question. */
#ifndef DNS_COMPRESS_H
#define DNS_COMPRESS_H

#include "dns/name.h"

enum { DNS_COMPRESS_SLOTS = 64 };

struct dns_compress {
	uint16_t learned; /* where the name of dns_compress_learn() stands; 0: nowhere */
	uint8_t learned_len;
	bool has_slots; /* they are filled in when a name first needs one: many never do */
	struct {
		uint16_t position; /* of a label; 0: empty, as the header stands there */
		uint16_t parent;   /* of the label behind it; 0: the root */
	} slots[DNS_COMPRESS_SLOTS];
};

void dns_compress_init(struct dns_compress *compress);

/* Writes `name` (wire, uncompressed), with a pointer where a suffix is known, and remembers its own
 * labels. The writer must hold the whole message from its first byte. */
void dns_compress_write(struct dns_compress *compress, struct writer *message, struct slice name);

/* Remembers a name that already stands uncompressed at `position`: the question. It is found again
 * however full the slots are, and names that it ends with as well. To be said first: what was
 * remembered before is forgotten. */
void dns_compress_learn(
	struct dns_compress *compress, const struct writer *message, size_t position);

/* Forgets every position at or behind `position`: the message was cut there. */
void dns_compress_cut(struct dns_compress *compress, size_t position);

#endif
