#include "tests/unit/rules_fixture.h"

#include "proxy/query/token_memo.h"
#include "tls/digest.h"

/* FIPS 180-4's own example, and a text with every byte. */
static void test_digest(void **state)
{
	(void)state;
	static const uint8_t abc[] = { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41,
		0x40, 0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
		0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad };
	struct token_memo *memo = token_memo_new();
	assert_non_null(memo);
	for (int i = 0; i < 3; i++)
		assert_memory_equal(token_memo_digest(memo, slice_of_text("abc")), abc, sizeof abc);
	token_memo_free(memo);
}

/* More tokens than places, again and again: each always has its own digest, whatever was there
 * before; an empty one too. */
static void test_many(void **state)
{
	(void)state;
	enum { TOKENS = 4 * TOKEN_MEMO_PLACES };
	struct token_memo *memo = token_memo_new();
	char text[TOKEN_TEXT_MAX];
	assert_non_null(memo);
	memset(text, 'x', sizeof text);
	for (size_t round = 0; round < 3; round++)
		for (size_t i = 0; i < TOKENS; i++) {
			uint8_t expected[DIGEST_SHA256_LEN];
			struct slice token = slice_of(text, i % (TOKEN_TEXT_MAX + 1));
			text[0] = (char)('a' + i % 7);
			assert_true(digest_sha256(token, expected));
			assert_memory_equal(
				token_memo_digest(memo, token), expected, sizeof expected);
		}
	token_memo_free(memo);
}

static void test_too_long(void **state)
{
	(void)state;
	static const uint8_t text[TOKEN_TEXT_MAX + 1];
	struct token_memo *memo = token_memo_new();
	assert_non_null(memo);
	assert_non_null(token_memo_digest(memo, slice_of(text, TOKEN_TEXT_MAX)));
	assert_null(token_memo_digest(memo, slice_of(text, TOKEN_TEXT_MAX + 1)));
	assert_non_null(token_memo_digest(memo, slice_of(NULL, 0)));
	token_memo_free(memo);
	token_memo_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_too_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
