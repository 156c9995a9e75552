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
#include "proxy/upstream/judge.h"

/* From 1.34 on ares_send, ares_process_fd and ares_set_servers_ports carry a deprecation mark; what
 * replaces them does not exist before. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

enum {
	/* Beyond UPSTREAM_DEADLINE_MS: over UDP c-ares never times out first, over TCP its time-out
	 * gives back queries that were given up. */
	CHANNEL_TIMEOUT_MS = 6000,
	CHANNEL_EDNS_SIZE = 4096, /* 1.18 and 1.27 compare the length of queries with it */
	STAND_IN_MAX = DNS_HEADER_LEN + DNS_NAME_MAX + 4,
	TCP_READ = 16384,
	TCP_CEILING = 2 * (2 + DNS_MESSAGE_MAX),
};

struct cares {
	uv_loop_t *loop;
	enum cares_kind kind;
	const struct cares_events *events;
	ares_channel ares;
	unsigned in_flight;
	struct sockaddr_storage server;
	socklen_t server_len;
	int udp_fd; /* what c-ares takes for its socket; nothing passes through it */
	struct cares_query *sending; /* within ares_send() */
	struct list feed;            /* UDP: queries to be ended */
	struct list links;           /* TCP: one at most, but that is c-ares' business */
	struct slice message;        /* TCP: what c-ares is being told about */
};

/* A TCP connection. Outlives the channel until its handle is closed. */
struct link {
	uv_poll_t poll;
	struct list node;
	struct cares *channel; /* NULL once closed */
	const struct cares_events *events;
	int fd;
	int polled;
	struct bytes in;
	uint8_t out[2 + STAND_IN_MAX]; /* the stand-in that c-ares reads, framed */
	size_t out_len;
	size_t out_at;
	bool ended; /* no more bytes will come */
};

/* --- the stand-in --- */

/* A well-formed answer without records. SERVFAIL, as all versions complete a query by it
 * (ARES_FLAG_NOCHECKRESP) and none caches it (1.31), learns a time-out from it (1.32), answers it
 * with a query of its own (FORMERR, TC, BADCOOKIE) or parses what a stranger wrote (1.34 closes the
 * connection and fails all its queries over one record that it does not like). */
static size_t stand_in_write(uint8_t *at, size_t capacity, uint16_t id, struct slice question)
{
	struct writer to = writer_of(at, capacity);
	writer_u16(&to, id);
	writer_u16(&to, DNS_FLAG_QR | DNS_FLAG_RD | DNS_FLAG_RA | DNS_RCODE_SERVFAIL);
	writer_u16(&to, 1);
	writer_zeros(&to, 6);
	writer_slice_bytes(&to, question);
	return to.failed ? 0 : to.len;
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

/* --- UDP as c-ares sees it --- */

/* A real descriptor, connected, as some versions ask it for its local address; but nothing is ever
 * sent or read here. */
static ares_socket_t udp_socket(int family, int type, int protocol, void *data)
{
	struct cares *channel = data;
	channel->udp_fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	return channel->udp_fd;
}

static int plain_connect(
	ares_socket_t fd, const struct sockaddr *address, ares_socklen_t len, void *data)
{
	(void)data;
	return connect(fd, address, len);
}

static int udp_close(ares_socket_t fd, void *data)
{
	struct cares *channel = data;
	if (channel->udp_fd == fd)
		channel->udp_fd = -1;
	return close(fd);
}

/* Never fails: in 1.34 a failed write costs all queries of the channel. */
static ares_ssize_t udp_send(ares_socket_t fd, const struct iovec *vector, int count, void *data)
{
	struct cares *channel = data;
	struct cares_query *query = channel->sending;
	const uint8_t *id = vector[0].iov_base;
	(void)fd;
	channel->sending = NULL;
	if (query && vector[0].iov_len >= 2) {
		query->ares_id = (uint16_t)(id[0] << 8 | id[1]);
		channel->events->on_send(channel->events->context, query);
	}
	return (ares_ssize_t)vector_len(vector, count);
}

static ares_ssize_t udp_receive(ares_socket_t fd, void *to, size_t capacity, int flags,
	struct sockaddr *from, ares_socklen_t *from_len, void *data)
{
	struct cares *channel = data;
	struct list *node = list_take_first(&channel->feed);
	(void)fd;
	(void)flags;
	if (!node)
		return would_block();
	struct cares_query *query = container_of(node, struct cares_query, feed);
	if (from && from_len && *from_len >= channel->server_len) {
		memcpy(from, &channel->server, channel->server_len);
		*from_len = channel->server_len;
	}
	return (ares_ssize_t)stand_in_write(to, capacity, query->ares_id, query->question);
}

static const struct ares_socket_functions udp_functions = {
	.asocket = udp_socket,
	.aclose = udp_close,
	.aconnect = plain_connect,
	.arecvfrom = udp_receive,
	.asendv = udp_send,
};

/* --- TCP as c-ares sees it --- */

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

static ares_ssize_t tcp_send(ares_socket_t fd, const struct iovec *vector, int count, void *data)
{
	struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)vector,
		.msg_iovlen = (size_t)count };
	(void)data;
	return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static ares_ssize_t tcp_receive(ares_socket_t fd, void *to, size_t capacity, int flags,
	struct sockaddr *from, ares_socklen_t *from_len, void *data)
{
	struct link *link = link_of(data, fd);
	(void)flags;
	(void)from;
	(void)from_len;
	size_t left = link ? link->out_len - link->out_at : 0;
	if (left == 0)
		return !link || link->ended ? 0 : would_block();
	if (left > capacity)
		left = capacity;
	memcpy(to, link->out + link->out_at, left);
	link->out_at += left;
	return (ares_ssize_t)left;
}

static const struct ares_socket_functions tcp_functions = {
	.asocket = tcp_socket,
	.aclose = tcp_close,
	.aconnect = plain_connect,
	.arecvfrom = tcp_receive,
	.asendv = tcp_send,
};

/* --- TCP as the wire has it --- */

/* Feeds c-ares, which may take it in several bites and may close the link meanwhile. */
static void link_tell(struct link *link)
{
	while (link->channel && link->out_at < link->out_len) {
		size_t before = link->out_at;
		ares_process_fd(link->channel->ares, link->fd, ARES_SOCKET_BAD);
		if (link->out_at == before)
			return;
	}
}

static void link_take_message(struct link *link, struct slice message)
{
	const struct cares_events *events = link->events;
	struct slice question = judge_question(message);
	struct reader r = reader_of(message);
	uint16_t id = reader_u16(&r);
	uint16_t flags = reader_u16(&r);
	uint16_t questions = reader_u16(&r);
	if (r.failed || question.len == 0 || questions != 1 || !(flags & DNS_FLAG_QR) ||
		flags & DNS_FLAG_OPCODE) {
		events->on_foreign(events->context);
		return;
	}
	struct cares *channel = link->channel;
	unsigned before = channel->in_flight;
	size_t len = stand_in_write(link->out + 2, STAND_IN_MAX, id, question);
	link->out[0] = (uint8_t)(len >> 8);
	link->out[1] = (uint8_t)len;
	link->out_len = len + 2;
	link->out_at = 0;
	channel->message = message;
	link_tell(link);
	channel->message = slice_of(NULL, 0);
	if (channel->in_flight == before)
		events->on_foreign(events->context);
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
		link_take_message(link, message);
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
	if (status >= 0 && events & UV_WRITABLE)
		ares_process_fd(link->channel->ares, ARES_SOCKET_BAD, link->fd);
	if (link->channel && (status < 0 || events & UV_READABLE))
		link_read(link);
	else
		link->events->on_turn(link->events->context);
}

/* c-ares says what it waits for; only TCP descriptors are polled for it. */
static void on_state(void *data, ares_socket_t fd, int readable, int writable)
{
	struct cares *channel = data;
	struct link *link = channel->kind == CARES_TCP ? link_of(channel, fd) : NULL;
	if (!link)
		return;
	int wanted = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);
	if (wanted == link->polled)
		return;
	link->polled = wanted;
	if (wanted)
		uv_poll_start(&link->poll, wanted, on_link);
	else
		uv_poll_stop(&link->poll);
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
	channel->server_len = address_to_sockaddr(address, port, &channel->server);
	return ares_set_servers_ports(channel->ares, &server);
}

static int open_ares(struct cares *channel)
{
	char nothing[] = "/dev/null";
	char no_files[] = "b";
	struct ares_options options = {
		.flags = ARES_FLAG_NOCHECKRESP | ARES_FLAG_EDNS | ARES_FLAG_STAYOPEN |
			ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES |
			(channel->kind == CARES_TCP ? ARES_FLAG_USEVC : 0),
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

struct cares *cares_new(uv_loop_t *loop, enum cares_kind kind, const struct address *address,
	uint16_t port, const struct cares_events *events)
{
	struct cares *channel = calloc(1, sizeof *channel);
	if (!channel)
		return NULL;
	channel->loop = loop;
	channel->kind = kind;
	channel->events = events;
	channel->udp_fd = -1;
	list_init(&channel->feed);
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
	ares_set_socket_functions(
		channel->ares, kind == CARES_UDP ? &udp_functions : &tcp_functions, channel);
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
	list_remove(&query->feed);
	query->channel = NULL;
	channel->in_flight--;
	channel->events->on_over(channel->events->context, query, end,
		end == CARES_OVER ? channel->message : slice_of(NULL, 0));
}

void cares_send(struct cares *channel, struct cares_query *query, struct slice message)
{
	query->channel = channel;
	query->question = judge_question(message);
	list_init(&query->feed);
	channel->in_flight++;
	channel->sending = query;
	ares_send(channel->ares, message.at, (int)message.len, on_over, query);
	channel->sending = NULL;
}

void cares_finish(struct cares_query *query)
{
	list_remove(&query->feed);
	list_append(&query->channel->feed, &query->feed);
}

void cares_pump(struct cares *channel)
{
	/* 1.18 reads until nothing is left, later versions once a call. */
	while (!list_is_empty(&channel->feed)) {
		struct list *first = channel->feed.next;
		ares_process_fd(channel->ares, channel->udp_fd, ARES_SOCKET_BAD);
		if (channel->feed.next == first)
			return;
	}
}

void cares_tick(struct cares *channel)
{
	ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

unsigned cares_in_flight(const struct cares *channel)
{
	return channel->in_flight;
}
