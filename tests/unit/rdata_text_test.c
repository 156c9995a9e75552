#include "dns/rdata_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/wire.h"

/* An answer to "www.example" whose only record has this type and RDATA. */
static struct slice answer_with(uint16_t type, const char *rdata)
{
	char notation[1024];
	size_t len = wire(rdata).len;
	snprintf(notation, sizeof notation,
		"1234 8180 0001 0001 0000 0000 'www.example' 00ff 0001 "
		"c00c %04x 0001 00000000 %04zx %s",
		type, len, rdata);
	return wire(notation);
}

static const char *text_of(uint16_t type, const char *rdata, size_t room)
{
	static char text[2048];
	struct dns_answer answer;
	struct dns_record_walk walk;
	struct dns_record record;
	struct writer to = writer_of(text, room);
	assert_int_equal(dns_answer_open(&answer, answer_with(type, rdata)), 0);
	dns_record_walk_begin(&walk, &answer);
	assert_true(dns_record_next(&walk, &record));
	dns_rdata_write_text(&to, &answer, &record);
	text[to.len] = '\0';
	return to.failed ? NULL : text;
}

static void records_read_as_in_a_zone_file(void **state)
{
	(void)state;
	const struct {
		uint16_t type;
		const char *rdata;
		const char *text;
	} rows[] = {
		{ DNS_TYPE_A, "c0000201", "192.0.2.1" },
		{ DNS_TYPE_A, "00000000", "0.0.0.0" },
		{ DNS_TYPE_AAAA, "20010db8 00*11 01", "2001:db8::1" },
		{ DNS_TYPE_AAAA, "00*10 ffff c0000201", "::ffff:192.0.2.1" },
		{ DNS_TYPE_CNAME, "04 \"mail\" c010", "mail.example." },
		{ DNS_TYPE_PTR, "00", "." },
		{ DNS_TYPE_NS, "03 00ff2e 00", "\\000\\255\\046." },
		{ DNS_TYPE_MX, "000a 04 \"mail\" c010", "10 mail.example." },
		{ DNS_TYPE_SRV, "0001 0002 01bb c00c", "1 2 443 www.example." },
		{ DNS_TYPE_SOA, "c00c c010 0000000100000002000000030000000400000005",
			"www.example. example. 1 2 3 4 5" },
		{ DNS_TYPE_NAPTR, "0064 0032 01 75 07 \"E2U+sip\" 00 c00c",
			"100 50 \"u\" \"E2U+sip\" \"\" www.example." },
		{ DNS_TYPE_TXT, "03 \"a b\" 00 01 \"c\"", "\"a b\" \"\" \"c\"" },
		{ DNS_TYPE_TXT, "05 22 5c 0a 7f ff", "\"\\034\\092\\010\\127\\255\"" },
		{ DNS_TYPE_TXT, "05 \"abc\"", "\\# 4 05616263" },  /* the string runs over */
		{ DNS_TYPE_TXT, "01 61 05 62", "\\# 4 01610562" }, /* the second one does */
		{ DNS_TYPE_TXT, "", "\\# 0" },
		{ DNS_TYPE_HTTPS, "0001 00", "\\# 3 000100" },
		{ DNS_TYPE_SIG, "00*18 00", "\\# 19 00000000000000000000000000000000000000" },
		{ 65400, "c00c", "\\# 2 C00C" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_string_equal(text_of(rows[i].type, rows[i].rdata, 1024), rows[i].text);
}

/* Text that does not fit fails, and stays within its room; the caller decides what to do. */
static void short_room_fails(void **state)
{
	(void)state;
	const struct {
		uint16_t type;
		const char *rdata;
	} rows[] = {
		{ DNS_TYPE_A, "c0000201" },
		{ DNS_TYPE_SOA, "c00c c010 0000000100000002000000030000000400000005" },
		{ DNS_TYPE_TXT, "03 \"a b\" 00 01 \"c\"" },
		{ DNS_TYPE_TXT, "01 61 05 62" },
		{ 65400, "c00c" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t len = strlen(text_of(rows[i].type, rows[i].rdata, 1024));
		for (size_t room = 0; room < len; room++)
			assert_null(text_of(rows[i].type, rows[i].rdata, room));
		assert_non_null(text_of(rows[i].type, rows[i].rdata, len));
	}
}

/* No byte of the network reaches a log as itself unless it is printable ASCII. */
static void text_is_printable_ascii(void **state)
{
	(void)state;
	static const uint16_t types[] = { DNS_TYPE_TXT, DNS_TYPE_HINFO, DNS_TYPE_SPF, DNS_TYPE_CAA,
		65400 };
	for (unsigned byte = 0; byte < 256; byte++) {
		for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
			char rdata[32];
			snprintf(rdata, sizeof rdata, "03 %02x*3", byte);
			const char *text = text_of(types[i], rdata, 1024);
			for (; *text; text++)
				assert_in_range(*text, 0x20, 0x7e);
		}
		char name[32];
		snprintf(name, sizeof name, "03 %02x*3 00", byte);
		for (const char *text = text_of(DNS_TYPE_CNAME, name, 1024); *text; text++)
			assert_in_range(*text, 0x21, 0x7e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_read_as_in_a_zone_file),
		cmocka_unit_test(short_room_fails),
		cmocka_unit_test(text_is_printable_ascii),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
