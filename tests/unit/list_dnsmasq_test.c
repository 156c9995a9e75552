#include "tests/unit/list_fixture.h"

#define NULLS " A/60/00000000 AAAA/60/00000000000000000000000000000000"

static void test_lines(void **state)
{
	(void)state;
	static const struct line_row rows[] = {
		{ "address=/a.example/#", "both a.example." NULLS },
		{ "address=/a.example/0.0.0.0", "both a.example." NULLS },
		{ "address=/a.example/::", "both a.example." NULLS },
		{ "address=/a.example/192.0.2.1", "both a.example. A/60/c0000201" },
		{ "address=/a.example/2001:db8::1",
			"both a.example. AAAA/60/20010db8000000000000000000000001" },
		{ "address=/a.example/::ffff:192.0.2.1",
			"both a.example. AAAA/60/00000000000000000000ffffc0000201" },
		{ "address=/a.example/", "both a.example. nxdomain" },
		{ "server=/a.example/", "both a.example. nxdomain" },
		{ "local=/a.example/", "both a.example. nxdomain" },
		{ "server=/a.example/#", "both a.example. except" },
		{ "local=/a.example/#", "both a.example. except" },
		{ " address = /a.example/# # why", "both a.example." NULLS },
		{ "local=/a.example/b.example/C.example./",
			"both a.example. nxdomain; both b.example. nxdomain; "
			"both c.example. nxdomain" },
		{ "local=/.a.example/", "both a.example. nxdomain" },
		{ "local=/..a.example/", "both a.example. nxdomain" },
		{ "local=/*.a.example/", "below a.example. nxdomain" },
		{ "address=/#/192.0.2.1", "both . A/60/c0000201" },
		{ "local=/a_b.example/", "both a_b.example. nxdomain" },
		{ "local=/b\xc3\xbc"
		  "cher.example/",
			"both xn--bcher-kva.example. nxdomain" },
		{ "# address=/a.example/#", "" },
	};
	CHECK_ROWS(LIST_DNSMASQ, rows);
}

static void test_rejects(void **state)
{
	(void)state;
	static const struct line_row rows[] = {
		{ "server=/a.example/192.0.2.1", "not-dns <server=/a.example/192.0.2.1>" },
		{ "server=/a.example/192.0.2.1#5353",
			"not-dns <server=/a.example/192.0.2.1#5353>" },
		{ "server=192.0.2.1", "not-dns <server=192.0.2.1>" },
		{ "address=192.0.2.1", "not-dns <address=192.0.2.1>" },
		{ "address=", "not-dns <address=>" },
		{ "cache-size=1000", "not-dns <cache-size=1000>" },
		{ "ipset=/a.example/set", "not-dns <ipset=/a.example/set>" },
		{ "no-resolv", "not-dns <no-resolv>" },
		{ "address=/a.example", "syntax <address=/a.example>" },
		{ "address=/", "syntax <address=/>" },
		{ "--address=/a.example/#", "not-dns <--address=/a.example/#>" },
		{ "ADDRESS=/a.example/#", "syntax <ADDRESS=/a.example/#>" },
		{ "a.example", "syntax <a.example>" },
		{ "=", "syntax <=>" },
		{ "address=/a.example/192.0.2.1#x", "answer <address=/a.example/192.0.2.1#x>" },
		{ "address=/a.example/192.0.2.1 192.0.2.2",
			"answer <address=/a.example/192.0.2.1 192.0.2.2>" },
		{ "address=/a.example/fe80::1%eth0", "answer <address=/a.example/fe80::1%eth0>" },
		{ "address=/a.example/b.example", "answer <address=/a.example/b.example>" },
		{ "address=//192.0.2.1", "not-dns <address=//192.0.2.1>" },
		{ "local=/a.example//b.example/",
			"both a.example. nxdomain; not-dns <local=/a.example//b.example/>; "
			"both b.example. nxdomain" },
		{ "local=/*a.example/", "not-dns <*a.example>" },
		{ "local=/a.*.example/", "not-dns <a.*.example>" },
		{ "local=/192.0.2.1/", "address <192.0.2.1>" },
		{ "local=/a b/c.example/", "not-a-name <a b>; both c.example. nxdomain" },
		{ "local=/a..b/", "not-a-name <a..b>" },
		{ "local=/./", "not-a-name <.>" },
	};
	CHECK_ROWS(LIST_DNSMASQ, rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_rejects),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
