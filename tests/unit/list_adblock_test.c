#include "tests/unit/list_fixture.h"

static void test_names(void **state)
{
	(void)state;
	static const struct line_row rows[] = {
		{ "||example.com^", "both example.com." },
		{ "||example.com^|", "both example.com." },
		{ "||example.com|", "both example.com." },
		{ "||example.com^*", "both example.com." },
		{ "||example.com/*", "both example.com." },
		{ "||EXAMPLE.com^", "both example.com." },
		{ "||com^", "both com." },
		{ "||a_b.example.com^", "both a_b.example.com." },
		{ "||b\xc3\xbc"
		  "cher.example^",
			"both xn--bcher-kva.example." },
		{ "  ||example.com^\t\r", "both example.com." },
		{ "||example.com^ # why", "both example.com." },
		{ "|example.com^", "exact example.com." },
		{ "|example.com|", "exact example.com." },
		{ "|example.com^|", "exact example.com." },
		{ "||*.example.com^", "below example.com." },
		{ "*.example.com^", "below example.com." },
		{ "*.example.com", "below example.com." },
		{ ".example.com^", "below example.com." },
		{ "example.com", "exact example.com." },
		{ "example.com # why", "exact example.com." },
		{ "||*^", "both ." },
		{ "||xn--bcher-kva.example^", "both xn--bcher-kva.example." },
	};
	CHECK_ROWS(LIST_ADBLOCK, rows);
}

static void test_hosts_lines(void **state)
{
	(void)state;
	static const struct line_row rows[] = {
		{ "0.0.0.0 a.example", "exact a.example." },
		{ "127.0.0.1\ta.example b.example # both", "exact a.example.; exact b.example." },
		{ "::1 localhost", "" },
		{ "::1 ip6-localhost a.example", "exact a.example." },
		{ "0.0.0.0", "address <0.0.0.0>" },
		{ "0.0.0.0 # nothing", "address <0.0.0.0>" },
		{ "0.0.0.0 ||a.example^", "not-a-name <||a.example^>" },
		{ "a.example b.example", "syntax <a.example b.example>" },
	};
	CHECK_ROWS(LIST_ADBLOCK, rows);
}

static void test_nothing(void **state)
{
	(void)state;
	static const struct line_row rows[] = {
		{ "! comment ||example.com^", "" },
		{ "!", "" },
		{ "!#if (adguard)", "" },
		{ "# comment", "" },
		{ "#", "" },
		{ "##", "" },
		{ "#### comment ####", "" },
		{ "# ||example.com^", "" },
		{ "#||example.com^", "" },
		{ "[Adblock Plus 2.0]", "" },
		{ "[Adblock Plus 3.1; AdGuard]", "" },
		{ "", "" },
	};
	CHECK_ROWS(LIST_ADBLOCK, rows);
}

static void test_not_dns(void **state)
{
	(void)state;
	static const char *const lines[] = {
		/* paths, ports, schemes, parts of URLs */
		"||example.com/ads^",
		"||example.com/",
		"||example.com",
		"||example.com:8080^",
		"|https://example.com^",
		"http://example.com/",
		"://example.com^",
		"/banner/ads",
		"/ads.",
		"&ad_box=",
		"?ad=",
		"=ads&",
		"-banner.example",
		"_ad.example",
		"ads",
		"example.com^",
		"example.com|",
		"-ad-^",
		"||example.com^path",
		"||ads.",
		"|example.com",
		".example.com",
		"a.example/b",
		/* wildcards within, regular expressions */
		"||ad*.example^",
		"||ads.*^",
		"||*ads.example^",
		"||a.*.example^",
		"*ads*",
		"ad*.example",
		"*example.com",
		"/^ads?\\./",
		"/ads\\$/",
		"@@/ads/",
		"/a.*b/$important",
		"||a\\.example^",
		/* the contents of pages */
		"example.com##.ad",
		"##.ad",
		"###ad",
		"#@#.ad",
		"example.com#@#.ad",
		"#?#.ad:has(x)",
		"example.com#$#body { x }",
		"#%#//scriptlet(\"x\")",
		"example.com$$script[x]",
		"[$path=/x]example.com##.ad",
		"~example.com##.ad",
		/* modifiers of browsers, and those of DNS filters that cannot be honoured */
		"||example.com^$third-party",
		"||example.com^$popup",
		"||example.com^$document",
		"||example.com^$badfilter",
		"||example.com^$client=192.0.2.1",
		"||example.com^$client='Frank\\'s, laptop'",
		"||example.com^$ctag=device_pc",
		"||example.com^$dnsrewrite=192.0.2.1",
		"||example.com^$important,third-party",
		"||example.com^$domain=example.org",
		"@@||example.com^$all",
		"||example.com^$$x",
		"||example.com^$Important",
		"example.com$important",
		"@@example.com",
		"@@||example.com^$generichide",
		/* everything, without a limit */
		"*",
		"||",
		"||*",
		"|",
		"*$important",
		"@@*",
		"$important",
	};
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		char expected[256];
		snprintf(expected, sizeof expected, "not-dns <%s>", lines[i]);
		const struct line_row row = { lines[i], expected };
		check_rows(LIST_ADBLOCK, &row, 1);
	}
}

static void test_wrong(void **state)
{
	(void)state;
	static const struct line_row rows[] = {
		{ "||192.0.2.1^", "address <||192.0.2.1^>" },
		{ "||192.0.2.1^$all", "address <||192.0.2.1^$all>" },
		{ "||2001:db8::1^", "address <||2001:db8::1^>" },
		{ "||a..b^", "not-a-name <||a..b^>" },
		{ "||^", "not-a-name <||^>" },
		{ "||.^", "not-a-name <||.^>" },
		{ "||a.1433^", "not-a-name <||a.1433^>" },
		{ "||a\xff.example^", "not-ascii <||a\xff.example^>" },
		{ "two words", "syntax <two words>" },
		{ "||two words^", "syntax <||two words^>" },
		{ "||example.com^$", "syntax <||example.com^$>" },
		{ "||example.com^$,", "syntax <||example.com^$,>" },
		{ "||example.com^$important,", "syntax <||example.com^$important,>" },
		{ "||example.com^$important,important",
			"syntax <||example.com^$important,important>" },
		{ "||example.com^$important=1", "syntax <||example.com^$important=1>" },
		{ "||example.com^$dnstype", "syntax <||example.com^$dnstype>" },
		{ "||example.com^$dnstype=", "syntax <||example.com^$dnstype=>" },
		{ "||example.com^$dnstype=A|", "syntax <||example.com^$dnstype=A|>" },
		{ "||example.com^$dnstype=A|~A", "syntax <||example.com^$dnstype=A|~A>" },
		{ "||example.com^$dnstype=ADDRESS", "syntax <||example.com^$dnstype=ADDRESS>" },
		{ "||example.com^$dnstype=0", "syntax <||example.com^$dnstype=0>" },
		{ "||example.com^$dnstype=65536", "syntax <||example.com^$dnstype=65536>" },
		{ "||example.com^$dnstype=99999999999999999999",
			"syntax <||example.com^$dnstype=99999999999999999999>" },
		{ "||example.com^$dnstype=TYPE0", "syntax <||example.com^$dnstype=TYPE0>" },
		{ "||example.com^$denyallow=", "syntax <||example.com^$denyallow=>" },
		{ "||example.com^$denyallow", "syntax <||example.com^$denyallow>" },
		{ "@@", "not-dns <@@>" },
		{ "@@||^", "not-a-name <@@||^>" },
	};
	CHECK_ROWS(LIST_ADBLOCK, rows);
}

static void test_ranks(void **state)
{
	(void)state;
	static const struct line_row rows[] = {
		{ "||a.example^$all", "both a.example." },
		{ "@@||a.example^", "both a.example. except rank=2" },
		{ "@@|a.example^|", "exact a.example. except rank=2" },
		{ "@@*.a.example", "below a.example. except rank=2" },
		{ "||a.example^$important", "both a.example. rank=3" },
		{ "||a.example^$all,important", "both a.example. rank=3" },
		{ "@@||a.example^$important", "both a.example. except rank=4" },
		{ "@@||*^", "both . except rank=2" },
		{ "@@ ||a.example^", "syntax <@@ ||a.example^>" },
	};
	CHECK_ROWS(LIST_ADBLOCK, rows);
}

static void test_types(void **state)
{
	(void)state;
	static const struct line_row rows[] = {
		{ "||a.example^$dnstype=A", "both a.example. types=1" },
		{ "||a.example^$dnstype=AAAA|a|AAAA", "both a.example. types=1,28" },
		{ "||a.example^$dnstype=28|TYPE65|1", "both a.example. types=1,28,65" },
		{ "||a.example^$dnstype=~A|~CNAME", "both a.example. types=~1,5" },
		{ "||a.example^$dnstype=~A|AAAA", "both a.example. types=28" },
		{ "||a.example^$dnstype=65535", "both a.example. types=65535" },
		{ "*$dnstype=AAAA", "both . types=28" },
		{ "$dnstype=ANY", "both . types=255" },
		{ "@@|a.example^$important,dnstype=TXT",
			"exact a.example. except rank=4 types=16" },
		{ "||a^$dnstype=16|15|14|13|12|11|10|9|8|7|6|5|4|3|2|1",
			"both a. types=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16" },
		{ "||a^$dnstype=1|2|3|4|5|6|7|8|9|10|11|12|13|14|15|16|17",
			"too-long <||a^$dnstype=1|2|3|4|5|6|7|8|9|10|11|12|13|14|15|16|17>" },
	};
	CHECK_ROWS(LIST_ADBLOCK, rows);
}

static void test_denyallow(void **state)
{
	(void)state;
	static const struct line_row rows[] = {
		{ "||a.example^$denyallow=b.a.example",
			"both a.example. group=A; both b.a.example. cancel group=A" },
		{ "*$denyallow=net|com",
			"both . group=A; both com. cancel group=A; both net. cancel group=A" },
		{ "@@*$denyallow=com",
			"both . except rank=2 group=A; both com. cancel rank=2 group=A" },
		{ "||a.example^$denyallow=b.a.example|c.example|B.A.example",
			"both a.example. group=A; both b.a.example. cancel group=A" },
		/* says nothing about names below a.example */
		{ "||a.example^$denyallow=com", "both a.example." },
		{ "|a.example^$denyallow=b.a.example", "exact a.example." },
		{ "$dnstype=AAAA,denyallow=a.example,important",
			"both . rank=3 types=28 group=A; both a.example. cancel rank=3 group=A" },
		/* nothing would be left of the rule */
		{ "||a.example^$denyallow=a.example", "syntax <||a.example^$denyallow=a.example>" },
		{ "||a.example^$denyallow=example", "syntax <||a.example^$denyallow=example>" },
		{ "||a.example^$denyallow=b.a.example|",
			"not-a-name <||a.example^$denyallow=b.a.example|>" },
		{ "||a.example^$denyallow=~b.a.example",
			"not-dns <||a.example^$denyallow=~b.a.example>" },
		{ "||a.example^$denyallow=b.*", "not-dns <||a.example^$denyallow=b.*>" },
		{ "||a.example^$denyallow=192.0.2.1",
			"address <||a.example^$denyallow=192.0.2.1>" },
	};
	CHECK_ROWS(LIST_ADBLOCK, rows);
}

/* A group is what the rule says, not where or how it is written. */
static void test_groups(void **state)
{
	(void)state;
	check(LIST_ADBLOCK,
		slice_of_text("||a^$denyallow=b.a|c.a\n"
			      "||A^$denyallow=c.a|B.a.|com,important\n"
			      "||a^$denyallow=b.a\n"
			      "||*.a^$denyallow=b.a\n"),
		"1 both a. group=A\n1 both b.a. cancel group=A\n1 both c.a. cancel group=A\n"
		"2 both a. rank=3 group=A\n2 both b.a. cancel rank=3 group=A\n"
		"2 both c.a. cancel rank=3 group=A\n"
		"3 both a. group=B\n3 both b.a. cancel group=B\n"
		"4 below a. group=C\n4 both b.a. cancel group=C\n");
}

static void test_many_denied(void **state)
{
	(void)state;
	static struct heard heard;
	for (unsigned count = 199; count < 203; count++) {
		char line[8192] = "*$denyallow=";
		size_t len = strlen(line);
		for (unsigned i = 0; i < count; i++)
			len += (size_t)sprintf(line + len, "%sd%u.example", i ? "|" : "", i);
		hear(LIST_ADBLOCK, slice_of(line, len), &heard);
		assert_int_equal(heard.patterns, count > 200 ? 0 : count + 1);
		assert_int_equal(heard.rejects[LIST_REJECT_TOO_LONG], count > 200);
	}
	/* Names that become much longer as A-labels. */
	char line[8192] = "*$denyallow=";
	size_t len = strlen(line);
	for (unsigned i = 0; i < 190; i++)
		len += (size_t)sprintf(line + len, "%s\xe4\xbe\x8b.\xe4\xbe\x8b.\xe4\xbe\x8b.%u.a",
			i ? "|" : "", i);
	hear(LIST_ADBLOCK, slice_of(line, len), &heard);
	assert_int_equal(heard.patterns, 191);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_hosts_lines),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_not_dns),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_ranks),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_denyallow),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_many_denied),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
