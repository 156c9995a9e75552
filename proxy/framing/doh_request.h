/* doh_request.h - what an HTTP request must look like to be a DNS query (RFC 8484 4.1), whatever
 * the version of HTTP: fields one by one in, a status or a message out; and what the answer looks
 * like. */
#ifndef PROXY_FRAMING_DOH_REQUEST_H
#define PROXY_FRAMING_DOH_REQUEST_H

#include "base/writer.h"
#include "proxy/framing/doh_claims.h"
#include "proxy/framing/doh_message.h"
#include "proxy/framing/framer.h"

enum { DOH_HEADER_LIST_MAX = 16 * 1024 /* sum of names, values and 32 each, RFC 9113 6.5.2 */ };

struct doh_request {
	enum http_method method;
	bool method_known;    /* a method that HTTP knows, though we may not serve it */
	bool path_found;      /* the path is ours */
	bool dns_found;       /* the query part has a "dns" parameter */
	bool dns_broken;      /* ... that is not base64url */
	bool type_right;      /* content-type: application/dns-message */
	bool token_broken;    /* the query part has a "token" parameter that cannot be one */
	bool wants_forwarded; /* set by whom it is for, before the first field: what proxies say is
				 of interest */
	bool wants_json;      /* set by whom it is for, likewise: dns-json is spoken (dns_json.h) */
	bool answers_json;    /* the answer is to be JSON */
	bool too_many_fields;
	bool too_large;
	bool out_of_memory;
	uint32_t field_bytes;
	struct doh_claims claims;
	struct doh_message message; /* so far */
};

void doh_request_init(struct doh_request *request);
void doh_request_deinit(struct doh_request *request);

/* One field of the header section, pseudo fields included. */
void doh_request_field(
	struct doh_request *request, const char *path, struct slice name, struct slice value);

/* The header section is complete; a body may follow. */
void doh_request_end_fields(struct doh_request *request);

/* A piece of the body. */
void doh_request_body(struct doh_request *request, struct slice bytes);

/* May it be answered at all? 200, or the status that refuses it. Asked when the header section is
 * complete (`complete` false: only what is already certain) and when the request is. */
unsigned doh_request_status(const struct doh_request *request, bool complete);

/* The request's message gives way to the body of its answer: `reply`, or its JSON. 200, or the
 * status that is told instead (500, 503; the body is empty then). */
unsigned doh_request_answer(struct doh_request *request, struct slice reply);

/* Of the answer. */
const char *doh_request_answer_type(const struct doh_request *request);

/* The value of cache-control, in `text`. */
enum { DOH_CACHE_CONTROL_MAX = 48 };
struct slice doh_cache_control(char text[DOH_CACHE_CONTROL_MAX], uint32_t max_age_s);

#endif
