/* message.c - what knows neither a worker nor a policy. */
#include "bench/micro/micro.h"

#include "dns/cookie.h"
#include "dns/packed.h"
#include "proxy/framing/doh_request.h"
#include "proxy/watch/metrics.h"
#include "proxy/watch/query_log_line.h"
#include "tests/unit/wire.h"

enum { H2_HEAD = 9, H2_STREAM_AT = 5 };

static struct slice query_bytes;
static struct dns_query query;
static uint8_t packed_buffer[DNS_PACKED_MAX];
static struct slice packed_bytes;
static uint8_t reply_buffer[DNS_MESSAGE_MAX];
static struct slice reply_bytes;
static struct metrics *metrics;
static volatile size_t sink; /* keeps the compiler from leaving work out */

/* ---- DNS ---- */

static void open_query(unsigned count)
{
	struct dns_query opened;
	while (count-- > 0)
		sink += (size_t)dns_query_open(&opened, query_bytes);
}

static void fold_name(unsigned count)
{
	uint8_t lower[DNS_NAME_MAX];
	while (count-- > 0) {
		dns_name_lower(lower, query.name.at, query.name.len);
		sink += lower[1];
	}
}

static struct slice paste(void)
{
	struct dns_packed packed;
	struct dns_reply reply;
	dns_packed_open(&packed, packed_bytes);
	dns_reply_begin(&reply, &query, (struct dns_reply_limits){ .size = DNS_PAYLOAD_SIZE },
		reply_buffer, sizeof reply_buffer);
	dns_packed_paste(&reply, &packed, (struct dns_packed_age){ .age_s = 5 });
	return dns_reply_finish(&reply);
}

static void answer_cached(unsigned count)
{
	while (count-- > 0)
		sink += paste().len;
}

static void answer_blocked(unsigned count)
{
	struct dns_reply reply;
	while (count-- > 0) {
		dns_reply_begin(&reply, &query,
			(struct dns_reply_limits){ .size = DNS_PAYLOAD_SIZE }, reply_buffer,
			sizeof reply_buffer);
		reply.rcode = DNS_RCODE_NXDOMAIN;
		reply.ede = DNS_EDE_BLOCKED;
		reply.ede_text = slice_of_text("security/malware");
		dns_reply_add_soa(&reply, 60);
		sink += dns_reply_finish(&reply).len;
	}
}

static void pack_answer(unsigned count)
{
	static const struct dns_packed_ttls ttls = { .max_s = DNS_TTL_MAX_S };
	static uint8_t buffer[DNS_PACKED_MAX];
	struct dns_answer answer;
	while (count-- > 0) {
		dns_answer_open(&answer, reply_bytes);
		sink += dns_packed_write(&answer, &ttls, buffer, sizeof buffer).len;
	}
}

static void check_cookie(unsigned count)
{
	static const struct dns_cookie_secrets secrets = { .count = 1, .keys = { { 1, 2, 3 } } };
	struct address client = address_of_v4((const uint8_t[]){ 192, 0, 2, 1 });
	uint8_t cookie[DNS_COOKIE_LEN];
	dns_cookie_make(cookie, &secrets, slice_of("\1\2\3\4\5\6\7\10", 8), &client, 1000);
	while (count-- > 0)
		sink += dns_cookie_check(&secrets, slice_of(cookie, sizeof cookie), &client, 1001);
}

/* ---- HTTP ---- */

static void read_head(unsigned count)
{
	static const char *const fields[][2] = { { ":method", "POST" }, { ":scheme", "https" },
		{ ":path", "/dns-query" }, { ":authority", "dns.example" },
		{ "accept", "application/dns-message" },
		{ "content-type", "application/dns-message" }, { "content-length", "44" } };
	while (count-- > 0) {
		struct doh_request request;
		doh_request_init(&request);
		for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
			doh_request_field(&request, "/dns-query", slice_of_text(fields[i][0]),
				slice_of_text(fields[i][1]));
		doh_request_end_fields(&request);
		doh_request_body(&request, query_bytes);
		sink += doh_request_status(&request, true);
		doh_request_deinit(&request);
	}
}

static int32_t asked_stream;

static void on_message(
	void *host, int32_t stream, const struct framer_claims *claims, struct slice message)
{
	(void)host;
	(void)claims;
	sink += message.len;
	asked_stream = stream;
}

static void on_status(void *host, enum http_method method, unsigned status)
{
	(void)host;
	(void)method;
	sink += status;
}

static void on_abandoned(void *host, int32_t stream)
{
	(void)host;
	(void)stream;
}

static void on_reset_flood(void *host)
{
	(void)host;
	abort();
}

static const struct framer_events events = { on_message, on_status, on_abandoned, on_reset_flood };

static struct framer *open_framer(const struct framer_type *type)
{
	const struct framer_settings settings = {
		.events = &events, .path = "/dns-query", .requests_max = 16
	};
	struct framer *framer = type->open(&settings);
	if (!framer)
		abort();
	return framer;
}

static void exchange(const struct framer_type *type, struct framer *framer, struct slice request)
{
	if (type->feed(framer, request) != 0 ||
		type->reply(framer, asked_stream, reply_bytes, 60) != 0)
		abort();
	sink += type->drain(framer, reply_buffer, sizeof reply_buffer);
}

static void exchange_dot(unsigned count)
{
	uint8_t request[512];
	struct framer *framer = open_framer(&framer_dot);
	memcpy(request + 2, query_bytes.at, query_bytes.len);
	request[0] = 0;
	request[1] = (uint8_t)query_bytes.len;
	while (count-- > 0)
		exchange(&framer_dot, framer, slice_of(request, query_bytes.len + 2));
	framer_dot.free(framer);
}

static void exchange_http1(unsigned count)
{
	static const char head[] = "POST /dns-query HTTP/1.1\r\nHost: dns.example\r\n"
				   "Content-Type: application/dns-message\r\n"
				   "Content-Length: 44\r\n\r\n";
	uint8_t request[512];
	struct framer *framer = open_framer(&framer_doh1);
	struct writer to = writer_of(request, sizeof request);
	writer_text(&to, head);
	writer_slice_bytes(&to, query_bytes);
	while (count-- > 0)
		exchange(&framer_doh1, framer, writer_slice(&to));
	framer_doh1.free(framer);
}

/* Nothing of it enters the table of HPACK, so each request is as long as the first. */
static struct slice http2_request(void)
{
	struct slice block = wire("83 87 04 0a \"/dns-query\" 01 0b \"dns.example\""
				  "0f10 17 \"application/dns-message\" 0f0d 02 \"44\"");
	static uint8_t bytes[512];
	struct writer to = writer_of(bytes, sizeof bytes);
	writer_zeros(&to, 2);
	writer_u8(&to, (uint8_t)block.len);
	writer_bytes(&to, "\1\4\0\0\0\0", 6); /* HEADERS, END_HEADERS */
	writer_slice_bytes(&to, block);
	writer_zeros(&to, 2);
	writer_u8(&to, (uint8_t)query_bytes.len);
	writer_bytes(&to, "\0\1\0\0\0\0", 6); /* DATA, END_STREAM */
	writer_slice_bytes(&to, query_bytes);
	return writer_slice(&to);
}

static void exchange_http2(unsigned count)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
				      "\0\0\0\4\0\0\0\0\0"              /* SETTINGS */
				      "\0\0\4\10\0\0\0\0\0\77\377\0\0"; /* WINDOW_UPDATE */
	struct slice request = http2_request();
	uint8_t *bytes = (uint8_t *)(uintptr_t)request.at;
	uint8_t *head = bytes + H2_STREAM_AT;
	uint8_t *body = bytes + H2_HEAD + bytes[2] + H2_STREAM_AT;
	struct framer *framer = open_framer(&framer_doh2);
	if (framer_doh2.feed(framer, slice_of(preface, sizeof preface - 1)) != 0)
		abort();
	for (uint32_t stream = 1; count-- > 0; stream += 2) {
		head[2] = body[2] = (uint8_t)(stream >> 8);
		head[3] = body[3] = (uint8_t)stream;
		exchange(&framer_doh2, framer, request);
	}
	framer_doh2.free(framer);
}

/* ---- what is told ---- */

static void count_query(unsigned count)
{
	while (count-- > 0) {
		metrics_request(
			metrics, METRICS_NO_VIEW, PROTOCOL_UDP, false, DNS_TYPE_A, query_bytes.len);
		metrics_response(metrics, METRICS_NO_VIEW, PROTOCOL_UDP, DNS_RCODE_NOERROR,
			METRICS_SOURCE_CACHE, 12, reply_bytes.len);
		metrics_decision(metrics, METRICS_NO_VIEW, ACTION_ALLOW, BLOCK_NODATA);
	}
}

static void write_line(unsigned count)
{
	static const struct query_log_config config = {
		.format = QUERY_LOG_NAMEGATE, .account_id = "local", .region = "local"
	};
	static uint8_t buffer[LOG_LINE_MAX];
	const struct query_log_event event = { .time_s = 1700000000,
		.time_us = 123456,
		.protocol = PROTOCOL_UDP,
		.client = address_of_v4((const uint8_t[]){ 192, 0, 2, 1 }),
		.client_port = 40000,
		.name = query.name,
		.type = query.type,
		.class = query.class,
		.reply = reply_bytes,
		.view = POLICY_NO_ID,
		.source = "cache",
		.is_kept = true,
		.age_s = 5,
		.duration_us = 12,
		.ede = DNS_EDE_NONE };
	struct query_log_style style;
	struct query_log_stamp stamp = { 0 };
	query_log_style_init(&style, &config);
	while (count-- > 0) {
		struct writer line = writer_of(buffer, sizeof buffer);
		query_log_line_write(&line, &style, &stamp, &event);
		sink += line.len;
	}
}

const struct micro_operation micro_message_operations[] = {
	{ "open a query", open_query },
	{ "fold a name", fold_name },
	{ "answer, cached", answer_cached },
	{ "answer, blocked", answer_blocked },
	{ "pack an answer", pack_answer },
	{ "check a cookie", check_cookie },
	{ "DoH request, fields", read_head },
	{ "DoT, there and back", exchange_dot },
	{ "DoH, HTTP/1.1, there and back", exchange_http1 },
	{ "DoH, HTTP/2, there and back", exchange_http2 },
	{ "count a query", count_query },
	{ "log line", write_line },
	{ NULL, NULL },
};

static struct slice keep_reply(struct slice reply)
{
	static uint8_t bytes[DNS_PAYLOAD_SIZE];
	memcpy(bytes, reply.at, reply.len);
	return slice_of(bytes, reply.len);
}

void micro_message_begin(void)
{
	static const struct dns_packed_ttls ttls = { .max_s = DNS_TTL_MAX_S };
	struct dns_answer answer;
	query_bytes = wire("1234 0120 0001 0000 0000 0001 'www.example.com' 0001 0001"
			   "00 0029 04d0 00000000 0000");
	struct slice message = wire("1234 8180 0001 0002 0000 0000 'www.example.com' 0001 0001"
				    "c00c 0005 0001 0000012c 0006 03 \"web\" c010"
				    "c02d 0001 0001 0000012c 0004 c0000201");
	metrics = metrics_new(metrics_registry_new());
	if (!metrics || dns_query_open(&query, query_bytes) || dns_answer_open(&answer, message))
		abort();
	packed_bytes = dns_packed_write(&answer, &ttls, packed_buffer, sizeof packed_buffer);
	reply_bytes = keep_reply(paste());
}
