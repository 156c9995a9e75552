/* scripted_dns.h - a DNS server for tests that misbehaves on demand: UDP and TCP on one loopback
 * port, in a thread of its own. A script is called for every query, in that thread, and replies
 * whatever it likes, now or later, or not at all. Every query is recorded. */
#ifndef TESTS_SCRIPTED_DNS_H
#define TESTS_SCRIPTED_DNS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct scripted_dns;

struct scripted_query {
	unsigned number; /* from 0, in order of arrival */
	bool tcp;
	int connection; /* TCP only */
	struct sockaddr_storage from;
	uint16_t port;
	uint16_t id;
	size_t len;
	uint8_t bytes[600];
	size_t question_len; /* name, type and class, behind the header */
};

typedef void (*scripted_fn)(struct scripted_dns *server, const struct scripted_query *query);

/* On an ephemeral port of `address`. Ends the test program when it cannot. `context` is for the
 * script. */
struct scripted_dns *scripted_dns_start(const char *address, scripted_fn script, void *context);
void scripted_dns_stop(struct scripted_dns *server);

uint16_t scripted_dns_port(const struct scripted_dns *server);
void *scripted_dns_context(const struct scripted_dns *server);
void scripted_dns_set(struct scripted_dns *server, scripted_fn script);

/* Queries so far, and a copy of one of the first SCRIPTED_RECORDS. */
enum { SCRIPTED_RECORDS = 4096 };
unsigned scripted_dns_count(struct scripted_dns *server);
unsigned scripted_dns_count_tcp(struct scripted_dns *server);
unsigned scripted_dns_connections(struct scripted_dns *server);
bool scripted_dns_query(struct scripted_dns *server, unsigned number, struct scripted_query *query);

/* --- for scripts --- */

void scripted_reply(struct scripted_dns *server, const struct scripted_query *query,
	const uint8_t *bytes, size_t len, unsigned delay_ms);
/* UDP: from another socket, hence another port. */
void scripted_reply_elsewhere(struct scripted_dns *server, const struct scripted_query *query,
	const uint8_t *bytes, size_t len);
/* TCP: one byte at a time. */
void scripted_reply_bytewise(struct scripted_dns *server, const struct scripted_query *query,
	const uint8_t *bytes, size_t len);
/* TCP: closes the connection. */
void scripted_hang_up(struct scripted_dns *server, const struct scripted_query *query);

/* A whole answer: question echoed, `flags` (with the rcode) beside QR, one A record 192.0.2.`last`
 * when last >= 0, `padding` bytes of TXT records behind it, an OPT when the query had one. */
size_t scripted_answer(const struct scripted_query *query, uint8_t to[65535], unsigned flags,
	int last, size_t padding);

/* Does the query end in an OPT of exactly 11 bytes? */
bool scripted_has_opt(const struct scripted_query *query);

#endif
