#include "proxy/fetch/public_address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* The first and last address of each block, and their neighbours outside. */
static void what_is_public(void **state)
{
	(void)state;
	static const struct {
		const char *address;
		bool is_public;
	} rows[] = {
		{ "0.0.0.0", false },
		{ "0.255.255.255", false },
		{ "1.0.0.0", true },
		{ "9.255.255.255", true },
		{ "10.0.0.0", false },
		{ "11.0.0.0", true },
		{ "100.63.255.255", true },
		{ "100.64.0.1", false },
		{ "100.128.0.0", true },
		{ "127.0.0.1", false },
		{ "128.0.0.0", true },
		{ "169.254.169.254", false },
		{ "172.15.255.255", true },
		{ "172.16.0.1", false },
		{ "172.32.0.0", true },
		{ "192.0.0.0", false },
		{ "192.0.0.255", false },
		{ "192.0.1.0", true },
		{ "192.0.2.1", false },
		{ "192.0.3.0", true },
		{ "192.88.99.1", false },
		{ "192.168.255.255", false },
		{ "192.169.0.0", true },
		{ "198.17.255.255", true },
		{ "198.18.0.0", false },
		{ "198.19.255.255", false },
		{ "198.20.0.0", true },
		{ "198.51.100.1", false },
		{ "198.51.101.0", true },
		{ "203.0.113.255", false },
		{ "203.0.114.0", true },
		{ "223.255.255.255", true },
		{ "224.0.0.1", false },
		{ "239.255.255.255", false },
		{ "240.0.0.1", false },
		{ "255.255.255.255", false },
		{ "8.8.8.8", true },
		/* IPv6 */
		{ "::", false },
		{ "::1", false },
		{ "::8.8.8.8", false },
		{ "::ffff:8.8.8.8", true },
		{ "::ffff:127.0.0.1", false },
		{ "::ffff:224.0.0.1", false },
		{ "64:ff9b::8.8.8.8", true },
		{ "64:ff9b::10.0.0.1", false },
		{ "64:ff9b::198.18.0.1", false },
		{ "64:ff9b:1::8.8.8.8", false },
		{ "100::1", false },
		{ "1fff:ffff::1", false },
		{ "2000::1", true },
		{ "2001::1", false },
		{ "2001:1ff::1", false },
		{ "2001:200::1", true },
		{ "2001:db8::1", false },
		{ "2001:db9::1", true },
		{ "2002:808:808::1", false },
		{ "2606:4700::1111", true },
		{ "3ffe::1", true },
		{ "3fff::1", false },
		{ "3fff:fff:ffff::1", false },
		{ "3fff:1000::1", true },
		{ "4000::1", false },
		{ "fc00::1", false },
		{ "fd00:ec2::254", false },
		{ "fe80::1", false },
		{ "fec0::1", false },
		{ "ff02::1", false },
		{ "ff0e::1", false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct address address;
		assert_true(address_parse(&address, rows[i].address));
		if (public_address(&address) != rows[i].is_public)
			fail_msg("%s", rows[i].address);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_public),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
