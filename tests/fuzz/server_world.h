/* server_world.h - what a worker stands in, for server_fuzz.c: a clock that is driven, clients over
 * UDP, TCP and HTTP/2, and two upstreams, all in one thread and on loopback, where what was sent is
 * there at once. Clients and upstreams keep book: each question may have one answer, of its own
 * client, with its own id and question, and no address that nobody good has given. */
#ifndef TESTS_FUZZ_SERVER_WORLD_H
#define TESTS_FUZZ_SERVER_WORLD_H

#include <nghttp2/nghttp2.h>
#include <sys/random.h>
#include <sys/syscall.h>

#include "base/log.h"
#include "proxy/cache/cache.h"
#include "proxy/front/conn.h"
#include "tests/unit/worker_fixture.h"

enum {
	WORLD_CLIENTS = 6, /* the first two over UDP, then two over TCP, two over HTTP/2 */
	WORLD_FIRST_TCP = 2,
	WORLD_FIRST_H2 = 4,
	WORLD_QUESTIONS = 64, /* per client and input */
	WORLD_PENDING = 64,   /* at the upstreams */
	WORLD_STREAMS = 8,    /* connections to the upstreams */
	WORLD_MESSAGE = 4096,
};

/* --- time and chance, as the input wants them --- */

static uint64_t world_ns; /* CLOCK_MONOTONIC and CLOCK_BOOTTIME */
static uint64_t world_chance;
static bool world_is_driven;

int clock_gettime(clockid_t clock, struct timespec *now)
{
	bool ours = clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE ||
		clock == CLOCK_BOOTTIME;
	if (!world_is_driven || !ours)
		return (int)syscall(SYS_clock_gettime, clock, now);
	now->tv_sec = (time_t)(world_ns / 1000000000);
	now->tv_nsec = (long)(world_ns % 1000000000);
	return 0;
}

ssize_t getrandom(void *to, size_t size, unsigned flags)
{
	if (!world_is_driven)
		return syscall(SYS_getrandom, to, size, flags);
	for (size_t i = 0; i < size; i++) {
		world_chance = world_chance * 6364136223846793005u + 1442695040888963407u;
		((uint8_t *)to)[i] = (uint8_t)(world_chance >> 56);
	}
	return (ssize_t)size;
}

/* --- what there is --- */

struct world_question {
	uint16_t id;
	bool answered;
	int32_t stream;
	size_t len;         /* of the question section */
	uint8_t bytes[280]; /* name, type, class */
	size_t name_len;
};

struct world_client {
	int fd;       /* -1: closed */
	bool is_raw;  /* has sent bytes of the input's own: what comes back is not judged */
	bool is_deaf; /* does not read */
	nghttp2_session *h2;
	struct world_question questions[WORLD_QUESTIONS];
	size_t count;
	uint8_t in[2 * 65536];
	size_t in_len;
	uint8_t body[65536]; /* of the HTTP/2 stream `body_of` */
	size_t body_len;
	int32_t body_of;
};

struct world_pending {
	bool tcp;
	unsigned upstream;
	int fd;
	struct sockaddr_in from;
	size_t len;
	uint8_t bytes[512];
};

struct world_upstream {
	int udp, tcp;
	uint16_t port;
	int streams[WORLD_STREAMS]; /* -1: none */
};

struct world {
	struct worker *worker;
	struct snapshot *snapshots[2];
	struct tls_ticket_keys *keys;
	struct metrics_registry *labels;
	struct metrics *metrics;
	uint16_t ports[2]; /* dns, doh */
	struct world_upstream upstreams[2];
	struct world_client clients[WORLD_CLIENTS];
	struct world_pending pending[WORLD_PENDING];
	size_t pending_count;
	uint16_t next_id;
	unsigned snapshot; /* in force */
	bool is_draining;
	bool is_garbled; /* bytes of the input's own came as an answer: they may hold any address */
};

static struct world world;

/* --- names --- */

static const char *const world_names[] = { "a.test", "b.test", "A.TEST", "www.c.test", "x.bad.test",
	"over.test", "drop.test", "leads.test", "localhost", "d.e.f.g.h.test", "new.test",
	"use-application-dns.net", "_dns.resolver.arpa", "b.other.test", "silent.test", "z.test" };

/* The address of a name, as good upstreams know it. */
static void world_address(struct slice name, uint8_t to[4])
{
	uint32_t hash = 2166136261u;
	for (size_t i = 0; i < name.len; i++) {
		uint8_t byte = name.at[i];
		hash = (hash ^ (byte >= 'A' && byte <= 'Z' ? byte | 0x20u : byte)) * 16777619u;
	}
	to[0] = 192;
	to[1] = 0;
	to[2] = (uint8_t)(hash >> 8);
	to[3] = (uint8_t)hash;
}

static struct slice world_name(const char *text, struct dns_name *name)
{
	FIXTURE_CHECK(dns_name_from_text(name, slice_of_text(text)));
	return dns_name_slice(name);
}

static bool world_is_address_of(const uint8_t *address, const char *text)
{
	struct dns_name name;
	uint8_t expected[4];
	world_address(world_name(text, &name), expected);
	return memcmp(address, expected, 4) == 0;
}

/* --- what clients may see --- */

static struct world_question *world_find(
	struct world_client *client, struct slice message, int32_t stream)
{
	for (size_t i = 0; i < client->count; i++) {
		struct world_question *q = &client->questions[i];
		if (!q->answered && q->stream == stream && message.at[0] == q->id >> 8 &&
			message.at[1] == (q->id & 0xff))
			return q;
	}
	return NULL;
}

static bool world_is_below(const struct world_question *q, const char *suffix)
{
	struct dns_name name;
	struct slice end = world_name(suffix, &name);
	if (q->name_len < end.len)
		return false;
	const uint8_t *at = q->bytes + q->name_len - end.len;
	for (size_t i = 0; i < end.len; i++)
		if ((at[i] >= 'A' && at[i] <= 'Z' ? at[i] | 0x20 : at[i]) != end.at[i])
			return false;
	return true;
}

/* Of an address record in an answer to `q`. */
static void world_check_address(const struct world_question *q, const uint8_t *address)
{
	uint8_t own[4];
	world_address(slice_of(q->bytes, q->name_len), own);
	bool is_own = memcmp(address, own, 4) == 0;
	/* Where whoever is led to what is blocked is sent. */
	bool is_override = world_is_address_of(address, "slow.over.test");
	if (world_is_below(q, "localhost"))
		FIXTURE_CHECK(address[0] == 127);
	else if (world_is_below(q, "bad.test"))
		FIXTURE_CHECK(is_override && !is_own);
	else
		FIXTURE_CHECK(is_own || is_override);
}

static void world_check(struct world_client *client, struct slice message, int32_t stream)
{
	struct dns_answer answer;
	struct dns_record_walk walk;
	struct dns_record record;
	FIXTURE_CHECK(message.len >= DNS_HEADER_LEN && message.at[2] & 0x80);
	struct world_question *q = world_find(client, message, stream);
	FIXTURE_CHECK(q); /* asked by this client, and not answered before */
	q->answered = true;
	FIXTURE_CHECK(message.len >= DNS_HEADER_LEN + q->len && message.at[5] == 1);
	FIXTURE_CHECK(memcmp(message.at + DNS_HEADER_LEN, q->bytes, q->len) == 0);
	FIXTURE_CHECK(dns_answer_open(&answer, message) == 0);
	dns_record_walk_begin(&walk, &answer);
	while (dns_record_next(&walk, &record))
		if (record.type == DNS_TYPE_A && record.rdata.len == 4 && !world.is_garbled)
			world_check_address(q, record.rdata.at);
}

/* --- clients --- */

static void world_take_stream(struct world_client *client)
{
	while (client->in_len >= 2) {
		size_t len = (size_t)(client->in[0] << 8 | client->in[1]);
		if (client->in_len < len + 2)
			return;
		if (!client->is_raw)
			world_check(client, slice_of(client->in + 2, len), 0);
		client->in_len -= len + 2;
		memmove(client->in, client->in + len + 2, client->in_len);
	}
}

static int world_on_data(nghttp2_session *session, uint8_t flags, int32_t stream,
	const uint8_t *data, size_t len, void *context)
{
	struct world_client *client = context;
	(void)session;
	(void)flags;
	if (client->body_of != stream)
		client->body_len = 0;
	client->body_of = stream;
	FIXTURE_CHECK(client->body_len + len <= sizeof client->body);
	memcpy(client->body + client->body_len, data, len);
	client->body_len += len;
	return 0;
}

static int world_on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
	struct world_client *client = context;
	(void)session;
	if (frame->hd.type != NGHTTP2_DATA || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	if (client->body_len > 0 && client->body_of == frame->hd.stream_id)
		world_check(client, slice_of(client->body, client->body_len), frame->hd.stream_id);
	client->body_len = 0;
	return 0;
}

static nghttp2_session *world_h2_new(struct world_client *client)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_session *session;
	FIXTURE_CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, world_on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, world_on_frame);
	FIXTURE_CHECK(nghttp2_session_client_new(&session, callbacks, client) == 0);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, NULL, 0);
	return session;
}

static void world_send(struct world_client *client, const void *bytes, size_t len)
{
	ssize_t ignored = send(client->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)ignored;
}

static void world_h2_flush(struct world_client *client)
{
	const uint8_t *bytes;
	ssize_t len;
	while ((len = nghttp2_session_mem_send(client->h2, &bytes)) > 0)
		world_send(client, bytes, (size_t)len);
}

static void world_disconnect(struct world_client *client)
{
	struct linger reset = { 1, 0 };
	if (client->fd < 0)
		return;
	setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close(client->fd);
	client->fd = -1;
	nghttp2_session_del(client->h2);
	client->h2 = NULL;
}

static void world_take(struct world_client *client, unsigned index)
{
	if (index < WORLD_FIRST_TCP) {
		if (!client->is_raw)
			world_check(client, slice_of(client->in, client->in_len), 0);
		client->in_len = 0;
	} else if (index < WORLD_FIRST_H2) {
		world_take_stream(client);
	} else {
		if (!client->is_raw &&
			nghttp2_session_mem_recv(client->h2, client->in, client->in_len) >= 0)
			world_h2_flush(client);
		client->in_len = 0;
	}
}

static void world_read(unsigned index)
{
	struct world_client *client = &world.clients[index];
	while (client->fd >= 0 && !client->is_deaf) {
		ssize_t got = recv(client->fd, client->in + client->in_len,
			sizeof client->in - client->in_len, MSG_DONTWAIT);
		if (got < 0 && errno == EAGAIN)
			return;
		if (got <= 0 && index >= WORLD_FIRST_TCP) {
			world_disconnect(client);
			return;
		}
		client->in_len += got > 0 ? (size_t)got : 0;
		if (got > 0)
			world_take(client, index);
	}
}

/* False when nobody listens any more. */
static bool world_connect(unsigned index)
{
	struct world_client *client = &world.clients[index];
	const struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(world.ports[index >= WORLD_FIRST_H2]),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (client->fd >= 0)
		return true;
	client->fd = socket(AF_INET, index < WORLD_FIRST_TCP ? SOCK_DGRAM : SOCK_STREAM, 0);
	FIXTURE_CHECK(client->fd >= 0);
	if (connect(client->fd, (const struct sockaddr *)&to, sizeof to) < 0) {
		FIXTURE_CHECK(world.is_draining);
		world_disconnect(client);
		return false;
	}
	client->is_raw = client->is_deaf = false;
	client->count = client->in_len = client->body_len = 0;
	if (index >= WORLD_FIRST_H2) {
		client->h2 = world_h2_new(client);
		world_h2_flush(client);
	}
	return true;
}

static size_t world_write_question(struct world_client *client, unsigned name, uint16_t type,
	bool has_opt, uint8_t message[512])
{
	static const uint8_t opt[] = "\0\0\51\4\320\0\0\0\0\0\0";
	struct world_question *q = &client->questions[client->count++];
	struct dns_name wire;
	struct slice bytes =
		world_name(world_names[name % (sizeof world_names / sizeof *world_names)], &wire);
	*q = (struct world_question){ .id = ++world.next_id, .name_len = bytes.len };
	memcpy(q->bytes, bytes.at, bytes.len);
	memcpy(q->bytes + bytes.len, (uint8_t[]){ (uint8_t)(type >> 8), (uint8_t)type, 0, 1 }, 4);
	q->len = bytes.len + 4;
	struct writer w = writer_of(message, 512);
	writer_u16(&w, q->id);
	writer_bytes(&w, "\1\0\0\1\0\0\0\0\0", 9);
	writer_u8(&w, has_opt);
	writer_bytes(&w, q->bytes, q->len);
	if (has_opt)
		writer_bytes(&w, opt, sizeof opt - 1);
	return w.len;
}

static ssize_t world_read_body(nghttp2_session *session, int32_t stream, uint8_t *to, size_t size,
	uint32_t *flags, nghttp2_data_source *source, void *context)
{
	struct slice *body = source->ptr;
	size_t len = body->len < size ? body->len : size;
	(void)session;
	(void)stream;
	(void)context;
	memcpy(to, body->at, len);
	*body = slice_of(body->at + len, body->len - len);
	*flags |= body->len == 0 ? NGHTTP2_DATA_FLAG_EOF : 0;
	return (ssize_t)len;
}

#define WORLD_FIELD(name, value)                                                                   \
	{                                                                                          \
		(uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value), sizeof(name) - 1,     \
			sizeof(value) - 1, NGHTTP2_NV_FLAG_NONE                                    \
	}

static void world_post(struct world_client *client, struct slice message)
{
	static const nghttp2_nv fields[] = { WORLD_FIELD(":method", "POST"),
		WORLD_FIELD(":scheme", "https"), WORLD_FIELD(":authority", "localhost"),
		WORLD_FIELD(":path", "/dns-query"),
		WORLD_FIELD("content-type", "application/dns-message") };
	nghttp2_data_provider body = { .source.ptr = &message, .read_callback = world_read_body };
	int32_t stream = nghttp2_submit_request(client->h2, NULL, fields, 5, &body, NULL);
	client->questions[client->count - 1].stream = stream;
	world_h2_flush(client);
	if (message.len > 0) /* the server takes no more, and `message` is on this stack */
		world_disconnect(client);
}

static void world_ask(unsigned index, unsigned name, uint16_t type, bool has_opt)
{
	struct world_client *client = &world.clients[index];
	uint8_t message[2 + 512];
	if (!world_connect(index) || client->is_raw || client->count == WORLD_QUESTIONS)
		return;
	size_t len = world_write_question(client, name, type, has_opt, message + 2);
	message[0] = (uint8_t)(len >> 8);
	message[1] = (uint8_t)len;
	if (index >= WORLD_FIRST_H2)
		world_post(client, slice_of(message + 2, len));
	else if (index >= WORLD_FIRST_TCP)
		world_send(client, message, len + 2);
	else
		world_send(client, message + 2, len);
}

static void world_send_raw(unsigned index, struct slice bytes)
{
	struct world_client *client = &world.clients[index];
	if (!world_connect(index))
		return;
	client->is_raw = true;
	world_send(client, bytes.at, bytes.len);
}

/* --- upstreams --- */

static int world_bind(int type, uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0), on = 1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	FIXTURE_CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0);
	return fd;
}

static void world_upstream_open(struct world_upstream *upstream)
{
	upstream->port = fixture_free_port();
	upstream->udp = world_bind(SOCK_DGRAM, upstream->port);
	upstream->tcp = world_bind(SOCK_STREAM, upstream->port);
	FIXTURE_CHECK(listen(upstream->tcp, 64) == 0);
	for (unsigned i = 0; i < WORLD_STREAMS; i++)
		upstream->streams[i] = -1;
}

static struct world_pending *world_pend(unsigned upstream)
{
	if (world.pending_count == WORLD_PENDING) /* the oldest is never answered */
		memmove(world.pending, world.pending + 1,
			--world.pending_count * sizeof *world.pending);
	struct world_pending *pending = &world.pending[world.pending_count];
	*pending = (struct world_pending){ .upstream = upstream, .fd = -1 };
	return pending;
}

static void world_upstream_read_udp(unsigned number)
{
	for (;;) {
		struct world_pending *pending = world_pend(number);
		socklen_t len = sizeof pending->from;
		ssize_t got =
			recvfrom(world.upstreams[number].udp, pending->bytes, sizeof pending->bytes,
				MSG_DONTWAIT, (struct sockaddr *)&pending->from, &len);
		if (got < 0)
			return;
		pending->len = (size_t)got;
		world.pending_count += got > DNS_HEADER_LEN;
	}
}

static void world_upstream_close_stream(struct world_upstream *upstream, unsigned i)
{
	struct linger reset = { 1, 0 };
	int fd = upstream->streams[i];
	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close(fd);
	upstream->streams[i] = -1;
	for (size_t at = 0; at < world.pending_count; at++)
		if (world.pending[at].tcp && world.pending[at].fd == fd)
			world.pending[at].fd = -1;
}

static void world_upstream_accept(struct world_upstream *upstream)
{
	for (unsigned i = 0; i < WORLD_STREAMS; i++)
		if (upstream->streams[i] < 0)
			upstream->streams[i] = accept4(upstream->tcp, NULL, NULL, SOCK_NONBLOCK);
}

static void world_upstream_read_stream(unsigned number, unsigned i)
{
	struct world_upstream *upstream = &world.upstreams[number];
	struct world_pending *pending = world_pend(number);
	uint8_t head[2];
	ssize_t got = recv(upstream->streams[i], head, 2, MSG_DONTWAIT);
	size_t len = (size_t)(head[0] << 8 | head[1]);
	if (got < 0 && errno == EAGAIN)
		return;
	pending->tcp = true;
	pending->fd = upstream->streams[i];
	if (got == 2 && len <= sizeof pending->bytes)
		got = recv(upstream->streams[i], pending->bytes, len, MSG_DONTWAIT);
	else
		got = -1;
	if (got <= DNS_HEADER_LEN) {
		world_upstream_close_stream(upstream, i);
		return;
	}
	pending->len = (size_t)got;
	world.pending_count++;
}

static void world_upstream_read(unsigned number)
{
	struct world_upstream *upstream = &world.upstreams[number];
	world_upstream_read_udp(number);
	world_upstream_accept(upstream);
	for (unsigned i = 0; i < WORLD_STREAMS; i++)
		if (upstream->streams[i] >= 0)
			world_upstream_read_stream(number, i);
}

static void world_reply(const struct world_pending *to, struct slice message)
{
	uint8_t framed[2 + WORLD_MESSAGE] = { (uint8_t)(message.len >> 8), (uint8_t)message.len };
	ssize_t ignored;
	memcpy(framed + 2, message.at, message.len);
	if (to->tcp && to->fd >= 0)
		ignored = send(to->fd, framed, message.len + 2, MSG_DONTWAIT | MSG_NOSIGNAL);
	else if (!to->tcp)
		ignored = sendto(world.upstreams[to->upstream].udp, message.at, message.len,
			MSG_DONTWAIT, (const struct sockaddr *)&to->from, sizeof to->from);
	(void)ignored;
}

enum world_manner {
	WORLD_GOOD,
	WORLD_NXDOMAIN,
	WORLD_SERVFAIL,
	WORLD_REFUSED,
	WORLD_FORMERR,
	WORLD_TRUNCATED,
	WORLD_OTHER_ID, /* all of these tell lies, which nobody may believe */
	WORLD_OTHER_QUESTION,
	WORLD_OTHER_OWNER,
	WORLD_NO_ANSWER_FLAG,
	WORLD_CNAME_TO_BAD,
	WORLD_TWICE,
	WORLD_CUT,
	WORLD_CLOSE,
	WORLD_GARBAGE, /* bytes of the input behind the header */
	WORLD_MANNERS,
};

static size_t world_question_end(const struct world_pending *pending, size_t *name_len)
{
	size_t at = DNS_HEADER_LEN;
	while (at < pending->len && pending->bytes[at] != 0)
		at += pending->bytes[at] + 1u;
	*name_len = at + 1 - DNS_HEADER_LEN;
	return at + 5 <= pending->len ? at + 5 : 0;
}

static void world_put_record(struct writer *w, bool owner_is_other, const uint8_t address[4])
{
	if (owner_is_other)
		writer_bytes(w, "\5other\4test\0", 12);
	else
		writer_bytes(w, "\xc0\x0c", 2);
	writer_bytes(w, "\0\1\0\1\0\0\0\5\0\4", 10);
	writer_bytes(w, address, 4);
}

static void world_put_cname(struct writer *w)
{
	static const uint8_t lie[] = { 6, 6, 6, 6 };
	static const uint8_t target[] = "\1x\3bad\4test";
	writer_bytes(w, "\xc0\x0c\0\5\0\1\0\0\0\5\0\14", 12);
	writer_bytes(w, target, sizeof target);
	writer_bytes(w, target, sizeof target);
	writer_bytes(w, "\0\1\0\1\0\0\0\5\0\4", 10);
	writer_bytes(w, lie, sizeof lie);
}

static size_t world_write_answer(const struct world_pending *to, enum world_manner manner,
	struct slice garbage, uint8_t answer[WORLD_MESSAGE])
{
	static const uint8_t lie[] = { 6, 6, 6, 6 };
	static const uint8_t rcodes[WORLD_MANNERS] = {
		[WORLD_NXDOMAIN] = 3, [WORLD_SERVFAIL] = 2, [WORLD_REFUSED] = 5, [WORLD_FORMERR] = 1
	};
	bool is_lie = manner >= WORLD_OTHER_ID && manner <= WORLD_NO_ANSWER_FLAG;
	size_t name_len, end = world_question_end(to, &name_len);
	uint8_t good[4];
	if (end == 0)
		return 0;
	/* What an override leads to is the operator's word, and not judged again. */
	if (manner == WORLD_CNAME_TO_BAD && end - DNS_HEADER_LEN == sizeof "\4slow\4over\4test" + 4)
		manner = WORLD_GOOD;
	struct writer w = writer_of(answer, WORLD_MESSAGE);
	writer_bytes(&w, to->bytes, end);
	memset(answer + 6, 0, 6);
	answer[2] = manner == WORLD_NO_ANSWER_FLAG ? 1 : 0x81;
	answer[2] |= manner == WORLD_TRUNCATED ? 2 : 0;
	answer[3] = 0x80 | rcodes[manner];
	answer[1] ^= manner == WORLD_OTHER_ID;
	answer[13] ^= manner == WORLD_OTHER_QUESTION ? 3 : 0;
	bool wants_a = to->bytes[end - 3] == 1 && to->bytes[end - 4] == 0;
	if (manner == WORLD_GARBAGE)
		writer_bytes(&w, garbage.at, garbage.len < 1024 ? garbage.len : 1024);
	if (manner == WORLD_GARBAGE)
		answer[7] = (uint8_t)(garbage.len ? garbage.at[0] & 3 : 1);
	else if (manner == WORLD_CNAME_TO_BAD) {
		world_put_cname(&w);
		answer[7] = 2;
	} else if (rcodes[manner] == 0 && wants_a) {
		world_address(slice_of(to->bytes + DNS_HEADER_LEN, name_len), good);
		world_put_record(&w, manner == WORLD_OTHER_OWNER, is_lie ? lie : good);
		answer[7] = 1;
	}
	FIXTURE_CHECK(!w.failed);
	return manner == WORLD_CUT ? w.len - 3 : w.len;
}

static void world_forget(size_t index)
{
	world.pending_count--;
	memmove(world.pending + index, world.pending + index + 1,
		(world.pending_count - index) * sizeof *world.pending);
}

static void world_answer(unsigned which, enum world_manner manner, struct slice garbage)
{
	static uint8_t answer[WORLD_MESSAGE];
	if (world.pending_count == 0)
		return;
	size_t index = which % world.pending_count;
	struct world_pending pending = world.pending[index];
	world_forget(index);
	struct world_upstream *upstream = &world.upstreams[pending.upstream];
	for (unsigned i = 0; manner == WORLD_CLOSE && i < WORLD_STREAMS; i++)
		if (pending.tcp && upstream->streams[i] == pending.fd)
			world_upstream_close_stream(upstream, i);
	world.is_garbled |= manner == WORLD_GARBAGE;
	size_t len = world_write_answer(&pending, manner, garbage, answer);
	for (int i = 0; i <= (manner == WORLD_TWICE) && len && manner != WORLD_CLOSE; i++)
		world_reply(&pending, slice_of(answer, len));
}

/* --- all of it --- */

static void world_turn(void)
{
	for (int i = 0; i < 3; i++) {
		uv_run(&world.worker->loop, UV_RUN_NOWAIT);
		for (unsigned k = 0; k < WORLD_CLIENTS; k++)
			world_read(k);
		world_upstream_read(0);
		world_upstream_read(1);
	}
}

static void world_pass_time(unsigned ms)
{
	world_ns += (uint64_t)ms * 1000000;
	world_turn();
}

static void world_reload(void)
{
	world.snapshot = !world.snapshot;
	worker_publish(world.worker, snapshot_ref(world.snapshots[world.snapshot]));
}

static void world_write_config(const struct fixture_directory *directory, bool other)
{
	char text[4096];
	char one[100];
	snprintf(one, sizeof one, "{ name = \"one\"; address = \"127.0.0.1\"; port = %u; },",
		world.upstreams[0].port);
	int len = snprintf(text, sizeof text,
		"workers = 1;\n"
		"listeners = ( { protocol = \"dns\"; address = \"127.0.0.1\"; port = %u; },\n"
		"  { protocol = \"doh\"; address = \"127.0.0.1\"; port = %u; } );\n"
		"tls = { certificate = \"server.pem\"; key = \"server.key\"; };\n"
		"special_names = { test = false; };\n"
		"upstreams = ( %s { name = \"two\"; address = \"127.0.0.1\"; port = %u; } );\n"
		"domain_lists = ( { name = \"drop\"; domains = [ \"drop.test\" ]; },\n"
		"  { name = \"bad\"; domains = [ \"*.bad.test\" ]; },\n"
		"  { name = \"new\"; domains = [ \"%s\" ]; } );\n"
		"rule_groups = ( { name = \"base\"; rules = (\n"
		"  { name = \"drop\"; priority = 1; action = \"BLOCK\"; "
		"block_response = \"DROP\"; domain_list = \"drop\"; },\n"
		"  { name = \"new\"; priority = 2; action = \"BLOCK\"; "
		"block_response = \"NXDOMAIN\"; domain_list = \"new\"; },\n"
		"  { name = \"over\"; priority = 3; action = \"BLOCK\"; "
		"block_response = \"OVERRIDE\";\n"
		"    override_domain = \"slow.over.test\"; domain_list = \"bad\"; } ); } );\n"
		"views = ( { name = \"all\"; clients = [ \"127.0.0.0/8\" ];\n"
		"  associations = ( { rule_group = \"base\"; priority = 101; } ); } );\n"
		"cache = { size = \"1MiB\"; stale_after = \"500ms\"; };\n"
		"limits = { connections = 3; queries = 12; queries_per_connection = 6; };\n",
		world.ports[0], world.ports[1], other ? "" : one, world.upstreams[1].port,
		other ? "new.test" : "unused.test");
	fixture_write(directory, "namegate.conf", text, (size_t)len);
}

static struct snapshot *world_load(const struct fixture_directory *directory, bool other)
{
	char path[128];
	struct config_errors errors = { 0 };
	const struct snapshot_parts parts = { .labels = world.labels, .ticket_keys = world.keys };
	world_write_config(directory, other);
	config_errors_to_stderr(&errors);
	struct snapshot *snapshot =
		snapshot_load(fixture_path(directory, "namegate.conf", path), &parts, &errors);
	FIXTURE_CHECK(snapshot);
	return snapshot;
}

/* Once per process. */
static void world_make(void)
{
	struct worker_fixture certificate = { .directory = fixture_directory_make() };
	log_set_level(LOG_ERROR);
	signal(SIGPIPE, SIG_IGN);
	upstream_start();
	world_upstream_open(&world.upstreams[0]);
	world_upstream_open(&world.upstreams[1]);
	world.ports[0] = fixture_free_port();
	do
		world.ports[1] = fixture_free_port();
	while (world.ports[1] == world.ports[0]);
	world.keys = tls_ticket_keys_new();
	world.labels = metrics_registry_new();
	world.metrics = metrics_new(world.labels);
	fixture_write_certificate(&certificate);
	world.snapshots[0] = world_load(&certificate.directory, false);
	world.snapshots[1] = world_load(&certificate.directory, true);
	fixture_remove(&certificate.directory);
	world_ns = 1000000000ull * 1000000;
}

/* Clients speak HTTP/2 in clear text: TLS has a fuzz target of its own. */
static void world_begin(struct cache *cache)
{
	static const struct stream_protocol clear_doh = { PROTOCOL_DOH, &framer_doh, false,
		TLS_ALPN_H2 };
	const struct worker_parts parts = {
		.snapshot = world.snapshots[0], .metrics = world.metrics, .cache = cache
	};
	int error;
	world_ns += 1000000000ull - world_ns % 1000000000ull;
	world_chance = 1;
	world.snapshot = 0;
	world.pending_count = 0;
	world.is_draining = world.is_garbled = false;
	world.next_id = 0;
	world.worker = worker_new(&parts, &error);
	FIXTURE_CHECK(world.worker);
	FIXTURE_CHECK(listeners_open(world.worker, world.snapshots[0]->config) == 0);
	world.worker->listeners[1].protocol = &clear_doh;
	for (unsigned i = 0; i < WORLD_CLIENTS; i++)
		world.clients[i].fd = -1;
	world_turn();
}

/* Everybody leaves; what was begun ends by itself, in time. */
static void world_end(void)
{
	for (unsigned i = 0; i < WORLD_CLIENTS; i++)
		world_disconnect(&world.clients[i]);
	world_turn();
	if (!world.is_draining)
		worker_drain(world.worker);
	for (unsigned i = 0; i < 40 && uv_loop_alive(&world.worker->loop); i++)
		world_pass_time(500);
	FIXTURE_CHECK(conn_table_count(world.worker->conns) == 0);
	FIXTURE_CHECK(query_table_waiting(world.worker->queries) == 0);
	FIXTURE_CHECK(!uv_loop_alive(&world.worker->loop));
	worker_join(world.worker);
	for (unsigned i = 0; i < 2 * WORLD_STREAMS; i++)
		world_upstream_close_stream(&world.upstreams[i % 2], i / 2);
	world_upstream_read(0); /* what is late is of no interest to the next input */
	world_upstream_read(1);
	for (unsigned i = 0; i < 2 * WORLD_STREAMS; i++)
		world_upstream_close_stream(&world.upstreams[i % 2], i / 2);
}

#endif
