/* conn.c - see conn.h.
 *
 * Life: conn_accept() -> a PROXY header, where the peer is one of whom the listener's configuration
 * says so -> reads and flushes -> linger() -> conn_close() at the end of a turn ->
 * on_closed() frees. Who is told of an end (GOAWAY, close_notify, end of stream) must be given the
 * time to hear it: closing a socket with unread bytes in it resets the connection, and the client's
 * kernel then throws away what we sent last. Whatever finds a connection broken only says so
 * (`broken`) and puts it on the dirty list; the flush at the end of the turn closes it, so nothing
 * that a callback works on goes away.
 *
 * Deadlines are absolute per phase and are not restarted by bytes: the oldest incomplete request
 * must become whole, whatever else is complete meanwhile; replies must be taken at more than a
 * trickle; and only questions and answers keep a connection from being idle. Each phase has one
 * timeout, so the list of a phase is in order of its deadlines and only its head is ever looked at.
 * A busy connection moves to the end of the idle list once a second at most. */
#include "proxy/front/conn.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/log.h"
#include "proxy/framing/proxy_header.h"
#include "proxy/front/claimant.h"
#include "proxy/worker.h"

enum conn_phase {
	PHASE_HANDSHAKE, /* the PROXY header is not whole, or TLS is not up yet */
	PHASE_REQUEST,   /* a request has begun and is not complete */
	PHASE_WRITE,     /* the client does not take what we have for it */
	PHASE_IDLE,
	PHASE_LINGER, /* all is said; what the client still sends is thrown away until it closes */
	PHASE_COUNT,
};

enum {
	QUEUED_MAX = 256 * 1024, /* bytes of replies above which we read no more in this turn */
	WRITE_TIMEOUT_MS = 10000,
	WRITE_PROGRESS = 16 * 1024, /* bytes that a slow client must take in that time */
	IDLE_GRAIN_MS = 1000,
	LINGER_MS = 1000,
	LINGER_MAX = 256 * 1024, /* bytes that are thrown away */
	ADDRESS_BUCKETS = 1024,  /* a power of two */
};

struct conn {
	uv_tcp_t tcp;
	struct conn_table *table;
	const struct stream_protocol *protocol;
	struct tls_stream *tls; /* NULL: plain TCP */
	struct framer *framer;
	struct address client; /* as the PROXY header says, else the peer */
	uint16_t client_port;
	struct bytes header; /* of a PROXY header, so far */
	uint16_t listener;
	uint32_t slot;
	uint32_t generation;
	unsigned held; /* queries that wait for an upstream */
	enum conn_phase phase;
	uint64_t entered_ms; /* the phase */
	size_t drained;      /* in this phase: plain bytes handed to the socket, or thrown away */
	uint64_t late;       /* the oldest incomplete request, see framer.h */
	uint64_t late_since_ms;
	struct list in_dirty;
	struct list in_phase;
	struct list in_address;
	bool owes_header; /* the peer's PROXY header is not whole */
	bool established;
	bool active;  /* there was a question or an answer in this phase */
	bool writing; /* the socket was full: a uv_write has the rest */
	bool reading;
	bool ended;   /* nothing that the client sends is of interest any more */
	bool at_end;  /* it has closed its side */
	bool lingers; /* see PHASE_LINGER */
	bool broken;  /* to be closed without further words */
	bool closing;
};

struct slot {
	struct conn *conn;
	uint32_t generation;
	uint32_t next_free;
};

struct conn_table {
	struct worker *worker;
	struct slot *slots;
	uint32_t capacity;
	uint32_t untouched;  /* first slot that was never used */
	uint32_t first_free; /* capacity: none */
	size_t count;
	bool draining;
	struct list dirty;
	struct list phases[PHASE_COUNT];
	struct list by_address[ADDRESS_BUCKETS];
	struct log_rate handshake_failures;
	struct log_rate header_failures;
	uint64_t salt;
};

/* What a full socket did not take, until it does. */
struct pending_write {
	uv_write_t request;
	struct conn *conn;
	uint8_t bytes[];
};

struct conn_table *conn_table_new(struct worker *worker, size_t capacity)
{
	struct conn_table *table = calloc(1, sizeof *table);
	if (!table)
		return NULL;
	table->worker = worker;
	table->capacity = (uint32_t)capacity;
	table->first_free = table->capacity;
	random_fill(&table->salt, sizeof table->salt);
	list_init(&table->dirty);
	for (unsigned i = 0; i < PHASE_COUNT; i++)
		list_init(&table->phases[i]);
	for (unsigned i = 0; i < ADDRESS_BUCKETS; i++)
		list_init(&table->by_address[i]);
	table->slots = calloc(capacity, sizeof *table->slots);
	if (!table->slots) {
		free(table);
		return NULL;
	}
	return table;
}

void conn_table_free(struct conn_table *table)
{
	if (!table)
		return;
	free(table->slots);
	free(table);
}

size_t conn_table_count(const struct conn_table *table)
{
	return table->count;
}

static const struct limits_config *limits_of(const struct conn_table *table)
{
	return &table->worker->epoch->snapshot->config->limits;
}

static const struct listener_config *listener_of(const struct conn *conn)
{
	return &conn->table->worker->epoch->snapshot->config->listeners[conn->listener];
}

/* ---- slots: ids outside, pointers inside ---- */

static bool slot_take(struct conn_table *table, struct conn *conn)
{
	uint32_t slot = table->first_free;
	if (slot < table->capacity)
		table->first_free = table->slots[slot].next_free;
	else if (table->untouched < table->capacity)
		slot = table->untouched++;
	else
		return false;
	table->slots[slot].conn = conn;
	conn->slot = slot;
	conn->generation = table->slots[slot].generation;
	table->count++;
	return true;
}

static void slot_give_back(struct conn_table *table, struct conn *conn)
{
	struct slot *slot = &table->slots[conn->slot];
	slot->conn = NULL;
	slot->generation++;
	slot->next_free = table->first_free;
	table->first_free = conn->slot;
	table->count--;
}

static struct conn *conn_find(const struct conn_table *table, struct conn_id id)
{
	if (id.slot >= table->capacity || table->slots[id.slot].generation != id.generation)
		return NULL;
	return table->slots[id.slot].conn;
}

/* How many bytes of an address tell one client from another: with IPv6 everybody has a whole /64.
 */
static size_t client_len(const struct address *address)
{
	return address_is_v4(address) ? sizeof address->bytes : sizeof address->bytes / 2;
}

static bool same_client(const struct address *a, const struct address *b)
{
	size_t len = client_len(a);
	return len == client_len(b) && memcmp(a->bytes, b->bytes, len) == 0;
}

static struct list *address_bucket(struct conn_table *table, const struct address *address)
{
	uint64_t hash = XXH3_64bits_withSeed(address->bytes, client_len(address), table->salt);
	return &table->by_address[hash & (ADDRESS_BUCKETS - 1)];
}

/* Does this client have as many connections as one may? Looked at when it opens another. */
static bool address_is_full(struct conn_table *table, const struct address *address)
{
	struct list *bucket = address_bucket(table, address);
	unsigned count = 0;
	for (struct list *node = bucket->next; node != bucket; node = node->next) {
		struct conn *conn = container_of(node, struct conn, in_address);
		count += same_client(&conn->client, address);
	}
	return count >= limits_of(table)->connections_per_address;
}

/* ---- deadlines ---- */

static uint64_t phase_timeout_ms(const struct conn_table *table, enum conn_phase phase)
{
	const struct limits_config *limits = limits_of(table);
	switch (phase) {
	case PHASE_HANDSHAKE: return limits->handshake_timeout_ms;
	case PHASE_REQUEST: return limits->request_timeout_ms;
	case PHASE_WRITE: return WRITE_TIMEOUT_MS;
	case PHASE_LINGER: return LINGER_MS;
	default: return limits->idle_timeout_ms;
	}
}

static void phase_enter(struct conn *conn, enum conn_phase phase, uint64_t now_ms)
{
	struct conn_table *table = conn->table;
	conn->phase = phase;
	conn->entered_ms = now_ms;
	conn->drained = 0;
	conn->active = false;
	list_remove(&conn->in_phase);
	list_append(&table->phases[phase], &conn->in_phase);
}

static enum conn_phase phase_now(const struct conn *conn)
{
	if (!conn->established)
		return PHASE_HANDSHAKE;
	if (conn->writing || conn->protocol->framer->queued(conn->framer) > 0)
		return PHASE_WRITE;
	if (conn->protocol->framer->late_request(conn->framer))
		return PHASE_REQUEST;
	return PHASE_IDLE;
}

/* Is the incomplete request that we wait for another one than before? */
static bool late_changed(struct conn *conn, uint64_t now_ms)
{
	uint64_t late = conn->protocol->framer->late_request(conn->framer);
	if (late == conn->late)
		return false;
	conn->late = late;
	conn->late_since_ms = now_ms;
	return true;
}

/* Has what the phase waits for happened, so that it begins anew? */
static bool phase_is_renewed(const struct conn *conn, bool other_late, uint64_t now_ms)
{
	switch (conn->phase) {
	case PHASE_REQUEST: return other_late;
	case PHASE_WRITE: return conn->drained >= WRITE_PROGRESS;
	case PHASE_IDLE: return conn->active && now_ms - conn->entered_ms >= IDLE_GRAIN_MS;
	default: return false;
	}
}

static void give_up(struct conn *conn, enum metrics_drop_reason reason);

static void phase_update(struct conn *conn)
{
	uint64_t now_ms = worker_now_ms(conn->table->worker);
	enum conn_phase phase = phase_now(conn);
	bool other_late = late_changed(conn, now_ms);
	if (phase != conn->phase || phase_is_renewed(conn, other_late, now_ms))
		phase_enter(conn, phase, now_ms);
	/* Other phases in between do not give a request more time, but we must have read it. */
	if (conn->late && !conn->writing &&
		now_ms - conn->late_since_ms >= phase_timeout_ms(conn->table, PHASE_REQUEST))
		give_up(conn, METRICS_DROP_DEADLINE);
}

static void mark_dirty(struct conn *conn)
{
	if (list_is_empty(&conn->in_dirty))
		list_append(&conn->table->dirty, &conn->in_dirty);
}

static void mark_broken(struct conn *conn)
{
	conn->broken = true;
	mark_dirty(conn);
}

/* ---- the end ---- */

static void on_closed(uv_handle_t *handle)
{
	struct conn *conn = handle->data;
	free(conn);
}

static void conn_close(struct conn *conn)
{
	struct conn_table *table = conn->table;
	if (conn->closing)
		return;
	conn->closing = true;
	metrics_connection_closed(table->worker->metrics, conn->protocol->protocol);
	list_remove(&conn->in_dirty);
	list_remove(&conn->in_phase);
	list_remove(&conn->in_address);
	slot_give_back(table, conn);
	conn->protocol->framer->free(conn->framer);
	if (conn->tls)
		tls_stream_free(conn->tls);
	bytes_deinit(&conn->header);
	uv_close((uv_handle_t *)&conn->tcp, on_closed);
}

/* ---- writing ---- */

static void start_reading(struct conn *conn);

static void stop_reading(struct conn *conn)
{
	if (!conn->reading)
		return;
	conn->reading = false;
	uv_read_stop((uv_stream_t *)&conn->tcp);
}

static void on_written(uv_write_t *request, int status)
{
	struct pending_write *pending = container_of(request, struct pending_write, request);
	struct conn *conn = pending->conn;
	free(pending);
	if (conn->closing)
		return;
	conn->writing = false;
	if (status < 0)
		conn->broken = true;
	conn->drained = WRITE_PROGRESS; /* all of it went, however little it was */
	phase_update(conn);
	mark_dirty(conn);
}

static void write_later(struct conn *conn, struct slice bytes)
{
	struct pending_write *pending = malloc(sizeof *pending + bytes.len);
	if (!pending) {
		mark_broken(conn);
		return;
	}
	pending->conn = conn;
	memcpy(pending->bytes, bytes.at, bytes.len);
	uv_buf_t buffer = uv_buf_init((char *)pending->bytes, (unsigned)bytes.len);
	conn->writing = true;
	stop_reading(conn); /* who does not read is not read from */
	if (uv_write(&pending->request, (uv_stream_t *)&conn->tcp, &buffer, 1, on_written) == 0)
		return;
	free(pending);
	conn->writing = false;
	mark_broken(conn);
}

static void conn_write(struct conn *conn, struct slice bytes)
{
	uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)bytes.at, (unsigned)bytes.len);
	int sent = uv_try_write((uv_stream_t *)&conn->tcp, &buffer, 1);
	if (sent == UV_EAGAIN)
		sent = 0;
	if (sent < 0)
		mark_broken(conn);
	else if ((size_t)sent < bytes.len)
		write_later(conn, slice_of(bytes.at + sent, bytes.len - (size_t)sent));
}

/* One batch of frames from the framer to the socket; gives how many plain bytes it was. */
static size_t flush_once(struct conn *conn)
{
	struct worker *worker = conn->table->worker;
	size_t len =
		conn->protocol->framer->drain(conn->framer, worker->plain_buffer, WORKER_PLAIN_LEN);
	struct slice bytes = slice_of(worker->plain_buffer, len);
	if (len == 0)
		return 0;
	if (conn->tls) {
		struct writer cipher = writer_of(worker->cipher_buffer, WORKER_CIPHER_LEN);
		if (tls_stream_write(conn->tls, bytes, &cipher)) {
			conn->broken = true;
			return 0;
		}
		bytes = writer_slice(&cipher);
	}
	conn_write(conn, bytes);
	return len;
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
	if (conn->at_end || conn->broken || conn->writing ||
		uv_fileno((uv_handle_t *)&conn->tcp, &fd) || shutdown(fd, SHUT_WR)) {
		conn_close(conn);
		return;
	}
	conn->lingers = true;
	phase_enter(conn, PHASE_LINGER, worker_now_ms(conn->table->worker));
	if (!conn->reading)
		start_reading(conn);
}

static void conn_flush(struct conn *conn)
{
	size_t len = 1;
	if (conn->lingers && !conn->broken)
		return;
	while (len > 0 && !conn->broken && !conn->writing && conn->established) {
		len = flush_once(conn);
		conn->drained += len;
	}
	if (conn->broken) {
		conn_close(conn);
		return;
	}
	if (is_over(conn)) {
		say_goodbye(conn);
		linger(conn);
		return;
	}
	phase_update(conn);
	/* What HTTP/2's flow control holds back is no reason to stop: the window that lets it go is
	 * yet to be read. Streams are limited, and so is the time. */
	if (!conn->reading && !conn->writing && !conn->ended)
		start_reading(conn);
}

void conn_table_flush(struct conn_table *table)
{
	/* Only those that are dirty now: a flush may make one dirty again. */
	struct list batch = table->dirty;
	if (list_is_empty(&table->dirty))
		return;
	batch.next->prev = &batch;
	batch.prev->next = &batch;
	list_init(&table->dirty);
	for (struct list *node; (node = list_take_first(&batch));)
		conn_flush(container_of(node, struct conn, in_dirty));
}

/* ---- reading ---- */

/* In good order: what was begun is finished, nothing more is read. */
static void come_again(struct conn *conn)
{
	metrics_drop(conn->table->worker->metrics, METRICS_DROP_CERTIFICATE);
	conn->protocol->framer->finish(conn->framer);
	conn->ended = true;
	stop_reading(conn);
	mark_dirty(conn);
}

/* Who it was may be somebody else, or nobody: there is no answer for whom we cannot tell. */
static void turn_away(struct conn *conn, int32_t stream, enum claimant_fault fault)
{
	if (fault == CLAIMANT_UNCLEAR)
		metrics_drop(conn->table->worker->metrics, METRICS_DROP_FORWARDED);
	else if (!conn->ended)
		come_again(conn);
	conn->protocol->framer->reject(conn->framer, stream, fault == CLAIMANT_UNCLEAR ? 400 : 403);
	mark_dirty(conn);
}

static void on_message(
	void *host, int32_t stream, const struct framer_claims *said, struct slice message)
{
	struct conn *conn = host;
	struct worker *worker = conn->table->worker;
	struct claims claims = { .client = conn->client, .listener = conn->listener };
	enum claimant_fault fault = claimant_say(
		&claims, listener_of(conn), conn->tls, said, worker_wall_now_s(worker));
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
	conn->active = true;
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

static const struct framer_events framer_events = {
	.on_message = on_message,
	.on_status = on_status,
	.on_abandoned = on_abandoned,
	.on_reset_flood = on_reset_flood,
};

static void feed_framer(struct conn *conn, struct slice plain)
{
	int error = conn->protocol->framer->feed(conn->framer, plain);
	if (error == 0)
		return;
	if (error != ERR_CLOSED)
		metrics_drop(conn->table->worker->metrics,
			error == ERR_TOO_LONG ? METRICS_DROP_FRAME_FLOOD : METRICS_DROP_OTHER);
	conn->ended = true; /* what the framer still has to say (GOAWAY) goes out, then it closes */
	conn->held = 0;
	stop_reading(conn);
}

static void note_established(struct conn *conn)
{
	if (conn->established || !tls_stream_is_established(conn->tls))
		return;
	conn->established = true;
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

static void feed_tls(struct conn *conn, struct slice cipher)
{
	struct worker *worker = conn->table->worker;
	struct writer out = writer_of(worker->cipher_buffer, WORKER_CIPHER_LEN);
	ssize_t len;
	do {
		len = tls_stream_read(
			conn->tls, &cipher, worker->plain_buffer, WORKER_PLAIN_LEN, &out);
		note_established(conn);
		if (len > 0)
			feed_framer(conn, slice_of(worker->plain_buffer, (size_t)len));
	} while (len > 0 && !conn->ended);
	if (out.len > 0) /* handshake, alerts, tickets: they do not wait for the end of the turn */
		conn_write(conn, writer_slice(&out));
	if (len == ERR_CLOSED) {
		conn->ended = true;
	} else if (len < 0) {
		if (!conn->established) {
			metrics_tls(worker->metrics, "", tls_stream_error(conn->tls), false);
			log_handshake_failure(conn);
		}
		conn->broken = true;
	}
}

/* ---- the PROXY header ---- */

static void refuse_header(struct conn *conn, const char *reason)
{
	struct conn_table *table = conn->table;
	char peer[ADDRESS_TEXT_MAX];
	metrics_drop(table->worker->metrics, METRICS_DROP_PROXY_HEADER);
	unsigned counted = log_rate_ok(&table->header_failures, worker_now_ms(table->worker));
	if (!counted)
		return;
	address_text(&conn->client, peer);
	log_info("%s: no PROXY header peer=%s count=%u: %s",
		protocol_name(conn->protocol->protocol), peer, counted, reason);
}

/* Now it is known whose connection this is. */
static void take_client(struct conn *conn, const struct proxy_header *header)
{
	struct conn_table *table = conn->table;
	conn->owes_header = false;
	conn->established = !conn->protocol->encrypted;
	if (header->has_client) {
		conn->client = header->client;
		conn->client_port = header->client_port;
	}
	if (address_is_full(table, &conn->client)) {
		metrics_drop(table->worker->metrics, METRICS_DROP_PER_ADDRESS);
		mark_broken(conn);
		return;
	}
	list_append(address_bucket(table, &conn->client), &conn->in_address);
}

/* Takes the header, or what there is of it, from the front of `bytes`. */
static void feed_header(struct conn *conn, struct slice *bytes)
{
	struct proxy_header header;
	size_t before = bytes_len(&conn->header), room = PROXY_HEADER_MAX - before;
	size_t taken = bytes->len < room ? bytes->len : room;
	if (bytes_append(&conn->header, bytes->at, taken)) {
		metrics_drop(conn->table->worker->metrics, METRICS_DROP_NO_MEMORY);
		mark_broken(conn);
		return;
	}
	ssize_t len = proxy_header_read(bytes_peek(&conn->header), &header);
	if (len < 0) {
		refuse_header(conn, error_text((int)len));
		mark_broken(conn);
		return;
	}
	if (len > 0) {
		bytes_consume(&conn->header, bytes_len(&conn->header));
		taken = (size_t)len - before;
		take_client(conn, &header);
	}
	*bytes = slice_of(bytes->at + taken, bytes->len - taken);
}

/* ---- */

static void note_end_of_input(struct conn *conn)
{
	if (conn->owes_header && bytes_len(&conn->header) > 0)
		refuse_header(conn, "the peer closed before its end");
	else if (!conn->owes_header && !conn->established)
		metrics_tls(conn->table->worker->metrics, "", "closed", false);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	struct conn *conn = handle->data;
	(void)suggested;
	*buffer = uv_buf_init((char *)conn->table->worker->read_buffer, WORKER_READ_LEN);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer)
{
	struct conn *conn = stream->data;
	if (len == 0)
		return;
	mark_dirty(conn);
	if (conn->broken) { /* there is nothing more to learn from it */
		stop_reading(conn);
		return;
	}
	if (conn->lingers) {
		conn->drained += len > 0 ? (size_t)len : 0;
		conn->broken = len < 0 || conn->drained > LINGER_MAX;
		return;
	}
	if (len < 0) {
		note_end_of_input(conn);
		conn->ended = true;
		conn->at_end = true;
		conn->broken |= len != UV_EOF || !conn->established;
		stop_reading(conn);
		return;
	}
	struct slice bytes = slice_of(buffer->base, (size_t)len);
	if (conn->owes_header)
		feed_header(conn, &bytes);
	if (conn->owes_header || conn->broken || bytes.len == 0)
		return;
	if (conn->tls)
		feed_tls(conn, bytes);
	else
		feed_framer(conn, bytes);
	/* libuv reads on as long as there is something: some dozen buffers of questions can lead to
	 * a hundred times as many bytes of answers. */
	if (conn->protocol->framer->queued(conn->framer) > QUEUED_MAX)
		stop_reading(conn);
}

static void start_reading(struct conn *conn)
{
	conn->reading = true;
	if (uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read))
		mark_broken(conn);
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
	list_init(&conn->in_dirty);
	list_init(&conn->in_phase);
	list_init(&conn->in_address);
	bytes_init(&conn->header, PROXY_HEADER_MAX);
	uv_tcp_init(&table->worker->loop, &conn->tcp);
	conn->tcp.data = conn;
	return conn;
}

static bool open_layers(struct conn *conn, const struct listener_socket *socket)
{
	const struct framer_settings settings = {
		.events = &framer_events,
		.host = conn,
		.path = socket->path,
		.wants_forwarded = claimant_wants_forwarded(listener_of(conn)),
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
	conn->owes_header = claimant_is_proxied(listener_of(conn), &conn->client);
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

static bool may_enter(struct conn *conn)
{
	struct conn_table *table = conn->table;
	if (table->draining || !learn_client(conn))
		return false;
	/* A proxy has as many as it has clients. */
	if (!conn->owes_header && address_is_full(table, &conn->client)) {
		metrics_drop(table->worker->metrics, METRICS_DROP_PER_ADDRESS);
		return false;
	}
	if (!slot_take(table, conn)) {
		metrics_drop(table->worker->metrics, METRICS_DROP_CONNECTIONS_FULL);
		return false;
	}
	return true;
}

void conn_accept(struct worker *worker, struct listener_socket *socket)
{
	struct conn_table *table = worker->conns;
	struct conn *conn = conn_new(table, socket);
	if (!conn)
		return;
	bool entered = uv_accept((uv_stream_t *)&socket->tcp, (uv_stream_t *)&conn->tcp) == 0 &&
		may_enter(conn);
	if (entered && !open_layers(conn, socket)) {
		slot_give_back(table, conn);
		entered = false;
	}
	if (!entered) {
		uv_close((uv_handle_t *)&conn->tcp, on_closed);
		return;
	}
	set_options(conn);
	if (!conn->owes_header)
		list_append(address_bucket(table, &conn->client), &conn->in_address);
	metrics_connection_opened(worker->metrics, conn->protocol->protocol);
	phase_enter(conn, phase_now(conn), worker_now_ms(worker));
	start_reading(conn);
}

/* ---- replies ---- */

void conn_reply(
	struct worker *worker, const struct reply_to *to, struct slice message, uint32_t max_age_s)
{
	struct conn *conn = conn_find(worker->conns, to->conn);
	if (!conn)
		return;
	if (conn->protocol->framer->reply(conn->framer, to->stream, message, max_age_s))
		conn->broken = true;
	conn->active = true;
	mark_dirty(conn);
}

void conn_reject(struct worker *worker, const struct reply_to *to, unsigned status)
{
	struct conn *conn = conn_find(worker->conns, to->conn);
	if (!conn)
		return;
	conn->protocol->framer->reject(conn->framer, to->stream, status);
	mark_dirty(conn);
}

bool conn_hold(struct worker *worker, const struct reply_to *to)
{
	struct conn *conn = conn_find(worker->conns, to->conn);
	if (!conn || conn->held >= limits_of(worker->conns)->queries_per_connection)
		return false;
	conn->held++;
	return true;
}

void conn_release(struct worker *worker, const struct reply_to *to)
{
	struct conn *conn = conn_find(worker->conns, to->conn);
	if (!conn || conn->held == 0)
		return;
	conn->held--;
	mark_dirty(conn);
}

/* ---- time passes ---- */

static void give_up(struct conn *conn, enum metrics_drop_reason reason)
{
	list_remove(&conn->in_phase); /* it is judged; the flush closes it */
	if (conn->broken)
		return;
	metrics_drop(conn->table->worker->metrics, reason);
	mark_broken(conn);
}

static void end_idle(struct conn *conn, uint64_t now_ms)
{
	if (conn->held > 0) {
		phase_enter(conn, PHASE_IDLE, now_ms); /* it is we who are slow */
		return;
	}
	list_remove(&conn->in_phase);
	metrics_drop(conn->table->worker->metrics, METRICS_DROP_IDLE);
	conn->protocol->framer->finish(conn->framer);
	conn->ended = true; /* in good order */
	mark_dirty(conn);
}

static void end_handshake(struct conn *conn)
{
	if (conn->owes_header) {
		list_remove(&conn->in_phase);
		if (!conn->broken)
			refuse_header(conn, "it did not come in time");
		mark_broken(conn);
		return;
	}
	metrics_tls(conn->table->worker->metrics, "", "timeout", false);
	give_up(conn, METRICS_DROP_HANDSHAKE_TIMEOUT);
}

static void on_deadline(struct conn *conn, uint64_t now_ms)
{
	switch (conn->phase) {
	case PHASE_HANDSHAKE: end_handshake(conn); return;
	case PHASE_REQUEST: give_up(conn, METRICS_DROP_DEADLINE); return;
	case PHASE_WRITE: give_up(conn, METRICS_DROP_SLOW_READER); return;
	case PHASE_LINGER:
		list_remove(&conn->in_phase);
		mark_broken(conn);
		return;
	default: end_idle(conn, now_ms); return;
	}
}

void conn_table_tick(struct conn_table *table)
{
	uint64_t now_ms = worker_now_ms(table->worker);
	for (unsigned phase = 0; phase < PHASE_COUNT; phase++) {
		struct list *head = &table->phases[phase];
		uint64_t timeout_ms = phase_timeout_ms(table, (enum conn_phase)phase);
		while (!list_is_empty(head)) {
			struct conn *conn = container_of(head->next, struct conn, in_phase);
			if (conn->entered_ms + timeout_ms > now_ms)
				break;
			on_deadline(conn, now_ms);
		}
	}
}

void conn_table_recheck(struct conn_table *table)
{
	const struct tls_context *tls = table->worker->epoch->snapshot->tls;
	for (uint32_t i = 0; tls && i < table->untouched; i++) {
		struct conn *conn = table->slots[i].conn;
		if (conn && conn->tls && !conn->ended && !tls_stream_may_stay(conn->tls, tls))
			come_again(conn);
	}
}

void conn_table_drain(struct conn_table *table)
{
	table->draining = true;
	for (uint32_t i = 0; i < table->untouched; i++) {
		struct conn *conn = table->slots[i].conn;
		if (!conn)
			continue;
		conn->protocol->framer->finish(conn->framer);
		conn->broken |= !conn->established;
		mark_dirty(conn);
	}
}

void conn_table_close_all(struct conn_table *table)
{
	for (uint32_t i = 0; i < table->untouched; i++) {
		struct conn *conn = table->slots[i].conn;
		if (conn)
			conn_close(conn);
	}
}
