#include "tests/unit/rules_fixture.h"

#include "proxy/cli/claims_arguments.h"
#include "tls/digest.h"

static const struct listener_config listeners[] = { { .name = "dns-53" }, { .name = "dot-853" } };
static const struct config config = { .listeners = listeners, .listener_count = 2 };

static const char *read_words(
	struct claims_arguments *arguments, struct claims *claims, int argc, char **argv)
{
	static const struct option options[] = { CLAIMS_OPTIONS, { 0 } };
	const char *wrong;
	*arguments = (struct claims_arguments){ .client = NULL };
	optind = 0;
	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
		assert_true(claims_arguments_take(arguments, option, optarg));
	return claims_arguments_read(arguments, &config, 77, claims, &wrong);
}

static void test_nothing(void **state)
{
	(void)state;
	struct claims_arguments arguments;
	struct claims claims;
	struct address local;
	char *words[] = { "verb", NULL };
	assert_null(read_words(&arguments, &claims, 1, words));
	assert_true(address_parse(&local, "127.0.0.1"));
	assert_memory_equal(&claims.client, &local, sizeof local);
	assert_int_equal(claims.listener, 0);
	assert_int_equal(claims.now_s, 77);
	assert_null(claims.token);
	assert_int_equal(claims.certificate_count + claims.path.len + claims.tls_name.len, 0);
}

static void test_everything(void **state)
{
	(void)state;
	struct claims_arguments arguments;
	struct claims claims;
	uint8_t digest[DIGEST_SHA256_LEN];
	char *words[] = { "verb", "--client", "2001:db8::1", "--listener=dot-853", "--certificate",
		"uri:spiffe://a/b", "--certificate", "cn:Anna", "--token", "secret", "--path",
		"kids", "--tls-name", "Kids.DNS.example.", NULL };
	assert_null(read_words(&arguments, &claims, 14, words));
	assert_int_equal(claims.listener, 1);
	assert_int_equal(claims.certificate_count, 2);
	assert_true(slice_equals_text(claims.certificate[0], "uri:spiffe://a/b"));
	assert_true(slice_equals_text(claims.certificate[1], "cn:Anna"));
	assert_true(digest_sha256(slice_of_text("secret"), digest));
	assert_memory_equal(claims.token, digest, sizeof digest);
	assert_true(slice_equals_text(claims.path, "kids"));
	assert_true(slice_equals_text(claims.tls_name, "kids.dns.example"));
}

static void test_mistakes(void **state)
{
	(void)state;
	static char *const rows[][2] = {
		{ "--client", "10.0.0" },
		{ "--listener", "doh-443" },
		{ "--certificate", "Anna" },
		{ "--certificate", "cn:" },
		{ "--path", "" },
		{ "--path", "a/b" },
		{ "--tls-name", "" },
		{ "--tls-name", "." },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct claims_arguments arguments;
		struct claims claims;
		char *words[] = { "verb", rows[i][0], rows[i][1], NULL };
		assert_non_null(read_words(&arguments, &claims, 3, words));
	}
}

static void test_too_many_certificates(void **state)
{
	(void)state;
	struct claims_arguments arguments = { .client = NULL };
	for (int i = 0; i < CLAIMS_CERTIFICATES_MAX; i++)
		assert_true(claims_arguments_take(&arguments, CLAIMS_OPTION_CERTIFICATE, "cn:a"));
	assert_false(claims_arguments_take(&arguments, CLAIMS_OPTION_CERTIFICATE, "cn:a"));
	assert_false(claims_arguments_take(&arguments, 'x', "cn:a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_too_many_certificates),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
