/* link.h - one way to a server, with so many questions under way on it as it has slots.
 *
 * A link belongs to whoever opened it and stays where it is until it is closed. Everything over TLS
 * goes through memory: one read and one write a turn. What goes wrong on a link makes it dead; what
 * can only be a mistake of whoever runs the load ends the program with a word. */
#ifndef BENCH_LOAD_LINK_H
#define BENCH_LOAD_LINK_H

#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "bench/load/questions.h"

enum { LINK_READ_SIZE = 65536, LINK_ANSWER_HEAD = 12 };

/* A question under way. */
struct slot {
	int64_t due_ns; /* when it was, or should have been, sent */
	bool is_busy;
	int next_free;       /* -1: none */
	uint16_t len;        /* of the question */
	uint16_t status;     /* DoH */
	uint16_t answer_len; /* so far */
	uint8_t answer[LINK_ANSWER_HEAD];
	uint8_t question[QUESTION_SIZE];
};

struct link;

/* What differs between protocols. */
struct link_type {
	const char *name;                /* on the command line */
	const char *alpn;                /* as TLS has it; NULL: no TLS */
	void (*open)(struct link *link); /* after the handshake; NULL: nothing to do */
	void (*submit)(struct link *link, unsigned slot);
	void (*flush)(struct link *link);
	void (*read)(struct link *link); /* what can be read at once; calls link_answered() */
	void (*close)(struct link *link);
};

extern const struct link_type udp_link, dot_link, doh_post_link, doh_get_link;

/* NULL: no such protocol. */
const struct link_type *link_type_of(const char *name);

struct link_options {
	const struct link_type *type;
	uint16_t port;        /* on 127.0.0.1 */
	uint32_t from;        /* own address, host byte order; 0: any */
	unsigned depth;       /* slots */
	SSL_CTX *tls;         /* link_tls_context(); NULL for UDP */
	SSL_SESSION *session; /* to resume; NULL: a full handshake */
	/* An answer came: its first bytes (LINK_ANSWER_HEAD at most), its length, HTTP's status or
	 * 200. The slot is free again. */
	void (*on_answer)(struct link *link, const struct slot *slot);
};

struct link {
	struct link_options options;
	int fd;
	bool is_dead;
	unsigned under_way;
	int first_free; /* -1: all slots are busy */
	struct slot *slots;
	SSL *tls;
	BIO *from_socket, *to_socket; /* the TLS object's ends; it owns them */
	nghttp2_session *h2;          /* DoH */
	uint8_t *in;                  /* DoT: what came and is not yet a whole message */
	size_t in_len;
};

/* For clients: any certificate will do, sessions are kept by nobody but `on_session` (NULL: drop
 * them), which owns what it gets. */
SSL_CTX *link_tls_context(int (*on_session)(SSL *, SSL_SESSION *));

/* Connects, handshake included; returns false with a word on standard error. */
bool link_open(struct link *link, const struct link_options *options);
void link_close(struct link *link);

/* Sends the next question; false: no slot is free, or the link is dead. It goes out with the next
 * link_flush(). */
bool link_ask(struct link *link, struct questions *questions, int64_t due_ns);
void link_flush(struct link *link);
void link_read(struct link *link);

/* Gives up a question that was asked. */
void link_forget(struct link *link, unsigned slot);

/* For link types. */
void link_answered(struct link *link, unsigned slot, const uint8_t *answer, size_t len);
int link_tls_read(struct link *link, void *to, size_t size); /* 0: no more now */
void link_tls_write(struct link *link, const void *data, size_t len);
void link_tls_receive(struct link *link); /* one read from the socket */
void link_tls_send(struct link *link);    /* what TLS has to say, to the socket */

#endif
