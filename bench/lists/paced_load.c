/* paced_load.c - asks by a timetable, whatever becomes of the answers.
 *
 *   paced_load udp|dot PORT NAMES-FILE RATE SECONDS
 *
 * Question i is due at start + i / RATE and is sent then, however many wait for an answer: a server
 * that stands still for 100 ms delays every question of these 100 ms, not only one. Over UDP an
 * answer's time is the kernel's, so that only the server counts: not how soon this program, which
 * may have to share its core, comes to read it.
 *
 * At the end a line for each question: when it was due (µs of CLOCK_MONOTONIC), how much later it
 * was sent, how long after that the answer was there (-1: never), its rcode. Over DoT a connection
 * that ends is told on standard error, and is an exit code of 1: none may. SIGUSR1 says that it is
 * enough. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	LINKS = 16,
	HEADER_LEN = 12,
	MESSAGE_SIZE = 300,
	READ_SIZE = 65536,
	IDS = 65536,
	PATIENCE_US = 5000000, /* for the last answers */
	TYPE_A = 1,
};

struct question {
	int64_t due_us, sent_us, answered_us; /* 0: not */
	unsigned rcode;
};

struct link {
	int fd;
	SSL *tls; /* NULL: UDP */
	uint8_t in[READ_SIZE];
	size_t in_len;
};

static struct link links[LINKS];
static struct question *questions;
static size_t question_count;
static char **names;
static size_t name_count;
static int64_t monotonic_less_real_us;
static volatile sig_atomic_t enough;

static void fail(const char *what)
{
	fprintf(stderr, "paced_load: %s\n", what);
	exit(1);
}

static void on_signal(int number)
{
	(void)number;
	enough = 1;
}

static int64_t clock_us(const struct timespec *time)
{
	return (int64_t)time->tv_sec * 1000000 + time->tv_nsec / 1000;
}

static int64_t read_clock_us(clockid_t which)
{
	struct timespec now;

	clock_gettime(which, &now);
	return clock_us(&now);
}

static int64_t now_us(void)
{
	return read_clock_us(CLOCK_MONOTONIC);
}

static void read_names(const char *path)
{
	char line[256];
	FILE *file = fopen(path, "r");

	if (!file)
		fail("cannot read the names");
	while (fgets(line, sizeof line, file)) {
		line[strcspn(line, "\n")] = '\0';
		if (!(name_count & (name_count + 1)))
			names = realloc(names, 2 * (name_count + 1) * sizeof *names);
		if (!names || !(names[name_count++] = strdup(line)))
			fail("out of memory");
	}
	fclose(file);
	if (!name_count)
		fail("no names");
}

static size_t make_query(uint8_t *to, uint16_t id, const char *name)
{
	const uint8_t header[HEADER_LEN] = { (uint8_t)(id >> 8), (uint8_t)id, 1, 0, 0, 1 };
	const uint8_t tail[] = { 0, 0, TYPE_A, 0, 1 };
	size_t len = HEADER_LEN;

	memcpy(to, header, HEADER_LEN);
	while (*name) {
		size_t label = strcspn(name, ".");
		to[len++] = (uint8_t)label;
		memcpy(to + len, name, label);
		len += label;
		name += label + (name[label] == '.');
	}
	memcpy(to + len, tail, sizeof tail);
	return len + sizeof tail;
}

static void open_link(struct link *link, uint16_t port, SSL_CTX *tls)
{
	const struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1;

	link->fd = socket(AF_INET, tls ? SOCK_STREAM : SOCK_DGRAM, 0);
	if (connect(link->fd, (const struct sockaddr *)&to, sizeof to))
		fail("cannot connect");
	setsockopt(link->fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one);
	if (tls) {
		setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		link->tls = SSL_new(tls);
		SSL_set_fd(link->tls, link->fd);
		if (SSL_connect(link->tls) != 1)
			fail("no handshake");
	}
	fcntl(link->fd, F_SETFL, O_NONBLOCK);
}

static void send_question(size_t number)
{
	struct link *link = &links[number % LINKS];
	uint8_t message[MESSAGE_SIZE];
	size_t len = make_query(message + 2, (uint16_t)number, names[number % name_count]);

	questions[number].sent_us = now_us();
	message[0] = (uint8_t)(len >> 8);
	message[1] = (uint8_t)len;
	if (!link->tls)
		(void)!send(link->fd, message + 2, len, 0);
	else if (SSL_write(link->tls, message, (int)len + 2) <= 0)
		fail("a connection does not take more");
}

/* The latest question with this id that was asked. */
static void take_answer(const uint8_t *message, size_t len, int64_t when_us, size_t asked)
{
	size_t number;

	if (len < HEADER_LEN || !asked)
		return;
	number = (asked - 1) / IDS * IDS + (size_t)(message[0] << 8 | message[1]);
	if (number >= asked)
		number -= IDS;
	if (number >= asked || questions[number].answered_us)
		return;
	questions[number].answered_us = when_us;
	questions[number].rcode = message[3] & 15;
}

/* Now, unless the kernel says when it took a datagram in. */
static int64_t when_received_us(struct msghdr *message)
{
	for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at)) {
		struct timespec received;
		if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&received, CMSG_DATA(at), sizeof received);
		return clock_us(&received) + monotonic_less_real_us;
	}
	return now_us();
}

static void read_datagrams(struct link *link, size_t asked)
{
	for (;;) {
		uint8_t control[128];
		struct iovec bytes = { link->in, sizeof link->in };
		struct msghdr message = { .msg_iov = &bytes,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof control };
		ssize_t len = recvmsg(link->fd, &message, 0);
		if (len <= 0)
			return;
		take_answer(link->in, (size_t)len, when_received_us(&message), asked);
	}
}

static void take_messages(struct link *link, size_t asked)
{
	size_t at = 0;

	while (link->in_len - at >= 2) {
		size_t len = (size_t)link->in[at] << 8 | link->in[at + 1];
		if (link->in_len - at < 2 + len)
			break;
		take_answer(link->in + at + 2, len, now_us(), asked);
		at += 2 + len;
	}
	link->in_len -= at;
	memmove(link->in, link->in + at, link->in_len);
}

static void read_stream(struct link *link, size_t asked)
{
	int len;

	while ((len = SSL_read(link->tls, link->in + link->in_len,
			(int)(sizeof link->in - link->in_len))) > 0) {
		link->in_len += (size_t)len;
		take_messages(link, asked);
	}
	if (SSL_get_error(link->tls, len) != SSL_ERROR_WANT_READ)
		fail("a connection was closed");
}

/* Waits for answers until a moment. */
static void read_until(int64_t until_us, size_t asked)
{
	struct pollfd ready[LINKS];
	int64_t left_us;

	for (size_t i = 0; i < LINKS; i++)
		ready[i] = (struct pollfd){ .fd = links[i].fd, .events = POLLIN };
	while ((left_us = until_us - now_us()) > 0) {
		const struct timespec wait = { left_us / 1000000, left_us % 1000000 * 1000 };
		if (ppoll(ready, LINKS, &wait, NULL) <= 0)
			continue;
		for (size_t i = 0; i < LINKS; i++)
			if (ready[i].revents)
				(links[i].tls ? read_stream : read_datagrams)(&links[i], asked);
	}
}

static void ask_all(double rate)
{
	int64_t start_us = now_us() + 10000;
	size_t i;

	for (i = 0; i < question_count && !enough; i++) {
		questions[i].due_us = start_us + (int64_t)((double)i * 1e6 / rate);
		read_until(questions[i].due_us, i);
		send_question(i);
	}
	question_count = i;
}

static bool all_answered(void)
{
	for (size_t i = question_count; i-- > 0;)
		if (!questions[i].answered_us)
			return false;
	return true;
}

static void await_the_last(void)
{
	int64_t end_us = now_us() + PATIENCE_US;

	while (now_us() < end_us && !all_answered())
		read_until(now_us() + 20000, question_count);
}

static void print_all(void)
{
	for (size_t i = 0; i < question_count; i++) {
		const struct question *q = &questions[i];
		printf("%lld %lld %lld %u\n", (long long)q->due_us,
			(long long)(q->sent_us - q->due_us),
			q->answered_us ? (long long)(q->answered_us - q->sent_us) : -1, q->rcode);
	}
}

int main(int argc, char **argv)
{
	SSL_CTX *tls = NULL;
	double rate, seconds;

	if (argc != 6 || (strcmp(argv[1], "udp") != 0 && strcmp(argv[1], "dot") != 0))
		fail("usage: paced_load udp|dot PORT NAMES-FILE RATE SECONDS");
	rate = atof(argv[4]);
	seconds = atof(argv[5]);
	question_count = (size_t)(rate * seconds);
	questions = calloc(question_count + 1, sizeof *questions);
	read_names(argv[3]);
	if (!strcmp(argv[1], "dot"))
		tls = SSL_CTX_new(TLS_client_method());
	for (size_t i = 0; i < LINKS; i++)
		open_link(&links[i], (uint16_t)atoi(argv[2]), tls);
	monotonic_less_real_us = now_us() - read_clock_us(CLOCK_REALTIME);
	signal(SIGUSR1, on_signal);
	ask_all(rate);
	await_the_last();
	print_all();
	return 0;
}
