/* RDATA from text, as bytes. */
#include "tests/unit/rules_fixture.h"

#include "rules/lists/zone_rdata.h"

/* The RDATA of the one record in `line` as hexadecimal digits; "" when there is none. */
static void check(const char *line, const char *expected)
{
	static struct zone_text zone;
	struct zone_entry entry;
	uint8_t rdata[FACET_RECORDS_MAX];
	static char hex[2 * FACET_RECORDS_MAX + 1];
	struct writer to = writer_of(rdata, sizeof rdata);
	zone_text_begin(&zone, slice_of_text(line));
	zone.origin = fixture_name("o.");
	assert_true(zone_text_next(&zone, &entry));
	assert_int_equal(entry.fault, LIST_REJECT_NONE);
	bool fine = zone_rdata_read(&to, entry.type, entry.rdata, entry.rdata_count, &zone.origin);
	hex[0] = '\0';
	for (size_t i = 0; fine && i < to.len; i++)
		sprintf(hex + 2 * i, "%02x", rdata[i]);
	if (fine != (expected != NULL) || (fine && strcmp(hex, expected) != 0))
		fail_msg("%s: %s", line, fine ? hex : "none");
}

static void test_types(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		const char *hex; /* NULL: none */
	} rows[] = {
		{ "a A 192.0.2.1", "c0000201" },
		{ "a A 192.0.2", NULL },
		{ "a A 192.0.2.256", NULL },
		{ "a A 192.0.2.1 192.0.2.2", NULL },
		{ "a A \"192.0.2.1\"", NULL },
		{ "a A ::1", NULL },
		{ "a A", NULL },
		{ "a AAAA 2001:db8::1", "20010db8000000000000000000000001" },
		{ "a AAAA ::ffff:192.0.2.1", "00000000000000000000ffffc0000201" },
		{ "a AAAA 192.0.2.1", NULL },
		{ "a AAAA fe80::1%lo", NULL },
		{ "a CNAME .", "00" },
		{ "a CNAME *.", "012a00" },
		{ "a CNAME b", "0162016f00" },
		{ "a CNAME @", "016f00" },
		{ "a CNAME B.", "014200" },
		{ "a CNAME \"b\"", NULL },
		{ "a CNAME b..c", NULL },
		{ "a NS b.", "016200" },
		{ "a PTR b.", "016200" },
		{ "a MX 10 b.", "000a016200" },
		{ "a MX 65536 b.", NULL },
		{ "a MX -1 b.", NULL },
		{ "a MX b.", NULL },
		{ "a MX 10 b. c.", NULL },
		{ "a TXT \"v=1\" x \"\"", "03763d31017800" },
		{ "a TXT \"\\065\\\"\\\\\"", "0341225c" },
		{ "a TXT \"\\256\"", NULL },
		{ "a TXT \"\\25\"", NULL },
		{ "a TXT \"\\2a5\"", NULL },
		{ "a TXT", NULL },
		{ "a SPF x", "0178" },
		{ "a SRV 1 2 3 b.", "000100020003016200" },
		{ "a NAPTR 1 2 \"u\" \"E2U+sip\" \"!^.*$!sip:x!\" .",
			"0001000201750745325"
			"52b7369700c215e2e2a24217369703a782100" },
		{ "a HTTPS 1 .", "000100" },
		{ "a HTTPS 0 b.", "0000016200" },
		{ "a HTTPS 1 . alpn=h2", NULL },
		{ "a SVCB 2 b", "00020162016f00" },
		{ "a CAA 0 issue \"ca.example\"",
			"00056973737565"
			"63612e6578616d706c65" },
		{ "a HINFO \"\" x", "000178" },
		{ "a RP b. c.", "016200016300" },
		{ "a URI 1 2 \"x:y\"", "00010002783a79" },
		{ "a TLSA 3 1 1 00fF 01", "03010100ff01" },
		{ "a TLSA 3 1 1 00f", NULL },
		{ "a TLSA 3 1 1 0g", NULL },
		{ "a SSHFP 1 2 ab", "0102ab" },
		/* the generic form */
		{ "a A \\# 4 c0000201", "c0000201" },
		{ "a A \\# 3 c00002", NULL },
		{ "a A \\# 4 c00002", NULL },
		{ "a A \\# 5 c000020100", NULL },
		{ "a TYPE65534 \\# 0", "" },
		{ "a TYPE65534 \\# 3 ab cd ef", "abcdef" },
		{ "a TYPE65534 x", NULL },
		{ "a HTTPS \\# 10 000100 00010003 02 6832",
			"0001000001000302"
			"6832" },
		{ "a CNAME \\# 3 016200", "016200" },
		{ "a CNAME \\# 2 c000", NULL },
		{ "a CNAME \\# 2 c00c", NULL },
		{ "a SRV \\# 16 000100020003 0000000000000000c006", NULL },
		{ "a MX \\# 17 000a 0000000000000000000000 01 62 c00d", NULL },
		/* no answers of ours */
		{ "a SOA m. r. 1 2 3 4 5", NULL },
		{ "a DNAME b.", NULL },
		{ "a DNAME \\# 1 00", NULL },
		{ "a DS 1 8 2 ab", NULL },
		{ "a RRSIG \\# 1 00", NULL },
		{ "a ANY \\# 0", NULL },
		{ "a OPT \\# 0", NULL },
		{ "a TYPE0 \\# 0", NULL },
		{ "a TYPE200 \\# 0", NULL },
		{ "a LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m", NULL },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check(rows[i].line, rows[i].hex);
}

static void test_lengths(void **state)
{
	(void)state;
	static char line[2 * LIST_LINE_MAX];
	static char hex[2 * LIST_LINE_MAX];
	for (size_t len = 254; len < 257; len++) {
		snprintf(line, sizeof line, "a TXT %0*d", (int)len, 0);
		size_t at = (size_t)snprintf(hex, sizeof hex, "%02x", (unsigned)len & 0xff);
		for (size_t i = 0; i < len; i++)
			at += (size_t)snprintf(hex + at, sizeof hex - at, "30");
		check(line, len < 256 ? hex : NULL);
	}
	/* more strings than a facet holds */
	struct writer to = writer_of(line, sizeof line - 1);
	writer_text(&to, "a TXT");
	for (unsigned i = 0; i < 17; i++) {
		writer_u8(&to, ' ');
		memset(line + to.len, 'x', 250);
		to.len += 250;
	}
	line[to.len] = '\0';
	check(line, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_lengths),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
