#include "proxy/framing/h2_heads.h"

void h2_heads_init(struct h2_heads *heads, uint32_t preface_len)
{
	memset(heads, 0, sizeof *heads);
	heads->payload_left = preface_len;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t take_head(struct h2_heads *heads, struct slice bytes, bool *is_head)
{
	size_t len = least(H2_HEAD_LEN - heads->head_len, bytes.len);
	memcpy(heads->head + heads->head_len, bytes.at, len);
	heads->head_len = (uint8_t)(heads->head_len + len);
	*is_head = heads->head_len == H2_HEAD_LEN;
	if (!*is_head)
		return len;
	const uint8_t *at = heads->head;
	heads->payload_left = (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
	heads->head_len = 0;
	return len;
}

size_t h2_heads_take(struct h2_heads *heads, struct slice bytes, bool *is_head)
{
	size_t len = 0;
	*is_head = false;
	if (heads->payload_left == 0) {
		len = take_head(heads, bytes, is_head);
		if (!*is_head)
			return len;
	}
	size_t payload = least(heads->payload_left, bytes.len - len);
	heads->payload_left -= (uint32_t)payload;
	return len + payload;
}
