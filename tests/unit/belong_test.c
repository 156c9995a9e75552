#include "dns/belong.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/wire.h"

#define RECORD(owner, type, rdata) owner " " type " 0001 0000003c " rdata " "
#define A(owner)                   RECORD(owner, "0001", "0004 c0000201")
#define TEXT(owner)                RECORD(owner, "0010", "0001 00")
#define SOA(owner)                 RECORD(owner, "0006", "0016 00 00 00*20")
#define NS(owner)                  RECORD(owner, "0002", "0006 'ns.b'")
#define DS(owner)                  RECORD(owner, "002b", "0004 00000000")
#define NSEC(owner)                RECORD(owner, "002f", "0003 'z'")
#define NSEC3(owner)               RECORD(owner, "0032", "0001 00")
/* by "b.c" */
#define RRSIG(owner, covered) RECORD(owner, "002e", "0018" covered "00*16 'b.c' 00")
#define CNAME(owner, target)  RECORD(owner, "0005", "0007 " target) /* of five letters */
#define DNAME(owner, target)  RECORD(owner, "0027", "0007 " target)

/* "1" for each record that belongs, in the order of the message. */
static const char *belonging(const struct dns_answer *answer)
{
	static char marks[128];
	static struct dns_belong belong;
	struct dns_record_walk walk;
	struct dns_record record;
	size_t count = 0;
	if (!dns_belong_begin(&belong, answer))
		return "too many";
	dns_record_walk_begin(&walk, answer);
	while (dns_record_next(&walk, &record))
		marks[count++] = dns_belong_has(&belong, &record) ? '1' : '0';
	marks[count] = '\0';
	return marks;
}

static void only_what_was_asked_for_belongs(void **state)
{
	(void)state;
	/* The question is "A.b.c". */
	static const struct {
		const char *title;
		const char *type;
		const char *counts;
		const char *records;
		const char *belongs;
	} rows[] = {
		{ "the answer, in any case", "0001", "0002 0000 0000", A("c00c") A("'a.B.c'"),
			"11" },
		{ "another type of the name", "0001", "0001 0000 0000", TEXT("c00c"), "1" },
		{ "others' addresses", "0001", "0004 0000 0000",
			A("'b.c'") A("'x.b.c'") A("'x.a.b.c'") A("'.'"), "0000" },
		{ "another class", "0001", "0002 0001 0001",
			"c00c 0001 0003 0000003c 0004 c0000201 c00c 0005 00fe 0000003c 0002 c00c"
			"c00e 0006 00ff 0000003c 0016 00*22 c00c 0001 0004 0000003c 0004 c0000201",
			"0000" },
		{ "a chain", "0001", "0003 0000 0000",
			CNAME("c00c", "'x.www'") CNAME("'x.www'", "'y.www'") A("'y.www'"), "111" },
		{ "a chain from its end", "0001", "0003 0000 0000",
			A("'y.www'") CNAME("'x.www'", "'y.www'") CNAME("c00c", "'x.www'"), "111" },
		{ "a chain beside the question", "0001", "0003 0000 0000",
			CNAME("'z.www'", "'x.www'") A("'x.www'") A("c00c"), "001" },
		{ "two aliases of one name", "0001", "0004 0000 0000",
			CNAME("c00c", "'x.www'") CNAME("c00c", "'y.www'") A("'x.www'") A("'y.www'"),
			"1111" },
		{ "a loop", "0001", "0002 0000 0000",
			CNAME("c00c", "'x.www'") RECORD("'x.www'", "0005", "0002 c00c"), "11" },
		{ "an alias is not followed when it was asked for", "0005", "0002 0000 0000",
			CNAME("c00c", "'x.www'") A("'x.www'"), "10" },
		{ "nor when anything was asked for", "00ff", "0002 0000 0000",
			CNAME("c00c", "'x.www'") A("'x.www'"), "10" },
		{ "a signature goes with its name", "0001", "0004 0000 0000",
			A("c00c") RRSIG("c00c", "0001") RRSIG("'b.c'", "0001")
				RRSIG("'x.b.c'", "0001"),
			"1100" },
		{ "a DNAME above, and what it makes", "0001", "0004 0000 0000",
			DNAME("c00e", "'x.www'") RRSIG("c00e", "0027")
				RECORD("c00c", "0005", "0009 'a.x.www'") A("'a.x.www'"),
			"1111" },
		{ "a DNAME without the CNAME", "0001", "0002 0000 0000",
			DNAME("c00e", "'x.www'") A("'a.x.www'"), "11" },
		{ "a DNAME behind a CNAME", "0001", "0004 0000 0000",
			CNAME("c00c", "'x.www'") DNAME("'www'", "'z.com'") A("'x.z.com'")
				A("'z.com'"),
			"1110" },
		{ "a DNAME beside, below, or of the name itself", "0001", "0004 0000 0000",
			DNAME("'x.b.c'", "'x.www'") DNAME("'x.a.b.c'", "'x.www'")
				DNAME("c00c", "'x.www'") A("'x.www'"),
			"0010" },
		{ "a DNAME that makes too long a name", "0001", "0002 0000 0000",
			RECORD("c00e", "0027", "00ff 3f 61*63 3f 61*63 3f 61*63 3d 61*61 00")
				A("'x.www'"),
			"10" },
		{ "zones above", "0001", "0000 0008 0000",
			SOA("c00e") NS("'c'") DS("c00c") RRSIG("c00e", "0006") SOA("'x.b.c'")
				NS("'d'") DS("'x.a.b.c'") RRSIG("'d'", "0002"),
			"11110000" },
		{ "zones above what it leads to", "0001", "0001 0002 0000",
			CNAME("c00c", "'x.www'") SOA("'www'") SOA("'com'"), "110" },
		{ "other types in authority", "0001", "0000 0003 0000",
			A("c00c") TEXT("c00e") CNAME("c00c", "'x.www'"), "000" },
		{ "denials of the zone, known by its SOA", "0001", "0000 0007 0000",
			NSEC("'x.b.c'") NSEC3("'hash.b.c'") RRSIG("'hash.b.c'", "0032") SOA("c00e")
				NSEC("'x.c'") NSEC3("'hash.d'") RRSIG("'x.d'", "002f"),
			"1111000" },
		{ "signed from outside of the zone", "0001", "0001 0002 0000",
			A("c00c") NSEC("'x.b.c'") RRSIG("'x.g'", "002f"), "100" },
		{ "known by its signature", "0001", "0001 0004 0000",
			A("c00c") NSEC("'x.b.c'") RRSIG("'x.b.c'", "002f") NSEC("'x.c'")
				NSEC("'x.d'"),
			"11100" },
		{ "known by nothing", "0001", "0001 0001 0000", A("c00c") NSEC("'x.b.c'"), "10" },
		{ "a signature too short to say by whom", "0001", "0000 0002 0000",
			RECORD("c00e", "002e", "0002 002f") RECORD("c00e", "002e", "0000"), "00" },
		{ "addresses of targets", "0021", "0002 0000 0004",
			RECORD("c00c", "0021", "000b 000000000050 's.x'")
				RECORD("c00c", "0021", "000b 000000000050 't.x'") A("'T.X'")
					RRSIG("'s.x'", "0001") TEXT("'s.x'") A("'u.x'"),
			"111100" },
		{ "of a mail server", "000f", "0001 0000 0001",
			RECORD("c00c", "000f", "0007 000a 's.x'") A("'s.x'"), "11" },
		{ "of a name server", "0002", "0001 0000 0001", NS("c00c") A("'ns.b'"), "11" },
		{ "of a service", "0041", "0002 0000 0003",
			RECORD("c00c", "0041", "0003 0001 00") RECORD(
				"c00c", "0041", "0007 0002 's.x'") A("c00c") A("'s.x'") A("'.'"),
			"11110" },
		{ "of what does not belong", "0021", "0001 0000 0001",
			RECORD("'z'", "0021", "000b 000000000050 's.x'") A("'s.x'"), "00" },
		{ "a referral's glue", "0001", "0000 0001 0001", NS("c00e") A("'ns.b'"), "10" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char notation[2048];
		struct dns_answer answer;
		snprintf(notation, sizeof notation, "1234 8180 0001 %s 'A.b.c' %s 0001 %s",
			rows[i].counts, rows[i].type, rows[i].records);
		assert_int_equal(dns_answer_open(&answer, wire(notation)), 0);
		if (strcmp(belonging(&answer), rows[i].belongs) != 0)
			fail_msg("%s: %s", rows[i].title, belonging(&answer));
	}
}

/* A chain of `links` aliases, or as many that lead nowhere, or of one that is said over and over.
 */
static const char *long_answer(unsigned links, bool is_chain, bool is_one)
{
	static uint8_t message[DNS_MESSAGE_MAX];
	struct writer to = writer_of(message, sizeof message);
	writer_slice_bytes(&to, wire("1234 8180 0001 0000 0000 0000 01 00 00 0001 0001"));
	writer_patch_u16(&to, 6, (uint16_t)links);
	for (unsigned i = 0; i < links; i++) {
		uint8_t from = (uint8_t)(is_one ? 0 : is_chain ? i : i + 100);
		const uint8_t record[] = { 1, from, 0, 0, 5, 0, 1, 0, 0, 0, 60, 0, 3, 1,
			(uint8_t)(from + 1), 0 };
		writer_bytes(&to, record, sizeof record);
	}
	struct dns_answer answer;
	assert_int_equal(dns_answer_open(&answer, writer_slice(&to)), 0);
	return belonging(&answer);
}

static void what_nobody_follows_is_refused(void **state)
{
	(void)state;
	assert_string_equal(long_answer(16, true, false), "1111111111111111");
	assert_string_equal(long_answer(17, true, false), "too many");
	assert_string_equal(long_answer(32, false, false), "00000000000000000000000000000000");
	assert_string_equal(long_answer(33, false, false), "too many");
	assert_string_equal(
		long_answer(40, true, true), "1111111111111111111111111111111111111111");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_was_asked_for_belongs),
		cmocka_unit_test(what_nobody_follows_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
