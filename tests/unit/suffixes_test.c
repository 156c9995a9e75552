#include "proxy/lists/suffixes.h"

#include "tests/unit/rules_fixture.h"

static struct suffixes *suffixes;

static int open_suffixes(void **state)
{
	(void)state;
	suffixes = suffixes_open();
	return suffixes ? 0 : -1;
}

static int close_suffixes(void **state)
{
	(void)state;
	suffixes_close(suffixes);
	suffixes_close(NULL);
	return 0;
}

/* Rules that have been in the list for ten years and more. */
static void names_are_told_apart(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		enum suffix_kind kind;
	} rows[] = {
		{ ".", SUFFIX_ROOT },
		{ "com.", SUFFIX_ICANN },
		{ "example.com.", SUFFIX_NONE },
		{ "co.uk.", SUFFIX_ICANN },
		{ "example.co.uk.", SUFFIX_NONE },
		{ "uk.", SUFFIX_ICANN },
		{ "github.io.", SUFFIX_PRIVATE },
		{ "example.github.io.", SUFFIX_NONE },
		{ "io.", SUFFIX_ICANN },
		{ "blogspot.com.", SUFFIX_PRIVATE },
		/* "*.ck" and "!www.ck" */
		{ "ck.", SUFFIX_ICANN },
		{ "any.ck.", SUFFIX_ICANN },
		{ "www.ck.", SUFFIX_NONE },
		{ "x.www.ck.", SUFFIX_NONE },
		/* internationalised, as queries have it */
		{ "xn--p1ai.", SUFFIX_ICANN },
		{ "xn--e1afmkfd.xn--p1ai.", SUFFIX_NONE },
		{ "xn--55qx5d.cn.", SUFFIX_ICANN },
		/* what the list does not know: "*" would be its last rule */
		{ "lan.", SUFFIX_TOP },
		{ "host.lan.", SUFFIX_NONE },
		{ "_tcp.", SUFFIX_TOP },
		/* no host names */
		{ "co\\.uk.", SUFFIX_TOP },
		{ "a\\000b.", SUFFIX_TOP },
		{ "\\000.com.", SUFFIX_NONE },
		{ "a\\032b.co.uk.", SUFFIX_NONE },
		{ "com\\000.", SUFFIX_TOP },
		{ "\\195\\164.", SUFFIX_TOP },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct dns_name name = fixture_name(rows[i].name);
		enum suffix_kind kind = suffixes_find(suffixes, dns_name_slice(&name));
		if (kind != rows[i].kind)
			fail_msg("%s: %s", rows[i].name, suffix_kind_name(kind));
	}
}

static void the_longest_names_are_looked_up(void **state)
{
	(void)state;
	struct dns_name labels = { .len = DNS_NAME_MAX }, bytes = { .len = DNS_NAME_MAX };
	for (size_t i = 0; i + 1 < DNS_NAME_MAX; i += 2)
		memcpy(labels.wire + i,
			"\x01"
			"a",
			2);
	for (size_t i = 0; i + 1 < DNS_NAME_MAX; i += bytes.wire[i] + 1u) {
		bytes.wire[i] = i + 64 < DNS_NAME_MAX - 1 ? 63 : (uint8_t)(DNS_NAME_MAX - 2 - i);
		memset(bytes.wire + i + 1, 'z', bytes.wire[i]);
	}
	assert_int_equal(dns_name_check(dns_name_slice(&labels)), DNS_NAME_MAX);
	assert_int_equal(dns_name_check(dns_name_slice(&bytes)), DNS_NAME_MAX);
	assert_int_equal(suffixes_find(suffixes, dns_name_slice(&labels)), SUFFIX_NONE);
	assert_int_equal(suffixes_find(suffixes, dns_name_slice(&bytes)), SUFFIX_NONE);
}

static void every_kind_has_words(void **state)
{
	(void)state;
	for (unsigned i = SUFFIX_NONE; i <= SUFFIX_ROOT; i++) {
		assert_true(suffix_kind_name((enum suffix_kind)i)[0]);
		assert_true(suffix_kind_text((enum suffix_kind)i)[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_told_apart),
		cmocka_unit_test(the_longest_names_are_looked_up),
		cmocka_unit_test(every_kind_has_words),
	};
	return cmocka_run_group_tests(tests, open_suffixes, close_suffixes);
}
