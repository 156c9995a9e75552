#include "dns/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <time.h>

#include "base/random.h"
#include "tests/unit/costly_answers.h"
#include "tests/unit/rebuild.h"
#include "tests/unit/wire.h"

static uint8_t buffer[DNS_MESSAGE_MAX];

static struct dns_query query_of(const char *notation)
{
	struct dns_query query;
	dns_query_open(&query, wire(notation));
	return query;
}

static const struct dns_reply_limits udp = { .size = 1232 };
static const struct dns_reply_limits tls = {
	.size = DNS_MESSAGE_MAX, .encrypted = true, .keepalive_ds = 300
};

#define PLAIN_QUERY  "beef 0110 0001 0000 0000 0000 'wWw.example' 0001 0001"
#define EDNS_QUERY   "beef 0110 0001 0000 0000 0001 'wWw.example' 0001 0001 00 0029 1000 0000 "
#define EMPTY_OPT    EDNS_QUERY "0000 0000"
#define DNSSEC_QUERY EDNS_QUERY "8000 0000"
#define PADDED_QUERY EDNS_QUERY "0000 0004 000c 0000"
#define ALL_OPTIONS  EDNS_QUERY "0000 000c 000c 0000 000b 0000 fde9 0000"

static void writes_exact_bytes(void **state)
{
	(void)state;
	const struct {
		const char *query;
		struct dns_reply_limits limits;
		uint16_t rcode;
		int ede;
		const char *text;
		const char *reply;
	} rows[] = {
		{ PLAIN_QUERY, udp, DNS_RCODE_REFUSED, DNS_EDE_PROHIBITED, "no",
			"beef 8195 0001 0000 0000 0000 'wWw.example' 0001 0001" },
		{ EMPTY_OPT, udp, DNS_RCODE_REFUSED, DNS_EDE_PROHIBITED, "no",
			"beef 8195 0001 0000 0000 0001 'wWw.example' 0001 0001"
			"00 0029 04d0 00 00 0000 0008 000f 0004 0012 \"no\"" },
		{ DNSSEC_QUERY, udp, DNS_RCODE_SERVFAIL, DNS_EDE_NONE, NULL,
			"beef 8192 0001 0000 0000 0001 'wWw.example' 0001 0001"
			"00 0029 04d0 00 00 8000 0000" },
		{ DNSSEC_QUERY, udp, DNS_RCODE_SERVFAIL, DNS_EDE_OTHER, NULL,
			"beef 8192 0001 0000 0000 0001 'wWw.example' 0001 0001"
			"00 0029 04d0 00 00 8000 0006 000f 0002 0000" },
		/* clear text: neither padding nor keepalive, and unknown options are not echoed */
		{ ALL_OPTIONS, udp, DNS_RCODE_NOERROR, DNS_EDE_NONE, NULL,
			"beef 8190 0001 0000 0000 0001 'wWw.example' 0001 0001"
			"00 0029 04d0 00 00 0000 0000" },
		/* a later version: its rcode stands in the OPT */
		{ "beef 0100 0001 0000 0000 0001 'a' 0001 0001 00 0029 1000 00 05 8000 0001 ff",
			udp, DNS_RCODE_BADVERS, DNS_EDE_NONE, NULL,
			"beef 8180 0001 0000 0000 0001 'a' 0001 0001"
			"00 0029 04d0 01 00 8000 0000" },
		/* without an OPT there is no room for it */
		{ PLAIN_QUERY, udp, DNS_RCODE_BADVERS, DNS_EDE_NONE, NULL,
			"beef 8192 0001 0000 0000 0000 'wWw.example' 0001 0001" },
		/* no readable question: none is echoed */
		{ "beef 0100 0001 0000 0000 0000 c00c 0001 0001", udp, DNS_RCODE_FORMERR,
			DNS_EDE_NONE, NULL, "beef 8181 0000 0000 0000 0000" },
		{ "beef 2000 0001 0000 0000 0000 'a' 0006 0001", udp, DNS_RCODE_NOTIMP,
			DNS_EDE_NONE, NULL, "beef a004 0000 0000 0000 0000" },
		{ "beef 7f90 0001 0000 0000 0000 'a' 0006 0001", udp, DNS_RCODE_NOTIMP,
			DNS_EDE_NONE, NULL, "beef f904 0000 0000 0000 0000" },
		/* flags that are ours to say are not copied: AA, TC, Z, AD */
		{ "beef 0660 0001 0000 0000 0000 'a' 0001 0001", udp, DNS_RCODE_NOERROR,
			DNS_EDE_NONE, NULL, "beef 8080 0001 0000 0000 0000 'a' 0001 0001" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct dns_query query = query_of(rows[i].query);
		struct slice reply = dns_reply_rcode(&query, rows[i].limits, rows[i].rcode,
			rows[i].ede, rows[i].text, buffer, sizeof buffer);
		if (!slice_equals(reply, wire(rows[i].reply)))
			fail_msg("row %zu", i);
	}
}

static void udp_size_is_what_both_can_take(void **state)
{
	(void)state;
	const struct {
		int payload; /* -1: no OPT */
		size_t size;
	} rows[] = { { -1, 512 }, { 0, 512 }, { 100, 512 }, { 511, 512 }, { 512, 512 },
		{ 513, 513 }, { 1231, 1231 }, { 1232, 1232 }, { 1233, 1232 }, { 4096, 1232 },
		{ 65535, 1232 } };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct dns_query query = { .opt.present = rows[i].payload >= 0 };
		query.opt.payload_size = (uint16_t)(rows[i].payload >= 0 ? rows[i].payload : 0);
		assert_int_equal(dns_reply_udp_size(&query), rows[i].size);
	}
}

static void adds_what_rules_answer(void **state)
{
	(void)state;
	struct dns_query query = query_of(EMPTY_OPT);
	struct dns_reply reply;
	dns_reply_begin(&reply, &query, udp, buffer, sizeof buffer);
	dns_reply_add_cname(&reply, wire("'blocked.example'"), 60);
	dns_reply_add(&reply, DNS_SECTION_ANSWER, wire("'BLOCKED.example'"), DNS_TYPE_A,
		DNS_CLASS_IN, 30, wire("c0000201"));
	assert_true(slice_equals(dns_reply_finish(&reply),
		wire("beef 8190 0001 0002 0000 0001 'wWw.example' 0001 0001"
		     "c00c 0005 0001 0000003c 000a 07 \"blocked\" c010"
		     "c029 0001 0001 0000001e 0004 c0000201"
		     "00 0029 04d0 00 00 0000 0000")));
	assert_int_equal(reply.ttl_min_s, 30);
}

static void adds_an_soa_for_negative_answers(void **state)
{
	(void)state;
	const struct {
		const char *query;
		const char *reply;
	} rows[] = {
		{ "beef 0100 0001 0000 0000 0000 'www.example' 0001 0001",
			"beef 8180 0001 0000 0001 0000 'www.example' 0001 0001"
			"c010 0006 0001 0000000a 0016 00 00 00000001 00000e10 00000258 00015180 "
			"0000000a" },
		{ "beef 0100 0001 0000 0000 0000 'com' 0001 0001",
			"beef 8180 0001 0000 0001 0000 'com' 0001 0001"
			"00 0006 0001 0000000a 0016 00 00 00000001 00000e10 00000258 00015180 "
			"0000000a" },
		{ "beef 0100 0001 0000 0000 0000 '.' 0001 0003",
			"beef 8180 0001 0000 0001 0000 '.' 0001 0003"
			"00 0006 0003 0000000a 0016 00 00 00000001 00000e10 00000258 00015180 "
			"0000000a" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct dns_query query = query_of(rows[i].query);
		struct dns_reply reply;
		dns_reply_begin(&reply, &query, udp, buffer, sizeof buffer);
		dns_reply_add_soa(&reply, 10);
		assert_true(slice_equals(dns_reply_finish(&reply), wire(rows[i].reply)));
		assert_int_equal(reply.ttl_min_s, 10);
	}
}

/* One record of an upstream's answer to "www.Example", copied into the reply to "wWw.example". */
static void copies_records(void **state)
{
	(void)state;
	const struct {
		const char *record;
		const char *copy;
	} rows[] = {
		{ "c00c 0001 0001 0000003c 0004 c0000201",
			"c00c 0001 0001 0000003c 0004 c0000201" },
		/* the owner takes the case of the question, as it is a pointer to it */
		{ "'WWW.eXAMPLE' 0010 0001 0000003c 0000", "c00c 0010 0001 0000003c 0000" },
		/* an unknown type: the very same bytes */
		{ "c00c ff78 0001 0000003c 0004 c00cc00c",
			"c00c ff78 0001 0000003c 0004 c00cc00c" },
		{ "c00c 000f 0001 0000003c 0009 000a 04 \"mail\" c010",
			"c00c 000f 0001 0000003c 0009 000a 04 \"mail\" c010" },
		/* RFC 3597 4: read compressed, written plain */
		{ "c00c 0021 0001 0000003c 000a 000100020050 01 73 c010",
			"c00c 0021 0001 0000003c 0011 000100020050 's.Example'" },
		{ "c00c 0027 0001 0000003c 0002 c00c",
			"c00c 0027 0001 0000003c 000d 'www.Example'" },
		{ "c00c 0023 0001 0000003c 0009 00640032 00 00 00 c010",
			"c00c 0023 0001 0000003c 0010 00640032 00 00 00 'Example'" },
		/* RFC 9460 2.2: must not be compressed; a pointer must not reach the client */
		{ "c00c 0041 0001 0000003c 0004 0000 c010",
			"c00c 0041 0001 0000003c 000b 0000 'Example'" },
		{ "c00c 0041 0001 0000003c 000a 0001 00 0001 0003 026832",
			"c00c 0041 0001 0000003c 000a 0001 00 0001 0003 026832" },
		/* TTL: the top bit is zero (RFC 2181 8), a week is the most */
		{ "c00c 0010 0001 80000001 0000", "c00c 0010 0001 00000000 0000" },
		{ "c00c 0010 0001 7fffffff 0000", "c00c 0010 0001 00093a80 0000" },
		{ "c00c 0010 0001 00093a80 0000", "c00c 0010 0001 00093a80 0000" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char notation[512];
		struct dns_answer answer;
		struct dns_reply reply;
		struct dns_query query =
			query_of("beef 0100 0001 0000 0000 0000 'wWw.example' 00ff 0001");
		snprintf(notation, sizeof notation,
			"1234 8180 0001 0001 0000 0000 'www.Example' 00ff 0001 %s", rows[i].record);
		assert_int_equal(dns_answer_open(&answer, wire(notation)), 0);
		struct slice copy = rebuild(&reply, &query, &answer, udp, buffer, sizeof buffer);
		snprintf(notation, sizeof notation,
			"beef 8180 0001 0001 0000 0000 'wWw.example' 00ff 0001 %s", rows[i].copy);
		if (!slice_equals(copy, wire(notation)))
			fail_msg("%s", rows[i].record);
	}
}

static void check_rebuild(const char *expected, const char *title, struct slice message)
{
	struct dns_answer answer;
	(void)title;
	if (dns_answer_open(&answer, message) < 0)
		return;
	for (int with_opt = 0; with_opt < 2; with_opt++) {
		struct dns_reply reply;
		struct dns_query query = rebuild_query(&answer, with_opt);
		struct slice copy = rebuild(&reply, &query, &answer, tls, buffer, sizeof buffer);
		assert_int_equal(rebuild_compare(&answer, copy), strtoul(expected, NULL, 10));
		assert_memory_equal(copy.at + 12, message.at + 12, answer.name.len + 4u);
		assert_false(reply.flags & DNS_FLAG_TC);
	}
}

static void rebuilt_answers_say_the_same(void **state)
{
	(void)state;
	wire_vectors(TEST_VECTORS "/answers.txt", check_rebuild);
}

/* Adds RRsets of `per_set` records of 16 + `rdata_len` - 4 bytes, all owned by the question. */
static unsigned fill(struct dns_reply *reply, unsigned sets, unsigned per_set, size_t rdata_len)
{
	static const uint8_t rdata[512];
	for (unsigned set = 0; set < sets; set++)
		for (unsigned i = 0; i < per_set; i++)
			dns_reply_add(reply, DNS_SECTION_ANSWER, reply->query->name,
				(uint16_t)(1000 + set), 1, 60, slice_of(rdata, rdata_len));
	return reply->counts[0];
}

/* For every limit around the two that matter: whole RRsets as many as fit, TC exactly when one is
 * missing, the OPT always, and never a byte too many. */
static void truncates_between_rrsets(void **state)
{
	(void)state;
	for (int with_opt = 0; with_opt < 2; with_opt++) {
		struct dns_query query = query_of(with_opt ? EMPTY_OPT : PLAIN_QUERY);
		size_t fixed = 12 + 13 + 4 + (with_opt ? 11 : 0);
		for (size_t size = 512; size <= 1300; size++) {
			for (unsigned per_set = 1; per_set <= 3; per_set++) {
				struct dns_reply reply;
				struct dns_reply_limits limits = { .size = size };
				size_t set_len = per_set * (12 + 30);
				size_t fits = (size - fixed) / set_len;
				if (fits > 25)
					fits = 25;
				dns_reply_begin(&reply, &query, limits, buffer, sizeof buffer);
				fill(&reply, 25, per_set, 30);
				struct slice message = dns_reply_finish(&reply);
				assert_int_equal(reply.counts[0], fits * per_set);
				assert_int_equal(message.len, fixed + fits * set_len);
				assert_int_equal(message.at[2] >> 1 & 1, fits < 25);
				assert_int_equal(reply.counts[2], with_opt);
				struct dns_answer answer;
				assert_int_equal(dns_answer_open(&answer, message), 0);
				assert_int_equal(answer.opt.present, with_opt);
			}
		}
	}
}

/* 512 and 1232 to the byte: the last record ends exactly there, or one byte behind. */
static void fills_a_limit_to_the_last_byte(void **state)
{
	(void)state;
	const size_t sizes[] = { 512, 1232 };
	for (size_t i = 0; i < 4; i++) {
		size_t size = sizes[i / 2], over = i % 2;
		static const uint8_t rdata[1232];
		struct dns_query query = query_of(EMPTY_OPT);
		struct dns_reply reply;
		dns_reply_begin(&reply, &query, (struct dns_reply_limits){ .size = size }, buffer,
			sizeof buffer);
		dns_reply_add(&reply, DNS_SECTION_ANSWER, query.name, DNS_TYPE_TXT, 1, 60,
			slice_of(rdata, size - 12 - 17 - 12 - 11 + over));
		reply.ede = DNS_EDE_BLOCKED;
		struct slice message = dns_reply_finish(&reply);
		assert_int_equal(message.len, over ? 12 + 17 + 11 + 6 : size);
		assert_int_equal(reply.counts[0], !over);
		assert_int_equal(reply.flags & DNS_FLAG_TC, over ? DNS_FLAG_TC : 0);
	}
}

/* RFC 2181 9: what is only additional is left out without a word. */
static void additional_records_stay_away_silently(void **state)
{
	(void)state;
	static const uint8_t rdata[300];
	const struct {
		enum dns_section section;
		bool tc;
	} rows[] = { { DNS_SECTION_ANSWER, true }, { DNS_SECTION_AUTHORITY, true },
		{ DNS_SECTION_ADDITIONAL, false } };
	for (size_t i = 0; i < 3; i++) {
		struct dns_query query = query_of(PLAIN_QUERY);
		struct dns_reply reply;
		dns_reply_begin(&reply, &query, (struct dns_reply_limits){ .size = 512 }, buffer,
			sizeof buffer);
		dns_reply_add(&reply, DNS_SECTION_ANSWER, query.name, DNS_TYPE_A, 1, 60,
			slice_of(rdata, 4));
		for (int record = 0; record < 2; record++)
			dns_reply_add(&reply, rows[i].section, wire("'x'"), DNS_TYPE_TXT, 1, 60,
				slice_of(rdata, 300));
		/* Nothing more comes, even if it would fit. */
		dns_reply_add(&reply, rows[i].section, wire("'y'"), DNS_TYPE_A, 1, 60,
			slice_of(rdata, 4));
		struct slice message = dns_reply_finish(&reply);
		assert_int_equal(message.len, 12 + 17 + 16);
		assert_int_equal(reply.counts[0], 1);
		assert_int_equal(reply.counts[1] + reply.counts[2], 0);
		assert_int_equal(message.at[2] >> 1 & 1, rows[i].tc);
	}
}

/* What was cut off must not be pointed at by what comes instead. */
static void names_that_were_cut_off_are_forgotten(void **state)
{
	(void)state;
	struct dns_answer answer;
	struct dns_reply reply;
	char notation[1024] = "1234 8180 0001 0002 0000 0000 'a' 0001 0001"
			      "c00c 0010 0001 0000003c 01a4 00*420"
			      "c00c 000f 0001 0000003c 0032 0000 2e 62*46 00";
	assert_int_equal(dns_answer_open(&answer, wire(notation)), 0);
	struct dns_query query = rebuild_query(&answer, true);
	struct slice message = rebuild(&reply, &query, &answer,
		(struct dns_reply_limits){ .size = 512 }, buffer, sizeof buffer);
	assert_int_equal(rebuild_compare(&answer, message), 1);
	for (size_t i = 0; i < DNS_COMPRESS_SLOTS; i++)
		assert_true(reply.compress.slots[i].position < 12 + 7 + 432);
}

static void check_every_limit(const char *expected, const char *title, struct slice message)
{
	struct dns_answer answer;
	(void)title;
	if (dns_answer_open(&answer, message) < 0)
		return;
	/* The smallest buffer that is allowed, up to more than the answer. */
	for (size_t size = 512; size < message.len * 2 + 512; size++) {
		struct dns_reply reply;
		struct dns_query query = rebuild_query(&answer, size % 2);
		uint8_t *exact = malloc(size);
		assert_non_null(exact);
		struct slice copy = rebuild(&reply, &query, &answer,
			(struct dns_reply_limits){ .size = size, .encrypted = true }, exact, size);
		assert_true(copy.len <= size);
		unsigned count = rebuild_compare(&answer, copy);
		if (!reply.truncated)
			assert_int_equal(count, strtoul(expected, NULL, 10));
		free(exact);
	}
}

static void no_limit_is_ever_passed(void **state)
{
	(void)state;
	wire_vectors(TEST_VECTORS "/answers.txt", check_every_limit);
}

/* The limit, the buffer and the protocol: the least one counts. */
static void the_least_limit_counts(void **state)
{
	(void)state;
	static uint8_t large[70000];
	const struct {
		size_t limit;
		size_t capacity;
		size_t most;
	} rows[] = { { 512, sizeof large, 512 }, { 70000, 600, 600 }, { 70000, 70000, 65535 } };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct dns_query query = query_of(PADDED_QUERY);
		struct dns_reply reply;
		dns_reply_begin(&reply, &query,
			(struct dns_reply_limits){ .size = rows[i].limit, .encrypted = true },
			large, rows[i].capacity);
		fill(&reply, 3000, 1, 30);
		struct slice message = dns_reply_finish(&reply);
		assert_in_range(message.len, rows[i].most - 42, rows[i].most);
		assert_true(reply.truncated);
	}
}

static void says_an_extended_error_when_there_is_room(void **state)
{
	(void)state;
	const struct {
		size_t room; /* behind the empty OPT */
		const char *option;
	} rows[] = {
		{ 0, "" },
		{ 5, "" },
		{ 6, "000f 0002 000f" },
		{ 11, "000f 0002 000f" }, /* not half of a text */
		{ 12, "000f 0008 000f \"policy\"" },
		{ 200, "000f 0008 000f \"policy\"" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		static const uint8_t rdata[512];
		struct dns_query query = query_of(EMPTY_OPT);
		struct dns_reply reply;
		char notation[64];
		dns_reply_begin(&reply, &query, (struct dns_reply_limits){ .size = 512 }, buffer,
			sizeof buffer);
		dns_reply_add(&reply, DNS_SECTION_ANSWER, query.name, DNS_TYPE_TXT, 1, 60,
			slice_of(rdata, 512 - 12 - 17 - 12 - 11 - rows[i].room));
		reply.ede = DNS_EDE_BLOCKED;
		reply.ede_text = slice_of_text("policy");
		struct slice message = dns_reply_finish(&reply);
		struct slice option = wire(rows[i].option);
		assert_int_equal(reply.counts[0], 1);
		assert_int_equal(message.len, 512 - rows[i].room + option.len);
		snprintf(notation, sizeof notation, "00 0029 04d0 00000000 %04zx", option.len);
		struct slice opt = wire(notation);
		assert_memory_equal(
			message.at + message.len - option.len - opt.len, opt.at, opt.len);
		assert_memory_equal(message.at + message.len - option.len, option.at, option.len);
	}
}

/* RFC 8914 2: EXTRA-TEXT is UTF-8, so a long one is cut between characters. */
static void cuts_long_texts_between_characters(void **state)
{
	(void)state;
	const struct {
		const char *text;
		size_t kept;
	} rows[] = {
		{ "61*127", 127 }, { "61*128", 128 }, { "61*129", 128 }, { "61*127 c3bc", 127 },
		{ "61*126 c3bc", 128 }, { "61*126 c3bc 61", 128 }, { "61*125 f09f9880", 125 },
		{ "61*124 f09f9880 61", 128 }, { "80*200", 0 }, /* no UTF-8 at all */
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct dns_query query = query_of(EMPTY_OPT);
		struct dns_reply reply;
		struct dns_answer answer;
		dns_reply_begin(&reply, &query, udp, buffer, sizeof buffer);
		reply.ede = DNS_EDE_BLOCKED;
		reply.ede_text = wire(rows[i].text);
		assert_int_equal(dns_answer_open(&answer, dns_reply_finish(&reply)), 0);
		assert_int_equal(answer.opt.ede.len, 2 + rows[i].kept);
	}
}

static void tells_keepalive_to_who_asks_over_a_stream(void **state)
{
	(void)state;
	const struct {
		const char *query;
		uint16_t keepalive_ds;
		const char *options;
	} rows[] = {
		{ EDNS_QUERY "0000 0004 000b 0000", 300, "0006 000b 0002 012c" },
		{ EDNS_QUERY "0000 0004 000b 0000", 0, "0000" },
		{ EMPTY_OPT, 300, "0000" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct dns_query query = query_of(rows[i].query);
		struct dns_reply_limits limits = { .size = 65535,
			.keepalive_ds = rows[i].keepalive_ds };
		struct slice options = wire(rows[i].options);
		struct slice message = dns_reply_rcode(
			&query, limits, 0, DNS_EDE_NONE, NULL, buffer, sizeof buffer);
		assert_int_equal(message.len, 12 + 17 + 9 + options.len);
		assert_memory_equal(message.at + 12 + 17 + 9, options.at, options.len);
	}
}

#define COOKIE_QUERY EDNS_QUERY "0000 000c 000a 0008 0102030405060708"

/* RFC 7873 5.2: to who has one himself. */
static void tells_a_cookie_to_who_has_one(void **state)
{
	(void)state;
	const struct {
		const char *query;
		const char *cookie;
		const char *options;
	} rows[] = {
		{ COOKIE_QUERY, "0102030405060708 c0*16", "001c 000a 0018 0102030405060708 c0*16" },
		{ COOKIE_QUERY, "", "0000" },
		{ EMPTY_OPT, "0102030405060708 c0*16", "0000" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct dns_query query = query_of(rows[i].query);
		struct dns_reply_limits limits = { .size = 512, .cookie = wire(rows[i].cookie) };
		struct slice options = wire(rows[i].options);
		struct slice message = dns_reply_rcode(
			&query, limits, 0, DNS_EDE_NONE, NULL, buffer, sizeof buffer);
		assert_int_equal(message.len, 12 + 17 + 9 + options.len);
		assert_memory_equal(message.at + 12 + 17 + 9, options.at, options.len);
	}
}

/* Records make room for a cookie; an extended error, which is only told, takes what is left. */
static void a_cookie_always_fits(void **state)
{
	(void)state;
	static const uint8_t rdata[512];
	for (size_t len = 300; len < 512; len++) {
		struct dns_query query = query_of(COOKIE_QUERY);
		struct dns_reply_limits limits = { .size = 512,
			.cookie = wire("0102030405060708 c0*16") };
		struct dns_reply reply;
		struct dns_answer answer;
		dns_reply_begin(&reply, &query, limits, buffer, sizeof buffer);
		dns_reply_add(
			&reply, DNS_SECTION_ANSWER, query.name, 65400, 1, 60, slice_of(rdata, len));
		bool fits = 12 + 17 + 12 + len + 11 + 28 <= 512;
		reply.ede = DNS_EDE_BLOCKED;
		reply.ede_text = slice_of_text("group/rule");
		struct slice message = dns_reply_finish(&reply);
		assert_in_range(message.len, 12, 512);
		assert_int_equal(dns_answer_open(&answer, message), 0);
		assert_int_equal(answer.opt.cookie.len, 24);
		assert_int_equal(answer.counts[DNS_SECTION_ANSWER], fits);
		assert_int_equal(!(answer.flags & DNS_FLAG_TC), fits);
	}
}

/* RFC 8467 4.1: every length becomes a multiple of 468, as long as the limit lets it. */
static void pads_to_blocks(void **state)
{
	(void)state;
	static const uint8_t rdata[2000];
	for (size_t len = 0; len < 2000; len++) {
		struct dns_query query = query_of(PADDED_QUERY);
		struct dns_reply reply;
		dns_reply_begin(&reply, &query, tls, buffer, sizeof buffer);
		memset(buffer + 40, 0xff, 3000); /* what stood there before must not leak */
		dns_reply_add(
			&reply, DNS_SECTION_ANSWER, query.name, 65400, 1, 60, slice_of(rdata, len));
		size_t bare = reply.to.len + 11 + 4;
		struct slice message = dns_reply_finish(&reply);
		assert_int_equal(message.len % DNS_REPLY_PADDING, 0);
		assert_in_range(message.len, bare, bare + DNS_REPLY_PADDING - 1);
		for (size_t at = bare; at < message.len; at++)
			assert_int_equal(message.at[at], 0);
		struct dns_answer answer;
		assert_int_equal(dns_answer_open(&answer, message), 0);
		assert_true(answer.opt.has_padding);
	}
}

static void pads_up_to_the_limit_where_a_block_does_not_fit(void **state)
{
	(void)state;
	static const uint8_t rdata[DNS_MESSAGE_MAX];
	for (size_t left = 0; left < 30; left++) {
		struct dns_query query = query_of(PADDED_QUERY);
		struct dns_reply reply;
		dns_reply_begin(&reply, &query, tls, buffer, sizeof buffer);
		dns_reply_add(&reply, DNS_SECTION_ANSWER, query.name, 65400, 1, 60,
			slice_of(rdata, DNS_MESSAGE_MAX - 12 - 17 - 12 - 11 - left));
		struct slice message = dns_reply_finish(&reply);
		assert_int_equal(reply.counts[0], 1);
		/* 140 blocks are 65520 bytes; 141 would be too long for a message. */
		size_t padded = left >= 15 + 4 ? 65520 : DNS_MESSAGE_MAX;
		assert_int_equal(message.len, left < 4 ? DNS_MESSAGE_MAX - left : padded);
	}
}

static void pads_only_who_padded_and_only_under_encryption(void **state)
{
	(void)state;
	const struct {
		const char *query;
		bool encrypted;
		bool padded;
	} rows[] = { { PADDED_QUERY, true, true }, { PADDED_QUERY, false, false },
		{ EMPTY_OPT, true, false }, { PLAIN_QUERY, true, false } };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct dns_query query = query_of(rows[i].query);
		struct dns_reply_limits limits = { .size = 65535, .encrypted = rows[i].encrypted };
		struct slice message = dns_reply_rcode(
			&query, limits, 0, DNS_EDE_BLOCKED, "policy", buffer, sizeof buffer);
		assert_int_equal(message.len == DNS_REPLY_PADDING, rows[i].padded);
	}
}

static void knows_how_long_the_answer_holds(void **state)
{
	(void)state;
	const struct {
		const char *records; /* counts of the header's three sections, then the records */
		uint32_t ttl_min_s;
	} rows[] = {
		{ "0000 0000 0000 'a' 0001 0001", UINT32_MAX },
		{ "0002 0000 0000 'a' 0001 0001 c00c 0010 0001 00000064 0000"
		  "c00c 0010 0001 0000001e 0000",
			30 },
		{ "0001 0001 0000 'a' 0001 0001 c00c 0010 0001 00000064 0000"
		  "c00c 0002 0001 0000001e 0002 c00c",
			30 },
		{ "0001 0000 0001 'a' 0001 0001 c00c 0010 0001 00000064 0000"
		  "c00c 0010 0001 0000001e 0000",
			100 },
		{ "0001 0000 0000 'a' 0001 0001 c00c 0010 0001 80000064 0000", 0 },
		{ "0001 0000 0000 'a' 0001 0001 c00c 0010 0001 7fffffff 0000", DNS_TTL_MAX_S },
		/* RFC 8484 5.1: a negative answer holds as long as the SOA's MINIMUM at most */
		{ "0000 0001 0000 'a' 0001 0001 00 0006 0001 00000e10 0016 00 00"
		  "00000001 00000002 00000003 00000004 0000003c",
			60 },
		{ "0001 0000 0000 'a' 0006 0001 00 0006 0001 00000e10 0016 00 00"
		  "00000001 00000002 00000003 00000004 0000003c",
			3600 }, /* nothing is denied by an SOA that was asked for */
		{ "0000 0001 0000 'a' 0001 0001 00 0006 0001 00000020 0016 00 00"
		  "00000001 00000002 00000003 00000004 0000003c",
			32 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char notation[512];
		struct dns_answer answer;
		struct dns_reply reply;
		snprintf(notation, sizeof notation, "1234 8180 0001 %s", rows[i].records);
		assert_int_equal(dns_answer_open(&answer, wire(notation)), 0);
		struct dns_query query = rebuild_query(&answer, false);
		rebuild(&reply, &query, &answer, udp, buffer, sizeof buffer);
		assert_int_equal(reply.ttl_min_s, rows[i].ttl_min_s);
	}
}

/* A message that shrinks when compressed by others may not fit when SRV targets are written out:
 * then it is truncated, never longer than a message can be. */
static void decompression_cannot_overflow_a_message(void **state)
{
	(void)state;
	struct writer to = writer_of(buffer, sizeof buffer);
	static uint8_t rebuilt[DNS_MESSAGE_MAX];
	struct dns_answer answer;
	struct dns_reply reply;
	writer_slice_bytes(&to,
		wire("1234 8180 0001 0258 0000 0000 "
		     "3f 61*63 3f 62*63 3f 63*63 3d 64*61 00 0021 0001"));
	for (unsigned i = 0; i < 600; i++) {
		writer_slice_bytes(&to, wire("c00c"));
		writer_u16(&to, (uint16_t)(33 + i % 2 * 2)); /* SRV and NAPTR, by turns */
		writer_slice_bytes(&to,
			i % 2 ? wire("0001 0000003c 0009 00000000 00 00 00 c08c")
			      : wire("0001 0000003c 0008 0001 0002 0050 c08c"));
	}
	assert_int_equal(dns_answer_open(&answer, wire_keep(writer_slice(&to))), 0);
	struct dns_query query = rebuild_query(&answer, true);
	struct slice message = rebuild(&reply, &query, &answer, tls, rebuilt, sizeof rebuilt);
	assert_true(reply.truncated);
	assert_in_range(rebuild_compare(&answer, message), 400, 600);
}

static double seconds_of_cpu(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Seconds for what bench/dns_bench.c finds to take 4 ms at most; sanitizers, compilers that do not
 * optimise and busy machines are why there is room. */
#ifdef __OPTIMIZE__
static const double cheap = 0.1;
#else
static const double cheap = 0.5;
#endif

/* CVE-2024-8508 and CVE-2026-44390 were such messages. */
static void the_costliest_answers_are_cheap(void **state)
{
	(void)state;
	static uint8_t costly[DNS_MESSAGE_MAX];
	for (size_t i = 0; i < COSTLY_KINDS; i++) {
		struct dns_answer answer;
		struct dns_reply reply;
		struct slice message = wire_keep(costly_build(&costly_kinds[i], costly));
		double best = 1e9;
		for (int run = 0; run < 3; run++) {
			double start = seconds_of_cpu();
			assert_int_equal(dns_answer_open(&answer, message), 0);
			struct dns_query query = rebuild_query(&answer, true);
			rebuild(&reply, &query, &answer, tls, buffer, sizeof buffer);
			double spent = seconds_of_cpu() - start;
			best = spent < best ? spent : best;
		}
		assert_true(answer.counts[0] > 200); /* they are what they say they are */
		if (best > cheap)
			fail_msg("%s: %.1f ms", costly_kinds[i].title, best * 1e3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_exact_bytes),
		cmocka_unit_test(udp_size_is_what_both_can_take),
		cmocka_unit_test(adds_what_rules_answer),
		cmocka_unit_test(adds_an_soa_for_negative_answers),
		cmocka_unit_test(copies_records),
		cmocka_unit_test(rebuilt_answers_say_the_same),
		cmocka_unit_test(truncates_between_rrsets),
		cmocka_unit_test(fills_a_limit_to_the_last_byte),
		cmocka_unit_test(additional_records_stay_away_silently),
		cmocka_unit_test(names_that_were_cut_off_are_forgotten),
		cmocka_unit_test(no_limit_is_ever_passed),
		cmocka_unit_test(the_least_limit_counts),
		cmocka_unit_test(says_an_extended_error_when_there_is_room),
		cmocka_unit_test(cuts_long_texts_between_characters),
		cmocka_unit_test(tells_keepalive_to_who_asks_over_a_stream),
		cmocka_unit_test(tells_a_cookie_to_who_has_one),
		cmocka_unit_test(a_cookie_always_fits),
		cmocka_unit_test(pads_to_blocks),
		cmocka_unit_test(pads_up_to_the_limit_where_a_block_does_not_fit),
		cmocka_unit_test(pads_only_who_padded_and_only_under_encryption),
		cmocka_unit_test(knows_how_long_the_answer_holds),
		cmocka_unit_test(decompression_cannot_overflow_a_message),
		cmocka_unit_test(the_costliest_answers_are_cheap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
