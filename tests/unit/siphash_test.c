#include "tests/unit/rules_fixture.h"

#include "base/siphash.h"

/* The reference implementation's vectors (vectors.h, vectors_sip64): key 00 01 .. 0f, input 00 01
 * .. of so many bytes; written there with the least byte first. And the paper's, appendix A, which
 * is the one of 15 bytes. */
static void test_vectors(void **state)
{
	(void)state;
	static const struct {
		size_t len;
		uint64_t hash;
	} rows[] = {
		{ 0, 0x726fdb47dd0e0e31 },
		{ 1, 0x74f839c593dc67fd },
		{ 2, 0x0d6c8009d9a94f5a },
		{ 3, 0x85676696d7fb7e2d },
		{ 7, 0xab0200f58b01d137 },
		{ 8, 0x93f5f5799a932462 },
		{ 15, 0xa129ca6149be45e5 },
	};
	uint8_t key[SIPHASH_KEY_LEN];
	uint8_t input[16];
	for (uint8_t i = 0; i < 16; i++)
		key[i] = input[i] = i;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(siphash(key, slice_of(input, rows[i].len)), rows[i].hash);
	assert_int_equal(siphash(key, slice_of(NULL, 0)), rows[0].hash);
	key[0] = 1;
	assert_int_not_equal(siphash(key, slice_of(input, 15)), 0xa129ca6149be45e5);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_vectors) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
