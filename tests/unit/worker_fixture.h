/* worker_fixture.h - a real worker in a thread of its own, with listeners on loopback and a
 * scripted upstream, for the tests of what stands between a socket and a query. */
#ifndef TESTS_UNIT_WORKER_FIXTURE_H
#define TESTS_UNIT_WORKER_FIXTURE_H

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>

#include "dns/name.h"
#include "proxy/front/listener.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"
#include "scripted_dns.h"
#include "tls_fixture.h"

struct worker_fixture {
	struct fixture_directory directory;
	struct scripted_dns *upstream; /* "one" */
	struct scripted_dns *second;   /* "two" */
	struct tls_ticket_keys *keys;
	struct metrics_registry *labels;
	struct query_log *log;
	struct snapshot *snapshot;
	struct worker *worker;
	uint16_t dns_port;
	uint16_t dot_port;
	uint16_t doh_port;
	_Atomic bool ended;
};

enum { PATIENCE_MS = 10000 };

/* "now...": at once; "slow...": after 300 ms; "silent...": never; "huge...": 40 kB, over TCP. The
 * address says which upstream it was. */
static inline void fixture_script(struct scripted_dns *server, const struct scripted_query *query)
{
	static _Thread_local uint8_t answer[65535];
	int last = *(const int *)scripted_dns_context(server);
	uint8_t first = query->bytes[13] | 0x20;
	bool huge = first == 'h';
	if (query->bytes[12] >= 6 && first == 's' && (query->bytes[14] | 0x20) == 'i')
		return;
	size_t len = scripted_answer(query, answer, huge && !query->tcp ? 0x0200 : 0, last,
		huge && query->tcp ? 40000 : 0);
	scripted_reply(server, query, answer, len, first == 's' ? 300 : 0);
}

/* A port that was free a moment ago, for UDP and TCP. */
static inline uint16_t fixture_free_port(void)
{
	for (;;) {
		struct sockaddr_in at = { .sin_family = AF_INET,
			.sin_addr.s_addr = htonl(INADDR_ANY) };
		socklen_t len = sizeof at;
		int tcp = socket(AF_INET, SOCK_STREAM, 0);
		int udp = socket(AF_INET, SOCK_DGRAM, 0);
		FIXTURE_CHECK(bind(tcp, (struct sockaddr *)&at, len) == 0);
		FIXTURE_CHECK(getsockname(tcp, (struct sockaddr *)&at, &len) == 0);
		bool both = bind(udp, (struct sockaddr *)&at, len) == 0;
		close(tcp);
		close(udp);
		if (both)
			return ntohs(at.sin_port);
	}
}

/* A port that was free once may be drawn again: nobody holds it yet. */
static inline void fixture_draw_ports(struct worker_fixture *f)
{
	f->dns_port = fixture_free_port();
	do
		f->dot_port = fixture_free_port();
	while (f->dot_port == f->dns_port);
	do
		f->doh_port = fixture_free_port();
	while (f->doh_port == f->dns_port || f->doh_port == f->dot_port);
}

static inline void fixture_write_config(
	struct worker_fixture *f, const char *address, const char *limits, bool only_two)
{
	char text[4096];
	char one[100] = "";
	if (!only_two)
		snprintf(one, sizeof one,
			"{ name = \"one\"; address = \"127.0.0.1\"; port = %u; },",
			scripted_dns_port(f->upstream));
	int len = snprintf(text, sizeof text,
		"workers = 1;\n"
		"listeners = (\n"
		"  { protocol = \"dns\"; address = \"%s\"; port = %u; },\n"
		"  { protocol = \"dot\"; address = \"127.0.0.1\"; port = %u; },\n"
		"  { protocol = \"doh\"; address = \"127.0.0.1\"; port = %u; } );\n"
		"tls = { certificate = \"server.pem\"; key = \"server.key\"; };\n"
		"special_names = { test = false; };\n"
		"upstreams = ( %s { name = \"two\"; address = \"127.0.0.1\"; port = %u; } );\n"
		"domain_lists = ( { name = \"drop\"; domains = [ \"drop.test\" ]; },\n"
		"  { name = \"bad\"; domains = [ \"blocked.test\" ]; } );\n"
		"rule_groups = ( { name = \"base\"; rules = (\n"
		"  { name = \"drop\"; priority = 1; action = \"BLOCK\"; "
		"block_response = \"DROP\";\n"
		"    domain_list = \"drop\"; },\n"
		"  { name = \"over\"; priority = 2; action = \"BLOCK\"; "
		"block_response = \"OVERRIDE\";\n"
		"    override_domain = \"slow.over.test\"; domain_list = \"bad\"; } ); } );\n"
		"views = ( { name = \"all\"; clients = [ \"127.0.0.0/8\", \"::1/128\" ];\n"
		"  associations = ( { rule_group = \"base\"; priority = 101; } ); } );\n"
		"query_log = { file = \"query.jsonl\"; };\n"
		"limits = { %s };\n",
		address, f->dns_port, f->dot_port, f->doh_port, one, scripted_dns_port(f->second),
		limits);
	fixture_write(&f->directory, "namegate.conf", text, (size_t)len);
}

static inline struct snapshot *fixture_load(struct worker_fixture *f)
{
	char path[128];
	struct config_errors errors = { 0 };
	config_errors_to_stderr(&errors);
	const struct snapshot_parts parts = { .labels = f->labels, .ticket_keys = f->keys };
	struct snapshot *snapshot =
		snapshot_load(fixture_path(&f->directory, "namegate.conf", path), &parts, &errors);
	FIXTURE_CHECK(snapshot);
	return snapshot;
}

static inline void fixture_on_end(void *context)
{
	struct worker_fixture *f = context;
	atomic_store(&f->ended, true);
}

static inline void fixture_write_certificate(struct worker_fixture *f)
{
	struct fixture_certificate ca = fixture_issue("EC", "test CA", NULL, -60, 86400);
	struct fixture_certificate leaf = fixture_issue("EC", "localhost", &ca, -60, 86400);
	const struct fixture_certificate *chain[] = { &leaf, &ca };
	fixture_write_chain(&f->directory, "server.pem", chain, 2);
	fixture_write_key(&f->directory, "server.key", leaf.key, NULL);
	fixture_drop(&leaf);
	fixture_drop(&ca);
}

/* `limits` are settings, such as "idle_timeout = \"1s\";". */
static inline struct worker_fixture *fixture_start(const char *address, const char *limits)
{
	static int numbers[2] = { 1, 2 };
	struct worker_fixture *f = calloc(1, sizeof *f);
	FIXTURE_CHECK(f);
	signal(SIGPIPE, SIG_IGN);
	f->directory = fixture_directory_make();
	f->upstream = scripted_dns_start("127.0.0.1", fixture_script, &numbers[0]);
	f->second = scripted_dns_start("127.0.0.1", fixture_script, &numbers[1]);
	fixture_draw_ports(f);
	f->keys = tls_ticket_keys_new();
	f->labels = metrics_registry_new();
	fixture_write_certificate(f);
	fixture_write_config(f, address, limits, false);
	f->snapshot = fixture_load(f);
	f->snapshot->revision = 1;
	f->log = query_log_open(&f->snapshot->config->query_log, 1);
	FIXTURE_CHECK(f->log);
	const struct worker_parts parts = { .snapshot = f->snapshot,
		.worker_count = 1,
		.metrics = metrics_new(f->labels),
		.log = query_log_ring(f->log, 0),
		.on_end = fixture_on_end,
		.context = f };
	int error;
	f->worker = worker_new(&parts, &error);
	FIXTURE_CHECK(f->worker && listeners_open(f->worker, f->snapshot->config) == 0);
	FIXTURE_CHECK(worker_start(f->worker) == 0);
	return f;
}

static inline void fixture_stop(struct worker_fixture *f)
{
	worker_drain(f->worker);
	worker_join(f->worker);
	FIXTURE_CHECK(atomic_load(&f->ended));
	query_log_close(f->log);
	snapshot_unref(f->snapshot);
	metrics_registry_free(f->labels);
	tls_ticket_keys_free(f->keys);
	scripted_dns_stop(f->upstream);
	scripted_dns_stop(f->second);
	fixture_remove(&f->directory);
	free(f);
}

/* A reload as server.c does it. */
static inline void fixture_reload(struct worker_fixture *f)
{
	struct snapshot *loaded = fixture_load(f);
	loaded->revision = f->snapshot->revision + 1;
	worker_publish(f->worker, snapshot_ref(loaded));
	snapshot_unref(f->snapshot);
	f->snapshot = loaded;
}

/* --- a client --- */

/* A question for A, class IN. Returns its length. */
static inline size_t fixture_query(uint8_t to[512], uint16_t id, const char *text)
{
	struct dns_name name;
	struct writer w = writer_of(to, 512);
	FIXTURE_CHECK(dns_name_from_text(&name, slice_of_text(text)));
	writer_u16(&w, id);
	writer_bytes(&w, "\1\0\0\1\0\0\0\0\0\0", 10);
	writer_slice_bytes(&w, dns_name_slice(&name));
	writer_bytes(&w, "\0\1\0\1", 4);
	return w.len;
}

static inline size_t fixture_framed(uint8_t to[514], uint16_t id, const char *text)
{
	size_t len = fixture_query(to + 2, id, text);
	to[0] = (uint8_t)(len >> 8);
	to[1] = (uint8_t)len;
	return len + 2;
}

static inline int fixture_connect(const char *address, uint16_t port, int type)
{
	struct sockaddr_storage at;
	struct address parsed;
	FIXTURE_CHECK(address_parse(&parsed, address));
	socklen_t len = address_to_sockaddr(&parsed, port, &at);
	int fd = socket(at.ss_family, type, 0);
	FIXTURE_CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&at, len) == 0);
	return fd;
}

static inline bool fixture_readable(int fd, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	return poll(&poll_fd, 1, timeout_ms) > 0;
}

/* All of `len` bytes; false at an end before that. */
static inline bool fixture_receive(int fd, void *to, size_t len)
{
	for (size_t done = 0; done < len;) {
		FIXTURE_CHECK(fixture_readable(fd, PATIENCE_MS));
		ssize_t got = TEMP_FAILURE_RETRY(recv(fd, (uint8_t *)to + done, len - done, 0));
		if (got <= 0)
			return false;
		done += (size_t)got;
	}
	return true;
}

/* One message over TCP; its length, or 0 at the end. */
static inline size_t fixture_answer(int fd, uint8_t to[65535])
{
	uint8_t head[2];
	if (!fixture_receive(fd, head, 2))
		return 0;
	size_t len = (size_t)(head[0] << 8 | head[1]);
	FIXTURE_CHECK(fixture_receive(fd, to, len));
	return len;
}

static inline uint64_t fixture_now_ms(void)
{
	return uv_hrtime() / 1000000;
}

#endif
