#include "proxy/upstream/cares.h"

#include <ares.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/reader.h"
#include "dns/query.h"

/* From 1.34 on ares_send, ares_process_fd and ares_set_servers_ports carry a deprecation mark; what
 * replaces them does not exist before. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

enum {
	/* Beyond UPSTREAM_DEADLINE_MS: its time-out gives back queries that were given up. */
	CHANNEL_TIMEOUT_MS = 6000,
	CHANNEL_EDNS_SIZE = 4096,
	TOKEN_LEN = 8,                                 /* hexadecimal digits */
	STAND_IN_LEN = DNS_HEADER_LEN + TOKEN_LEN + 6, /* one label, root, type, class */
	TCP_READ = 16384,
	TCP_WRITE_CEILING = 4 << 20, /* more than all queries of a channel */
	TCP_CEILING = 2 * (2 + DNS_MESSAGE_MAX),
};

struct cares {
	uv_loop_t *loop;
	const struct cares_events *events;
	ares_channel ares;
	unsigned in_flight;
	uint32_t tokens;
	struct list waiting; /* of cares_query.node, see there */
	struct list links;   /* one at most, but that is c-ares' business */
};

/* A connection. Outlives the channel until its handle is closed. */
struct link {
	uv_poll_t poll;
	struct list node;
	struct cares *channel; /* NULL once closed */
	const struct cares_events *events;
	int fd;
	int wanted; /* events that c-ares waits for */
	int polled; /* and those that we poll for */
	struct bytes in;
	struct bytes out;
	uint8_t told[2 + STAND_IN_LEN]; /* the stand-in that c-ares reads, framed */
	size_t told_len;
	size_t told_at;
	bool ended; /* no more bytes will come */
};

/* --- the stand-in --- */

/* The question is a number, and the answer is SERVFAIL without records: all versions complete a
 * query by it (ARES_FLAG_NOCHECKRESP), and none caches it (1.31), learns a time-out from it (1.32),
 * answers it with a query of its own (FORMERR, TC, BADCOOKIE), or parses what a stranger wrote
 * (1.34 closes the connection and fails all its queries over one record that it does not like). */
enum {
	QUESTION = DNS_FLAG_RD,
	ANSWER = DNS_FLAG_QR | DNS_FLAG_RD | DNS_FLAG_RA | DNS_RCODE_SERVFAIL
};

static void stand_in_write(uint8_t at[STAND_IN_LEN], unsigned flags, uint16_t id, uint32_t token)
{
	struct writer to = writer_of(at, STAND_IN_LEN);
	writer_u16(&to, id);
	writer_u16(&to, (uint16_t)flags);
	writer_u16(&to, 1);
	writer_zeros(&to, 6);
	writer_u8(&to, TOKEN_LEN);
	for (unsigned shift = 4 * TOKEN_LEN; shift > 0; shift -= 4)
		writer_u8(&to, (uint8_t) "0123456789abcdef"[token >> (shift - 4) & 0xf]);
	writer_u8(&to, 0);
	writer_u16(&to, DNS_TYPE_A);
	writer_u16(&to, DNS_CLASS_IN);
}

static uint32_t stand_in_token(const uint8_t at[STAND_IN_LEN])
{
	uint32_t token = 0;
	for (unsigned i = 0; i < TOKEN_LEN; i++) {
		uint8_t digit = at[DNS_HEADER_LEN + 1 + i];
		token = token << 4 | (uint32_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
	}
	return token;
}

static uint16_t stand_in_id(const uint8_t at[STAND_IN_LEN])
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static ares_ssize_t would_block(void)
{
	errno = EAGAIN;
	return -1;
}

static size_t vector_len(const struct iovec *vector, int count)
{
	size_t len = 0;
	for (int i = 0; i < count; i++)
		len += vector[i].iov_len;
	return len;
}

/* --- TCP as c-ares sees it --- */

static int tcp_connect(
	ares_socket_t fd, const struct sockaddr *address, ares_socklen_t len, void *data)
{
	(void)data;
	return connect(fd, address, len);
}

static struct link *link_of(struct cares *channel, ares_socket_t fd)
{
	for (struct list *node = channel->links.next; node != &channel->links; node = node->next) {
		struct link *link = container_of(node, struct link, node);
		if (link->fd == fd)
			return link;
	}
	return NULL;
}

static void on_link_closed(uv_handle_t *handle)
{
	struct link *link = container_of((uv_poll_t *)handle, struct link, poll);
	const struct cares_events *events = link->events;
	bytes_deinit(&link->in);
	bytes_deinit(&link->out);
	free(link);
	events->on_handle(events->context, -1);
}

static ares_socket_t tcp_socket(int family, int type, int protocol, void *data)
{
	struct cares *channel = data;
	struct link *link = calloc(1, sizeof *link);
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	if (!link || fd < 0 || uv_poll_init(channel->loop, &link->poll, fd) != 0) {
		if (fd >= 0)
			close(fd);
		free(link);
		errno = ENOMEM;
		return ARES_SOCKET_BAD;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	link->channel = channel;
	link->events = channel->events;
	link->fd = fd;
	bytes_init(&link->in, TCP_CEILING);
	bytes_init(&link->out, TCP_WRITE_CEILING);
	list_append(&channel->links, &link->node);
	channel->events->on_handle(channel->events->context, 1);
	return fd;
}

static int tcp_close(ares_socket_t fd, void *data)
{
	struct link *link = link_of(data, fd);
	if (!link)
		return close(fd);
	list_remove(&link->node);
	link->channel = NULL;
	uv_close((uv_handle_t *)&link->poll, on_link_closed);
	return close(fd);
}

/* Polls for what c-ares waits for, and for room when we have bytes left. */
static void link_poll(struct link *link);

/* True unless the connection is broken, with errno. */
static bool link_flush(struct link *link)
{
	while (bytes_len(&link->out) > 0) {
		struct slice left = bytes_peek(&link->out);
		ssize_t sent = send(link->fd, left.at, left.len, MSG_NOSIGNAL);
		if (sent < 0)
			return errno == EAGAIN || errno == EINTR;
		bytes_consume(&link->out, (size_t)sent);
	}
	return true;
}

static struct cares_query *take_unwritten(struct cares *channel, uint32_t token)
{
	/* They are written in the order in which they were asked: it is the first. */
	struct list *node = channel->waiting.next;
	for (; node != &channel->waiting; node = node->next) {
		struct cares_query *query = container_of(node, struct cares_query, node);
		if (query->token != token)
			continue;
		list_remove(node);
		return query;
	}
	return NULL;
}

/* Puts our messages in the place of stand-ins. False when it is not those that came, or when out of
 * memory. */
static bool link_translate(struct link *link, struct slice framed)
{
	struct reader r = reader_of(framed);
	while (reader_left(&r) > 0) {
		size_t len = reader_u16(&r);
		struct slice stand_in = reader_bytes(&r, len);
		if (r.failed || len != STAND_IN_LEN)
			return false;
		struct cares_query *query =
			take_unwritten(link->channel, stand_in_token(stand_in.at));
		if (!query)
			continue;
		query->ares_id = stand_in_id(stand_in.at);
		uint8_t prefix[] = { (uint8_t)(query->message.len >> 8),
			(uint8_t)query->message.len };
		if (bytes_append(&link->out, prefix, sizeof prefix) ||
			bytes_append(&link->out, query->message.at, query->message.len))
			return false;
	}
	return true;
}

static ares_ssize_t tcp_send(ares_socket_t fd, const struct iovec *vector, int count, void *data)
{
	struct link *link = link_of(data, fd);
	for (int i = 0; link && i < count; i++) {
		if (!link_translate(link, slice_of(vector[i].iov_base, vector[i].iov_len)))
			link = NULL;
	}
	if (!link) {
		errno = ECONNRESET;
		return -1;
	}
	if (!link_flush(link))
		return -1;
	link_poll(link);
	return (ares_ssize_t)vector_len(vector, count);
}

static ares_ssize_t tcp_receive(ares_socket_t fd, void *to, size_t capacity, int flags,
	struct sockaddr *from, ares_socklen_t *from_len, void *data)
{
	struct link *link = link_of(data, fd);
	(void)flags;
	(void)from;
	(void)from_len;
	size_t left = link ? link->told_len - link->told_at : 0;
	if (left == 0)
		return !link || link->ended ? 0 : would_block();
	if (left > capacity)
		left = capacity;
	memcpy(to, link->told + link->told_at, left);
	link->told_at += left;
	return (ares_ssize_t)left;
}

static const struct ares_socket_functions tcp_functions = {
	.asocket = tcp_socket,
	.aclose = tcp_close,
	.aconnect = tcp_connect,
	.arecvfrom = tcp_receive,
	.asendv = tcp_send,
};

/* --- TCP as the wire has it --- */

/* Tells c-ares that a query is over. It may take the stand-in in several bites, and may close the
 * link meanwhile. */
static void link_tell(struct link *link, const struct cares_query *query)
{
	link->told[0] = 0;
	link->told[1] = STAND_IN_LEN;
	stand_in_write(link->told + 2, ANSWER, query->ares_id, query->token);
	link->told_len = sizeof link->told;
	link->told_at = 0;
	while (link->channel && link->told_at < link->told_len) {
		size_t before = link->told_at;
		ares_process_fd(link->channel->ares, link->fd, ARES_SOCKET_BAD);
		if (link->told_at == before)
			return;
	}
}

/* Every whole message; returns how many bytes they took. */
static size_t link_take_messages(struct link *link)
{
	struct reader r = reader_of(bytes_peek(&link->in));
	size_t taken = 0;
	while (link->channel) {
		size_t len = reader_u16(&r);
		struct slice message = reader_bytes(&r, len);
		if (r.failed)
			return taken;
		taken = reader_position(&r);
		struct cares_query *query =
			link->events->on_message(link->events->context, message);
		if (query)
			link_tell(link, query);
	}
	return taken;
}

static void link_end(struct link *link)
{
	link->ended = true;
	ares_process_fd(link->channel->ares, link->fd, ARES_SOCKET_BAD);
}

static void link_read(struct link *link)
{
	uint8_t *at = bytes_reserve(&link->in, TCP_READ);
	ssize_t count = at ? recv(link->fd, at, TCP_READ, 0) : 0;
	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (count <= 0) {
		link_end(link);
		link->events->on_turn(link->events->context);
		return;
	}
	bytes_claim(&link->in, (size_t)count);
	size_t taken = link_take_messages(link);
	/* The answers are looked at where they lie, so they go after the turn. */
	link->events->on_turn(link->events->context);
	bytes_consume(&link->in, taken);
}

static void on_link(uv_poll_t *handle, int status, int events)
{
	struct link *link = container_of(handle, struct link, poll);
	if (status >= 0 && events & UV_WRITABLE) {
		if (link->wanted & UV_WRITABLE)
			ares_process_fd(link->channel->ares, ARES_SOCKET_BAD, link->fd);
		if (link->channel && !link_flush(link))
			status = -errno;
	}
	if (link->channel && (status < 0 || events & UV_READABLE))
		link_read(link);
	else
		link->events->on_turn(link->events->context);
	/* With an error libuv has stopped polling: there is nothing to wait for. */
	if (link->channel && status < 0) {
		link_end(link);
		link->events->on_turn(link->events->context);
	}
	if (link->channel)
		link_poll(link);
}

static void link_poll(struct link *link)
{
	int wanted = link->wanted | (bytes_len(&link->out) > 0 ? UV_WRITABLE : 0);
	if (wanted == link->polled)
		return;
	link->polled = wanted;
	if (wanted)
		uv_poll_start(&link->poll, wanted, on_link);
	else
		uv_poll_stop(&link->poll);
}

/* c-ares says what it waits for. */
static void on_state(void *data, ares_socket_t fd, int readable, int writable)
{
	struct cares *channel = data;
	struct link *link = link_of(channel, fd);
	if (!link)
		return;
	link->wanted = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);
	link_poll(link);
}

/* --- channels --- */

static void start_library(void)
{
	/* 1.22.0 and .1 never fail over, 1.34.6 opens a socket per query after one failure. */
	static const char *const bad[] = { "1.22.0", "1.22.1", "1.34.6" };
	ares_library_init(ARES_LIB_INIT_ALL);
	unsetenv("LOCALDOMAIN");
	unsetenv("RES_OPTIONS");
	const char *version = ares_version(NULL);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (strcmp(version, bad[i]) == 0)
			log_warning(
				"upstream: c-ares %s has known faults, another version is advised",
				version);
	}
}

void cares_start(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, start_library);
}

static int set_server(struct cares *channel, const struct address *address, uint16_t port)
{
	struct ares_addr_port_node server = { .udp_port = port, .tcp_port = port };
	if (address_is_v4(address)) {
		server.family = AF_INET;
		memcpy(&server.addr.addr4, address->bytes + 12, 4);
	} else {
		server.family = AF_INET6;
		memcpy(&server.addr.addr6, address->bytes, 16);
	}
	return ares_set_servers_ports(channel->ares, &server);
}

static int open_ares(struct cares *channel)
{
	char nothing[] = "/dev/null";
	char no_files[] = "b";
	struct ares_options options = {
		.flags = ARES_FLAG_NOCHECKRESP | ARES_FLAG_EDNS | ARES_FLAG_STAYOPEN |
			ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_USEVC,
		.timeout = CHANNEL_TIMEOUT_MS,
		.tries = 1,
		.ndots = 0,
		.ednspsz = CHANNEL_EDNS_SIZE,
		.sock_state_cb = on_state,
		.sock_state_cb_data = channel,
		.resolvconf_path = nothing,
		.lookups = no_files,
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
		ARES_OPT_EDNSPSZ | ARES_OPT_SOCK_STATE_CB | ARES_OPT_RESOLVCONF | ARES_OPT_LOOKUPS;
#ifdef ARES_OPT_QUERY_CACHE
	/* 0 seconds: off. A binary built with older headers has it off all the same, as a SERVFAIL
	 * is never kept. */
	options.qcache_max_ttl = 0;
	mask |= ARES_OPT_QUERY_CACHE;
#endif
	return ares_init_options(&channel->ares, &options, mask);
}

struct cares *cares_new(uv_loop_t *loop, const struct address *address, uint16_t port,
	const struct cares_events *events)
{
	struct cares *channel = calloc(1, sizeof *channel);
	if (!channel)
		return NULL;
	channel->loop = loop;
	channel->events = events;
	list_init(&channel->waiting);
	list_init(&channel->links);
	if (open_ares(channel) != ARES_SUCCESS) {
		free(channel);
		return NULL;
	}
	if (set_server(channel, address, port) != ARES_SUCCESS) {
		ares_destroy(channel->ares);
		free(channel);
		return NULL;
	}
	ares_set_socket_functions(channel->ares, &tcp_functions, channel);
	return channel;
}

void cares_free(struct cares *channel)
{
	if (!channel)
		return;
	ares_destroy(channel->ares);
	free(channel);
}

/* --- queries --- */

static void on_over(void *arg, int status, int timeouts, unsigned char *bytes, int len)
{
	struct cares_query *query = arg;
	struct cares *channel = query->channel;
	enum cares_end end = status == ARES_SUCCESS ? CARES_OVER
		: status == ARES_ENOMEM             ? CARES_NO_MEMORY
						    : CARES_FAILED;
	(void)timeouts;
	(void)bytes;
	(void)len;
	list_remove(&query->node);
	query->channel = NULL;
	channel->in_flight--;
	channel->events->on_over(channel->events->context, query, end);
}

void cares_send(struct cares *channel, struct cares_query *query, struct slice message, uint16_t id)
{
	uint8_t stand_in[STAND_IN_LEN];
	query->channel = channel;
	query->message = message;
	query->token = channel->tokens++;
	stand_in_write(stand_in, QUESTION, id, query->token);
	list_init(&query->node);
	channel->in_flight++;
	list_append(&channel->waiting, &query->node);
	ares_send(channel->ares, stand_in, sizeof stand_in, on_over, query);
}

void cares_tick(struct cares *channel)
{
	ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

unsigned cares_in_flight(const struct cares *channel)
{
	return channel->in_flight;
}
