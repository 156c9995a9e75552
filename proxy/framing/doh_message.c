#include "proxy/framing/doh_message.h"

#include <stdlib.h>
#include <strings.h>

#include "base/error.h"

void doh_message_init(struct doh_message *message)
{
	/* Not the bytes themselves: they are read only as far as they were written. */
	message->len = 0;
	message->capacity = DOH_INLINE_MAX;
	message->at = message->inline_bytes;
}

void doh_message_deinit(struct doh_message *message)
{
	if (message->at != message->inline_bytes)
		free(message->at);
	doh_message_init(message);
}

bool doh_message_reserve(struct doh_message *message, size_t wanted)
{
	if (wanted <= message->capacity)
		return true;
	uint32_t capacity = message->capacity;
	while (capacity < wanted)
		capacity *= 2;
	bool inlined = message->at == message->inline_bytes;
	uint8_t *at = realloc(inlined ? NULL : message->at, capacity);
	if (!at)
		return false;
	if (inlined)
		memcpy(at, message->inline_bytes, message->len);
	message->at = at;
	message->capacity = capacity;
	return true;
}

int doh_message_append(struct doh_message *message, struct slice bytes)
{
	if (bytes.len > DOH_MESSAGE_MAX - message->len)
		return ERR_TOO_LONG;
	if (!doh_message_reserve(message, message->len + bytes.len))
		return ERR_NO_MEMORY;
	if (bytes.len > 0)
		memcpy(message->at + message->len, bytes.at, bytes.len);
	message->len += (uint32_t)bytes.len;
	return 0;
}

bool doh_message_is_of(struct slice content_type, const char *wanted)
{
	size_t len = 0;
	if (slice_equals_text(content_type, wanted))
		return true;
	while (len < content_type.len && content_type.at[len] != ';')
		len++;
	while (len > 0 && (content_type.at[len - 1] == ' ' || content_type.at[len - 1] == '\t'))
		len--;
	return len == strlen(wanted) &&
		strncasecmp((const char *)content_type.at, wanted, len) == 0;
}

bool doh_is_media_type(struct slice content_type)
{
	return doh_message_is_of(content_type, DOH_MEDIA_TYPE);
}
