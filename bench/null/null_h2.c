#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/null/null.h"

enum { LEAST = 17, STREAMS = 1000 };

struct request {
	size_t len, answer_len;
	uint8_t question[NULL_QUESTION_SIZE], answer[NULL_ANSWER_SIZE];
};

static int on_begin(nghttp2_session *h2, const nghttp2_frame *frame, void *context)
{
	struct request *request = malloc(sizeof *request);

	(void)context;
	if (!request)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	request->len = 0;
	return nghttp2_session_set_stream_user_data(h2, frame->hd.stream_id, request);
}

static unsigned digit_value(uint8_t digit)
{
	if (digit >= 'a')
		return digit - 'a' + 26u;
	if (digit >= 'A')
		return digit == '_' ? 63 : digit - 'A' + 0u;
	return digit == '-' ? 62 : digit - '0' + 52u;
}

/* The question of a GET: RFC 8484 section 4.1. */
static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
	size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *context)
{
	struct request *request = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);
	const uint8_t *at, *end = value + value_len;
	unsigned bits = 0, count = 0;

	(void)flags, (void)context;
	if (name_len != 5 || memcmp(name, ":path", 5) != 0 || !request)
		return 0;
	at = memmem(value, value_len, "?dns=", 5);
	for (at = at ? at + 5 : end; at < end && request->len < NULL_QUESTION_SIZE; at++) {
		bits = bits << 6 | digit_value(*at);
		if ((count += 6) >= 8)
			request->question[request->len++] = (uint8_t)(bits >> (count -= 8));
	}
	return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t stream, const uint8_t *data,
	size_t len, void *context)
{
	struct request *request = nghttp2_session_get_stream_user_data(h2, stream);

	(void)flags, (void)context;
	if (!request || len > NULL_QUESTION_SIZE - request->len)
		return 0;
	memcpy(request->question + request->len, data, len);
	request->len += len;
	return 0;
}

static ssize_t on_body(nghttp2_session *h2, int32_t stream, uint8_t *to, size_t size,
	uint32_t *flags, nghttp2_data_source *source, void *context)
{
	const struct request *request = source->ptr;

	(void)h2, (void)stream, (void)context;
	if (size < request->answer_len)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	memcpy(to, request->answer, request->answer_len);
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)request->answer_len;
}

static nghttp2_nv field(const char *name, const char *value)
{
	return (nghttp2_nv){ (uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value),
		NGHTTP2_NV_FLAG_NO_COPY_NAME };
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *context)
{
	struct request *request;
	char content_length[8];

	(void)context;
	if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) ||
		(frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS))
		return 0;
	request = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);
	if (!request || request->len < LEAST)
		return 0;
	request->answer_len = null_answer(request->answer, request->question, request->len);
	snprintf(content_length, sizeof content_length, "%zu", request->answer_len);
	const nghttp2_nv fields[] = { field(":status", "200"),
		field("content-type", "application/dns-message"),
		field("content-length", content_length), field("cache-control", "max-age=300") };
	const nghttp2_data_provider body = { .source.ptr = request, .read_callback = on_body };
	return nghttp2_submit_response(h2, frame->hd.stream_id, fields, 4, &body);
}

static int on_close(nghttp2_session *h2, int32_t stream, uint32_t error, void *context)
{
	(void)error, (void)context;
	free(nghttp2_session_get_stream_user_data(h2, stream));
	return 0;
}

nghttp2_session *null_h2_new(void *context)
{
	static nghttp2_session_callbacks *callbacks;
	static nghttp2_option *option;
	const nghttp2_settings_entry streams = { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS };
	nghttp2_session *h2;

	if (!callbacks) {
		nghttp2_option_new(&option);
		nghttp2_option_set_no_closed_streams(option, 1);
		nghttp2_session_callbacks_new(&callbacks);
		nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
		nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
		nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
		nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
		nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	}
	if (nghttp2_session_server_new2(&h2, callbacks, context, option))
		abort();
	nghttp2_submit_settings(h2, NGHTTP2_FLAG_NONE, &streams, 1);
	return h2;
}
