/* Who a client says it is: server names from bytes, names of a certificate as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/tls_fixture.h"
#include "tls/private.h"

#define BYTES(text)                                                                                \
	{                                                                                          \
		(const uint8_t *)(text), sizeof(text) - 1                                          \
	}

struct server_name {
	struct slice extension;
	const char *name; /* NULL: none */
};

/* RFC 6066 3: a list of { type, length, name }. */
static const struct server_name server_names[] = {
	{ BYTES("\0\x0f\0\0\x0c"
		"anna.example"),
		"anna.example" },
	{ BYTES("\0\x10\0\0\x0d"
		"Anna.Example."),
		"anna.example" },
	{ BYTES("\0\x06\0\0\x03"
		"a_b"),
		"a_b" },
	/* Another type first; two names: the first. */
	{ BYTES("\0\x08\7\0\1x\0\0\1a"), "a" },
	{ BYTES("\0\x08\0\0\1a\0\0\1b"), "a" },
	/* No host names. */
	{ BYTES("\0\x0c\0\0\x09"
		"192.0.2.1"),
		NULL },
	{ BYTES("\0\x06\0\0\3::1"), NULL },
	{ BYTES("\0\x06\0\0\3a b"), NULL },
	{ BYTES("\0\x06\0\0\3a\0b"), NULL },
	{ BYTES("\0\x07\0\0\4a..b"), NULL },
	{ BYTES("\0\x05\0\0\2.a"), NULL },
	{ BYTES("\0\x06\0\0\3a.."), NULL },
	{ BYTES("\0\x04\0\0\1."), NULL },
	{ BYTES("\0\x05\0\0\2*a"), NULL },
	{ BYTES("\0\x05\0\0\2\xc3\xa4"), NULL },
	/* Broken. */
	{ BYTES(""), NULL },
	{ BYTES("\0"), NULL },
	{ BYTES("\0\0"), NULL },
	{ BYTES("\0\x03\0\0\0"), NULL },
	{ BYTES("\0\x04\0\0\2a"), NULL },
	{ BYTES("\0\xff\0\0\1a"), NULL },
	{ BYTES("\0\1\0"), NULL },
};

static void assert_name(struct slice name, const char *text)
{
	if (!slice_equals_text(name, text ? text : ""))
		fail_msg("\"%.*s\" instead of \"%s\"", (int)name.len, (const char *)name.at, text);
}

static void test_server_names(void **state)
{
	(void)state;
	struct tls_peer peer = { 0 };
	for (size_t i = 0; i < sizeof server_names / sizeof *server_names; i++) {
		struct slice whole = server_names[i].extension;
		uint8_t *copy = malloc(whole.len + !whole.len);
		memcpy(copy, whole.at, whole.len);
		tls_peer_take_server_name(&peer, slice_of(copy, whole.len));
		free(copy);
		assert_name(peer.tls_name, server_names[i].name);
	}
	tls_peer_deinit(&peer);
}

static void test_server_name_lengths(void **state)
{
	(void)state;
	for (size_t len = 60; len < 300; len++) {
		uint8_t extension[400] = { 0, 0, 0, 0, 0 };
		uint8_t *name = extension + 5;
		extension[0] = (uint8_t)((len + 3) >> 8);
		extension[1] = (uint8_t)(len + 3);
		extension[3] = (uint8_t)(len >> 8);
		extension[4] = (uint8_t)len;
		for (size_t i = 0; i < len; i++)
			name[i] = i % 50 == 49 ? '.' : 'a';
		struct tls_peer peer = { 0 };
		tls_peer_take_server_name(&peer, slice_of(extension, len + 5));
		size_t kept = name[len - 1] == '.' ? len - 1 : len;
		assert_int_equal(peer.tls_name.len, kept <= 253 ? kept : 0);
		tls_peer_deinit(&peer);
	}
}

/* --- certificates --- */

static X509 *certificate_of(const char *common_name, const char *alt_names)
{
	struct fixture_wish wish = {
		.kind = "EC", .common_name = common_name, .names = alt_names, .not_after_s = 3600
	};
	struct fixture_certificate made = fixture_grant(&wish, NULL);
	EVP_PKEY_free(made.key);
	return made.certificate;
}

static void expect_names(X509 *certificate, const char *const *expected)
{
	struct tls_peer peer = { 0 };
	assert_true(tls_peer_take_certificate(&peer, certificate, 1234));
	assert_int_equal(peer.not_after_s, 1234);
	size_t count = 0;
	for (; expected[count]; count++) {
		assert_true(count < peer.name_count);
		assert_name(peer.names[count], expected[count]);
	}
	/* The digest is the last, and there is nothing else. */
	assert_int_equal(peer.name_count, count + 1);
	assert_int_equal(peer.names[count].len, strlen("sha256:") + 64);
	assert_memory_equal(peer.names[count].at, "sha256:", strlen("sha256:"));
	tls_peer_deinit(&peer);
	X509_free(certificate);
}

struct named {
	const char *common_name;
	const char *alt_names;
	const char *expected[8];
};

static const struct named named[] = {
	{ "Anna", NULL, { "cn:Anna" } },
	{ "Anna Example, the first", NULL, { "cn:Anna Example, the first" } },
	{ "anna", "URI:spiffe://corp.example/Web", { "uri:spiffe://corp.example/Web", "cn:anna" } },
	{ "anna", "DNS:Laptop.Corp.EXAMPLE", { "dns:laptop.corp.example", "cn:anna" } },
	{ "anna", "email:Anna@Corp.Example", { "email:Anna@corp.example", "cn:anna" } },
	{ "anna", "DNS:b.example,URI:urn:a,email:a@b,DNS:c.example",
		{ "dns:b.example", "uri:urn:a", "email:a@b", "dns:c.example", "cn:anna" } },
	/* No names of clients. */
	{ "anna", "DNS:*.corp.example,IP:192.0.2.1,RID:1.2.3.4", { "cn:anna" } },
	{ "anna", "DNS:a b,URI:urn:a b,email:a b@c,email:nobody", { "cn:anna" } },
	{ "a\tb", NULL, { NULL } },
	{ "a\x7f", NULL, { NULL } },
	{ "M\xc3\xbcller", NULL, { NULL } },
};

static void test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof named / sizeof *named; i++)
		expect_names(certificate_of(named[i].common_name, named[i].alt_names),
			named[i].expected);
}

/* Adds a subjectAltName that no configuration language could write. */
static X509 *certificate_with(int type, const void *bytes, int len, unsigned count)
{
	X509 *certificate = certificate_of("anna", NULL);
	GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();
	for (unsigned i = 0; i < count; i++) {
		GENERAL_NAME *name = GENERAL_NAME_new();
		ASN1_IA5STRING *text = ASN1_IA5STRING_new();
		ASN1_STRING_set(text, bytes, len);
		GENERAL_NAME_set0_value(name, type, text);
		sk_GENERAL_NAME_push(all, name);
	}
	assert_int_equal(
		X509_add1_ext_i2d(certificate, NID_subject_alt_name, all, 0, X509V3_ADD_DEFAULT),
		1);
	sk_GENERAL_NAME_pop_free(all, GENERAL_NAME_free);
	return certificate;
}

/* "good.example" NUL ".evil.example" would be another name to whoever stops at the NUL. */
static void test_bytes_that_are_no_text(void **state)
{
	(void)state;
	static const int types[] = { GEN_DNS, GEN_URI, GEN_EMAIL };
	static const char *const expected[] = { "cn:anna", NULL };
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		expect_names(certificate_with(types[i], "a@good.example\0.evil", 20, 1), expected);
		expect_names(certificate_with(types[i], "a@good\n.example", 15, 1), expected);
		expect_names(certificate_with(types[i], "a@g\xf6od.example", 14, 1), expected);
		expect_names(certificate_with(types[i], "", 0, 1), expected);
	}
	X509 *certificate = certificate_of("x", NULL);
	X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate), NID_commonName,
		MBSTRING_UTF8, (const unsigned char *)"root\0x", 6, -1, 0);
	expect_names(certificate, expected + 1);
}

/* Of several common names the last is the most specific. */
static void test_common_names(void **state)
{
	(void)state;
	static const char *const expected[] = { "cn:anna", NULL };
	X509 *certificate = certificate_of("department", NULL);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
		(const unsigned char *)"anna", -1, -1, 0);
	expect_names(certificate, expected);
}

/* What is too long or too many is left out; the digest never is. */
static void test_limits(void **state)
{
	(void)state;
	static char long_name[5000];
	memset(long_name, 'a', sizeof long_name);
	const struct {
		int len;
		unsigned count;
		size_t kept; /* of them */
	} rows[] = { { 2048, 1, 1 }, { 2049, 1, 0 }, { 10, 32, 32 }, { 10, 100, 32 },
		{ 2048, 3, 3 }, { 2048, 100, 3 }, { 1000, 100, 8 } };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		X509 *certificate =
			certificate_with(GEN_URI, long_name, rows[i].len, rows[i].count);
		struct tls_peer peer = { 0 };
		assert_true(tls_peer_take_certificate(&peer, certificate, 1));
		assert_int_equal(peer.name_count, rows[i].kept + 2);
		for (size_t k = 0; k < rows[i].kept; k++)
			assert_int_equal(peer.names[k].len, (size_t)rows[i].len + 4);
		assert_name(peer.names[rows[i].kept], "cn:anna");
		tls_peer_deinit(&peer);
		X509_free(certificate);
	}
}

/* As sha256sum says it of the DER. */
static void test_digest(void **state)
{
	(void)state;
	struct tls_peer peer = { 0 };
	X509 *certificate = certificate_of("anna", NULL);
	uint8_t digest[32];
	char text[80] = "sha256:";
	assert_int_equal(X509_digest(certificate, EVP_sha256(), digest, NULL), 1);
	for (size_t i = 0; i < sizeof digest; i++)
		sprintf(text + 7 + 2 * i, "%02x", digest[i]);
	assert_true(tls_peer_take_certificate(&peer, certificate, 1));
	assert_name(peer.names[1], text);
	tls_peer_deinit(&peer);
	tls_peer_deinit(&peer);
	X509_free(certificate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_server_names),
		cmocka_unit_test(test_server_name_lengths),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_bytes_that_are_no_text),
		cmocka_unit_test(test_common_names),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_digest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
