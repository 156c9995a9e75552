/* What is designated with which certificate and which listeners, byte by byte; why nothing is; and
 * what stays here, said or not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "proxy/query/ddr.h"
#include "tests/unit/tls_fixture.h"
#include "tests/unit/wire.h"

static struct tls_ticket_keys *keys;

static int make_keys(void **state)
{
	(void)state;
	keys = tls_ticket_keys_new();
	return 0;
}

static int drop_keys(void **state)
{
	(void)state;
	tls_ticket_keys_free(keys);
	return 0;
}

enum { LISTENERS_MAX = 16 };

struct site {
	struct listener_config listeners[LISTENERS_MAX];
	struct config config;
};

/* "dns 127.0.0.1 53, doh :: 443 /dns-query": as a configuration has them. */
static void make_site(struct site *site, const char *listeners)
{
	static char paths[LISTENERS_MAX][300];
	*site = (struct site){ .config = { .ddr = true } };
	site->config.listeners = site->listeners;
	for (const char *at = listeners; *at;) {
		struct listener_config *to = &site->listeners[site->config.listener_count];
		char kind[8], address[64], *path = paths[site->config.listener_count++];
		unsigned port = 0;
		*path = '\0';
		assert_true(sscanf(at, "%7s %63s %u %299[^, ]", kind, address, &port, path) >= 3);
		to->kind = strcmp(kind, "doh") == 0  ? LISTENER_DOH
			: strcmp(kind, "dot") == 0   ? LISTENER_DOT
			: strcmp(kind, "clear") == 0 ? LISTENER_DOH_CLEAR
						     : LISTENER_DNS;
		assert_true(address_parse(&to->address, address));
		to->port = (uint16_t)port;
		to->path = listener_is_doh(to->kind) ? path : NULL;
		at += strcspn(at, ",");
		at += strspn(at, ", ");
	}
}

static struct ddr *make_ddr(
	const struct config *config, const char *alt_names, char reason[DDR_REASON_MAX])
{
	struct tls_context *tls = fixture_context_for(alt_names, "EC", keys);
	struct ddr *ddr = ddr_new(config, tls, reason);
	tls_context_unref(tls); /* nothing of it is needed any more */
	assert_non_null(ddr);
	return ddr;
}

static void test_designations(void **state)
{
	(void)state;
	static const struct {
		const char *listeners;
		const char *alt_names;
		const char *rdata[DDR_DESIGNATIONS_MAX];
	} rows[] = {
		{ "dns 192.0.2.1 53, dot 192.0.2.1 853, doh 192.0.2.1 443 /dns-query",
			"DNS:dns.example,IP:192.0.2.1",
			{ "0001 'dns.example' 0001 0003 02 \"h2\" 0003 0002 01bb"
			  "0004 0004 c0000201 0007 0010 \"/dns-query{?dns}\"",
				"0002 'dns.example' 0001 0004 03 \"dot\" 0003 0002 0355"
				"0004 0004 c0000201" } },
		/* both families, one service; an address twice is told once */
		{ "dns 192.0.2.1 53, dns 2001:db8::1 53, doh 2001:db8::1 8443 /q,"
		  "doh 192.0.2.1 8443 /q, doh 192.0.2.1 8443 /q",
			"IP:192.0.2.1,IP:2001:db8::1,DNS:a.example",
			{ "0001 'a.example' 0001 0003 02 \"h2\" 0003 0002 20fb"
			  "0004 0004 c0000201 0006 0010 20010db8 00*11 01 "
			  "0007 0008 \"/q{?dns}\"" } },
		/* other ports and paths are other services, in the order of the configuration */
		{ "dot 192.0.2.1 853, dns 192.0.2.1 53, doh 192.0.2.1 443 /b, dot 192.0.2.1 8853,"
		  "doh 192.0.2.1 443 /a",
			"DNS:a,IP:192.0.2.1",
			{ "0001 'a' 0001 0003 02 \"h2\" 0003 0002 01bb 0004 0004 c0000201"
			  "0007 0008 \"/b{?dns}\"",
				"0002 'a' 0001 0003 02 \"h2\" 0003 0002 01bb 0004 0004 c0000201"
				"0007 0008 \"/a{?dns}\"",
				"0003 'a' 0001 0004 03 \"dot\" 0003 0002 0355 0004 0004 c0000201",
				"0004 'a' 0001 0004 03 \"dot\" 0003 0002 2295 0004 0004 "
				"c0000201" } },
		/* the listener's address is not in the certificate: no hint, but a name */
		{ "dns 192.0.2.1 53, dot 192.0.2.9 853", "DNS:a,IP:192.0.2.1",
			{ "0001 'a' 0001 0004 03 \"dot\" 0003 0002 0355" } },
		/* all addresses: those of the certificate, of the listener's family */
		{ "dns 0.0.0.0 53, dot 0.0.0.0 853",
			"DNS:a,IP:192.0.2.1,IP:2001:db8::1,IP:127.0.0.1,IP:192.0.2.2",
			{ "0001 'a' 0001 0004 03 \"dot\" 0003 0002 0355"
			  "0004 0008 c0000201 c0000202" } },
		{ "dns 0.0.0.0 53, dot :: 853", "DNS:a,IP:192.0.2.1,IP:2001:db8::1,IP:::1",
			{ "0001 'a' 0001 0004 03 \"dot\" 0003 0002 0355"
			  "0006 0010 20010db8 00*11 01" } },
		/* loopback is told where there is nothing else */
		{ "dns 127.0.0.1 53, dot 127.0.0.1 853, dot ::1 853",
			"DNS:localhost,IP:127.0.0.1,IP:::1",
			{ "0001 'localhost' 0001 0004 03 \"dot\" 0003 0002 0355"
			  "0004 0004 7f000001 0006 0010 00*15 01" } },
		{ "dns 127.0.0.1 53, dot 127.0.0.1 853, dot 192.0.2.1 853",
			"DNS:a,IP:127.0.0.1,IP:192.0.2.1",
			{ "0001 'a' 0001 0004 03 \"dot\" 0003 0002 0355 0004 0004 c0000201" } },
		/* one plain listener of two is in the certificate: its clients may believe it */
		{ "dns 127.0.0.1 53, dns 192.0.2.1 53, dot 192.0.2.1 853",
			"DNS:*.example,DNS:b.example,DNS:c.example,IP:192.0.2.1",
			{ "0001 'b.example' 0001 0004 03 \"dot\" 0003 0002 0355"
			  "0004 0004 c0000201" } },
		/* eight addresses of a family, not nine */
		{ "dns 0.0.0.0 53, dot 0.0.0.0 853",
			"DNS:a,IP:10.0.0.1,IP:10.0.0.2,IP:10.0.0.3,IP:10.0.0.4,IP:10.0.0.5,"
			"IP:10.0.0.6,IP:10.0.0.7,IP:10.0.0.8,IP:10.0.0.9",
			{ "0001 'a' 0001 0004 03 \"dot\" 0003 0002 0355 0004 0020"
			  "0a000001 0a000002 0a000003 0a000004 0a000005 0a000006 0a000007"
			  "0a000008" } },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct site site;
		char reason[DDR_REASON_MAX] = "?";
		make_site(&site, rows[i].listeners);
		struct ddr *ddr = make_ddr(&site.config, rows[i].alt_names, reason);
		assert_string_equal(reason, "");
		for (size_t j = 0; j < ddr->count; j++)
			if (!rows[i].rdata[j] ||
				!slice_equals(ddr->designations[j].rdata, wire(rows[i].rdata[j])))
				fail_msg("%s: designation %zu", rows[i].listeners, j);
		for (size_t j = ddr->count; j < DDR_DESIGNATIONS_MAX; j++)
			assert_null(rows[i].rdata[j]);
		ddr_unref(ddr);
	}
}

static void test_why_nothing_is_said(void **state)
{
	(void)state;
	static const struct {
		const char *listeners;
		const char *alt_names;
		const char *reason;
	} rows[] = {
		{ "dns 192.0.2.1 53", "DNS:a,IP:192.0.2.1",
			"there is no doh or dot listener to designate" },
		{ "dot 192.0.2.1 853", "DNS:a,IP:192.0.2.1",
			"there is no dns listener: clients that ask for designated resolvers do "
			"so over plain DNS" },
		{ "dns 192.0.2.1 53, dot 192.0.2.1 853", "IP:192.0.2.1",
			"the certificate has no host name, only a wildcard or addresses; add one "
			"to its subjectAltName" },
		{ "dns 192.0.2.1 53, dot 192.0.2.1 853", "DNS:*.example,IP:192.0.2.1",
			"the certificate has no host name, only a wildcard or addresses; add one "
			"to its subjectAltName" },
		{ "dns 192.0.2.1 53, dot 192.0.2.1 853", "DNS:a..example,IP:192.0.2.1",
			"the certificate's name \"a..example\" is not a domain name" },
		{ "dns 192.0.2.1 53, dot 192.0.2.1 853", "DNS:.,IP:192.0.2.1",
			"the certificate's name \".\" is not a domain name" },
		{ "dns 192.0.2.1 53, dot 192.0.2.1 853", "DNS:a,IP:192.0.2.2",
			"the certificate does not have 192.0.2.1, where plain DNS is asked, and "
			"clients believe it only if it does; add IP:192.0.2.1 to its "
			"subjectAltName" },
		/* the encrypted listener's address does not help: that is not where they asked */
		{ "dns 2001:db8::1 53, dot 192.0.2.2 853", "DNS:a,IP:192.0.2.2",
			"the certificate does not have 2001:db8::1, where plain DNS is asked, and "
			"clients believe it only if it does; add IP:2001:db8::1 to its "
			"subjectAltName" },
		{ "dns 0.0.0.0 53, dot 0.0.0.0 853", "DNS:a",
			"the certificate has no IPv4 address, and clients believe it only if it "
			"has the one that they asked; add it to the subjectAltName" },
		{ "dns :: 53, dot :: 853", "DNS:a,IP:192.0.2.1",
			"the certificate has no IPv6 address, and clients believe it only if it "
			"has the one that they asked; add it to the subjectAltName" },
	};
	struct site site;
	char reason[DDR_REASON_MAX];
	struct ddr *ddr;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		make_site(&site, rows[i].listeners);
		ddr = make_ddr(&site.config, rows[i].alt_names, reason);
		assert_string_equal(reason, rows[i].reason);
		assert_int_equal(ddr->count, 0);
		ddr_unref(ddr);
	}
	make_site(&site, "dns 192.0.2.1 53, dot 192.0.2.1 853");
	site.config.ddr = false;
	ddr = make_ddr(&site.config, "DNS:a,IP:192.0.2.1", reason);
	assert_string_equal(reason, "ddr is off");
	assert_int_equal(ddr->count, 0);
	ddr_unref(ddr);
	make_site(&site, "dns 192.0.2.1 53, clear 192.0.2.1 8053 /dns-query");
	ddr = make_ddr(&site.config, "DNS:a,IP:192.0.2.1", reason);
	assert_string_equal(reason, "there is no doh or dot listener to designate");
	ddr_unref(ddr);
	make_site(&site, "dns 192.0.2.1 53");
	ddr = ddr_new(&site.config, NULL, reason);
	assert_string_equal(reason, "there is no doh or dot listener to designate");
	ddr_unref(ddr);
	ddr_unref(NULL);
}

/* More services than anybody has, with names and paths as long as they get. */
static void test_bounds(void **state)
{
	(void)state;
	struct site site;
	char listeners[8192] = "dns 0.0.0.0 53", alt_names[1024], path[256], reason[DDR_REASON_MAX];
	size_t len = strlen(listeners);
	memset(path, 'p', sizeof path - 1);
	path[0] = '/';
	path[sizeof path - 1] = '\0';
	for (unsigned i = 0; i < LISTENERS_MAX - 1; i++)
		len += (size_t)snprintf(listeners + len, sizeof listeners - len,
			", doh 0.0.0.0 %u %s", 60000 + i, path);
	len = (size_t)snprintf(alt_names, sizeof alt_names, "IP:192.0.2.1,DNS:");
	for (unsigned i = 0; i < DNS_NAME_LABELS_MAX; i++)
		len += (size_t)snprintf(
			alt_names + len, sizeof alt_names - len, "%sa", i ? "." : "");
	make_site(&site, listeners);
	struct ddr *ddr = make_ddr(&site.config, alt_names, reason);
	assert_int_equal(ddr->count, DDR_DESIGNATIONS_MAX);
	for (size_t i = 0; i < ddr->count; i++) {
		assert_int_equal(ddr->designations[i].priority, i + 1);
		assert_int_equal(
			ddr->designations[i].rdata.len, 2 + DNS_NAME_MAX + 7 + 6 + 8 + 4 + 255 + 6);
	}
	ddr_unref(ddr);
}

/* --- the answer --- */

struct said {
	uint16_t rcode;
	uint16_t answers;
	uint16_t authority;
};

static struct said ask(const struct ddr *ddr, const char *text, uint16_t type)
{
	static uint8_t buffer[4096];
	struct dns_name name, lower;
	struct dns_reply reply;
	struct dns_answer answer;
	assert_true(dns_name_from_text(&name, slice_of_text(text)));
	lower.len = name.len;
	dns_name_lower(lower.wire, name.wire, name.len);
	const struct dns_query query = {
		.name = dns_name_slice(&name), .type = type, .class = DNS_CLASS_IN
	};
	assert_true(ddr_is_ours(dns_name_slice(&lower)));
	dns_reply_begin(
		&reply, &query, (struct dns_reply_limits){ .size = 1232 }, buffer, sizeof buffer);
	ddr_answer(ddr, dns_name_slice(&lower), type, &reply);
	assert_int_equal(dns_answer_open(&answer, dns_reply_finish(&reply)), 0);
	assert_true(dns_answer_is_for(&answer, query.name, type, DNS_CLASS_IN));
	assert_false(answer.flags & DNS_FLAG_TC);
	return (struct said){ answer.rcode, answer.counts[0], answer.counts[1] };
}

static void test_answers(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		uint16_t type;
		uint16_t answers;
	} rows[] = {
		{ "_dns.resolver.arpa", DNS_TYPE_SVCB, 2 },
		{ "_DNS.Resolver.ARPA", DNS_TYPE_SVCB, 2 },
		{ "_dns.resolver.arpa", DNS_TYPE_HTTPS, 0 },
		{ "_dns.resolver.arpa", DNS_TYPE_ANY, 0 },
		{ "_dns.resolver.arpa", DNS_TYPE_A, 0 },
		{ "x._dns.resolver.arpa", DNS_TYPE_SVCB, 0 },
		{ "resolver.arpa", DNS_TYPE_SVCB, 0 },
		{ "resolver.arpa", DNS_TYPE_SOA, 0 },
		{ "www.resolver.arpa", DNS_TYPE_A, 0 },
	};
	struct site site;
	char reason[DDR_REASON_MAX];
	make_site(&site, "dns 127.0.0.1 53, dot 127.0.0.1 853, doh 127.0.0.1 443 /dns-query");
	struct ddr *ddr = make_ddr(&site.config, "DNS:dns.example,IP:127.0.0.1", reason);
	site.config.ddr = false;
	struct ddr *off = make_ddr(&site.config, "DNS:dns.example,IP:127.0.0.1", reason);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct said said = ask(ddr, rows[i].name, rows[i].type);
		assert_int_equal(said.rcode, DNS_RCODE_NOERROR);
		assert_int_equal(said.answers, rows[i].answers);
		assert_int_equal(said.authority, rows[i].answers == 0);
		for (unsigned without = 0; without < 2; without++) {
			said = ask(without ? NULL : off, rows[i].name, rows[i].type);
			assert_int_equal(said.rcode, DNS_RCODE_NOERROR);
			assert_int_equal(said.answers, 0);
			assert_int_equal(said.authority, 1);
		}
	}
	ddr_unref(ddr);
	ddr_unref(off);
}

static void test_neighbours_are_not_ours(void **state)
{
	(void)state;
	static const char *const names[] = { ".", "arpa", "notresolver.arpa", "resolver.arpa.test",
		"resolver", "home.arpa", "_dns.resolver.example" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct dns_name name;
		assert_true(dns_name_from_text(&name, slice_of_text(names[i])));
		if (ddr_is_ours(dns_name_slice(&name)))
			fail_msg("%s", names[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_designations),
		cmocka_unit_test(test_why_nothing_is_said),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_neighbours_are_not_ours),
	};
	return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
