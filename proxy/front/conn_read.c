/* conn_read.c - see conn_parts.h. */
#include "base/error.h"
#include "proxy/front/claimant.h"
#include "proxy/front/conn_parts.h"

enum { LINGER_MAX = 256 * 1024 }; /* bytes that are thrown away */

void conn_come_again(struct conn *conn)
{
	metrics_drop(conn->table->worker->metrics, METRICS_DROP_CERTIFICATE);
	conn_end(conn);
}

/* Who it was may be somebody else, or nobody: there is no answer for whom we cannot tell. */
static void turn_away(struct conn *conn, int32_t stream, enum claimant_fault fault)
{
	if (fault == CLAIMANT_UNCLEAR)
		metrics_drop(conn->table->worker->metrics, METRICS_DROP_FORWARDED);
	else if (!conn->ended)
		conn_come_again(conn);
	conn->protocol->framer->reject(conn->framer, stream, fault == CLAIMANT_UNCLEAR ? 400 : 403);
	conn_mark_dirty(conn);
}

static void on_message(
	void *host, int32_t stream, const struct framer_claims *said, struct slice message)
{
	struct conn *conn = host;
	struct worker *worker = conn->table->worker;
	struct claims claims = { .client = conn->client, .listener = conn->listener };
	enum claimant_fault fault = claimant_say(
		&claims, conn_listener(conn), conn->tls, said, worker_wall_now_s(worker));
	if (fault) {
		turn_away(conn, stream, fault);
		return;
	}
	bool is_own = memcmp(&claims.client, &conn->client, sizeof conn->client) == 0;
	struct reply_to to = {
		.protocol = conn->protocol->protocol,
		.listener = conn->listener,
		.client_port = is_own ? conn->client_port : 0, /* no proxy tells it reliably */
		.client = claims.client,
		.conn = { conn->slot, conn->generation },
		.stream = stream,
	};
	conn_note_active(conn);
	query_begin(worker, &to, &claims, said->token, message);
}

static void on_status(void *host, enum http_method method, unsigned status)
{
	static const enum metrics_method methods[HTTP_METHOD_COUNT] = {
		[HTTP_GET] = METRICS_METHOD_GET,
		[HTTP_HEAD] = METRICS_METHOD_HEAD,
		[HTTP_POST] = METRICS_METHOD_POST,
		[HTTP_OTHER] = METRICS_METHOD_OTHER,
	};
	struct conn *conn = host;
	metrics_http(conn->table->worker->metrics, methods[method], status);
}

static void on_abandoned(void *host, int32_t stream)
{
	struct conn *conn = host;
	(void)stream; /* the query goes on for others; its reply will not find the stream */
	metrics_drop(conn->table->worker->metrics, METRICS_DROP_CLIENT_GONE);
}

static void on_reset_flood(void *host)
{
	struct conn *conn = host;
	metrics_drop(conn->table->worker->metrics, METRICS_DROP_RESET_FLOOD);
}

const struct framer_events conn_framer_events = {
	.on_message = on_message,
	.on_status = on_status,
	.on_abandoned = on_abandoned,
	.on_reset_flood = on_reset_flood,
};

void conn_feed_framer(struct conn *conn, struct slice plain)
{
	int error = conn->protocol->framer->feed(conn->framer, plain);
	if (error == 0)
		return;
	if (error != ERR_CLOSED)
		metrics_drop(conn->table->worker->metrics,
			error == ERR_TOO_LONG ? METRICS_DROP_FRAME_FLOOD : METRICS_DROP_OTHER);
	conn->ended = true; /* what the framer still has to say (GOAWAY) goes out, then it closes */
	conn->held = 0;
	conn_stop_reading(conn);
}

static bool is_full(const struct conn *conn)
{
	const struct framer_type *framer = conn->protocol->framer;
	return framer->is_full && framer->is_full(conn->framer);
}

bool conn_go_on(struct conn *conn)
{
	if (!conn->held_back || conn->broken || conn->writing || conn->ended || is_full(conn))
		return false;
	conn_feed_framer(conn, slice_of(NULL, 0));
	conn->held_back = is_full(conn);
	return true;
}

static void note_established(struct conn *conn)
{
	if (conn->established || !tls_stream_is_established(conn->tls))
		return;
	conn->established = true;
	crowd_settle(conn->table->worker->crowd, &conn->place);
	if (conn->protocol->framer->agree)
		conn->protocol->framer->agree(conn->framer, tls_stream_protocol(conn->tls));
	metrics_tls(conn->table->worker->metrics, tls_stream_version(conn->tls), NULL,
		tls_stream_is_resumed(conn->tls));
}

/* Why a client could not come in, for whoever sets one up: at most once a second. */
static void log_handshake_failure(struct conn *conn)
{
	struct conn_table *table = conn->table;
	char client[ADDRESS_TEXT_MAX];
	unsigned counted = log_rate_ok(&table->handshake_failures, worker_now_ms(table->worker));
	if (!counted)
		return;
	address_text(&conn->client, client);
	log_info("%s: handshake failed client=%s count=%u: %s",
		protocol_name(conn->protocol->protocol), client, counted,
		tls_stream_reason(conn->tls));
}

void conn_feed_tls(struct conn *conn, struct slice cipher)
{
	struct worker *worker = conn->table->worker;
	struct writer out = writer_of(worker->cipher_buffer, WORKER_CIPHER_LEN);
	ssize_t len;
	do {
		len = tls_stream_read(
			conn->tls, &cipher, worker->plain_buffer, WORKER_PLAIN_LEN, &out);
		note_established(conn);
		if (len > 0)
			conn_feed_framer(conn, slice_of(worker->plain_buffer, (size_t)len));
	} while (len > 0 && !conn->ended);
	if (len == ERR_CLOSED) {
		conn->ended = true;
		conn->at_end = true; /* it hears us out, but has nothing more to say */
	} else if (len < 0) {
		if (!conn->established) {
			metrics_tls(worker->metrics, "", tls_stream_error(conn->tls), false);
			log_handshake_failure(conn);
		}
		conn->broken = true;
	}
	if (out.len > 0) /* handshake, alerts, tickets: they do not wait for the end of the turn */
		conn_write_tls(conn, &out);
}

static void note_end_of_input(struct conn *conn)
{
	if (conn->owes_header && bytes_len(&conn->header) > 0)
		conn_refuse_header(conn, "the peer closed before its end");
	else if (!conn->owes_header && !conn->established)
		metrics_tls(conn->table->worker->metrics, "", "closed", false);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	struct conn *conn = handle->data;
	struct slice room = conn_table_read_room(conn->table);
	(void)suggested;
	/* Who waits is not read: the bytes stay with the kernel, on_read() is told UV_ENOBUFS. */
	bool may = conn_may_shake_hands(conn);
	*buffer = uv_buf_init((char *)(uintptr_t)room.at, may ? (unsigned)room.len : 0);
}

/* The client has closed its side, or the connection is lost. */
static void end_input(struct conn *conn, ssize_t why)
{
	note_end_of_input(conn);
	conn->ended = true;
	conn->at_end = true;
	conn->broken |= why != UV_EOF || !conn->established;
	conn_stop_reading(conn);
}

static void throw_away(struct conn *conn, ssize_t len)
{
	conn->drained += len > 0 ? (size_t)len : 0;
	conn->broken = len < 0 || conn->drained > LINGER_MAX;
}

static void take_bytes(struct conn *conn, struct slice bytes)
{
	if (conn->owes_header)
		conn_feed_header(conn, &bytes);
	if (conn->owes_header || conn->broken || bytes.len == 0)
		return;
	if (conn->established) {
		conn_take_input(conn, bytes);
		return;
	}
	conn_feed_tls(conn, bytes);
	conn_note_fed(conn);
}

/* libuv reads on as long as there is something: some dozen buffers of questions can lead to a
 * hundred times as many bytes of answers. */
void conn_note_fed(struct conn *conn)
{
	conn->held_back = is_full(conn);
	if (conn->held_back || conn->protocol->framer->queued(conn->framer) > QUEUED_MAX)
		conn_stop_reading(conn);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer)
{
	struct conn *conn = stream->data;
	if (len == UV_ENOBUFS)
		conn_wait_for_turn(conn);
	if (len == 0 || len == UV_ENOBUFS)
		return;
	if (conn_has_input(conn)) /* one thing after the other */
		conn_table_work(conn->table);
	if (conn->closing)
		return;
	conn->called = false;
	conn_mark_dirty(conn);
	if (conn->broken) /* there is nothing more to learn from it */
		conn_stop_reading(conn);
	else if (conn->lingers)
		throw_away(conn, len);
	else if (len < 0)
		end_input(conn, len);
	else
		take_bytes(conn, slice_of(buffer->base, (size_t)len));
}

void conn_start_reading(struct conn *conn)
{
	conn->reading = true;
	if (uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read))
		conn_mark_broken(conn);
}

void conn_stop_reading(struct conn *conn)
{
	if (!conn->reading)
		return;
	conn->reading = false;
	uv_read_stop((uv_stream_t *)&conn->tcp);
}
