/* framed.h - messages with two bytes of length in front, in a stream however it is cut (RFC 1035
 * 4.2.2, RFC 7766 8, RFC 7858 3.3). The same in both directions. Complete messages are passed on
 * from where they were read; only one that arrives in pieces is kept. */
#ifndef PROXY_FRAMING_FRAMED_H
#define PROXY_FRAMING_FRAMED_H

#include "base/bytes.h"

enum { FRAMED_LENGTH_LEN = 2, FRAMED_MAX = FRAMED_LENGTH_LEN + 65535 };

struct framed {
	struct bytes partial;
	size_t least;   /* bytes that a message must have */
	uint64_t begun; /* messages that arrived in pieces */
};

void framed_init(struct framed *framed, size_t least);
void framed_deinit(struct framed *framed);

/* Takes bytes of the stream and calls `on_message` for each whole message; its bytes die with the
 * call. 0, ERR_MALFORMED for a message that is too short (as soon as its length is there),
 * ERR_NO_MEMORY, or what on_message returned when that was not 0; after an error nothing more can
 * be read. */
int framed_feed(struct framed *framed, struct slice plain,
	int (*on_message)(void *host, struct slice message), void *host);

/* Queues a message, its length in front, in one piece. 0, ERR_TOO_LONG or ERR_NO_MEMORY. */
int framed_append(struct bytes *to, struct slice message);

#endif
