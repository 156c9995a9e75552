#include "tests/unit/rules_fixture.h"

#include "proxy/query/holders.h"

static struct address address_of(const char *text)
{
	struct address address;
	assert_true(address_parse(&address, text));
	return address;
}

static uint32_t take(struct holders *holders, const char *client, size_t most)
{
	struct address address = address_of(client);
	return holders_take(holders, &address, true, most);
}

static void test_each_has_its_own(void **state)
{
	(void)state;
	struct holders *holders = holders_new(10);
	assert_non_null(holders);
	uint32_t one = take(holders, "192.0.2.1", 2);
	assert_int_not_equal(one, HOLDERS_NONE);
	assert_int_equal(take(holders, "192.0.2.1", 2), one);
	assert_int_equal(take(holders, "192.0.2.1", 2), HOLDERS_NONE);
	assert_int_not_equal(take(holders, "192.0.2.2", 2), HOLDERS_NONE);
	holders_give(holders, one);
	assert_int_equal(take(holders, "192.0.2.1", 2), one);
	assert_int_equal(take(holders, "192.0.2.3", 0), HOLDERS_NONE);
	holders_free(holders);
}

static void test_who_is_one(void **state)
{
	(void)state;
	static const struct {
		const char *one;
		const char *other;
		bool same;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false },
		{ "2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true },
		{ "2001:db8::1", "2001:db8:0:1::1", false },
		{ "192.0.2.1", "::c000:201", false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct holders *holders = holders_new(4);
		assert_non_null(holders);
		assert_int_not_equal(take(holders, rows[i].one, 1), HOLDERS_NONE);
		assert_int_equal(take(holders, rows[i].other, 1) == HOLDERS_NONE, rows[i].same);
		holders_free(holders);
	}
}

/* Who forges a client's address takes nothing from it, nor all from everybody. */
static void test_forged(void **state)
{
	(void)state;
	struct holders *holders = holders_new(8);
	struct address victim = address_of("192.0.2.1");
	assert_non_null(holders);
	uint32_t forged = holders_take(holders, &victim, false, 1);
	assert_int_not_equal(forged, HOLDERS_NONE);
	assert_int_equal(holders_take(holders, &victim, false, 1), HOLDERS_NONE);
	uint32_t real = holders_take(holders, &victim, true, 1);
	assert_int_not_equal(real, HOLDERS_NONE);
	assert_int_not_equal(real, forged);
	holders_give(holders, forged);
	assert_int_equal(holders_take(holders, &victim, true, 1), HOLDERS_NONE);
	assert_int_equal(holders_take(holders, &victim, false, 1), forged);
	holders_free(holders);
	assert_int_equal(holders_left(80, 0, true), 80);
	assert_int_equal(holders_left(80, 0, false), 70);
	assert_int_equal(holders_left(80, 69, false), 1);
	assert_int_equal(holders_left(80, 75, false), 0);
	assert_int_equal(holders_left(80, 79, true), 1);
	assert_int_equal(holders_left(80, 80, true), 0);
	assert_int_equal(holders_left(1, 0, false), 1);
}

/* Clients that come and go, against counters beside it. */
static void test_model(void **state)
{
	(void)state;
	enum { CAPACITY = 40, CLIENTS = 64, STEPS = 200000, MOST = 5 };
	static uint32_t held_as[CLIENTS][MOST];
	unsigned counts[CLIENTS] = { 0 };
	unsigned sum = 0;
	uint32_t seed = 1;
	struct holders *holders = holders_new(CAPACITY);
	assert_non_null(holders);
	for (unsigned i = 0; i < STEPS; i++) {
		seed = seed * 1664525 + 1013904223;
		unsigned client = seed >> 8 & (CLIENTS - 1);
		struct address address = { { 0x20, 1, [7] = (uint8_t)client, [15] = (uint8_t)i } };
		if (seed >> 20 & 1 && counts[client] > 0) {
			holders_give(holders, held_as[client][--counts[client]]);
			sum--;
			continue;
		}
		if (sum == CAPACITY) /* there is no place that could be held */
			continue;
		uint32_t taken = holders_take(holders, &address, true, MOST);
		assert_int_equal(taken == HOLDERS_NONE, counts[client] == MOST);
		if (taken == HOLDERS_NONE)
			continue;
		if (counts[client] > 0)
			assert_int_equal(taken, held_as[client][0]);
		held_as[client][counts[client]++] = taken;
		sum++;
	}
	holders_free(holders);
}

/* However many clients want all they can get: none of them gets all, all of them get alike, and
 * somebody new finds a place. */
static void test_share(void **state)
{
	(void)state;
	enum { CAPACITY = 4096 };
	for (unsigned greedy = 1; greedy <= 64; greedy *= 2) {
		struct holders *holders = holders_new(CAPACITY);
		unsigned counts[64] = { 0 };
		size_t left = CAPACITY;
		assert_non_null(holders);
		for (bool goes_on = true; goes_on;) {
			goes_on = false;
			for (unsigned i = 0; i < greedy; i++) {
				struct address client = { { 10, [15] = (uint8_t)i } };
				client.bytes[7] = (uint8_t)i;
				if (holders_take(holders, &client, true,
					    holders_share(CAPACITY, left)) == HOLDERS_NONE)
					continue;
				counts[i]++;
				left--;
				goes_on = true;
			}
		}
		assert_true(left > 0);
		for (unsigned i = 0; i < greedy; i++)
			assert_in_range(counts[i], counts[0] - 1, counts[0] + 1);
		struct address other = address_of("192.0.2.1");
		assert_int_not_equal(
			holders_take(holders, &other, true, holders_share(CAPACITY, left)),
			HOLDERS_NONE);
		holders_free(holders);
	}
	assert_int_equal(holders_share(1024, 4096), 1024);
	assert_int_equal(holders_share(1024, 100), 300);
	assert_int_equal(holders_share(1024, 0), 0);
	assert_int_equal(holders_share(1, 1), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_has_its_own),
		cmocka_unit_test(test_who_is_one),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_share),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
