#include "base/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/random.h"

static void reads_and_writes_text(void **state)
{
	(void)state;
	const struct {
		const char *text;
		const char *written; /* NULL: not an address */
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "0.0.0.0", "0.0.0.0" },
		{ "::", "::" },
		{ "::1", "::1" },
		{ "2001:DB8:0:0::1", "2001:db8::1" },
		{ "::ffff:192.0.2.1", "192.0.2.1" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "", NULL },
		{ "192.0.2", NULL },
		{ "192.0.2.256", NULL },
		{ "192.0.2.01", NULL }, /* octal for some, decimal for others */
		{ "192.0.2.1 ", NULL },
		{ "0x7f.1", NULL },
		{ "fe80::1%eth0", NULL },
		{ "[::1]", NULL },
		{ ":::", NULL },
		{ "localhost", NULL },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct address address;
		char text[ADDRESS_TEXT_MAX];
		assert_int_equal(address_parse(&address, rows[i].text), rows[i].written != NULL);
		if (!rows[i].written)
			continue;
		assert_int_equal(address_text(&address, text), strlen(rows[i].written));
		assert_string_equal(text, rows[i].written);
	}
}

static void check_v6(const uint8_t bytes[16])
{
	char theirs[INET6_ADDRSTRLEN], ours[ADDRESS_TEXT_MAX];
	struct writer to = writer_of(ours, sizeof ours - 1);
	address_write_v6(&to, bytes);
	assert_false(to.failed);
	ours[to.len] = '\0';
	assert_string_equal(ours, inet_ntop(AF_INET6, bytes, theirs, sizeof theirs));
}

/* Every pattern of zero groups, with numbers of one to four digits between, against libc. */
static void writes_what_libc_writes(void **state)
{
	(void)state;
	static const uint16_t others[] = { 0x1, 0x10, 0x800, 0xf00d, 0xffff };
	for (unsigned zeros = 0; zeros < 256; zeros++) {
		for (size_t other = 0; other < 5; other++) {
			uint8_t bytes[16] = { 0 };
			for (unsigned i = 0; i < 8; i++) {
				uint16_t group =
					zeros >> i & 1 ? 0 : others[(other + i * other) % 5];
				bytes[2 * i] = (uint8_t)(group >> 8);
				bytes[2 * i + 1] = (uint8_t)group;
			}
			check_v6(bytes);
		}
	}
	struct random_pool pool = { 0 };
	for (unsigned round = 0; round < 20000; round++) {
		uint8_t bytes[16];
		char theirs[INET_ADDRSTRLEN], ours[INET_ADDRSTRLEN];
		struct writer to = writer_of(ours, sizeof ours - 1);
		for (size_t i = 0; i < 16; i++)
			bytes[i] = random_below(&pool, 2) ? (uint8_t)random_u16(&pool) : 0;
		check_v6(bytes);
		address_write_v4(&to, bytes);
		ours[to.len] = '\0';
		assert_string_equal(ours, inet_ntop(AF_INET, bytes, theirs, sizeof theirs));
	}
}

static void passes_through_socket_addresses(void **state)
{
	(void)state;
	const struct {
		const char *text;
		int family;
		socklen_t len;
	} rows[] = {
		{ "192.0.2.1", AF_INET, sizeof(struct sockaddr_in) },
		{ "2001:db8::1", AF_INET6, sizeof(struct sockaddr_in6) },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct address address, back;
		struct sockaddr_storage storage;
		uint16_t port = 0;
		assert_true(address_parse(&address, rows[i].text));
		assert_int_equal(address_to_sockaddr(&address, 853, &storage), rows[i].len);
		assert_int_equal(storage.ss_family, rows[i].family);
		back = address_of_sockaddr((struct sockaddr *)&storage, &port);
		assert_memory_equal(&back, &address, sizeof back);
		assert_int_equal(port, 853);
		back = address_of_sockaddr((struct sockaddr *)&storage, NULL);
		assert_memory_equal(&back, &address, sizeof back);
	}
}

/* An IPv4 client that comes in on an IPv6 socket is the same client. */
static void a_mapped_client_is_the_ipv4_client(void **state)
{
	(void)state;
	struct sockaddr_in6 mapped = { .sin6_family = AF_INET6, .sin6_port = htons(53) };
	assert_int_equal(inet_pton(AF_INET6, "::ffff:10.1.2.3", &mapped.sin6_addr), 1);
	struct address address = address_of_sockaddr((struct sockaddr *)&mapped, NULL);
	struct network network;
	assert_true(address_is_v4(&address));
	assert_true(network_parse(&network, "10.0.0.0/8"));
	assert_true(network_contains(&network, &address));
}

static void reads_networks(void **state)
{
	(void)state;
	const struct {
		const char *text;
		int prefix_len; /* -1: malformed */
	} rows[] = {
		{ "10.0.0.0/8", 104 },
		{ "10.0.0.1", 128 },
		{ "0.0.0.0/0", 96 },
		{ "192.0.2.128/25", 121 },
		{ "2001:db8::/32", 32 },
		{ "::/0", 0 },
		{ "::1", 128 },
		{ "::ffff:10.0.0.0/104", 104 },
		{ "10.0.0.1/8", -1 }, /* host bits */
		{ "10.128.0.0/8", -1 },
		{ "192.0.2.1/31", -1 },
		{ "2001:db8::1/64", -1 },
		{ "::ffff:10.0.0.0/8", -1 },
		{ "10.0.0.0/33", -1 },
		{ "10.0.0.0/104", -1 },
		{ "2001:db8::/129", -1 },
		{ "10.0.0.0/", -1 },
		{ "10.0.0.0/ 8", -1 },
		{ "10.0.0.0/+8", -1 },
		{ "10.0.0.0/-1", -1 },
		{ "10.0.0.0/8x", -1 },
		{ "10.0.0.0/4294967304", -1 },
		{ "10.0.0.0/8/8", -1 },
		{ "/8", -1 },
		{ "", -1 },
		{ "any", -1 },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555/128", -1 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct network network;
		assert_int_equal(network_parse(&network, rows[i].text), rows[i].prefix_len >= 0);
		if (rows[i].prefix_len >= 0)
			assert_int_equal(network.prefix_len, rows[i].prefix_len);
	}
}

static void contains_its_own_and_nothing_else(void **state)
{
	(void)state;
	const struct {
		const char *network;
		const char *address;
		bool inside;
	} rows[] = {
		{ "10.0.0.0/8", "10.255.255.255", true },
		{ "10.0.0.0/8", "11.0.0.0", false },
		{ "192.0.2.128/25", "192.0.2.127", false },
		{ "192.0.2.128/25", "192.0.2.128", true },
		{ "192.0.2.4/30", "192.0.2.7", true },
		{ "192.0.2.4/30", "192.0.2.8", false },
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false },
		{ "0.0.0.0/0", "255.1.2.3", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "0.0.0.0/0", "::", false },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "::1", "::1", true },
		{ "::/0", "2001:db8::1", true },
		/* All of IPv6 is not the whole world. */
		{ "::/0", "192.0.2.1", false },
		{ "::/64", "192.0.2.1", false },
		{ "::/80", "192.0.2.1", false },
		{ "::ffff:0.0.0.0/96", "192.0.2.1", true },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct network network;
		struct address address;
		assert_true(network_parse(&network, rows[i].network));
		assert_true(address_parse(&address, rows[i].address));
		assert_int_equal(network_contains(&network, &address), rows[i].inside);
	}
}

static void what_is_behind_a_network(void **state)
{
	static const struct {
		const char *network;
		const char *behind; /* NULL: nothing */
	} rows[] = {
		{ "10.0.0.0/8", "11.0.0.0" },
		{ "10.1.2.3", "10.1.2.4" },
		{ "10.255.255.255", "11.0.0.0" },
		{ "192.0.2.128/25", "192.0.3.0" },
		{ "255.255.255.255", "::1:0:0:0" },
		{ "0.0.0.0/0", "::1:0:0:0" },
		{ "2001:db8::/32", "2001:db9::" },
		{ "2001:db8:ffff:ffff::/64", "2001:db9::" },
		{ "::/1", "8000::" },
		{ "8000::/1", NULL },
		{ "::/0", NULL },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct network network;
		struct address behind, wanted;
		char text[ADDRESS_TEXT_MAX];
		assert_true(network_parse(&network, rows[i].network));
		bool any = network_behind(&network, &behind);
		assert_true(address_parse(&wanted, rows[i].behind ? rows[i].behind : "::"));
		address_text(&behind, text);
		if (any != (rows[i].behind != NULL) || memcmp(&behind, &wanted, sizeof behind) != 0)
			fail_msg("%s: %s", rows[i].network, text);
	}
}

/* Bit by bit. */
static void what_a_mask_leaves(void **state)
{
	(void)state;
	struct address address;
	for (unsigned i = 0; i < sizeof address.bytes; i++)
		address.bytes[i] = (uint8_t)(0xff - i);
	for (unsigned bits = 0; bits <= 128; bits++) {
		struct address masked = address_masked(&address, bits);
		for (unsigned bit = 0; bit < 128; bit++) {
			unsigned was = address.bytes[bit / 8] >> (7 - bit % 8) & 1;
			unsigned is = masked.bytes[bit / 8] >> (7 - bit % 8) & 1;
			assert_int_equal(is, bit < bits ? was : 0);
		}
	}
}

static void who_is_one_client(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{ "192.0.2.77", "192.0.2.77" },
		{ "::ffff:192.0.2.77", "192.0.2.77" },
		{ "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::" },
		{ "::1", "::" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct address address, wanted;
		assert_true(address_parse(&address, rows[i][0]));
		assert_true(address_parse(&wanted, rows[i][1]));
		struct address client = address_of_client(&address);
		assert_memory_equal(&client, &wanted, sizeof client);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_writes_text),
		cmocka_unit_test(writes_what_libc_writes),
		cmocka_unit_test(passes_through_socket_addresses),
		cmocka_unit_test(a_mapped_client_is_the_ipv4_client),
		cmocka_unit_test(reads_networks),
		cmocka_unit_test(contains_its_own_and_nothing_else),
		cmocka_unit_test(what_is_behind_a_network),
		cmocka_unit_test(what_a_mask_leaves),
		cmocka_unit_test(who_is_one_client),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
