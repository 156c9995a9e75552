/* Who is the client? Who may speak for others, and what TLS adds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <time.h>

#include "proxy/front/claimant.h"
#include "tests/unit/tls_fixture.h"

static struct network proxies[2], fronts[1];
static struct listener_config listener = {
	.proxy_protocol_from = proxies,
	.proxy_protocol_from_count = 2,
	.forwarded_from = fronts,
	.forwarded_from_count = 1,
};
static const struct listener_config plain_listener;

static int list_peers(void **state)
{
	(void)state;
	return !network_parse(&proxies[0], "10.0.0.0/24") ||
		!network_parse(&proxies[1], "2001:db8::/32") ||
		!network_parse(&fronts[0], "10.0.1.0/24");
}

static struct address address_of(const char *text)
{
	struct address address;
	assert_true(address_parse(&address, text));
	return address;
}

static bool is_proxied(const struct listener_config *of, const char *peer)
{
	struct address address = address_of(peer);
	return claimant_is_proxied(of, &address);
}

static void test_who_owes_a_header(void **state)
{
	(void)state;
	assert_true(is_proxied(&listener, "10.0.0.9"));
	assert_true(is_proxied(&listener, "2001:db8::9"));
	assert_false(is_proxied(&listener, "10.0.1.9"));
	assert_false(is_proxied(&listener, "2001:db9::9"));
	assert_false(is_proxied(&plain_listener, "10.0.0.9"));
	assert_true(claimant_wants_forwarded(&listener));
	assert_false(claimant_wants_forwarded(&plain_listener));
}

/* Where there is no TLS, only proxies: of either kind. */
static void test_who_may_connect(void **state)
{
	static const struct {
		const char *peer;
		bool may;
	} cases[] = {
		{ "10.0.0.9", true },
		{ "2001:db8::9", true },
		{ "10.0.1.9", true },
		{ "10.0.2.9", false },
		{ "2001:db9::9", false },
		{ "127.0.0.1", false },
	};
	struct listener_config clear = listener;
	clear.kind = LISTENER_DOH_CLEAR;
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct address peer = address_of(cases[i].peer);
		assert_int_equal(claimant_may_connect(&clear, &peer), cases[i].may);
		assert_true(claimant_may_connect(&plain_listener, &peer));
	}
}

struct row {
	const char *peer;
	const char *forwarded; /* NULL: none */
	const char *client;    /* NULL: unclear */
};

static const struct row rows[] = {
	{ "192.0.2.1", NULL, "192.0.2.1" },
	{ "192.0.2.1", "for=192.0.2.2", "192.0.2.1" },
	{ "192.0.2.1", "for=10.0.1.9", "192.0.2.1" },
	{ "192.0.2.1", "\"", "192.0.2.1" },
	/* One that may put a PROXY header may not write this, and the other way round. */
	{ "10.0.0.9", "for=192.0.2.2", "10.0.0.9" },
	{ "10.0.1.9", NULL, "10.0.1.9" },
	{ "10.0.1.9", "for=192.0.2.2", "192.0.2.2" },
	{ "10.0.1.9", "for=192.0.2.2, for=10.0.1.8", "192.0.2.2" },
	{ "10.0.1.9", "for=192.0.2.2, for=10.0.2.8", "10.0.2.8" },
	{ "10.0.1.9", "for=unknown", NULL },
	{ "10.0.1.9", "\"", NULL },
};

static void test_forwarded(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct claims claims = { .client = address_of(rows[i].peer) };
		const char *text = rows[i].forwarded ? rows[i].forwarded : "";
		const struct framer_claims said = { .forwarded = slice_of_text(text),
			.path = slice_of_text("anna") };
		enum claimant_fault fault = claimant_say(&claims, &listener, NULL, &said, 0);
		assert_int_equal(fault, rows[i].client ? CLAIMANT_FINE : CLAIMANT_UNCLEAR);
		if (fault)
			continue;
		char client[ADDRESS_TEXT_MAX];
		address_text(&claims.client, client);
		assert_string_equal(client, rows[i].client);
		assert_true(slice_equals_text(claims.path, "anna"));
		assert_int_equal(claims.tls_name.len + claims.certificate_count, 0);
	}
}

/* --- with TLS --- */

static struct tls_ticket_keys *keys;

static struct tls_context *make_context(struct fixture_certificate *leaf)
{
	struct fixture_directory directory = fixture_directory_make();
	struct fixture_wish ca_wish = { .kind = "EC",
		.common_name = "ca",
		.is_ca = true,
		.not_before_s = -60,
		.not_after_s = 3600 };
	struct fixture_wish wish = {
		.kind = "EC", .common_name = "anna", .not_before_s = -60, .not_after_s = 600
	};
	struct fixture_certificate ca = fixture_grant(&ca_wish, NULL);
	*leaf = fixture_grant(&wish, &ca);
	const struct fixture_certificate *chain[] = { leaf, &ca };
	char certificate[128], key[128], client_ca[128], message[TLS_MESSAGE_MAX];
	fixture_write_chain(&directory, "server.pem", chain, 2);
	fixture_write_chain(&directory, "ca.pem", chain + 1, 1);
	fixture_write_key(&directory, "server.key", leaf->key, NULL);
	const struct tls_certificate_files pair = {
		.certificate = fixture_path(&directory, "server.pem", certificate),
		.key = fixture_path(&directory, "server.key", key),
	};
	const struct tls_context_files files = {
		.certificates = &pair,
		.certificate_count = 1,
		.client_ca = fixture_path(&directory, "ca.pem", client_ca),
	};
	struct tls_context *context = tls_context_load_files(&files, NULL, keys, message);
	FIXTURE_CHECK(context);
	fixture_drop(&ca);
	fixture_remove(&directory);
	return context;
}

static struct tls_stream *meet(
	struct tls_context *context, const struct fixture_certificate *certificate)
{
	static uint8_t out[TLS_OUT_MIN], plain[64];
	SSL_CTX *settings = fixture_client_settings(TLS1_3_VERSION);
	if (certificate) {
		SSL_CTX_use_certificate(settings, certificate->certificate);
		SSL_CTX_use_PrivateKey(settings, certificate->key);
	}
	struct fixture_client client = fixture_client_new(settings, NULL, 0);
	SSL_set_tlsext_host_name(client.openssl, "Dns.Example");
	struct tls_stream *stream = tls_stream_new(context, TLS_ALPN_DOT);
	for (unsigned turn = 0; turn < 3; turn++) {
		char *at;
		SSL_do_handshake(client.openssl);
		size_t len = (size_t)BIO_get_mem_data(client.out, &at);
		struct slice cipher = slice_of(at, len);
		struct writer to = writer_of(out, sizeof out);
		assert_int_equal(tls_stream_read(stream, &cipher, plain, sizeof plain, &to), 0);
		(void)BIO_reset(client.out);
		BIO_write(client.in, out, (int)to.len);
	}
	assert_true(tls_stream_is_established(stream));
	fixture_client_free(&client);
	SSL_CTX_free(settings);
	return stream;
}

static enum claimant_fault say(struct claims *claims, const struct tls_stream *tls, int64_t now_s)
{
	static const struct framer_claims said;
	*claims = (struct claims){ .client = address_of("192.0.2.1") };
	return claimant_say(claims, &plain_listener, tls, &said, now_s);
}

/* A certificate counts up to its last second, and who has none has nothing that ends. */
static void test_certificate(void **state)
{
	(void)state;
	struct fixture_certificate leaf;
	struct claims claims;
	keys = tls_ticket_keys_new();
	struct tls_context *context = make_context(&leaf);
	struct tls_stream *known = meet(context, &leaf), *unknown = meet(context, NULL);
	int64_t not_after_s = tls_stream_peer(known)->not_after_s;
	assert_in_range(not_after_s, time(NULL) + 300, time(NULL) + 601);

	assert_int_equal(say(&claims, known, not_after_s - 1), CLAIMANT_FINE);
	assert_int_equal(claims.certificate_count, 2);
	assert_true(slice_equals_text(claims.certificate[0], "cn:anna"));
	assert_true(slice_equals_text(claims.tls_name, "dns.example"));
	assert_int_equal(say(&claims, known, not_after_s), CLAIMANT_EXPIRED);
	assert_int_equal(claims.certificate_count, 0);

	assert_int_equal(say(&claims, unknown, not_after_s + 1), CLAIMANT_FINE);
	assert_int_equal(claims.certificate_count, 0);
	assert_true(slice_equals_text(claims.tls_name, "dns.example"));
	tls_stream_free(known);
	tls_stream_free(unknown);
	tls_context_unref(context);
	tls_ticket_keys_free(keys);
	fixture_drop(&leaf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_owes_a_header),
		cmocka_unit_test(test_who_may_connect),
		cmocka_unit_test(test_forwarded),
		cmocka_unit_test(test_certificate),
	};
	return cmocka_run_group_tests(tests, list_peers, NULL);
}
