/* Every name that the RFCs reserve, what is said about it, and the neighbours that are nobody's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "dns/rdata_text.h"
#include "proxy/query/special.h"

static const bool all_on[SPECIAL_NAMES] = { true, true, true, true, true, true, true, true };
static const bool all_off[SPECIAL_NAMES];

static struct dns_name name_of(const char *text)
{
	struct dns_name name;
	assert_true(dns_name_from_text(&name, slice_of_text(text)));
	return name;
}

static struct dns_name lower_of(const struct dns_name *name)
{
	struct dns_name lower = { .len = name->len };
	dns_name_lower(lower.wire, name->wire, name->len);
	return lower;
}

static bool find(const bool enabled[SPECIAL_NAMES], const char *text, uint16_t type,
	enum special_name *special)
{
	struct dns_name name = name_of(text);
	struct dns_name lower = lower_of(&name);
	return special_find(enabled, dns_name_slice(&lower), type, special);
}

/* The answer as text: "RCODE [answers] [authority]", records "owner TYPE rdata ttl". */
static const char *said(const char *text, uint16_t type)
{
	static char page[4096];
	static uint8_t buffer[4096];
	struct dns_name name = name_of(text), lower = lower_of(&name);
	const struct dns_query query = {
		.name = dns_name_slice(&name), .type = type, .class = DNS_CLASS_IN
	};
	enum special_name special;
	struct dns_reply reply;
	struct dns_answer answer;
	if (!special_find(all_on, dns_name_slice(&lower), type, &special))
		return "not special";
	dns_reply_begin(
		&reply, &query, (struct dns_reply_limits){ .size = 512 }, buffer, sizeof buffer);
	special_answer(special, dns_name_slice(&lower), &reply);
	assert_int_equal(dns_answer_open(&answer, dns_reply_finish(&reply)), 0);
	assert_true(dns_answer_is_for(&answer, query.name, type, DNS_CLASS_IN));
	struct writer to = writer_of(page, sizeof page - 1);
	writer_text(&to, dns_rcode_name(answer.rcode));
	struct dns_record_walk walk;
	struct dns_record record;
	dns_record_walk_begin(&walk, &answer);
	while (dns_record_next(&walk, &record)) {
		writer_text(&to, record.section == DNS_SECTION_ANSWER ? " | " : " || ");
		dns_name_write_text(&to, dns_name_slice(&record.owner));
		writer_text(&to, " ");
		writer_decimal(&to, record.ttl_s);
		writer_text(&to, " ");
		dns_type_write(&to, record.type);
		writer_text(&to, " ");
		dns_rdata_write_text(&to, &answer, &record);
		assert_int_equal(record.class, DNS_CLASS_IN);
	}
	assert_false(to.failed);
	page[to.len] = '\0';
	return page;
}

#define SOA(apex, ttl) apex " " ttl " SOA " apex " nobody.invalid. 1 3600 1200 604800 " ttl
#define ABSENT(apex)   "NXDOMAIN || " SOA(apex, "600")
#define LONG(apex)     SOA(apex, "10800")
#define NS(apex)       apex " 10800 NS " apex

#define ZEROS_28 "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
#define V6_NONE  "0.0.0.0." ZEROS_28 "ip6.arpa."
#define V6_LOOP  "1.0.0.0." ZEROS_28 "ip6.arpa."

static void test_what_is_said(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		uint16_t type;
		const char *said;
	} rows[] = {
		/* RFC 6761 6.3 */
		{ "localhost", DNS_TYPE_A, "NOERROR | localhost. 10800 A 127.0.0.1" },
		{ "LocalHost", DNS_TYPE_AAAA, "NOERROR | LocalHost. 10800 AAAA ::1" },
		{ "a.b.localhost", DNS_TYPE_A, "NOERROR | a.b.localhost. 10800 A 127.0.0.1" },
		{ "a.b.localhost", DNS_TYPE_AAAA, "NOERROR | a.b.localhost. 10800 AAAA ::1" },
		{ "localhost", DNS_TYPE_ANY,
			"NOERROR | localhost. 10800 A 127.0.0.1 | localhost. 10800 AAAA ::1" },
		{ "localhost", DNS_TYPE_MX, "NOERROR || " LONG("localhost.") },
		{ "localhost", DNS_TYPE_NS, "NOERROR || " LONG("localhost.") },
		{ "localhost", DNS_TYPE_SOA, "NOERROR || " LONG("localhost.") },
		{ "localhost", DNS_TYPE_DS, "NOERROR || " LONG("localhost.") },
		{ "x.localhost", DNS_TYPE_HTTPS, "NOERROR || " LONG("localhost.") },
		/* RFC 6761 6.2 and 6.4, RFC 7686 2, RFC 6762 22.1: the name and all below */
		{ "invalid", DNS_TYPE_A, "NXDOMAIN || " LONG("invalid.") },
		{ "x.y.invalid", DNS_TYPE_ANY, "NXDOMAIN || " LONG("invalid.") },
		{ "test", DNS_TYPE_A, ABSENT("test.") },
		{ "www.test", DNS_TYPE_AAAA, ABSENT("test.") },
		{ "onion", DNS_TYPE_A, ABSENT("onion.") },
		{ "duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion", DNS_TYPE_A,
			ABSENT("onion.") },
		{ "local", DNS_TYPE_SOA, ABSENT("local.") },
		{ "local", DNS_TYPE_DS, ABSENT("local.") },
		{ "printer.local", DNS_TYPE_A, ABSENT("local.") },
		{ "lb._dns-sd._udp.local", DNS_TYPE_PTR, ABSENT("local.") },
		{ "use-application-dns.net", DNS_TYPE_A, ABSENT("use-application-dns.net.") },
		{ "x.use-application-dns.net", DNS_TYPE_A, ABSENT("use-application-dns.net.") },
		/* RFC 8375 4 */
		{ "home.arpa", DNS_TYPE_SOA, "NOERROR | " LONG("home.arpa.") },
		{ "home.arpa", DNS_TYPE_NS, "NOERROR | " NS("home.arpa.") },
		{ "home.arpa", DNS_TYPE_A, "NOERROR || " LONG("home.arpa.") },
		{ "nas.home.arpa", DNS_TYPE_A, "NXDOMAIN || " LONG("home.arpa.") },
		{ "nas.home.arpa", DNS_TYPE_DS, "NXDOMAIN || " LONG("home.arpa.") },
		{ "home.arpa", DNS_TYPE_DS, "not special" },
		/* RFC 6303 3 */
		{ "10.in-addr.arpa", DNS_TYPE_SOA, "NOERROR | " LONG("10.in-addr.arpa.") },
		{ "10.in-addr.arpa", DNS_TYPE_NS, "NOERROR | " NS("10.in-addr.arpa.") },
		{ "10.in-addr.arpa", DNS_TYPE_ANY,
			"NOERROR | " LONG("10.in-addr.arpa.") " | " NS("10.in-addr.arpa.") },
		{ "10.in-addr.arpa", DNS_TYPE_PTR, "NOERROR || " LONG("10.in-addr.arpa.") },
		{ "10.in-addr.arpa", DNS_TYPE_DS, "not special" },
		{ "1.0.0.10.in-addr.arpa", DNS_TYPE_PTR, "NXDOMAIN || " LONG("10.in-addr.arpa.") },
		{ "0.10.in-addr.arpa", DNS_TYPE_DS, "NXDOMAIN || " LONG("10.in-addr.arpa.") },
		{ "lb._dns-sd._udp.0.1.168.192.in-addr.arpa", DNS_TYPE_PTR,
			"NXDOMAIN || " LONG("168.192.in-addr.arpa.") },
		/* the loopback addresses have a name, and the names above that one exist */
		{ "1.0.0.127.in-addr.arpa", DNS_TYPE_PTR,
			"NOERROR | 1.0.0.127.in-addr.arpa. 10800 PTR localhost." },
		{ "1.0.0.127.In-Addr.Arpa", DNS_TYPE_A,
			"NOERROR || 127.In-Addr.Arpa. 10800 SOA 127.in-addr.arpa. "
			"nobody.invalid. 1 3600 1200 604800 10800" },
		{ "0.0.127.in-addr.arpa", DNS_TYPE_PTR, "NOERROR || " LONG("127.in-addr.arpa.") },
		{ "0.127.in-addr.arpa", DNS_TYPE_NS, "NOERROR || " LONG("127.in-addr.arpa.") },
		{ "127.in-addr.arpa", DNS_TYPE_NS, "NOERROR | " NS("127.in-addr.arpa.") },
		{ "2.0.0.127.in-addr.arpa", DNS_TYPE_PTR,
			"NXDOMAIN || " LONG("127.in-addr.arpa.") },
		{ "x.1.0.0.127.in-addr.arpa", DNS_TYPE_PTR,
			"NXDOMAIN || " LONG("127.in-addr.arpa.") },
		{ V6_LOOP, DNS_TYPE_PTR, "NOERROR | " V6_LOOP " 10800 PTR localhost." },
		{ V6_LOOP, DNS_TYPE_NS, "NOERROR | " NS(V6_LOOP) },
		{ V6_LOOP, DNS_TYPE_A, "NOERROR || " LONG(V6_LOOP) },
		{ V6_NONE, DNS_TYPE_PTR, "NOERROR || " LONG(V6_NONE) },
		{ "8.e.f.ip6.arpa", DNS_TYPE_SOA, "NOERROR | " LONG("8.e.f.ip6.arpa.") },
		{ "1.8.e.f.ip6.arpa", DNS_TYPE_PTR, "NXDOMAIN || " LONG("8.e.f.ip6.arpa.") },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *answer = said(rows[i].name, rows[i].type);
		if (strcmp(answer, rows[i].said) != 0)
			fail_msg("%s %u:\n  %s\nnot\n  %s", rows[i].name, rows[i].type, answer,
				rows[i].said);
	}
}

/* All of RFC 6303 4.1 to 4.6, RFC 6761 6.1 and RFC 7793 2.1, as they stand there. */
static const char *const reverse_zones[] = { "10.in-addr.arpa", "16.172.in-addr.arpa",
	"17.172.in-addr.arpa", "18.172.in-addr.arpa", "19.172.in-addr.arpa", "20.172.in-addr.arpa",
	"21.172.in-addr.arpa", "22.172.in-addr.arpa", "23.172.in-addr.arpa", "24.172.in-addr.arpa",
	"25.172.in-addr.arpa", "26.172.in-addr.arpa", "27.172.in-addr.arpa", "28.172.in-addr.arpa",
	"29.172.in-addr.arpa", "30.172.in-addr.arpa", "31.172.in-addr.arpa", "168.192.in-addr.arpa",
	"0.in-addr.arpa", "127.in-addr.arpa", "254.169.in-addr.arpa", "2.0.192.in-addr.arpa",
	"100.51.198.in-addr.arpa", "113.0.203.in-addr.arpa", "255.255.255.255.in-addr.arpa",
	V6_NONE, V6_LOOP, "d.f.ip6.arpa", "8.e.f.ip6.arpa", "9.e.f.ip6.arpa", "a.e.f.ip6.arpa",
	"b.e.f.ip6.arpa", "8.b.d.0.1.0.0.2.ip6.arpa" };

static void check_reverse_zone(const char *apex)
{
	char below[256];
	enum special_name special;
	if (!find(all_on, apex, DNS_TYPE_SOA, &special) || special != SPECIAL_PRIVATE_REVERSE)
		fail_msg("%s", apex);
	snprintf(below, sizeof below, "0.x.%s", apex);
	if (!find(all_on, below, DNS_TYPE_PTR, &special) || special != SPECIAL_PRIVATE_REVERSE)
		fail_msg("%s", below);
	assert_false(find(all_on, apex, DNS_TYPE_DS, &special));
}

static void test_every_reverse_zone(void **state)
{
	(void)state;
	char text[64];
	for (size_t i = 0; i < sizeof reverse_zones / sizeof *reverse_zones; i++)
		check_reverse_zone(reverse_zones[i]);
	for (unsigned i = 64; i <= 127; i++) {
		snprintf(text, sizeof text, "%u.100.in-addr.arpa", i);
		check_reverse_zone(text);
	}
}

/* Whatever two octets stand at the end: special if and only if the table above has them or the
 * one octet. */
static void test_every_pair_of_octets(void **state)
{
	(void)state;
	static const char *const whole[] = { "0", "10", "127" };
	char text[64];
	enum special_name special;
	for (unsigned first = 0; first < 256; first++) {
		for (unsigned second = 0; second < 256; second++) {
			bool wanted = (first == 172 && second >= 16 && second <= 31) ||
				(first == 192 && second == 168) ||
				(first == 169 && second == 254) ||
				(first == 100 && second >= 64 && second <= 127);
			for (size_t i = 0; i < 3; i++)
				wanted |= first == (unsigned)atoi(whole[i]);
			snprintf(text, sizeof text, "1.7.%u.%u.in-addr.arpa", second, first);
			if (find(all_on, text, DNS_TYPE_PTR, &special) != wanted)
				fail_msg("%s", text);
		}
	}
}

static void test_neighbours_are_not_special(void **state)
{
	(void)state;
	static const char *const names[] = { ".", "arpa", "in-addr.arpa", "ip6.arpa", "example",
		"locally.example", "notlocal", "xlocal", "local.example", "localhost.example",
		"mylocalhost", "localhost4", "tests", "contest", "test.example", "onions",
		"invalid.example", "xhome.arpa", "home.arpa.example", "home", "arpa.home", "net",
		"example.net", "application-dns.net", "xuse-application-dns.net",
		"use-application-dns.com", "15.172.in-addr.arpa", "32.172.in-addr.arpa",
		"172.in-addr.arpa", "192.in-addr.arpa", "167.192.in-addr.arpa",
		"169.192.in-addr.arpa", "253.169.in-addr.arpa", "255.169.in-addr.arpa",
		"63.100.in-addr.arpa", "128.100.in-addr.arpa", "100.in-addr.arpa", "1.in-addr.arpa",
		"9.in-addr.arpa", "11.in-addr.arpa", "126.in-addr.arpa", "128.in-addr.arpa",
		"1.0.192.in-addr.arpa", "3.0.192.in-addr.arpa", "0.192.in-addr.arpa",
		"99.51.198.in-addr.arpa", "101.51.198.in-addr.arpa", "112.0.203.in-addr.arpa",
		"114.0.203.in-addr.arpa", "254.255.255.255.in-addr.arpa",
		"255.255.255.in-addr.arpa", "255.in-addr.arpa",
		/* not how an address is written */
		"010.in-addr.arpa", "00.in-addr.arpa", "a.in-addr.arpa", "1\\0480.in-addr.arpa.x",
		"10.in-addr", "10.in-addr.arpa.example", "10.xin-addr.arpa", "016.172.in-addr.arpa",
		"266.in-addr.arpa", "1\\.0.in-addr.arpa", "c.f.ip6.arpa", "e.f.ip6.arpa",
		"f.ip6.arpa", "7.e.f.ip6.arpa", "c.e.f.ip6.arpa", "df.ip6.arpa", "d\\.f.ip6.arpa",
		"7.b.d.0.1.0.0.2.ip6.arpa", "9.b.d.0.1.0.0.2.ip6.arpa", "b.d.0.1.0.0.2.ip6.arpa",
		"2.0.0.0." ZEROS_28 "ip6.arpa", "0.0.0." ZEROS_28 "ip6.arpa", "10.ip6.arpa",
		"d.f.in-addr.arpa", "d.f.ip6.int", "resolver.arpa", "ipv4only.arpa" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		enum special_name special;
		if (find(all_on, names[i], DNS_TYPE_A, &special))
			fail_msg("%s is %s", names[i], special_name_text(special));
	}
}

static void test_switches(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		const char *text;
	} rows[SPECIAL_NAMES] = {
		[SPECIAL_LOCALHOST] = { "x.localhost", "localhost" },
		[SPECIAL_INVALID] = { "x.invalid", "invalid" },
		[SPECIAL_TEST] = { "x.test", "test" },
		[SPECIAL_ONION] = { "x.onion", "onion" },
		[SPECIAL_HOME_ARPA] = { "x.home.arpa", "home_arpa" },
		[SPECIAL_LOCAL] = { "x.local", "local" },
		[SPECIAL_PRIVATE_REVERSE] = { "1.0.0.127.in-addr.arpa", "private_reverse" },
		[SPECIAL_CANARY] = { "use-application-dns.net", "canary" },
	};
	for (unsigned i = 0; i < SPECIAL_NAMES; i++) {
		bool enabled[SPECIAL_NAMES] = { false };
		enum special_name special = SPECIAL_NAMES;
		assert_false(find(all_off, rows[i].name, DNS_TYPE_PTR, &special));
		enabled[i] = true;
		for (unsigned j = 0; j < SPECIAL_NAMES; j++)
			assert_int_equal(
				find(enabled, rows[j].name, DNS_TYPE_PTR, &special), i == j);
		assert_int_equal(special, i);
		assert_string_equal(special_name_text((enum special_name)i), rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_said),
		cmocka_unit_test(test_every_reverse_zone),
		cmocka_unit_test(test_every_pair_of_octets),
		cmocka_unit_test(test_neighbours_are_not_special),
		cmocka_unit_test(test_switches),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
