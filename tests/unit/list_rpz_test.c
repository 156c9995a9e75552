/* Policy zones: what their owners trigger on and what their records do. */
#include "tests/unit/list_fixture.h"

static void test_actions(void **state)
{
	(void)state;
	static const struct line_row rows[] = {
		{ "a.example CNAME .", "exact a.example. nxdomain" },
		{ "a.example CNAME *.", "exact a.example. nodata" },
		{ "a.example CNAME rpz-passthru.", "exact a.example. pass" },
		{ "a.example CNAME RPZ-Passthru.", "exact a.example. pass" },
		{ "a.example CNAME rpz-drop.", "exact a.example. drop" },
		{ "a.example CNAME rpz-tcp-only.", "exact a.example. tcp-only" },
		/* as passthru was written once */
		{ "a.example CNAME a.example.", "exact a.example. pass" },
		{ "A.example CNAME a.EXAMPLE.", "exact a.example. pass" },
		{ "a.example CNAME b.example.",
			"exact a.example. CNAME/60/0162076578616d706c6500" },
		{ "a.example CNAME *.g.", "exact a.example. CNAME/60/012a016700" },
		{ "*.a.example CNAME *.a.example.",
			"below a.example. CNAME/60/012a0161076578616d706c6500" },
		/* words that are none yet */
		{ "a.example CNAME rpz-log.", "answer <a.example CNAME rpz-log.>" },
		{ "a.example CNAME x.rpz-passthru.", "answer <a.example CNAME x.rpz-passthru.>" },
		{ "a.example CNAME rpzz.", "exact a.example. CNAME/60/0472707a7a00" },
		{ "a.example 5 A 192.0.2.1", "exact a.example. A/5/c0000201" },
		{ "a.example TXT \"x\" y", "exact a.example. TXT/60/01780179" },
		{ "a.example MX 10 .", "exact a.example. MX/60/000a00" },
		{ "a.example TYPE65534 \\# 2 abcd", "exact a.example. TYPE65534/60/abcd" },
		{ "a.example A 192.0.2", "answer <a.example A 192.0.2>" },
		{ "a.example DNAME b.", "answer <a.example DNAME b.>" },
		{ "a.example CNAME", "answer <a.example CNAME>" },
		{ "a.example CNAME . .", "answer <a.example CNAME . .>" },
		{ "a.example CNAME \".\"", "answer <a.example CNAME \".\">" },
		/* about the zone, not in it */
		{ "a.example RRSIG \\# 1 00", "" },
		{ "a.example NSEC b. A", "" },
		{ "@ A 192.0.2.1", "" },
		{ "@ CNAME .", "" },
	};
	CHECK_ROWS(LIST_RPZ, rows);
}

static void test_triggers(void **state)
{
	(void)state;
	static const struct line_row rows[] = {
		{ "*.a.example CNAME .", "below a.example. nxdomain" },
		{ "* CNAME .", "below . nxdomain" },
		{ "*.a.example. CNAME .", "below a.example. nxdomain" },
		{ "a.*.example CNAME .", "exact a.*.example. nxdomain" },
		{ "a\\.b.example CNAME .", "exact a\\046b.example. nxdomain" },
		{ "a/b.example CNAME .", "exact a\\047b.example. nxdomain" },
		{ "\\042.example CNAME .", "exact *.example. nxdomain" },
		{ "b\xc3\xbc"
		  "cher.example CNAME .",
			"exact xn--bcher-kva.example. nxdomain" },
		{ "a..example CNAME .", "not-a-name <a..example CNAME .>" },
		{ "192.0.2.1 CNAME .", "address <192.0.2.1 CNAME .>" },
		{ "a.1433 CNAME .", "not-a-name <a.1433 CNAME .>" },
		{ "24.0.2.0.192.rpz-ip CNAME .", "network 192.0.2.0/24 nxdomain" },
		{ "32.1.2.0.192.RPZ-IP CNAME rpz-drop.", "network 192.0.2.1/32 drop" },
		{ "32.1.2.0.192.rpz-ip CNAME 32.1.2.0.192.", "network 192.0.2.1/32 pass" },
		{ "128.57.zz.2.2001.rpz-ip A 192.0.2.9", "network 2001:2::57/128 A/60/c0000209" },
		{ "48.zz.2.2001.rpz-ip CNAME .", "network 2001:2::/48 nxdomain" },
		{ "128.zz.rpz-ip CNAME .", "network ::/128 nxdomain" },
		{ "128.1.zz.rpz-ip CNAME .", "network ::1/128 nxdomain" },
		{ "128.8.7.6.5.4.3.2.1.rpz-ip CNAME .", "network 1:2:3:4:5:6:7:8/128 nxdomain" },
		{ "128.zz.7.6.5.4.3.2.1.rpz-ip CNAME .", "network 1:2:3:4:5:6:7:0/128 nxdomain" },
		{ "8.0.0.0.10.rpz-ip.other CNAME .", "exact 8.0.0.0.10.rpz-ip.other. nxdomain" },
		/* addresses that are none */
		{ "24.1.2.0.192.rpz-ip CNAME .", "syntax <24.1.2.0.192.rpz-ip CNAME .>" },
		{ "33.1.2.0.192.rpz-ip CNAME .", "syntax <33.1.2.0.192.rpz-ip CNAME .>" },
		{ "0.0.0.0.0.rpz-ip CNAME .", "syntax <0.0.0.0.0.rpz-ip CNAME .>" },
		{ "32.256.2.0.192.rpz-ip CNAME .", "syntax <32.256.2.0.192.rpz-ip CNAME .>" },
		{ "32.1.2.0.rpz-ip CNAME .", "syntax <32.1.2.0.rpz-ip CNAME .>" },
		{ "129.1.zz.rpz-ip CNAME .", "syntax <129.1.zz.rpz-ip CNAME .>" },
		{ "64.1.zz.rpz-ip CNAME .", "syntax <64.1.zz.rpz-ip CNAME .>" },
		{ "128.zz.1.zz.rpz-ip CNAME .", "syntax <128.zz.1.zz.rpz-ip CNAME .>" },
		{ "128.1.zz.8.7.6.5.4.3.2.1.rpz-ip CNAME .",
			"syntax <128.1.zz.8.7.6.5.4.3.2.1.rpz-ip CNAME .>" },
		{ "128.10000.zz.rpz-ip CNAME .", "syntax <128.10000.zz.rpz-ip CNAME .>" },
		{ "128.1.0.ffff.zz.rpz-ip CNAME .", "syntax <128.1.0.ffff.zz.rpz-ip CNAME .>" },
		{ "rpz-ip CNAME .", "syntax <rpz-ip CNAME .>" },
		{ "32.rpz-ip CNAME .", "syntax <32.rpz-ip CNAME .>" },
		{ "*.32.1.2.0.192.rpz-ip CNAME .", "syntax <*.32.1.2.0.192.rpz-ip CNAME .>" },
		/* what we never see */
		{ "32.1.2.0.192.rpz-client-ip CNAME .",
			"trigger <32.1.2.0.192.rpz-client-ip CNAME .>" },
		{ "ns.example.rpz-nsdname CNAME .", "trigger <ns.example.rpz-nsdname CNAME .>" },
		{ "*.example.rpz-nsdname CNAME .", "trigger <*.example.rpz-nsdname CNAME .>" },
		{ "32.1.2.0.192.rpz-nsip A 192.0.2.1",
			"trigger <32.1.2.0.192.rpz-nsip A 192.0.2.1>" },
		/* lines of other formats */
		{ "a.example", "syntax <a.example>" },
		{ "0.0.0.0 a.example", "syntax <0.0.0.0 a.example>" },
		{ "||a.example^", "syntax <||a.example^>" },
		{ "# comment", "syntax <# comment>" },
		{ "$INCLUDE other", "syntax <$INCLUDE other>" },
	};
	CHECK_ROWS(LIST_RPZ, rows);
}

#define SOA "SOA m. r. 1 2 3 4 5\n"

/* The same three triggers in all the ways in which a zone can be written. */
static void test_origins(void **state)
{
	(void)state;
	static const char expected[] =
		"exact a.example. nxdomain; below b.example. nodata; network 192.0.2.1/32 drop";
	const struct line_row rows[] = {
		{ "$TTL 30\n@ IN " SOA " NS localhost.\n\na.example CNAME .\n"
		  "*.b.example CNAME *.\n32.1.2.0.192.rpz-ip CNAME rpz-drop.\n",
			expected },
		{ "a.example CNAME .\n*.b.example CNAME *.\n32.1.2.0.192.rpz-ip CNAME rpz-drop.\n",
			expected },
		{ "$ORIGIN rpz.local.\n@ " SOA "a.example CNAME .\n"
		  "*.b.example CNAME *.\n32.1.2.0.192.rpz-ip CNAME rpz-drop.\n",
			expected },
		{ "rpz.local. " SOA "a.example CNAME .\n"
		  "*.b.example CNAME *.\n32.1.2.0.192.rpz-ip CNAME rpz-drop.\n",
			expected },
		/* a zone transfer */
		{ "rpz.local. 5 IN " SOA "rpz.local. 5 IN NS localhost.\n"
		  "a.example.rpz.local. 5 IN CNAME .\n*.b.example.RPZ.local. 5 IN CNAME *.\n"
		  "32.1.2.0.192.rpz-ip.rpz.local. 5 IN CNAME rpz-drop.\nrpz.local. 5 IN " SOA,
			expected },
		/* as BIND writes zones */
		{ "$ORIGIN .\n$TTL 30\nrpz.local IN " SOA "\t\tNS localhost.\n"
		  "$ORIGIN example.rpz.local.\na CNAME .\n*.b CNAME *.\n"
		  "$ORIGIN rpz-ip.rpz.local.\n32.1.2.0.192 CNAME rpz-drop.\n",
			expected },
		{ "$ORIGIN local.\nrpz " SOA "$ORIGIN rpz\na.example CNAME .\n"
		  "$ORIGIN b.example\n* CNAME *.\n"
		  "$ORIGIN 2.0.192.rpz-ip.rpz.local.\n32.1 CNAME rpz-drop.\n",
			expected },
	};
	CHECK_ROWS(LIST_RPZ, rows);
	static const struct line_row odd[] = {
		/* another zone's */
		{ "$ORIGIN rpz.local.\n@ " SOA "a.example. CNAME .\nrpz.local. A 192.0.2.1\n",
			"syntax <a.example. CNAME .>" },
		/* an origin that is none makes what follows nameless, and no more than that */
		{ "$ORIGIN rpz.local.\n@ " SOA "$ORIGIN a..b\nx CNAME .\n y CNAME .\n"
		  "z.rpz.local. CNAME .\n$ORIGIN rpz.local.\nx CNAME .\n",
			"not-a-name <$ORIGIN a..b>; not-a-name <x CNAME .>; "
			"syntax <y CNAME .>; exact z. nxdomain; exact x. nxdomain" },
		/* targets are relative as well */
		{ "$ORIGIN rpz.local.\n@ " SOA "a CNAME rpz-passthru\nb CNAME *\n",
			"exact a. CNAME/5/0c72707a2d7061737374687275"
			"0372707a056c6f63616c00; exact b. CNAME/5/012a0372707a056c6f63616c00" },
		{ "$ORIGIN rpz.local.\n@ " SOA "*.@ CNAME .\n", "below . nxdomain" },
		/* what is left may be no name, and a zone may itself end in a number */
		{ "rpz.local. " SOA "192.0.2.1.rpz.local. CNAME .\na.7.rpz.local. CNAME .\n",
			"address <192.0.2.1.rpz.local. CNAME .>; "
			"not-a-name <a.7.rpz.local. CNAME .>" },
		{ "rpz.7. " SOA "a.example.rpz.7. CNAME .\nb.example CNAME .\n",
			"exact a.example. nxdomain; exact b.example. nxdomain" },
		{ "rpz.local. " SOA "a/b.rpz.local. CNAME .\nb\xff.rpz.local. CNAME .\n",
			"exact a\\047b. nxdomain; not-ascii <b\xff.rpz.local. CNAME .>" },
	};
	CHECK_ROWS(LIST_RPZ, odd);
}

static void test_answers(void **state)
{
	(void)state;
	static const struct line_row rows[] = {
		/* of one owner, in the order of bytes, whatever the order of lines */
		{ "a AAAA ::1\na A 192.0.2.2\n A 192.0.2.1\n",
			"exact a. A/60/c0000201 A/60/c0000202 "
			"AAAA/60/00000000000000000000000000000001" },
		{ "a A 192.0.2.1\nb CNAME .\n*.a A 192.0.2.3\na A 192.0.2.2\nA. A 192.0.2.1\n",
			"exact b. nxdomain; exact a. A/60/c0000201 A/60/c0000202; "
			"below a. A/60/c0000203" },
		{ "32.1.2.0.192.rpz-ip A 192.0.2.9\n TXT x\n",
			"network 192.0.2.1/32 A/60/c0000209 TXT/60/0178" },
		/* one TTL for all of a type */
		{ "a 9 A 192.0.2.1\n 7 A 192.0.2.2\n 8 TXT x\n",
			"exact a. A/7/c0000201 A/7/c0000202 TXT/8/0178" },
		/* what has no owner belongs to nobody */
		{ " A 192.0.2.1\n", "syntax <A 192.0.2.1>" },
		{ "a A 192.0.2.1\nb TXT \"x\n A 192.0.2.2\n",
			"syntax <b TXT \"x>; syntax <A 192.0.2.2>; exact a. A/60/c0000201" },
		{ "a A 192.0.2.1\nb..c A 192.0.2.2\n A 192.0.2.3\n",
			"not-a-name <b..c A 192.0.2.2>; not-a-name <A 192.0.2.3>; "
			"exact a. A/60/c0000201" },
		/* a bad record does not take its owner along */
		{ "a A 192.0.2.1\nb A x\n A 192.0.2.2\n",
			"answer <b A x>; exact a. A/60/c0000201; exact b. A/60/c0000202" },
		{ "a A 192.0.2.1\n; CNAME .\n TXT x\n", "exact a. A/60/c0000201 TXT/60/0178" },
		{ "a CNAME .\n TXT x\n", "exact a. nxdomain; exact a. TXT/60/0178" },
	};
	CHECK_ROWS(LIST_RPZ, rows);
}

/* An answer of 4096 bytes is one; what comes on top is left out. */
static void test_large_answers(void **state)
{
	(void)state;
	static struct heard heard;
	static char text[1 << 17];
	struct writer to = writer_of(text, sizeof text);
	for (unsigned i = 0; i < 1000; i++) {
		writer_text(&to, "a A 192.0.");
		writer_decimal(&to, i / 250);
		writer_text(&to, ".");
		writer_decimal(&to, i % 250);
		writer_text(&to, "\n");
	}
	assert_int_equal(hear(LIST_RPZ, writer_slice(&to), &heard), 0);
	assert_int_equal(heard.patterns, 1);
	assert_int_equal(heard.rejects[LIST_REJECT_ANSWER], 1000 - FACET_RECORDS_MAX / 12);
}

static void test_sink_can_stop(void **state)
{
	(void)state;
	static struct heard heard;
	for (int after = 1; after < 5; after++) {
		heard.stop_after = after;
		assert_int_equal(hear(LIST_RPZ,
					 slice_of_text("a CNAME .\nb CNAME *.\nc A 192.0.2.1\n"
						       "d A 192.0.2.1\ne CNAME b.\n"),
					 &heard),
			ERR_NO_MEMORY);
		assert_int_equal(heard.patterns, after);
	}
	heard.stop_after = 0;
}

/* The short way and the long one say the same of a line. */
static void test_short_way(void **state)
{
	(void)state;
	static const char *const names[] = { "a.example", "*.a.example", "*", "A.Example.", "a..b",
		"192.0.2.1", "32.1.2.0.192.rpz-ip", "x.rpz-nsip", "rpz-ip", "@", ".", "a\\046b",
		"a/b", "b\xc3\xbc.example", "\xff.example", "$x", ";x", "\"x\"", "(", "a;b" };
	static struct heard one;
	static struct heard other;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char plain[256];
		char odd[256];
		snprintf(plain, sizeof plain, "x CNAME .\n%s CNAME .\n", names[i]);
		snprintf(odd, sizeof odd, "x CNAME .\n%s cname .\n", names[i]);
		assert_int_equal(hear(LIST_RPZ, slice_of_text(plain), &one), 0);
		assert_int_equal(hear(LIST_RPZ, slice_of_text(odd), &other), 0);
		for (char *at = strstr(other.text, "cname"); at; at = strstr(at, "cname"))
			memcpy(at, "CNAME", 5);
		assert_string_equal(one.text, other.text);
	}
	static const struct line_row rows[] = {
		{ "a IN CNAME .", "exact a. nxdomain" },
		{ "a\tIN\t CNAME\t.\t \r\n", "exact a. nxdomain" },
		{ "a CNAME .\r\n\r\nb CNAME .", "exact a. nxdomain; exact b. nxdomain" },
		{ "a CNAME . ; why", "exact a. nxdomain" },
		{ "a CNAME .x", "answer <a CNAME .x>" },
		{ "a CNAMEX .", "syntax <a CNAMEX .>" },
		{ "a CNAME.", "syntax <a CNAME.>" },
		{ "a CNAME .\n TXT x", "exact a. nxdomain; exact a. TXT/60/0178" },
		{ "CNAME CNAME .", "exact cname. nxdomain" },
		{ "IN IN CNAME .", "exact in. nxdomain" },
		{ "IN CNAME .", "exact in. nxdomain" },
	};
	CHECK_ROWS(LIST_RPZ, rows);
}

static void test_recognised(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool is_rpz;
	} rows[] = {
		{ "; Title: x\n$TTL 30\n@ IN SOA localhost. root.localhost. 1 2 3 4 5\n"
		  " NS localhost.\n\na.example CNAME .\nb.example CNAME .\n",
			true },
		{ "$TTL 2h\n@ SOA m. r. (\n 1 ; serial\n 2\n 3\n 4\n 5 )\n NS x.\n"
		  "a.example 60 IN CNAME .\n*.a.example CNAME rpz-passthru.\n"
		  "b.example A 192.0.2.1\n TXT \"x\"\n",
			true },
		{ "a.example CNAME .\n", true },
		{ "a.example\nb.example\n", false },
		{ "0.0.0.0 a.example\n", false },
		{ "local-data: \"a.example CNAME b.\"\nlocal-data: \"c.example CNAME b.\"\n",
			false },
		{ "", false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		enum list_format format = LIST_FORMAT_COUNT;
		bool is_rpz =
			list_recognise(slice_of_text(rows[i].text), &format) && format == LIST_RPZ;
		if (is_rpz != rows[i].is_rpz)
			fail_msg("row %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_triggers),
		cmocka_unit_test(test_origins),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_large_answers),
		cmocka_unit_test(test_sink_can_stop),
		cmocka_unit_test(test_short_way),
		cmocka_unit_test(test_recognised),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
