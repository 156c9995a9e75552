#include "proxy/front/udp.h"

#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "base/error.h"
#include "dns/reply.h"
#include "proxy/worker.h"

enum {
	BATCH = 32,
	READ_ROUNDS = 4,     /* batches of one socket in one turn, so that others get theirs */
	DATAGRAM_MAX = 4096, /* a longer query is cut and so malformed */
	CONTROL_MAX = 64,    /* CMSG_SPACE(sizeof(struct in6_pktinfo)) is 40 */
	SOCKETS_MAX = 64,
};

struct udp_socket {
	uv_poll_t poll;
	struct udp_front *front;
	int fd;
	uint16_t listener;
	bool wildcard; /* the address of ours that was asked is told by the kernel */
	bool polled;
	struct address address;
};

struct udp_front {
	struct worker *worker;
	struct udp_socket sockets[SOCKETS_MAX];
	size_t socket_count;

	struct mmsghdr in[BATCH];
	struct iovec in_bytes[BATCH];
	union udp_from {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} in_from[BATCH];
	_Alignas(struct cmsghdr) uint8_t in_control[BATCH][CONTROL_MAX];
	uint8_t in_buffer[BATCH][DATAGRAM_MAX];

	struct mmsghdr out[BATCH];
	struct iovec out_bytes[BATCH];
	struct udp_peer out_peer[BATCH];
	_Alignas(struct cmsghdr) uint8_t out_control[BATCH][CONTROL_MAX];
	uint8_t out_buffer[BATCH][DNS_PAYLOAD_SIZE];
	int out_fd;
	unsigned out_count;
};

/* What the kernel has written over when a datagram was read. */
static void prepare_again(struct udp_front *front, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		front->in[i].msg_hdr.msg_namelen = sizeof front->in_from[i];
		front->in[i].msg_hdr.msg_controllen = CONTROL_MAX;
	}
}

/* What stays as it is while the front lives. */
static void prepare(struct udp_front *front)
{
	for (unsigned i = 0; i < BATCH; i++) {
		front->in_bytes[i] = (struct iovec){ front->in_buffer[i], DATAGRAM_MAX };
		front->in[i].msg_hdr = (struct msghdr){
			.msg_name = &front->in_from[i],
			.msg_iov = &front->in_bytes[i],
			.msg_iovlen = 1,
			.msg_control = front->in_control[i],
		};
		front->out_bytes[i].iov_base = front->out_buffer[i];
		front->out[i].msg_hdr = (struct msghdr){
			.msg_name = &front->out_peer[i].from,
			.msg_iov = &front->out_bytes[i],
			.msg_iovlen = 1,
		};
	}
	prepare_again(front, BATCH);
}

struct udp_front *udp_front_new(struct worker *worker)
{
	struct udp_front *front = calloc(1, sizeof *front);
	if (!front)
		return NULL;
	front->worker = worker;
	prepare(front);
	return front;
}

void udp_front_free(struct udp_front *front)
{
	free(front);
}

static void read_local_address(struct udp_peer *peer, struct msghdr *header)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;
			memcpy(&info, CMSG_DATA(c), sizeof info);
			peer->local = address_of_v4((const uint8_t *)&info.ipi_spec_dst);
			peer->interface = 0; /* routing knows better where replies go */
			peer->has_local = true;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;
			memcpy(&info, CMSG_DATA(c), sizeof info);
			memcpy(peer->local.bytes, &info.ipi6_addr, sizeof peer->local.bytes);
			bool link_local = IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr);
			peer->interface = link_local ? info.ipi6_ifindex : 0;
			peer->has_local = true;
		}
	}
}

static void take_datagram(struct udp_socket *socket, unsigned i)
{
	struct udp_front *front = socket->front;
	struct msghdr *header = &front->in[i].msg_hdr;
	struct reply_to to = { .protocol = PROTOCOL_UDP, .listener = socket->listener };
	memcpy(&to.peer.from, &front->in_from[i], sizeof to.peer.from);
	to.client = address_of_sockaddr(&to.peer.from.any, &to.client_port);
	if (to.client_port == 0)
		return; /* nothing real sends from there; a reply would be reflection */
	if (socket->wildcard)
		read_local_address(&to.peer, header);
	to.conn.slot = (uint32_t)(socket - front->sockets);
	const struct claims claims = { .client = to.client, .listener = to.listener };
	query_begin(front->worker, &to, &claims, slice_of(NULL, 0),
		slice_of(front->in_buffer[i], front->in[i].msg_len));
}

/* libuv stops a poll that tells an error; a socket may have one that goes by being read. */
static void on_error(struct udp_socket *socket);

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct udp_socket *socket = poll->data;
	struct udp_front *front = socket->front;
	(void)events;
	if (status < 0) {
		on_error(socket);
		return;
	}
	for (unsigned round = 0; round < READ_ROUNDS; round++) {
		int count = recvmmsg(socket->fd, front->in, BATCH, MSG_DONTWAIT, NULL);
		for (int i = 0; i < count; i++)
			take_datagram(socket, (unsigned)i);
		prepare_again(front, count > 0 ? (unsigned)count : 0);
		if (count < BATCH)
			return;
	}
}

static void on_error(struct udp_socket *socket)
{
	int error;
	socklen_t len = sizeof error;
	getsockopt(socket->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	uv_poll_start(&socket->poll, UV_READABLE, on_readable);
}

static bool is_wildcard(const struct address *address)
{
	static const uint8_t zeros[16];
	size_t from = address_is_v4(address) ? 12 : 0;
	return memcmp(address->bytes + from, zeros, sizeof zeros - from) == 0;
}

static int ask_for_local_address(int fd, const struct address *address)
{
	int on = 1;
	int result = address_is_v4(address)
		? setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on)
		: setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
	return result < 0 ? -errno : 0;
}

int udp_front_add(struct udp_front *front, int fd, uint16_t listener, const struct address *address)
{
	int error = front->socket_count < SOCKETS_MAX ? 0 : ERR_BUSY;
	bool wildcard = is_wildcard(address);
	if (!error && wildcard)
		error = ask_for_local_address(fd, address);
	if (error) {
		close(fd);
		return error;
	}
	struct udp_socket *socket = &front->sockets[front->socket_count];
	*socket = (struct udp_socket){ .front = front,
		.fd = fd,
		.listener = listener,
		.wildcard = wildcard,
		.address = *address };
	error = uv_poll_init(&front->worker->loop, &socket->poll, fd);
	if (error) {
		close(fd);
		return error;
	}
	front->socket_count++;
	socket->poll.data = socket;
	socket->polled = true;
	return uv_poll_start(&socket->poll, UV_READABLE, on_readable);
}

void udp_front_stop(struct udp_front *front)
{
	for (size_t i = 0; i < front->socket_count; i++)
		if (front->sockets[i].polled)
			uv_poll_stop(&front->sockets[i].poll);
}

static void on_closed(uv_handle_t *handle)
{
	struct udp_socket *socket = handle->data;
	close(socket->fd);
}

void udp_front_close(struct udp_front *front)
{
	for (size_t i = 0; i < front->socket_count; i++) {
		if (!front->sockets[i].polled)
			continue;
		front->sockets[i].polled = false;
		uv_close((uv_handle_t *)&front->sockets[i].poll, on_closed);
	}
}

static size_t write_local_address(const struct udp_peer *peer, uint8_t *control)
{
	struct cmsghdr *c = (struct cmsghdr *)(void *)control;
	memset(control, 0, CONTROL_MAX);
	if (peer->from.any.sa_family == AF_INET) {
		struct in_pktinfo info = { 0 };
		memcpy(&info.ipi_spec_dst, peer->local.bytes + 12, 4);
		c->cmsg_level = IPPROTO_IP;
		c->cmsg_type = IP_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof info);
		memcpy(CMSG_DATA(c), &info, sizeof info);
		return CMSG_SPACE(sizeof info);
	}
	struct in6_pktinfo info = { .ipi6_ifindex = peer->interface };
	memcpy(&info.ipi6_addr, peer->local.bytes, sizeof info.ipi6_addr);
	c->cmsg_level = IPPROTO_IPV6;
	c->cmsg_type = IPV6_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof info);
	memcpy(CMSG_DATA(c), &info, sizeof info);
	return CMSG_SPACE(sizeof info);
}

void udp_front_reply(struct udp_front *front, const struct reply_to *to, struct slice message)
{
	struct udp_socket *socket = &front->sockets[to->conn.slot];
	if (front->out_count == BATCH || (front->out_count > 0 && front->out_fd != socket->fd))
		udp_front_flush(front);
	if (message.len > DNS_PAYLOAD_SIZE || !socket->polled)
		return;
	unsigned i = front->out_count++;
	struct msghdr *header = &front->out[i].msg_hdr;
	front->out_fd = socket->fd;
	front->out_peer[i] = to->peer;
	memcpy(front->out_buffer[i], message.at, message.len);
	front->out_bytes[i].iov_len = message.len;
	header->msg_namelen = to->peer.from.any.sa_family == AF_INET ? sizeof to->peer.from.v4
								     : sizeof to->peer.from.v6;
	header->msg_control = to->peer.has_local ? front->out_control[i] : NULL;
	header->msg_controllen =
		to->peer.has_local ? write_local_address(&to->peer, front->out_control[i]) : 0;
}

void udp_front_flush(struct udp_front *front)
{
	unsigned done = 0;
	while (done < front->out_count) {
		int sent = sendmmsg(
			front->out_fd, front->out + done, front->out_count - done, MSG_DONTWAIT);
		/* An error is about the first datagram of the rest (unreachable, too big, full
		 * buffer): that one is lost, the others may still go. */
		if (sent <= 0)
			metrics_drop(front->worker->metrics, METRICS_DROP_SEND_FAILED);
		done += sent > 0 ? (unsigned)sent : 1;
	}
	front->out_count = 0;
}
