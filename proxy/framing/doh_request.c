#include "proxy/framing/doh_request.h"

#include "base/error.h"
#include "proxy/framing/base64url.h"
#include "proxy/framing/dns_json.h"

void doh_request_init(struct doh_request *request)
{
	/* Not the bytes of the message: they are read only as far as they were written. */
	memset(request, 0, offsetof(struct doh_request, message));
	request->method = HTTP_OTHER;
	doh_message_init(&request->message);
}

void doh_request_deinit(struct doh_request *request)
{
	doh_claims_deinit(&request->claims);
	doh_message_deinit(&request->message);
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
	struct doh_message *message = &request->message;
	request->out_of_memory = !doh_message_reserve(message, value.len);
	if (request->out_of_memory)
		return;
	struct writer to = writer_of(message->at, message->capacity);
	request->dns_broken = !base64url_decode(&to, value);
	message->len = (uint32_t)to.len;
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

static void take_token(struct doh_request *request, struct slice value)
{
	int error = doh_claims_take_token(&request->claims, value);
	request->token_broken |= error == ERR_INVALID;
	request->out_of_memory |= error == ERR_NO_MEMORY;
}

/* Our path, or a segment behind it, which says who the client is. Of "/" that is all there is. */
static bool take_target(struct doh_request *request, const char *path, struct slice target)
{
	size_t len = strlen(path);
	if (slice_equals_text(target, path))
		return true;
	len -= len > 0 && path[len - 1] == '/';
	if (target.len <= len || memcmp(target.at, path, len) != 0 || target.at[len] != '/')
		return false;
	struct slice segment = slice_of(target.at + len + 1, target.len - len - 1);
	int error = doh_claims_take_path(&request->claims, segment);
	request->out_of_memory |= error == ERR_NO_MEMORY;
	return error != ERR_INVALID;
}

/* A question in parameters of its own. With "dns" beside them, that is the question. */
static void take_json_question(
	struct doh_request *request, const struct dns_json_question *question)
{
	if (!request->wants_json || request->dns_found || !dns_json_is_asked(question))
		return;
	struct writer to = writer_of(request->message.at, request->message.capacity);
	request->dns_found = true;
	request->answers_json = true;
	request->dns_broken = !dns_json_write_question(&to, question);
	request->message.len = (uint32_t)to.len;
}

static void take_path(struct doh_request *request, const char *path, struct slice value)
{
	request->path_found = take_target(request, path, take_until(&value, '?'));
	if (!request->path_found || value.len == 0)
		return;
	struct dns_json_question question = { .is_broken = false };
	while (value.len > 0) {
		struct slice parameter = take_until(&value, '&');
		struct slice name = take_until(&parameter, '=');
		if (slice_equals_text(name, "dns"))
			take_dns_parameter(request, parameter);
		else if (slice_equals_text(name, "token"))
			take_token(request, parameter);
		else if (request->wants_json)
			dns_json_take(&question, name, parameter);
	}
	take_json_question(request, &question);
}

/* One of the media types in it; weights and parameters do not matter. */
static bool accepts(struct slice value, const char *media_type)
{
	while (value.len > 0) {
		struct slice one = take_until(&value, ',');
		while (one.len > 0 && (one.at[0] == ' ' || one.at[0] == '\t'))
			one = slice_of(one.at + 1, one.len - 1);
		if (doh_message_is_of(one, media_type))
			return true;
	}
	return false;
}

static void take_accept(struct doh_request *request, struct slice value)
{
	if (accepts(value, DNS_JSON_MEDIA_TYPE) && !accepts(value, DOH_MEDIA_TYPE))
		request->answers_json = true;
}

static void note_forwarded(struct doh_request *request, int error)
{
	request->too_many_fields |= error == ERR_TOO_LONG;
	request->out_of_memory |= error == ERR_NO_MEMORY;
}

static void take_content_length(struct doh_request *request, struct slice value)
{
	/* HTTP itself holds the body to the number; here only the early refusal. */
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
		request->type_right = doh_is_media_type(value);
	else if (slice_equals_text(name, "content-length"))
		take_content_length(request, value);
	else if (request->wants_json && slice_equals_text(name, "accept"))
		take_accept(request, value);
	else if (request->wants_forwarded && slice_equals_text(name, "forwarded"))
		note_forwarded(request, doh_claims_take_forwarded(&request->claims, value));
	else if (request->wants_forwarded && slice_equals_text(name, "x-forwarded-for"))
		note_forwarded(request, doh_claims_take_x_forwarded_for(&request->claims, value));
}

void doh_request_end_fields(struct doh_request *request)
{
	if (request->method != HTTP_POST)
		return;
	request->message.len = 0; /* the message is the body, whatever the path says */
	request->answers_json = false;
}

void doh_request_body(struct doh_request *request, struct slice bytes)
{
	if (request->method != HTTP_POST || request->too_large)
		return;
	int error = doh_message_append(&request->message, bytes);
	request->too_large |= error == ERR_TOO_LONG;
	request->out_of_memory |= error == ERR_NO_MEMORY;
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
	if (request->token_broken)
		return 400;
	return complete && request->message.len == 0 ? 400 : 200;
}

/* ---- the answer ---- */

/* Most answers are small; only for one that is not the largest piece is taken. */
static unsigned answer_in_json(struct doh_request *request, struct slice reply)
{
	static const size_t sizes[] = { DNS_JSON_LEAST, DNS_JSON_MAX };
	bool is_whole = false;
	for (unsigned i = 0; i < 2 && !is_whole; i++) {
		if (!doh_message_reserve(&request->message, sizes[i]))
			return 503;
		struct writer to = writer_of(request->message.at, sizes[i]);
		if (!dns_json_write(&to, reply, &is_whole))
			return 500;
		request->message.len = (uint32_t)to.len;
	}
	return 200;
}

unsigned doh_request_answer(struct doh_request *request, struct slice reply)
{
	request->message.len = 0;
	if (!request->answers_json)
		return doh_message_append(&request->message, reply) ? 503 : 200;
	unsigned status = answer_in_json(request, reply);
	if (status != 200)
		request->message.len = 0;
	return status;
}

const char *doh_request_answer_type(const struct doh_request *request)
{
	return request->answers_json ? DNS_JSON_MEDIA_TYPE : DOH_MEDIA_TYPE;
}

struct slice doh_cache_control(char text[DOH_CACHE_CONTROL_MAX], uint32_t max_age_s)
{
	struct writer to = writer_of(text, DOH_CACHE_CONTROL_MAX);
	/* Whose answer it is depends on who asks: no cache that clients share may keep it. */
	writer_text(&to, "private, max-age=");
	writer_decimal(&to, max_age_s);
	return writer_slice(&to);
}
