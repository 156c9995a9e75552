#include "tests/unit/list_fixture.h"

static void test_networks(void **state)
{
	(void)state;
	static const struct line_row rows[] = {
		{ "192.0.2.0/24", "network 192.0.2.0/24" },
		{ "192.0.2.1", "network 192.0.2.1/32" },
		{ "\t 192.0.2.1/32 \r", "network 192.0.2.1/32" },
		{ "2001:db8::/32", "network 2001:db8::/32" },
		{ "2001:DB8::1", "network 2001:db8::1/128" },
		{ "0.0.0.0/0", "network 0.0.0.0/0" },
		{ "::/0", "network ::/0" },
		{ "192.0.2.0/24 ; SBL1", "network 192.0.2.0/24" },
		{ "192.0.2.0/24;SBL1", "network 192.0.2.0/24" },
		{ "192.0.2.0/24 # why", "network 192.0.2.0/24" },
		{ "192.0.2.0/24# why ; not", "network 192.0.2.0/24" },
		{ "; Spamhaus", "" },
		{ "# a comment", "" },
		{ "  ;", "" },
		{ "", "" },
	};
	CHECK_ROWS(LIST_NETWORKS, rows);
}

static void test_rejects(void **state)
{
	(void)state;
	static const struct line_row rows[] = {
		{ "192.0.2.1/24", "syntax <192.0.2.1/24>" },
		{ "192.0.2.0/33", "syntax <192.0.2.0/33>" },
		{ "2001:db8::/129", "syntax <2001:db8::/129>" },
		{ "192.0.2.0/", "syntax <192.0.2.0/>" },
		{ "192.0.2.0/24/24", "syntax <192.0.2.0/24/24>" },
		{ "192.0.2", "syntax <192.0.2>" },
		{ "192.0.2.256", "syntax <192.0.2.256>" },
		{ "192.0.2.1-192.0.2.9", "syntax <192.0.2.1-192.0.2.9>" },
		{ "192.0.2.1 198.51.100.1", "syntax <192.0.2.1 198.51.100.1>" },
		{ "a.example", "syntax <a.example>" },
		{ "fe80::1%eth0", "syntax <fe80::1%eth0>" },
		{ "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000",
			"syntax "
			"<0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000>" },
		{ "192.0.2.1 x ; why", "syntax <192.0.2.1 x ; why>" },
	};
	CHECK_ROWS(LIST_NETWORKS, rows);
}

/* Lines keep their numbers; the whole text may be without an end. */
static void test_lines(void **state)
{
	(void)state;
	check(LIST_NETWORKS,
		slice_of_text("\xef\xbb\xbf; DROP\r\n\r\n192.0.2.0/24 ; 1\r\nnonsense\r\n"
			      "2001:db8::/48"),
		"3 network 192.0.2.0/24\n4 syntax <nonsense>\n5 network 2001:db8::/48\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_rejects),
		cmocka_unit_test(test_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
