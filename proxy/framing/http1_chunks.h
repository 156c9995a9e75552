/* http1_chunks.h - a body in chunks, taken apart (RFC 9112 7.1): bytes in, pieces of the body out.
 * As strict as http1.h, and for the same reason. Extensions and trailers say nothing that we would
 * want to know; how long they may be is bounded. */
#ifndef PROXY_FRAMING_HTTP1_CHUNKS_H
#define PROXY_FRAMING_HTTP1_CHUNKS_H

#include "base/slice.h"

enum {
	HTTP1_CHUNK_DIGITS_MAX = 8,
	HTTP1_EXTENSIONS_MAX = 1024, /* bytes of all extensions of a body */
	HTTP1_TRAILERS_MAX = 4096,   /* bytes of all trailers */
};

struct http1_chunks {
	unsigned state;  /* what the next byte is; see http1_chunks.c */
	unsigned digits; /* of the size so far */
	uint32_t left;   /* bytes of the chunk that have not come */
	uint32_t extensions;
	uint32_t trailers;
};

/* Zeros are the beginning of a body. */

enum http1_chunks_result {
	HTTP1_CHUNKS_MORE,    /* all of `bytes` was taken */
	HTTP1_CHUNKS_DATA,    /* `*data` is the next piece of the body, never empty */
	HTTP1_CHUNKS_END,     /* it is whole; what is left of `bytes` is not part of it */
	HTTP1_CHUNKS_REFUSED, /* `*status` is to be answered, 400 or 431, and nothing more read */
};

/* Takes what it can from the front of `bytes`; call it again until it says MORE, END or REFUSED. */
enum http1_chunks_result http1_chunks_read(
	struct http1_chunks *chunks, struct slice *bytes, struct slice *data, unsigned *status);

#endif
