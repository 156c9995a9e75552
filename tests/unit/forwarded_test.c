/* Forwarded and X-Forwarded-For: whose is a request, whatever a client wrote there before the
 * proxies did. 10.0.0.0/8 and 2001:db8:f::/48 are the proxies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "base/writer.h"
#include "proxy/framing/forwarded.h"

static struct network trusted[2];
enum { TRUSTED = sizeof trusted / sizeof *trusted };
static const char peer[] = "10.0.0.1";

struct row {
	const char *forwarded;       /* NULL: none */
	const char *x_forwarded_for; /* NULL: none */
	const char *client;          /* NULL: it cannot be told */
};

static const struct row rows[] = {
	{ NULL, NULL, peer },
	/* RFC 7239 4 and 6. */
	{ "for=192.0.2.43", NULL, "192.0.2.43" },
	{ "For=192.0.2.43", NULL, "192.0.2.43" },
	{ "for=\"192.0.2.43\"", NULL, "192.0.2.43" },
	{ "for=\"192.0.2.43:47011\"", NULL, "192.0.2.43" },
	{ "for=\"192.0.2.43:_port\"", NULL, "192.0.2.43" },
	{ "For=\"[2001:db8:cafe::17]:4711\"", NULL, "2001:db8:cafe::17" },
	{ "for=\"[2001:db8:cafe::17]\"", NULL, "2001:db8:cafe::17" },
	{ "for=192.0.2.60;proto=http;by=203.0.113.43", NULL, "192.0.2.60" },
	{ "by=203.0.113.43;proto=http;for=192.0.2.60", NULL, "192.0.2.60" },
	{ "proto=http ; for=192.0.2.60 ;host=\"a,b;for=1\"", NULL, "192.0.2.60" },
	{ "for=192.0.2.43, for=198.51.100.17", NULL, "198.51.100.17" },
	{ "for=\"1\\92.0.2.43\"", NULL, "192.0.2.43" },
	{ " , for=192.0.2.43 ,, ", NULL, "192.0.2.43" },
	{ ";for=192.0.2.43;", NULL, "192.0.2.43" },
	/* Without the quotes that these need. */
	{ "for=192.0.2.43:4711", NULL, "192.0.2.43" },
	{ "for=[2001:db8:cafe::17]:4711", NULL, "2001:db8:cafe::17" },
	/* From the right, through proxies, to the first stranger. */
	{ "for=192.0.2.1, for=10.1.1.1", NULL, "192.0.2.1" },
	{ "for=192.0.2.1, for=10.1.1.1, for=\"[2001:db8:f::1]:1\"", NULL, "192.0.2.1" },
	{ "for=10.9.9.9, for=192.0.2.1, for=10.1.1.1", NULL, "192.0.2.1" },
	{ "for=10.1.1.2, for=10.1.1.1", NULL, "10.1.1.2" },
	{ "for=unknown, for=_x, for=192.0.2.1", NULL, "192.0.2.1" },
	/* A client without an address, and what is no grammar. */
	{ "for=unknown", NULL, NULL },
	{ "for=_hidden", NULL, NULL },
	{ "for=_hidden, for=10.1.1.1", NULL, NULL },
	{ "proto=https", NULL, NULL },
	{ "for=192.0.2.1, proto=https", NULL, NULL },
	{ "for=192.0.2.1;for=10.1.1.1", NULL, NULL },
	{ "for=192.0.2.1;FOR=192.0.2.1", NULL, NULL },
	{ "for=", NULL, NULL },
	{ "for", NULL, NULL },
	{ "=192.0.2.1", NULL, NULL },
	{ "for =192.0.2.1", NULL, NULL },
	{ "for= 192.0.2.1", NULL, NULL },
	{ "for=192.0.2.1 x", NULL, NULL },
	{ "for=192.0.2.1 for=192.0.2.2", NULL, NULL },
	{ "192.0.2.1", NULL, NULL },
	{ ",", NULL, NULL },
	{ ";", NULL, NULL },
	{ "for=\"192.0.2.1", NULL, NULL },
	{ "for=\"192.0.2.1\\\"", NULL, NULL },
	{ "for=\"192.0.2.1\"x", NULL, NULL },
	{ "for=192.0.2.1\"", NULL, NULL },
	{ "for=2001:db8::1", NULL, "2001:db8::1" },
	{ "for=\"2001:db8::1\"", NULL, "2001:db8::1" },
	{ "for=\"[192.0.2.1]\"", NULL, NULL },
	{ "for=\"[2001:db8::1\"", NULL, NULL },
	{ "for=\"[2001:db8::1]x\"", NULL, NULL },
	{ "for=\"[2001:db8::1]:\"", NULL, NULL },
	{ "for=\"192.0.2.1:\"", NULL, NULL },
	{ "for=\"192.0.2.1:123456\"", NULL, NULL },
	{ "for=\"192.0.2.1:_\"", NULL, NULL },
	{ "for=\"[fe80::1%25eth0]\"", NULL, NULL },
	{ "for=192.0.2.1\x01", NULL, NULL },
	{ "for=\"192.0.2.1\x7f\"", NULL, NULL },
	/* One quote too many of a client would swallow what the proxy wrote. */
	{ "for=10.1.1.1;x=\", for=192.0.2.1", NULL, NULL },
	{ "for=10.1.1.1;x=\", for=\"192.0.2.1:1\"", NULL, NULL },
	{ "for=10.1.1.1;x=\"\\, for=\"192.0.2.1:1\"", NULL, NULL },
	{ "for=10.1.1.1;x=\", for=192.0.2.1;host=\"a\"", NULL, NULL },
	{ "for=10.1.1.1;x=\", for=192.0.2.1;host=\";y=\"", NULL, NULL },
	/* X-Forwarded-For has no grammar; what stands left of the stranger does not matter. */
	{ NULL, "192.0.2.43", "192.0.2.43" },
	{ NULL, "2001:db8::1", "2001:db8::1" },
	{ NULL, "[2001:db8::1]:4711", "2001:db8::1" },
	{ NULL, "192.0.2.43:4711", "192.0.2.43" },
	{ NULL, "192.0.2.43,10.1.1.1", "192.0.2.43" },
	{ NULL, "192.0.2.43 ,\t10.1.1.1 ", "192.0.2.43" },
	{ NULL, "10.9.9.9, 192.0.2.43, 10.1.1.1", "192.0.2.43" },
	{ NULL, "10.9.9.9, 10.1.1.1", "10.9.9.9" },
	{ NULL, "\", for=x, ;;, 192.0.2.43", "192.0.2.43" },
	{ NULL, "192.0.2.43,,", "192.0.2.43" },
	{ NULL, "unknown", NULL },
	{ NULL, "192.0.2.43, unknown", NULL },
	{ NULL, "192.0.2.43, unknown, 10.1.1.1", NULL },
	{ NULL, "192.0.2.43 10.1.1.1", NULL },
	{ NULL, "\"192.0.2.43\"", NULL },
	{ NULL, "for=192.0.2.43", NULL },
	{ NULL, "192.0.2", NULL },
	{ NULL, ",", NULL },
	{ NULL, " ", NULL },
	/* Both: one of them is what the proxy wrote, and nobody can tell which. */
	{ "for=192.0.2.1", "192.0.2.1", "192.0.2.1" },
	{ "for=192.0.2.1, for=10.1.1.1", "192.0.2.1", "192.0.2.1" },
	{ "for=192.0.2.1", "192.0.2.2", NULL },
	{ "for=10.1.1.1", "192.0.2.2", NULL },
	{ "for=192.0.2.1", "10.1.1.1", NULL },
	{ "for=192.0.2.1", "unknown", NULL },
	{ "for=\"", "192.0.2.1", NULL },
};

static struct slice copy_of(const char *text)
{
	size_t len = text ? strlen(text) : 0;
	uint8_t *copy = malloc(len + !len);
	if (len)
		memcpy(copy, text, len);
	return slice_of(copy, len);
}

static bool find(const char *forwarded, const char *x_forwarded_for, char *client)
{
	struct framer_claims said = { .forwarded = copy_of(forwarded),
		.x_forwarded_for = copy_of(x_forwarded_for) };
	struct address found;
	assert_true(address_parse(&found, peer));
	bool is_clear = forwarded_find(&said, trusted, TRUSTED, &found);
	address_text(&found, client);
	free((void *)(uintptr_t)said.forwarded.at);
	free((void *)(uintptr_t)said.x_forwarded_for.at);
	return is_clear;
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char client[ADDRESS_TEXT_MAX];
		bool is_clear = find(rows[i].forwarded, rows[i].x_forwarded_for, client);
		const char *expected = rows[i].client ? rows[i].client : "nobody";
		if (strcmp(is_clear ? client : "nobody", expected) != 0)
			fail_msg("%s / %s: %s instead of %s",
				rows[i].forwarded ? rows[i].forwarded : "-",
				rows[i].x_forwarded_for ? rows[i].x_forwarded_for : "-",
				is_clear ? client : "nobody", expected);
	}
}

/* A chain of as many proxies as we follow, and of one more. */
static void test_long_chains(void **state)
{
	(void)state;
	for (unsigned count = 1; count < 40; count++) {
		char forwarded[1024], x_forwarded_for[1024], client[ADDRESS_TEXT_MAX];
		struct writer a = writer_of(forwarded, sizeof forwarded);
		struct writer b = writer_of(x_forwarded_for, sizeof x_forwarded_for);
		writer_text(&a, "for=192.0.2.1");
		writer_text(&b, "192.0.2.1");
		for (unsigned i = 1; i < count; i++) {
			writer_text(&a, ", for=10.0.0.7");
			writer_text(&b, ", 10.0.0.7");
		}
		writer_u8(&a, 0);
		writer_u8(&b, 0);
		bool is_clear = count <= FORWARDED_HOPS_MAX;
		assert_int_equal(find(forwarded, NULL, client), is_clear);
		assert_true(!is_clear || strcmp(client, "192.0.2.1") == 0);
		assert_int_equal(find(NULL, x_forwarded_for, client), is_clear);
		assert_true(!is_clear || strcmp(client, "192.0.2.1") == 0);
	}
}

/* Whatever stands before it, what the last proxy wrote is what counts, or nothing does. */
static void test_any_prefix(void **state)
{
	(void)state;
	static const char alphabet[] = "for=10.\"\\,; [:]x";
	char forwarded[64], client[ADDRESS_TEXT_MAX];
	uint32_t seed = 1;
	for (unsigned round = 0; round < 20000; round++) {
		size_t len = 0;
		for (; len < 3 + round % 20; len++) {
			seed = seed * 1664525 + 1013904223;
			forwarded[len] = alphabet[(seed >> 16) % (sizeof alphabet - 1)];
		}
		strcpy(forwarded + len, ", for=\"192.0.2.43:1\"");
		if (find(forwarded, NULL, client))
			assert_string_equal(client, "192.0.2.43");
		strcpy(forwarded + len, ", 192.0.2.43");
		assert_true(find(NULL, forwarded, client));
		assert_string_equal(client, "192.0.2.43");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_long_chains),
		cmocka_unit_test(test_any_prefix),
	};
	if (!network_parse(&trusted[0], "10.0.0.0/8") ||
		!network_parse(&trusted[1], "2001:db8:f::/48"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
