/* doh_message.h - a DNS message as HTTP carries it (RFC 8484 6): its bytes, which come in pieces,
 * and the name of their kind. The same in both directions. */
#ifndef PROXY_FRAMING_DOH_MESSAGE_H
#define PROXY_FRAMING_DOH_MESSAGE_H

#include "base/slice.h"

enum {
	DOH_MESSAGE_MAX = 65535,
	DOH_INLINE_MAX = 512, /* a usual message needs no memory of its own */
};

struct doh_message {
	uint32_t len; /* so far */
	uint32_t capacity;
	uint8_t *at; /* points at inline_bytes until that is too small */
	uint8_t inline_bytes[DOH_INLINE_MAX];
};

#define DOH_MEDIA_TYPE "application/dns-message"

void doh_message_init(struct doh_message *message);
/* Leaves it empty, and of use again. */
void doh_message_deinit(struct doh_message *message);

static inline struct slice doh_message_bytes(const struct doh_message *message)
{
	return slice_of(message->at, message->len);
}

/* Room for `capacity` bytes in all, whatever DOH_MESSAGE_MAX says; false: out of memory. */
bool doh_message_reserve(struct doh_message *message, size_t capacity);

/* 0, ERR_TOO_LONG over DOH_MESSAGE_MAX, ERR_NO_MEMORY; on error nothing was appended. */
int doh_message_append(struct doh_message *message, struct slice bytes);

/* Is this content-type `wanted`, or DOH_MEDIA_TYPE? Parameters do not matter, nor does case. */
bool doh_message_is_of(struct slice content_type, const char *wanted);
bool doh_is_media_type(struct slice content_type);

#endif
