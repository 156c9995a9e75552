/* h2.h - what both sides of DoH want of nghttp2 (RFC 9113): limits on a peer's frames, fields
 * without copies, the bytes to be sent. nghttp2 is known to this folder only. */
#ifndef PROXY_FRAMING_H2_H
#define PROXY_FRAMING_H2_H

#include <nghttp2/nghttp2.h>

#include "base/slice.h"

enum {
	H2_CONTINUATIONS_MAX = 8,
	H2_ACKS_MAX = 100,         /* SETTINGS and PING that wait to be acknowledged */
	H2_IDLE_FRAMES_MAX = 1000, /* frames that lead to nothing, in a row */
	H2_DECIMAL_MAX = 20,
};

/* A field whose name is a constant, with further flags. */
#define H2_FIELD_WITH(name_text, value_text, length, more)                                         \
	{                                                                                          \
		.name = (uint8_t *)(uintptr_t)(name_text), .namelen = sizeof(name_text) - 1,       \
		.value = (uint8_t *)(uintptr_t)(value_text), .valuelen = (length),                 \
		.flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | (more)                                     \
	}

/* Its value is copied when it is submitted. */
#define H2_FIELD(name_text, value_text, length)                                                    \
	H2_FIELD_WITH(name_text, value_text, length, NGHTTP2_NV_FLAG_NONE)

/* Its value is a constant too. */
#define H2_FIXED_FIELD(name_text, value_text)                                                      \
	H2_FIELD_WITH(name_text, value_text, sizeof(value_text) - 1, NGHTTP2_NV_FLAG_NO_COPY_VALUE)

/* Its value is another one each time: it stays out of the table of fields that both sides keep (RFC
 * 7541 6.2.3). Each that came in would be compared with all that are there. */
#define H2_VARYING_FIELD(name_text, value_text, length)                                            \
	H2_FIELD_WITH(name_text, value_text, length, NGHTTP2_NV_FLAG_NO_INDEX)

/* The digits of `value`, in `text`. */
struct slice h2_decimal(char text[H2_DECIMAL_MAX], uint64_t value);

/* What either side wants to be told. */
struct h2_events {
	nghttp2_on_begin_frame_callback on_begin_frame;
	nghttp2_on_begin_headers_callback on_begin_headers;
	nghttp2_on_header_callback on_header;
	nghttp2_on_data_chunk_recv_callback on_data;
	nghttp2_on_frame_recv_callback on_frame;
	nghttp2_on_frame_send_callback on_frame_sent;
	nghttp2_on_stream_close_callback on_stream_close;
};

/* Callbacks and options with the limits above, before main(); ends the program when out of memory.
 * Frames of kinds that HTTP/2 does not know are only counted (RFC 9113 5.5). */
void h2_begin(nghttp2_session_callbacks **callbacks, nghttp2_option **options,
	const struct h2_events *events);

/* What nghttp2 gave and h2_drain() has not yet passed on. */
struct h2_out {
	const uint8_t *frame;
	size_t len;
};

/* Writes what is to be sent, at most `capacity` bytes. */
size_t h2_drain(nghttp2_session *session, struct h2_out *out, uint8_t *to, size_t capacity);

#endif
