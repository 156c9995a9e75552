/* h2_heads.h - where the frames of HTTP/2 begin in a stream of bytes (RFC 9113 4.1). nghttp2 says
 * nothing of frames that it passes over, and these cost as much as others. */
#ifndef PROXY_FRAMING_H2_HEADS_H
#define PROXY_FRAMING_H2_HEADS_H

#include "base/slice.h"

enum { H2_HEAD_LEN = 9 };

struct h2_heads {
	uint32_t payload_left;
	uint8_t head_len; /* bytes of the head that are there */
	uint8_t head[H2_HEAD_LEN];
};

/* Before the first byte; a client's preface (RFC 9113 3.4) of so many bytes is passed over. */
void h2_heads_init(struct h2_heads *heads, uint32_t preface_len);

/* How many of the bytes, at least one, belong to the frame that they begin in; `bytes` is not
 * empty. With `*is_head` a head has become complete, and its type and stream can be asked for until
 * the next call. */
size_t h2_heads_take(struct h2_heads *heads, struct slice bytes, bool *is_head);

static inline uint8_t h2_heads_type(const struct h2_heads *heads)
{
	return heads->head[3];
}

static inline int32_t h2_heads_stream(const struct h2_heads *heads)
{
	const uint8_t *at = heads->head + 5;
	return (int32_t)((at[0] & 0x7fU) << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 |
		at[3]);
}

#endif
