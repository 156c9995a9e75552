/* svcb_test.c - dns/svcb.c record by record, and proxy/query/svcb.c answer by answer. */
#include "dns/svcb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "proxy/query/parts.h"
#include "tests/unit/wire.h"

/* A header, "a.test" as the question at 12, and one record with this RDATA, whose owner is a
 * pointer to it. */
static struct slice message_of(struct slice rdata)
{
	uint8_t bytes[70000];
	struct writer to = writer_of(bytes, sizeof bytes);
	writer_slice_bytes(&to,
		wire("1234 8180 0001 0001 0000 0000 'a.test' 0041 0001"
		     "c00c 0041 0001 0000003c"));
	writer_u16(&to, (uint16_t)rdata.len);
	writer_slice_bytes(&to, rdata);
	assert_false(to.failed);
	return wire_keep(writer_slice(&to));
}

static struct dns_record first_record(const struct dns_answer *answer)
{
	struct dns_record_walk walk;
	struct dns_record record;
	dns_record_walk_begin(&walk, answer);
	assert_true(dns_record_next(&walk, &record));
	return record;
}

static enum dns_svcb_fate strip(struct slice rdata, struct writer *to)
{
	struct dns_answer answer;
	assert_int_equal(dns_answer_open(&answer, message_of(rdata)), 0);
	struct dns_record record = first_record(&answer);
	return dns_svcb_without_ech(&answer, &record, to);
}

static void parameters_go_one_by_one(void **state)
{
	(void)state;
	static const struct {
		const char *rdata;
		enum dns_svcb_fate fate;
		const char *expected;
	} rows[] = {
		{ "0001 00", DNS_SVCB_KEPT, "" },
		{ "0001 00 0001 0003 02 \"h2\"", DNS_SVCB_KEPT, "" },
		{ "0001 00 0005 0002 abcd", DNS_SVCB_CHANGED, "0001 00" },
		{ "0001 00 0005 0000", DNS_SVCB_CHANGED, "0001 00" },
		{ "0001 'b.test' 0001 0003 02 \"h2\" 0005 0002 abcd 0006 0010 00*16",
			DNS_SVCB_CHANGED, "0001 'b.test' 0001 0003 02 \"h2\" 0006 0010 00*16" },
		/* alias mode: what stands behind the target means nothing, and goes all the same */
		{ "0000 'b.test' 0005 0001 aa", DNS_SVCB_CHANGED, "0000 'b.test'" },
		/* a target that was compressed against the rules */
		{ "0001 c00c 0005 0001 aa", DNS_SVCB_CHANGED, "0001 'a.test'" },
		/* twice, and out of order: no client takes it, and none gets a key from it */
		{ "0001 00 0005 0001 aa 0005 0001 bb 0001 0003 02 \"h2\"", DNS_SVCB_CHANGED,
			"0001 00 0001 0003 02 \"h2\"" },
		/* bytes that look like the key, inside another one's value */
		{ "0001 00 ff00 0006 0005 0002 abcd", DNS_SVCB_KEPT, "" },
		/* mandatory */
		{ "0001 00 0000 0002 0001 0001 0003 02 \"h2\" 0005 0001 aa", DNS_SVCB_CHANGED,
			"0001 00 0000 0002 0001 0001 0003 02 \"h2\"" },
		{ "0001 00 0000 0002 0005 0005 0001 aa", DNS_SVCB_DROPPED, "" },
		{ "0001 00 0000 0004 0001 0005 0001 0003 02 \"h2\" 0005 0001 aa", DNS_SVCB_DROPPED,
			"" },
		{ "0001 00 0000 0002 0005", DNS_SVCB_DROPPED, "" },
		{ "0001 00 0000 0001 00 0005 0001 aa", DNS_SVCB_DROPPED, "" },
		/* lengths that lie */
		{ "0001 00 0005 0003 aabb", DNS_SVCB_DROPPED, "" },
		{ "0001 00 0005 ffff aabb", DNS_SVCB_DROPPED, "" },
		{ "0001 00 0005 00", DNS_SVCB_DROPPED, "" },
		{ "0001 00 00", DNS_SVCB_DROPPED, "" },
		{ "0001 00 0001 0003 02 \"h2\" 0005", DNS_SVCB_DROPPED, "" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		static uint8_t bytes[DNS_SVCB_RDATA_MAX];
		struct writer to = writer_of(bytes, sizeof bytes);
		enum dns_svcb_fate fate = strip(wire(rows[i].rdata), &to);
		if (fate != rows[i].fate ||
			!slice_equals(writer_slice(&to), wire(rows[i].expected)))
			fail_msg("row %zu: fate %d, %zu bytes", i, fate, to.len);
	}
}

static void what_does_not_fit_is_dropped(void **state)
{
	(void)state;
	uint8_t bytes[9];
	struct slice rdata = wire("0001 00 0001 0003 02 \"h2\" 0005 0002 abcd");
	struct writer to = writer_of(bytes, sizeof bytes);
	assert_int_equal(strip(rdata, &to), DNS_SVCB_DROPPED);
	assert_int_equal(to.len, 0);
}

static void the_longest_record_fits(void **state)
{
	(void)state;
	static uint8_t rdata[65000], stripped[DNS_SVCB_RDATA_MAX];
	struct writer from = writer_of(rdata, sizeof rdata);
	writer_slice_bytes(&from, wire("0001 c00c 0005 0001 aa ff00"));
	writer_u16(&from, (uint16_t)(sizeof rdata - from.len - 2));
	writer_zeros(&from, sizeof rdata - from.len);
	struct writer to = writer_of(stripped, sizeof stripped);
	assert_int_equal(strip(writer_slice(&from), &to), DNS_SVCB_CHANGED);
	assert_int_equal(to.len, sizeof rdata - 5 - 2 + sizeof "\1a\4test");
}

/* ---- answers ---- */

/* "HTTPS a.test. 0001 00; SOA test.": type, owner and, of HTTPS and SVCB, RDATA, by section. */
static void say_records(struct slice message, char *text, size_t size)
{
	struct dns_answer answer;
	struct dns_record_walk walk;
	struct dns_record record;
	struct writer to = writer_of(text, size - 1);
	assert_int_equal(dns_answer_open(&answer, message), 0);
	dns_record_walk_begin(&walk, &answer);
	while (dns_record_next(&walk, &record)) {
		writer_text(&to, &"!\0?\0+"[2 * record.section]);
		dns_type_write(&to, record.type);
		writer_text(&to, " ");
		dns_name_write_text(&to, dns_name_slice(&record.owner));
		for (size_t i = 0; dns_svcb_is_type(record.type) && i < record.rdata.len; i++) {
			char byte[3];
			snprintf(byte, sizeof byte, "%02x", record.rdata.at[i]);
			writer_text(&to, byte);
		}
		writer_text(&to, " ");
	}
	assert_false(to.failed);
	text[to.len] = '\0';
}

static void check_answer(const char *notation, enum svcb_handling handling, const char *expected)
{
	uint8_t buffer[4096];
	char said[1024];
	struct dns_answer answer;
	struct dns_reply reply;
	assert_int_equal(dns_answer_open(&answer, wire(notation)), 0);
	const struct dns_query query = { .name = answer.name,
		.type = answer.type,
		.class = answer.class };
	dns_reply_begin(&reply, &query, (struct dns_reply_limits){ .size = sizeof buffer }, buffer,
		sizeof buffer);
	query_copy_stripped(&answer, handling, &reply);
	say_records(dns_reply_finish(&reply), said, sizeof said);
	assert_string_equal(said, expected);
}

/* "a.test" stands at 12, "test" at 14. */
#define QUESTION(type) " 'a.test' " type " 0001 "
#define HTTPS_ECH      " c00c 0041 0001 0000003c 0008 0001 00 0005 0001 aa "
#define HTTPS_PLAIN    " c00c 0041 0001 0000003c 0003 0002 00 "
#define HTTPS_NEEDS    " c00c 0041 0001 0000003c 000e 0001 00 0000 0002 0005 0005 0001 aa "
#define RRSIG_OF(type) " c00c 002e 0001 0000003c 0013 " type " 00*16 00 "
#define NS_OF_TEST     " c00e 0002 0001 0000003c 0004 016e c00e "
#define ADDRESS        " 016e c00e 0001 0001 0000003c 0004 c0000201 "
#define SOA_OF_TEST    " c00e 0006 0001 0000003c 0016 00 00 00*20 "
#define ALIAS          " c00c 0005 0001 0000003c 0004 0162 c00e "
#define OF_ALIAS       " 0162 c00e 0041 0001 0000003c 0008 0001 00 0005 0001 aa "

static void ech_goes_and_the_rest_stays(void **state)
{
	(void)state;
	check_answer("1234 8180 0001 0003 0001 0001" QUESTION("0041")
			     HTTPS_ECH HTTPS_PLAIN RRSIG_OF("0041") NS_OF_TEST ADDRESS,
		SVCB_STRIP_ECH, "!HTTPS a.test.000100 !HTTPS a.test.000200 ?NS test. +A n.test. ");
	check_answer("1234 8180 0001 0003 0000 0000" QUESTION("0041")
			     ALIAS OF_ALIAS RRSIG_OF("0005"),
		SVCB_STRIP_ECH, "!CNAME a.test. !HTTPS b.test.000100 !RRSIG a.test. ");
	/* one that cannot be without it goes; the other one is an answer */
	check_answer("1234 8180 0001 0002 0000 0001" QUESTION("0041")
			     HTTPS_NEEDS HTTPS_PLAIN ADDRESS,
		SVCB_STRIP_ECH, "!HTTPS a.test.000200 +A n.test. ");
	check_answer("1234 8180 0001 0001 0000 0001" QUESTION("0041") HTTPS_NEEDS ADDRESS,
		SVCB_STRIP_ECH, "?SOA test. ");
}

static void all_of_it_goes(void **state)
{
	(void)state;
	check_answer("1234 8180 0001 0003 0001 0001" QUESTION("0041")
			     HTTPS_ECH HTTPS_PLAIN RRSIG_OF("0041") NS_OF_TEST ADDRESS,
		SVCB_STRIP, "?NS test. ?SOA test. ");
	check_answer("1234 8180 0001 0002 0000 0000" QUESTION("0041") ALIAS OF_ALIAS, SVCB_STRIP,
		"!CNAME a.test. ?SOA test. ");
	check_answer("1234 8180 0001 0001 0001 0000" QUESTION("0041") HTTPS_PLAIN SOA_OF_TEST,
		SVCB_STRIP, "?SOA test. ");
	/* of a question for everything the rest stays, and nothing says that there is nothing */
	check_answer("1234 8180 0001 0003 0000 0001" QUESTION("00ff")
			     HTTPS_PLAIN NS_OF_TEST RRSIG_OF("0001") ADDRESS,
		SVCB_STRIP, "!NS test. !RRSIG a.test. +A n.test. ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters_go_one_by_one),
		cmocka_unit_test(what_does_not_fit_is_dropped),
		cmocka_unit_test(the_longest_record_fits),
		cmocka_unit_test(ech_goes_and_the_rest_stays),
		cmocka_unit_test(all_of_it_goes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
