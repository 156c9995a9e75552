/* dot_link.c - DNS over TLS: RFC 7858; the id is the slot. */
#include <stdlib.h>
#include <string.h>

#include "bench/load/link.h"

enum { IN_SIZE = 2 * LINK_READ_SIZE };

static void open_link(struct link *link)
{
	link->in = malloc(IN_SIZE);
	if (!link->in)
		abort();
}

static void close_link(struct link *link)
{
	free(link->in);
}

/* One record for each, as a client sends that asks when it has to. */
static void submit(struct link *link, unsigned number)
{
	const struct slot *slot = &link->slots[number];
	uint8_t message[2 + QUESTION_SIZE];

	message[0] = (uint8_t)(slot->len >> 8);
	message[1] = (uint8_t)slot->len;
	memcpy(message + 2, slot->question, slot->len);
	message[2] = (uint8_t)(number >> 8);
	message[3] = (uint8_t)number;
	link_tls_write(link, message, slot->len + 2u);
}

static void take_messages(struct link *link)
{
	size_t at = 0;

	while (link->in_len - at >= 2) {
		const uint8_t *message = link->in + at + 2;
		size_t len = (size_t)link->in[at] << 8 | link->in[at + 1];
		if (link->in_len - at - 2 < len)
			break;
		if (len >= LINK_ANSWER_HEAD)
			link_answered(link, (unsigned)(message[0] << 8 | message[1]), message, len);
		at += 2 + len;
	}
	link->in_len -= at;
	memmove(link->in, link->in + at, link->in_len);
}

static void read_messages(struct link *link)
{
	int len;

	link_tls_receive(link);
	while ((len = link_tls_read(link, link->in + link->in_len, IN_SIZE - link->in_len)) > 0) {
		link->in_len += (size_t)len;
		take_messages(link);
	}
}

const struct link_type dot_link = {
	.name = "dot",
	.alpn = "\3dot",
	.open = open_link,
	.submit = submit,
	.flush = link_tls_send,
	.read = read_messages,
	.close = close_link,
};
