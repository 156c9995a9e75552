#include "bench/load/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { RECEIVE_BUFFER = 1 << 20, HANDSHAKE_S = 5, SEND_WAIT_MS = 1000 };

static const struct link_type *const types[] = { &udp_link, &dot_link, &doh_post_link,
	&doh_get_link };

const struct link_type *link_type_of(const char *name)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (!strcmp(name, types[i]->name))
			return types[i];
	return NULL;
}

SSL_CTX *link_tls_context(int (*on_session)(SSL *, SSL_SESSION *))
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_mode(context, SSL_MODE_AUTO_RETRY | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(
		context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(context, on_session);
	return context;
}

static void make_slots(struct link *link)
{
	link->slots = calloc(link->options.depth, sizeof *link->slots);
	if (!link->slots)
		abort();
	for (unsigned i = 0; i < link->options.depth; i++)
		link->slots[i].next_free = i + 1 < link->options.depth ? (int)i + 1 : -1;
}

/* The port is chosen when it is known whom it talks to: or one address had only 28,000. */
static bool bind_socket(const struct link *link)
{
	const struct sockaddr_in from = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(link->options.from) };
	int one = 1;

	return !link->options.from ||
		(!setsockopt(link->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one) &&
			!bind(link->fd, (const struct sockaddr *)&from, sizeof from));
}

static bool connect_socket(struct link *link)
{
	const struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(link->options.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct timeval patience = { .tv_sec = HANDSHAKE_S };
	bool is_stream = link->options.type->alpn;
	int one = 1, room = RECEIVE_BUFFER;

	link->fd = socket(AF_INET, is_stream ? SOCK_STREAM : SOCK_DGRAM, 0);
	if (link->fd < 0 || !bind_socket(link) ||
		connect(link->fd, (const struct sockaddr *)&to, sizeof to))
		return false;
	if (!is_stream)
		return !setsockopt(link->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	setsockopt(link->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	return !setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

/* The handshake reads and writes the socket itself; from then on all goes through memory. */
static bool shake_hands(struct link *link)
{
	const char *alpn = link->options.type->alpn;

	link->tls = SSL_new(link->options.tls);
	SSL_set_fd(link->tls, link->fd);
	SSL_set_alpn_protos(link->tls, (const uint8_t *)alpn, (unsigned)strlen(alpn));
	SSL_set_tlsext_host_name(link->tls, "dns.bench.test");
	if (link->options.session)
		SSL_set_session(link->tls, link->options.session);
	if (SSL_connect(link->tls) != 1)
		return false;
	link->from_socket = BIO_new(BIO_s_mem());
	link->to_socket = BIO_new(BIO_s_mem());
	BIO_set_mem_eof_return(link->from_socket, -1);
	SSL_set_bio(link->tls, link->from_socket, link->to_socket);
	return true;
}

bool link_open(struct link *link, const struct link_options *options)
{
	*link = (struct link){ .options = *options, .fd = -1 };
	make_slots(link);
	if (!connect_socket(link) || (options->type->alpn && !shake_hands(link))) {
		fprintf(stderr, "load: cannot connect to port %u: %s\n", options->port,
			strerror(errno));
		link_close(link);
		return false;
	}
	fcntl(link->fd, F_SETFL, O_NONBLOCK);
	if (options->type->open)
		options->type->open(link);
	return true;
}

void link_close(struct link *link)
{
	if (link->to_socket && !link->is_dead) {
		SSL_shutdown(link->tls);
		link_tls_send(link);
	}
	if (link->options.type->close)
		link->options.type->close(link);
	SSL_free(link->tls);
	if (link->fd >= 0)
		close(link->fd);
	free(link->slots);
	*link = (struct link){ .fd = -1, .is_dead = true, .first_free = -1 };
}

bool link_ask(struct link *link, struct questions *questions, int64_t due_ns)
{
	int number = link->first_free;
	struct slot *slot;

	if (number < 0 || link->is_dead)
		return false;
	slot = &link->slots[number];
	link->first_free = slot->next_free;
	link->under_way++;
	slot->due_ns = due_ns;
	slot->is_busy = true;
	slot->status = 0;
	slot->answer_len = 0;
	slot->len = (uint16_t)questions_next(questions, slot->question);
	link->options.type->submit(link, (unsigned)number);
	return true;
}

void link_flush(struct link *link)
{
	if (!link->is_dead && link->options.type->flush)
		link->options.type->flush(link);
}

void link_read(struct link *link)
{
	if (!link->is_dead)
		link->options.type->read(link);
}

void link_forget(struct link *link, unsigned number)
{
	struct slot *slot = &link->slots[number];

	slot->is_busy = false;
	slot->next_free = link->first_free;
	link->first_free = (int)number;
	link->under_way--;
}

/* Status and bytes of a DoH answer may be in the slot already: `answer` is NULL then. */
void link_answered(struct link *link, unsigned number, const uint8_t *answer, size_t len)
{
	struct slot *slot;

	if (number >= link->options.depth || !link->slots[number].is_busy)
		return;
	slot = &link->slots[number];
	if (answer) {
		slot->status = 200;
		slot->answer_len = (uint16_t)len;
		memcpy(slot->answer, answer, len < LINK_ANSWER_HEAD ? len : LINK_ANSWER_HEAD);
	}
	link_forget(link, number);
	link->options.on_answer(link, slot);
}

int link_tls_read(struct link *link, void *to, size_t size)
{
	int len = SSL_read(link->tls, to, (int)size);

	if (len > 0)
		return len;
	if (SSL_get_error(link->tls, len) != SSL_ERROR_WANT_READ)
		link->is_dead = true;
	return 0;
}

void link_tls_write(struct link *link, const void *data, size_t len)
{
	if (len && SSL_write(link->tls, data, (int)len) != (int)len)
		link->is_dead = true;
}

void link_tls_receive(struct link *link)
{
	static uint8_t bytes[LINK_READ_SIZE];
	ssize_t len = read(link->fd, bytes, sizeof bytes);

	if (len > 0)
		BIO_write(link->from_socket, bytes, (int)len);
	else if (!len || errno != EAGAIN)
		link->is_dead = true;
}

void link_tls_send(struct link *link)
{
	struct pollfd ready = { .fd = link->fd, .events = POLLOUT };
	char *bytes;
	long left = BIO_get_mem_data(link->to_socket, &bytes);

	while (left > 0 && !link->is_dead) {
		ssize_t len = write(link->fd, bytes, (size_t)left);
		if (len > 0)
			bytes += len, left -= len;
		else if (errno != EAGAIN || poll(&ready, 1, SEND_WAIT_MS) != 1)
			link->is_dead = true;
	}
	(void)BIO_reset(link->to_socket);
}
