/* doh_link.c - DNS over HTTPS: RFC 8484 over HTTP/2, by POST and by GET; a stream's user data is
 * its slot. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/link.h"

enum {
	RECORD = 16384,
	STREAM_WINDOW = 1 << 20,
	CONNECTION_WINDOW = 1 << 30, /* never needs to be opened in a run */
	PATH_SIZE = 32 + QUESTION_SIZE * 4 / 3 + 4,
};

static const char path[] = "/dns-query";

static unsigned number_of(const struct link *link, const struct slot *slot)
{
	return (unsigned)(slot - link->slots);
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
	size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *context)
{
	struct slot *slot = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);

	(void)flags, (void)context, (void)value_len;
	if (slot && name_len == 7 && !memcmp(name, ":status", 7))
		slot->status = (uint16_t)atoi((const char *)value);
	return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t stream, const uint8_t *data,
	size_t len, void *context)
{
	struct slot *slot = nghttp2_session_get_stream_user_data(h2, stream);

	(void)flags, (void)context;
	if (!slot)
		return 0;
	for (size_t i = 0; i < len && slot->answer_len + i < LINK_ANSWER_HEAD; i++)
		slot->answer[slot->answer_len + i] = data[i];
	slot->answer_len = (uint16_t)(slot->answer_len + len);
	return 0;
}

static int on_stream_close(nghttp2_session *h2, int32_t stream, uint32_t error, void *context)
{
	struct slot *slot = nghttp2_session_get_stream_user_data(h2, stream);
	struct link *link = context;

	(void)error; /* it has no status 200 then, or no bytes */
	if (slot)
		link_answered(link, number_of(link, slot), NULL, 0);
	return 0;
}

static void open_link(struct link *link)
{
	const nghttp2_settings_entry settings[] = { { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW } };
	nghttp2_session_callbacks *callbacks;

	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	if (nghttp2_session_client_new(&link->h2, callbacks, link))
		abort();
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_submit_settings(link->h2, NGHTTP2_FLAG_NONE, settings, 2);
	nghttp2_session_set_local_window_size(link->h2, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
}

static void close_link(struct link *link)
{
	nghttp2_session_del(link->h2);
}

static ssize_t on_body(nghttp2_session *h2, int32_t stream, uint8_t *to, size_t size,
	uint32_t *flags, nghttp2_data_source *source, void *context)
{
	const struct slot *slot = source->ptr;

	(void)h2, (void)stream, (void)context;
	if (size < slot->len)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	memcpy(to, slot->question, slot->len);
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	return slot->len;
}

static nghttp2_nv field(const char *name, const char *value)
{
	return (nghttp2_nv){ (uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value),
		NGHTTP2_NV_FLAG_NO_COPY_NAME };
}

static void request(struct link *link, const nghttp2_nv *fields, size_t count,
	const nghttp2_data_provider *body, struct slot *slot)
{
	if (!nghttp2_session_check_request_allowed(link->h2) ||
		nghttp2_submit_request(link->h2, NULL, fields, count, body, slot) < 0)
		link->is_dead = true; /* it was told to go away */
}

static void submit_post(struct link *link, unsigned number)
{
	struct slot *slot = &link->slots[number];
	const nghttp2_data_provider body = { .source.ptr = slot, .read_callback = on_body };
	char content_length[8];

	snprintf(content_length, sizeof content_length, "%u", slot->len);
	const nghttp2_nv fields[] = { field(":method", "POST"), field(":scheme", "https"),
		field(":authority", "dns.bench.test"), field(":path", path),
		field("accept", "application/dns-message"),
		field("content-type", "application/dns-message"),
		field("content-length", content_length) };
	request(link, fields, 7, &body, slot);
}

/* RFC 4648 section 5, without padding. */
static size_t base64url(char *to, const uint8_t *data, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	unsigned bits = 0, count = 0;
	size_t written = 0;

	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | data[i];
		for (count += 8; count >= 6;)
			to[written++] = digits[bits >> (count -= 6) & 63];
	}
	if (count)
		to[written++] = digits[bits << (6 - count) & 63];
	to[written] = '\0';
	return written;
}

static void submit_get(struct link *link, unsigned number)
{
	struct slot *slot = &link->slots[number];
	char target[PATH_SIZE];
	int len = snprintf(target, sizeof target, "%s?dns=", path);

	base64url(target + len, slot->question, slot->len);
	const nghttp2_nv fields[] = { field(":method", "GET"), field(":scheme", "https"),
		field(":authority", "dns.bench.test"), field(":path", target),
		field("accept", "application/dns-message") };
	request(link, fields, 5, NULL, slot);
}

/* All frames that are ready, in records as full as can be, with one write. */
static void flush(struct link *link)
{
	static uint8_t record[RECORD];
	const uint8_t *data;
	size_t filled = 0;
	ssize_t len;

	while ((len = nghttp2_session_mem_send(link->h2, &data)) > 0)
		while (len > 0) {
			size_t part = sizeof record - filled;
			part = (size_t)len < part ? (size_t)len : part;
			memcpy(record + filled, data, part);
			data += part, len -= (ssize_t)part, filled += part;
			if (filled == sizeof record) {
				link_tls_write(link, record, filled);
				filled = 0;
			}
		}
	link_tls_write(link, record, filled);
	link_tls_send(link);
}

static void read_frames(struct link *link)
{
	static uint8_t bytes[RECORD];
	int len;

	link_tls_receive(link);
	while ((len = link_tls_read(link, bytes, sizeof bytes)) > 0)
		if (nghttp2_session_mem_recv(link->h2, bytes, (size_t)len) < 0)
			link->is_dead = true;
}

#define DOH_LINK(word, submitting)                                                                 \
	{                                                                                          \
		.name = (word), .alpn = "\2h2", .open = open_link, .submit = (submitting),         \
		.flush = flush, .read = read_frames, .close = close_link                           \
	}

const struct link_type doh_post_link = DOH_LINK("doh", submit_post);
const struct link_type doh_get_link = DOH_LINK("get", submit_get);
