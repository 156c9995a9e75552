/* The examples of FIPS 180-4, and texts that are no digests. */
#include "tls/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define OF_ABC     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void test_examples(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *hex;
	} rows[] = {
		{ "abc", OF_ABC },
		{ "", OF_NOTHING },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
			"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char hex[DIGEST_SHA256_HEX_MAX];
		uint8_t digest[DIGEST_SHA256_LEN];
		struct slice bytes = slice_of_text(rows[i].text);
		assert_true(digest_sha256_hex(bytes, hex));
		assert_string_equal(hex, rows[i].hex);
		assert_true(digest_sha256_hex_matches(bytes, rows[i].hex));
		assert_true(digest_sha256(bytes, digest));
		char first[3] = { hex[0], hex[1], '\0' };
		assert_int_equal(digest[0], strtol(first, NULL, 16));
	}
	assert_true(digest_sha256_hex_matches(slice_of(NULL, 0), OF_NOTHING));
}

static void test_hex(void **state)
{
	(void)state;
	static const char upper[] =
		"BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD";
	assert_true(digest_sha256_hex_check(OF_ABC));
	assert_true(digest_sha256_hex_check(upper));
	assert_true(digest_sha256_hex_matches(slice_of_text("abc"), upper));
	assert_false(digest_sha256_hex_check(""));
	assert_false(digest_sha256_hex_check(OF_ABC "0"));
	assert_false(digest_sha256_hex_check(&OF_ABC[1]));
	assert_false(digest_sha256_hex_check("sha256:ba7816bf8f01cfea414140de5dae2223b00361a39617"
					     "7a9cb410ff61f20015a"));
	assert_false(digest_sha256_hex_matches(slice_of_text("abd"), OF_ABC));
	assert_false(digest_sha256_hex_matches(slice_of_text("abc"), &OF_ABC[1]));
	assert_false(digest_sha256_hex_matches(slice_of_text("abc"), OF_ABC "0"));
	assert_false(digest_sha256_hex_matches(slice_of_text("abc"), ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_hex),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
