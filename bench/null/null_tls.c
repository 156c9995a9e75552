/* null_tls.c - DoT and DoH with the least that OpenSSL, HTTP/2 and the kernel allow: one thread,
 * one read and one write a turn and connection, buffers that all connections share. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/null/null.h"

enum {
	BACKLOG = 4096,
	EVENTS = 256,
	IN_SIZE = 1 << 16,
	PLAIN_SIZE = 1 << 15,
	OUT_SIZE = 1 << 17,
	CIPHER_SIZE = 1 << 18,
	RECORD = 16384,
	RECORD_FULL = RECORD - 2048,
};

struct connection {
	int fd;
	bool is_up;
	SSL *tls;
	nghttp2_session *h2;
};

/* Shared: only one connection is at work at a time. */
static uint8_t in[IN_SIZE], plain[PLAIN_SIZE], out[OUT_SIZE], cipher[CIPHER_SIZE];
static const uint8_t *in_at;
static size_t in_left, out_len, cipher_len;

static int events;
static bool is_doh;
static SSL_CTX *context;
static BIO_METHOD *shared_buffers;

static int on_bio_read(BIO *bio, char *to, int size)
{
	size_t len = (size_t)size < in_left ? (size_t)size : in_left;

	BIO_clear_retry_flags(bio);
	if (!len) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(to, in_at, len);
	in_at += len, in_left -= len;
	return (int)len;
}

static int on_bio_write(BIO *bio, const char *data, int len)
{
	BIO_clear_retry_flags(bio);
	if ((size_t)len > sizeof cipher - cipher_len) {
		BIO_set_retry_write(bio);
		return -1;
	}
	memcpy(cipher + cipher_len, data, (size_t)len);
	cipher_len += (size_t)len;
	return len;
}

static long on_bio_control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio, (void)number, (void)pointer;
	return command == BIO_CTRL_FLUSH;
}

static int on_alpn(SSL *tls, const uint8_t **chosen, uint8_t *chosen_len, const uint8_t *offered,
	unsigned offered_len, void *nothing)
{
	const uint8_t *ours = (const uint8_t *)(is_doh ? "\2h2" : "\3dot");

	(void)tls, (void)nothing;
	return SSL_select_next_proto((uint8_t **)chosen, chosen_len, ours, ours[0] + 1u, offered,
		       offered_len) == OPENSSL_NPN_NEGOTIATED
		? SSL_TLSEXT_ERR_OK
		: SSL_TLSEXT_ERR_NOACK;
}

static void write_out(struct connection *c)
{
	if (out_len)
		SSL_write(c->tls, out, (int)out_len);
	out_len = 0;
}

static void answer_messages(struct connection *c, size_t len)
{
	size_t at = 0;

	while (len - at >= 2) {
		size_t message = (size_t)plain[at] << 8 | plain[at + 1], answer;
		if (message > len - at - 2)
			break; /* a load sends whole messages */
		answer = null_answer(out + out_len + 2, plain + at + 2, message);
		out[out_len] = (uint8_t)(answer >> 8);
		out[out_len + 1] = (uint8_t)answer;
		out_len += answer + 2;
		at += 2 + message;
		if (out_len > sizeof out - NULL_ANSWER_SIZE)
			write_out(c);
	}
}

static void take_frames_out(struct connection *c)
{
	const uint8_t *data;
	ssize_t len;

	while ((len = nghttp2_session_mem_send(c->h2, &data)) > 0) {
		memcpy(out + out_len, data, (size_t)len);
		out_len += (size_t)len;
		if (out_len > RECORD_FULL)
			write_out(c);
	}
}

/* What came, decrypted and answered; false: this connection is over. */
static bool answer(struct connection *c)
{
	int len;

	while ((len = SSL_read(c->tls, plain, sizeof plain)) > 0) {
		if (!is_doh)
			answer_messages(c, (size_t)len);
		else if (nghttp2_session_mem_recv(c->h2, plain, (size_t)len) < 0)
			return false;
	}
	if (SSL_get_error(c->tls, len) != SSL_ERROR_WANT_READ)
		return false;
	if (is_doh)
		take_frames_out(c);
	write_out(c);
	return true;
}

static bool shake_hands(struct connection *c)
{
	int result = SSL_do_handshake(c->tls);

	if (result != 1)
		return SSL_get_error(c->tls, result) == SSL_ERROR_WANT_READ;
	c->is_up = true;
	if (is_doh)
		c->h2 = null_h2_new(c);
	return true;
}

static void drop(struct connection *c)
{
	close(c->fd);
	SSL_free(c->tls);
	nghttp2_session_del(c->h2);
	free(c);
}

static void take_turn(struct connection *c)
{
	ssize_t len = read(c->fd, in, sizeof in);
	bool is_well = true;

	if (len < 0 && errno == EAGAIN)
		return;
	if (len <= 0) {
		drop(c);
		return;
	}
	in_at = in, in_left = (size_t)len;
	cipher_len = out_len = 0;
	if (!c->is_up)
		is_well = shake_hands(c);
	if (is_well && c->is_up)
		is_well = answer(c);
	if (cipher_len && write(c->fd, cipher, cipher_len) != (ssize_t)cipher_len)
		is_well = false;
	if (!is_well)
		drop(c);
}

static void accept_one(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK), one = 1;
	struct connection *c = calloc(1, sizeof *c);
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };
	BIO *bio;

	if (fd < 0 || !c) {
		free(c);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	c->fd = fd;
	c->tls = SSL_new(context);
	SSL_set_accept_state(c->tls);
	bio = BIO_new(shared_buffers);
	BIO_set_init(bio, 1);
	SSL_set_bio(c->tls, bio, bio);
	epoll_ctl(events, EPOLL_CTL_ADD, fd, &event);
}

static void make_context(const char *certificate, const char *key)
{
	context = SSL_CTX_new(TLS_server_method());
	if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
		SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1) {
		fputs("null: cannot use the certificate\n", stderr);
		exit(1);
	}
	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(context, (const uint8_t *)"null", 4);
	SSL_CTX_set_num_tickets(context, 1);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_alpn_select_cb(context, on_alpn, NULL);
	shared_buffers = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "shared");
	BIO_meth_set_read(shared_buffers, on_bio_read);
	BIO_meth_set_write(shared_buffers, on_bio_write);
	BIO_meth_set_ctrl(shared_buffers, on_bio_control);
}

static int listen_on(uint16_t port)
{
	const struct sockaddr_in here = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, (const struct sockaddr *)&here, sizeof here) || listen(fd, BACKLOG)) {
		perror("null");
		exit(1);
	}
	return fd;
}

void null_serve_tls(uint16_t port, bool doh, const char *certificate, const char *key)
{
	struct epoll_event listening = { .events = EPOLLIN };
	int listener = listen_on(port);

	is_doh = doh;
	make_context(certificate, key);
	events = epoll_create1(0);
	epoll_ctl(events, EPOLL_CTL_ADD, listener, &listening);
	for (;;) {
		static struct epoll_event ready[EVENTS];
		int count = epoll_wait(events, ready, EVENTS, -1);
		for (int i = 0; i < count; i++)
			if (ready[i].data.ptr)
				take_turn(ready[i].data.ptr);
			else
				accept_one(listener);
	}
}
