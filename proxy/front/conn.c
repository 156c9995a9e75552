/* conn.c - see conn.h.
 *
 * Life: conn_accept() -> a PROXY header, where the peer is one of whom the listener's configuration
 * says so -> reads and flushes -> linger() (conn_write.c) -> conn_close() by a flush ->
 * on_closed() frees. Who is told of an end (GOAWAY, close_notify, end of stream) must be given the
 * time to hear it: closing a socket with unread bytes in it resets the connection, and the client's
 * kernel then throws away what we sent last. Whatever finds a connection broken only says so
 * (`broken`) and puts it on the dirty list; the next flush closes it, so nothing that a callback
 * works on goes away: it comes at the end of the turn, or when on_read() has nothing more to do. */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/framing/proxy_header.h"
#include "proxy/front/claimant.h"
#include "proxy/front/conn_parts.h"

/* ---- the end ---- */

static void on_closed(uv_handle_t *handle)
{
	struct conn *conn = handle->data;
	free(conn);
}

void conn_close(struct conn *conn)
{
	struct conn_table *table = conn->table;
	if (conn->closing)
		return;
	conn->closing = true;
	metrics_connection_closed(table->worker->metrics, conn->protocol->protocol);
	list_remove(&conn->in_input);
	list_remove(&conn->in_dirty);
	list_remove(&conn->in_phase);
	list_remove(&conn->in_waiting);
	table->owed -= conn->owed;
	conn_table_give_back(table, conn);
	conn->protocol->framer->free(conn->framer);
	if (conn->tls)
		tls_stream_free(conn->tls);
	bytes_deinit(&conn->header);
	uv_close((uv_handle_t *)&conn->tcp, on_closed);
}

/* ---- the beginning ---- */

static struct conn *conn_new(struct conn_table *table, struct listener_socket *socket)
{
	struct conn *conn = calloc(1, sizeof *conn);
	if (!conn)
		return NULL;
	conn->table = table;
	conn->protocol = socket->protocol;
	conn->listener = socket->index;
	list_init(&conn->in_input);
	list_init(&conn->in_dirty);
	list_init(&conn->in_phase);
	list_init(&conn->in_waiting);
	bytes_init(&conn->header, PROXY_HEADER_MAX);
	uv_tcp_init(&table->worker->loop, &conn->tcp);
	conn->tcp.data = conn;
	return conn;
}

static bool open_layers(struct conn *conn, const struct listener_socket *socket)
{
	const struct framer_settings settings = {
		.events = &conn_framer_events,
		.host = conn,
		.path = socket->path,
		.wants_forwarded = claimant_wants_forwarded(conn_listener(conn)),
		.wants_json = conn_listener(conn)->json,
		.requests_max = conn_table_limits(conn->table)->queries_per_connection,
	};
	conn->established = !conn->protocol->encrypted && !conn->owes_header;
	conn->framer = conn->protocol->framer->open(&settings);
	if (conn->framer && conn->protocol->encrypted)
		conn->tls = tls_stream_new(
			conn->table->worker->epoch->snapshot->tls, conn->protocol->alpn);
	if (conn->framer && (conn->tls || !conn->protocol->encrypted))
		return true;
	if (conn->framer)
		conn->protocol->framer->free(conn->framer);
	return false;
}

static bool learn_client(struct conn *conn)
{
	struct sockaddr_storage from;
	int len = sizeof from;
	if (uv_tcp_getpeername(&conn->tcp, (struct sockaddr *)&from, &len))
		return false;
	conn->client = address_of_sockaddr((struct sockaddr *)&from, &conn->client_port);
	conn->owes_header = claimant_is_proxied(conn_listener(conn), &conn->client);
	return true;
}

static void set_options(struct conn *conn)
{
	uv_os_fd_t fd;
	unsigned user_timeout_ms = 2 * WRITE_TIMEOUT_MS;
	/* Without TCP_NODELAY the second of two quick writes waits for the client's delayed
	 * acknowledgement: 40 ms. */
	uv_tcp_nodelay(&conn->tcp, 1);
	if (uv_fileno((uv_handle_t *)&conn->tcp, &fd) == 0)
		setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms,
			sizeof user_timeout_ms);
}

static bool has_descriptor(struct conn *conn)
{
	uv_os_fd_t fd;
	if (uv_fileno((uv_handle_t *)&conn->tcp, &fd) || conn_may_have_descriptor(conn->table, fd))
		return true;
	metrics_drop(conn->table->worker->metrics, METRICS_DROP_DESCRIPTORS);
	return false;
}

static bool may_enter(struct conn *conn)
{
	struct conn_table *table = conn->table;
	if (table->draining || !learn_client(conn))
		return false;
	if (!claimant_may_connect(conn_listener(conn), &conn->client)) {
		metrics_drop(table->worker->metrics, METRICS_DROP_PEER);
		return false;
	}
	return has_descriptor(conn);
}

/* The room that was made for it is its own from now on, or given back. Whoever has room has a slot:
 * each table has as many as there may be connections in all. */
static bool enter(struct conn *conn, const struct listener_socket *socket)
{
	struct conn_table *table = conn->table;
	if (!may_enter(conn) || !conn_table_take(table, conn)) {
		crowd_leave(table->worker->crowd, &conn->place);
		return false;
	}
	/* A proxy has as many as it has clients. */
	if ((conn->owes_header || conn_table_claim(table, conn)) && open_layers(conn, socket))
		return true;
	conn_table_give_back(table, conn);
	return false;
}

/* accept(2): what was wrong with one connection says nothing about the next. */
static bool is_of_one_client(int error)
{
	switch (error) {
	case EINTR:
	case ECONNABORTED:
	case EPERM: /* a firewall's word */
	case EPROTO:
	case ENOPROTOOPT:
	case EOPNOTSUPP:
	case ENETDOWN:
	case ENETUNREACH:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENONET: return true;
	default: return false;
	}
}

/* Nobody came in, for `error`. */
static enum conn_accepted on_refused(
	struct conn_table *table, const struct listener_socket *socket, int error)
{
	if (error == EAGAIN || error == EWOULDBLOCK)
		return CONN_NOBODY_WAITS;
	if (is_of_one_client(error))
		return CONN_ACCEPTED;
	bool is_short = error == EMFILE || error == ENFILE;
	if (is_short && conn_free_descriptor(table))
		return CONN_ACCEPTED;
	if (!socket->waits)
		metrics_drop(table->worker->metrics,
			is_short ? METRICS_DROP_DESCRIPTORS : METRICS_DROP_NO_MEMORY);
	return CONN_NOT_NOW;
}

static void begin(struct conn *conn)
{
	struct worker *worker = conn->table->worker;
	set_options(conn);
	metrics_connection_opened(worker->metrics, conn->protocol->protocol);
	conn_phase_enter(conn, conn_phase_now(conn), worker_now_ms(worker));
	conn_start_reading(conn);
}

/* With room, which it takes over. */
static void let_in(struct conn_table *table, struct listener_socket *socket, int fd)
{
	struct conn *conn = conn_new(table, socket);
	if (!conn || uv_tcp_open(&conn->tcp, fd)) {
		metrics_drop(table->worker->metrics, METRICS_DROP_NO_MEMORY);
		close(fd);
		crowd_leave(table->worker->crowd, &(struct crowd_place){ 0 });
	} else if (enter(conn, socket)) {
		begin(conn);
		return;
	}
	if (conn)
		uv_close((uv_handle_t *)&conn->tcp, on_closed);
}

static void turn_away(struct conn_table *table, int fd)
{
	metrics_drop(table->worker->metrics, METRICS_DROP_CONNECTIONS_FULL);
	close(fd);
}

enum conn_accepted conn_accept(struct worker *worker, struct listener_socket *socket)
{
	struct conn_table *table = worker->conns;
	if (table->accepts >= ACCEPTS_PER_TURN)
		return CONN_NOT_NOW;
	if (socket->accepted < 0)
		socket->accepted = accept4(socket->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (socket->accepted < 0) {
		table->accepts++;
		return on_refused(table, socket, errno);
	}
	enum conn_room room = conn_take_room(table);
	if (room == CONN_ROOM_MAY_COME)
		return CONN_NOT_NOW;
	table->accepts++;
	int fd = socket->accepted;
	socket->accepted = -1;
	if (room == CONN_ROOM_TAKEN)
		let_in(table, socket, fd);
	else
		turn_away(table, fd);
	return CONN_ACCEPTED;
}

/* ---- replies ---- */

void conn_reply(
	struct worker *worker, const struct reply_to *to, struct slice message, uint32_t max_age_s)
{
	struct conn *conn = conn_table_find(worker->conns, to->conn);
	if (!conn)
		return;
	if (conn->protocol->framer->reply(conn->framer, to->stream, message, max_age_s))
		conn->broken = true;
	conn_note_active(conn);
	conn_mark_dirty(conn);
}

void conn_reject(struct worker *worker, const struct reply_to *to, unsigned status)
{
	struct conn *conn = conn_table_find(worker->conns, to->conn);
	if (!conn)
		return;
	conn->protocol->framer->reject(conn->framer, to->stream, status);
	conn_mark_dirty(conn);
}

bool conn_hold(struct worker *worker, const struct reply_to *to)
{
	struct conn *conn = conn_table_find(worker->conns, to->conn);
	if (!conn || conn->held >= conn_table_limits(worker->conns)->queries_per_connection)
		return false;
	conn->held++;
	return true;
}

void conn_release(struct worker *worker, const struct reply_to *to)
{
	struct conn *conn = conn_table_find(worker->conns, to->conn);
	if (!conn || conn->held == 0)
		return;
	conn->held--;
	conn_mark_dirty(conn);
}
