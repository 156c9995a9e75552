#include "rules/rebinding.h"

#include "tests/unit/rules_fixture.h"
#include "tests/unit/wire.h"

static void knows_private_addresses(void **state)
{
	(void)state;
	static const struct {
		const char *address;
		bool is_private;
	} rows[] = {
		{ "0.0.0.0", true },
		{ "0.255.255.255", true },
		{ "1.0.0.0", false },
		{ "8.8.8.8", false },
		{ "9.255.255.255", false },
		{ "10.0.0.0", true },
		{ "10.255.255.255", true },
		{ "11.0.0.0", false },
		{ "100.63.255.255", false },
		{ "100.64.0.0", true },
		{ "100.127.255.255", true },
		{ "100.128.0.0", false },
		{ "126.255.255.255", false },
		{ "127.0.0.1", true },
		{ "127.255.255.255", true },
		{ "128.0.0.0", false },
		{ "169.253.255.255", false },
		{ "169.254.0.0", true },
		{ "169.254.169.254", true },
		{ "169.255.0.0", false },
		{ "172.15.255.255", false },
		{ "172.16.0.0", true },
		{ "172.31.255.255", true },
		{ "172.32.0.0", false },
		{ "192.0.0.170", false }, /* ipv4only.arpa, RFC 7050 */
		{ "192.167.255.255", false },
		{ "192.168.0.0", true },
		{ "192.168.255.255", true },
		{ "192.169.0.0", false },
		{ "255.255.255.255", false },
		{ "::", true },
		{ "::1", true },
		{ "::2", true }, /* v4-compatible 0.0.0.2 */
		{ "::1:0:0:1", false },
		{ "2001:db8::1", false },
		{ "2606:4700::1111", false },
		{ "fbff::1", false },
		{ "fc00::1", true },
		{ "fd00:ec2::254", true },
		{ "fdff:ffff::", true },
		{ "fe00::1", false },
		{ "fe7f::1", false },
		{ "fe80::1", true },
		{ "febf::1", true },
		{ "fec0::1", true },
		{ "feff::1", true },
		{ "ff02::1", false },
		{ "::ffff:10.0.0.1", true },
		{ "::ffff:8.8.8.8", false },
		{ "::10.0.0.1", true },
		{ "::8.8.8.8", false },
		{ "64:ff9b::10.0.0.1", true },
		{ "64:ff9b::169.254.169.254", true },
		{ "64:ff9b::8.8.8.8", false },
		{ "64:ff9b::192.0.0.170", false },
		{ "64:ff9b::1:10.0.0.1", false }, /* not the /96 */
		{ "64:ff9b:1::10.0.0.1", true },
		{ "64:ff9b:1:abcd::192.168.1.1", true },
		{ "64:ff9b:1::8.8.8.8", false },
		{ "64:ff9b:1:abcd::8.8.8.8", false },
		{ "64:ff9b:1:c0a8:1:100::", true },    /* 192.168.1.1 behind a /48 */
		{ "64:ff9b:1:808:8:800::", false },    /* 8.8.8.8 */
		{ "64:ff9b:1:c0:a8:101::", true },     /* 192.168.1.1 behind a /56 */
		{ "64:ff9b:1:0:c0:a801:100:0", true }, /* behind a /64 */
		{ "64:ff9b:1:0:8:808:800:0", false },
		{ "64:ff9b:2::10.0.0.1", false },
		{ "2002:a00:1::1", true },
		{ "2002:7f00:1::", true },
		{ "2002:808:808::1", false },
		{ "2003:a00:1::1", false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct address address;
		assert_true(address_parse(&address, rows[i].address));
		if (rebinding_is_private(&address) != rows[i].is_private)
			fail_msg("%s", rows[i].address);
	}
}

#define QUESTION "1234 8180 0001 0001 0000 0000 'Www.example' 0001 0001 "
#define OTHER    "'cdn.net' "
#define HTTPS    "c00c 0041 0001 0000003c "

static void finds_them_in_answers(void **state)
{
	(void)state;
	static const struct {
		const char *title;
		const char *message;
		const char *owner; /* NULL: nothing is found */
	} rows[] = {
		{ "A", QUESTION "c00c 0001 0001 0000003c 0004 0a000001", "Www.example" },
		{ "a public one", QUESTION "c00c 0001 0001 0000003c 0004 08080808", NULL },
		{ "AAAA", QUESTION "c00c 001c 0001 0000003c 0010 fd00*1 00*15", "Www.example" },
		{ "v4-mapped", QUESTION "c00c 001c 0001 0000003c 0010 00*10 ffff 7f000001",
			"Www.example" },
		{ "of another name", QUESTION OTHER "0001 0001 0000003c 0004 7f000001", "cdn.net" },
		{ "the second",
			"1234 8180 0001 0002 0000 0000 'www.example' 0001 0001"
			"c00c 0001 0001 0000003c 0004 08080808"
			"c00c 0001 0001 0000003c 0004 c0a80001",
			"www.example" },
		{ "not in additional",
			"1234 8180 0001 0000 0000 0001 'www.example' 0001 0001"
			"c00c 0001 0001 0000003c 0004 0a000001",
			NULL },
		{ "in additional, of a service's target",
			"1234 8180 0001 0001 0000 0001 'www.example' 0041 0001"
			"c00c 0041 0001 0000003c 000f 0001 'svc.example'"
			"'svc.example' 0001 0001 0000003c 0004 0a000001",
			"svc.example" },
		{ "in additional, beside SVCB",
			"1234 8180 0001 0001 0000 0001 'www.example' 0040 0001"
			"c00c 0040 0001 0000003c 0003 0001 00"
			"c00c 001c 0001 0000003c 0010 fd00*1 00*15",
			"www.example" },
		{ "in authority of a service",
			"1234 8180 0001 0000 0001 0000 'www.example' 0041 0001"
			"c00c 0001 0001 0000003c 0004 0a000001",
			NULL },
		{ "another type with such bytes", QUESTION "c00c 0010 0001 0000003c 0004 0a000001",
			NULL },
		{ "ipv4hint", QUESTION HTTPS "000b 0001 00 0004 0004 0a000001", "Www.example" },
		{ "the second hint", QUESTION HTTPS "000f 0001 00 0004 0008 08080808 0a000001",
			"Www.example" },
		{ "ipv6hint", QUESTION HTTPS "0017 0001 00 0006 0010 00*15 01", "Www.example" },
		{ "behind other keys",
			QUESTION HTTPS
			"0018 0001 00 0001 0003 026832 0003 0002 01bb 0004 0004 0a000001",
			"Www.example" },
		{ "of SVCB", QUESTION "c00c 0040 0001 0000003c 000b 0001 00 0004 0004 0a000001",
			"Www.example" },
		{ "behind a target", QUESTION HTTPS "0013 0001 'cdn.net' 0004 0004 0a000001",
			"Www.example" },
		{ "behind a compressed target", QUESTION HTTPS "000c 0001 c00c 0004 0004 0a000001",
			"Www.example" },
		{ "public hints", QUESTION HTTPS "000b 0001 00 0004 0004 08080808", NULL },
		{ "another key with such bytes", QUESTION HTTPS "000b 0001 00 0005 0004 0a000001",
			NULL },
		{ "a hint of odd length", QUESTION HTTPS "000c 0001 00 0004 0005 08080808 0a",
			NULL },
		{ "a hint that is cut", QUESTION HTTPS "0009 0001 00 0004 0004 0a00", NULL },
		{ "a value beyond the record", QUESTION HTTPS "000b 0001 00 0004 0400 0a000001",
			NULL },
		{ "no keys", QUESTION HTTPS "0003 0001 00", NULL },
		{ "nothing", "1234 8180 0001 0000 0000 0000 'www.example' 0001 0001", NULL },
		/* names that are not public */
		{ "localhost",
			"1234 8180 0001 0001 0000 0000 'LocalHost' 0001 0001"
			"c00c 0001 0001 0000003c 0004 7f000001",
			NULL },
		{ "below local",
			"1234 8180 0001 0001 0000 0000 'nas.local' 0001 0001"
			"c00c 0001 0001 0000003c 0004 0a000001",
			NULL },
		{ "below home.arpa",
			"1234 8180 0001 0001 0000 0000 'nas.home.arpa' 0001 0001"
			"c00c 0001 0001 0000003c 0004 0a000001",
			NULL },
		{ "not below local",
			"1234 8180 0001 0001 0000 0000 'local.example' 0001 0001"
			"c00c 0001 0001 0000003c 0004 0a000001",
			"local.example" },
		{ "not local",
			"1234 8180 0001 0001 0000 0000 'xlocal' 0001 0001"
			"c00c 0001 0001 0000003c 0004 0a000001",
			"xlocal" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct dns_answer answer;
		struct dns_name owner;
		if (dns_answer_open(&answer, wire(rows[i].message)) < 0)
			fail_msg("%s does not open", rows[i].title);
		bool found = rebinding_finds(&answer, NULL, 0, &owner);
		if (found != (rows[i].owner != NULL))
			fail_msg("%s", rows[i].title);
		assert_int_equal(rebinding_finds(&answer, NULL, 0, NULL), found);
		if (!found)
			continue;
		struct dns_name expected = fixture_name(rows[i].owner);
		assert_true(slice_equals(dns_name_slice(&owner), dns_name_slice(&expected)));
	}
}

static void exceptions_are_for_names_and_all_below(void **state)
{
	(void)state;
	static const char *const texts[] = { "plex.direct", "corp.example", "example.net", "x",
		"a.b.c.d.e.f" };
	static const struct {
		const char *question;
		bool found;
	} rows[] = {
		{ "plex.direct", false },
		{ "a.b.PLEX.direct", false },
		{ "direct", true },
		{ "xplex.direct", true },
		{ "corp.example", false },
		{ "example", true },
		{ "www.example", true },
		{ "example.net", false },
		{ "x", false },
		{ "y.x", false },
		{ "x.y", true },
		{ "a.b.c.d.e.f", false },
		{ "b.c.d.e.f", true },
		{ ".", true },
	};
	struct dns_name names[5];
	struct slice exceptions[5];
	for (size_t i = 0; i < 5; i++) {
		names[i] = fixture_name(texts[i]);
		exceptions[i] = dns_name_slice(&names[i]);
	}
	rebinding_sort(exceptions, 5);
	rebinding_sort(NULL, 0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char notation[256];
		struct dns_answer answer;
		snprintf(notation, sizeof notation,
			"1234 8180 0001 0001 0000 0000 '%s' 0001 0001"
			"c00c 0001 0001 0000003c 0004 0a000001",
			rows[i].question);
		assert_int_equal(dns_answer_open(&answer, wire(notation)), 0);
		if (rebinding_finds(&answer, exceptions, 5, NULL) != rows[i].found)
			fail_msg("%s", rows[i].question);
	}
}

/* An alias into a domain of exceptions is no way round: anybody can have one. */
static void an_alias_into_an_exception_does_not_count(void **state)
{
	(void)state;
	struct dns_name corp = fixture_name("corp.example");
	struct slice exception = dns_name_slice(&corp);
	struct dns_answer answer;
	assert_int_equal(dns_answer_open(&answer,
				 wire("1234 8180 0001 0002 0000 0000 'evil' 0001 0001"
				      "c00c 0005 0001 0000003c 0010 'a.corp.example'"
				      "'a.corp.example' 0001 0001 0000003c 0004 0a000001")),
		0);
	assert_true(rebinding_finds(&answer, &exception, 1, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_private_addresses),
		cmocka_unit_test(finds_them_in_answers),
		cmocka_unit_test(exceptions_are_for_names_and_all_below),
		cmocka_unit_test(an_alias_into_an_exception_does_not_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
