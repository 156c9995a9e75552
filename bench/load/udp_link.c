/* udp_link.c - plain DNS: a socket of its own for each link; the id is the slot. */
#include <string.h>
#include <sys/socket.h>

#include "bench/load/link.h"

enum { AT_ONCE = 64, DATAGRAM_SIZE = 4096 };

static void submit(struct link *link, unsigned number)
{
	struct slot *slot = &link->slots[number];

	slot->question[0] = (uint8_t)(number >> 8);
	slot->question[1] = (uint8_t)number;
	(void)!send(link->fd, slot->question, slot->len, 0); /* what does not go out is lost */
}

static void read_datagrams(struct link *link)
{
	static uint8_t bytes[DATAGRAM_SIZE];

	for (unsigned i = 0; i < AT_ONCE; i++) {
		ssize_t len = recv(link->fd, bytes, sizeof bytes, 0);
		if (len < LINK_ANSWER_HEAD)
			return;
		link_answered(link, (unsigned)(bytes[0] << 8 | bytes[1]), bytes, (size_t)len);
	}
}

const struct link_type udp_link = { .name = "udp", .submit = submit, .read = read_datagrams };
