/* Texts that are names: what they become, and what is said of those that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "proxy/config/domain.h"

/* `wrong` is NULL or a part of what is said; `name` is what came out. */
struct sample {
	const char *text;
	const char *name;
	const char *wrong;
};

static void check(const struct sample *sample, const char *wrong, const char *name)
{
	if (!sample->wrong && wrong)
		fail_msg("\"%s\" %s", sample->text, wrong);
	if (sample->wrong && (!wrong || !strstr(wrong, sample->wrong)))
		fail_msg("\"%s\" %s", sample->text, wrong ? wrong : "is taken");
	if (!sample->wrong)
		assert_string_equal(name, sample->name);
}

static void check_name(const struct sample *sample, const char *wrong, const struct dns_name *name)
{
	char text[DNS_NAME_TEXT_MAX] = "";
	if (!wrong)
		dns_name_text(dns_name_slice(name), text);
	check(sample, wrong, text);
}

static void test_domains(void **state)
{
	(void)state;
	static const struct sample samples[] = {
		{ "Example.com", "Example.com.", NULL },
		{ "a", "a.", NULL },
		{ "xn--mnchen-3ya.de.", "xn--mnchen-3ya.de.", NULL },
		{ ".", NULL, "is not a domain name" },
		{ "", NULL, "is not a domain name" },
		{ "a..b", NULL, "is not a domain name" },
		{ "m\xc3\xbcnchen.de", NULL, "xn--" },
	};
	for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
		struct dns_name name;
		check_name(&samples[i], domain_parse(&name, samples[i].text), &name);
	}
}

static void test_questions(void **state)
{
	(void)state;
	static const struct sample samples[] = {
		{ "WWW.Example.com", "www.example.com.", NULL },
		{ "com.", "com.", NULL },
		{ "a\\.b.example", "a\\046b.example.", NULL },
		{ "*.example.com", NULL, "write a name as it is asked for" },
		{ "*", NULL, "an asterisk" },
		{ "192.0.2.1", NULL, "is an address" },
		{ "10.0.0.0/8", NULL, "is an address or network" },
		{ "https://example.com", NULL, "is not a domain name" },
		{ "two words", NULL, "is not a domain name" },
		{ ".", NULL, "is not a domain name" },
		{ "m\xc3\xbcnchen.de", NULL, "xn--" },
	};
	for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
		struct dns_name name;
		check_name(&samples[i], domain_parse_question(&name, samples[i].text), &name);
	}
}

#define LABEL_63 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"

static void test_hosts(void **state)
{
	(void)state;
	static const struct sample samples[] = {
		{ "DNS.Quad9.net", "dns.quad9.net", NULL },
		{ "dns.quad9.net.", "dns.quad9.net", NULL },
		{ "a_b-c.1", "a_b-c.1", NULL },
		{ LABEL_63 "." LABEL_63 "." LABEL_63
			   ".aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffg",
			LABEL_63 "." LABEL_63 "." LABEL_63
				 ".aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffg",
			NULL },
		{ LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63, NULL, "is not a domain name" },
		{ "9.9.9.9", NULL, "is an address" },
		{ "2620:fe::fe", NULL, "is an address" },
		{ "a:443", NULL, "is not the name of a host" },
		{ "https://a/dns-query", NULL, "a URL is cut" },
		{ "*.example", NULL, "is not the name of a host" },
		{ "a b", NULL, "is not the name of a host" },
		{ "a\\.b", NULL, "is not the name of a host" },
		{ "\\065", NULL, "is not the name of a host" },
		{ "a\\", NULL, "is not a domain name" },
		{ "", NULL, "is not a domain name" },
		{ "m\xc3\xbcnchen.de", NULL, "xn--" },
	};
	for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
		char host[DOMAIN_HOST_MAX];
		struct domain_fault fault;
		check(&samples[i], domain_parse_host(host, samples[i].text, &fault), host);
	}
}

static void test_trees(void **state)
{
	(void)state;
	static const struct sample samples[] = {
		{ "Corp.Example.", "corp.example.", NULL },
		{ "a_b", "a_b.", NULL },
		{ "*.corp.example", NULL, "write \"corp.example\"" },
		{ "a.*.example", NULL, "stands for nothing" },
		{ "*.*.example", NULL, "stands for nothing" },
		{ "*", NULL, "stands for nothing" },
		{ "corp.*", NULL, "stands for nothing" },
		{ ".", NULL, "is not a domain name" },
		{ "corp.example/", NULL, "is not a domain name" },
		{ "corp example", NULL, "is not a domain name" },
		{ "10.0.0.0/8", NULL, "is an address or network" },
		{ "10.0.0.1", NULL, "is an address or network" },
		{ "::1", NULL, "is an address or network" },
	};
	for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
		struct dns_name name;
		struct domain_fault fault;
		check_name(&samples[i], domain_parse_tree(&name, samples[i].text, &fault), &name);
	}
}

#define NIBBLES_32 "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa."

static void test_zones(void **state)
{
	(void)state;
	static const struct sample samples[] = {
		{ "corp.example", "corp.example.", NULL },
		{ "10.0.0.0/8", "10.in-addr.arpa.", NULL },
		{ "192.168.0.0/16", "168.192.in-addr.arpa.", NULL },
		{ "192.0.2.0/24", "2.0.192.in-addr.arpa.", NULL },
		{ "192.0.2.1/32", "1.2.0.192.in-addr.arpa.", NULL },
		{ "192.0.2.1", "1.2.0.192.in-addr.arpa.", NULL },
		{ "0.0.0.0/0", "in-addr.arpa.", NULL },
		{ "fd00::/8", "d.f.ip6.arpa.", NULL },
		{ "fe80::/12", "8.e.f.ip6.arpa.", NULL },
		{ "2001:db8::/32", "8.b.d.0.1.0.0.2.ip6.arpa.", NULL },
		{ "2001:db8::", NIBBLES_32, NULL },
		{ "::/0", "ip6.arpa.", NULL },
		{ "172.16.0.0/12", NULL, "from \"172.16.0.0/16\" to \"172.31.0.0/16\"" },
		{ "100.64.0.0/10", NULL, "from \"100.64.0.0/16\" to \"100.127.0.0/16\"" },
		{ "192.0.2.128/25", NULL, "from \"192.0.2.128/32\" to \"192.0.2.255/32\"" },
		{ "128.0.0.0/1", NULL, "from \"128.0.0.0/8\" to \"255.0.0.0/8\"" },
		{ "fc00::/7", NULL, "from \"fc00::/8\" to \"fd00::/8\"" },
		{ "fe80::/10", NULL, "from \"fe80::/12\" to \"feb0::/12\"" },
		{ "10.0.0.1/8", NULL, "is neither" },
		{ "10.0.0.0/33", NULL, "is neither" },
		{ "a.example/8", NULL, "is neither" },
		{ "*.corp.example", NULL, "write \"corp.example\"" },
	};
	for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
		struct dns_name name;
		struct domain_fault fault;
		check_name(&samples[i], domain_parse_zone(&name, samples[i].text, &fault), &name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_domains),
		cmocka_unit_test(test_questions),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_trees),
		cmocka_unit_test(test_zones),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
