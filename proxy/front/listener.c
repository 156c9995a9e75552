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

enum { BACKLOG = 1024, NAP_US = 1000 };

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

/* There is no descriptor for a client, and libuv asks again at once, without end, until there is
 * one: its own spare one is gone when "/" cannot be opened again (Landlock, or somebody was
 * quicker). Ours is a copy of the loop's, which needs no path. */
static void turn_away(struct listener_socket *socket)
{
	struct worker *worker = socket->worker;
	uv_os_fd_t listener;
	metrics_drop(worker->metrics, METRICS_DROP_DESCRIPTORS);
	if (uv_fileno((uv_handle_t *)&socket->tcp, &listener))
		return;
	if (worker->spare_fd >= 0)
		close(worker->spare_fd);
	worker->spare_fd = -1;
	int fd = accept(listener, NULL, NULL);
	if (fd >= 0) {
		close(fd);
		worker_hold_spare(worker);
		return;
	}
	/* Nobody waits, and libuv is told so as there is a free one now; or somebody was quicker.
	 */
	if ((errno == EMFILE || errno == ENFILE) && !conn_table_free_descriptor(worker->conns))
		usleep(NAP_US);
}

static void on_connection(uv_stream_t *stream, int status)
{
	struct listener_socket *socket = stream->data;
	if (status == 0)
		socket->waits = !conn_accept(socket->worker, socket);
	else
		turn_away(socket);
}

static int open_stream(struct listener_socket *socket, const struct listener_config *config)
{
	int fd = listener_bind(config, SOCK_STREAM);
	if (fd < 0)
		return fd;
	uv_tcp_init(&socket->worker->loop, &socket->tcp);
	socket->tcp.data = socket;
	socket->open = true;
	int error = uv_tcp_open(&socket->tcp, fd);
	if (error) {
		close(fd);
		return error;
	}
	return uv_listen((uv_stream_t *)&socket->tcp, BACKLOG, on_connection);
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

/* libuv holds the one connection that was not taken, and looks for no other until it is. */
void listeners_turn(struct worker *worker)
{
	for (size_t i = 0; i < worker->listener_count; i++) {
		struct listener_socket *socket = &worker->listeners[i];
		if (socket->open && socket->waits)
			socket->waits = !conn_accept(worker, socket);
	}
}

void listeners_close(struct worker *worker)
{
	for (size_t i = 0; i < worker->listener_count; i++) {
		if (!worker->listeners[i].open)
			continue;
		worker->listeners[i].open = false;
		uv_close((uv_handle_t *)&worker->listeners[i].tcp, NULL);
	}
	udp_front_stop(worker->udp);
}
