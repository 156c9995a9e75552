/* Asks real servers on loopback that misbehave in every way of RFC 5452, RFC 6891 7, RFC 7766 and
 * requirements of our own. tests/on_debian13 runs the same with the c-ares of Debian 13. */
#include "proxy/upstream/upstream.h"
#include "proxy/upstream/hedge.h"
#include "proxy/upstream/udp_pool.h"

#include <ares.h>
#include <dirent.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/error.h"
#include "scripted_dns.h"

enum { SERVERS = 6, ASKS = 16384 };

struct outcome {
	unsigned calls;
	int error;
	uint16_t rcode;
	uint16_t upstream;
	uint64_t took_ms;
	size_t len;
	uint8_t last; /* of 192.0.2.x */
	uint16_t answers;
};

static struct {
	uv_loop_t loop;
	struct upstream_set *set;
	struct scripted_dns *servers[SERVERS];
	struct upstream_config configs[SERVERS];
	size_t count;
	struct upstream_group_config groups[3]; /* set before open_set() */
	size_t group_count;
	uint16_t group; /* the one that is asked */
	unsigned weights[SERVERS];
	struct outcome *outcomes;
	uint64_t *asked_ms;
	unsigned asked;
	unsigned done;
	unsigned ask_again; /* so many more from within on_done */
	uint64_t last_done_ms;
	uint64_t longest_gap_ms; /* between two that were done */
	bool asking;
	bool close_when_done;
} t;

static void ask_named(const char *name, uint16_t type);

static void on_done(void *context, upstream_ask_id id, const struct upstream_result *result)
{
	assert_ptr_equal(context, &t);
	assert_true(id < t.asked || t.asking);
	assert_false(t.asking); /* never from within upstream_ask() */
	struct outcome *outcome = &t.outcomes[id];
	outcome->calls++;
	outcome->error = result->error;
	outcome->upstream = result->upstream;
	outcome->took_ms = uv_hrtime() / 1000000 - t.asked_ms[id];
	assert_true(result->duration_us / 1000 <= outcome->took_ms + 1);
	if (result->error == 0) {
		struct dns_answer answer;
		assert_int_equal(dns_answer_open(&answer, result->answer), 0);
		assert_non_null(result->opened);
		assert_int_equal(result->opened->rcode, answer.rcode);
		outcome->rcode = answer.rcode;
		outcome->len = result->answer.len;
		outcome->answers = answer.counts[0];
		struct dns_record_walk walk;
		struct dns_record record;
		dns_record_walk_begin(&walk, &answer);
		if (dns_record_next(&walk, &record) && record.type == DNS_TYPE_A)
			outcome->last = record.rdata.at[3];
	} else {
		assert_null(result->opened);
		assert_int_equal(result->upstream, UPSTREAM_NO_INDEX);
	}
	t.done++;
	uint64_t now_ms = uv_hrtime() / 1000000;
	if (t.last_done_ms && now_ms - t.last_done_ms > t.longest_gap_ms)
		t.longest_gap_ms = now_ms - t.last_done_ms;
	t.last_done_ms = now_ms;
	if (t.ask_again > 0) {
		t.ask_again--;
		ask_named("again.example", DNS_TYPE_A);
	}
	if (t.close_when_done)
		upstream_set_close(t.set);
}

/* --- scripts --- */

static int last_of(const struct scripted_dns *server)
{
	return (int)(intptr_t)scripted_dns_context(server);
}

static void answer(struct scripted_dns *server, const struct scripted_query *query)
{
	uint8_t bytes[65535];
	scripted_reply(
		server, query, bytes, scripted_answer(query, bytes, 0, last_of(server), 0), 0);
}

static void silence(struct scripted_dns *server, const struct scripted_query *query)
{
	(void)server;
	(void)query;
}

static void reply_flags(struct scripted_dns *server, const struct scripted_query *query,
	unsigned flags, unsigned delay_ms)
{
	uint8_t bytes[65535];
	scripted_reply(server, query, bytes, scripted_answer(query, bytes, flags, -1, 0), delay_ms);
}

static void servfail(struct scripted_dns *server, const struct scripted_query *query)
{
	reply_flags(server, query, DNS_RCODE_SERVFAIL, 0);
}

static void refused(struct scripted_dns *server, const struct scripted_query *query)
{
	reply_flags(server, query, DNS_RCODE_REFUSED, 0);
}

static void notimp(struct scripted_dns *server, const struct scripted_query *query)
{
	reply_flags(server, query, DNS_RCODE_NOTIMP, 0);
}

static void nxdomain(struct scripted_dns *server, const struct scripted_query *query)
{
	reply_flags(server, query, DNS_RCODE_NXDOMAIN, 0);
}

static void late(struct scripted_dns *server, const struct scripted_query *query)
{
	uint8_t bytes[65535];
	scripted_reply(
		server, query, bytes, scripted_answer(query, bytes, 0, last_of(server), 0), 700);
}

static void second_try_only(struct scripted_dns *server, const struct scripted_query *query)
{
	if (query->number > 0)
		answer(server, query);
}

/* What a forger sends first says .66, the truth follows 50 ms later. */
enum { FORGED = 66 };

static void truth_follows(struct scripted_dns *server, const struct scripted_query *query)
{
	uint8_t bytes[65535];
	scripted_reply(
		server, query, bytes, scripted_answer(query, bytes, 0, last_of(server), 0), 50);
}

static void forge(struct scripted_dns *server, const struct scripted_query *query,
	void (*change)(uint8_t *bytes, size_t *len, const struct scripted_query *query))
{
	uint8_t bytes[65535];
	size_t len = scripted_answer(query, bytes, 0, FORGED, 0);
	change(bytes, &len, query);
	if (!query->tcp)
		scripted_reply(server, query, bytes, len, 0);
	truth_follows(server, query);
}

static void to_wrong_id(uint8_t *bytes, size_t *len, const struct scripted_query *query)
{
	(void)len, (void)query;
	bytes[1] ^= 1;
}

static void to_query(uint8_t *bytes, size_t *len, const struct scripted_query *query)
{
	(void)len, (void)query;
	bytes[2] &= 0x7f;
}

static void to_other_opcode(uint8_t *bytes, size_t *len, const struct scripted_query *query)
{
	(void)len, (void)query;
	bytes[2] |= 0x20;
}

static void to_wrong_name(uint8_t *bytes, size_t *len, const struct scripted_query *query)
{
	(void)len, (void)query;
	bytes[13] = bytes[13] == 'q' ? 'r' : 'q';
}

static void to_wrong_type(uint8_t *bytes, size_t *len, const struct scripted_query *query)
{
	(void)len;
	bytes[12 + query->question_len - 3] ^= 0x10;
}

static void to_wrong_class(uint8_t *bytes, size_t *len, const struct scripted_query *query)
{
	(void)len;
	bytes[12 + query->question_len - 1] ^= 2;
}

static void to_two_questions(uint8_t *bytes, size_t *len, const struct scripted_query *query)
{
	size_t question = query->question_len;
	memmove(bytes + 12 + question, bytes + 12, *len - 12);
	*len += question;
	bytes[5] = 2;
}

static void to_no_question(uint8_t *bytes, size_t *len, const struct scripted_query *query)
{
	memmove(bytes + 12, bytes + 12 + query->question_len, *len - 12 - query->question_len);
	*len -= query->question_len;
	bytes[5] = 0;
}

static void to_one_case_changed(uint8_t *bytes, size_t *len, const struct scripted_query *query)
{
	(void)len, (void)query;
	bytes[13] ^= 0x20;
}

static void to_header_only(uint8_t *bytes, size_t *len, const struct scripted_query *query)
{
	(void)bytes, (void)query;
	*len = 11;
}

static void to_nothing(uint8_t *bytes, size_t *len, const struct scripted_query *query)
{
	(void)bytes, (void)query;
	*len = 0;
}

#define FORGER(change)                                                                             \
	static void forge_##change(                                                                \
		struct scripted_dns *server, const struct scripted_query *query)                   \
	{                                                                                          \
		forge(server, query, to_##change);                                                 \
	}
FORGER(wrong_id)
FORGER(query)
FORGER(other_opcode)
FORGER(wrong_name)
FORGER(wrong_type)
FORGER(wrong_class)
FORGER(two_questions)
FORGER(no_question)
FORGER(one_case_changed)
FORGER(header_only)
FORGER(nothing)

static void forge_from_elsewhere(struct scripted_dns *server, const struct scripted_query *query)
{
	uint8_t bytes[65535];
	size_t len = scripted_answer(query, bytes, 0, FORGED, 0);
	scripted_reply_elsewhere(server, query, bytes, len);
	truth_follows(server, query);
}

/* Everything is right but the port of ours that it arrives at. */
static void forge_to_another_port(struct scripted_dns *server, const struct scripted_query *query)
{
	static struct scripted_query first;
	uint8_t bytes[65535];
	if (query->number == 0) {
		first = *query;
		return;
	}
	size_t len = scripted_answer(query, bytes, 0, FORGED, 0);
	struct scripted_query misled = *query;
	misled.from = first.from;
	if (first.port != query->port)
		scripted_reply(server, &misled, bytes, len, 0);
	truth_follows(server, query);
	truth_follows(server, &first);
}

static void forge_garbage(struct scripted_dns *server, const struct scripted_query *query)
{
	uint8_t bytes[1500];
	for (unsigned size = 1; size < sizeof bytes; size += 97) {
		for (unsigned i = 0; i < size; i++)
			bytes[i] = (uint8_t)(i * 197 + size);
		scripted_reply(server, query, bytes, size, 0);
	}
	truth_follows(server, query);
}

/* Right question, records that cannot be read. */
static void broken_records(struct scripted_dns *server, const struct scripted_query *query)
{
	uint8_t bytes[65535];
	size_t len = scripted_answer(query, bytes, 0, FORGED, 0);
	bytes[7] = 9;
	scripted_reply(server, query, bytes, len, 0);
}

/* c-ares 1.34 refuses this one (a CAA record that is cut) and would drop the connection with
 * all that waits on it; to us it is an opaque record. */
static void odd_record(struct scripted_dns *server, const struct scripted_query *query)
{
	uint8_t bytes[65535];
	size_t len = scripted_answer(query, bytes, 0, last_of(server), 0);
	static const uint8_t caa[] = { 0xc0, 12, 1, 1, 0, 1, 0, 0, 0, 1, 0, 3, 1, 2, 3 };
	if (scripted_has_opt(query)) {
		memmove(bytes + len - 11 + sizeof caa, bytes + len - 11, 11);
		memcpy(bytes + len - 11, caa, sizeof caa);
	} else {
		memcpy(bytes + len, caa, sizeof caa);
	}
	bytes[7]++;
	scripted_reply(server, query, bytes, len + sizeof caa, 0);
}

static void truncated(struct scripted_dns *server, const struct scripted_query *query)
{
	if (query->tcp)
		answer(server, query);
	else
		reply_flags(server, query, DNS_FLAG_TC, 0);
}

static void truncated_bytewise(struct scripted_dns *server, const struct scripted_query *query)
{
	uint8_t bytes[65535];
	if (query->tcp)
		scripted_reply_bytewise(server, query, bytes,
			scripted_answer(query, bytes, 0, last_of(server), 300));
	else
		reply_flags(server, query, DNS_FLAG_TC, 0);
}

static void truncated_huge(struct scripted_dns *server, const struct scripted_query *query)
{
	uint8_t bytes[65535];
	if (query->tcp)
		scripted_reply(server, query, bytes,
			scripted_answer(query, bytes, 0, last_of(server), 60000), 0);
	else
		reply_flags(server, query, DNS_FLAG_TC, 0);
}

/* Takes the first connection's query and hangs up, answers from the second on. */
static void truncated_hang_up(struct scripted_dns *server, const struct scripted_query *query)
{
	if (!query->tcp)
		reply_flags(server, query, DNS_FLAG_TC, 0);
	else if (scripted_dns_connections(server) < 2)
		scripted_hang_up(server, query);
	else
		answer(server, query);
}

static void truncated_always_hangs_up(
	struct scripted_dns *server, const struct scripted_query *query)
{
	if (!query->tcp)
		reply_flags(server, query, DNS_FLAG_TC, 0);
	else
		scripted_hang_up(server, query);
}

/* Answers a TCP query and then closes; UDP queries stay open meanwhile. */
static void tcp_closes_udp_slow(struct scripted_dns *server, const struct scripted_query *query)
{
	if (query->tcp) {
		answer(server, query);
		scripted_hang_up(server, query);
	} else if (query->bytes[13] == 't' || query->bytes[13] == 'T') {
		reply_flags(server, query, DNS_FLAG_TC, 0);
	} else {
		uint8_t bytes[65535];
		scripted_reply(server, query, bytes,
			scripted_answer(query, bytes, 0, last_of(server), 0), 300);
	}
}

/* TCP answers to another question first. */
static void truncated_wrong_then_right(
	struct scripted_dns *server, const struct scripted_query *query)
{
	uint8_t bytes[65535];
	if (!query->tcp) {
		reply_flags(server, query, DNS_FLAG_TC, 0);
		return;
	}
	size_t len = scripted_answer(query, bytes, 0, FORGED, 0);
	bytes[13] = bytes[13] == 'q' ? 'r' : 'q';
	scripted_reply(server, query, bytes, len, 0);
	len = scripted_answer(query, bytes, 0, FORGED, 0);
	bytes[2] &= 0x7f;
	scripted_reply(server, query, bytes, len, 0);
	scripted_reply(server, query, bytes, 1, 0);
	answer(server, query);
}

static void folds_case(struct scripted_dns *server, const struct scripted_query *query)
{
	uint8_t bytes[65535];
	size_t len = scripted_answer(query, bytes, 0, last_of(server), 0);
	for (size_t i = 12; i < 12 + query->question_len - 4; i++)
		bytes[i] = dns_lower(bytes[i]);
	scripted_reply(server, query, bytes, len, 0);
}

/* Knows no EDNS: FORMERR to every OPT. */
static void no_edns(struct scripted_dns *server, const struct scripted_query *query)
{
	uint8_t bytes[65535];
	if (!scripted_has_opt(query)) {
		answer(server, query);
		return;
	}
	size_t len = scripted_answer(query, bytes, DNS_RCODE_FORMERR, -1, 0);
	bytes[11] = 0;
	scripted_reply(server, query, bytes, len - 11, 0);
}

static void no_edns_bare(struct scripted_dns *server, const struct scripted_query *query)
{
	uint8_t bytes[65535];
	if (!scripted_has_opt(query)) {
		answer(server, query);
		return;
	}
	scripted_answer(query, bytes, DNS_RCODE_FORMERR, -1, 0);
	memset(bytes + 4, 0, 8);
	scripted_reply(server, query, bytes, 12, 0);
}

static void always_formerr(struct scripted_dns *server, const struct scripted_query *query)
{
	uint8_t bytes[65535];
	size_t len = scripted_answer(query, bytes, DNS_RCODE_FORMERR, -1, 0);
	bytes[11] = 0;
	scripted_reply(server, query, bytes, scripted_has_opt(query) ? len - 11 : len, 0);
}

static unsigned big_size;

static void big_udp(struct scripted_dns *server, const struct scripted_query *query)
{
	uint8_t bytes[65535];
	scripted_reply(server, query, bytes,
		scripted_answer(query, bytes, 0, last_of(server), query->tcp ? 6000 : big_size), 0);
}

static void slow_100(struct scripted_dns *server, const struct scripted_query *query)
{
	uint8_t bytes[65535];
	scripted_reply(
		server, query, bytes, scripted_answer(query, bytes, 0, last_of(server), 0), 100);
}

/* Anything of the above, by chance but the same in every run. */
static void chaos(struct scripted_dns *server, const struct scripted_query *query)
{
	static const scripted_fn moods[] = { answer, answer, answer, answer, answer, answer,
		silence, servfail, nxdomain, forge_wrong_id, forge_garbage, forge_two_questions,
		broken_records, odd_record, truncated, truncated, truncated_always_hangs_up,
		truncated_wrong_then_right, folds_case, no_edns_bare, slow_100, late };
	uint32_t mix = (query->number + 1) * 2654435761u;
	moods[(mix >> 16) % (sizeof moods / sizeof *moods)](server, query);
}

/* --- the bench --- */

static void ask_named(const char *name, uint16_t type)
{
	struct dns_name wire;
	assert_true(dns_name_from_text(&wire, slice_of_text(name)));
	struct dns_request request = { .name = dns_name_slice(&wire),
		.type = type,
		.class = DNS_CLASS_IN,
		.recursion_desired = true };
	assert_true(t.asked < ASKS);
	t.asked_ms[t.asked] = uv_hrtime() / 1000000;
	t.outcomes[t.asked].last = 0;
	t.asking = true;
	assert_int_equal(upstream_ask(t.set, t.group, t.asked, &request), 0);
	t.asking = false;
	t.asked++;
}

static void on_limit(uv_timer_t *timer)
{
	*(bool *)timer->data = true;
}

static void on_timer_closed(uv_handle_t *handle)
{
	*(bool *)handle->data = true;
}

/* Runs the loop until so many asks are done, or for so long. */
static void run(unsigned done, unsigned limit_ms)
{
	uv_timer_t timer;
	bool late_now = false;
	bool closed = false;
	uv_timer_init(&t.loop, &timer);
	timer.data = &late_now;
	uv_timer_start(&timer, on_limit, limit_ms, 0);
	while (t.done < done && !late_now)
		uv_run(&t.loop, UV_RUN_ONCE);
	timer.data = &closed;
	uv_close((uv_handle_t *)&timer, on_timer_closed);
	while (!closed)
		uv_run(&t.loop, UV_RUN_NOWAIT);
}

static void rest(unsigned ms)
{
	run(UINT32_MAX, ms);
}

static struct outcome *ask(const char *name)
{
	unsigned number = t.asked;
	ask_named(name, DNS_TYPE_A);
	run(number + 1, 6000);
	assert_int_equal(t.outcomes[number].calls, 1);
	return &t.outcomes[number];
}

/* Upstream i answers 192.0.2.(i + 1). A NULL script is a closed port. */
static void open_set(size_t count, const scripted_fn *scripts)
{
	int error;
	for (size_t i = 0; i < count; i++) {
		char address[32];
		snprintf(address, sizeof address, "127.0.0.%u", (unsigned)i + 2);
		t.servers[i] = scripted_dns_start(address, scripts[i], (void *)(intptr_t)(i + 1));
		t.configs[i] = (struct upstream_config){ .name = "test",
			.port = scripted_dns_port(t.servers[i]),
			.weight = t.weights[i] };
		address_parse(&t.configs[i].address, address);
		if (!scripts[i]) {
			scripted_dns_stop(t.servers[i]);
			t.servers[i] = NULL;
		}
	}
	t.count = count;
	t.set = upstream_set_new(&(struct upstream_parts){ .loop = &t.loop,
					 .upstreams = t.configs,
					 .count = count,
					 .groups = t.groups,
					 .group_count = t.group_count,
					 .on_done = on_done,
					 .context = &t },
		&error);
	assert_non_null(t.set);
	assert_int_equal(error, 0);
}

static void open_one(scripted_fn script)
{
	open_set(1, &script);
}

static uint64_t count_of(const upstream_counter *counter)
{
	return upstream_count_read(counter);
}

static const struct upstream_counters *counters(size_t index)
{
	return upstream_counters(t.set, index);
}

static int set_up(void **state)
{
	(void)state;
	memset(&t, 0, sizeof t);
	t.outcomes = calloc(ASKS, sizeof *t.outcomes);
	t.asked_ms = calloc(ASKS, sizeof *t.asked_ms);
	return uv_loop_init(&t.loop);
}

static int tear_down(void **state)
{
	(void)state;
	t.close_when_done = false;
	upstream_set_close(t.set);
	uv_run(&t.loop, UV_RUN_DEFAULT);
	/* Every handle is closed, and every ask was answered exactly once. */
	assert_int_equal(uv_loop_close(&t.loop), 0);
	for (unsigned i = 0; i < t.asked; i++)
		assert_int_equal(t.outcomes[i].calls, 1);
	for (size_t i = 0; i < t.count; i++) {
		if (t.servers[i])
			scripted_dns_stop(t.servers[i]);
	}
	free(t.outcomes);
	free(t.asked_ms);
	return 0;
}

/* --- asking --- */

static void test_answers(void **state)
{
	(void)state;
	open_one(answer);
	struct outcome *outcome = ask("www.example");
	assert_int_equal(outcome->error, 0);
	assert_int_equal(outcome->rcode, DNS_RCODE_NOERROR);
	assert_int_equal(outcome->last, 1);
	assert_int_equal(outcome->upstream, 0);
	assert_true(outcome->took_ms < 300);
	assert_int_equal(upstream_in_flight(t.set), 0);
	assert_int_equal(count_of(&counters(0)->queries_udp), 1);
	assert_int_equal(count_of(&counters(0)->answers[UPSTREAM_NOERROR]), 1);
	assert_int_equal(count_of(&counters(0)->asked[UPSTREAM_REASON_FIRST]), 1);
	assert_int_equal(count_of(&counters(0)->up), 1);
	assert_int_equal(count_of(&counters(0)->in_flight), 0);
	uint64_t sum = 0;
	for (unsigned i = 0; i <= UPSTREAM_LATENCY_BUCKETS; i++)
		sum += count_of(&counters(0)->latency[i]);
	assert_int_equal(sum, 1);
}

static void test_every_kind_of_name_and_type(void **state)
{
	(void)state;
	open_one(answer);
	struct dns_name names[5] = { { .len = 1 } };
	assert_true(dns_name_from_text(&names[1], slice_of_text("\\000\\255.\\.\\\\.A-z_*")));
	assert_true(dns_name_from_text(&names[2], slice_of_text("x")));
	/* The longest: 3 * 64 + 62 + 1 bytes, every byte one that has to be escaped. */
	names[3].len = 255;
	for (unsigned i = 0, label = 0; i < 254; i++, label = label ? label - 1 : label) {
		if (label == 0) {
			label = 254 - i > 64 ? 64 : 254 - i;
			names[3].wire[i] = (uint8_t)(label - 1);
		} else {
			names[3].wire[i] = (uint8_t)(i % 2 ? 0x80 + i / 2 : '.');
		}
	}
	assert_int_equal(dns_name_check(dns_name_slice(&names[3])), 255);
	/* The most labels. */
	names[4].len = 255;
	for (unsigned i = 0; i < 254; i += 2) {
		names[4].wire[i] = 1;
		names[4].wire[i + 1] = 'k';
	}
	static const uint16_t types[] = { 1, 2, 5, 6, 16, 24, 28, 33, 41, 46, 64, 65, 255, 256, 257,
		0, 99, 65280, 65535 };
	static const uint16_t classes[] = { DNS_CLASS_IN, DNS_CLASS_CH, DNS_CLASS_HS,
		DNS_CLASS_NONE, DNS_CLASS_ANY, 7 };
	for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
		for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
			struct dns_request request = { .name = dns_name_slice(&names[n]),
				.type = types[i],
				.class = classes[i % 6],
				.dnssec_ok = i % 2 };
			t.asked_ms[t.asked] = uv_hrtime() / 1000000;
			assert_int_equal(upstream_ask(t.set, 0, t.asked, &request), 0);
			t.asked++;
		}
	}
	run(t.asked, 3000);
	for (unsigned i = 0; i < t.asked; i++) {
		assert_int_equal(t.outcomes[i].error, 0);
		assert_true(t.outcomes[i].took_ms < 1000);
	}
	/* c-ares has given all of them back, too. */
	rest(100);
	assert_int_equal(count_of(&counters(0)->in_flight), 0);
}

/* The same over TCP: c-ares from 1.28 on would refuse these names. */
static void test_odd_names_over_tcp(void **state)
{
	(void)state;
	open_one(truncated);
	assert_int_equal(ask("My\\032Printer.\\000\\255\\.._ipp.example")->last, 1);
	struct scripted_query query;
	assert_true(scripted_dns_query(t.servers[0], 1, &query));
	assert_true(query.tcp);
	/* Our own message, here too: OPT of 11 bytes, last. */
	assert_true(scripted_has_opt(&query));
	assert_memory_equal(query.bytes + 12 + 11, "\3\0\377.", 4);
}

static void test_ipv6(void **state)
{
	(void)state;
	int error;
	t.servers[0] = scripted_dns_start("::1", truncated, (void *)(intptr_t)1);
	t.count = 1;
	t.configs[0].port = scripted_dns_port(t.servers[0]);
	address_parse(&t.configs[0].address, "::1");
	t.set = upstream_set_new(&(struct upstream_parts){ .loop = &t.loop,
					 .upstreams = t.configs,
					 .count = 1,
					 .on_done = on_done,
					 .context = &t },
		&error);
	assert_int_equal(ask("v6.example")->last, 1);
	assert_int_equal(count_of(&counters(0)->queries_tcp), 1);
}

/* --- failing over --- */

static void test_fail_over(void **state)
{
	(void)state;
	static const struct {
		scripted_fn first;
		unsigned below_ms;
		unsigned rcode;
		unsigned last;
	} rows[] = {
		{ silence, 1000, DNS_RCODE_NOERROR, 2 },
		{ NULL, 300, DNS_RCODE_NOERROR, 2 }, /* closed port */
		{ servfail, 300, DNS_RCODE_NOERROR, 2 },
		{ refused, 300, DNS_RCODE_NOERROR, 2 },
		{ notimp, 300, DNS_RCODE_NOERROR, 2 },
		{ always_formerr, 300, DNS_RCODE_NOERROR, 2 },
		{ broken_records, 300, DNS_RCODE_NOERROR, 2 },
		{ truncated_always_hangs_up, 300, DNS_RCODE_NOERROR, 2 },
		{ nxdomain, 300, DNS_RCODE_NXDOMAIN, 0 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		set_up(NULL);
		open_set(2, (scripted_fn[]){ rows[i].first, answer });
		struct outcome *outcome = ask("fail.over.example");
		assert_int_equal(outcome->error, 0);
		assert_int_equal(outcome->rcode, rows[i].rcode);
		assert_int_equal(outcome->last, rows[i].last);
		assert_true(outcome->took_ms < rows[i].below_ms);
		tear_down(NULL);
	}
}

static void test_five_silent_servers_cost_less_than_a_second(void **state)
{
	(void)state;
	open_set(6, (scripted_fn[]){ silence, silence, silence, silence, silence, answer });
	struct outcome *outcome = ask("patient.example");
	assert_int_equal(outcome->last, 6);
	assert_true(outcome->took_ms < 1000);
}

static void test_all_silent(void **state)
{
	(void)state;
	open_set(2, (scripted_fn[]){ silence, silence });
	struct outcome *outcome = ask("nobody.example");
	assert_int_equal(outcome->error, ERR_TIMEOUT);
	assert_true(outcome->took_ms >= UPSTREAM_DEADLINE_MS - 50);
	assert_true(outcome->took_ms < 5000);
	rest(600);
	/* Bounded, and counted. */
	unsigned probes = (unsigned)count_of(&counters(0)->asked[UPSTREAM_REASON_PROBE]);
	assert_true(probes >= 1 && probes <= 5);
	assert_true(scripted_dns_count(t.servers[0]) - probes <= 5);
	assert_true(count_of(&counters(0)->errors[UPSTREAM_ERROR_TIMEOUT]) >= 1);
	assert_int_equal(count_of(&counters(0)->up), 0);
}

static void test_all_closed_is_known_at_once(void **state)
{
	(void)state;
	open_set(2, (scripted_fn[]){ NULL, NULL });
	struct outcome *outcome = ask("closed.example");
	assert_int_equal(outcome->error, ERR_UNREACHABLE);
	assert_true(outcome->took_ms < 300);
	assert_true(count_of(&counters(1)->errors[UPSTREAM_ERROR_NETWORK]) >= 1);
}

static void test_unroutable_is_known_at_once(void **state)
{
	(void)state;
	int error;
	t.configs[0].port = 53;
	/* Broadcast: connect() gives EACCES without touching the network. */
	address_parse(&t.configs[0].address, "255.255.255.255");
	t.set = upstream_set_new(&(struct upstream_parts){ .loop = &t.loop,
					 .upstreams = t.configs,
					 .count = 1,
					 .on_done = on_done,
					 .context = &t },
		&error);
	struct outcome *outcome = ask("unroutable.example");
	assert_int_equal(outcome->error, ERR_UNREACHABLE);
	assert_true(outcome->took_ms < 300);
}

static void test_first_bad_answer_is_kept(void **state)
{
	(void)state;
	open_set(3, (scripted_fn[]){ servfail, refused, NULL });
	struct outcome *outcome = ask("bad.example");
	assert_int_equal(outcome->error, 0);
	assert_int_equal(outcome->rcode, DNS_RCODE_SERVFAIL);
	assert_int_equal(outcome->upstream, 0);
	assert_true(outcome->took_ms < 300);
}

static void test_bad_answer_does_not_wait_for_the_silent(void **state)
{
	(void)state;
	open_set(2, (scripted_fn[]){ servfail, silence });
	struct outcome *outcome = ask("bad.example");
	assert_int_equal(outcome->rcode, DNS_RCODE_SERVFAIL);
	assert_true(outcome->took_ms < 1300);
}

static void test_unreadable_alone(void **state)
{
	(void)state;
	open_one(broken_records);
	struct outcome *outcome = ask("unreadable.example");
	assert_int_equal(outcome->error, ERR_MALFORMED);
	assert_true(outcome->took_ms < 300);
}

static void test_single_server_is_tried_again(void **state)
{
	(void)state;
	open_one(second_try_only);
	struct outcome *outcome = ask("lost.example");
	assert_int_equal(outcome->last, 1);
	assert_true(outcome->took_ms < 1000);
	struct scripted_query first, second;
	assert_true(scripted_dns_query(t.servers[0], 0, &first));
	assert_true(scripted_dns_query(t.servers[0], 1, &second));
	assert_int_not_equal(first.id, second.id);
	assert_int_equal(count_of(&counters(0)->asked[UPSTREAM_REASON_RETRY]), 1);
}

static void test_late_answer_wins(void **state)
{
	(void)state;
	open_set(2, (scripted_fn[]){ late, silence });
	struct outcome *outcome = ask("late.example");
	assert_int_equal(outcome->last, 1);
	assert_true(outcome->took_ms >= 650 && outcome->took_ms < 1100);
	assert_true(scripted_dns_count(t.servers[1]) >= 1);
}

static void test_down_is_asked_last_and_found_again(void **state)
{
	(void)state;
	open_set(2, (scripted_fn[]){ silence, answer });
	for (unsigned i = 0; i < 3; i++)
		ask_named("down.example", DNS_TYPE_A);
	run(3, 2000);
	rest(50);
	assert_int_equal(count_of(&counters(0)->up), 0);
	struct outcome *outcome = ask("quick.example");
	assert_true(outcome->took_ms < 300);
	assert_int_equal(outcome->last, 2);
	/* It comes back, and a live query finds out within a second or so. */
	scripted_dns_set(t.servers[0], answer);
	for (unsigned i = 0; i < 15 && count_of(&counters(0)->up) == 0; i++) {
		assert_true(ask("probe.example")->took_ms < 300);
		rest(100);
	}
	assert_int_equal(count_of(&counters(0)->up), 1);
	assert_true(count_of(&counters(0)->asked[UPSTREAM_REASON_PROBE]) >= 1);
	assert_int_equal(ask("first.example")->last, 1);
}

/* --- groups and policies --- */

static const uint16_t in_order[SERVERS] = { 0, 1, 2, 3, 4, 5 };

static void add_group(enum upstream_policy policy, const uint16_t *members, size_t count)
{
	t.groups[t.group_count++] = (struct upstream_group_config){
		.name = "group", .policy = policy, .members = members, .member_count = count
	};
}

static uint64_t reason(size_t index, enum upstream_reason why)
{
	return count_of(&counters(index)->asked[why]);
}

static void slow_40(struct scripted_dns *server, const struct scripted_query *query)
{
	uint8_t bytes[65535];
	scripted_reply(
		server, query, bytes, scripted_answer(query, bytes, 0, last_of(server), 0), 40);
}

/* Names that begin with "s" take 300 ms. */
static void slow_names(struct scripted_dns *server, const struct scripted_query *query)
{
	uint8_t bytes[65535];
	bool is_slow = dns_lower(query->bytes[13]) == 's';
	scripted_reply(server, query, bytes, scripted_answer(query, bytes, 0, last_of(server), 0),
		is_slow ? 300 : 0);
}

static void test_groups_are_separate(void **state)
{
	(void)state;
	static const uint16_t second[] = { 1 };
	static const uint16_t both[] = { 1, 0 };
	add_group(UPSTREAM_ORDERED, in_order, 1);
	add_group(UPSTREAM_ORDERED, second, 1);
	add_group(UPSTREAM_ORDERED, both, 2);
	open_set(2, (scripted_fn[]){ answer, servfail });
	assert_int_equal(ask("first.example")->last, 1);
	t.group = 1;
	/* Somebody else's upstream would know, but it is somebody else's. */
	assert_int_equal(ask("second.example")->rcode, DNS_RCODE_SERVFAIL);
	assert_int_equal(scripted_dns_count(t.servers[0]), 1);
	t.group = 2;
	assert_int_equal(ask("both.example")->last, 1);
	assert_int_equal(reason(0, UPSTREAM_REASON_FAILOVER), 1);
	struct dns_request request = { .name = slice_of("\1a", 3), .type = 1, .class = 1 };
	assert_int_equal(upstream_ask(t.set, 3, 99, &request), ERR_INVALID);
}

/* Asks until ten in a row were answered by this one. */
static void assert_moves_to(unsigned last)
{
	unsigned row = 0;
	for (unsigned i = 0; i < 1500 && row < 10; i++)
		row = ask("fastest.example")->last == last ? row + 1 : 0;
	assert_int_equal(row, 10);
}

static void test_fastest(void **state)
{
	(void)state;
	add_group(UPSTREAM_FASTEST, in_order, 3);
	open_set(3, (scripted_fn[]){ slow_40, answer, slow_40 });
	assert_moves_to(2);
	assert_true(reason(1, UPSTREAM_REASON_LEARN) > 0);
	/* It gets slow, another one fast: both is found out. */
	scripted_dns_set(t.servers[1], slow_100);
	scripted_dns_set(t.servers[2], answer);
	assert_moves_to(3);
	/* It dies. */
	scripted_dns_set(t.servers[2], silence);
	assert_moves_to(1);
}

static void test_fastest_is_not_who_refuses_fastest(void **state)
{
	(void)state;
	add_group(UPSTREAM_FASTEST, in_order, 2);
	open_set(2, (scripted_fn[]){ refused, slow_40 });
	for (unsigned i = 0; i < 30; i++)
		assert_int_equal(ask("refused.example")->last, 2);
	assert_true(reason(0, UPSTREAM_REASON_FIRST) <= 15);
	assert_true(reason(1, UPSTREAM_REASON_FIRST) >= 15);
}

static void test_ordered_goes_on_asking_who_refuses(void **state)
{
	(void)state;
	open_set(2, (scripted_fn[]){ refused, answer });
	for (unsigned i = 0; i < 30; i++)
		assert_int_equal(ask("refused.example")->last, 2);
	assert_int_equal(reason(0, UPSTREAM_REASON_FIRST), 30);
}

static void test_weighted(void **state)
{
	(void)state;
	enum { TOTAL = 400 };
	add_group(UPSTREAM_WEIGHTED, in_order, 2);
	t.weights[0] = 1;
	t.weights[1] = 3;
	open_set(2, (scripted_fn[]){ answer, answer });
	for (unsigned i = 0; i < TOTAL; i++)
		ask_named("weighted.example", DNS_TYPE_A);
	run(TOTAL, 5000);
	uint64_t share = reason(1, UPSTREAM_REASON_FIRST);
	/* 300 of them, and more than six standard deviations to both sides. */
	assert_in_range(share, 240, 360);
	assert_int_equal(reason(0, UPSTREAM_REASON_FIRST) + share, TOTAL);
}

static void test_parallel(void **state)
{
	(void)state;
	add_group(UPSTREAM_PARALLEL, in_order, 3);
	open_set(3, (scripted_fn[]){ late, answer, late });
	struct outcome *outcome = ask("parallel.example");
	assert_int_equal(outcome->last, 2);
	assert_int_equal(reason(0, UPSTREAM_REASON_FIRST), 1);
	assert_int_equal(reason(1, UPSTREAM_REASON_PARALLEL), 1);
	/* A bad answer wins no race. */
	scripted_dns_set(t.servers[1], servfail);
	assert_int_not_equal(ask("race.example")->last, 2);
}

/* --- silence --- */

static void warm_up(void)
{
	for (unsigned i = 0; i < 100; i++)
		ask("warm.example");
	rest(60);
}

static void test_hedge_time_is_learned(void **state)
{
	(void)state;
	open_set(2, (scripted_fn[]){ answer, answer });
	warm_up();
	scripted_dns_set(t.servers[0], silence);
	struct outcome *outcome = ask("learned.example");
	assert_int_equal(outcome->last, 2);
	printf("answered by the second after %u ms\n", (unsigned)outcome->took_ms);
	assert_true(outcome->took_ms < UPSTREAM_HEDGE_MS - 50);
}

/* We were away, and the answers have been here for long: nobody was late. */
static void test_our_own_sleep_is_nobodys_fault(void **state)
{
	(void)state;
	open_set(2, (scripted_fn[]){ answer, answer });
	warm_up();
	uint64_t before = reason(0, UPSTREAM_REASON_FIRST);
	unsigned done = t.done;
	for (unsigned i = 0; i < 20; i++)
		ask_named("asleep.example", DNS_TYPE_A);
	rest(1);
	for (unsigned i = 0; i < 20; i++)
		ask_named("asleep.example", DNS_TYPE_A);
	usleep(500000);
	run(done + 40, 2000);
	assert_int_equal(t.done, done + 40);
	assert_int_equal(reason(0, UPSTREAM_REASON_FIRST), before + 40);
	assert_int_equal(count_of(&counters(0)->outages), 0);
	assert_int_equal(reason(1, UPSTREAM_REASON_HEDGE), 0);
	ask("awake.example");
	assert_int_equal(reason(0, UPSTREAM_REASON_FIRST), before + 41);
}

/* A slow tail of one who answers others: what is asked twice is paid from the budget. */
static void test_hedges_have_a_budget(void **state)
{
	(void)state;
	enum { ROUNDS = 50, SLOW = 30 };
	open_set(2, (scripted_fn[]){ slow_names, answer });
	warm_up();
	t.last_done_ms = 0;
	t.longest_gap_ms = 0;
	for (unsigned i = 0; i < ROUNDS; i++) {
		for (unsigned k = 0; k < SLOW; k++)
			ask_named("slow.example", DNS_TYPE_A);
		ask_named("quick.example", DNS_TYPE_A);
		rest(3);
		ask_named("quick.example", DNS_TYPE_A);
		rest(3);
	}
	uint64_t hedges = reason(1, UPSTREAM_REASON_HEDGE);
	unsigned longest_gap_ms = (unsigned)t.longest_gap_ms;
	run(t.asked, 5000);
	assert_int_equal(t.done, t.asked);
	printf("%u hedges of %u asks, %u of them slow; longest pause %u ms\n", (unsigned)hedges,
		t.asked, ROUNDS * SLOW, longest_gap_ms);
	assert_true(hedges > 0);
	/* A pause as long as an answer takes looks like a dead server, and then they are free. */
	if (longest_gap_ms < HEDGE_MIN_MS - 5)
		assert_true(hedges <= HEDGE_BURST + t.asked / HEDGE_ASKS);
}

static void on_load(uv_timer_t *timer)
{
	(void)timer;
	static unsigned number;
	char name[32];
	snprintf(name, sizeof name, "load%u.example", number++);
	ask_named(name, DNS_TYPE_A);
}

static int compare_ms(const void *a, const void *b)
{
	const struct outcome *x = a;
	const struct outcome *y = b;
	return (x->took_ms > y->took_ms) - (x->took_ms < y->took_ms);
}

/* 1,000 questions a second; then the first of two says nothing any more. */
static void test_pulled_cable(void **state)
{
	(void)state;
	uv_timer_t load;
	bool closed = false;
	open_set(2, (scripted_fn[]){ answer, answer });
	uv_timer_init(&t.loop, &load);
	uv_timer_start(&load, on_load, 1, 1);
	rest(700);
	scripted_dns_set(t.servers[0], silence);
	unsigned from = t.asked;
	rest(1000);
	unsigned to = t.asked;
	uv_timer_stop(&load);
	run(t.asked, 5000);
	load.data = &closed;
	uv_close((uv_handle_t *)&load, on_timer_closed);
	while (!closed)
		uv_run(&t.loop, UV_RUN_NOWAIT);
	assert_int_equal(t.done, t.asked);
	unsigned count = to - from;
	unsigned waited = 0;
	for (unsigned i = from; i < to; i++) {
		assert_int_equal(t.outcomes[i].error, 0);
		assert_int_equal(t.outcomes[i].last, 2);
		waited += t.outcomes[i].took_ms >= 15;
	}
	qsort(&t.outcomes[from], count, sizeof *t.outcomes, compare_ms);
	printf("the second after: %u asks, %u took 15 ms or more, p50 %u ms, p99 %u ms, max %u ms, "
	       "%u went to the dead one\n",
		count, waited, (unsigned)t.outcomes[from + count / 2].took_ms,
		(unsigned)t.outcomes[from + count * 99 / 100].took_ms,
		(unsigned)t.outcomes[to - 1].took_ms,
		(unsigned)(reason(0, UPSTREAM_REASON_FIRST) - from));
	/* Not one had to wait for what a fixed time would have been. */
	assert_true(t.outcomes[to - 1].took_ms < UPSTREAM_HEDGE_MS - 20);
	/* And most did not notice at all. */
	assert_true(t.outcomes[from + count / 2].took_ms < UPSTREAM_HEDGE_MS / 2);
	assert_true(reason(0, UPSTREAM_REASON_FIRST) - from < count / 2);
}

static void test_probes_need_no_client(void **state)
{
	(void)state;
	open_set(2, (scripted_fn[]){ silence, answer });
	for (unsigned i = 0; i < 3; i++)
		ask_named("down.example", DNS_TYPE_A);
	run(3, 2000);
	rest(2500);
	assert_int_equal(count_of(&counters(0)->up), 0);
	assert_int_equal(count_of(&counters(0)->outages), 1);
	assert_in_range(reason(0, UPSTREAM_REASON_PROBE), 1, 3);
	/* A question of our own: the name servers of the root. */
	struct scripted_query query;
	assert_true(scripted_dns_query(t.servers[0], 3, &query));
	assert_memory_equal(query.bytes + 12, "\0\0\2\0\1", 5);
	scripted_dns_set(t.servers[0], answer);
	for (unsigned i = 0; i < 30 && count_of(&counters(0)->up) == 0; i++)
		rest(100);
	assert_int_equal(count_of(&counters(0)->up), 1);
	assert_int_equal(ask("first.example")->last, 1);
}

static void test_all_down_and_one_back(void **state)
{
	(void)state;
	open_set(4, (scripted_fn[]){ silence, silence, silence, silence });
	for (unsigned i = 0; i < 3; i++)
		ask_named("down.example", DNS_TYPE_A);
	run(3, 6000);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(t.outcomes[i].error, ERR_TIMEOUT);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(count_of(&counters(i)->up), 0);
	/* The third of them is back, and the next question does not ask them one after the other.
	 */
	scripted_dns_set(t.servers[2], answer);
	struct outcome *outcome = ask("back.example");
	assert_int_equal(outcome->last, 3);
	assert_true(outcome->took_ms < 300);
	assert_int_equal(count_of(&counters(2)->up), 1);
	assert_int_equal(ask("known.example")->last, 3);
}

static void test_distrust(void **state)
{
	(void)state;
	open_set(2, (scripted_fn[]){ silence, answer });
	for (unsigned i = 0; i < 3; i++)
		ask_named("down.example", DNS_TYPE_A);
	run(3, 2000);
	rest(50);
	assert_int_equal(count_of(&counters(0)->up), 0);
	uint64_t before = reason(0, UPSTREAM_REASON_FIRST);
	upstream_distrust(t.set);
	scripted_dns_set(t.servers[0], answer);
	assert_int_equal(ask("again.example")->last, 1);
	assert_int_equal(reason(0, UPSTREAM_REASON_FIRST), before + 1);
	/* What is in flight is asked again, sooner than by itself. */
	scripted_dns_set(t.servers[0], silence);
	unsigned number = t.asked;
	ask_named("flying.example", DNS_TYPE_A);
	rest(20);
	upstream_distrust(t.set);
	run(number + 1, 2000);
	assert_int_equal(t.outcomes[number].last, 2);
	assert_true(t.outcomes[number].took_ms < UPSTREAM_HEDGE_MS - 50);
}

static void loses_some(struct scripted_dns *server, const struct scripted_query *query)
{
	if (dns_lower(query->bytes[13]) != 'l')
		answer(server, query);
}

/* Many are lost at the same time, the others are answered: that is no outage. */
static void test_loss_is_no_outage(void **state)
{
	(void)state;
	open_set(2, (scripted_fn[]){ loses_some, answer });
	for (unsigned i = 0; i < 20; i++)
		ask_named("lost.example", DNS_TYPE_A);
	t.ask_again = ASKS - 100;
	ask_named("quick.example", DNS_TYPE_A);
	for (unsigned i = 0; i < 60 && t.ask_again > 0; i++)
		rest(10);
	t.ask_again = 0;
	run(t.asked, 2000);
	printf("longest pause %u ms\n", (unsigned)t.longest_gap_ms);
	if (t.longest_gap_ms < UPSTREAM_HEDGE_MS / 2)
		assert_int_equal(count_of(&counters(0)->outages), 0);
}

/* --- addresses of an upstream that is named by host --- */

/* The addresses of dot.test are those of the server that is told about it, 127.0.0.3. */
static void knows_addresses(struct scripted_dns *server, const struct scripted_query *query)
{
	static const uint8_t loopback[] = { 127, 0, 0, 3 };
	uint8_t bytes[65535];
	bool is_a = query->bytes[12 + query->question_len - 3] == DNS_TYPE_A;
	size_t len = scripted_answer(query, bytes, 0, is_a ? 1 : -1, 0);
	if (is_a)
		memcpy(bytes + 12 + query->question_len + 12, loopback, sizeof loopback);
	scripted_reply(server, query, bytes, len, 0);
}

static struct tls_client *dot_tls;

/* Upstream 1 speaks DoT and is named by host; upstream 0 is asked for its addresses. */
static void open_by_host(scripted_fn bootstrap)
{
	static struct tls_client *tls[2];
	static const uint16_t second[] = { 1 };
	char message[TLS_MESSAGE_MAX];
	int error;
	struct tls_pin pin = { { 0 } };
	dot_tls = tls_client_new(
		&(struct tls_client_settings){
			.name = "dot.test", .pins = &pin, .pin_count = 1, .alpn = TLS_ALPN_DOT },
		message);
	assert_non_null(dot_tls);
	tls[1] = dot_tls;
	t.servers[0] = scripted_dns_start("127.0.0.2", bootstrap, (void *)(intptr_t)1);
	t.servers[1] = scripted_dns_start("127.0.0.3", answer, (void *)(intptr_t)2);
	t.count = 2;
	t.configs[0] = (struct upstream_config){ .name = "plain",
		.port = scripted_dns_port(t.servers[0]) };
	address_parse(&t.configs[0].address, "127.0.0.2");
	t.configs[1] = (struct upstream_config){ .name = "dot",
		.protocol = UPSTREAM_DOT,
		.host = "dot.test",
		.bootstrap = 0,
		.port = scripted_dns_port(t.servers[1]) };
	add_group(UPSTREAM_ORDERED, in_order, 2);
	add_group(UPSTREAM_ORDERED, second, 1);
	t.group = 1;
	t.set = upstream_set_new(&(struct upstream_parts){ .loop = &t.loop,
					 .upstreams = t.configs,
					 .count = 2,
					 .groups = t.groups,
					 .group_count = t.group_count,
					 .tls = tls,
					 .on_done = on_done,
					 .context = &t },
		&error);
	assert_non_null(t.set);
}

static int tear_down_by_host(void **state)
{
	int error = tear_down(state);
	tls_client_unref(dot_tls);
	return error;
}

static unsigned types_asked(void)
{
	unsigned types = 0;
	struct scripted_query query;
	for (unsigned i = 0; scripted_dns_query(t.servers[0], i, &query); i++) {
		uint16_t type = query.bytes[12 + query.question_len - 3];
		uint8_t name[10];
		dns_name_lower(name, query.bytes + 12, sizeof name);
		assert_memory_equal(name, "\3dot\4test", 10);
		types |= type == DNS_TYPE_A ? 1 : 2;
	}
	return types;
}

static void test_addresses_are_looked_up(void **state)
{
	(void)state;
	open_by_host(knows_addresses);
	/* It is reached at the address that was found; that it speaks no TLS is another matter. */
	assert_int_equal(ask("by.host.example")->error, ERR_UNREACHABLE);
	assert_int_equal(types_asked(), 3);
	assert_true(scripted_dns_connections(t.servers[1]) >= 1);
	assert_int_equal(scripted_dns_count(t.servers[0]), 2);
	/* Ours are not the caller's. */
	assert_int_equal(upstream_in_flight(t.set), 0);
	assert_int_equal(t.done, 1);
}

static void test_no_addresses(void **state)
{
	(void)state;
	open_by_host(nxdomain);
	struct outcome *outcome = ask("by.host.example");
	assert_int_equal(outcome->error, ERR_UNREACHABLE);
	assert_true(outcome->took_ms < 1000);
	assert_int_equal(scripted_dns_connections(t.servers[1]), 0);
	/* Not asked for again with every question: there is a pause. */
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(ask("by.host.example")->error, ERR_UNREACHABLE);
	assert_true(scripted_dns_count(t.servers[0]) <= 4);
	/* And then it is. */
	scripted_dns_set(t.servers[0], knows_addresses);
	for (unsigned i = 0; i < 40 && scripted_dns_connections(t.servers[1]) == 0; i++) {
		ask("by.host.example");
		rest(100);
	}
	assert_true(scripted_dns_connections(t.servers[1]) >= 1);
	/* Others of a group do not wait for that. */
	t.group = 0;
	assert_int_equal(ask("by.host.example")->upstream, 0);
}

static void test_closing_while_addresses_are_sought(void **state)
{
	(void)state;
	open_by_host(silence);
	ask_named("by.host.example", DNS_TYPE_A);
	for (unsigned i = 0; i < 300 && scripted_dns_count(t.servers[0]) == 0; i++)
		rest(10);
	assert_true(scripted_dns_count(t.servers[0]) >= 1);
	upstream_set_close(t.set);
	run(1, 1000);
	t.set = NULL;
	assert_int_equal(t.outcomes[0].error, ERR_UNREACHABLE);
}

/* --- what must not be believed --- */

static void test_forgeries_are_ignored(void **state)
{
	(void)state;
	static const scripted_fn forgers[] = { forge_wrong_id, forge_query, forge_other_opcode,
		forge_wrong_name, forge_wrong_type, forge_wrong_class, forge_two_questions,
		forge_no_question, forge_from_elsewhere, forge_garbage, forge_header_only,
		forge_nothing };
	for (size_t i = 0; i < sizeof forgers / sizeof *forgers; i++) {
		set_up(NULL);
		open_one(forgers[i]);
		struct outcome *outcome = ask("forged.example");
		assert_int_equal(outcome->error, 0);
		assert_int_equal(outcome->last, 1);
		assert_true(outcome->took_ms >= 45 && outcome->took_ms < 390);
		if (forgers[i] != forge_from_elsewhere) /* that one the kernel drops */
			assert_true(count_of(&counters(0)->errors[UPSTREAM_ERROR_MISMATCH]) >= 1);
		tear_down(NULL);
	}
}

static void test_the_port_of_another_query_is_no_good(void **state)
{
	(void)state;
	open_one(forge_to_another_port);
	ask_named("one.example", DNS_TYPE_A);
	ask_named("two.example", DNS_TYPE_A);
	run(2, 390);
	assert_int_equal(t.outcomes[0].last, 1);
	assert_int_equal(t.outcomes[1].last, 1);
}

static void test_wrong_case_is_asked_over_tcp(void **state)
{
	(void)state;
	open_one(forge_one_case_changed);
	struct outcome *outcome = ask("casecasecase.example");
	assert_int_equal(outcome->last, 1);
	assert_int_equal(scripted_dns_count_tcp(t.servers[0]), 1);
	assert_int_equal(count_of(&counters(0)->case_folded), 1);
}

static void test_case_folding_server(void **state)
{
	(void)state;
	open_one(folds_case);
	for (unsigned i = 0; i < 10; i++) {
		struct outcome *outcome = ask("FoldingServersStillExist.example");
		assert_int_equal(outcome->last, 1);
		assert_true(outcome->took_ms < 300);
	}
	assert_int_equal(count_of(&counters(0)->case_off), 1);
	assert_int_equal(scripted_dns_count_tcp(t.servers[0]), 3);
	struct scripted_query query;
	assert_true(scripted_dns_query(t.servers[0], scripted_dns_count(t.servers[0]) - 1, &query));
	assert_memory_equal(query.bytes + 13, "foldingserversstillexist", 24);
}

static void test_one_bad_answer_costs_only_itself(void **state)
{
	(void)state;
	open_one(slow_100);
	for (unsigned i = 0; i < 20; i++)
		ask_named("innocent.example", DNS_TYPE_A);
	rest(20);
	scripted_dns_set(t.servers[0], broken_records);
	ask_named("guilty.example", DNS_TYPE_A);
	rest(20);
	scripted_dns_set(t.servers[0], odd_record);
	ask_named("odd.example", DNS_TYPE_A);
	run(22, 390);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(t.outcomes[i].last, 1);
	assert_int_equal(t.outcomes[20].error, ERR_MALFORMED);
	assert_int_equal(t.outcomes[21].last, 1);
	assert_int_equal(t.outcomes[21].answers, 2);
	assert_int_equal(scripted_dns_count(t.servers[0]), 22);
}

/* --- TCP and EDNS --- */

static void test_tcp(void **state)
{
	(void)state;
	static const struct {
		scripted_fn script;
		unsigned over;
		unsigned tcp_queries;
	} rows[] = {
		{ truncated, 12, 1 },
		{ truncated_bytewise, 300, 1 },
		{ truncated_huge, 60000, 1 },
		{ truncated_hang_up, 12, 2 },
		{ truncated_wrong_then_right, 12, 1 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		set_up(NULL);
		open_one(rows[i].script);
		struct outcome *outcome = ask("big.example");
		assert_int_equal(outcome->error, 0);
		assert_int_equal(outcome->last, 1);
		assert_true(outcome->len > rows[i].over);
		assert_true(outcome->took_ms < 900);
		assert_int_equal(scripted_dns_count_tcp(t.servers[0]), rows[i].tcp_queries);
		assert_int_equal(count_of(&counters(0)->truncated), 1);
		tear_down(NULL);
	}
}

static void test_tcp_connection_is_shared(void **state)
{
	(void)state;
	open_one(truncated);
	for (unsigned i = 0; i < 50; i++)
		ask_named("pipelined.example", DNS_TYPE_A);
	run(50, 3000);
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(t.outcomes[i].last, 1);
	assert_int_equal(scripted_dns_count_tcp(t.servers[0]), 50);
	assert_int_equal(scripted_dns_connections(t.servers[0]), 1);
}

static void test_closing_tcp_does_not_hurt_udp(void **state)
{
	(void)state;
	open_one(tcp_closes_udp_slow);
	for (unsigned i = 0; i < 10; i++)
		ask_named("slow.udp.example", DNS_TYPE_A);
	ask_named("tcp.example", DNS_TYPE_A);
	run(11, 2000);
	for (unsigned i = 0; i < 11; i++)
		assert_int_equal(t.outcomes[i].last, 1);
	assert_int_equal(count_of(&counters(0)->queries_udp), 11);
}

static void test_server_without_edns(void **state)
{
	(void)state;
	open_one(no_edns);
	assert_int_equal(ask("old.example")->last, 1);
	assert_int_equal(ask("old.example")->last, 1);
	/* Remembered: three queries for two asks. */
	assert_int_equal(scripted_dns_count(t.servers[0]), 3);
	assert_int_equal(count_of(&counters(0)->edns_off), 1);
	struct scripted_query query;
	assert_true(scripted_dns_query(t.servers[0], 1, &query));
	/* Cut off cleanly: nothing behind the question, no additional record announced. */
	assert_int_equal(query.len, 12 + query.question_len);
	assert_int_equal(query.bytes[11], 0);
}

static void test_bare_formerr(void **state)
{
	(void)state;
	open_one(no_edns_bare);
	assert_int_equal(ask("older.example")->last, 1);
	assert_int_equal(ask("older.example")->last, 1);
	/* Too easily forged to be remembered. */
	assert_int_equal(scripted_dns_count(t.servers[0]), 4);
}

static void test_formerr_with_and_without_edns(void **state)
{
	(void)state;
	open_one(always_formerr);
	struct outcome *outcome = ask("formerr.example");
	assert_int_equal(outcome->error, 0);
	assert_int_equal(outcome->rcode, DNS_RCODE_FORMERR);
	assert_int_equal(count_of(&counters(0)->edns_off), 0);
}

static void test_big_udp_answers(void **state)
{
	(void)state;
	open_one(big_udp);
	static const unsigned sizes[] = { 400, 600, 1232, 2000, 3700 };
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		big_size = sizes[i];
		assert_true(ask("large.example")->len > sizes[i]);
	}
	assert_int_equal(scripted_dns_count_tcp(t.servers[0]), 0);
	/* Above our buffer: cut, so TCP. */
	big_size = 5000;
	assert_true(ask("larger.example")->len > 6000);
	assert_int_equal(scripted_dns_count_tcp(t.servers[0]), 1);
}

/* --- what the wire shows --- */

static int compare_u16(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

static unsigned count_distinct(uint16_t *values, unsigned count)
{
	unsigned distinct = count > 0;
	qsort(values, count, sizeof *values, compare_u16);
	for (unsigned i = 1; i < count; i++)
		distinct += values[i] != values[i - 1];
	return distinct;
}

static void test_ports_ids_and_case(void **state)
{
	(void)state;
	enum { QUERIES = 64 };
	uint16_t ports[QUERIES], ids[QUERIES];
	unsigned upper = 0, steps_of_one = 0;
	char spelled[QUERIES][16];
	open_one(slow_100);
	for (unsigned i = 0; i < QUERIES; i++)
		ask_named("spoofresistant.example", DNS_TYPE_A);
	run(QUERIES, 2000);
	for (unsigned i = 0; i < QUERIES; i++) {
		struct scripted_query query;
		assert_true(scripted_dns_query(t.servers[0], i, &query));
		assert_true(scripted_has_opt(&query));
		/* RD set, nothing else; one question, one additional record: our OPT, 1232. */
		assert_memory_equal(query.bytes + 2, "\1\0\0\1\0\0\0\0\0\1", 10);
		assert_memory_equal(query.bytes + query.len - 11, "\0\0\51\4\320\0\0\0\0\0\0", 11);
		ports[i] = query.port;
		ids[i] = query.id;
		steps_of_one += i > 0 && (uint16_t)(ids[i] - ids[i - 1]) == 1;
		memcpy(spelled[i], query.bytes + 13, 14);
		for (unsigned k = 0; k < 14; k++)
			upper += spelled[i][k] >= 'A' && spelled[i][k] <= 'Z';
	}
	assert_true(count_distinct(ports, QUERIES) >= 16);
	assert_int_equal(count_distinct(ids, QUERIES), QUERIES);
	assert_true(steps_of_one < 3);
	/* 896 coins: far beyond six standard deviations. */
	assert_true(upper > 350 && upper < 546);
	assert_memory_not_equal(spelled[0], spelled[1], 14);
	for (unsigned i = 0; i < QUERIES; i++)
		assert_int_equal(t.outcomes[i].last, 1);
}

static void test_dnssec_and_flags_reach_the_wire(void **state)
{
	(void)state;
	open_one(answer);
	struct dns_request request = { .name = slice_of("\1a", 3),
		.type = 1,
		.class = 1,
		.recursion_desired = true,
		.checking_disabled = true,
		.authentic_wanted = true,
		.dnssec_ok = true };
	assert_int_equal(upstream_ask(t.set, 0, t.asked++, &request), 0);
	run(1, 1000);
	struct scripted_query query;
	assert_true(scripted_dns_query(t.servers[0], 0, &query));
	assert_memory_equal(query.bytes + 2, "\1\x30", 2);
	assert_memory_equal(query.bytes + query.len - 11, "\0\0\51\4\320\0\0\x80\0\0\0", 11);
}

/* --- tables and lives --- */

static unsigned open_descriptors(void)
{
	unsigned count = 0;
	DIR *directory = opendir("/proc/self/fd");
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static void test_ten_thousand(void **state)
{
	(void)state;
	enum { TOTAL = 10000, WIDTH = 32 };
	uint16_t ports[SCRIPTED_RECORDS];
	open_one(answer);
	unsigned before = open_descriptors();
	for (unsigned i = 0; i < WIDTH; i++)
		ask_named("many.example", DNS_TYPE_A);
	t.ask_again = TOTAL - WIDTH;
	run(TOTAL, 30000);
	assert_int_equal(t.done, TOTAL);
	for (unsigned i = 0; i < TOTAL; i++)
		assert_int_equal(t.outcomes[i].last, 1);
	assert_true(open_descriptors() <= before + UDP_POOL_SLOTS + 8);
	for (unsigned i = 0; i < SCRIPTED_RECORDS; i++) {
		struct scripted_query query;
		assert_true(scripted_dns_query(t.servers[0], i, &query));
		ports[i] = query.port;
	}
	/* Many ports at a time, and none for long. */
	assert_true(count_distinct(ports, 64) >= 16);
	assert_true(count_distinct(ports, SCRIPTED_RECORDS) >= SCRIPTED_RECORDS / UDP_POOL_USES);
	/* And in peace all sockets go. */
	rest(6500);
	assert_true(open_descriptors() <= before);
}

static void test_chaos(void **state)
{
	(void)state;
	enum { TOTAL = 3000, WIDTH = 200 };
	open_set(2, (scripted_fn[]){ chaos, chaos });
	for (unsigned i = 0; i < WIDTH; i++)
		ask_named("chaos.example", DNS_TYPE_A);
	t.ask_again = TOTAL - WIDTH;
	run(TOTAL, 20000);
	assert_int_equal(t.done, TOTAL);
	unsigned good = 0;
	for (unsigned i = 0; i < TOTAL; i++) {
		assert_int_not_equal(t.outcomes[i].last, FORGED);
		assert_true(t.outcomes[i].took_ms < 5000);
		good += t.outcomes[i].error == 0;
	}
	assert_true(good > TOTAL * 9 / 10);
	/* Whatever was left behind comes back, also from c-ares. */
	rest(7500);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(count_of(&counters(i)->in_flight), 0);
}

static void test_table_full(void **state)
{
	(void)state;
	open_one(slow_100);
	struct dns_request request = { .name = slice_of("\1a", 3), .type = 1, .class = 1 };
	unsigned taken = 0;
	while (upstream_ask(t.set, 0, taken, &request) == 0)
		taken++;
	assert_int_equal(taken, UPSTREAM_ASKS_MAX);
	assert_int_equal(upstream_ask(t.set, 0, taken, &request), ERR_BUSY);
	assert_int_equal(upstream_in_flight(t.set), UPSTREAM_ASKS_MAX);
	t.asked = taken;
	run(taken, 10000);
	assert_int_equal(t.done, taken);
	rest(100);
	assert_int_equal(ask("room.again.example")->calls, 1);
}

static void test_close_with_asks_open(void **state)
{
	(void)state;
	open_one(silence);
	for (unsigned i = 0; i < 50; i++)
		ask_named("unfinished.example", DNS_TYPE_A);
	rest(50);
	upstream_set_close(t.set);
	upstream_set_close(t.set);
	struct dns_request request = { .name = slice_of("\1a", 3), .type = 1, .class = 1 };
	assert_int_equal(upstream_ask(t.set, 0, 99, &request), ERR_BUSY);
	assert_int_equal(t.done, 0); /* from a later turn */
	uv_run(&t.loop, UV_RUN_DEFAULT);
	t.set = NULL;
	assert_int_equal(t.done, 50);
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(t.outcomes[i].error, ERR_UNREACHABLE);
}

static void test_close_with_tcp_open(void **state)
{
	(void)state;
	open_one(truncated);
	ask("open.example");
	scripted_dns_set(t.servers[0], silence);
	for (unsigned i = 0; i < 5; i++)
		ask_named("unfinished.example", DNS_TYPE_A);
	rest(20);
}

static void test_close_from_within_a_report(void **state)
{
	(void)state;
	open_one(slow_100);
	t.close_when_done = true;
	for (unsigned i = 0; i < 20; i++)
		ask_named("enough.example", DNS_TYPE_A);
	uv_run(&t.loop, UV_RUN_DEFAULT);
	t.set = NULL;
	assert_int_equal(t.done, 20);
}

static void test_closed_port_comes_back(void **state)
{
	(void)state;
	open_set(1, (scripted_fn[]){ NULL });
	for (unsigned i = 0; i < 200; i++) {
		struct outcome *outcome = ask("closed.example");
		assert_int_equal(outcome->error, ERR_UNREACHABLE);
	}
	rest(100);
	assert_int_equal(count_of(&counters(0)->in_flight), 0);
}

static void test_wrong_sets(void **state)
{
	(void)state;
	int error;
	open_one(answer);
	assert_null(upstream_set_new(&(struct upstream_parts){ .loop = &t.loop,
					     .upstreams = t.configs,
					     .count = 0,
					     .on_done = on_done,
					     .context = &t },
		&error));
	assert_int_equal(error, ERR_INVALID);
	assert_null(upstream_set_new(&(struct upstream_parts){ .loop = &t.loop,
					     .upstreams = t.configs,
					     .count = UPSTREAM_MAX + 1,
					     .on_done = on_done,
					     .context = &t },
		&error));
	assert_int_equal(error, ERR_INVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	/* These would change the tries and time-outs of c-ares, if it were let. */
	setenv("RES_OPTIONS", "attempts:9 timeout:1 rotate", 1);
	setenv("LOCALDOMAIN", "wrong.example", 1);
	printf("c-ares %s, libuv %s\n", ares_version(NULL), uv_version_string());
	const struct CMUnitTest tests[] = {
		TEST(test_answers),
		TEST(test_every_kind_of_name_and_type),
		TEST(test_odd_names_over_tcp),
		TEST(test_ipv6),
		cmocka_unit_test(test_fail_over),
		TEST(test_five_silent_servers_cost_less_than_a_second),
		TEST(test_all_silent),
		TEST(test_all_closed_is_known_at_once),
		TEST(test_unroutable_is_known_at_once),
		TEST(test_first_bad_answer_is_kept),
		TEST(test_bad_answer_does_not_wait_for_the_silent),
		TEST(test_unreadable_alone),
		TEST(test_single_server_is_tried_again),
		TEST(test_late_answer_wins),
		TEST(test_down_is_asked_last_and_found_again),
		TEST(test_groups_are_separate),
		TEST(test_fastest),
		TEST(test_fastest_is_not_who_refuses_fastest),
		TEST(test_ordered_goes_on_asking_who_refuses),
		TEST(test_weighted),
		TEST(test_parallel),
		TEST(test_hedge_time_is_learned),
		TEST(test_our_own_sleep_is_nobodys_fault),
		TEST(test_hedges_have_a_budget),
		TEST(test_pulled_cable),
		TEST(test_probes_need_no_client),
		TEST(test_all_down_and_one_back),
		TEST(test_distrust),
		TEST(test_loss_is_no_outage),
		cmocka_unit_test_setup_teardown(
			test_addresses_are_looked_up, set_up, tear_down_by_host),
		cmocka_unit_test_setup_teardown(test_no_addresses, set_up, tear_down_by_host),
		cmocka_unit_test_setup_teardown(
			test_closing_while_addresses_are_sought, set_up, tear_down_by_host),
		cmocka_unit_test(test_forgeries_are_ignored),
		TEST(test_the_port_of_another_query_is_no_good),
		TEST(test_wrong_case_is_asked_over_tcp),
		TEST(test_case_folding_server),
		TEST(test_one_bad_answer_costs_only_itself),
		cmocka_unit_test(test_tcp),
		TEST(test_tcp_connection_is_shared),
		TEST(test_closing_tcp_does_not_hurt_udp),
		TEST(test_server_without_edns),
		TEST(test_bare_formerr),
		TEST(test_formerr_with_and_without_edns),
		TEST(test_big_udp_answers),
		TEST(test_ports_ids_and_case),
		TEST(test_dnssec_and_flags_reach_the_wire),
		TEST(test_ten_thousand),
		TEST(test_chaos),
		TEST(test_table_full),
		TEST(test_close_with_asks_open),
		TEST(test_close_with_tcp_open),
		TEST(test_close_from_within_a_report),
		TEST(test_closed_port_comes_back),
		TEST(test_wrong_sets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
