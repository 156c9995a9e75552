/* query_log_line.h - one query as one line of JSON: the fields of an Amazon Route 53 Resolver query
 * log record in its order and spelling, and ours in "ext" (docs/query-log.md has every field).
 * Pure: no allocation, no clock, no printf. Strict JSON whatever the names are: names are escaped
 * as dns_name_write_text() does, then as JSON wants it. */
#ifndef PROXY_WATCH_QUERY_LOG_LINE_H
#define PROXY_WATCH_QUERY_LOG_LINE_H

#include "proxy/watch/log_client.h"
#include "proxy/watch/log_ring.h"
#include "proxy/watch/query_log.h"

enum {
	QUERY_LOG_NAME_MAX = 255,   /* bytes of a configured name, escaped */
	QUERY_LOG_ANSWERS_MAX = 32, /* records told of one reply */
	QUERY_LOG_RDATA_MAX = 4096, /* bytes of one record's text */
};

/* The same in every line of a log. */
struct query_log_style {
	enum query_log_format format;
	uint8_t hash_key[SIPHASH_KEY_LEN];
	size_t head_len;
	char head[2 * QUERY_LOG_NAME_MAX + 128]; /* up to the view's name */
};

/* The second that was formatted last, and the text around it; zero-initialise one per writer. */
#define QUERY_LOG_STAMP "\",\"query_timestamp\":\"0000-00-00T00:00:00Z\",\"query_name\":\""
struct query_log_stamp {
	int64_t second;
	char text[sizeof QUERY_LOG_STAMP];
};

/* 0, or an error of the file with the key (log_client.h). */
int query_log_style_init(struct query_log_style *style, const struct query_log_config *config);

/* Writes the line with its line feed. Never more than LOG_LINE_MAX bytes. */
void query_log_line_write(struct writer *line, const struct query_log_style *style,
	struct query_log_stamp *stamp, const struct query_log_event *event);

#endif
