#include "proxy/fetch/transfer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/file.h"

struct transfer {
	CURL *easy;
};

/* One request and its answer. */
struct attempt {
	CURL *easy;
	const struct transfer_wish *wish;
	struct fetch_report *report;
	struct transfer_target target;
	struct curl_slist *addresses;
	struct curl_slist *headers;
	size_t headers_len;
	int write_error;
	bool is_forbidden; /* it would have connected to somebody else */
	char message[CURL_ERROR_SIZE];
};

uint64_t transfer_now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

const char *transfer_version(void)
{
	return curl_version();
}

struct transfer *transfer_new(void)
{
	struct transfer *transfer = calloc(1, sizeof *transfer);
	if (!transfer || curl_global_init(CURL_GLOBAL_DEFAULT)) {
		free(transfer);
		return NULL;
	}
	transfer->easy = curl_easy_init();
	if (transfer->easy)
		return transfer;
	transfer_free(transfer);
	return NULL;
}

void transfer_free(struct transfer *transfer)
{
	if (!transfer)
		return;
	curl_easy_cleanup(transfer->easy);
	curl_global_cleanup();
	free(transfer);
}

__attribute__((format(printf, 3, 4))) static void fail(
	struct fetch_report *report, enum list_fault fault, const char *format, ...)
{
	va_list arguments;
	report->fault = fault;
	va_start(arguments, format);
	vsnprintf(report->why, sizeof report->why, format, arguments);
	va_end(arguments);
}

/* ---- URLs ---- */

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text >= 0x7f)
			return false;
	return true;
}

/* Without brackets. Nothing is connected to by scope, and a dot at the end would be another key in
 * curl's table of addresses than it is in ours. */
static bool take_host(CURLU *url, char host[TRANSFER_HOST_MAX])
{
	char *text = NULL;
	char *zone = NULL;
	bool good = curl_url_get(url, CURLUPART_HOST, &text, 0) == CURLUE_OK &&
		curl_url_get(url, CURLUPART_ZONEID, &zone, 0) == CURLUE_NO_ZONEID;
	size_t len = good ? strlen(text) : 0;
	size_t brackets = len > 1 && *text == '[';
	if (len == 0 || len >= TRANSFER_HOST_MAX || !is_ascii(text) || text[len - 1] == '.')
		good = false;
	if (good)
		snprintf(host, TRANSFER_HOST_MAX, "%.*s", (int)(len - 2 * brackets),
			text + brackets);
	curl_free(text);
	curl_free(zone);
	return good;
}

static bool take_port(CURLU *url, uint16_t *port)
{
	char *text = NULL;
	if (curl_url_get(url, CURLUPART_PORT, &text, CURLU_DEFAULT_PORT))
		return false;
	*port = (uint16_t)strtoul(text, NULL, 10);
	curl_free(text);
	return *port != 0;
}

static bool is_https(CURLU *url)
{
	char *scheme = NULL;
	bool is = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
		strcmp(scheme, "https") == 0;
	curl_free(scheme);
	return is;
}

static bool has_user(CURLU *url)
{
	char *user = NULL;
	char *password = NULL;
	bool has = curl_url_get(url, CURLUPART_USER, &user, 0) != CURLUE_NO_USER ||
		curl_url_get(url, CURLUPART_PASSWORD, &password, 0) != CURLUE_NO_PASSWORD;
	curl_free(user);
	curl_free(password);
	return has;
}

bool transfer_target_of(const char *url, struct transfer_target *target)
{
	CURLU *parsed = curl_url();
	bool good = parsed && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
		is_https(parsed) && !has_user(parsed) && take_host(parsed, target->host) &&
		take_port(parsed, &target->port);
	curl_url_cleanup(parsed);
	return good;
}

/* What was allocated by the library, as memory of the caller's. */
static char *own_text(CURLU *url)
{
	char *text = NULL;
	char *own = NULL;
	if (url && curl_url_get(url, CURLUPART_URL, &text, 0) == CURLUE_OK)
		own = strdup(text);
	curl_free(text);
	return own;
}

char *transfer_signature_url(const char *url)
{
	CURLU *parsed = curl_url();
	char *path = NULL;
	char longer[4096];
	char *result = NULL;
	if (parsed && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
		curl_url_get(parsed, CURLUPART_PATH, &path, 0) == CURLUE_OK &&
		(size_t)snprintf(longer, sizeof longer, "%s.minisig", path) < sizeof longer &&
		curl_url_set(parsed, CURLUPART_PATH, longer, 0) == CURLUE_OK)
		result = own_text(parsed);
	curl_free(path);
	curl_url_cleanup(parsed);
	return result;
}

/* ---- what the library asks us ---- */

static size_t on_header(char *line, size_t size, size_t count, void *context)
{
	struct attempt *attempt = context;
	(void)line;
	attempt->headers_len += size * count;
	return attempt->headers_len > TRANSFER_HEADERS_MAX ? 0 : size * count;
}

static long status_of(const struct attempt *attempt)
{
	long status = 0;
	curl_easy_getinfo(attempt->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

/* Returning 0 ends the transfer: of an answer that is no list nothing more is wanted. */
static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
	struct attempt *attempt = context;
	struct fetch_report *report = attempt->report;
	size_t len = size * count;
	if (status_of(attempt) != 200)
		return 0;
	if (report->body_len + len > attempt->wish->max_size) {
		fail(report, LIST_FAULT_TOO_LARGE, "more than the %zu bytes that are allowed",
			attempt->wish->max_size);
		return 0;
	}
	attempt->write_error = file_write_all(attempt->wish->body_fd, slice_of(bytes, len));
	if (attempt->write_error)
		return 0;
	report->body_len += len;
	return len;
}

static bool is_wished(const struct transfer_wish *wish, const struct address *address)
{
	for (size_t i = 0; i < wish->address_count; i++)
		if (memcmp(&wish->addresses[i], address, sizeof *address) == 0)
			return true;
	return false;
}

/* The last word on whom we talk to, whatever a URL and its redirects look like. */
static curl_socket_t on_socket(void *context, curlsocktype purpose, struct curl_sockaddr *peer)
{
	struct attempt *attempt = context;
	bool is_ip = peer->family == AF_INET || peer->family == AF_INET6;
	struct address address = { { 0 } };
	if (is_ip)
		address = address_of_sockaddr(&peer->addr, NULL);
	if (purpose != CURLSOCKTYPE_IPCXN || !is_ip || !is_wished(attempt->wish, &address)) {
		attempt->is_forbidden = true;
		return CURL_SOCKET_BAD;
	}
	return socket(peer->family, peer->socktype | SOCK_CLOEXEC, peer->protocol);
}

/* ---- what we ask the library ---- */

/* Collects failures, so that a row of options is checked once. */
static void set_long(CURL *easy, CURLoption option, long value, CURLcode *code)
{
	CURLcode set = curl_easy_setopt(easy, option, value);
	*code = *code ? *code : set;
}

static void set_text(CURL *easy, CURLoption option, const char *value, CURLcode *code)
{
	CURLcode set = curl_easy_setopt(easy, option, value);
	*code = *code ? *code : set;
}

static void set_size(CURL *easy, CURLoption option, size_t value, CURLcode *code)
{
	CURLcode set = curl_easy_setopt(easy, option, (curl_off_t)value);
	*code = *code ? *code : set;
}

static void set_manners(CURL *easy, CURLcode *code)
{
	set_text(easy, CURLOPT_PROTOCOLS_STR, "https", code);
	set_text(easy, CURLOPT_USERAGENT, "namegate/" NAMEGATE_VERSION, code);
	set_text(easy, CURLOPT_PROXY, "", code);
	set_text(easy, CURLOPT_NOPROXY, "*", code);
	set_long(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1, code);
	set_long(easy, CURLOPT_FOLLOWLOCATION, 0, code);
	set_long(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS, code);
	set_long(easy, CURLOPT_HTTP09_ALLOWED, 0, code);
	set_long(easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2, code);
	set_long(easy, CURLOPT_SSL_VERIFYPEER, 1, code);
	set_long(easy, CURLOPT_SSL_VERIFYHOST, 2, code);
	set_long(easy, CURLOPT_NOSIGNAL, 1, code);
}

static void set_limits(CURL *easy, const struct transfer_wish *wish, long left_ms, CURLcode *code)
{
	set_size(easy, CURLOPT_MAXFILESIZE_LARGE, wish->max_size, code);
	set_long(easy, CURLOPT_TIMEOUT_MS, left_ms, code);
	set_long(easy, CURLOPT_CONNECTTIMEOUT_MS,
		left_ms < TRANSFER_CONNECT_MS ? left_ms : TRANSFER_CONNECT_MS, code);
	set_long(easy, CURLOPT_LOW_SPEED_LIMIT, TRANSFER_SLOW, code);
	set_long(easy, CURLOPT_LOW_SPEED_TIME, TRANSFER_SLOW_S, code);
}

/* Those that we name and no others: the library has a directory of its own beside. */
static void set_authorities(CURL *easy, const struct transfer_wish *wish, CURLcode *code)
{
	if (wish->authorities.len == 0)
		return;
	struct curl_blob blob = { .data = (void *)(uintptr_t)wish->authorities.at,
		.len = wish->authorities.len,
		.flags = CURL_BLOB_COPY };
	set_text(easy, CURLOPT_CAPATH, NULL, code);
	if (curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob))
		set_text(easy, CURLOPT_CAINFO, wish->authorities_file, code);
}

static void set_callbacks(struct attempt *attempt, CURLcode *code)
{
	CURL *easy = attempt->easy;
	CURLcode set = curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	set = set ? set : curl_easy_setopt(easy, CURLOPT_HEADERDATA, attempt);
	set = set ? set : curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	set = set ? set : curl_easy_setopt(easy, CURLOPT_WRITEDATA, attempt);
	set = set ? set : curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	set = set ? set : curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, attempt);
	set = set ? set : curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, attempt->message);
	*code = *code ? *code : set;
}

static void append(struct curl_slist **list, const char *text, CURLcode *code)
{
	struct curl_slist *longer = curl_slist_append(*list, text);
	if (longer)
		*list = longer;
	else
		*code = CURLE_OUT_OF_MEMORY;
}

/* "host:443:192.0.2.1,[2001:db8::1]": so it asks nobody for addresses. */
static void set_addresses(struct attempt *attempt, CURLcode *code)
{
	const struct transfer_wish *wish = attempt->wish;
	const struct transfer_target *target = &attempt->target;
	char text[2048];
	struct writer to = writer_of(text, sizeof text - 1);
	struct address literal;
	if (address_parse(&literal, target->host))
		return;
	writer_text(&to, target->host);
	writer_u8(&to, ':');
	writer_decimal(&to, target->port);
	for (size_t i = 0; i < wish->address_count; i++) {
		bool is_v4 = address_is_v4(&wish->addresses[i]);
		writer_text(&to, i > 0 ? "," : ":");
		writer_text(&to, is_v4 ? "" : "[");
		address_write(&to, &wish->addresses[i]);
		writer_text(&to, is_v4 ? "" : "]");
	}
	if (to.failed) {
		*code = CURLE_OUT_OF_MEMORY;
		return;
	}
	text[to.len] = '\0';
	append(&attempt->addresses, text, code);
	CURLcode set = curl_easy_setopt(attempt->easy, CURLOPT_RESOLVE, attempt->addresses);
	*code = *code ? *code : set;
}

static void append_header(
	struct attempt *attempt, const char *name, const char *value, CURLcode *code)
{
	char line[FETCH_TAG_MAX + 32];
	if (!*value)
		return;
	snprintf(line, sizeof line, "%s: %s", name, value);
	append(&attempt->headers, line, code);
}

static void set_headers(struct attempt *attempt, CURLcode *code)
{
	append_header(attempt, "Accept-Encoding", "gzip", code);
	append_header(attempt, "If-None-Match", attempt->wish->etag, code);
	append_header(attempt, "If-Modified-Since", attempt->wish->last_modified, code);
	CURLcode set = curl_easy_setopt(attempt->easy, CURLOPT_HTTPHEADER, attempt->headers);
	*code = *code ? *code : set;
}

static CURLcode prepare(struct attempt *attempt, const char *url, long left_ms)
{
	CURLcode code = CURLE_OK;
	curl_easy_reset(attempt->easy);
	set_manners(attempt->easy, &code);
	set_limits(attempt->easy, attempt->wish, left_ms, &code);
	set_authorities(attempt->easy, attempt->wish, &code);
	set_callbacks(attempt, &code);
	set_addresses(attempt, &code);
	set_headers(attempt, &code);
	set_text(attempt->easy, CURLOPT_URL, url, &code);
	return code;
}

/* ---- what came of it ---- */

static const struct {
	CURLcode code;
	enum list_fault fault;
} faults[] = {
	{ CURLE_OPERATION_TIMEDOUT, LIST_FAULT_TIMEOUT },
	{ CURLE_COULDNT_RESOLVE_HOST, LIST_FAULT_UNREACHABLE },
	{ CURLE_COULDNT_CONNECT, LIST_FAULT_UNREACHABLE },
	{ CURLE_SEND_ERROR, LIST_FAULT_UNREACHABLE },
	{ CURLE_RECV_ERROR, LIST_FAULT_UNREACHABLE },
	{ CURLE_GOT_NOTHING, LIST_FAULT_UNREACHABLE },
	{ CURLE_SSL_CONNECT_ERROR, LIST_FAULT_TLS },
	{ CURLE_PEER_FAILED_VERIFICATION, LIST_FAULT_TLS },
	{ CURLE_SSL_CIPHER, LIST_FAULT_TLS },
	{ CURLE_SSL_CACERT_BADFILE, LIST_FAULT_TLS },
	{ CURLE_SSL_CERTPROBLEM, LIST_FAULT_TLS },
	{ CURLE_UNSUPPORTED_PROTOCOL, LIST_FAULT_HTTP }, /* HTTP/0.9 */
	{ CURLE_WEIRD_SERVER_REPLY, LIST_FAULT_HTTP },
	{ CURLE_BAD_CONTENT_ENCODING, LIST_FAULT_HTTP },
	{ CURLE_HTTP2, LIST_FAULT_HTTP },
	{ CURLE_PARTIAL_FILE, LIST_FAULT_TRUNCATED },
	{ CURLE_HTTP2_STREAM, LIST_FAULT_TRUNCATED },
	{ CURLE_FILESIZE_EXCEEDED, LIST_FAULT_TOO_LARGE },
};

/* What breaks off within a body has left us a part of the list. */
static enum list_fault fault_of(CURLcode code, long status)
{
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		if (faults[i].code != code)
			continue;
		bool broke_off = faults[i].fault == LIST_FAULT_UNREACHABLE && status == 200;
		return broke_off ? LIST_FAULT_TRUNCATED : faults[i].fault;
	}
	return LIST_FAULT_INTERNAL;
}

static const char *header_of(const struct attempt *attempt, const char *name)
{
	struct curl_header *header;
	CURLHcode code = curl_easy_header(attempt->easy, name, 0, CURLH_HEADER, -1, &header);
	return code == CURLHE_OK ? header->value : "";
}

static bool is_printable(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text >= 0x7f)
			return false;
	return true;
}

/* What is sent back one day must be what was said, or nothing. */
static void take_tag(const struct attempt *attempt, const char *name, char tag[FETCH_TAG_MAX])
{
	const char *value = header_of(attempt, name);
	if (strlen(value) < FETCH_TAG_MAX && is_printable(value))
		snprintf(tag, FETCH_TAG_MAX, "%s", value);
}

static void take_unmodified(const struct attempt *attempt)
{
	const struct transfer_wish *wish = attempt->wish;
	struct fetch_report *report = attempt->report;
	if (!*wish->etag && !*wish->last_modified) {
		fail(report, LIST_FAULT_HTTP, "answered with status 304, though nothing is known");
		return;
	}
	report->not_modified = true;
	snprintf(report->etag, sizeof report->etag, "%s", wish->etag);
	snprintf(report->last_modified, sizeof report->last_modified, "%s", wish->last_modified);
}

/* HTTP/1 knows bodies that end with the connection, and anybody on the way can end that: libcurl
 * takes an end without TLS's close_notify for one in good order. */
static bool has_end(const struct attempt *attempt)
{
	long version = 0;
	curl_easy_getinfo(attempt->easy, CURLINFO_HTTP_VERSION, &version);
	return version >= CURL_HTTP_VERSION_2_0 || *header_of(attempt, "Content-Length") ||
		*header_of(attempt, "Transfer-Encoding");
}

static void take_list(const struct attempt *attempt)
{
	static const char *const codings[] = { "", "identity", "gzip", "x-gzip", "zstd" };
	struct fetch_report *report = attempt->report;
	const char *coding = header_of(attempt, "Content-Encoding");
	bool is_known = false;
	for (size_t i = 0; i < sizeof codings / sizeof *codings; i++)
		is_known = is_known || strcasecmp(coding, codings[i]) == 0;
	take_tag(attempt, "ETag", report->etag);
	take_tag(attempt, "Last-Modified", report->last_modified);
	snprintf(report->content_type, sizeof report->content_type, "%s",
		header_of(attempt, "Content-Type"));
	if (!has_end(attempt))
		fail(report, LIST_FAULT_TRUNCATED, "without a length nobody knows if it is whole");
	else if (!is_known)
		fail(report, LIST_FAULT_HTTP, "packed as \"%.40s\", which was not asked for",
			coding);
}

/* Answers that are no 200 are what their status says, however their bodies end. */
static bool has_status(long status)
{
	return status >= 201;
}

static void judge(const struct attempt *attempt, CURLcode code)
{
	struct fetch_report *report = attempt->report;
	long status = status_of(attempt);
	if (attempt->is_forbidden)
		fail(report, LIST_FAULT_FORBIDDEN, "it leads to an address that was not looked up");
	else if (attempt->headers_len > TRANSFER_HEADERS_MAX)
		fail(report, LIST_FAULT_TOO_LARGE, "more than %d bytes of headers",
			TRANSFER_HEADERS_MAX);
	else if (attempt->write_error)
		fail(report, LIST_FAULT_INTERNAL, "cannot keep it: %s",
			strerror(-attempt->write_error));
	else if (report->fault)
		return;
	else if (status == 304 && !code)
		take_unmodified(attempt);
	else if (has_status(status))
		fail(report, LIST_FAULT_HTTP, "answered with status %ld", status);
	else if (code)
		fail(report, fault_of(code, status), "cannot fetch it: %s",
			*attempt->message ? attempt->message : curl_easy_strerror(code));
	else
		take_list(attempt);
}

/* ---- redirects ---- */

/* Where the answer leads; NULL when it is no redirect. */
static char *next_url(const struct attempt *attempt, const char *url)
{
	long status = status_of(attempt);
	const char *location = header_of(attempt, "Location");
	bool is_redirect =
		status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
	if (!is_redirect || !*location || attempt->headers_len > TRANSFER_HEADERS_MAX)
		return NULL;
	CURLU *parsed = curl_url();
	char *next = NULL;
	if (parsed && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
		curl_url_set(parsed, CURLUPART_URL, location, 0) == CURLUE_OK)
		next = own_text(parsed);
	curl_url_cleanup(parsed);
	return next ? next : strdup("");
}

static bool may_follow(const struct attempt *attempt, const char *next, struct fetch_report *report)
{
	struct transfer_target target = { 0 };
	if (!transfer_target_of(next, &target)) {
		fail(report, LIST_FAULT_REDIRECT,
			"redirected to what is no https URL, or has a user");
		return false;
	}
	if (strcasecmp(target.host, attempt->target.host) != 0 ||
		target.port != attempt->target.port) {
		fail(report, LIST_FAULT_REDIRECT, "redirected to another host: %.120s, port %u",
			target.host, (unsigned)target.port);
		return false;
	}
	return true;
}

/* One request. The URL of the next one, or NULL when the report says it all. */
static char *attempt_run(struct transfer *transfer, const struct transfer_wish *wish,
	const char *url, struct fetch_report *report)
{
	struct attempt attempt = { .easy = transfer->easy, .wish = wish, .report = report };
	uint64_t now_ms = transfer_now_ms();
	char *next = NULL;
	if (now_ms >= wish->deadline_ms) {
		fail(report, LIST_FAULT_TIMEOUT, "the time is over");
		return NULL;
	}
	if (!transfer_target_of(url, &attempt.target)) {
		fail(report, LIST_FAULT_INTERNAL, "it has no https URL");
		return NULL;
	}
	CURLcode code = prepare(&attempt, url, (long)(wish->deadline_ms - now_ms));
	if (!code)
		code = curl_easy_perform(attempt.easy);
	if (!attempt.is_forbidden)
		next = next_url(&attempt, url);
	if (!next)
		judge(&attempt, code);
	else if (!may_follow(&attempt, next, report)) {
		free(next);
		next = NULL;
	}
	curl_easy_reset(attempt.easy); /* it must not remember this attempt */
	curl_slist_free_all(attempt.addresses);
	curl_slist_free_all(attempt.headers);
	return next;
}

void transfer_run(
	struct transfer *transfer, const struct transfer_wish *wish, struct fetch_report *report)
{
	memset(report, 0, sizeof *report);
	char *next = attempt_run(transfer, wish, wish->url, report);
	for (unsigned count = 1; next; count++) {
		char *url = next;
		next = NULL;
		if (count > TRANSFER_REDIRECTS_MAX)
			fail(report, LIST_FAULT_REDIRECT, "more than %d redirects",
				TRANSFER_REDIRECTS_MAX);
		else
			next = attempt_run(transfer, wish, url, report);
		free(url);
	}
}
