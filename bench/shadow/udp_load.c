/* udp_load.c - questions over UDP from many addresses: CLIENTS sockets at 127.1.0.1 and up, each
 * with WINDOW questions in flight, the next ones when all of them are answered.
 *
 *   udp_load PORT QUERIES NAME...
 *
 * Prints how many questions were answered. A lost datagram ends it with exit 1. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS = 200, WINDOW = 16, QUERY_MAX = 300, HEADER_LEN = 12, PATIENCE_MS = 5000 };

struct query {
	unsigned char bytes[QUERY_MAX];
	size_t len;
};

static void fail(const char *what)
{
	fprintf(stderr, "udp_load: %s\n", what);
	exit(1);
}

/* For the A record, with an OPT of 1232 bytes. */
static void make_query(struct query *query, const char *name)
{
	static const unsigned char header[HEADER_LEN] = { 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1 };
	static const unsigned char tail[] = { 0, 0, 1, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0 };

	memcpy(query->bytes, header, HEADER_LEN);
	query->len = HEADER_LEN;
	while (*name) {
		size_t label = strcspn(name, ".");
		query->bytes[query->len++] = (unsigned char)label;
		memcpy(query->bytes + query->len, name, label);
		query->len += label;
		name += label + (name[label] == '.');
	}
	memcpy(query->bytes + query->len, tail, sizeof(tail));
	query->len += sizeof(tail);
}

static int open_client(unsigned number, int port)
{
	struct sockaddr_in from = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(0x7f010001 + number) };
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((unsigned short)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof(from)) ||
		connect(fd, (struct sockaddr *)&to, sizeof(to)))
		fail("cannot open a socket");
	return fd;
}

static void send_some(int fd, const struct query *queries, unsigned count, unsigned first)
{
	for (unsigned i = 0; i < WINDOW; i++) {
		const struct query *query = &queries[(first + i) % count];
		if (send(fd, query->bytes, query->len, 0) < 0)
			fail("cannot send");
	}
}

static void receive_all(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	unsigned char answer[4096];
	for (unsigned i = 0; i < WINDOW; i++) {
		if (poll(&ready, 1, PATIENCE_MS) != 1 || recv(fd, answer, sizeof(answer), 0) < 12)
			fail("no answer");
		if ((answer[3] & 15) != 0 && (answer[3] & 15) != 3)
			fail("not an answer");
	}
}

int main(int argc, char **argv)
{
	if (argc < 4)
		fail("usage: udp_load PORT QUERIES NAME...");
	unsigned count = (unsigned)argc - 3, asked = 0;
	struct query *queries = calloc(count, sizeof(*queries));
	int clients[CLIENTS];
	for (unsigned i = 0; i < count; i++)
		make_query(&queries[i], argv[i + 3]);
	for (unsigned i = 0; i < CLIENTS; i++)
		clients[i] = open_client(i, atoi(argv[1]));
	enum { AT_ONCE = 8 };
	for (unsigned first = 0; asked < (unsigned)atoi(argv[2]);
		first = (first + AT_ONCE) % CLIENTS) {
		for (unsigned i = 0; i < AT_ONCE; i++)
			send_some(clients[(first + i) % CLIENTS], queries, count, asked + i);
		for (unsigned i = 0; i < AT_ONCE; i++)
			receive_all(clients[(first + i) % CLIENTS]);
		asked += AT_ONCE * WINDOW;
	}
	printf("%u\n", asked);
	return 0;
}
