/* Two readers look at every head: our own, which holds the strict rules, and the library's, which
 * is a second opinion on what a request is. Both must agree. */
#include "proxy/framing/http1.h"

#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "base/reader.h"
#include "proxy/framing/http1_parser.h"

enum { LENGTH_DIGITS_MAX = 18 };

bool http1_is_token(uint8_t byte)
{
	if ((byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
		(byte >= 'a' && byte <= 'z'))
		return true;
	return byte && strchr("!#$%&'*+-.^_`|~", byte);
}

static bool is_all_tokens(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!http1_is_token(text.at[i]))
			return false;
	return text.len > 0;
}

static bool is_visible(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] <= 0x20 || text.at[i] >= 0x7f)
			return false;
	return text.len > 0;
}

/* Field content: visible ASCII, space, tab, and bytes above ASCII (RFC 9110 5.5). */
static bool is_field_content(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((text.at[i] < 0x20 && text.at[i] != '\t') || text.at[i] == 0x7f)
			return false;
	return true;
}

static bool equals_word(struct slice text, const char *word)
{
	return text.len == strlen(word) && strncasecmp((const char *)text.at, word, text.len) == 0;
}

static bool begins_with(struct slice text, const char *word)
{
	size_t len = strlen(word);
	return text.len >= len && strncasecmp((const char *)text.at, word, len) == 0;
}

/* --- where the head ends --- */

/* Looks for the empty line. A byte that can not stand in a head is found at once: a bare CR or LF,
 * NUL. Returns the head's length, 0 when more is needed; *is_bad when it never will be one. */
static size_t head_len(struct slice bytes, size_t *scanned, bool *is_bad)
{
	size_t i = *scanned;
	*is_bad = false;
	for (; i < bytes.len; i++) {
		uint8_t byte = bytes.at[i];
		bool after_cr = i > 0 && bytes.at[i - 1] == '\r';
		if ((byte == '\n') != after_cr || byte == '\0') {
			*is_bad = true;
			return 0;
		}
		if (byte == '\n' && i >= 3 && bytes.at[i - 2] == '\n')
			return i + 1;
	}
	*scanned = i;
	return 0;
}

/* One empty line before a request is passed over: some clients end the body before it with one
 * (RFC 9112 2.2). Returns its length. */
static size_t empty_line(struct slice bytes)
{
	return begins_with(bytes, "\r\n") ? 2 : 0;
}

/* --- lines --- */

/* The next line without its CR LF. */
static struct slice next_line(struct reader *head)
{
	const uint8_t *start = head->at;
	const uint8_t *end = memchr(start, '\r', reader_left(head));
	struct slice line = slice_of(start, end ? (size_t)(end - start) : reader_left(head));
	reader_skip(head, line.len + 2);
	return line;
}

static struct slice trimmed(struct slice text)
{
	while (text.len && (text.at[0] == ' ' || text.at[0] == '\t'))
		text = slice_of(text.at + 1, text.len - 1);
	while (text.len && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
		text.len--;
	return text;
}

/* The part before the first `mark`, taken off the front of `rest` with it; false when there is no
 * mark. */
static bool cut(struct slice *rest, char mark, struct slice *part)
{
	const uint8_t *found = rest->len ? memchr(rest->at, mark, rest->len) : NULL;
	if (!found)
		return false;
	*part = slice_of(rest->at, (size_t)(found - rest->at));
	*rest = slice_of(found + 1, rest->len - part->len - 1);
	return true;
}

static bool is_version(struct slice text)
{
	return text.len == 8 && memcmp(text.at, "HTTP/", 5) == 0 && text.at[5] >= '0' &&
		text.at[5] <= '9' && text.at[6] == '.' && text.at[7] >= '0' && text.at[7] <= '9';
}

/* The origin form of what was asked. Of an absolute form, which servers must take too (RFC 9112
 * 3.2.2), it is what stands behind the authority: whose name that is matters as little as Host.
 * Refused are user names (RFC 9110 4.2.4), and a query without a path, which has no form that we
 * could point at. */
static bool reduce(struct slice asked, struct slice *target)
{
	size_t at = begins_with(asked, "http://") ? 7 : begins_with(asked, "https://") ? 8 : 0;
	size_t authority = at;
	for (; at && at < asked.len && asked.at[at] != '/'; at++)
		if (strchr("@?#\\", asked.at[at]))
			return false;
	if (at && at == authority)
		return false;
	*target = at == asked.len ? slice_of((const uint8_t *)"/", 1)
				  : slice_of(asked.at + at, asked.len - at);
	return target->at[0] == '/';
}

/* method SP target SP version: 0 or a status. */
static unsigned read_request_line(struct slice line, struct http1_request *request)
{
	struct slice version = line;
	if (!cut(&version, ' ', &request->method) || !cut(&version, ' ', &request->asked))
		return 400;
	if (!is_all_tokens(request->method) || !is_visible(request->asked) || !is_version(version))
		return 400;
	if (version.at[5] != '1' || version.at[7] > '1')
		return 505;
	request->is_http_1_0 = version.at[7] == '0';
	return reduce(request->asked, &request->target) ? 0 : 400;
}

/* A line that begins with white space continued the one before, once (RFC 9112 5.2); its name is
 * not a token, nor is one with a space before the colon. */
static unsigned read_header_line(struct slice line, struct http1_request *request)
{
	struct http1_header header = { .value = line };
	if (request->header_count == HTTP1_HEADERS_MAX)
		return 431;
	if (!cut(&header.value, ':', &header.name) || !is_all_tokens(header.name) ||
		!is_field_content(header.value))
		return 400;
	header.value = trimmed(header.value);
	request->headers[request->header_count++] = header;
	return 0;
}

static unsigned read_lines(struct slice head, struct http1_request *request)
{
	struct reader lines = reader_of(head);
	unsigned status = read_request_line(next_line(&lines), request);
	while (!status && reader_left(&lines) > 2)
		status = read_header_line(next_line(&lines), request);
	return status;
}

/* --- what the headers mean --- */

static size_t count_header(const struct http1_request *request, const char *name)
{
	size_t count = 0;
	for (size_t i = 0; i < request->header_count; i++)
		count += equals_word(request->headers[i].name, name);
	return count;
}

struct slice http1_header(const struct http1_request *request, const char *name)
{
	for (size_t i = 0; i < request->header_count; i++)
		if (equals_word(request->headers[i].name, name))
			return request->headers[i].value;
	return slice_of(NULL, 0);
}

static bool read_length(struct slice text, uint64_t *len)
{
	*len = 0;
	if (text.len == 0 || text.len > LENGTH_DIGITS_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		*len = *len * 10 + (uint64_t)(text.at[i] - '0');
	}
	return true;
}

/* Where "chunked" is not the last coding, nobody can tell where the body ends; where it stands
 * alone, we can (RFC 9112 6.3). 0 or a status. */
static unsigned read_codings(struct slice codings)
{
	struct slice rest = codings, coding;
	bool others = false;
	while (cut(&rest, ',', &coding)) {
		if (equals_word(trimmed(coding), "chunked"))
			return 400;
		others = true;
	}
	if (!equals_word(trimmed(rest), "chunked"))
		return 400;
	return others ? 501 : 0;
}

/* How the body ends: 0 or a status. */
static unsigned read_body_kind(struct http1_request *request)
{
	size_t lengths = count_header(request, "content-length");
	size_t codings = count_header(request, "transfer-encoding");
	request->body_len = 0;
	request->is_chunked = codings > 0;
	if (codings && (lengths || codings > 1 || request->is_http_1_0))
		return 400;
	if (codings)
		return read_codings(http1_header(request, "transfer-encoding"));
	if (!lengths)
		return 0;
	bool is_length = lengths == 1 &&
		read_length(http1_header(request, "content-length"), &request->body_len);
	return is_length ? 0 : 400;
}

/* RFC 9112 3.2: one Host in a request of HTTP/1.1. What it says does not matter to us. */
static unsigned check_host(const struct http1_request *request)
{
	size_t hosts = count_header(request, "host");
	return hosts > 1 || (hosts == 0 && !request->is_http_1_0) ? 400 : 0;
}

/* --- the second opinion --- */

struct comparison {
	const struct http1_request *request;
	size_t headers_seen;
	bool differs;
};

static void on_target(void *context, struct slice target)
{
	struct comparison *comparison = context;
	comparison->differs |= !slice_equals(target, comparison->request->asked);
}

static void on_header(void *context, struct slice name, struct slice value)
{
	struct comparison *comparison = context;
	size_t at = comparison->headers_seen++;
	const struct http1_request *request = comparison->request;
	comparison->differs |= at >= request->header_count ||
		!slice_equals(name, request->headers[at].name) ||
		!slice_equals(trimmed(value), request->headers[at].value);
}

static unsigned ask_parser(struct slice head, struct http1_request *request)
{
	struct comparison comparison = { .request = request };
	struct http1_parser_events events = { on_target, on_header, &comparison };
	struct http1_parser_result result;
	if (!http1_parser_read(head, &events, &result))
		return result.is_unknown_method ? 501 : 400;
	if (comparison.differs || comparison.headers_seen != request->header_count)
		return 400;
	request->keep_alive = result.keep_alive;
	return 0;
}

/* --- all together --- */

static unsigned read_whole_head(struct slice head, struct http1_request *request)
{
	unsigned status = read_lines(head, request);
	if (!status)
		status = check_host(request);
	if (!status)
		status = read_body_kind(request);
	return status ? status : ask_parser(head, request);
}

enum http1_result http1_read_head(struct slice bytes, size_t *scanned, size_t head_max,
	struct http1_request *request, unsigned *status)
{
	bool is_bad;
	struct slice window = bytes;
	if (window.len > head_max)
		window.len = head_max;
	size_t len = head_len(window, scanned, &is_bad);
	*status = is_bad ? 400 : 431;
	if (!len)
		return is_bad || bytes.len >= head_max ? HTTP1_REFUSED : HTTP1_MORE;
	size_t before = empty_line(bytes);
	request->header_count = 0;
	request->body = slice_of(NULL, 0);
	request->len = len;
	*status = read_whole_head(slice_of(bytes.at + before, len - before), request);
	return *status ? HTTP1_REFUSED : HTTP1_REQUEST;
}

enum http1_result http1_read(struct slice bytes, size_t *scanned, size_t body_max,
	struct http1_request *request, unsigned *status)
{
	enum http1_result result = http1_read_head(bytes, scanned, HTTP1_HEAD_MAX, request, status);
	if (result != HTTP1_REQUEST)
		return result;
	*status = request->is_chunked ? 411 : 413;
	if (request->is_chunked || request->body_len > body_max)
		return HTTP1_REFUSED;
	if (bytes.len - request->len < request->body_len)
		return HTTP1_MORE;
	request->body = slice_of(bytes.at + request->len, request->body_len);
	request->len += request->body.len;
	return HTTP1_REQUEST;
}

/* --- responses --- */

const char *http1_reason(unsigned status)
{
	static const struct {
		unsigned status;
		const char *reason;
	} reasons[] = {
		{ 200, "OK" },
		{ 400, "Bad Request" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 411, "Length Required" },
		{ 413, "Content Too Large" },
		{ 415, "Unsupported Media Type" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 503, "Service Unavailable" },
		{ 505, "HTTP Version Not Supported" },
	};
	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

static void write_date(struct writer *to, int64_t time_s)
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul",
		"Aug", "Sep", "Oct", "Nov", "Dec" };
	char text[64];
	struct tm utc;
	time_t time = (time_t)time_s;
	if (!gmtime_r(&time, &utc))
		return;
	/* Not strftime(): its words follow the locale. */
	snprintf(text, sizeof text, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n",
		days[utc.tm_wday], utc.tm_mday, months[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour,
		utc.tm_min, utc.tm_sec);
	writer_text(to, text);
}

void http1_write_head(struct writer *to, const struct http1_response *response)
{
	writer_text(to, "HTTP/1.1 ");
	writer_decimal(to, response->status);
	writer_text(to, " ");
	writer_text(to, http1_reason(response->status));
	writer_text(to, "\r\n");
	write_date(to, response->time_s);
	writer_text(to, "Content-Type: ");
	writer_text(to, response->content_type);
	writer_text(to, "\r\nContent-Length: ");
	writer_decimal(to, response->content_length);
	writer_text(to, "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
	if (response->allow) {
		writer_text(to, "Allow: ");
		writer_text(to, response->allow);
		writer_text(to, "\r\n");
	}
	writer_text(to,
		response->keep_alive ? "Connection: keep-alive\r\n\r\n"
				     : "Connection: close\r\n\r\n");
}
