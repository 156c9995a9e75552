/* conn_write.c - see conn_parts.h. */
#include <stdlib.h>
#include <sys/socket.h>

#include "proxy/front/conn_parts.h"

/* What a full socket did not take, until it does. */
struct pending_write {
	uv_write_t request;
	struct conn *conn;
	uint8_t bytes[];
};

void conn_mark_dirty(struct conn *conn)
{
	if (list_is_empty(&conn->in_dirty))
		list_append(&conn->table->dirty, &conn->in_dirty);
}

void conn_mark_broken(struct conn *conn)
{
	conn->broken = true;
	conn_mark_dirty(conn);
}

void conn_end(struct conn *conn)
{
	conn->protocol->framer->finish(conn->framer);
	conn->ended = true;
	conn_stop_reading(conn);
	conn_mark_dirty(conn);
}

static void on_written(uv_write_t *request, int status)
{
	struct pending_write *pending = container_of(request, struct pending_write, request);
	struct conn *conn = pending->conn;
	free(pending);
	conn->pending_len = 0;
	if (conn->closing)
		return;
	conn->writing = false;
	if (status < 0)
		conn->broken = true;
	conn->drained = WRITE_PROGRESS; /* all of it went, however little it was */
	conn_phase_update(conn);
	conn_mark_dirty(conn);
}

static void write_later(struct conn *conn, struct slice bytes)
{
	struct pending_write *pending = malloc(sizeof *pending + bytes.len);
	if (!pending) {
		conn_mark_broken(conn);
		return;
	}
	pending->conn = conn;
	memcpy(pending->bytes, bytes.at, bytes.len);
	uv_buf_t buffer = uv_buf_init((char *)pending->bytes, (unsigned)bytes.len);
	conn->writing = true;
	conn->pending_len = bytes.len;
	conn_stop_reading(conn); /* who does not read is not read from */
	if (uv_write(&pending->request, (uv_stream_t *)&conn->tcp, &buffer, 1, on_written) == 0)
		return;
	free(pending);
	conn->writing = false;
	conn->pending_len = 0;
	conn_mark_broken(conn);
}

void conn_write(struct conn *conn, struct slice bytes)
{
	uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)bytes.at, (unsigned)bytes.len);
	int sent = uv_try_write((uv_stream_t *)&conn->tcp, &buffer, 1);
	if (sent == UV_EAGAIN)
		sent = 0;
	if (sent < 0)
		conn_mark_broken(conn);
	else if ((size_t)sent < bytes.len)
		write_later(conn, slice_of(bytes.at + sent, bytes.len - (size_t)sent));
}

/* One batch of frames from the framer, behind what there is in `cipher` already, to the socket;
 * gives how many plain bytes it was. */
static size_t flush_batch(struct conn *conn, struct writer *cipher, size_t capacity)
{
	struct worker *worker = conn->table->worker;
	size_t len = conn->protocol->framer->drain(conn->framer, worker->plain_buffer, capacity);
	struct slice bytes = slice_of(worker->plain_buffer, len);
	if (conn->tls) {
		if (len > 0 && tls_stream_write(conn->tls, bytes, cipher)) {
			conn->broken = true;
			return 0;
		}
		bytes = writer_slice(cipher);
	}
	if (bytes.len > 0)
		conn_write(conn, bytes);
	return len;
}

static size_t flush_once(struct conn *conn)
{
	struct writer cipher = writer_of(conn->table->worker->cipher_buffer, WORKER_CIPHER_LEN);
	return flush_batch(conn, &cipher, WORKER_PLAIN_LEN);
}

/* A segment of its own would wake the client for a ticket, and again for the answer. */
void conn_write_tls(struct conn *conn, struct writer *cipher)
{
	if (conn->established && !conn->broken && !conn->writing &&
		cipher->capacity - cipher->len >= tls_stream_room(TLS_PLAIN_MAX))
		conn->drained += flush_batch(conn, cipher, TLS_PLAIN_MAX);
	else
		conn_write(conn, writer_slice(cipher));
}

static void say_goodbye(struct conn *conn)
{
	if (!conn->tls)
		return;
	struct writer cipher = writer_of(conn->table->worker->cipher_buffer, WORKER_CIPHER_LEN);
	tls_stream_close(conn->tls, &cipher);
	conn_write(conn, writer_slice(&cipher));
}

/* Nothing is owed and nothing more will come. Asked after a flush: what flow control still holds
 * back then would wait for a window that an ended client can not give any more. */
static bool is_over(const struct conn *conn)
{
	if (conn->writing || conn->held > 0)
		return false;
	return conn->ended || conn->protocol->framer->is_finished(conn->framer);
}

static void linger(struct conn *conn)
{
	uv_os_fd_t fd;
	if (conn->at_end || conn->broken || conn->writing || conn->hurries ||
		uv_fileno((uv_handle_t *)&conn->tcp, &fd) || shutdown(fd, SHUT_WR)) {
		conn_close(conn);
		return;
	}
	conn->lingers = true;
	conn_phase_enter(conn, PHASE_LINGER, worker_now_ms(conn->table->worker));
	if (!conn->reading)
		conn_start_reading(conn);
}

static void flush_all(struct conn *conn)
{
	size_t len = conn->is_drained ? 0 : WORKER_PLAIN_LEN;
	conn->is_drained = false;
	while (len == WORKER_PLAIN_LEN && !conn->broken && !conn->writing && conn->established) {
		len = flush_once(conn);
		conn->drained += len;
	}
}

void conn_flush(struct conn *conn)
{
	if (conn->lingers && !conn->broken)
		return;
	do
		flush_all(conn);
	while (conn_go_on(conn));
	if (conn->broken) {
		conn_close(conn);
		return;
	}
	if (is_over(conn)) {
		say_goodbye(conn);
		linger(conn);
		return;
	}
	conn_phase_update(conn);
	conn_note_owed(conn);
	/* What HTTP/2's flow control holds back is no reason to stop: the window that lets it go is
	 * yet to be read. Streams are limited, and so is the time. */
	if (!conn->reading && !conn->writing && !conn->ended && !conn->held_back &&
		list_is_empty(&conn->in_waiting))
		conn_start_reading(conn);
}
