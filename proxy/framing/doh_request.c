#include "proxy/framing/doh_request.h"

#include <stdlib.h>
#include <strings.h>

#include "proxy/framing/base64url.h"

static const char media_type[] = "application/dns-message";

void doh_request_init(struct doh_request *request)
{
	/* Not the message itself: it is read only as far as it was written. */
	memset(request, 0, offsetof(struct doh_request, message));
	request->method = HTTP_OTHER;
	request->message = request->inline_message;
	request->capacity = DOH_INLINE_MAX;
}

void doh_request_deinit(struct doh_request *request)
{
	if (request->message != request->inline_message)
		free(request->message);
	request->message = request->inline_message;
	request->capacity = DOH_INLINE_MAX;
	request->len = 0;
}

static bool make_room(struct doh_request *request, size_t len)
{
	if (len <= request->capacity)
		return true;
	uint32_t capacity = request->capacity;
	while (capacity < len)
		capacity *= 2;
	bool inlined = request->message == request->inline_message;
	uint8_t *message = realloc(inlined ? NULL : request->message, capacity);
	if (!message) {
		request->out_of_memory = true;
		return false;
	}
	if (inlined)
		memcpy(message, request->inline_message, request->len);
	request->message = message;
	request->capacity = capacity;
	return true;
}

struct method_row {
	const char *name;
	enum http_method method;
};

static const struct method_row methods[] = {
	{ "GET", HTTP_GET },
	{ "POST", HTTP_POST },
	{ "HEAD", HTTP_HEAD },
	{ "PUT", HTTP_OTHER },
	{ "DELETE", HTTP_OTHER },
	{ "OPTIONS", HTTP_OTHER },
	{ "CONNECT", HTTP_OTHER },
	{ "TRACE", HTTP_OTHER },
	{ "PATCH", HTTP_OTHER },
};

static void take_method(struct doh_request *request, struct slice value)
{
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		if (!slice_equals_text(value, methods[i].name))
			continue;
		request->method = methods[i].method;
		request->method_known = true;
		return;
	}
}

static void take_dns_parameter(struct doh_request *request, struct slice value)
{
	/* Twice: the first counts, as with a form. */
	if (request->dns_found)
		return;
	request->dns_found = true;
	if (!make_room(request, value.len))
		return;
	struct writer to = writer_of(request->message, request->capacity);
	request->dns_broken = !base64url_decode(&to, value);
	request->len = (uint32_t)to.len;
}

static struct slice take_until(struct slice *from, uint8_t separator)
{
	const uint8_t *found = from->len ? memchr(from->at, separator, from->len) : NULL;
	size_t len = found ? (size_t)(found - from->at) : from->len;
	struct slice part = slice_of(from->at, len);
	len += found != NULL;
	*from = slice_of(from->at + len, from->len - len);
	return part;
}

static void take_path(struct doh_request *request, const char *path, struct slice value)
{
	request->path_found = slice_equals_text(take_until(&value, '?'), path);
	while (request->path_found && value.len > 0) {
		struct slice parameter = take_until(&value, '&');
		struct slice name = take_until(&parameter, '=');
		if (slice_equals_text(name, "dns"))
			take_dns_parameter(request, parameter);
	}
}

static void take_content_type(struct doh_request *request, struct slice value)
{
	struct slice type = take_until(&value, ';');
	while (type.len > 0 && (type.at[type.len - 1] == ' ' || type.at[type.len - 1] == '\t'))
		type.len--;
	request->type_right = type.len == sizeof media_type - 1 &&
		strncasecmp((const char *)type.at, media_type, type.len) == 0;
}

static void take_content_length(struct doh_request *request, struct slice value)
{
	/* nghttp2 holds the body to the number; here only the early refusal. */
	uint64_t len = 0;
	for (size_t i = 0; i < value.len && len <= DOH_MESSAGE_MAX; i++)
		if (value.at[i] >= '0' && value.at[i] <= '9')
			len = len * 10 + (uint64_t)(value.at[i] - '0');
	request->too_large |= len > DOH_MESSAGE_MAX;
}

void doh_request_field(
	struct doh_request *request, const char *path, struct slice name, struct slice value)
{
	request->field_bytes += (uint32_t)(name.len + value.len + 32);
	if (request->field_bytes > DOH_HEADER_LIST_MAX)
		request->too_many_fields = true;
	if (request->too_many_fields)
		return;
	if (slice_equals_text(name, ":path"))
		take_path(request, path, value);
	else if (slice_equals_text(name, ":method"))
		take_method(request, value);
	else if (slice_equals_text(name, "content-type"))
		take_content_type(request, value);
	else if (slice_equals_text(name, "content-length"))
		take_content_length(request, value);
}

void doh_request_end_fields(struct doh_request *request)
{
	if (request->method == HTTP_POST)
		request->len = 0; /* the message is the body, whatever the path says */
}

void doh_request_body(struct doh_request *request, struct slice bytes)
{
	if (request->method != HTTP_POST || request->too_large || bytes.len == 0)
		return;
	if (bytes.len > DOH_MESSAGE_MAX - request->len) {
		request->too_large = true;
		return;
	}
	if (!make_room(request, request->len + bytes.len))
		return;
	memcpy(request->message + request->len, bytes.at, bytes.len);
	request->len += (uint32_t)bytes.len;
}

unsigned doh_request_status(const struct doh_request *request, bool complete)
{
	if (request->too_many_fields)
		return 431;
	if (request->out_of_memory)
		return 503;
	if (!request->path_found)
		return 404;
	if (request->method == HTTP_OTHER)
		return request->method_known ? 405 : 501;
	if (request->too_large)
		return 413;
	if (request->method == HTTP_POST && !request->type_right)
		return 415;
	if (request->method != HTTP_POST && (!request->dns_found || request->dns_broken))
		return 400;
	return complete && request->len == 0 ? 400 : 200;
}
