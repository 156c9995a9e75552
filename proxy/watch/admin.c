/* A connection holds one request at a time: what was pipelined behind it waits, unread or in the
 * input buffer, until its response is written. So a client can make us hold one response. */
#include "proxy/watch/admin.h"

#include <stdlib.h>
#include <time.h>

#include "base/error.h"
#include "base/list.h"
#include "base/log.h"
#include "proxy/framing/http1.h"

enum {
	LISTEN_BACKLOG = 64,
	LINGER_MS = 1000, /* after the last response, so that its last bytes are not reset away */
};

enum conn_state {
	CONN_NEW,     /* nothing has come yet */
	CONN_WAITS,   /* for another request */
	CONN_READS,   /* a part of a request is here */
	CONN_WRITES,  /* a response */
	CONN_LINGERS, /* all is said; what still comes is thrown away */
};

struct admin {
	uv_tcp_t listener;
	struct admin_source source;
	struct list connections; /* longest in its state first */
	size_t connection_count; /* those in the list */
	size_t closing_count;    /* closed, their handles not yet */
	bool is_closing;
	bool listener_is_closed;
	bool owes_accept; /* there was no memory for one that came in */
	struct log_rate full_rate;
};

struct conn {
	uv_tcp_t socket;
	uv_timer_t timer;
	uv_write_t write;
	uv_shutdown_t shutdown;
	struct list node;
	struct admin *admin;
	enum conn_state state;
	bool keep_alive;
	bool is_closing;
	unsigned open_handles;
	uint8_t in[HTTP1_HEAD_MAX];
	size_t in_len;
	size_t scanned;
	uint8_t head[HTTP1_RESPONSE_HEAD_MAX];
	struct bytes body;
};

static void conn_read_requests(struct conn *conn);

/* --- the end --- */

static void admin_free_when_done(struct admin *admin)
{
	if (admin->is_closing && admin->listener_is_closed && admin->closing_count == 0)
		free(admin);
}

static void on_conn_closed(uv_handle_t *handle)
{
	struct conn *conn = handle->data;
	struct admin *admin = conn->admin;
	if (--conn->open_handles)
		return;
	bytes_deinit(&conn->body);
	free(conn);
	admin->closing_count--;
	admin_free_when_done(admin);
}

static void conn_close(struct conn *conn)
{
	if (conn->is_closing)
		return;
	conn->is_closing = true;
	list_remove(&conn->node);
	conn->admin->connection_count--;
	conn->admin->closing_count++;
	uv_close((uv_handle_t *)&conn->timer, on_conn_closed);
	uv_close((uv_handle_t *)&conn->socket, on_conn_closed);
}

/* --- states and their deadlines --- */

static void on_deadline(uv_timer_t *timer)
{
	conn_close(timer->data);
}

/* Reading and writing share one absolute deadline, set when the first byte of a request is here;
 * bytes do not move it. */
static void conn_enter(struct conn *conn, enum conn_state state)
{
	static const uint64_t deadlines_ms[] = {
		[CONN_NEW] = ADMIN_REQUEST_MS,
		[CONN_WAITS] = ADMIN_IDLE_MS,
		[CONN_READS] = ADMIN_REQUEST_MS,
		[CONN_LINGERS] = LINGER_MS,
	};
	if (state != CONN_WRITES)
		uv_timer_start(&conn->timer, on_deadline, deadlines_ms[state], 0);
	conn->state = state;
	list_remove(&conn->node);
	list_append(&conn->admin->connections, &conn->node);
}

/* --- responses --- */

static void on_shut_down(uv_shutdown_t *request, int status)
{
	struct conn *conn = request->data;
	if (status < 0)
		conn_close(conn);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	struct conn *conn = handle->data;
	(void)suggested;
	if (conn->state == CONN_LINGERS)
		conn->in_len = 0;
	*buffer = uv_buf_init(
		(char *)conn->in + conn->in_len, (unsigned)(sizeof conn->in - conn->in_len));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
	struct conn *conn = stream->data;
	(void)buffer;
	if (count < 0) {
		conn_close(conn);
		return;
	}
	if (count == 0 || conn->state == CONN_LINGERS)
		return;
	conn->in_len += (size_t)count;
	conn_read_requests(conn);
}

static void conn_linger(struct conn *conn)
{
	conn_enter(conn, CONN_LINGERS);
	conn->shutdown.data = conn;
	if (uv_shutdown(&conn->shutdown, (uv_stream_t *)&conn->socket, on_shut_down) < 0 ||
		uv_read_start((uv_stream_t *)&conn->socket, on_alloc, on_read) < 0)
		conn_close(conn);
}

static void on_written(uv_write_t *request, int status)
{
	struct conn *conn = request->data;
	bytes_deinit(&conn->body);
	if (conn->is_closing)
		return;
	if (status < 0) {
		conn_close(conn);
		return;
	}
	if (!conn->keep_alive) {
		conn_linger(conn);
		return;
	}
	conn_enter(conn, CONN_WAITS);
	if (uv_read_start((uv_stream_t *)&conn->socket, on_alloc, on_read) < 0) {
		conn_close(conn);
		return;
	}
	if (conn->in_len)
		conn_read_requests(conn);
}

/* Sends what stands in conn->body. */
static void conn_respond(struct conn *conn, struct http1_response *response, bool is_head)
{
	struct writer head = writer_of(conn->head, sizeof conn->head);
	response->content_length = bytes_len(&conn->body);
	response->keep_alive = conn->keep_alive;
	response->time_s = time(NULL);
	http1_write_head(&head, response);
	struct slice body = bytes_peek(&conn->body);
	uv_buf_t buffers[2] = {
		uv_buf_init((char *)conn->head, (unsigned)head.len),
		uv_buf_init((char *)(uintptr_t)body.at, (unsigned)body.len),
	};
	conn_enter(conn, CONN_WRITES);
	uv_read_stop((uv_stream_t *)&conn->socket);
	conn->write.data = conn;
	if (uv_write(&conn->write, (uv_stream_t *)&conn->socket, buffers,
		    is_head || !body.len ? 1 : 2, on_written) < 0)
		conn_close(conn);
}

static const char plain_text[] = "text/plain; charset=utf-8";

static void set_body(struct conn *conn, const char *text)
{
	bytes_deinit(&conn->body);
	if (bytes_append(&conn->body, text, strlen(text)) || bytes_append(&conn->body, "\n", 1))
		bytes_deinit(&conn->body);
}

static void conn_refuse(struct conn *conn, unsigned status)
{
	struct http1_response response = { .status = status, .content_type = plain_text };
	conn->keep_alive = false;
	set_body(conn, http1_reason(status));
	conn_respond(conn, &response, false);
}

/* --- pages: each writes its text and returns the status --- */

typedef unsigned (*page_fn)(const struct admin_source *source, struct bytes *to);

static unsigned page_index(const struct admin_source *source, struct bytes *to)
{
	static const char text[] = "namegate\n"
				   "/metrics  Prometheus metrics\n"
				   "/livez    200 while the workers' loops turn\n"
				   "/readyz   200 while questions can be answered\n"
				   "/healthz  the same as /readyz\n"
				   "/version  version of the program and its libraries\n";
	(void)source;
	return bytes_append(to, text, sizeof text - 1) ? 500 : 200;
}

static unsigned page_metrics(const struct admin_source *source, struct bytes *to)
{
	return source->write_metrics(source->context, to) ? 500 : 200;
}

static unsigned page_version(const struct admin_source *source, struct bytes *to)
{
	return source->write_version(source->context, to) ? 500 : 200;
}

static unsigned probe(bool is_fine, struct bytes *to)
{
	if (!is_fine)
		return 503;
	if (bytes_len(to)) /* fine, with something to say */
		return 200;
	return bytes_append(to, "ok\n", 3) ? 500 : 200;
}

static unsigned page_live(const struct admin_source *source, struct bytes *to)
{
	return probe(source->is_live(source->context, to), to);
}

static unsigned page_ready(const struct admin_source *source, struct bytes *to)
{
	return probe(source->is_ready(source->context, to), to);
}

static const struct {
	const char *path;
	page_fn write;
	const char *content_type;
} pages[] = {
	{ "/", page_index, plain_text },
	{ "/metrics", page_metrics, "text/plain; version=0.0.4; charset=utf-8" },
	{ "/livez", page_live, plain_text },
	{ "/readyz", page_ready, plain_text },
	{ "/healthz", page_ready, plain_text },
	{ "/version", page_version, plain_text },
};

enum { PAGE_COUNT = sizeof pages / sizeof pages[0] };

static size_t find_page(struct slice target)
{
	const uint8_t *query = memchr(target.at, '?', target.len);
	size_t i = 0;
	if (query)
		target.len = (size_t)(query - target.at);
	while (i < PAGE_COUNT && !slice_equals_text(target, pages[i].path))
		i++;
	return i;
}

/* Fills the body and the response, as the request deserves. */
static void answer(
	struct conn *conn, const struct http1_request *request, struct http1_response *response)
{
	bool is_reading = slice_equals_text(request->method, "GET") ||
		slice_equals_text(request->method, "HEAD");
	size_t page = find_page(request->target);
	response->content_type = plain_text;
	if (page == PAGE_COUNT) {
		response->status = 404;
	} else if (!is_reading) {
		response->status = 405;
		response->allow = "GET, HEAD";
	} else {
		response->status = pages[page].write(&conn->admin->source, &conn->body);
		response->content_type = pages[page].content_type;
	}
	if (response->status == 500)
		response->content_type = plain_text;
	if (response->status != 200 && response->status != 503)
		set_body(conn, http1_reason(response->status));
}

static void conn_answer(struct conn *conn, const struct http1_request *request)
{
	struct http1_response response = { 0 };
	bool is_head = slice_equals_text(request->method, "HEAD");
	size_t len = request->len;
	conn->keep_alive = request->keep_alive && !conn->admin->is_closing;
	answer(conn, request, &response);
	/* The request is done with: its slices die here. */
	memmove(conn->in, conn->in + len, conn->in_len - len);
	conn->in_len -= len;
	conn->scanned = 0;
	conn_respond(conn, &response, is_head);
}

static void conn_read_requests(struct conn *conn)
{
	struct http1_request request;
	unsigned status;
	if (conn->state == CONN_NEW || conn->state == CONN_WAITS)
		conn_enter(conn, CONN_READS);
	switch (http1_read(
		slice_of(conn->in, conn->in_len), &conn->scanned, 0, &request, &status)) {
	case HTTP1_MORE: return;
	case HTTP1_REQUEST: conn_answer(conn, &request); return;
	case HTTP1_REFUSED: conn_refuse(conn, status); return;
	}
}

/* --- the beginning --- */

/* Room for a new connection: the one that has waited longest for a request goes. */
static bool make_room(struct admin *admin)
{
	if (admin->connection_count < ADMIN_CONNECTIONS_MAX)
		return true;
	for (struct list *node = admin->connections.next; node != &admin->connections;
		node = node->next) {
		struct conn *conn = container_of(node, struct conn, node);
		if (conn->state != CONN_NEW && conn->state != CONN_WAITS)
			continue;
		conn_close(conn);
		return true;
	}
	return false;
}

static void conn_init(struct conn *conn, struct admin *admin, uv_loop_t *loop)
{
	conn->admin = admin;
	list_init(&conn->node);
	bytes_init(&conn->body, ADMIN_RESPONSE_MAX);
	uv_tcp_init(loop, &conn->socket);
	uv_timer_init(loop, &conn->timer);
	conn->socket.data = conn;
	conn->timer.data = conn;
	conn->open_handles = 2;
	admin->connection_count++;
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct admin *admin = listener->data;
	if (status < 0)
		return;
	bool has_room = make_room(admin);
	struct conn *conn = calloc(1, sizeof *conn);
	admin->owes_accept = !conn;
	if (!conn) /* libuv does not look for others before this one was accepted */
		return;
	conn_init(conn, admin, listener->loop);
	if (uv_accept(listener, (uv_stream_t *)&conn->socket) < 0 || !has_room) {
		if (log_rate_ok(&admin->full_rate, uv_now(listener->loop)))
			log_warning(
				"admin: connection turned away open=%zu", admin->connection_count);
		conn_close(conn);
		return;
	}
	conn_enter(conn, CONN_NEW);
	if (uv_read_start((uv_stream_t *)&conn->socket, on_alloc, on_read) < 0)
		conn_close(conn);
}

void admin_tick(struct admin *admin)
{
	if (admin->owes_accept)
		on_connection((uv_stream_t *)&admin->listener, 0);
}

static void on_listener_closed(uv_handle_t *handle)
{
	struct admin *admin = handle->data;
	admin->listener_is_closed = true;
	admin_free_when_done(admin);
}

static int admin_listen(struct admin *admin, const struct address *address, uint16_t port)
{
	struct sockaddr_storage to;
	address_to_sockaddr(address, port, &to);
	unsigned flags = address_is_v4(address) ? 0 : UV_TCP_IPV6ONLY;
	int error = uv_tcp_bind(&admin->listener, (const struct sockaddr *)&to, flags);
	if (error)
		return error;
	return uv_listen((uv_stream_t *)&admin->listener, LISTEN_BACKLOG, on_connection);
}

struct admin *admin_open(uv_loop_t *loop, const struct address *address, uint16_t port,
	const struct admin_source *source, int *error)
{
	struct admin *admin = calloc(1, sizeof *admin);
	*error = ERR_NO_MEMORY;
	if (!admin)
		return NULL;
	admin->source = *source;
	list_init(&admin->connections);
	*error = uv_tcp_init(loop, &admin->listener);
	if (*error) {
		free(admin);
		return NULL;
	}
	admin->listener.data = admin;
	*error = admin_listen(admin, address, port);
	if (!*error)
		return admin;
	admin_close(admin);
	return NULL;
}

uint16_t admin_port(const struct admin *admin)
{
	struct sockaddr_storage bound;
	uint16_t port = 0;
	int len = sizeof bound;
	if (uv_tcp_getsockname(&admin->listener, (struct sockaddr *)&bound, &len) == 0)
		address_of_sockaddr((const struct sockaddr *)&bound, &port);
	return port;
}

size_t admin_connection_count(const struct admin *admin)
{
	return admin->connection_count;
}

void admin_close(struct admin *admin)
{
	if (!admin || admin->is_closing)
		return;
	admin->is_closing = true;
	while (!list_is_empty(&admin->connections))
		conn_close(container_of(admin->connections.next, struct conn, node));
	uv_close((uv_handle_t *)&admin->listener, on_listener_closed);
}
