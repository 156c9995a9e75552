#include "proxy/framing/h2.h"

#include <stdlib.h>

#include "base/writer.h"

struct slice h2_decimal(char text[H2_DECIMAL_MAX], uint64_t value)
{
	struct writer to = writer_of(text, H2_DECIMAL_MAX);
	writer_decimal(&to, value);
	return writer_slice(&to);
}

static int on_unknown_frame(
	nghttp2_session *session, void **payload, const nghttp2_frame_hd *head, void *context)
{
	(void)session;
	(void)payload;
	(void)head;
	(void)context;
	return NGHTTP2_ERR_CANCEL;
}

static void set_events(nghttp2_session_callbacks *callbacks, const struct h2_events *events)
{
	nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, events->on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(
		callbacks, events->on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, events->on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, events->on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, events->on_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, events->on_frame_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, events->on_stream_close);
	nghttp2_session_callbacks_set_unpack_extension_callback(callbacks, on_unknown_frame);
}

void h2_begin(nghttp2_session_callbacks **callbacks, nghttp2_option **options,
	const struct h2_events *events)
{
	if (nghttp2_session_callbacks_new(callbacks) || nghttp2_option_new(options))
		abort();
	set_events(*callbacks, events);
	for (unsigned type = NGHTTP2_CONTINUATION + 1; type <= UINT8_MAX; type++)
		nghttp2_option_set_user_recv_extension_type(*options, (uint8_t)type);
	nghttp2_option_set_no_closed_streams(*options, 1);
	nghttp2_option_set_max_outbound_ack(*options, H2_ACKS_MAX);
#ifdef HAVE_NGHTTP2_MAX_CONTINUATIONS
	nghttp2_option_set_max_continuations(*options, H2_CONTINUATIONS_MAX);
#endif
}

size_t h2_drain(nghttp2_session *session, struct h2_out *out, uint8_t *to, size_t capacity)
{
	size_t len = 0;
	for (;;) {
		/* Also when there is no room left: only with the next frame nghttp2 takes the last
		 * one as sent. */
		if (out->len == 0) {
			ssize_t got = nghttp2_session_mem_send(session, &out->frame);
			if (got <= 0)
				break;
			out->len = (size_t)got;
		}
		if (len == capacity)
			break;
		size_t take = out->len < capacity - len ? out->len : capacity - len;
		memcpy(to + len, out->frame, take);
		out->frame += take;
		out->len -= take;
		len += take;
	}
	return len;
}
