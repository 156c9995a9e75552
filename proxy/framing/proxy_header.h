/* proxy_header.h - the PROXY protocol, versions 1 and 2 (haproxy.org/download/3.0/doc/
 * proxy-protocol.txt): what a proxy puts in front of a connection to say whose it is. Bytes in, an
 * address out. Who may say it is not decided here. */
#ifndef PROXY_FRAMING_PROXY_HEADER_H
#define PROXY_FRAMING_PROXY_HEADER_H

#include <sys/types.h>

#include "base/address.h"

enum {
	/* Addresses are 52 bytes at most, what else proxies tell (TLVs) some hundred; the length
	 * field would allow 65551. */
	PROXY_HEADER_MAX = 2048,
	PROXY_HEADER_TEXT_MAX = 107, /* of version 1 */
};

struct proxy_header {
	bool has_client; /* false: the proxy speaks for itself, or for somebody without an address
			    (LOCAL, UNKNOWN, UNSPEC, a UNIX socket) */
	struct address client;
	uint16_t client_port;
};

/* Reads the header at the front of all that has arrived so far. Gives its length, behind which the
 * client's own bytes begin; 0: there is more to come; ERR_MALFORMED, as soon as it is certain:
 * there is no such header; ERR_TOO_LONG over PROXY_HEADER_MAX. `header` is filled with the first
 * only. The header's own checksum (CRC32C) must be right where there is one; other TLVs are
 * skipped. */
ssize_t proxy_header_read(struct slice bytes, struct proxy_header *header);

#endif
