#include "proxy/framing/framed.h"

#include "base/error.h"
#include "base/reader.h"

void framed_init(struct framed *framed, size_t least)
{
	*framed = (struct framed){ .least = least };
	bytes_init(&framed->partial, FRAMED_MAX);
}

void framed_deinit(struct framed *framed)
{
	bytes_deinit(&framed->partial);
}

/* How long the first message is, with the length in front; 0: it is not all there yet. */
static int first_len(const struct framed *framed, struct slice bytes, size_t *len)
{
	struct reader from = reader_of(bytes);
	size_t message_len = reader_u16(&from);
	*len = 0;
	if (from.failed)
		return 0;
	if (message_len < framed->least)
		return ERR_MALFORMED;
	if (reader_has(&from, message_len))
		*len = FRAMED_LENGTH_LEN + message_len;
	return 0;
}

static struct slice message_in(const uint8_t *at, size_t len)
{
	return slice_of(at + FRAMED_LENGTH_LEN, len - FRAMED_LENGTH_LEN);
}

static struct slice without_first(struct slice bytes, size_t len)
{
	return slice_of(bytes.at + len, bytes.len - len);
}

/* How many bytes complete the length, or the message whose length is known. */
static size_t missing(struct slice partial)
{
	struct reader head = reader_of(partial);
	size_t message_len = reader_u16(&head);
	return FRAMED_LENGTH_LEN + (head.failed ? 0 : message_len) - partial.len;
}

/* Completes the message that was begun before, if these bytes do. */
static int feed_partial(struct framed *framed, struct slice *plain,
	int (*on_message)(void *host, struct slice message), void *host)
{
	size_t take = missing(bytes_peek(&framed->partial));
	take = take < plain->len ? take : plain->len;
	int error = bytes_append(&framed->partial, plain->at, take);
	if (error)
		return error;
	*plain = without_first(*plain, take);
	struct slice partial = bytes_peek(&framed->partial);
	size_t len;
	error = first_len(framed, partial, &len);
	if (error || len == 0)
		return error;
	error = on_message(host, message_in(partial.at, len));
	bytes_consume(&framed->partial, len);
	return error;
}

int framed_feed(struct framed *framed, struct slice plain,
	int (*on_message)(void *host, struct slice message), void *host)
{
	while (bytes_len(&framed->partial) > 0 && plain.len > 0) {
		int error = feed_partial(framed, &plain, on_message, host);
		if (error)
			return error;
	}
	while (plain.len > 0) {
		size_t len;
		int error = first_len(framed, plain, &len);
		if (!error && len > 0)
			error = on_message(host, message_in(plain.at, len));
		if (error)
			return error;
		if (len == 0)
			break;
		plain = without_first(plain, len);
	}
	if (plain.len == 0)
		return 0;
	framed->begun++;
	return bytes_append(&framed->partial, plain.at, plain.len);
}

int framed_append(struct bytes *to, struct slice message)
{
	if (message.len > FRAMED_MAX - FRAMED_LENGTH_LEN)
		return ERR_TOO_LONG;
	uint8_t *at = bytes_reserve(to, FRAMED_LENGTH_LEN + message.len);
	if (!at)
		return ERR_TOO_LONG;
	at[0] = (uint8_t)(message.len >> 8);
	at[1] = (uint8_t)message.len;
	memcpy(at + FRAMED_LENGTH_LEN, message.at, message.len);
	bytes_claim(to, FRAMED_LENGTH_LEN + message.len);
	return 0;
}
