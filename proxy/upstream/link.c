/* link.c - see link.h.
 *
 * Life: link_open() -> on_connect -> feed (handshake) -> on_up -> feeds and flushes -> mark_over()
 * -> on_turn: on_over -> link_close() -> on_closed frees. */
#include "proxy/upstream/link.h"

#include <netinet/tcp.h>
#include <stdlib.h>

#include "base/error.h"
#include "proxy/upstream/exchange.h"

enum {
	READ_LEN = EXCHANGE_BUFFER_LEN / 2, /* of the cipher buffer; libuv reads 32 times a turn at
					       most, so 1 MiB */
	REPLY_LEN = EXCHANGE_BUFFER_LEN - READ_LEN, /* what TLS has to say while we read */
	FLUSH_LEN = 32 * 1024,
	UNSENT_MAX = 256 * 1024,
	GOODBYE_MAX = 256,
	USER_TIMEOUT_MS = 5000,  /* unacknowledged for so long, the kernel ends it as well */
	CUT_RETRANSMISSIONS = 2, /* in a row; the first is lost now and then */
};

_Static_assert(
	(int)REPLY_LEN >= (int)TLS_OUT_MIN, "half a buffer takes what a read of TLS may write");

/* What a full socket did not take, until it does. */
struct pending_write {
	uv_write_t request;
	struct link *link;
	size_t len;
	uint8_t bytes[];
};

static void on_turn(uv_idle_t *turn);

/* An idle handle rather than a prepare handle: what is marked by the last callback before the loop
 * waits is not forgotten, as libuv does not wait while one is active. Stopped in time it costs no
 * extra round. */
static void mark_dirty(struct link *link)
{
	if (link->closing || !list_is_empty(&link->in_dirty))
		return;
	list_append(&link->host->dirty, &link->in_dirty);
	uv_idle_start(&link->host->turn, on_turn);
}

static void mark_over(struct link *link, enum link_end end, int error)
{
	if (link->end == LINK_GOES_ON) { /* the first reason is the cause */
		link->end = end;
		link->error = error;
	}
	mark_dirty(link);
}

/* What a failure means in this phase. */
static void mark_failed(struct link *link, int error, const char *word, const char *reason)
{
	static const enum link_end ends[] = {
		[LINK_CONNECTING] = LINK_CONNECT_FAILED,
		[LINK_SHAKING] = LINK_HANDSHAKE_FAILED,
		[LINK_UP] = LINK_BROKEN,
	};
	if (link->end == LINK_GOES_ON) {
		link->word = word;
		link->reason = reason;
	}
	mark_over(link, ends[link->phase], error);
}

void link_end(struct link *link, enum link_end end)
{
	mark_over(link, end, end == LINK_LOST ? ERR_TIMEOUT : 0);
}

/* --- writing --- */

static void on_written(uv_write_t *request, int status)
{
	struct pending_write *pending = container_of(request, struct pending_write, request);
	struct link *link = pending->link;
	link->unsent -= pending->len;
	free(pending);
	if (link->closing)
		return;
	if (status < 0)
		mark_failed(link, status, "closed", uv_strerror(status));
	mark_dirty(link);
}

static void write_later(struct link *link, struct slice bytes)
{
	struct pending_write *pending = NULL;
	if (link->unsent + bytes.len <= UNSENT_MAX)
		pending = malloc(sizeof *pending + bytes.len);
	if (!pending) {
		mark_over(link, LINK_BROKEN, ERR_TOO_LONG);
		return;
	}
	pending->link = link;
	pending->len = bytes.len;
	memcpy(pending->bytes, bytes.at, bytes.len);
	uv_buf_t buffer = uv_buf_init((char *)pending->bytes, (unsigned)bytes.len);
	int error = uv_write(&pending->request, (uv_stream_t *)&link->tcp, &buffer, 1, on_written);
	if (error) {
		free(pending);
		mark_failed(link, error, "closed", uv_strerror(error));
		return;
	}
	link->unsent += bytes.len;
}

static void link_write(struct link *link, struct slice bytes)
{
	if (bytes.len == 0)
		return;
	uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)bytes.at, (unsigned)bytes.len);
	int sent = uv_try_write((uv_stream_t *)&link->tcp, &buffer, 1);
	if (sent == UV_EAGAIN)
		sent = 0;
	if (sent < 0)
		mark_failed(link, sent, "closed", uv_strerror(sent));
	else if ((size_t)sent < bytes.len)
		write_later(link, slice_of(bytes.at + sent, bytes.len - (size_t)sent));
}

/* One batch of questions from the asker to the socket; gives how many plain bytes it was. */
static size_t flush_once(struct link *link)
{
	struct link_host *host = link->host;
	size_t len = host->asker->drain(link->asker, host->plain_buffer, FLUSH_LEN);
	if (len == 0)
		return 0;
	struct writer cipher = writer_of(host->cipher_buffer, EXCHANGE_BUFFER_LEN);
	if (tls_stream_write(link->tls, slice_of(host->plain_buffer, len), &cipher)) {
		mark_over(link, LINK_BROKEN, ERR_TLS);
		return 0;
	}
	link_write(link, writer_slice(&cipher));
	return len;
}

static void link_flush(struct link *link)
{
	size_t len = 1;
	while (len > 0 && link->phase == LINK_UP && link->unsent == 0 && link->end == LINK_GOES_ON)
		len = flush_once(link);
}

static void on_turn(uv_idle_t *turn)
{
	struct link_host *host = turn->data;
	/* Only those that are dirty now. Nothing that is called from here frees a link at once, and
	 * whoever closes one takes it out of the list. */
	struct list batch;
	list_init(&batch);
	for (struct list *node; (node = list_take_first(&host->dirty));)
		list_append(&batch, node);
	for (struct list *node; (node = list_take_first(&batch));) {
		struct link *link = container_of(node, struct link, in_dirty);
		if (link->end == LINK_GOES_ON)
			link_flush(link);
		if (link->end != LINK_GOES_ON)
			host->events->on_over(link);
	}
	if (list_is_empty(&host->dirty))
		uv_idle_stop(turn);
}

/* --- reading --- */

static void on_asker_answer(void *context, uint32_t number, struct slice message)
{
	struct link *link = context;
	link->heard_ms = uv_now(link->host->loop);
	link->host->events->on_answer(link, number, message);
}

static void on_asker_failed(void *context, uint32_t number, int error)
{
	struct link *link = context;
	link->host->events->on_failed(link, number, error);
}

static const struct asker_events asker_events = {
	.on_answer = on_asker_answer,
	.on_failed = on_asker_failed,
};

static void feed_asker(struct link *link, struct slice plain)
{
	const struct asker_type *asker = link->host->asker;
	int error = asker->feed(link->asker, plain);
	uint64_t strays = asker->strays(link->asker) - link->strays;
	link->strays += strays;
	if (strays > 0)
		link->host->events->on_strays(link, (unsigned)strays);
	if (error == ERR_CLOSED)
		mark_over(link, LINK_LEFT, error);
	else if (error)
		mark_over(link, LINK_BROKEN, error);
	else if (link->question_count == 0 && asker->is_leaving(link->asker))
		mark_over(link, LINK_LEFT, 0);
}

static void note_up(struct link *link)
{
	if (link->phase == LINK_UP || !tls_stream_is_established(link->tls))
		return;
	link->phase = LINK_UP;
	link->host->events->on_up(link);
}

static void note_tls_end(struct link *link, ssize_t end)
{
	if (end == ERR_CLOSED && link->phase == LINK_UP)
		mark_over(link, LINK_LEFT, 0);
	else if (end == ERR_CLOSED)
		mark_failed(link, ERR_CLOSED, "closed", "closed in the middle of the handshake");
	else if (end < 0)
		mark_failed(
			link, ERR_TLS, tls_stream_error(link->tls), tls_stream_reason(link->tls));
}

/* What the stream says meanwhile (handshake, alerts) does not wait for the end of the turn. */
static void feed_tls(struct link *link, struct slice cipher)
{
	struct link_host *host = link->host;
	struct writer out = writer_of(host->cipher_buffer + READ_LEN, REPLY_LEN);
	ssize_t len;
	do {
		len = tls_stream_read(
			link->tls, &cipher, host->plain_buffer, EXCHANGE_BUFFER_LEN, &out);
		if (len >= 0)
			note_up(link);
		if (len > 0 && !link->closing)
			feed_asker(link, slice_of(host->plain_buffer, (size_t)len));
		if (link->closing)
			return;
	} while (len > 0 && link->end == LINK_GOES_ON);
	link_write(link, writer_slice(&out));
	note_tls_end(link, len);
	mark_dirty(link);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	struct link *link = handle->data;
	(void)suggested;
	*buffer = uv_buf_init((char *)link->host->cipher_buffer, READ_LEN);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer)
{
	struct link *link = stream->data;
	if (len == 0)
		return;
	if (len < 0 || link->end != LINK_GOES_ON) {
		uv_read_stop(stream);
		if (len == UV_EOF && link->phase == LINK_UP)
			mark_over(link, LINK_LEFT, 0);
		else if (len < 0)
			mark_failed(link, (int)len, "closed", uv_strerror((int)len));
		return;
	}
	/* Over DoT a peer can be in the middle of a message for ever, so that nothing behind it can
	 * be understood; whole frames of HTTP/2 are a sign of life. */
	if (link->host->asker != &asker_dot)
		link->heard_ms = uv_now(link->host->loop);
	feed_tls(link, slice_of(buffer->base, (size_t)len));
}

/* --- the beginning --- */

static void set_options(struct link *link)
{
	uv_os_fd_t fd;
	unsigned user_timeout_ms = USER_TIMEOUT_MS;
	uv_tcp_nodelay(&link->tcp, 1);
	if (uv_fileno((uv_handle_t *)&link->tcp, &fd) == 0)
		setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms,
			sizeof user_timeout_ms);
}

static void on_connect(uv_connect_t *connect, int status)
{
	struct link *link = connect->data;
	if (link->closing || link->end != LINK_GOES_ON)
		return;
	if (status == 0)
		status = uv_read_start((uv_stream_t *)&link->tcp, on_alloc, on_read);
	if (status) {
		mark_failed(link, status, "closed", uv_strerror(status));
		return;
	}
	link->phase = LINK_SHAKING;
	set_options(link);
	feed_tls(link, slice_of(NULL, 0)); /* it is us who begin */
}

static void start_connecting(struct link *link)
{
	struct sockaddr_storage to;
	address_to_sockaddr(&link->address, link->host->port, &to);
	int error = uv_tcp_connect(
		&link->connect, &link->tcp, (const struct sockaddr *)&to, on_connect);
	if (error)
		mark_failed(link, error, "closed", uv_strerror(error));
}

static bool open_layers(struct link *link)
{
	struct link_host *host = link->host;
	struct asker_settings settings = host->settings;
	settings.events = &asker_events;
	settings.host = link;
	link->asker = host->asker->open(&settings);
	link->tls = link->asker ? tls_client_open(host->tls) : NULL;
	if (link->tls)
		return true;
	if (link->asker)
		host->asker->free(link->asker);
	return false;
}

struct link *link_open(struct link_host *host, const struct address *address)
{
	struct link *link = calloc(1, sizeof *link);
	if (!link)
		return NULL;
	link->host = host;
	link->address = *address;
	link->opened_ms = link->heard_ms = uv_now(host->loop);
	link->doubtful = UINT64_MAX;
	link->word = "other";
	link->reason = "";
	list_init(&link->in_dirty);
	list_init(&link->in_links);
	list_init(&link->questions);
	if (!open_layers(link)) {
		free(link);
		return NULL;
	}
	uv_tcp_init(host->loop, &link->tcp);
	host->handles++;
	link->tcp.data = link;
	link->connect.data = link;
	start_connecting(link);
	return link;
}

/* --- questions --- */

bool link_is_leaving(const struct link *link)
{
	return link->retired || link->host->asker->is_leaving(link->asker);
}

bool link_is_up(const struct link *link)
{
	return link->phase == LINK_UP && link->end == LINK_GOES_ON;
}

bool link_is_usable(const struct link *link)
{
	return link_is_up(link) && !link_is_leaving(link) && link->doubtful == UINT64_MAX;
}

unsigned link_room(const struct link *link)
{
	/* A socket that is full says that the peer does not read: 256 questions are less than what
	 * the kernel takes. */
	if (!link_is_up(link) || link->unsent > 0 || link_is_leaving(link))
		return 0;
	return link->host->asker->room(link->asker);
}

int link_ask(struct link *link, uint32_t number, struct slice message)
{
	int error = link->host->asker->ask(link->asker, number, message);
	if (error == 0)
		mark_dirty(link);
	return error;
}

void link_cancel(struct link *link, uint32_t number)
{
	link->host->asker->cancel(link->asker, number);
	mark_dirty(link);
}

struct asker_http link_http(const struct link *link)
{
	return link->host->asker->http(link->asker);
}

bool link_is_cut(const struct link *link)
{
	uv_os_fd_t fd;
	struct tcp_info info = { 0 };
	socklen_t len = sizeof info;
	if (uv_fileno((const uv_handle_t *)&link->tcp, &fd) ||
		getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		return false;
	return info.tcpi_retransmits >= CUT_RETRANSMISSIONS;
}

/* --- the end --- */

static void on_closed(uv_handle_t *handle)
{
	struct link *link = handle->data;
	struct link_host *host = link->host;
	tls_stream_free(link->tls);
	host->asker->free(link->asker);
	free(link);
	host->handles--;
	host->events->on_closed(host->context);
}

static void say_goodbye(struct link *link)
{
	uint8_t bytes[GOODBYE_MAX]; /* the shared buffers may be in use */
	struct writer cipher = writer_of(bytes, sizeof bytes);
	if (link->phase != LINK_UP || link->end == LINK_BROKEN || link->unsent > 0)
		return;
	tls_stream_close(link->tls, &cipher);
	uv_buf_t buffer = uv_buf_init((char *)bytes, (unsigned)cipher.len);
	if (cipher.len > 0)
		uv_try_write((uv_stream_t *)&link->tcp, &buffer, 1);
}

void link_close(struct link *link)
{
	if (link->closing)
		return;
	say_goodbye(link);
	link->closing = true;
	list_remove(&link->in_dirty);
	uv_close((uv_handle_t *)&link->tcp, on_closed);
}

static void on_turn_closed(uv_handle_t *handle)
{
	struct link_host *host = handle->data;
	host->handles--;
	host->events->on_closed(host->context);
}

void link_host_start(struct link_host *host)
{
	list_init(&host->dirty);
	uv_idle_init(host->loop, &host->turn);
	host->turn.data = host;
	host->handles++;
}

void link_host_stop(struct link_host *host)
{
	uv_close((uv_handle_t *)&host->turn, on_turn_closed);
}
