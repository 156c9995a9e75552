#include "dns/packed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/rebuild.h"
#include "tests/unit/wire.h"

static uint8_t buffer[DNS_PACKED_MAX];
static uint8_t reply_buffer[DNS_MESSAGE_MAX];

static const struct dns_packed_ttls plain = { .max_s = DNS_TTL_MAX_S, .negative_max_s = 3600 };

static struct dns_answer answer_of(struct slice message)
{
	struct dns_answer answer;
	assert_int_equal(dns_answer_open(&answer, message), 0);
	return answer;
}

/* Packed, checked, in memory of exactly its size, opened. */
static struct dns_packed pack(struct slice message, const struct dns_packed_ttls *ttls)
{
	struct dns_packed packed;
	struct dns_answer answer = answer_of(message);
	struct slice bytes = wire_keep(dns_packed_write(&answer, ttls, buffer, sizeof buffer));
	assert_true(bytes.len > 0);
	assert_true(dns_packed_check(bytes));
	dns_packed_open(&packed, bytes);
	return packed;
}

#define SOA(owner, ttl, minimum)                                                                   \
	owner " 0006 0001 " ttl " 0016 00 00 00000001 00000e10 00000258 00015180 " minimum
#define A(owner, ttl)             owner " 0001 0001 " ttl " 0004 c0000201"
#define CNAME(owner, ttl, target) owner " 0005 0001 " ttl " " target
#define NS(owner)                 owner " 0002 0001 0000003c 000d 'ns1.example'"
#define TO_CDN                    "0009 'cdn.net'"
#define NS_GLUE                   "'ns1.example' 0001 0001 0000003c 0004 c0000235"

static void knows_what_sort_of_answer_it_is(void **state)
{
	(void)state;
	static const struct {
		const char *title;
		const char *flags; /* of the header */
		const char *counts;
		const char *type;
		const char *records;
		enum dns_packed_kind kind;
		uint32_t ttl_s;
		uint16_t packed_counts[3];
	} rows[] = {
		{ "an address", "8180", "0001 0000 0000", "0001", A("c00c", "0000003c"),
			DNS_PACKED_POSITIVE, 60, { 1, 0, 0 } },
		{ "the least TTL counts", "8180", "0002 0001 0000", "0001",
			A("c00c", "0000003c") A("c00c", "0000001e") NS("c010"), DNS_PACKED_POSITIVE,
			30, { 2, 1, 0 } },
		{ "TTL 0", "8180", "0001 0000 0000", "0001", A("c00c", "00000000"),
			DNS_PACKED_FLEETING, 0, { 1, 0, 0 } },
		{ "TTL with the top bit is 0", "8180", "0001 0000 0000", "0001",
			A("c00c", "80000001"), DNS_PACKED_FLEETING, 0, { 1, 0, 0 } },
		{ "one TTL 0 among others", "8180", "0002 0000 0000", "0001",
			A("c00c", "0000003c") A("c00c", "00000000"), DNS_PACKED_FLEETING, 0,
			{ 2, 0, 0 } },
		{ "a very long TTL", "8180", "0001 0000 0000", "0001", A("c00c", "7fffffff"),
			DNS_PACKED_POSITIVE, DNS_TTL_MAX_S, { 1, 0, 0 } },
		{ "an alias and its address", "8180", "0002 0000 0000", "0001",
			CNAME("c00c", "0000003c", TO_CDN) A("'cdn.net'", "0000000a"),
			DNS_PACKED_POSITIVE, 10, { 2, 0, 0 } },
		{ "the other way round", "8180", "0002 0000 0000", "0001",
			A("'cdn.net'", "0000000a") CNAME("c00c", "0000003c", TO_CDN),
			DNS_PACKED_POSITIVE, 10, { 2, 0, 0 } },
		{ "the alias itself was asked for", "8180", "0001 0000 0000", "0005",
			CNAME("c00c", "0000003c", TO_CDN), DNS_PACKED_POSITIVE, 60, { 1, 0, 0 } },
		{ "anything was asked for", "8180", "0001 0000 0000", "00ff",
			CNAME("c00c", "0000003c", TO_CDN), DNS_PACKED_POSITIVE, 60, { 1, 0, 0 } },
		{ "NODATA: MINIMUM is less", "8180", "0000 0001 0000", "0001",
			SOA("c010", "0000003c", "0000000f"), DNS_PACKED_NODATA, 15, { 0, 1, 0 } },
		{ "NODATA: the TTL is less", "8180", "0000 0001 0000", "0001",
			SOA("c010", "0000000e", "0000003c"), DNS_PACKED_NODATA, 14, { 0, 1, 0 } },
		{ "NODATA: the cap is less", "8180", "0000 0001 0000", "0001",
			SOA("c010", "0000ffff", "0000ffff"), DNS_PACKED_NODATA, 3600, { 0, 1, 0 } },
		{ "NODATA: MINIMUM 0", "8180", "0000 0001 0000", "0001",
			SOA("c010", "0000003c", "00000000"), DNS_PACKED_FLEETING, 0, { 0, 1, 0 } },
		{ "NODATA: the SOA of the name itself", "8180", "0000 0001 0000", "0001",
			SOA("c00c", "0000003c", "0000000f"), DNS_PACKED_NODATA, 15, { 0, 1, 0 } },
		{ "NODATA: the root's SOA", "8180", "0000 0001 0000", "0001",
			SOA("00", "0000003c", "0000000f"), DNS_PACKED_NODATA, 15, { 0, 1, 0 } },
		{ "NODATA: a foreign SOA", "8180", "0000 0001 0000", "0001",
			SOA("'example.net'", "0000003c", "0000000f"), DNS_PACKED_FLEETING, 0,
			{ 0, 0, 0 } },
		{ "NODATA: no SOA", "8180", "0000 0000 0000", "0001", "", DNS_PACKED_FLEETING, 0,
			{ 0, 0, 0 } },
		{ "NODATA behind an alias", "8180", "0001 0001 0000", "0001",
			CNAME("c00c", "0000003c", TO_CDN) SOA("'net'", "0000003c", "0000000f"),
			DNS_PACKED_NODATA, 15, { 1, 1, 0 } },
		{ "NODATA behind an alias that ends sooner", "8180", "0001 0001 0000", "0001",
			CNAME("c00c", "00000005", TO_CDN) SOA("'net'", "0000003c", "0000000f"),
			DNS_PACKED_NODATA, 5, { 1, 1, 0 } },
		{ "the SOA of the alias, not of what it leads to", "8180", "0001 0001 0000", "0001",
			CNAME("c00c", "0000003c", TO_CDN) SOA("c010", "0000003c", "0000000f"),
			DNS_PACKED_FLEETING, 0, { 1, 1, 0 } },
		{ "an alias and nothing else", "8180", "0001 0000 0000", "0001",
			CNAME("c00c", "0000003c", TO_CDN), DNS_PACKED_FLEETING, 0, { 1, 0, 0 } },
		{ "an alias of itself", "8180", "0001 0001 0000", "0001",
			CNAME("c00c", "0000003c", "0002 c00c") SOA("c010", "0000003c", "0000000f"),
			DNS_PACKED_NODATA, 15, { 1, 1, 0 } },
		{ "the address of another name", "8180", "0001 0001 0000", "0001",
			A("'cdn.net'", "0000003c") SOA("c010", "0000003c", "0000000f"),
			DNS_PACKED_NODATA, 15, { 0, 1, 0 } },
		{ "an address of another class", "8180", "0001 0000 0000", "0001",
			"c00c 0001 0003 0000003c 0004 c0000201", DNS_PACKED_FLEETING, 0,
			{ 0, 0, 0 } },
		{ "NXDOMAIN", "8183", "0000 0001 0000", "0001", SOA("c010", "0000003c", "0000000f"),
			DNS_PACKED_NXDOMAIN, 15, { 0, 1, 0 } },
		{ "NXDOMAIN without SOA", "8183", "0000 0000 0000", "0001", "", DNS_PACKED_FLEETING,
			0, { 0, 0, 0 } },
		{ "NXDOMAIN with a foreign record in the answer", "8183", "0001 0001 0000", "0001",
			A("'cdn.net'", "0000003c") SOA("c010", "0000003c", "0000000f"),
			DNS_PACKED_NXDOMAIN, 15, { 0, 1, 0 } },
		{ "NXDOMAIN behind an alias", "8183", "0001 0001 0000", "0001",
			CNAME("c00c", "0000003c", TO_CDN) SOA("'net'", "0000003c", "0000000f"),
			DNS_PACKED_NXDOMAIN_BEHIND, 15, { 1, 1, 0 } },
		{ "NXDOMAIN with the address", "8183", "0001 0001 0000", "0001",
			A("c00c", "0000003c") SOA("c010", "0000003c", "0000000f"),
			DNS_PACKED_FLEETING, 0, { 1, 1, 0 } },
		{ "NXDOMAIN with an alias and an address", "8183", "0002 0001 0000", "0001",
			CNAME("c00c", "0000003c", TO_CDN) A("'cdn.net'", "0000003c")
				SOA("'net'", "0000003c", "0000000f"),
			DNS_PACKED_FLEETING, 0, { 2, 1, 0 } },
		{ "NXDOMAIN with other records of the name", "8183", "0001 0001 0000", "001c",
			A("c00c", "0000003c") SOA("c010", "0000003c", "0000000f"),
			DNS_PACKED_FLEETING, 0, { 1, 1, 0 } },
		{ "a referral", "8180", "0000 0001 0001", "0001", NS("c010") NS_GLUE,
			DNS_PACKED_FLEETING, 0, { 0, 1, 0 } },
		{ "truncated", "8380", "0001 0000 0000", "0001", A("c00c", "0000003c"),
			DNS_PACKED_FLEETING, 0, { 1, 0, 0 } },
		{ "FORMERR", "8181", "0000 0000 0000", "0001", "", DNS_PACKED_FAILURE, 0,
			{ 0, 0, 0 } },
		{ "SERVFAIL", "8182", "0000 0000 0000", "0001", "", DNS_PACKED_FAILURE, 0,
			{ 0, 0, 0 } },
		{ "SERVFAIL with records", "8182", "0001 0000 0000", "0001", A("c00c", "0000003c"),
			DNS_PACKED_FAILURE, 0, { 1, 0, 0 } },
		{ "NOTIMP", "8184", "0000 0000 0000", "0001", "", DNS_PACKED_FAILURE, 0,
			{ 0, 0, 0 } },
		{ "REFUSED", "8185", "0000 0000 0000", "0001", "", DNS_PACKED_FAILURE, 0,
			{ 0, 0, 0 } },
		{ "YXDOMAIN", "8186", "0000 0000 0000", "0001", "", DNS_PACKED_FLEETING, 0,
			{ 0, 0, 0 } },
		{ "NOTAUTH", "8189", "0000 0000 0000", "0001", "", DNS_PACKED_FAILURE, 0,
			{ 0, 0, 0 } },
		{ "a number without a name", "818f", "0000 0000 0000", "0001", "",
			DNS_PACKED_FLEETING, 0, { 0, 0, 0 } },
		{ "BADVERS is about us", "8180", "0000 0000 0001", "0001",
			"00 0029 04d0 01 00 0000 0000", DNS_PACKED_FAILURE, 0, { 0, 0, 0 } },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char notation[1024];
		snprintf(notation, sizeof notation, "1234 %s 0001 %s 'wWw.example' %s 0001 %s",
			rows[i].flags, rows[i].counts, rows[i].type, rows[i].records);
		struct dns_packed packed = pack(wire(notation), &plain);
		if (packed.kind != rows[i].kind || packed.ttl_s != rows[i].ttl_s ||
			memcmp(packed.counts, rows[i].packed_counts, sizeof packed.counts) != 0)
			fail_msg("%s: kind %d, %u s, %u %u %u records", rows[i].title, packed.kind,
				packed.ttl_s, packed.counts[0], packed.counts[1], packed.counts[2]);
	}
}

#define ADDRESS  "1234 8180 0001 0001 0000 0000 'wWw.example' 0001 0001 "
#define NO_DATA  "1234 8180 0001 0001 0001 0000 'wWw.example' 0001 0001 "
#define QUESTION "0000 8180 0001 0001 0000 0000 'www.example' 0001 0001 "

static void keeps_ttls_within_bounds(void **state)
{
	(void)state;
	static const struct {
		struct dns_packed_ttls ttls;
		const char *message;
		uint32_t ttl_s;
		enum dns_packed_kind kind;
		uint32_t written_s[2]; /* TTLs of the records */
	} rows[] = {
		{ { 0, 100, 100 }, ADDRESS A("c00c", "0000003c"), 60, DNS_PACKED_POSITIVE, { 60 } },
		{ { 90, 100, 100 }, ADDRESS A("c00c", "0000003c"), 90, DNS_PACKED_POSITIVE,
			{ 90 } },
		{ { 90, 100, 100 }, ADDRESS A("c00c", "00000000"), 90, DNS_PACKED_POSITIVE,
			{ 90 } },
		{ { 0, 30, 100 }, ADDRESS A("c00c", "0000003c"), 30, DNS_PACKED_POSITIVE, { 30 } },
		{ { 90, 30, 100 }, ADDRESS A("c00c", "0000003c"), 30, DNS_PACKED_POSITIVE, { 30 } },
		{ { 0, UINT32_MAX, 100 }, ADDRESS A("c00c", "7fffffff"), DNS_TTL_MAX_S,
			DNS_PACKED_POSITIVE, { DNS_TTL_MAX_S } },
		{ { 90, 100, 20 },
			NO_DATA CNAME("c00c", "0000003c", TO_CDN)
				SOA("'net'", "0000003c", "0000003c"),
			20, DNS_PACKED_NODATA, { 20, 20 } },
		{ { 90, 10, 20 },
			NO_DATA CNAME("c00c", "0000003c", TO_CDN)
				SOA("'net'", "0000003c", "0000003c"),
			10, DNS_PACKED_NODATA, { 10, 10 } },
		{ { 0, UINT32_MAX, UINT32_MAX },
			NO_DATA CNAME("c00c", "00100000", TO_CDN)
				SOA("'net'", "00100000", "00100000"),
			3 * 3600, DNS_PACKED_NODATA, { 3 * 3600, 3 * 3600 } },
		/* an alias alone: not negative, so its TTL stays what it is */
		{ { 90, 100, 20 }, ADDRESS CNAME("c00c", "0000003c", TO_CDN), 0,
			DNS_PACKED_FLEETING, { 60 } },
		{ { 0, 100, 0 },
			NO_DATA CNAME("c00c", "0000003c", TO_CDN)
				SOA("'net'", "0000003c", "0000003c"),
			0, DNS_PACKED_FLEETING, { 0, 0 } },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct dns_packed packed = pack(wire(rows[i].message), &rows[i].ttls);
		struct dns_answer answer = answer_of(packed.message);
		struct dns_record_walk walk;
		struct dns_record record;
		if (packed.ttl_s != rows[i].ttl_s || packed.kind != rows[i].kind)
			fail_msg("row %zu: kind %d, %u s", i, packed.kind, packed.ttl_s);
		dns_record_walk_begin(&walk, &answer);
		for (size_t k = 0; dns_record_next(&walk, &record); k++)
			if (record.ttl_s != rows[i].written_s[k])
				fail_msg("row %zu: record %zu says %u s", i, k, record.ttl_s);
	}
}

static void writes_exact_messages(void **state)
{
	(void)state;
	static const struct {
		const char *answer;
		const char *message;
	} rows[] = {
		{ ADDRESS A("'WWW.Example'", "0000003c"), QUESTION A("c00c", "0000003c") },
		/* what the upstream says about itself is left away: AA, RA, Z; AD stays */
		{ "1234 8560 0001 0001 0000 0000 'www.example' 0001 0001 " A("c00c", "0000003c"),
			"0000 81a0 0001 0001 0000 0000 'www.example' 0001 0001 " A(
				"c00c", "0000003c") },
		/* neither OPT nor TSIG, and nothing that stands behind the message */
		{ "1234 8180 0001 0001 0000 0002 'www.example' 0001 0001 " A(
			  "c00c", "0000003c") "00 0029 04d0 00 00 0000 0000 "
					      "00 00fa 00ff 00000000 0000 ffff",
			QUESTION A("c00c", "0000003c") },
		{ "1234 8180 0001 0002 0000 0000 'www.example' 0001 0001 " CNAME(
			  "c00c", "0000003c", "000d 'cdn.example'") A("c029", "0000003c"),
			"0000 8180 0001 0002 0000 0000 'www.example' 0001 0001 " CNAME(
				"c00c", "0000003c", "0006 03 \"cdn\" c010") A("c029", "0000003c") },
		{ "1234 8180 0001 0000 0000 0001 'www.example' 0001 0001"
		  "00 0029 04d0 01 00 0000 0000",
			"0000 8182 0001 0000 0000 0000 'www.example' 0001 0001" },
		{ "1234 8380 0001 0000 0000 0000 'www.example' 0001 0001",
			"0000 8380 0001 0000 0000 0000 'www.example' 0001 0001" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct dns_packed packed = pack(wire(rows[i].answer), &plain);
		if (!slice_equals(packed.message, wire(rows[i].message)))
			fail_msg("row %zu", i);
	}
}

static void says_what_is_worth_judging(void **state)
{
	(void)state;
	static const struct {
		const char *record;
		bool leads_somewhere, has_addresses;
	} rows[] = {
		{ A("c00c", "0000003c"), false, true },
		{ "c00c 001c 0001 0000003c 0010 20010db8 00*12", false, true },
		{ "c00c 0010 0001 0000003c 0001 00", false, false },
		{ CNAME("c00c", "0000003c", TO_CDN), true, false },
		{ "c010 0027 0001 0000003c 0009 'cdn.net'", true, false },
		{ "c00c 0041 0001 0000003c 0003 0000 00", true, true },
		{ "c00c 0040 0001 0000003c 0003 0000 00", true, true },
		/* does not belong, and so is not there */
		{ A("'cdn.net'", "0000003c"), false, false },
		{ CNAME("'cdn.net'", "0000003c", TO_CDN), false, false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char notation[512];
		snprintf(notation, sizeof notation, "%s %s", ADDRESS, rows[i].record);
		struct dns_packed packed = pack(wire(notation), &plain);
		if (packed.leads_somewhere != rows[i].leads_somewhere ||
			packed.has_addresses != rows[i].has_addresses)
			fail_msg("%s", rows[i].record);
	}
}

static void keeps_what_the_upstream_explains(void **state)
{
	(void)state;
	static const struct {
		const char *option;
		int ede;
		const char *text;
	} rows[] = {
		{ "0000 0000", DNS_EDE_NONE, "" },
		{ "0000 0006 000f 0002 0006", 6, "" },
		{ "0000 000a 000f 0006 0016 \"lame\"", 22, "lame" },
		{ "0000 0006 000f 0002 ffff", 65535, "" },
		{ "0000 00d0 000f 00cc 0000 61*202", 0,
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
		/* a character of two bytes across the limit is left away whole */
		{ "0000 0088 000f 0084 0000 61*127 c3a4 61", 0,
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char notation[512];
		snprintf(notation, sizeof notation,
			"1234 8182 0001 0000 0000 0001 'www.example' 0001 0001 00 0029 04d0 0000 "
			"%s",
			rows[i].option);
		struct dns_packed packed = pack(wire(notation), &plain);
		if (packed.ede != rows[i].ede || !slice_equals_text(packed.ede_text, rows[i].text))
			fail_msg("%s: %d, %zu bytes", rows[i].option, packed.ede,
				packed.ede_text.len);
	}
	assert_false(pack(wire(ADDRESS A("c00c", "0000003c")), &plain).authentic);
	assert_true(pack(wire("1234 81a0 0001 0000 0000 0000 'a' 0001 0001"), &plain).authentic);
}

static void packs_failures_of_our_own(void **state)
{
	(void)state;
	struct dns_packed packed;
	struct slice bytes = wire_keep(dns_packed_failure(wire("'www.example'"), DNS_TYPE_AAAA,
		DNS_CLASS_IN, DNS_EDE_NO_REACHABLE_AUTHORITY, "nobody", buffer, sizeof buffer));
	assert_true(dns_packed_check(bytes));
	dns_packed_open(&packed, bytes);
	assert_int_equal(packed.kind, DNS_PACKED_FAILURE);
	assert_int_equal(packed.rcode, DNS_RCODE_SERVFAIL);
	assert_int_equal(packed.ttl_s, 0);
	assert_int_equal(packed.ede, DNS_EDE_NO_REACHABLE_AUTHORITY);
	assert_true(slice_equals_text(packed.ede_text, "nobody"));
	assert_true(slice_equals(
		packed.message, wire("0000 8182 0001 0000 0000 0000 'www.example' 001c 0001")));
	size_t len = bytes.len;
	for (size_t size = 0; size < len; size++)
		assert_int_equal(
			dns_packed_failure(wire("'www.example'"), DNS_TYPE_AAAA, DNS_CLASS_IN,
				DNS_EDE_NO_REACHABLE_AUTHORITY, "nobody", buffer, size)
				.len,
			0);
	bytes = dns_packed_failure(wire("'.'"), 1, 1, DNS_EDE_NONE, NULL, buffer, sizeof buffer);
	assert_true(dns_packed_check(bytes));
}

/* ---- pasting ---- */

static const struct dns_reply_limits udp = { .size = 1232 };

static struct dns_query query_of(const char *notation)
{
	struct dns_query query;
	assert_int_equal(dns_query_open(&query, wire(notation)), DNS_QUERY_FINE);
	return query;
}

#define ASKS      "beef 0110 0001 0000 0000 0000 'WWW.eXample' 0001 0001"
#define ASKS_EDNS "beef 0100 0001 0000 0000 0001 'WWW.eXample' 0001 0001 00 0029 04d0 00000000 0000"

static void pastes_exact_replies(void **state)
{
	(void)state;
	static const struct {
		const char *answer;
		struct dns_packed_age age;
		const char *query;
		const char *reply;
		uint32_t ttl_min_s;
	} rows[] = {
		{ ADDRESS A("c00c", "0000003c"), { 0, 0 }, ASKS,
			"beef 8190 0001 0001 0000 0000 'WWW.eXample' 0001 0001 " A(
				"c00c", "0000003c"),
			60 },
		{ ADDRESS A("c00c", "0000003c"), { 59, 0 }, ASKS_EDNS,
			"beef 8180 0001 0001 0000 0001 'WWW.eXample' 0001 0001 " A(
				"c00c", "00000001") "00 0029 04d0 00000000 0000",
			1 },
		{ ADDRESS A("c00c", "0000003c"), { 61, 0 }, ASKS,
			"beef 8190 0001 0001 0000 0000 'WWW.eXample' 0001 0001 " A(
				"c00c", "00000000"),
			0 },
		{ ADDRESS A("c00c", "0000003c"), { 100000, 30 }, ASKS,
			"beef 8190 0001 0001 0000 0000 'WWW.eXample' 0001 0001 " A(
				"c00c", "0000001e"),
			30 },
		/* the additional section's TTLs are told, but do not count */
		{ "1234 8180 0001 0001 0000 0001 'www.example' 0002 0001 " NS(
			  "c00c") "'ns1.example' 0001 0001 0000000a 0004 c0000235",
			{ 1, 0 }, "beef 0100 0001 0000 0000 0000 'wWw.example' 0002 0001",
			"beef 8180 0001 0001 0000 0001 'wWw.example' 0002 0001"
			"c00c 0002 0001 0000003b 0006 03 \"ns1\" c010"
			"c029 0001 0001 00000009 0004 c0000235",
			59 },
		{ "1234 8183 0001 0000 0001 0000 'www.example' 0001 0001 " SOA(
			  "c010", "0000003c", "0000000f"),
			{ 5, 0 }, ASKS,
			"beef 8193 0001 0000 0001 0000 'WWW.eXample' 0001 0001 " SOA(
				"c010", "0000000a", "0000000f"),
			10 },
		{ "1234 8182 0001 0000 0000 0000 'www.example' 0001 0001", { 0, 0 }, ASKS,
			"beef 8192 0001 0000 0000 0000 'WWW.eXample' 0001 0001", UINT32_MAX },
		/* TC is the upstream's; AD is for the caller to say */
		{ "1234 83a0 0001 0000 0000 0000 'www.example' 0001 0001", { 0, 0 }, ASKS,
			"beef 8390 0001 0000 0000 0000 'WWW.eXample' 0001 0001", UINT32_MAX },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct dns_packed packed = pack(wire(rows[i].answer), &plain);
		struct dns_query query = query_of(rows[i].query);
		struct dns_reply reply;
		dns_reply_begin(&reply, &query, udp, reply_buffer, sizeof reply_buffer);
		if (!dns_packed_paste(&reply, &packed, rows[i].age))
			fail_msg("row %zu does not fit", i);
		if (reply.ttl_min_s != rows[i].ttl_min_s)
			fail_msg("row %zu: %u s", i, reply.ttl_min_s);
		if (!slice_equals(dns_reply_finish(&reply), wire(rows[i].reply)))
			fail_msg("row %zu", i);
	}
}

static void pastes_only_where_it_fits(void **state)
{
	(void)state;
	struct dns_packed packed = pack(wire("1234 8180 0001 0003 0000 0000 'www.example' 0010 0001"
					     "c00c 0010 0001 0000003c 00c8 c7 61*199"
					     "c00c 0010 0001 0000003c 00c8 c7 62*199"
					     "c00c 0010 0001 0000003c 00c8 c7 63*199"),
		&plain);
	for (int with_opt = 0; with_opt < 2; with_opt++) {
		struct dns_query query = query_of(with_opt ? ASKS_EDNS : ASKS);
		size_t needed = packed.message.len + (with_opt ? 11 : 0);
		for (size_t size = 512; size < 700; size++) {
			struct dns_reply reply;
			struct dns_reply_limits limits = { .size = size };
			dns_reply_begin(&reply, &query, limits, reply_buffer, sizeof reply_buffer);
			struct dns_reply before = reply;
			bool pasted =
				dns_packed_paste(&reply, &packed, (struct dns_packed_age){ 0, 0 });
			assert_int_equal(pasted, size >= needed);
			if (!pasted)
				assert_memory_equal(&reply, &before, sizeof reply);
			else
				assert_int_equal(dns_reply_finish(&reply).len, needed);
		}
	}
}

static void pastes_only_for_its_own_question(void **state)
{
	(void)state;
	static const char *const others[] = {
		"beef 0100 0001 0000 0000 0000 'example' 0001 0001",
		"beef 0100 0001 0000 0000 0000 'wwwwexample' 0001 0001",
		"beef 0100 0001 0000 0000 0000 'www.exampla' 0001 0001",
		"beef 0100 0001 0000 0000 0000 'a.www.example' 0001 0001",
		"beef 0100 0001 0000 0000 0000 61*62 00 0001 0001",
		"beef 0100 0001 0000 0000 0000 '.' 0001 0001",
	};
	struct dns_packed packed = pack(wire(ADDRESS A("c00c", "0000003c")), &plain);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		struct dns_query query;
		struct dns_reply reply;
		dns_query_open(&query, wire(others[i]));
		dns_reply_begin(&reply, &query, udp, reply_buffer, sizeof reply_buffer);
		if (dns_packed_paste(&reply, &packed, (struct dns_packed_age){ 0, 0 }))
			fail_msg("%s", others[i]);
	}
	struct dns_query query = query_of(ASKS);
	struct dns_reply reply;
	dns_reply_begin(&reply, &query, udp, reply_buffer, sizeof reply_buffer);
	dns_reply_add_cname(&reply, wire("'cdn.net'"), 60);
	assert_false(dns_packed_paste(&reply, &packed, (struct dns_packed_age){ 0, 0 }));
}

static void ages_a_copy_of_the_message(void **state)
{
	(void)state;
	static uint8_t copy[DNS_MESSAGE_MAX];
	struct dns_packed packed =
		pack(wire("1234 8180 0001 0002 0001 0000 'www.example' 0001 0001 " CNAME(
			     "c00c", "0000003c", TO_CDN) A("'cdn.net'", "00000028") NS("'net'")),
			&plain);
	memcpy(copy, packed.message.at, packed.message.len);
	dns_packed_age_message(&packed, (struct dns_packed_age){ .age_s = 41 }, copy);
	const uint32_t expected_s[] = { 19, 0, 19 };
	struct dns_answer answer = answer_of(slice_of(copy, packed.message.len));
	struct dns_record_walk walk;
	struct dns_record record;
	size_t count = 0;
	dns_record_walk_begin(&walk, &answer);
	for (; dns_record_next(&walk, &record); count++)
		assert_int_equal(record.ttl_s, expected_s[count]);
	assert_int_equal(count, 3);
	assert_int_equal(packed.ttl_s, 40);
}

/* ---- what comes from a file ---- */

#define CHAIN_ANSWER                                                                               \
	"1234 81a0 0001 0002 0001 0001 'www.example' 0001 0001 " CNAME("c00c", "0000003c", TO_CDN) \
		A("'cdn.net'", "00000028")                                                         \
			NS("'net'") "00 0029 04d0 00 00 0000 000a 000f 0006 0016 \"lame\""

static struct slice packed_bytes(const char *notation)
{
	struct dns_answer answer = answer_of(wire(notation));
	return wire_keep(dns_packed_write(&answer, &plain, buffer, sizeof buffer));
}

static void every_length_but_its_own_is_refused(void **state)
{
	(void)state;
	struct slice bytes = packed_bytes(CHAIN_ANSWER);
	for (size_t len = 0; len < bytes.len; len++)
		assert_false(dns_packed_check(wire_keep(slice_of(bytes.at, len))));
	memcpy(buffer, bytes.at, bytes.len);
	buffer[bytes.len] = 0;
	assert_false(dns_packed_check(slice_of(buffer, bytes.len + 1)));
	assert_false(dns_packed_check(slice_of(NULL, 0)));
}

/* Whatever passes must be usable; what it says may be another thing (an address, a name). */
static void use(struct slice bytes)
{
	struct dns_packed packed;
	struct dns_reply reply;
	dns_packed_open(&packed, bytes);
	struct dns_answer answer = answer_of(packed.message);
	struct dns_query query = rebuild_query(&answer, true);
	dns_reply_begin(&reply, &query, (struct dns_reply_limits){ .size = DNS_MESSAGE_MAX },
		reply_buffer, sizeof reply_buffer);
	assert_true(dns_packed_paste(&reply, &packed, (struct dns_packed_age){ 0, 0 }));
	assert_int_equal(rebuild_compare(&answer, dns_reply_finish(&reply)),
		packed.counts[0] + packed.counts[1] + packed.counts[2]);
}

static void every_changed_bit_is_refused_or_harmless(void **state)
{
	(void)state;
	struct slice bytes = packed_bytes(CHAIN_ANSWER);
	size_t refused = 0, message_at = bytes.len;
	struct dns_packed packed;
	dns_packed_open(&packed, bytes);
	message_at -= packed.message.len;
	for (size_t bit = 0; bit < 8 * bytes.len; bit++) {
		uint8_t copy[1024];
		memcpy(copy, bytes.at, bytes.len);
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		struct slice changed = wire_keep(slice_of(copy, bytes.len));
		if (!dns_packed_check(changed))
			refused++;
		else
			use(changed);
		/* Kind, flags, counts, positions: nothing there may be other than it is, but for
		 * the extended error's code and text. */
		bool is_ede = (bit / 8 >= 8 && bit / 8 < 12) || (bit / 8 >= 24 && bit / 8 < 28);
		if (bit / 8 < message_at && !is_ede && dns_packed_check(changed))
			fail_msg("bit %zu", bit);
	}
	assert_true(refused > 8 * 40);
}

static void check_vector(const char *expected, const char *title, struct slice message)
{
	struct dns_answer answer;
	(void)expected;
	(void)title;
	if (dns_answer_open(&answer, message) < 0)
		return;
	struct slice bytes = wire_keep(dns_packed_write(&answer, &plain, buffer, sizeof buffer));
	assert_true(dns_packed_check(bytes));
	use(bytes);
	/* With exactly the room that it needs, and with less. */
	assert_int_equal(dns_packed_write(&answer, &plain, buffer, bytes.len).len, bytes.len);
	for (size_t size = 0; size < bytes.len; size++)
		assert_int_equal(dns_packed_write(&answer, &plain, buffer, size).len, 0);
}

static void every_vector_can_be_packed(void **state)
{
	(void)state;
	wire_vectors(TEST_VECTORS "/answers.txt", check_vector);
}

/* The most records that an answer can have, and one that gets longer than a message can be. */
static void large_answers_are_packed_or_refused(void **state)
{
	(void)state;
	static uint8_t message[DNS_MESSAGE_MAX];
	struct writer to = writer_of(message, sizeof message);
	writer_slice_bytes(&to, wire("1234 8180 0001 1000 0000 0000 '.' 0010 0001"));
	for (unsigned i = 0; i < DNS_ANSWER_RECORDS_MAX; i++)
		writer_slice_bytes(&to, wire("00 0010 0001 0000003c 0001 00"));
	struct dns_packed packed = pack(writer_slice(&to), &plain);
	assert_int_equal(packed.counts[0], DNS_ANSWER_RECORDS_MAX);
	/* The target of an SRV record is written in full. */
	to = writer_of(message, sizeof message);
	writer_slice_bytes(&to, wire("1234 8180 0001 0384 0000 0000 3f 61*63 '.' 0021 0001"));
	for (unsigned i = 0; i < 900; i++)
		writer_slice_bytes(&to, wire("c00c 0021 0001 0000003c 0008 000000000050 c00c"));
	struct dns_answer answer = answer_of(writer_slice(&to));
	assert_int_equal(dns_packed_write(&answer, &plain, buffer, sizeof buffer).len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_what_sort_of_answer_it_is),
		cmocka_unit_test(keeps_ttls_within_bounds),
		cmocka_unit_test(writes_exact_messages),
		cmocka_unit_test(says_what_is_worth_judging),
		cmocka_unit_test(keeps_what_the_upstream_explains),
		cmocka_unit_test(packs_failures_of_our_own),
		cmocka_unit_test(pastes_exact_replies),
		cmocka_unit_test(pastes_only_where_it_fits),
		cmocka_unit_test(pastes_only_for_its_own_question),
		cmocka_unit_test(ages_a_copy_of_the_message),
		cmocka_unit_test(every_length_but_its_own_is_refused),
		cmocka_unit_test(every_changed_bit_is_refused_or_harmless),
		cmocka_unit_test(every_vector_can_be_packed),
		cmocka_unit_test(large_answers_are_packed_or_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
