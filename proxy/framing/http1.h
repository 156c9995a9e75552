/* http1.h - HTTP/1.1 requests, server side, sans-I/O: bytes in, request out (RFC 9112).
 * Stricter than the standard allows its readers to be, because leniency is what request smuggling
 * lives on: lines end with CR LF, no folded headers, one Content-Length or one Transfer-Encoding,
 * one Host, an origin or an absolute form, one empty line before it at most. The caller keeps the
 * bytes of a head in one piece; slices point into them. */
#ifndef PROXY_FRAMING_HTTP1_H
#define PROXY_FRAMING_HTTP1_H

#include "base/writer.h"

enum {
	HTTP1_HEAD_MAX = 8192, /* request line and headers, with the empty line */
	HTTP1_HEADERS_MAX = 100,
};

struct http1_header {
	struct slice name;
	struct slice value;
};

struct http1_request {
	struct slice method;
	struct slice asked;  /* the target as it stands in the request line */
	struct slice target; /* its origin form: begins with '/' */
	struct slice body;   /* of http1_read() alone */
	uint64_t body_len;   /* as Content-Length says; 0 when it is chunked */
	bool is_chunked;     /* the body comes in chunks (http1_chunks.h) */
	bool keep_alive;
	bool is_http_1_0;
	size_t header_count;
	struct http1_header headers[HTTP1_HEADERS_MAX];
	size_t len; /* bytes that the request takes; the next one begins behind them */
};

enum http1_result {
	HTTP1_MORE,    /* not whole yet: append what comes and read again */
	HTTP1_REQUEST, /* `request` is whole */
	HTTP1_REFUSED, /* `*status` is to be answered, then the connection closed */
};

/* Reads the head at the front of `bytes`; `request->len` is its length, and the body comes behind
 * it. `*scanned` is 0 for a new request and remembers how far its head was looked through, so that
 * bytes that come one by one are not looked at again. A head of `head_max` bytes or more is
 * refused. Statuses: 400, 431, 501 (method or coding unknown), 505. */
enum http1_result http1_read_head(struct slice bytes, size_t *scanned, size_t head_max,
	struct http1_request *request, unsigned *status);

/* The same with a head of HTTP1_HEAD_MAX bytes, and the body. One of more than `body_max` bytes is
 * refused (413) as soon as its length is told, and one in chunks (411). */
enum http1_result http1_read(struct slice bytes, size_t *scanned, size_t body_max,
	struct http1_request *request, unsigned *status);

/* The value of a header, name without regard to case; empty when there is none. */
struct slice http1_header(const struct http1_request *request, const char *name);

/* May this byte stand in a name (RFC 9110 5.6.2)? */
bool http1_is_token(uint8_t byte);

struct http1_response {
	unsigned status;
	const char *content_type;
	const char *allow; /* of a 405; NULL: no such header */
	size_t content_length;
	bool keep_alive;
	int64_t time_s; /* for Date */
};

/* Writes the status line and headers, with the empty line; HTTP1_RESPONSE_HEAD_MAX bytes suffice.
 */
enum { HTTP1_RESPONSE_HEAD_MAX = 512 };
void http1_write_head(struct writer *to, const struct http1_response *response);

/* "Not Found"; never NULL. */
const char *http1_reason(unsigned status);

#endif
