/* What a certificate says that it is: its first real host name, its addresses, and nothing that
 * only looks like one. */
#include "tls/context.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/tls_fixture.h"

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

/* The addresses as text, with a blank behind each. */
static const char *addresses_of(const struct tls_context *context, char *text, size_t size)
{
	size_t count;
	const struct address *addresses = tls_context_addresses(context, &count);
	struct writer to = writer_of(text, size - 1);
	for (size_t i = 0; i < count; i++) {
		assert_true(tls_context_has_address(context, &addresses[i]));
		address_write(&to, &addresses[i]);
		writer_text(&to, " ");
	}
	assert_false(to.failed);
	text[to.len] = '\0';
	return text;
}

static void test_names_and_addresses(void **state)
{
	(void)state;
	static const struct {
		const char *alt_names;
		const char *name;
		const char *addresses;
	} rows[] = {
		{ "DNS:dns.example", "dns.example", "" },
		{ "DNS:*.example,DNS:dns.example,DNS:other.example", "dns.example", "" },
		{ "IP:192.0.2.1,DNS:dns.example,IP:2001:db8::1,IP:127.0.0.1", "dns.example",
			"192.0.2.1 2001:db8::1 127.0.0.1 " },
		{ "IP:192.0.2.1", NULL, "192.0.2.1 " },
		{ "DNS:*.example", NULL, "" },
		{ "DNS:a*.example", NULL, "" },
		/* neither a host name nor an address, whatever it looks like */
		{ "URI:https://dns.example,email:a@dns.example", NULL, "" },
		{ "DNS:192.0.2.1", "192.0.2.1", "" },
		/* an IPv4 address in sixteen bytes is not what clients look for */
		{ "IP:::ffff:192.0.2.1", NULL, "" },
		{ NULL, NULL, "" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[256];
		struct tls_context *context = fixture_context_for(rows[i].alt_names, "EC", keys);
		const char *name = tls_context_name(context);
		if (!name != !rows[i].name || (name && strcmp(name, rows[i].name) != 0))
			fail_msg("%s: %s", rows[i].alt_names, name);
		assert_string_equal(addresses_of(context, text, sizeof text), rows[i].addresses);
		tls_context_unref(context);
	}
}

static void test_has_address(void **state)
{
	(void)state;
	struct tls_context *context =
		fixture_context_for("IP:192.0.2.1,IP:2001:db8::1,DNS:192.0.2.2", "EC", keys);
	static const struct {
		const char *address;
		bool has;
	} rows[] = { { "192.0.2.1", true }, { "2001:db8::1", true }, { "192.0.2.2", false },
		{ "192.0.2.0", false }, { "2001:db8::", false }, { "0.0.0.0", false },
		{ "::", false } };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct address address;
		assert_true(address_parse(&address, rows[i].address));
		if (tls_context_has_address(context, &address) != rows[i].has)
			fail_msg("%s", rows[i].address);
	}
	tls_context_unref(context);
}

/* The first ones of very many. */
static void test_many_addresses(void **state)
{
	(void)state;
	static char text[4096];
	size_t len = 0;
	size_t count;
	for (unsigned i = 0; i < 100; i++)
		len += (size_t)snprintf(
			text + len, sizeof text - len, "%sIP:10.0.0.%u", i ? "," : "", i);
	struct tls_context *context = fixture_context_for(text, "EC", keys);
	const struct address *addresses = tls_context_addresses(context, &count);
	assert_int_equal(count, 64);
	assert_int_equal(addresses[63].bytes[15], 63);
	assert_null(tls_context_name(context));
	tls_context_unref(context);
}

/* RFC 6125 1.7.2's old trick: "dns.example\0.evil.example" is not dns.example. */
static void test_a_name_with_a_nul(void **state)
{
	(void)state;
	static const char deceptive[] = "dns.example\0.evil.example";
	struct fixture_directory directory = fixture_directory_make();
	struct fixture_certificate leaf = fixture_issue("EC", "self", NULL, -60, 86400);
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	char certificate_file[128], key_file[128], message[TLS_MESSAGE_MAX];
	ASN1_STRING_set(text, deceptive, sizeof deceptive - 1);
	GENERAL_NAME_set0_value(name, GEN_DNS, text);
	sk_GENERAL_NAME_push(names, name);
	assert_int_equal(X509_add1_ext_i2d(leaf.certificate, NID_subject_alt_name, names, 0, 0), 1);
	assert_true(X509_sign(leaf.certificate, leaf.key, EVP_sha256()) > 0);
	GENERAL_NAMES_free(names);
	const struct fixture_certificate *chain[] = { &leaf };
	fixture_write_chain(&directory, "server.pem", chain, 1);
	fixture_write_key(&directory, "server.key", leaf.key, NULL);
	struct tls_context *context =
		tls_context_load(fixture_path(&directory, "server.pem", certificate_file),
			fixture_path(&directory, "server.key", key_file), keys, message);
	assert_non_null(context);
	assert_null(tls_context_name(context));
	tls_context_unref(context);
	fixture_drop(&leaf);
	fixture_remove(&directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_and_addresses),
		cmocka_unit_test(test_has_address),
		cmocka_unit_test(test_many_addresses),
		cmocka_unit_test(test_a_name_with_a_nul),
	};
	return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
