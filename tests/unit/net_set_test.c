#include "tests/unit/rules_fixture.h"

#include "rules/net_set.h"

enum { ENTRIES_MAX = 64 };

struct row {
	const char *network;
	uint16_t value;
	uint16_t rank;
};

static struct network network_of(const char *text)
{
	struct network network = { .prefix_len = 0 };
	if (strcmp(text, "*") != 0)
		assert_true(network_parse(&network, text));
	return network;
}

static struct net_set build(const struct row *rows, size_t count)
{
	struct net_set_entry entries[ENTRIES_MAX];
	struct net_set set;
	for (size_t i = 0; i < count; i++)
		entries[i] = (struct net_set_entry){ network_of(rows[i].network), rows[i].value,
			rows[i].rank };
	assert_int_equal(net_set_build(&set, entries, count), 0);
	return set;
}

static uint16_t find(const struct net_set *set, const char *text)
{
	struct address address;
	assert_true(address_parse(&address, text));
	return net_set_find(set, &address);
}

static void test_longest_network_wins(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "10.0.0.0/8", 1, 0 }, { "10.1.0.0/16", 2, 0 }, { "10.1.2.0/24", 3, 0 },
		{ "10.1.2.3/32", 4, 0 }, { "10.1.255.255/32", 5, 0 }, { "10.255.255.255/32", 6, 0 },
		{ "2001:db8::/32", 7, 0 }, { "2001:db8:ffff::/48", 8, 0 }, { "::1/128", 9, 0 },
		{ "ff00::/8", 10, 0 }, { "10.1.0.0/16", 11, 1 }, /* the higher rank */
		{ "10.1.2.0/24", 12, 0 },                        /* later, without reason to win */
	};
	static const struct {
		const char *address;
		uint16_t value;
	} expected[] = {
		{ "9.255.255.255", NET_SET_NONE },
		{ "10.0.0.0", 1 },
		{ "10.0.255.255", 1 },
		{ "10.1.0.0", 11 },
		{ "10.1.1.255", 11 },
		{ "10.1.2.0", 3 },
		{ "10.1.2.2", 3 },
		{ "10.1.2.3", 4 },
		{ "10.1.2.4", 3 },
		{ "10.1.3.0", 11 },
		{ "10.1.255.254", 11 },
		{ "10.1.255.255", 5 },
		{ "10.2.0.0", 1 },
		{ "10.255.255.254", 1 },
		{ "10.255.255.255", 6 },
		{ "11.0.0.0", NET_SET_NONE },
		{ "::ffff:10.1.2.3", 4 },
		{ "::", NET_SET_NONE },
		{ "::1", 9 },
		{ "::2", NET_SET_NONE },
		{ "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", NET_SET_NONE },
		{ "2001:db8::", 7 },
		{ "2001:db8:fffe:ffff::", 7 },
		{ "2001:db8:ffff::", 8 },
		{ "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 8 },
		{ "2001:db9::", NET_SET_NONE },
		{ "feff::", NET_SET_NONE },
		{ "ff00::", 10 },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 10 },
	};
	struct net_set set = build(rows, sizeof rows / sizeof *rows);
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
		if (find(&set, expected[i].address) != expected[i].value)
			fail_msg("%s: %u", expected[i].address, find(&set, expected[i].address));
	net_set_deinit(&set);
}

static void test_everyone(void **state)
{
	(void)state;
	static const struct row rows[] = { { "*", 1, 0 }, { "0.0.0.0/0", 2, 0 },
		{ "255.255.255.255/32", 3, 0 },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", 4, 0 } };
	struct net_set set = build(rows, sizeof rows / sizeof *rows);
	assert_int_equal(find(&set, "::"), 1);
	assert_int_equal(find(&set, "::fffe:ffff:ffff"), 1);
	assert_int_equal(find(&set, "0.0.0.0"), 2);
	assert_int_equal(find(&set, "255.255.255.254"), 2);
	assert_int_equal(find(&set, "255.255.255.255"), 3);
	assert_int_equal(find(&set, "::1:0:0:0"), 1);
	assert_int_equal(find(&set, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"), 1);
	assert_int_equal(find(&set, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 4);
	net_set_deinit(&set);
}

/* A list of IPv6 clients must not let IPv4 ones in by the way that they are written. */
static void test_ipv6_networks_hold_no_ipv4(void **state)
{
	(void)state;
	static const struct row rows[] = { { "*", 1, 1 }, { "::/64", 2, 0 },
		{ "192.0.2.0/24", 3, 0 } };
	struct net_set set = build(rows, sizeof rows / sizeof *rows);
	assert_int_equal(find(&set, "192.0.1.255"), NET_SET_NONE);
	assert_int_equal(find(&set, "192.0.2.0"), 3);
	assert_int_equal(find(&set, "192.0.3.0"), NET_SET_NONE);
	assert_int_equal(find(&set, "0.0.0.0"), NET_SET_NONE);
	assert_int_equal(find(&set, "255.255.255.255"), NET_SET_NONE);
	assert_int_equal(find(&set, "::1"), 2);
	assert_int_equal(find(&set, "::1:0:0:0"), 2);
	assert_int_equal(find(&set, "2001:db8::"), 1);
	net_set_deinit(&set);
}

static void test_empty(void **state)
{
	(void)state;
	struct net_set set = build(NULL, 0);
	assert_int_equal(find(&set, "::"), NET_SET_NONE);
	assert_int_equal(find(&set, "192.0.2.1"), NET_SET_NONE);
	net_set_deinit(&set);
}

/* Networks that nest at every length, on every bit pattern: compared with the plain definition. */
static void test_against_the_definition(void **state)
{
	(void)state;
	uint64_t seed = 20260101;
	for (unsigned round = 0; round < 300; round++) {
		struct net_set_entry entries[ENTRIES_MAX];
		struct net_set_entry given[ENTRIES_MAX];
		struct net_set set;
		size_t count = round % ENTRIES_MAX;
		for (size_t i = 0; i < count; i++) {
			struct network network = { .prefix_len = 0 };
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			/* Few bits may be set, so that networks meet. */
			network.address.bytes[0] = (uint8_t)(seed >> 40 & 0x81);
			network.address.bytes[1] = (uint8_t)(seed >> 48 & 0xff);
			network.address.bytes[15] = (uint8_t)(seed >> 56 & 3);
			network.prefix_len = (uint8_t)((seed >> 33) % 129);
			for (unsigned bit = network.prefix_len; bit < 128; bit++)
				network.address.bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
			given[i] = entries[i] = (struct net_set_entry){ network, (uint16_t)i,
				(uint16_t)(seed >> 60 & 1) };
		}
		assert_int_equal(net_set_build(&set, entries, count), 0);
		for (unsigned probe = 0; probe < 1024; probe++) {
			struct address address = { { 0 } };
			uint16_t best = NET_SET_NONE;
			address.bytes[0] = (uint8_t)(probe & 1 ? 0x80 : probe & 2);
			address.bytes[1] = (uint8_t)(probe >> 2);
			memset(address.bytes + 2, probe & 2 ? 0xff : 0, 13);
			if (probe % 16 == 0) /* an IPv4 address */
				memset(address.bytes, 0, 10);
			if (probe % 16 == 0)
				memset(address.bytes + 10, 0xff, 2);
			address.bytes[15] = (uint8_t)(probe >> 6);
			for (size_t i = 0; i < count; i++) {
				if (!network_contains(&given[i].network, &address))
					continue;
				if (best == NET_SET_NONE ||
					given[i].network.prefix_len >
						given[best].network.prefix_len ||
					(given[i].network.prefix_len ==
							given[best].network.prefix_len &&
						given[i].rank > given[best].rank))
					best = (uint16_t)i;
			}
			assert_int_equal(net_set_find(&set, &address), best);
		}
		net_set_deinit(&set);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_longest_network_wins),
		cmocka_unit_test(test_everyone),
		cmocka_unit_test(test_ipv6_networks_hold_no_ipv4),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_against_the_definition),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
