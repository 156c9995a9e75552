#include "proxy/upstream/udp_pool.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct udp_batch {
	struct mmsghdr headers[UDP_POOL_BATCH];
	struct iovec places[UDP_POOL_BATCH];
	struct mmsghdr out_headers[UDP_POOL_TOGETHER];
	struct iovec out_places[UDP_POOL_TOGETHER];
	uint8_t bytes[UDP_POOL_BATCH][UDP_DATAGRAM_MAX];
};

struct udp_batch *udp_batch_new(void)
{
	struct udp_batch *batch = calloc(1, sizeof *batch);
	if (!batch)
		return NULL;
	for (unsigned i = 0; i < UDP_POOL_BATCH; i++) {
		batch->places[i] =
			(struct iovec){ .iov_base = batch->bytes[i], .iov_len = UDP_DATAGRAM_MAX };
		batch->headers[i].msg_hdr.msg_iov = &batch->places[i];
		batch->headers[i].msg_hdr.msg_iovlen = 1;
	}
	for (unsigned i = 0; i < UDP_POOL_TOGETHER; i++) {
		batch->out_headers[i].msg_hdr.msg_iov = &batch->out_places[i];
		batch->out_headers[i].msg_hdr.msg_iovlen = 1;
	}
	return batch;
}

void udp_batch_free(struct udp_batch *batch)
{
	free(batch);
}

void udp_pool_init(struct udp_pool *pool)
{
	list_init(&pool->sockets);
	list_init(&pool->unsent);
}

static void on_closed(uv_handle_t *handle)
{
	struct udp_socket *sock = container_of((uv_poll_t *)handle, struct udp_socket, poll);
	struct udp_pool *pool = sock->pool;
	free(sock);
	pool->handles--;
	pool->events.on_closed(pool->events.context);
}

static void socket_close(struct udp_socket *sock)
{
	if (sock->closed)
		return;
	sock->closed = true;
	list_remove(&sock->link);
	/* libuv takes the descriptor out of its poll set here; only then it may be closed. */
	uv_close((uv_handle_t *)&sock->poll, on_closed);
	close(sock->fd);
}

static void socket_retire(struct udp_socket *sock)
{
	struct udp_pool *pool = sock->pool;
	for (unsigned i = 0; i < UDP_POOL_SLOTS; i++) {
		if (pool->slots[i] == sock)
			pool->slots[i] = NULL;
	}
	sock->retired = true;
	if (sock->in_flight == 0)
		socket_close(sock);
}

void udp_query_init(struct udp_query *query)
{
	list_init(&query->unsent);
	query->socket = NULL;
}

void udp_query_forget(struct udp_query *query)
{
	struct udp_socket *sock = query->socket;
	list_remove(&query->unsent);
	query->socket = NULL;
	if (!sock)
		return;
	sock->in_flight--;
	if (sock->retired && sock->in_flight == 0)
		socket_close(sock);
}

/* As many as are awaited, so that the call which finds the socket empty is saved. */
static unsigned wanted(const struct udp_socket *sock)
{
	if (sock->in_flight == 0)
		return 1;
	return sock->in_flight < UDP_POOL_BATCH ? sock->in_flight : UDP_POOL_BATCH;
}

/* Returns the number received, 0 when there is nothing, or -errno. */
static int receive(struct udp_socket *sock, unsigned at_most)
{
	struct udp_batch *batch = sock->pool->batch;
	int count = recvmmsg(sock->fd, batch->headers, at_most, MSG_DONTWAIT, NULL);
	if (count >= 0)
		return count;
	return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

static void hand_out(struct udp_socket *sock, int count)
{
	struct udp_pool *pool = sock->pool;
	for (int i = 0; i < count; i++) {
		const struct mmsghdr *header = &pool->batch->headers[i];
		pool->events.on_datagram(pool->events.context, sock,
			slice_of(pool->batch->bytes[i], header->msg_len),
			header->msg_hdr.msg_flags & MSG_TRUNC);
	}
	pool->events.on_batch(pool->events.context);
}

/* Reads what is there, within the budget; the rest makes the socket ready again in the next turn.
 * Returns 0 or the error that stands on the socket. */
static int drain(struct udp_socket *sock, bool to_the_end)
{
	int budget = UDP_POOL_BUDGET;
	while (budget > 0 && !sock->closed) {
		unsigned at_most = wanted(sock);
		int count = receive(sock, at_most);
		if (count <= 0)
			return count;
		hand_out(sock, count);
		budget -= count;
		/* Fewer than wanted: it is empty. All that are awaited: it should be. */
		if (!to_the_end && ((unsigned)count < at_most || sock->in_flight == 0))
			return 0;
	}
	return 0;
}

static void socket_fail(struct udp_socket *sock)
{
	struct udp_pool *pool = sock->pool;
	/* Out of its slot first: who hears of the error may ask again at once. */
	socket_retire(sock);
	pool->events.on_error(pool->events.context, sock);
	pool->events.on_batch(pool->events.context);
}

static void on_readable(uv_poll_t *handle, int status, int events)
{
	struct udp_socket *sock = container_of(handle, struct udp_socket, poll);
	(void)events;
	/* With EPOLLERR libuv reports an error and has stopped polling, so this socket's time is
	 * over; what arrived before the error still counts. */
	int error = drain(sock, status < 0);
	if (sock->closed || (status >= 0 && error == 0))
		return;
	drain(sock, true);
	if (!sock->closed)
		socket_fail(sock);
}

static int socket_connect(const struct udp_pool *pool)
{
	int fd = socket(pool->to.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	/* The kernel binds to a random free port. */
	if (connect(fd, (const struct sockaddr *)&pool->to, pool->to_len) == 0)
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

static struct udp_socket *socket_open(struct udp_pool *pool, uint64_t now_ms)
{
	struct udp_socket *sock = calloc(1, sizeof *sock);
	int fd = sock ? socket_connect(pool) : -1;
	if (fd < 0 || uv_poll_init(pool->loop, &sock->poll, fd) != 0) {
		if (fd >= 0)
			close(fd);
		free(sock);
		return NULL;
	}
	sock->pool = pool;
	sock->fd = fd;
	sock->opened_ms = now_ms;
	uv_poll_start(&sock->poll, UV_READABLE, on_readable);
	list_append(&pool->sockets, &sock->link);
	pool->handles++;
	return sock;
}

static bool is_worn(const struct udp_socket *sock, uint64_t now_ms)
{
	return sock->uses >= UDP_POOL_USES || now_ms - sock->opened_ms >= UDP_POOL_AGE_MS;
}

/* Any socket will do when no new one can be had. */
static struct udp_socket *any_open(struct udp_pool *pool)
{
	for (unsigned i = 0; i < UDP_POOL_SLOTS; i++) {
		if (pool->slots[i])
			return pool->slots[i];
	}
	return NULL;
}

static unsigned next_slot(struct udp_pool *pool)
{
	enum { HALF = UDP_POOL_SLOTS / 2 };
	unsigned at = pool->batches++ % UDP_POOL_SLOTS;
	if (at % HALF == 0) {
		pool->slot_start = random_below(pool->random, HALF);
		pool->slot_step = random_below(pool->random, HALF) | 1;
	}
	return at / HALF * HALF + (pool->slot_start + at * pool->slot_step) % HALF;
}

static struct udp_socket *pick(struct udp_pool *pool, uint64_t now_ms)
{
	unsigned slot = next_slot(pool);
	struct udp_socket *sock = pool->slots[slot];
	bool is_full = pool->handles > UDP_POOL_SOCKETS; /* one is `turn` */
	if (sock && (!is_worn(sock, now_ms) || is_full))
		return sock;
	struct udp_socket *fresh = is_full ? NULL : socket_open(pool, now_ms);
	if (!fresh)
		return sock ? sock : any_open(pool);
	pool->slots[slot] = fresh;
	if (sock)
		socket_retire(sock);
	return fresh;
}

/* --- sending --- */

/* The first of those that wait, `most` of them. Returns how many left, or -1. */
static int send_batch(struct udp_socket *sock, unsigned most)
{
	struct udp_pool *pool = sock->pool;
	struct udp_batch *batch = pool->batch;
	unsigned count = 0;
	for (struct list *node = pool->unsent.next; node != &pool->unsent && count < most;
		node = node->next) {
		struct slice message = container_of(node, struct udp_query, unsent)->message;
		batch->out_places[count++] =
			(struct iovec){ (void *)(uintptr_t)message.at, message.len };
	}
	int sent = sendmmsg(sock->fd, batch->out_headers, count, MSG_NOSIGNAL);
	for (int i = 0; i < sent; i++) {
		struct list *node = list_take_first(&pool->unsent);
		container_of(node, struct udp_query, unsent)->socket = sock;
		sock->uses++;
		sock->in_flight++;
	}
	return sent;
}

/* A refusal may be the echo of an earlier query on that socket, and a full buffer is that socket's
 * own: another one gets a chance. */
static bool may_try_another(struct udp_socket *sock, int error)
{
	struct udp_pool *pool = sock->pool;
	if (error == ECONNREFUSED) {
		socket_retire(sock);
		pool->events.on_error(pool->events.context, sock);
	}
	return error == ECONNREFUSED || error == EAGAIN || error == ENOBUFS || error == EINTR;
}

/* As many as leave together. A call that stops short has eaten the error that it met, which may
 * have been the echo of what it had just sent; the same socket is tried again, until it has sent
 * all or says why not: then `*is_over`, and errno is set. Returns how many left. */
static unsigned send_together(struct udp_socket *sock, bool *is_over)
{
	unsigned sent = 0;
	*is_over = false;
	while (sent < UDP_POOL_TOGETHER && !list_is_empty(&sock->pool->unsent)) {
		int count = send_batch(sock, UDP_POOL_TOGETHER - sent);
		*is_over = count <= 0;
		if (*is_over)
			break;
		sent += (unsigned)count;
	}
	return sent;
}

/* At least the first of those that wait has left when it is true. */
static bool send_some(struct udp_pool *pool)
{
	for (unsigned tries = 0; tries < 3; tries++) {
		bool is_over;
		struct udp_socket *sock = pick(pool, uv_now(pool->loop));
		if (!sock)
			return false;
		bool has_sent = send_together(sock, &is_over) > 0;
		bool may_go_on = !is_over || may_try_another(sock, errno);
		if (has_sent || !may_go_on)
			return has_sent;
	}
	return false;
}

static void refuse_first(struct udp_pool *pool)
{
	struct list *node = list_take_first(&pool->unsent);
	pool->events.on_unsent(pool->events.context, container_of(node, struct udp_query, unsent));
}

static void send_all(struct udp_pool *pool)
{
	while (!list_is_empty(&pool->unsent)) {
		if (!send_some(pool))
			refuse_first(pool);
	}
}

static void on_turn(uv_idle_t *turn)
{
	uv_idle_stop(turn);
	send_all(turn->data);
}

/* Do as many wait as one call takes? */
static bool fills_a_call(const struct udp_pool *pool)
{
	unsigned count = 0;
	for (const struct list *node = pool->unsent.next;
		node != &pool->unsent && count < UDP_POOL_TOGETHER; node = node->next)
		count++;
	return count == UDP_POOL_TOGETHER;
}

/* An idle handle: it has its turn before the loop waits, and costs no round when it is stopped
 * there. A full call has nothing to wait for: in a long turn its questions would be late. */
void udp_pool_send(struct udp_pool *pool, struct udp_query *query, struct slice message)
{
	query->message = message;
	list_append(&pool->unsent, &query->unsent);
	if (fills_a_call(pool)) {
		send_all(pool);
		return;
	}
	if (!pool->has_turn) {
		uv_idle_init(pool->loop, &pool->turn);
		pool->turn.data = pool;
		pool->has_turn = true;
		pool->handles++;
	}
	uv_idle_start(&pool->turn, on_turn);
}

void udp_pool_tick(struct udp_pool *pool, uint64_t now_ms)
{
	for (unsigned i = 0; i < UDP_POOL_SLOTS; i++) {
		struct udp_socket *sock = pool->slots[i];
		if (sock && now_ms - sock->opened_ms >= UDP_POOL_AGE_MS)
			socket_retire(sock);
	}
}

void udp_pool_retire(struct udp_pool *pool)
{
	for (unsigned i = 0; i < UDP_POOL_SLOTS; i++) {
		if (pool->slots[i])
			socket_retire(pool->slots[i]);
	}
}

static void on_turn_closed(uv_handle_t *handle)
{
	struct udp_pool *pool = handle->data;
	pool->handles--;
	pool->events.on_closed(pool->events.context);
}

void udp_pool_close(struct udp_pool *pool)
{
	if (pool->has_turn)
		uv_close((uv_handle_t *)&pool->turn, on_turn_closed);
	while (!list_is_empty(&pool->sockets))
		socket_close(container_of(pool->sockets.next, struct udp_socket, link));
}
