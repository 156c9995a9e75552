/* transfer.h - one list over HTTPS: the only file that knows libcurl. HTTP/1.1 and HTTP/2,
 * redirects followed by hand and within the host only, the body written as it is received: packed
 * bodies are asked for (gzip) and unpacked by nobody here. */
#ifndef PROXY_FETCH_TRANSFER_H
#define PROXY_FETCH_TRANSFER_H

#include "base/address.h"
#include "proxy/lists/fetch_report.h"

enum {
	TRANSFER_REDIRECTS_MAX = 5,
	TRANSFER_HEADERS_MAX = 64 * 1024, /* bytes of all header lines of an answer */
	TRANSFER_CONNECT_MS = 10000,
	TRANSFER_SLOW_S = 30, /* this long below ... */
	TRANSFER_SLOW = 64,   /* ... so many bytes a second is no transfer */
	TRANSFER_HOST_MAX = 256,
};

/* Where a URL leads. */
struct transfer_target {
	char host[TRANSFER_HOST_MAX]; /* a name or an address, without brackets */
	uint16_t port;
};

/* False unless it is an https URL without a user, and with a host in ASCII. */
bool transfer_target_of(const char *url, struct transfer_target *target);

struct transfer_wish {
	const char *url;
	const struct address *addresses; /* of its host; nobody else is connected to */
	size_t address_count;
	struct slice authorities;     /* PEM; empty: those of the system */
	const char *authorities_file; /* the same, for builds of libcurl that take only files */
	size_t max_size;              /* bytes of the body, as received */
	uint64_t deadline_ms;         /* of the monotonic clock */
	const char *etag;             /* what is known: empty, or sent as If-None-Match ... */
	const char *last_modified;    /* ... and If-Modified-Since */
	int body_fd;
};

/* Keeps a connection open between two transfers. NULL when out of memory. */
struct transfer;
struct transfer *transfer_new(void);
void transfer_free(struct transfer *transfer);

/* Fetches; what came of it is all in the report. */
void transfer_run(
	struct transfer *transfer, const struct transfer_wish *wish, struct fetch_report *report);

/* The URL of the signature: the same with ".minisig" behind the path. Memory of the caller's
 * (free()); NULL when out of memory or no URL. */
char *transfer_signature_url(const char *url);

/* "libcurl/7.88.1 OpenSSL/3.0.17 ...". */
const char *transfer_version(void);

/* Milliseconds of the monotonic clock. */
uint64_t transfer_now_ms(void);

#endif
