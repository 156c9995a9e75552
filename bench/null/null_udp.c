#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "bench/null/null.h"

enum { LEAST = 17, RECEIVE_BUFFER = 4 << 20 };

void null_serve_udp(uint16_t port)
{
	const struct sockaddr_in here = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	static uint8_t question[NULL_QUESTION_SIZE], answer[NULL_ANSWER_SIZE];
	int fd = socket(AF_INET, SOCK_DGRAM, 0), room = RECEIVE_BUFFER;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	if (bind(fd, (const struct sockaddr *)&here, sizeof here)) {
		perror("null");
		exit(1);
	}
	for (;;) {
		struct sockaddr_storage from;
		socklen_t from_len = sizeof from;
		ssize_t len = recvfrom(
			fd, question, sizeof question, 0, (struct sockaddr *)&from, &from_len);
		if (len >= LEAST)
			(void)!sendto(fd, answer, null_answer(answer, question, (size_t)len), 0,
				(struct sockaddr *)&from, from_len);
	}
}
