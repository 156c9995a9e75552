#include "scripted_dns.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 16, STREAM_MAX = 8192 };

struct pending {
	struct pending *next;
	uint64_t due_ms;
	struct scripted_query to;
	size_t len;
	uint8_t bytes[];
};

struct connection {
	int fd;
	int serial;
	size_t len;
	uint8_t bytes[STREAM_MAX];
};

struct scripted_dns {
	pthread_t thread;
	pthread_mutex_t lock;
	scripted_fn script;
	void *context;
	int udp;
	int tcp;
	int elsewhere;
	int wake[2];
	uint16_t port;
	struct connection connections[CONNECTIONS];
	int serial;
	struct pending *pending;
	unsigned count;
	unsigned count_tcp;
	struct scripted_query *records;
};

static void give_up(const char *what)
{
	perror(what);
	abort();
}

static uint64_t clock_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint16_t get_u16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint8_t *put_u16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
	return at + 2;
}

/* --- sending --- */

static struct connection *connection_of(struct scripted_dns *server, int serial)
{
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		if (server->connections[i].fd >= 0 && server->connections[i].serial == serial)
			return &server->connections[i];
	}
	return NULL;
}

static void send_all(int fd, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
		if (sent <= 0)
			return;
		bytes += sent;
		len -= (size_t)sent;
	}
}

static void send_now(struct scripted_dns *server, const struct scripted_query *to,
	const uint8_t *bytes, size_t len)
{
	if (!to->tcp) {
		sendto(server->udp, bytes, len, 0, (const struct sockaddr *)&to->from,
			to->from.ss_family == AF_INET ? sizeof(struct sockaddr_in)
						      : sizeof(struct sockaddr_in6));
		return;
	}
	struct connection *connection = connection_of(server, to->connection);
	if (!connection)
		return;
	uint8_t *framed = malloc(len + 2);
	put_u16(framed, (unsigned)len);
	memcpy(framed + 2, bytes, len);
	send_all(connection->fd, framed, len + 2);
	free(framed);
}

void scripted_reply(struct scripted_dns *server, const struct scripted_query *query,
	const uint8_t *bytes, size_t len, unsigned delay_ms)
{
	if (delay_ms == 0) {
		send_now(server, query, bytes, len);
		return;
	}
	struct pending *pending = malloc(sizeof *pending + len);
	pending->due_ms = clock_ms() + delay_ms;
	pending->to = *query;
	pending->len = len;
	memcpy(pending->bytes, bytes, len);
	pending->next = server->pending;
	server->pending = pending;
}

void scripted_reply_elsewhere(struct scripted_dns *server, const struct scripted_query *query,
	const uint8_t *bytes, size_t len)
{
	sendto(server->elsewhere, bytes, len, 0, (const struct sockaddr *)&query->from,
		sizeof(struct sockaddr_in));
}

void scripted_reply_bytewise(struct scripted_dns *server, const struct scripted_query *query,
	const uint8_t *bytes, size_t len)
{
	struct connection *connection = connection_of(server, query->connection);
	if (!connection)
		return;
	uint8_t prefix[2];
	put_u16(prefix, (unsigned)len);
	for (size_t i = 0; i < len + 2; i++) {
		send_all(connection->fd, i < 2 ? &prefix[i] : &bytes[i - 2], 1);
		usleep(300);
	}
}

void scripted_hang_up(struct scripted_dns *server, const struct scripted_query *query)
{
	struct connection *connection = connection_of(server, query->connection);
	if (!connection)
		return;
	close(connection->fd);
	connection->fd = -1;
}

static int send_due(struct scripted_dns *server)
{
	uint64_t now = clock_ms();
	int wait_ms = 1000;
	for (struct pending **at = &server->pending; *at;) {
		struct pending *pending = *at;
		if (pending->due_ms > now) {
			int left = (int)(pending->due_ms - now);
			wait_ms = left < wait_ms ? left : wait_ms;
			at = &pending->next;
			continue;
		}
		*at = pending->next;
		send_now(server, &pending->to, pending->bytes, pending->len);
		free(pending);
	}
	return wait_ms;
}

/* --- answers --- */

static uint8_t *put_record(uint8_t *at, unsigned type, unsigned ttl, const void *rdata, size_t len)
{
	at = put_u16(at, 0xc00c);
	at = put_u16(at, type);
	at = put_u16(at, 1);
	at = put_u16(at, ttl >> 16);
	at = put_u16(at, ttl & 0xffff);
	at = put_u16(at, (unsigned)len);
	memcpy(at, rdata, len);
	return at + len;
}

size_t scripted_answer(const struct scripted_query *query, uint8_t to[65535], unsigned flags,
	int last, size_t padding)
{
	unsigned answers = 0;
	uint8_t text[256];
	uint8_t *at = to + 12;
	memset(text, 'x', sizeof text);
	memcpy(at, query->bytes + 12, query->question_len);
	at += query->question_len;
	if (last >= 0) {
		at = put_record(at, 1, 60, (uint8_t[]){ 192, 0, 2, (uint8_t)last }, 4);
		answers++;
	}
	for (; padding > 0; answers++) {
		size_t len = padding > 255 ? 255 : padding;
		text[0] = (uint8_t)(len - 1);
		at = put_record(at, 16, 60, text, len);
		padding -= len;
	}
	put_u16(to, query->id);
	put_u16(to + 2, 0x8180 | flags);
	put_u16(to + 4, 1);
	put_u16(to + 6, answers);
	put_u16(to + 8, 0);
	put_u16(to + 10, scripted_has_opt(query));
	if (scripted_has_opt(query)) {
		static const uint8_t opt[11] = { 0, 0, 41, 4, 208 };
		memcpy(at, opt, sizeof opt);
		at += sizeof opt;
	}
	return (size_t)(at - to);
}

bool scripted_has_opt(const struct scripted_query *query)
{
	const uint8_t *opt = query->bytes + 12 + query->question_len;
	return query->len == 12 + query->question_len + 11 && get_u16(query->bytes + 10) == 1 &&
		opt[0] == 0 && get_u16(opt + 1) == 41 && get_u16(opt + 9) == 0;
}

/* --- receiving --- */

static void take_query(struct scripted_dns *server, struct scripted_query *query)
{
	size_t at = 12;
	while (at < query->len && query->bytes[at] != 0)
		at += query->bytes[at] + 1u;
	query->question_len = at + 5 - 12;
	query->id = get_u16(query->bytes);
	if (at + 5 > query->len)
		give_up("a query without a question");
	pthread_mutex_lock(&server->lock);
	query->number = server->count++;
	server->count_tcp += query->tcp;
	if (query->number < SCRIPTED_RECORDS)
		server->records[query->number] = *query;
	scripted_fn script = server->script;
	pthread_mutex_unlock(&server->lock);
	if (script)
		script(server, query);
}

static void take_udp(struct scripted_dns *server)
{
	for (;;) {
		struct scripted_query query = { .tcp = false };
		socklen_t len = sizeof query.from;
		ssize_t got = recvfrom(server->udp, query.bytes, sizeof query.bytes, MSG_DONTWAIT,
			(struct sockaddr *)&query.from, &len);
		if (got < 12)
			return;
		query.len = (size_t)got;
		query.port = ntohs(query.from.ss_family == AF_INET
				? ((struct sockaddr_in *)&query.from)->sin_port
				: ((struct sockaddr_in6 *)&query.from)->sin6_port);
		take_query(server, &query);
	}
}

static void take_connection(struct scripted_dns *server)
{
	int fd = accept(server->tcp, NULL, NULL);
	for (unsigned i = 0; fd >= 0 && i < CONNECTIONS; i++) {
		if (server->connections[i].fd >= 0)
			continue;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
		pthread_mutex_lock(&server->lock);
		server->connections[i].fd = fd;
		server->connections[i].len = 0;
		server->connections[i].serial = ++server->serial;
		pthread_mutex_unlock(&server->lock);
		return;
	}
	if (fd >= 0)
		close(fd);
}

static void take_stream(struct scripted_dns *server, struct connection *connection)
{
	ssize_t got = recv(connection->fd, connection->bytes + connection->len,
		STREAM_MAX - connection->len, 0);
	if (got <= 0) {
		close(connection->fd);
		connection->fd = -1;
		return;
	}
	connection->len += (size_t)got;
	while (connection->len >= 2 && connection->len >= 2u + get_u16(connection->bytes)) {
		struct scripted_query query = { .tcp = true, .connection = connection->serial };
		query.len = get_u16(connection->bytes);
		memcpy(query.bytes, connection->bytes + 2, query.len);
		connection->len -= 2 + query.len;
		memmove(connection->bytes, connection->bytes + 2 + query.len, connection->len);
		take_query(server, &query);
		if (connection->fd < 0)
			return;
	}
}

static void *serve(void *context)
{
	struct scripted_dns *server = context;
	for (;;) {
		struct pollfd polled[3 + CONNECTIONS] = { { server->wake[0], POLLIN, 0 },
			{ server->udp, POLLIN, 0 }, { server->tcp, POLLIN, 0 } };
		for (unsigned i = 0; i < CONNECTIONS; i++)
			polled[3 + i] = (struct pollfd){ server->connections[i].fd, POLLIN, 0 };
		int wait_ms = send_due(server);
		if (poll(polled, 3 + CONNECTIONS, wait_ms) < 0)
			continue;
		if (polled[0].revents)
			return NULL;
		if (polled[1].revents)
			take_udp(server);
		if (polled[2].revents)
			take_connection(server);
		for (unsigned i = 0; i < CONNECTIONS; i++) {
			if (polled[3 + i].revents && polled[3 + i].fd == server->connections[i].fd)
				take_stream(server, &server->connections[i]);
		}
	}
}

/* --- life --- */

static int bind_to(const char *address, int type, uint16_t port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;
	if (!is_v4 && inet_pton(AF_INET6, address, &v6.sin6_addr) != 1)
		give_up(address);
	int fd = socket(is_v4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0);
	const struct sockaddr *to = is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
	if (bind(fd, to, is_v4 ? sizeof v4 : sizeof v6) == 0)
		return fd;
	close(fd);
	return -1;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage bound;
	socklen_t len = sizeof bound;
	getsockname(fd, (struct sockaddr *)&bound, &len);
	return ntohs(bound.ss_family == AF_INET ? ((struct sockaddr_in *)&bound)->sin_port
						: ((struct sockaddr_in6 *)&bound)->sin6_port);
}

struct scripted_dns *scripted_dns_start(const char *address, scripted_fn script, void *context)
{
	struct scripted_dns *server = calloc(1, sizeof *server);
	server->records = calloc(SCRIPTED_RECORDS, sizeof *server->records);
	server->script = script;
	server->context = context;
	pthread_mutex_init(&server->lock, NULL);
	server->tcp = -1;
	for (unsigned tries = 0; tries < 50 && server->tcp < 0; tries++) {
		if (tries)
			close(server->udp);
		server->udp = bind_to(address, SOCK_DGRAM, 0);
		server->port = port_of(server->udp);
		server->tcp = bind_to(address, SOCK_STREAM, server->port);
	}
	server->elsewhere = bind_to("127.0.0.1", SOCK_DGRAM, 0);
	setsockopt(server->udp, SOL_SOCKET, SO_RCVBUF, &(int){ 4 << 20 }, sizeof(int));
	if (server->tcp < 0 || listen(server->tcp, 16) < 0 || pipe(server->wake) < 0)
		give_up("scripted_dns");
	for (unsigned i = 0; i < CONNECTIONS; i++)
		server->connections[i].fd = -1;
	if (pthread_create(&server->thread, NULL, serve, server) != 0)
		give_up("pthread_create");
	return server;
}

void scripted_dns_stop(struct scripted_dns *server)
{
	if (write(server->wake[1], "x", 1) != 1)
		give_up("write");
	pthread_join(server->thread, NULL);
	for (struct pending *next; server->pending; server->pending = next) {
		next = server->pending->next;
		free(server->pending);
	}
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		if (server->connections[i].fd >= 0)
			close(server->connections[i].fd);
	}
	close(server->udp);
	close(server->tcp);
	close(server->elsewhere);
	close(server->wake[0]);
	close(server->wake[1]);
	pthread_mutex_destroy(&server->lock);
	free(server->records);
	free(server);
}

uint16_t scripted_dns_port(const struct scripted_dns *server)
{
	return server->port;
}

void *scripted_dns_context(const struct scripted_dns *server)
{
	return server->context;
}

void scripted_dns_set(struct scripted_dns *server, scripted_fn script)
{
	pthread_mutex_lock(&server->lock);
	server->script = script;
	pthread_mutex_unlock(&server->lock);
}

static unsigned locked_read(struct scripted_dns *server, const unsigned *value)
{
	pthread_mutex_lock(&server->lock);
	unsigned copy = *value;
	pthread_mutex_unlock(&server->lock);
	return copy;
}

unsigned scripted_dns_count(struct scripted_dns *server)
{
	return locked_read(server, &server->count);
}

unsigned scripted_dns_count_tcp(struct scripted_dns *server)
{
	return locked_read(server, &server->count_tcp);
}

unsigned scripted_dns_connections(struct scripted_dns *server)
{
	return locked_read(server, (const unsigned *)&server->serial);
}

bool scripted_dns_query(struct scripted_dns *server, unsigned number, struct scripted_query *query)
{
	pthread_mutex_lock(&server->lock);
	bool there = number < server->count && number < SCRIPTED_RECORDS;
	if (there)
		*query = server->records[number];
	pthread_mutex_unlock(&server->lock);
	return there;
}
