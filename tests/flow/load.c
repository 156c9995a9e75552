/* Load in batches, for the shape of a turn: CONNECTIONS connections over TLS, each with BATCH
 * questions in one record, the next batch when all of them are answered.
 *
 *   load dot|doh PORT CA-FILE NAME QUERIES
 *
 * After a warm-up it prints "ready" and waits for a line on standard input, asks QUERIES questions,
 * prints "done", and waits for another line before it hangs up: who watches the server sees nothing
 * but the steady state in between. Exit 1 when anything but an answer to every question came. */
#include <arpa/inet.h>
#include <nghttp2/nghttp2.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS = 8, BATCH = 16, WARM_UP_ROUNDS = 20, HEADER_LEN = 12 };

struct connection {
	SSL *tls;
	nghttp2_session *h2;     /* DoH only */
	unsigned char in[65536]; /* DoT: what came and is not yet a whole message */
	size_t in_len;
	unsigned answered; /* of this batch */
};

static unsigned char query[512];
static size_t query_len;
static char authority[32], content_length[8];

static void fail(const char *what)
{
	fprintf(stderr, "load: %s\n", what);
	exit(1);
}

/* A question for the A record of a name; id 1. */
static void make_query(const char *name)
{
	static const unsigned char header[HEADER_LEN] = { 0, 1, 1, 0, 0, 1 };

	memcpy(query, header, HEADER_LEN);
	query_len = HEADER_LEN;
	while (*name) {
		size_t label = strcspn(name, ".");
		query[query_len++] = (unsigned char)label;
		memcpy(query + query_len, name, label);
		query_len += label;
		name += label + (name[label] == '.');
	}
	memcpy(query + query_len, "\0\0\1\0\1", 5);
	query_len += 5;
}

static void write_all(struct connection *c, const void *data, size_t len)
{
	if (len && SSL_write(c->tls, data, (int)len) != (int)len)
		fail("cannot write");
}

static size_t read_some(struct connection *c, void *data, size_t len)
{
	int got = SSL_read(c->tls, data, (int)len);
	if (got <= 0)
		fail("closed by the server");
	return (size_t)got;
}

static void dot_send_batch(struct connection *c)
{
	unsigned char out[BATCH * (sizeof(query) + 2)];
	size_t len = 0;

	for (unsigned i = 0; i < BATCH; i++) {
		out[len++] = (unsigned char)(query_len >> 8);
		out[len++] = (unsigned char)query_len;
		memcpy(out + len, query, query_len);
		len += query_len;
	}
	write_all(c, out, len);
}

static void dot_receive(struct connection *c)
{
	size_t at = 0;

	c->in_len += read_some(c, c->in + c->in_len, sizeof(c->in) - c->in_len);
	while (c->in_len - at >= 2) {
		size_t len = (size_t)c->in[at] << 8 | c->in[at + 1];
		if (c->in_len - at < 2 + len)
			break;
		if (len < HEADER_LEN || !(c->in[at + 4] & 0x80))
			fail("not an answer");
		at += 2 + len;
		c->answered++;
	}
	c->in_len -= at;
	memmove(c->in, c->in + at, c->in_len);
}

static ssize_t on_body(nghttp2_session *h2, int32_t stream, uint8_t *to, size_t size,
	uint32_t *flags, nghttp2_data_source *source, void *context)
{
	(void)h2, (void)stream, (void)source, (void)context;
	if (size < query_len)
		fail("no room for a body");
	memcpy(to, query, query_len);
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)query_len;
}

#define FIELD(name, value)                                                                         \
	{                                                                                          \
		(uint8_t *)(name), (uint8_t *)(value), strlen(name), strlen(value), 0              \
	}

static void doh_send_batch(struct connection *c)
{
	unsigned char out[BATCH * 1024];
	size_t len = 0;
	const uint8_t *data;
	ssize_t some;
	nghttp2_data_provider body = { .read_callback = on_body };
	const nghttp2_nv fields[] = { FIELD(":method", "POST"), FIELD(":scheme", "https"),
		FIELD(":authority", authority), FIELD(":path", "/dns-query"),
		FIELD("content-type", "application/dns-message"),
		FIELD("content-length", content_length) };

	for (unsigned i = 0; i < BATCH; i++)
		if (nghttp2_submit_request(c->h2, NULL, fields, 6, &body, NULL) < 0)
			fail("cannot make a request");
	while ((some = nghttp2_session_mem_send(c->h2, &data)) > 0) {
		if (len + (size_t)some > sizeof(out))
			fail("batch too large");
		memcpy(out + len, data, (size_t)some);
		len += (size_t)some;
	}
	write_all(c, out, len);
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
	size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *context)
{
	(void)h2, (void)frame, (void)flags, (void)context;
	if (name_len == 7 && !memcmp(name, ":status", 7) &&
		(value_len != 3 || memcmp(value, "200", 3) != 0))
		fail("not status 200");
	return 0;
}

static int on_stream_close(nghttp2_session *h2, int32_t stream, uint32_t error, void *context)
{
	struct connection *c = context;

	(void)h2, (void)stream;
	if (error)
		fail("stream reset");
	c->answered++;
	return 0;
}

static void doh_receive(struct connection *c)
{
	size_t len = read_some(c, c->in, sizeof(c->in));

	if (nghttp2_session_mem_recv(c->h2, c->in, len) != (ssize_t)len)
		fail("bad HTTP/2");
}

static void doh_begin(struct connection *c)
{
	nghttp2_session_callbacks *callbacks;
	const nghttp2_settings_entry window = { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 24 };

	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	if (nghttp2_session_client_new(&c->h2, callbacks, c))
		fail("no HTTP/2 session");
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_submit_settings(c->h2, NGHTTP2_FLAG_NONE, &window, 1);
	/* The connection's window never needs to be opened while the server is watched. */
	nghttp2_session_set_local_window_size(c->h2, NGHTTP2_FLAG_NONE, 0, 1 << 30);
}

static void open_connection(struct connection *c, SSL_CTX *context, int port, bool doh)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		fail("cannot connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->tls = SSL_new(context);
	SSL_set_fd(c->tls, fd);
	SSL_set_alpn_protos(c->tls, (const unsigned char *)(doh ? "\2h2" : "\3dot"), doh ? 3 : 4);
	if (SSL_connect(c->tls) != 1)
		fail("no handshake");
	if (doh)
		doh_begin(c);
}

static void ask(struct connection *connections, bool doh, unsigned rounds)
{
	for (unsigned round = 0; round < rounds; round++) {
		for (unsigned i = 0; i < CONNECTIONS; i++)
			(doh ? doh_send_batch : dot_send_batch)(&connections[i]);
		for (unsigned i = 0; i < CONNECTIONS; i++) {
			while (connections[i].answered < BATCH)
				(doh ? doh_receive : dot_receive)(&connections[i]);
			connections[i].answered -= BATCH;
		}
	}
}

static void say_and_wait(const char *word)
{
	char line[16];

	puts(word);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		exit(1);
}

int main(int argc, char **argv)
{
	static struct connection connections[CONNECTIONS];
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (argc != 6 || !SSL_CTX_load_verify_locations(context, argv[3], NULL))
		fail("usage: load dot|doh PORT CA-FILE NAME QUERIES");
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	bool doh = !strcmp(argv[1], "doh");
	int port = atoi(argv[2]);
	make_query(argv[4]);
	snprintf(authority, sizeof(authority), "127.0.0.1:%d", port);
	snprintf(content_length, sizeof(content_length), "%zu", query_len);
	for (unsigned i = 0; i < CONNECTIONS; i++)
		open_connection(&connections[i], context, port, doh);
	ask(connections, doh, WARM_UP_ROUNDS);
	say_and_wait("ready");
	ask(connections, doh, (unsigned)atoi(argv[5]) / (CONNECTIONS * BATCH));
	say_and_wait("done");
	return 0;
}
