/* URLs that lists are fetched from: what is read out of them, and what is refused. Whatever two
 * programs could read differently is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "proxy/config/url.h"

static void test_good_ones(void **state)
{
	(void)state;
	static const struct {
		const char *text, *host, *address, *path;
		uint16_t port;
	} cases[] = {
		{ "https://lists.example/hosts.txt", "lists.example", NULL, "/hosts.txt", 443 },
		{ "HTTPS://Lists.Example", "lists.example", NULL, "", 443 },
		{ "https://lists.example.:8443/", "lists.example", NULL, "/", 8443 },
		{ "https://lists.example?list=1&x=@home", "lists.example", NULL, "?list=1&x=@home",
			443 },
		{ "https://xn--bcher-kva.example/a%20b;c=(d)*!$',~+:@[x]", "xn--bcher-kva.example",
			NULL, "/a%20b;c=(d)*!$',~+:@[x]", 443 },
		{ "https://_x.a-b.example:1/", "_x.a-b.example", NULL, "/", 1 },
		{ "https://localhost:65535/l", "localhost", NULL, "/l", 65535 },
		{ "https://192.0.2.1/l", "", "192.0.2.1", "/l", 443 },
		{ "https://192.0.2.1:444", "", "192.0.2.1", "", 444 },
		{ "https://[2001:db8::1]/l", "", "2001:db8::1", "/l", 443 },
		{ "https://[2001:DB8::1]:00444?q", "", "2001:db8::1", "?q", 444 },
		{ "https://[::ffff:192.0.2.1]/", "", "192.0.2.1", "/", 443 },
		{ "https://1.example.2x/", "1.example.2x", NULL, "/", 443 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct url url;
		struct domain_fault fault;
		char text[ADDRESS_TEXT_MAX];
		const char *wrong = url_parse(&url, cases[i].text, &fault);
		if (wrong)
			fail_msg("%s: %s", cases[i].text, wrong);
		assert_string_equal(url.host, cases[i].host);
		assert_string_equal(url.path, cases[i].path);
		assert_int_equal(url.port, cases[i].port);
		address_text(&url.address, text);
		if (cases[i].address)
			assert_string_equal(text, cases[i].address);
	}
}

static void test_bad_ones(void **state)
{
	(void)state;
	static const struct {
		const char *text, *wrong;
	} cases[] = {
		{ "", "must begin with https://" },
		{ "https:", "must begin with https://" },
		{ "https:/lists.example/", "must begin with https://" },
		{ " https://lists.example/", "must begin with https://" },
		{ "http://lists.example/", "anybody on the way" },
		{ "file:///etc/hosts", "write file" },
		{ "ftp://lists.example/", "must begin with https://" },
		{ "https://", "has no host" },
		{ "https:///path", "has no host" },
		{ "https://?query", "has no host" },
		{ "https://:443/", "has no host" },
		{ "https://user@lists.example/", "a user or password" },
		{ "https://user:secret@lists.example/", "a user or password" },
		{ "https://@lists.example/", "a user or password" },
		{ "https://good.example@[::1]/", "a user or password" },
		/* Some take the host from behind the backslash, or from in front of it. */
		{ "https://good.example\\@bad.example/", "as an escape" },
		{ "https://good.example\\.bad.example/", "as an escape" },
		{ "https://lists.example/#part", "fragment" },
		{ "https://good.example#@bad.example/", "fragment" },
		{ "https://lists.example/a b", "as an escape" },
		{ "https://lists.example/a\tb", "as an escape" },
		{ "https://lists.example/a\r\nHost: b", "as an escape" },
		{ "https://lists.example/\x7f", "as an escape" },
		{ "https://lists.example/b\xc3\xbc", "as an escape" },
		{ "https://b\xc3\xbc"
		  "cher.example/",
			"as an escape" },
		{ "https://lists.example/<list>", "as an escape" },
		{ "https://lists.example/{a,b}", "as an escape" },
		{ "https://lists.example/%", "hexadecimal digits" },
		{ "https://lists.example/%2", "hexadecimal digits" },
		{ "https://lists.example/%2g", "hexadecimal digits" },
		{ "https://lists%2eexample/", "is not the name of a host" },
		{ "https://lists..example/", "is not a domain name" },
		{ "https://*.example/", "is not the name of a host" },
		{ "https://lists.example:/", "port" },
		{ "https://lists.example:0/", "port" },
		{ "https://lists.example:65536/", "port" },
		{ "https://lists.example:+443/", "port" },
		{ "https://lists.example:443:443/", "port" },
		{ "https://lists.example:99999999999999999999/", "port" },
		{ "https://2001:db8::1/", "ends in a number" },
		{ "https://[]/", "no IPv6 address" },
		{ "https://[192.0.2.1]/", "no IPv6 address" },
		{ "https://[lists.example]/", "no IPv6 address" },
		{ "https://[fe80::1%25eth0]/", "no IPv6 address" },
		{ "https://[2001:db8::1/", "bracket" },
		{ "https://[2001:db8::1]x/", "bracket" },
		{ "https://[2001:db8::1]:/", "port" },
		{ "https://a[::1]/", "is not the name of a host" },
		/* IPv4 addresses in the spellings of old. */
		{ "https://2130706433/", "ends in a number" },
		{ "https://127.1/", "ends in a number" },
		{ "https://0177.0.0.1/", "ends in a number" },
		{ "https://0x7f000001/", "ends in a number" },
		{ "https://0x7F.0.0.0X1/", "ends in a number" },
		{ "https://192.0.2.256/", "ends in a number" },
		{ "https://192.0.2.1./", "ends in a number" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct url url;
		struct domain_fault fault;
		const char *wrong = url_parse(&url, cases[i].text, &fault);
		if (!wrong || !strstr(wrong, cases[i].wrong))
			fail_msg("%s: %s", cases[i].text, wrong ? wrong : "taken");
		assert_null(strstr(wrong, "secret"));
	}
}

static void test_a_long_host(void **state)
{
	(void)state;
	char text[URL_LEN_MAX + 1] = "https://";
	struct url url;
	struct domain_fault fault;
	for (size_t len = 1; len < 600; len++) {
		text[8 + len - 1] = len % 2 ? 'a' : '.';
		const char *wrong = url_parse(&url, text, &fault);
		assert_int_equal(wrong != NULL, len > 254);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_ones),
		cmocka_unit_test(test_bad_ones),
		cmocka_unit_test(test_a_long_host),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
