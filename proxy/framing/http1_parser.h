/* http1_parser.h - the one place that knows which HTTP/1 parser library there is: llhttp, or its
 * forerunner http-parser. Reads one complete request head, ended by its empty line, and tells its
 * parts. */
#ifndef PROXY_FRAMING_HTTP1_PARSER_H
#define PROXY_FRAMING_HTTP1_PARSER_H

#include "base/slice.h"

/* Slices point into the head. */
struct http1_parser_events {
	void (*on_target)(void *context, struct slice target);
	void (*on_header)(void *context, struct slice name, struct slice value);
	void *context;
};

/* What stands in the request line besides the target, and what the connection is to become. */
struct http1_parser_result {
	unsigned major;
	unsigned minor;
	bool keep_alive;
	bool is_unknown_method; /* set when the parser does not know it; then the rest is not */
};

/* False when the head is not HTTP/1. */
bool http1_parser_read(struct slice head, const struct http1_parser_events *events,
	struct http1_parser_result *result);

#endif
