#include "proxy/front/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "proxy/front/conn.h"
#include "proxy/front/udp.h"
#include "proxy/worker.h"

enum { BACKLOG = 1024 };

static const struct stream_protocol protocols[] = {
	[LISTENER_DNS] = { PROTOCOL_TCP, &framer_dot, false, TLS_ALPN_DOT },
	[LISTENER_DOT] = { PROTOCOL_DOT, &framer_dot, true, TLS_ALPN_DOT },
	[LISTENER_DOH] = { PROTOCOL_DOH, &framer_doh, true, TLS_ALPN_HTTP },
	[LISTENER_DOH_CLEAR] = { PROTOCOL_DOH, &framer_doh, false, TLS_ALPN_HTTP },
};

const struct stream_protocol *listener_stream_protocol(enum listener_kind kind)
{
	return &protocols[kind];
}

static int set_flag(int fd, int level, int option)
{
	int on = 1;
	return setsockopt(fd, level, option, &on, sizeof on);
}

static int open_socket(const struct listener_config *config, int type, bool shared)
{
	struct sockaddr_storage address;
	socklen_t len = address_to_sockaddr(&config->address, config->port, &address);
	int fd = socket(address.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* IPv6 sockets take IPv6 only: an IPv4 listener beside it is a listener of its own. */
	bool failed = address.ss_family == AF_INET6 && set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY) < 0;
	failed |= type == SOCK_STREAM && set_flag(fd, SOL_SOCKET, SO_REUSEADDR) < 0;
	failed |= shared && set_flag(fd, SOL_SOCKET, SO_REUSEPORT) < 0;
	failed = failed || bind(fd, (struct sockaddr *)&address, len) < 0;
	if (!failed)
		return fd;
	int error = -errno;
	close(fd);
	return error;
}

int listener_probe(const struct listener_config *config)
{
	int fd = open_socket(config, SOCK_STREAM, false);
	if (fd < 0)
		return fd;
	close(fd);
	if (config->kind != LISTENER_DNS)
		return 0;
	fd = open_socket(config, SOCK_DGRAM, false);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

int listener_bind(const struct listener_config *config, int type)
{
	return open_socket(config, type, true);
}

static void on_waiting(uv_poll_t *poll, int status, int events);

/* All that wait, as far as this turn has places for them; the rest wait with the kernel for the
 * next turn. libuv's own accepting is no good here: without a descriptor it asks again at once,
 * without end, and nobody comes to close one. */
static void take_in(struct listener_socket *socket)
{
	enum conn_accepted result;
	do
		result = conn_accept(socket->worker, socket);
	while (result == CONN_ACCEPTED);
	bool waits = result == CONN_NOT_NOW;
	if (waits == socket->waits)
		return;
	socket->waits = waits;
	if (waits)
		uv_poll_stop(&socket->poll);
	else
		uv_poll_start(&socket->poll, UV_READABLE, on_waiting);
}

static void on_waiting(uv_poll_t *poll, int status, int events)
{
	(void)status; /* accept4(2) says what is wrong */
	(void)events;
	take_in(poll->data);
}

static int open_stream(struct listener_socket *socket, const struct listener_config *config)
{
	int fd = listener_bind(config, SOCK_STREAM);
	if (fd < 0)
		return fd;
	int error = listen(fd, BACKLOG) < 0 ? -errno : 0;
	if (!error)
		error = uv_poll_init(&socket->worker->loop, &socket->poll, fd);
	if (error) {
		close(fd);
		return error;
	}
	socket->fd = fd;
	socket->accepted = -1;
	socket->poll.data = socket;
	socket->open = true;
	return uv_poll_start(&socket->poll, UV_READABLE, on_waiting);
}

static int open_one(
	struct worker *worker, struct listener_socket *socket, const struct listener_config *config)
{
	socket->worker = worker;
	socket->protocol = listener_stream_protocol(config->kind);
	if (config->path && !(socket->path = strdup(config->path)))
		return ERR_NO_MEMORY;
	int error = open_stream(socket, config);
	if (error || config->kind != LISTENER_DNS)
		return error;
	int fd = listener_bind(config, SOCK_DGRAM);
	return fd < 0 ? fd : udp_front_add(worker->udp, fd, socket->index, &config->address);
}

int listeners_open(struct worker *worker, const struct config *config)
{
	worker->listeners = calloc(config->listener_count, sizeof *worker->listeners);
	if (!worker->listeners)
		return ERR_NO_MEMORY;
	worker->listener_count = config->listener_count;
	for (size_t i = 0; i < config->listener_count; i++) {
		worker->listeners[i].index = (uint16_t)i;
		int error = open_one(worker, &worker->listeners[i], &config->listeners[i]);
		if (!error)
			continue;
		char text[ADDRESS_TEXT_MAX];
		address_text(&config->listeners[i].address, text);
		log_error("listener %s: cannot listen on address=%s port=%u: %s",
			config->listeners[i].name, text, config->listeners[i].port,
			error_text(error));
		return error;
	}
	return 0;
}

void listeners_turn(struct worker *worker)
{
	for (size_t i = 0; i < worker->listener_count; i++) {
		struct listener_socket *socket = &worker->listeners[i];
		if (socket->open && socket->waits)
			take_in(socket);
	}
}

void listeners_close(struct worker *worker)
{
	for (size_t i = 0; i < worker->listener_count; i++) {
		if (!worker->listeners[i].open)
			continue;
		worker->listeners[i].open = false;
		uv_close((uv_handle_t *)&worker->listeners[i].poll, NULL);
		close(worker->listeners[i].fd);
		if (worker->listeners[i].accepted >= 0)
			close(worker->listeners[i].accepted);
	}
	udp_front_stop(worker->udp);
}
