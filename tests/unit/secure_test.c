/* One DoT or DoH upstream, asked over real connections to a server in the same loop, which is made
 * of our server's side and does whatever a script wants. */
#include "proxy/upstream/exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/error.h"
#include "proxy/framing/framer.h"
#include "proxy/upstream/judge.h"
#include "proxy/upstream/reach.h"
#include "proxy/upstream/upstream.h"
#include "tests/unit/tls_fixture.h"

enum {
	ASKS = 8192,
	HELD = 2048,
	PATIENCE_MS = 20000, /* until a test gives up: never reached when all is well */
	TICK_MS = 10,
	MESSAGE_MAX = 65535,
	SERVERS = 3,
};

/* --- the server --- */

struct peer;

struct script {
	/* Before the handshake; false: the script does the talking. NULL: true. */
	bool (*on_connect)(struct peer *peer);
	void (*on_query)(struct peer *peer, int32_t stream, struct slice message);
	const char *certificate; /* NULL: "good" */
	bool is_http2_silent;
};

struct server {
	uv_tcp_t tcp;
	struct script script;
	uint16_t port;
	unsigned accepted;
	unsigned queries;
	unsigned reads; /* those that brought a query */
	unsigned ended; /* connections that we closed in good order */
};

struct peer {
	uv_tcp_t tcp;
	struct server *server;
	struct tls_stream *tls;
	struct framer *framer;
	uv_timer_t timer;
	unsigned number; /* of the connection, from 0 */
	unsigned queries;
	unsigned handles;
	bool raw;
	bool closing;
};

struct held {
	struct peer *peer;
	int32_t stream;
	size_t len;
	uint8_t bytes[DNS_REQUEST_PADDED_MAX];
};

struct outcome {
	unsigned calls;
	enum exchange_outcome outcome;
	uint16_t rcode;
	size_t len;
	uint32_t ttl_s;
	uint8_t last;  /* of 192.0.2.x */
	unsigned rank; /* so many were reported before */
	uint64_t took_ms;
};

static struct {
	struct fixture_directory directory;
	struct tls_ticket_keys *keys;
	struct tls_client *clients[2]; /* by alpn */
} shared;

static struct {
	uv_loop_t loop;
	uv_timer_t tick;
	uv_idle_t soon;
	struct exchange_host host;
	struct exchange *exchange;
	struct upstream_config config;
	struct address addresses[4];
	char name[16];
	struct server servers[SERVERS];
	struct tls_context *contexts[4];
	unsigned context_count;
	struct outcome outcomes[ASKS];
	uint64_t asked_ms[ASKS];
	unsigned asked;
	unsigned reported;
	unsigned bootstraps;
	bool asking;
	bool close_on_report;
	unsigned ask_again;
	struct held held[HELD];
	unsigned held_count;
	uint8_t read[64 * 1024];
	uint8_t plain[64 * 1024];
	uint8_t cipher[192 * 1024];
} t;

static void on_peer_closed(uv_handle_t *handle)
{
	struct peer *peer = handle->data;
	if (--peer->handles > 0)
		return;
	for (unsigned i = 0; i < t.held_count; i++) {
		if (t.held[i].peer == peer)
			t.held[i].peer = NULL;
	}
	tls_stream_free(peer->tls);
	if (peer->framer)
		(t.config.protocol == UPSTREAM_DOT ? &framer_dot : &framer_doh2)
			->free(peer->framer);
	free(peer);
}

static void peer_close(struct peer *peer)
{
	if (peer->closing)
		return;
	peer->closing = true;
	uv_close((uv_handle_t *)&peer->timer, on_peer_closed);
	uv_close((uv_handle_t *)&peer->tcp, on_peer_closed);
}

static void peer_reset(struct peer *peer)
{
	if (peer->closing)
		return;
	peer->closing = true;
	uv_close((uv_handle_t *)&peer->timer, on_peer_closed);
	assert_int_equal(uv_tcp_close_reset(&peer->tcp, on_peer_closed), 0);
}

struct write {
	uv_write_t request;
	uint8_t bytes[];
};

static void on_written(uv_write_t *request, int status)
{
	(void)status;
	free(request);
}

static void peer_write(struct peer *peer, struct slice bytes)
{
	if (peer->closing || bytes.len == 0)
		return;
	struct write *write = malloc(sizeof *write + bytes.len);
	memcpy(write->bytes, bytes.at, bytes.len);
	uv_buf_t buffer = uv_buf_init((char *)write->bytes, (unsigned)bytes.len);
	assert_int_equal(
		uv_write(&write->request, (uv_stream_t *)&peer->tcp, &buffer, 1, on_written), 0);
}

static const struct framer_type *framer_type(void)
{
	return t.config.protocol == UPSTREAM_DOT ? &framer_dot : &framer_doh2;
}

static void peer_send(struct peer *peer, struct slice plain)
{
	struct writer cipher = writer_of(t.cipher, sizeof t.cipher);
	if (tls_stream_write(peer->tls, plain, &cipher) == 0)
		peer_write(peer, writer_slice(&cipher));
}

static void peer_flush(struct peer *peer)
{
	size_t len;
	while (!peer->closing && !peer->raw && tls_stream_is_established(peer->tls) &&
		(len = framer_type()->drain(peer->framer, t.plain, sizeof t.plain)) > 0)
		peer_send(peer, slice_of(t.plain, len));
}

/* In good order. */
static void peer_end(struct peer *peer)
{
	peer_flush(peer);
	struct writer cipher = writer_of(t.cipher, sizeof t.cipher);
	tls_stream_close(peer->tls, &cipher);
	peer_write(peer, writer_slice(&cipher));
	peer_close(peer);
}

static void on_query(
	void *host, int32_t stream, const struct framer_claims *claims, struct slice message)
{
	(void)claims;
	(void)claims;
	struct peer *peer = host;
	peer->server->queries++;
	peer->queries++;
	/* What goes out is padded and has no id over HTTP. */
	assert_int_equal(message.len % DNS_REQUEST_PADDING, 0);
	struct dns_query query;
	assert_int_equal(dns_query_open(&query, message), DNS_QUERY_FINE);
	assert_true(query.opt.has_padding);
	assert_int_equal(query.opt.has_keepalive, t.config.protocol == UPSTREAM_DOT);
	if (t.config.protocol == UPSTREAM_DOH)
		assert_int_equal(query.id, 0);
	if (!peer->closing)
		peer->server->script.on_query(peer, stream, message);
}

static void on_abandoned(void *host, int32_t stream)
{
	(void)host, (void)stream;
}

static void on_status(void *host, enum http_method method, unsigned status)
{
	(void)host, (void)status;
	assert_int_equal(method, t.config.use_get ? HTTP_GET : HTTP_POST);
}

static void on_reset_flood(void *host)
{
	(void)host;
	fail_msg("too many resets");
}

static const struct framer_events framer_events = { .on_message = on_query,
	.on_status = on_status,
	.on_abandoned = on_abandoned,
	.on_reset_flood = on_reset_flood };

static void on_peer_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	(void)handle, (void)suggested;
	*buffer = uv_buf_init((char *)t.read, sizeof t.read);
}

static void peer_feed(struct peer *peer, struct slice cipher)
{
	struct writer out = writer_of(t.cipher, sizeof t.cipher);
	unsigned before = peer->queries;
	ssize_t len;
	do {
		uint8_t plain[TLS_PLAIN_MAX];
		len = tls_stream_read(peer->tls, &cipher, plain, sizeof plain, &out);
		if (out.len > 0)
			peer_write(peer, writer_slice(&out));
		out.len = 0;
		if (len > 0 && framer_type()->feed(peer->framer, slice_of(plain, (size_t)len)))
			len = ERR_TLS;
	} while (len > 0 && !peer->closing && !peer->raw);
	peer->server->reads += peer->queries > before;
	peer_flush(peer);
	peer->server->ended += len == ERR_CLOSED;
	if (len < 0)
		peer_close(peer);
}

static void on_peer_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer)
{
	struct peer *peer = stream->data;
	if (len < 0)
		peer_close(peer);
	else if (len > 0 && !peer->raw)
		peer_feed(peer, slice_of(buffer->base, (size_t)len));
}

static struct tls_context *context_of(const char *name)
{
	static const char *const names[] = { "good", "stranger", "other" };
	char pem[128], key[128], file[32], message[TLS_MESSAGE_MAX];
	for (unsigned i = 0; i < 3; i++) {
		if (strcmp(names[i], name) != 0)
			continue;
		if (!t.contexts[i]) {
			snprintf(file, sizeof file, "%s.pem", name);
			fixture_path(&shared.directory, file, pem);
			snprintf(file, sizeof file, "%s.key", name);
			fixture_path(&shared.directory, file, key);
			t.contexts[i] = tls_context_load(pem, key, shared.keys, message);
			assert_non_null(t.contexts[i]);
		}
		return t.contexts[i];
	}
	fail();
	return NULL;
}

static void on_accept(uv_stream_t *stream, int status)
{
	struct server *server = stream->data;
	struct peer *peer = calloc(1, sizeof *peer);
	assert_int_equal(status, 0);
	uv_tcp_init(&t.loop, &peer->tcp);
	uv_timer_init(&t.loop, &peer->timer);
	peer->handles = 2;
	peer->tcp.data = peer->timer.data = peer;
	peer->server = server;
	peer->number = server->accepted++;
	assert_int_equal(uv_accept(stream, (uv_stream_t *)&peer->tcp), 0);
	uv_tcp_nodelay(&peer->tcp, 1);
	const char *certificate = server->script.certificate;
	const struct framer_settings settings = {
		.events = &framer_events, .host = peer, .path = "/dns-query"
	};
	peer->tls = tls_stream_new(context_of(certificate ? certificate : "good"),
		t.config.protocol == UPSTREAM_DOT ? TLS_ALPN_DOT : TLS_ALPN_H2);
	peer->framer = framer_type()->open(&settings);
	peer->raw = server->script.on_connect && !server->script.on_connect(peer);
	if (!peer->closing)
		uv_read_start((uv_stream_t *)&peer->tcp, on_peer_alloc, on_peer_read);
}

static void server_bind(struct server *server, const char *address, uint16_t port)
{
	struct sockaddr_in at;
	int len = sizeof at;
	uv_tcp_init(&t.loop, &server->tcp);
	server->tcp.data = server;
	uv_ip4_addr(address, port, &at);
	assert_int_equal(uv_tcp_bind(&server->tcp, (struct sockaddr *)&at, 0), 0);
	assert_int_equal(uv_tcp_getsockname(&server->tcp, (struct sockaddr *)&at, &len), 0);
	server->port = ntohs(at.sin_port);
}

static void server_listen(struct server *server)
{
	assert_int_equal(uv_listen((uv_stream_t *)&server->tcp, 128, on_accept), 0);
}

/* --- scripts --- */

enum { RR_LEN = 16 };

/* The question echoed, one A record 192.0.2.`last`, TXT records of `padding` bytes behind it. */
static size_t write_answer(
	struct slice query, uint8_t *bytes, unsigned flags, uint8_t last, size_t padding)
{
	struct writer to = writer_of(bytes, MESSAGE_MAX);
	struct slice question = judge_question(query);
	const uint8_t record[RR_LEN] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, last };
	writer_bytes(&to, query.at, 2);
	writer_u16(&to, (uint16_t)(0x8180 | flags));
	writer_u16(&to, 1);
	writer_u16(&to, 1);
	writer_u16(&to, 0);
	writer_u16(&to, 0);
	writer_slice_bytes(&to, question);
	writer_bytes(&to, record, sizeof record);
	uint16_t count = 1;
	for (; padding >= 12; count++) {
		size_t len = padding - 12 < 60000 ? padding - 12 : 60000;
		writer_u16(&to, 0xc00c);
		writer_u16(&to, 65400);
		writer_u16(&to, 1);
		writer_u32(&to, 60);
		writer_u16(&to, (uint16_t)len);
		writer_zeros(&to, len);
		padding -= 12 + len;
	}
	writer_patch_u16(&to, 6, count);
	assert_false(to.failed);
	return to.len;
}

static uint8_t answer_bytes[MESSAGE_MAX];

static void reply(struct peer *peer, int32_t stream, size_t len)
{
	framer_type()->reply(peer->framer, stream, slice_of(answer_bytes, len), 60);
}

static void answer(struct peer *peer, int32_t stream, struct slice message)
{
	reply(peer, stream, write_answer(message, answer_bytes, 0, 1, 0));
}

static void answer_and_end(struct peer *peer, int32_t stream, struct slice message)
{
	answer(peer, stream, message);
	peer_end(peer);
}

static void say_nothing(struct peer *peer, int32_t stream, struct slice message)
{
	(void)peer, (void)stream, (void)message;
}

static void nxdomain(struct peer *peer, int32_t stream, struct slice message)
{
	reply(peer, stream, write_answer(message, answer_bytes, DNS_RCODE_NXDOMAIN, 1, 0));
}

static void hold(struct peer *peer, int32_t stream, struct slice message)
{
	assert_true(t.held_count < HELD);
	struct held *held = &t.held[t.held_count++];
	*held = (struct held){ .peer = peer, .stream = stream, .len = message.len };
	memcpy(held->bytes, message.at, message.len);
}

/* Everything that is held, the last first. */
static void let_go(void)
{
	while (t.held_count > 0) {
		struct held *held = &t.held[--t.held_count];
		if (!held->peer)
			continue;
		answer(held->peer, held->stream, slice_of(held->bytes, held->len));
		peer_flush(held->peer);
	}
}

static void end_without_answer(struct peer *peer, int32_t stream, struct slice message)
{
	(void)stream, (void)message;
	peer_end(peer);
}

static void reset_without_answer(struct peer *peer, int32_t stream, struct slice message)
{
	(void)stream, (void)message;
	peer_reset(peer);
}

/* The first connection dies with its questions, the others answer. */
static void first_ends(struct peer *peer, int32_t stream, struct slice message)
{
	(peer->number == 0 ? end_without_answer : answer)(peer, stream, message);
}

static void first_resets(struct peer *peer, int32_t stream, struct slice message)
{
	(peer->number == 0 ? reset_without_answer : answer)(peer, stream, message);
}

static void first_is_silent(struct peer *peer, int32_t stream, struct slice message)
{
	if (peer->number > 0)
		answer(peer, stream, message);
}

/* Bytes that are no TLS record, in the middle of a good connection. */
static void first_babbles(struct peer *peer, int32_t stream, struct slice message)
{
	if (peer->number > 0)
		answer(peer, stream, message);
	else
		peer_write(
			peer, slice_of("\x17\x03\x03\x00\x20garbage garbage garbage garbage", 37));
}

/* Bytes that are well encrypted, and neither a DNS message nor HTTP/2. */
static void first_sends_nonsense(struct peer *peer, int32_t stream, struct slice message)
{
	if (peer->number > 0)
		answer(peer, stream, message);
	else
		peer_send(peer, slice_of("\0\3abc garbage of another protocol", 34));
}

static void go_away(struct peer *peer, int32_t stream, struct slice message)
{
	answer(peer, stream, message);
	if (peer->number == 0)
		framer_type()->finish(peer->framer);
}

static void huge(struct peer *peer, int32_t stream, struct slice message)
{
	reply(peer, stream, write_answer(message, answer_bytes, 0, 7, 60000));
}

static void wrong_id(struct peer *peer, int32_t stream, struct slice message)
{
	size_t len = write_answer(message, answer_bytes, 0, 66, 0);
	answer_bytes[0] ^= 0x40;
	reply(peer, stream, len);
}

static void wrong_name(struct peer *peer, int32_t stream, struct slice message)
{
	size_t len = write_answer(message, answer_bytes, 0, 66, 0);
	answer_bytes[DNS_HEADER_LEN + 1] ^= 1;
	reply(peer, stream, len);
}

static void wrong_type(struct peer *peer, int32_t stream, struct slice message)
{
	size_t len = write_answer(message, answer_bytes, 0, 66, 0);
	answer_bytes[len - RR_LEN - 3] ^= 0x10;
	reply(peer, stream, len);
}

static void no_answer_bit(struct peer *peer, int32_t stream, struct slice message)
{
	size_t len = write_answer(message, answer_bytes, 0, 66, 0);
	answer_bytes[2] &= 0x7f;
	reply(peer, stream, len);
}

static void cut_short(struct peer *peer, int32_t stream, struct slice message)
{
	reply(peer, stream, write_answer(message, answer_bytes, 0, 66, 0) - 5);
}

static void reject(struct peer *peer, int32_t stream, struct slice message)
{
	(void)message;
	framer_type()->reject(peer->framer, stream, 400);
}

static bool no_handshake(struct peer *peer)
{
	(void)peer;
	return false;
}

static bool speak_http(struct peer *peer)
{
	static const char text[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
	peer_write(peer, slice_of_text(text));
	return false;
}

static bool hang_up(struct peer *peer)
{
	peer_close(peer);
	return false;
}

/* --- the asking side --- */

static void on_report(struct exchange_host *host, const struct exchange_report *report)
{
	assert_ptr_equal(host, &t.host);
	assert_false(t.asking);
	assert_true(report->owner < t.asked);
	struct outcome *outcome = &t.outcomes[report->owner];
	assert_int_equal(outcome->calls++, 0);
	outcome->outcome = report->outcome;
	outcome->rank = t.reported;
	outcome->took_ms = uv_hrtime() / 1000000 - t.asked_ms[report->owner];
	t.reported++;
	if (report->outcome == EXCHANGE_ANSWER) {
		struct dns_record_walk walk;
		struct dns_record record;
		outcome->rcode = report->answer->rcode;
		outcome->len = report->answer->message.len;
		dns_record_walk_begin(&walk, report->answer);
		if (dns_record_next(&walk, &record) && record.type == DNS_TYPE_A) {
			outcome->last = record.rdata.at[3];
			outcome->ttl_s = record.ttl_s;
		}
	} else {
		assert_null(report->answer);
	}
	if (t.ask_again > 0) {
		struct dns_request request = {
			.name = slice_of("\5again\4test", 12), .type = 1, .class = 1
		};
		t.ask_again--;
		t.asked_ms[t.asked] = uv_hrtime() / 1000000;
		t.asking = true;
		assert_int_equal(t.exchange->type->ask(t.exchange, &request, t.asked++), 0);
		t.asking = false;
	}
	if (t.close_on_report)
		t.exchange->type->close(t.exchange);
}

static void on_soon(uv_idle_t *idle)
{
	uv_idle_stop(idle);
	t.exchange->type->work(t.exchange);
}

static void on_work(struct exchange_host *host)
{
	(void)host;
	uv_idle_start(&t.soon, on_soon);
}

static void on_exchange_closed(struct exchange_host *host)
{
	(void)host;
}

static void on_bootstrap(struct exchange_host *host, struct exchange *exchange)
{
	(void)host;
	assert_ptr_equal(exchange, t.exchange);
	t.bootstraps++;
}

static void on_tick(uv_timer_t *timer)
{
	(void)timer;
	t.exchange->type->tick(t.exchange, uv_now(&t.loop));
}

static int try_ask(void)
{
	char name[16];
	assert_true(t.asked < ASKS);
	int len = snprintf(name, sizeof name, "\7q%06u\4test", t.asked);
	struct dns_request request = { .name = slice_of(name, (size_t)len + 1),
		.type = DNS_TYPE_A,
		.class = DNS_CLASS_IN,
		.recursion_desired = true };
	t.asked_ms[t.asked] = uv_hrtime() / 1000000;
	t.asking = true;
	int error = t.exchange->type->ask(t.exchange, &request, t.asked);
	t.asking = false;
	if (error == 0)
		t.asked++;
	return error;
}

static void ask(unsigned count)
{
	while (count-- > 0)
		assert_int_equal(try_ask(), 0);
}

/* --- running --- */

static uint64_t clock_ms(void)
{
	return uv_hrtime() / 1000000;
}

#define RUN_UNTIL(truth)                                                                           \
	do {                                                                                       \
		uint64_t until_ms = clock_ms() + PATIENCE_MS;                                      \
		while (!(truth)) {                                                                 \
			if (clock_ms() > until_ms)                                                 \
				fail_msg("never: %s", #truth);                                     \
			uv_run(&t.loop, UV_RUN_ONCE);                                              \
		}                                                                                  \
	} while (0)

static void run_ms(uint64_t ms)
{
	uint64_t until_ms = clock_ms() + ms;
	while (clock_ms() < until_ms)
		uv_run(&t.loop, UV_RUN_ONCE);
}

static void settle(void)
{
	RUN_UNTIL(t.reported == t.asked);
}

static uint64_t counted(const upstream_counter *counter)
{
	return upstream_count_read(counter);
}

#define COUNTED(field) counted(&t.exchange->counters.field)

static void expect(unsigned from, unsigned count, enum exchange_outcome outcome)
{
	for (unsigned i = from; i < from + count; i++) {
		assert_int_equal(t.outcomes[i].calls, 1);
		assert_int_equal(t.outcomes[i].outcome, outcome);
		if (outcome == EXCHANGE_ANSWER && t.outcomes[i].rcode == 0)
			assert_in_range(t.outcomes[i].last, 1, 65); /* .66 is a lie */
	}
}

/* The exchange alone; addresses and servers are as they are. */
static void open_exchange(enum upstream_protocol protocol)
{
	/* What was logged is remembered by name. */
	static unsigned number;
	snprintf(t.name, sizeof t.name, "tested%u", number++);
	t.config.name = t.name;
	t.config.protocol = protocol;
	t.config.port = t.servers[0].port;
	t.config.authority = "dns.test";
	t.config.path = "/dns-query";
	t.exchange = exchange_secure.open(&t.host, &t.config,
		shared.clients[protocol == UPSTREAM_DOT ? TLS_ALPN_DOT : TLS_ALPN_H2], 3);
	assert_non_null(t.exchange);
	uv_timer_start(&t.tick, on_tick, TICK_MS, TICK_MS);
}

static void begin_loop(void)
{
	memset(&t, 0, sizeof t);
	uv_loop_init(&t.loop);
	uv_timer_init(&t.loop, &t.tick);
	uv_idle_init(&t.loop, &t.soon);
	t.host = (struct exchange_host){ .loop = &t.loop,
		.plain_buffer = malloc(EXCHANGE_BUFFER_LEN),
		.cipher_buffer = malloc(EXCHANGE_BUFFER_LEN),
		.on_report = on_report,
		.on_work = on_work,
		.on_closed = on_exchange_closed,
		.on_bootstrap = on_bootstrap };
	random_pool_init(&t.host.random);
	address_parse(&t.addresses[0], "127.0.0.1");
	t.config.addresses = t.addresses;
	t.config.address_count = 1;
	tls_client_forget(shared.clients[0]);
	tls_client_forget(shared.clients[1]);
}

static void begin(enum upstream_protocol protocol,
	void (*script)(struct peer *peer, int32_t stream, struct slice message))
{
	begin_loop();
	t.servers[0].script.on_query = script;
	server_bind(&t.servers[0], "127.0.0.1", 0);
	server_listen(&t.servers[0]);
	open_exchange(protocol);
}

static void close_rest(uv_handle_t *handle, void *context)
{
	(void)context;
	if (uv_is_closing(handle))
		return;
	for (unsigned i = 0; i < SERVERS; i++) {
		if ((uv_handle_t *)&t.servers[i].tcp == handle) {
			uv_close(handle, NULL);
			return;
		}
	}
	if (handle->type == UV_TCP)
		peer_close(handle->data);
	else if (handle == (uv_handle_t *)&t.soon || handle == (uv_handle_t *)&t.tick)
		uv_close(handle, NULL);
}

/* Whatever state it is in: it closes, reports nothing more, and leaves nothing behind. */
static void finish(void)
{
	unsigned reported = t.reported;
	uv_timer_stop(&t.tick);
	t.exchange->type->close(t.exchange);
	RUN_UNTIL(t.exchange->type->is_closed(t.exchange));
	assert_int_equal(t.reported, reported);
	assert_false(t.exchange->type->has_sockets(t.exchange));
	t.exchange->type->free(t.exchange);
	uv_walk(&t.loop, close_rest, NULL);
	uv_run(&t.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&t.loop), 0);
	for (unsigned i = 0; i < 4; i++)
		tls_context_unref(t.contexts[i]);
	free(t.host.plain_buffer);
	free(t.host.cipher_buffer);
}

static const enum upstream_protocol protocols[] = { UPSTREAM_DOT, UPSTREAM_DOH };
#define EACH_PROTOCOL(protocol)                                                                    \
	for (enum upstream_protocol protocol = UPSTREAM_DOT; protocol <= UPSTREAM_DOH; protocol++)

/* --- what is to be seen --- */

static void answers(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		begin(protocols[i > 0], answer);
		t.config.use_get = i == 2;
		t.exchange->type->close(t.exchange); /* it was opened without GET */
		RUN_UNTIL(t.exchange->type->is_closed(t.exchange));
		t.exchange->type->free(t.exchange);
		open_exchange(protocols[i > 0]);
		for (unsigned k = 0; k < 5; k++) {
			ask(1);
			assert_true(t.exchange->type->is_busy(t.exchange));
			settle();
		}
		expect(0, 5, EXCHANGE_ANSWER);
		assert_false(t.exchange->type->is_busy(t.exchange));
		assert_true(t.exchange->type->has_sockets(t.exchange));
		assert_int_equal(t.servers[0].accepted, 1);
		assert_int_equal(COUNTED(connections), 1);
		assert_int_equal(COUNTED(connections_opened), 1);
		assert_int_equal(COUNTED(queries_tcp), 5);
		assert_int_equal(COUNTED(answers[UPSTREAM_NOERROR]), 5);
		assert_int_equal(COUNTED(in_flight), 0);
		t.servers[0].script.on_query = nxdomain;
		ask(1);
		settle();
		assert_int_equal(t.outcomes[5].rcode, DNS_RCODE_NXDOMAIN);
		finish();
	}
}

/* All of a turn leaves in one piece. */
static void a_turn_is_one_write(void **state)
{
	(void)state;
	EACH_PROTOCOL(protocol)
	{
		begin(protocol, answer);
		ask(1);
		settle();
		unsigned reads = t.servers[0].reads;
		for (unsigned i = 0; i < 5; i++) {
			ask(16);
			settle();
		}
		assert_int_equal(t.servers[0].reads - reads, 5);
		assert_int_equal(t.servers[0].queries, 81);
		finish();
	}
}

static void many_at_once_in_any_order(void **state)
{
	(void)state;
	enum { MANY = 1000 };
	EACH_PROTOCOL(protocol)
	{
		/* Our own server takes 100 streams a connection. */
		unsigned together = protocol == UPSTREAM_DOT ? MANY : 400;
		begin(protocol, hold);
		ask(1);
		RUN_UNTIL(t.held_count == 1);
		ask(MANY - 1);
		RUN_UNTIL(t.held_count >= together);
		assert_in_range(t.servers[0].accepted, 4, 4);
		while (t.reported < MANY) {
			let_go();
			uv_run(&t.loop, UV_RUN_ONCE);
		}
		expect(0, MANY, EXCHANGE_ANSWER);
		assert_int_equal(COUNTED(queries_tcp), MANY);
		assert_int_equal(COUNTED(replays), 0);
		finish();
	}
}

static void asking_from_a_report(void **state)
{
	(void)state;
	EACH_PROTOCOL(protocol)
	{
		begin(protocol, answer);
		t.ask_again = 300;
		ask(20);
		RUN_UNTIL(t.reported == 320);
		expect(0, 320, EXCHANGE_ANSWER);
		assert_int_equal(t.servers[0].accepted, 1);
		finish();
	}
}

/* More than there is room for: who waited longest comes first, so nobody waits for long. */
static void nobody_starves(void **state)
{
	(void)state;
	enum { TOGETHER = 1000, LATER = 6000 };
	EACH_PROTOCOL(protocol)
	{
		begin(protocol, answer);
		ask(1);
		settle();
		ask(TOGETHER);
		t.ask_again = LATER;
		RUN_UNTIL(t.reported == 1 + TOGETHER + LATER);
		expect(0, t.asked, EXCHANGE_ANSWER);
		/* They were answered about in the order in which they were asked. */
		unsigned worst = 0;
		for (unsigned i = 0; i < t.asked; i++) {
			if (t.outcomes[i].rank > i + worst)
				worst = t.outcomes[i].rank - i;
		}
		assert_in_range(worst, 0, 600);
		finish();
	}
}

static void closed_after_each_answer(void **state)
{
	(void)state;
	EACH_PROTOCOL(protocol)
	{
		begin(protocol, answer_and_end);
		for (unsigned i = 0; i < 6; i++) {
			ask(1);
			settle();
		}
		expect(0, 6, EXCHANGE_ANSWER);
		assert_int_equal(COUNTED(connections_opened), t.servers[0].accepted);
		/* The first one had no ticket yet. */
		assert_int_equal(COUNTED(connections_resumed), COUNTED(connections_opened) - 1);
		finish();
	}
}

static void replayed_once(void **state)
{
	(void)state;
	static void (*const deaths[])(struct peer *, int32_t, struct slice) = { first_ends,
		first_resets, first_babbles, first_sends_nonsense };
	EACH_PROTOCOL(protocol)
	{
		for (unsigned i = 0; i < 4; i++) {
			begin(protocol, deaths[i]);
			ask(10);
			settle();
			expect(0, 10, EXCHANGE_ANSWER);
			assert_int_equal(COUNTED(replays), 10);
			assert_int_equal(COUNTED(queries_tcp), 20);
			assert_int_equal(t.servers[0].accepted, 2);
			finish();
		}
	}
}

/* Alone it is asked twice. Among others the first in line is to blame, so these get a chance more.
 */
static void not_replayed_for_ever(void **state)
{
	(void)state;
	static void (*const deaths[])(struct peer *, int32_t, struct slice) = { end_without_answer,
		reset_without_answer };
	EACH_PROTOCOL(protocol)
	{
		for (unsigned i = 0; i < 2; i++) {
			for (unsigned count = 1; count <= 10; count += 9) {
				begin(protocol, deaths[i]);
				ask(count);
				settle();
				expect(0, count, EXCHANGE_FAILED);
				assert_int_equal(COUNTED(replays), 2 * count - 1);
				assert_int_equal(COUNTED(errors[UPSTREAM_ERROR_TCP_FAILED]), count);
				assert_int_equal(t.servers[0].accepted, count > 1 ? 3 : 2);
				assert_int_equal(COUNTED(in_flight), 0);
				finish();
			}
		}
	}
}

/* A question that the server closes the connection for. */
static void poisoned(struct peer *peer, int32_t stream, struct slice message)
{
	if (message.at[DNS_HEADER_LEN + 7] == '3')
		peer_end(peer);
	else
		answer(peer, stream, message);
}

static void one_bad_question_among_many(void **state)
{
	(void)state;
	EACH_PROTOCOL(protocol)
	{
		begin(protocol, poisoned);
		ask(8); /* number 3 of them */
		settle();
		expect(0, 3, EXCHANGE_ANSWER);
		expect(3, 1, EXCHANGE_FAILED);
		expect(4, 4, EXCHANGE_ANSWER);
		finish();
	}
}

/* The same when nothing was answered on that connection, so that the next one waits for a pause. */
static void a_bad_question_comes_first(void **state)
{
	(void)state;
	EACH_PROTOCOL(protocol)
	{
		begin(protocol, poisoned);
		t.asked = t.reported = 3; /* begin with number 3 */
		ask(8);
		settle();
		expect(3, 1, EXCHANGE_FAILED);
		expect(4, 7, EXCHANGE_ANSWER);
		finish();
	}
}

/* The peer of the connection with this number, of which a question is held. */
static struct peer *holder(unsigned number)
{
	for (unsigned i = 0; i < t.held_count; i++) {
		if (t.held[i].peer && t.held[i].peer->number == number)
			return t.held[i].peer;
	}
	fail();
	return NULL;
}

/* Two connections, one dies, and there are no new ones: what was on it goes on the other. */
static void no_fresh_link_but_a_good_one(void **state)
{
	(void)state;
	EACH_PROTOCOL(protocol)
	{
		unsigned full = protocol == UPSTREAM_DOT ? 256 : 100;
		begin(protocol, hold);
		ask(1);
		RUN_UNTIL(t.held_count == 1);
		ask(full + 9);
		RUN_UNTIL(t.held_count == full + 10);
		assert_int_equal(t.servers[0].accepted, 2);
		struct peer *second = holder(1);
		unsigned lost = second->queries;
		uv_close((uv_handle_t *)&t.servers[0].tcp, NULL);
		t.servers[0].script.on_query = answer;
		peer_reset(second);
		let_go();
		settle();
		expect(0, t.asked, EXCHANGE_ANSWER);
		assert_true(COUNTED(connect_failures) >= 1);
		assert_int_equal(COUNTED(replays), lost);
		finish();
	}
}

/* It ends every connection before it answers: with the pauses that this brings, a question is not
 * kept for a second attempt. */
static void a_long_pause_is_not_waited_for(void **state)
{
	(void)state;
	EACH_PROTOCOL(protocol)
	{
		begin(protocol, end_without_answer);
		while (t.servers[0].accepted < 4) {
			ask(1);
			settle();
			run_ms(20);
		}
		unsigned before = t.servers[0].accepted;
		while (t.servers[0].accepted == before) {
			ask(1);
			settle();
			run_ms(20);
		}
		assert_int_equal(t.servers[0].accepted, before + 1);
		expect(0, t.asked, EXCHANGE_FAILED);
		finish();
	}
}

/* A connection that had answered dies: no pause before the next. */
static void a_good_link_dies(void **state)
{
	(void)state;
	EACH_PROTOCOL(protocol)
	{
		begin(protocol, answer);
		ask(1);
		settle();
		t.servers[0].script.on_query = first_resets;
		ask(100);
		settle();
		expect(0, 101, EXCHANGE_ANSWER);
		assert_int_equal(COUNTED(replays), 100);
		assert_int_equal(t.servers[0].accepted, 2);
		finish();
	}
}

static void goodbye_is_heard(void **state)
{
	(void)state;
	begin(UPSTREAM_DOH, go_away);
	ask(10);
	settle();
	ask(5);
	settle();
	expect(0, 15, EXCHANGE_ANSWER);
	assert_in_range(t.servers[0].accepted, 2, 2);
	assert_int_equal(COUNTED(errors[UPSTREAM_ERROR_TCP_FAILED]), 0);
	RUN_UNTIL(COUNTED(connections) == 1);
	finish();
}

static void huge_answers(void **state)
{
	(void)state;
	EACH_PROTOCOL(protocol)
	{
		begin(protocol, huge);
		ask(40);
		settle();
		expect(0, 40, EXCHANGE_ANSWER);
		for (unsigned i = 0; i < 40; i++)
			assert_true(t.outcomes[i].len > 60000);
		finish();
	}
}

/* --- idle connections --- */

static void on_idle_end(uv_timer_t *timer)
{
	peer_end(timer->data);
}

static void answer_and_end_later(struct peer *peer, int32_t stream, struct slice message)
{
	answer(peer, stream, message);
	uv_timer_start(&peer->timer, on_idle_end, 800, 0);
}

static void idle_close_by_the_peer(void **state)
{
	(void)state;
	EACH_PROTOCOL(protocol)
	{
		begin(protocol, answer_and_end_later);
		ask(1);
		settle();
		RUN_UNTIL(COUNTED(idle_closes) == 1);
		assert_int_equal(COUNTED(connections), 0);
		assert_false(t.exchange->type->has_sockets(t.exchange));
		ask(1);
		settle();
		expect(0, 2, EXCHANGE_ANSWER);
		assert_int_equal(COUNTED(replays), 0);
		assert_int_equal(COUNTED(connections_resumed), 1);
		finish();
	}
}

/* RFC 7828: the upstream says how long it keeps idle connections, and we go before that. */
static void answer_with_keepalive(struct peer *peer, int32_t stream, struct slice message)
{
	static const uint8_t opt[] = { 0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 6, 0, 11, 0, 2, 0, 15 };
	size_t len = write_answer(message, answer_bytes, 0, 1, 0);
	memcpy(answer_bytes + len, opt, sizeof opt);
	answer_bytes[11] = 1;
	reply(peer, stream, len + sizeof opt);
}

static void idle_close_by_us(void **state)
{
	(void)state;
	begin(UPSTREAM_DOT, answer_with_keepalive);
	ask(1);
	settle();
	expect(0, 1, EXCHANGE_ANSWER);
	uint64_t from_ms = clock_ms();
	RUN_UNTIL(t.servers[0].ended == 1);
	assert_true(clock_ms() - from_ms >= 1000);
	RUN_UNTIL(!t.exchange->type->has_sockets(t.exchange));
	assert_int_equal(COUNTED(idle_closes), 0);
	finish();
}

/* --- silence --- */

static void silent_before_the_handshake(void **state)
{
	(void)state;
	EACH_PROTOCOL(protocol)
	{
		begin(protocol, answer);
		t.servers[0].script.on_connect = no_handshake;
		ask(3);
		settle();
		expect(0, 3, EXCHANGE_FAILED);
		assert_true(t.outcomes[0].took_ms >= 2900);
		assert_true(t.outcomes[0].took_ms < UPSTREAM_DEADLINE_MS);
		assert_int_equal(COUNTED(tls_failures[UPSTREAM_TLS_TIMEOUT]), 1);
		assert_int_equal(t.servers[0].accepted, 1);
		t.servers[0].script.on_connect = NULL;
		run_ms(150); /* the pause */
		ask(1);
		settle();
		expect(3, 1, EXCHANGE_ANSWER);
		finish();
	}
}

static void silent_for_ever(void **state)
{
	(void)state;
	begin(UPSTREAM_DOT, say_nothing);
	ask(3);
	settle();
	expect(0, 3, EXCHANGE_SILENT);
	assert_int_equal(COUNTED(errors[UPSTREAM_ERROR_TIMEOUT]), 3);
	assert_true(t.outcomes[0].took_ms >= UPSTREAM_DEADLINE_MS - 1);
	/* Asked once more on a fresh link, and then left alone. */
	assert_int_equal(t.servers[0].accepted, 2);
	assert_int_equal(COUNTED(replays), 3);
	t.servers[0].script.on_query = answer;
	ask(1);
	settle();
	expect(3, 1, EXCHANGE_ANSWER);
	finish();
}

/* A connection that went dead although the upstream lives. */
static void a_stalled_link_is_replaced(void **state)
{
	(void)state;
	EACH_PROTOCOL(protocol)
	{
		begin(protocol, first_is_silent);
		ask(5);
		settle();
		expect(0, 5, EXCHANGE_ANSWER);
		assert_true(t.outcomes[0].took_ms < UPSTREAM_DEADLINE_MS);
		assert_int_equal(t.servers[0].accepted, 2);
		assert_int_equal(COUNTED(connections), 1);
		finish();
	}
}

static void first_four_are_silent(struct peer *peer, int32_t stream, struct slice message)
{
	if (peer->number >= 4)
		answer(peer, stream, message);
}

/* As many as there may be, and all of them are silent: they are in nobody's way. */
static void stalled_links_are_replaced(void **state)
{
	(void)state;
	EACH_PROTOCOL(protocol)
	{
		begin(protocol, first_four_are_silent);
		ask(1);
		RUN_UNTIL(t.servers[0].queries == 1);
		ask(protocol == UPSTREAM_DOT ? 899 : 359);
		settle();
		expect(0, t.asked, EXCHANGE_ANSWER);
		assert_in_range(t.servers[0].accepted, 5, 8);
		assert_int_equal(COUNTED(replays), t.asked);
		finish();
	}
}

/* Nobody waits any more for so much on a connection that it takes nothing new: it goes, and that
 * was not the peer's wish, also if there are late answers. */
static void a_worn_link_is_ended(void **state)
{
	(void)state;
	begin(UPSTREAM_DOT, hold);
	ask(200);
	settle();
	expect(0, 200, EXCHANGE_SILENT);
	uint64_t from_ms = clock_ms();
	let_go();
	RUN_UNTIL(COUNTED(connections) == 0);
	assert_true(clock_ms() - from_ms < 3000); /* the idle limit is seven away */
	assert_int_equal(COUNTED(idle_closes), 0);
	t.servers[0].script.on_query = answer;
	ask(1);
	settle();
	expect(200, 1, EXCHANGE_ANSWER);
	finish();
}

/* --- lies --- */

static void nonsense_is_never_taken(void **state)
{
	(void)state;
	static const struct {
		void (*script)(struct peer *, int32_t, struct slice);
		bool is_mismatch;
	} rows[] = {
		{ wrong_name, true },
		{ wrong_type, true },
		{ no_answer_bit, true },
		{ cut_short, false },
	};
	EACH_PROTOCOL(protocol)
	{
		for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
			begin(protocol, rows[i].script);
			ask(1);
			settle();
			ask(1);
			settle();
			expect(0, 2, EXCHANGE_MALFORMED);
			assert_int_equal(
				COUNTED(errors[rows[i].is_mismatch ? UPSTREAM_ERROR_MISMATCH
								   : UPSTREAM_ERROR_MALFORMED]),
				2);
			assert_int_equal(t.servers[0].accepted, 1);
			ask(1); /* enough of that, if it answers what was not asked */
			settle();
			RUN_UNTIL(COUNTED(connections) == !rows[i].is_mismatch);
			t.servers[0].script.on_query = answer;
			run_ms(150);
			ask(1);
			settle();
			expect(3, 1, EXCHANGE_ANSWER);
			finish();
		}
	}
}

static void wrong_ids_end_the_link(void **state)
{
	(void)state;
	begin(UPSTREAM_DOT, wrong_id);
	ask(6);
	settle();
	expect(0, 6, EXCHANGE_FAILED);
	assert_int_equal(COUNTED(errors[UPSTREAM_ERROR_MISMATCH]), 17);
	assert_int_equal(t.servers[0].accepted, 3);
	finish();
}

static void every_other_is_wrong(struct peer *peer, int32_t stream, struct slice message)
{
	(peer->queries % 2 ? answer : wrong_name)(peer, stream, message);
}

/* A stray now and then does not end a good connection. */
static void strikes_are_forgotten(void **state)
{
	(void)state;
	EACH_PROTOCOL(protocol)
	{
		begin(protocol, every_other_is_wrong);
		for (unsigned i = 0; i < 12; i++) {
			ask(1);
			settle();
			expect(i, 1, i % 2 ? EXCHANGE_MALFORMED : EXCHANGE_ANSWER);
		}
		run_ms(20);
		assert_int_equal(t.servers[0].accepted, 1);
		assert_int_equal(COUNTED(connections), 1);
		finish();
	}
}

static void http_errors(void **state)
{
	(void)state;
	begin(UPSTREAM_DOH, reject);
	ask(3);
	settle();
	expect(0, 3, EXCHANGE_MALFORMED);
	assert_int_equal(COUNTED(errors[UPSTREAM_ERROR_MALFORMED]), 3);
	assert_int_equal(t.servers[0].accepted, 1);
	/* Somebody is there, but nobody who resolves: others are asked first. */
	assert_int_equal(health_state(&t.exchange->health, uv_now(&t.loop)), HEALTH_DOWN);
	t.servers[0].script.on_query = answer;
	ask(1);
	settle();
	expect(3, 1, EXCHANGE_ANSWER);
	assert_true(health_is_up(&t.exchange->health, uv_now(&t.loop)));
	finish();
}

/* --- connections that do not come to be --- */

static void handshakes_that_fail(void **state)
{
	(void)state;
	static const struct {
		struct script script;
		enum upstream_tls_failure failure;
	} rows[] = {
		{ { .certificate = "stranger" }, UPSTREAM_TLS_CERTIFICATE_UNTRUSTED },
		{ { .certificate = "other" }, UPSTREAM_TLS_CERTIFICATE_NAME },
		{ { .on_connect = speak_http }, UPSTREAM_TLS_NOT_TLS },
		{ { .on_connect = hang_up }, UPSTREAM_TLS_CLOSED },
	};
	EACH_PROTOCOL(protocol)
	{
		for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
			begin(protocol, answer);
			t.servers[0].script = rows[i].script;
			t.servers[0].script.on_query = answer;
			ask(3);
			settle();
			expect(0, 3, EXCHANGE_FAILED);
			assert_true(COUNTED(tls_failures[rows[i].failure]) >= 1);
			assert_int_equal(t.servers[0].queries, 0);
			assert_int_equal(COUNTED(connections_opened), 0);
			t.servers[0].script = (struct script){ .on_query = answer };
			run_ms(250);
			ask(1);
			settle();
			expect(3, 1, EXCHANGE_ANSWER);
			finish();
		}
	}
}

/* What is said on standard error meanwhile. */
static struct {
	int saved;
	FILE *file;
	char text[4096];
} heard;

static void hear(void)
{
	heard.file = tmpfile();
	fflush(stderr);
	heard.saved = dup(STDERR_FILENO);
	dup2(fileno(heard.file), STDERR_FILENO);
}

/* Also after a test that failed in between. */
static int stop_hearing(void **state)
{
	(void)state;
	if (!heard.file)
		return 0;
	fflush(stderr);
	dup2(heard.saved, STDERR_FILENO);
	close(heard.saved);
	rewind(heard.file);
	heard.text[fread(heard.text, 1, sizeof heard.text - 1, heard.file)] = '\0';
	fclose(heard.file);
	heard.file = NULL;
	fputs(heard.text, stderr);
	return 0;
}

static unsigned occurrences(const char *word)
{
	const char *text = heard.text;
	unsigned count = 0;
	while ((text = strstr(text, word))) {
		count++;
		text++;
	}
	return count;
}

static void a_wrong_certificate_is_told_once(void **state)
{
	(void)state;
	hear();
	begin(UPSTREAM_DOT, answer);
	t.servers[0].script.certificate = "other";
	for (unsigned i = 0; i < 20; i++) {
		ask(5);
		settle();
		run_ms(30);
	}
	/* The log says one thing a second. */
	run_ms(1100);
	t.servers[0].script.certificate = NULL;
	RUN_UNTIL((ask(1), run_ms(50), COUNTED(answers[UPSTREAM_NOERROR])) > 0);
	finish();
	stop_hearing(state);
	assert_int_equal(occurrences("certificate refused"), 1);
	assert_int_equal(occurrences("unreachable"), 0);
	assert_non_null(strstr(heard.text, "\": certificate refused address=127.0.0.1 port="));
	assert_non_null(strstr(heard.text, ": certificate_name ("));
}

static void an_outage_is_told_once(void **state)
{
	(void)state;
	hear();
	begin_loop();
	t.servers[0].script.on_query = answer;
	server_bind(&t.servers[0], "127.0.0.1", 0); /* and does not listen */
	open_exchange(UPSTREAM_DOH);
	uint64_t from_ms = clock_ms();
	for (unsigned i = 0; i < 60 || clock_ms() - from_ms < 1000; i++) {
		ask(5);
		settle();
		run_ms(10);
	}
	expect(0, t.asked, EXCHANGE_FAILED);
	/* 0, 100, 300 and 700 ms; not one a question. */
	assert_in_range(COUNTED(connect_failures), 1, 4 + (clock_ms() - from_ms) / 1000);
	server_listen(&t.servers[0]);
	from_ms = clock_ms();
	RUN_UNTIL((ask(1), run_ms(20), COUNTED(answers[UPSTREAM_NOERROR])) > 0);
	assert_true(clock_ms() - from_ms < 4 * REACH_PAUSE_MAX_MS);
	finish();
	stop_hearing(state);
	assert_int_equal(occurrences("unreachable"), 1);
	assert_non_null(strstr(heard.text, "\": unreachable address=127.0.0.1 port="));
	assert_non_null(strstr(heard.text, "no connection (connection refused)"));
}

/* --- addresses --- */

static void the_next_address(void **state)
{
	(void)state;
	EACH_PROTOCOL(protocol)
	{
		begin_loop();
		/* One where nobody listens, one that never says a word, one that is good. */
		server_bind(&t.servers[0], "127.0.0.1", 0);
		server_listen(&t.servers[0]);
		t.servers[0].script.on_query = answer_and_end;
		server_bind(&t.servers[1], "127.0.0.3", t.servers[0].port);
		server_listen(&t.servers[1]);
		t.servers[1].script.on_connect = no_handshake;
		address_parse(&t.addresses[0], "127.0.0.2");
		address_parse(&t.addresses[1], "127.0.0.3");
		address_parse(&t.addresses[2], "127.0.0.1");
		t.config.address_count = 3;
		open_exchange(protocol);
		ask(2);
		settle();
		ask(1);
		settle();
		expect(0, 3, EXCHANGE_ANSWER);
		assert_true(t.outcomes[0].took_ms < 3000);
		/* What was good comes first now. */
		assert_int_equal(COUNTED(connect_failures), 1);
		assert_int_equal(t.servers[1].accepted, 1);
		assert_true(t.servers[0].accepted >= 2);
		finish();
	}
}

static void begin_with_a_host(void)
{
	begin_loop();
	server_bind(&t.servers[0], "127.0.0.1", 0);
	server_listen(&t.servers[0]);
	t.servers[0].script.on_query = answer;
	t.config.address_count = 0;
	t.config.addresses = NULL;
	t.config.host = "dns.test";
	open_exchange(UPSTREAM_DOT);
}

static void addresses_are_waited_for(void **state)
{
	(void)state;
	begin_with_a_host();
	assert_int_equal(t.bootstraps, 0);
	ask(10);
	run_ms(50);
	assert_int_equal(t.bootstraps, 1);
	assert_int_equal(t.reported, 0);
	t.exchange->type->take_addresses(t.exchange, t.addresses, 1);
	settle();
	expect(0, 10, EXCHANGE_ANSWER);
	/* A refresh changes nothing of what is open. */
	struct address others[2] = { t.addresses[0] };
	address_parse(&others[0], "127.0.0.9");
	address_parse(&others[1], "127.0.0.1");
	t.exchange->type->take_addresses(t.exchange, others, 2);
	ask(10);
	settle();
	expect(0, 20, EXCHANGE_ANSWER);
	assert_int_equal(t.servers[0].accepted, 1);
	assert_int_equal(t.bootstraps, 1);
	finish();
}

static void no_addresses(void **state)
{
	(void)state;
	begin_with_a_host();
	ask(10);
	t.exchange->type->take_addresses(t.exchange, NULL, 0);
	settle();
	expect(0, 10, EXCHANGE_FAILED);
	ask(1); /* a pause */
	settle();
	expect(10, 1, EXCHANGE_FAILED);
	assert_int_equal(t.bootstraps, 1);
	run_ms(150);
	ask(1);
	run_ms(20);
	assert_int_equal(t.bootstraps, 2);
	t.exchange->type->take_addresses(t.exchange, t.addresses, 1);
	settle();
	expect(11, 1, EXCHANGE_ANSWER);
	finish();
}

/* Nobody there any more: perhaps it has moved. */
static void it_moves(void **state)
{
	(void)state;
	begin_with_a_host();
	ask(1);
	struct address gone;
	address_parse(&gone, "127.0.0.9");
	t.exchange->type->take_addresses(t.exchange, &gone, 1);
	settle();
	expect(0, 1, EXCHANGE_FAILED);
	assert_int_equal(t.bootstraps, 2);
	t.exchange->type->take_addresses(t.exchange, t.addresses, 1);
	run_ms(150);
	ask(1);
	settle();
	expect(1, 1, EXCHANGE_ANSWER);
	finish();
}

/* --- limits, distrust, the end --- */

static void what_waits_is_limited(void **state)
{
	(void)state;
	begin(UPSTREAM_DOT, answer);
	unsigned count = 0;
	while (count < 5000 && try_ask() == 0)
		count++;
	assert_int_equal(count, 1024);
	assert_int_equal(COUNTED(errors[UPSTREAM_ERROR_BUSY]), 1);
	settle();
	expect(0, count, EXCHANGE_ANSWER);
	finish();
}

static void distrusted(void **state)
{
	(void)state;
	EACH_PROTOCOL(protocol)
	{
		begin(protocol, hold);
		t.exchange->type->distrust(t.exchange); /* with nothing open */
		ask(10);
		RUN_UNTIL(t.held_count == 10);
		t.servers[0].script.on_query = answer;
		t.exchange->type->distrust(t.exchange);
		settle();
		expect(0, 10, EXCHANGE_ANSWER);
		assert_int_equal(t.servers[0].accepted, 2);
		t.exchange->type->distrust(t.exchange);
		assert_false(t.exchange->type->has_sockets(t.exchange));
		ask(1);
		t.exchange->type->distrust(t.exchange); /* while it connects */
		settle();
		expect(10, 1, EXCHANGE_ANSWER);
		finish();
	}
}

/* After so many turns of the loop from the first question on: connecting, shaking hands, up. */
static void closed_at_any_time(void **state)
{
	(void)state;
	EACH_PROTOCOL(protocol)
	{
		for (unsigned turns = 0; turns < 24; turns++) {
			begin(protocol, turns % 2 ? answer : hold);
			ask(3);
			for (unsigned i = 0; i < turns; i++)
				uv_run(&t.loop, UV_RUN_NOWAIT);
			finish();
		}
	}
}

static void closed_from_a_report(void **state)
{
	(void)state;
	static void (*const scripts[])(
		struct peer *, int32_t, struct slice) = { answer, wrong_name, end_without_answer };
	EACH_PROTOCOL(protocol)
	{
		for (unsigned i = 0; i < 3; i++) {
			begin(protocol, scripts[i]);
			t.close_on_report = true;
			ask(10);
			RUN_UNTIL(t.reported > 0);
			RUN_UNTIL(t.exchange->type->is_closed(t.exchange));
			assert_int_equal(t.reported, 1);
			assert_int_equal(try_ask(), ERR_BUSY);
			finish();
		}
	}
}

static void closed_without_a_question(void **state)
{
	(void)state;
	begin(UPSTREAM_DOT, answer);
	finish();
}

/* --- certificates --- */

static void issue(const char *name, const char *alt_names, const struct fixture_certificate *ca)
{
	char file[32];
	struct fixture_certificate leaf = fixture_issue_for(alt_names, "EC", name, ca, -60, 86400);
	const struct fixture_certificate *chain[] = { &leaf, ca };
	snprintf(file, sizeof file, "%s.pem", name);
	fixture_write_chain(&shared.directory, file, chain, 2);
	snprintf(file, sizeof file, "%s.key", name);
	fixture_write_key(&shared.directory, file, leaf.key, NULL);
	fixture_drop(&leaf);
}

static int set_up(void **state)
{
	(void)state;
	char ca_file[128], message[TLS_MESSAGE_MAX];
	signal(SIGPIPE, SIG_IGN); /* as the program does */
	shared.directory = fixture_directory_make();
	shared.keys = tls_ticket_keys_new();
	struct fixture_certificate ca = fixture_issue("EC", "test CA", NULL, -60, 86400);
	struct fixture_certificate elsewhere = fixture_issue("EC", "other CA", NULL, -60, 86400);
	const struct fixture_certificate *chain[] = { &ca };
	fixture_write_chain(&shared.directory, "ca.pem", chain, 1);
	issue("good", "DNS:dns.test", &ca);
	issue("other", "DNS:www.test", &ca);
	issue("stranger", "DNS:dns.test", &elsewhere);
	fixture_drop(&ca);
	fixture_drop(&elsewhere);
	fixture_path(&shared.directory, "ca.pem", ca_file);
	for (unsigned alpn = TLS_ALPN_DOT; alpn <= TLS_ALPN_H2; alpn++) {
		const struct tls_client_settings settings = {
			.name = "dns.test", .ca_file = ca_file, .alpn = (enum tls_alpn)alpn
		};
		shared.clients[alpn] = tls_client_new(&settings, message);
		assert_non_null(shared.clients[alpn]);
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tls_client_unref(shared.clients[0]);
	tls_client_unref(shared.clients[1]);
	tls_ticket_keys_free(shared.keys);
	fixture_remove(&shared.directory);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(a_turn_is_one_write),
		cmocka_unit_test(many_at_once_in_any_order),
		cmocka_unit_test(asking_from_a_report),
		cmocka_unit_test(nobody_starves),
		cmocka_unit_test(closed_after_each_answer),
		cmocka_unit_test(replayed_once),
		cmocka_unit_test(not_replayed_for_ever),
		cmocka_unit_test(one_bad_question_among_many),
		cmocka_unit_test(a_bad_question_comes_first),
		cmocka_unit_test(no_fresh_link_but_a_good_one),
		cmocka_unit_test(a_long_pause_is_not_waited_for),
		cmocka_unit_test(a_good_link_dies),
		cmocka_unit_test(goodbye_is_heard),
		cmocka_unit_test(huge_answers),
		cmocka_unit_test(idle_close_by_the_peer),
		cmocka_unit_test(idle_close_by_us),
		cmocka_unit_test(silent_before_the_handshake),
		cmocka_unit_test(silent_for_ever),
		cmocka_unit_test(a_stalled_link_is_replaced),
		cmocka_unit_test(stalled_links_are_replaced),
		cmocka_unit_test(a_worn_link_is_ended),
		cmocka_unit_test(nonsense_is_never_taken),
		cmocka_unit_test(wrong_ids_end_the_link),
		cmocka_unit_test(strikes_are_forgotten),
		cmocka_unit_test(http_errors),
		cmocka_unit_test(handshakes_that_fail),
		cmocka_unit_test_teardown(a_wrong_certificate_is_told_once, stop_hearing),
		cmocka_unit_test_teardown(an_outage_is_told_once, stop_hearing),
		cmocka_unit_test(the_next_address),
		cmocka_unit_test(addresses_are_waited_for),
		cmocka_unit_test(no_addresses),
		cmocka_unit_test(it_moves),
		cmocka_unit_test(what_waits_is_limited),
		cmocka_unit_test(distrusted),
		cmocka_unit_test(closed_at_any_time),
		cmocka_unit_test(closed_from_a_report),
		cmocka_unit_test(closed_without_a_question),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
