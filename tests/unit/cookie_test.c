#include "tests/unit/rules_fixture.h"
#include "tests/unit/wire.h"

#include "dns/cookie.h"

static struct dns_cookie_secrets secrets_of(const char *text)
{
	struct dns_cookie_secrets secrets;
	assert_int_equal(dns_cookie_secrets_read(&secrets, slice_of_text(text)), 0);
	return secrets;
}

static struct address address_of(const char *text)
{
	struct address address;
	assert_true(address_parse(&address, text));
	return address;
}

static enum dns_cookie_state check(
	const char *secrets, const char *value, const char *client, uint32_t now_s)
{
	struct dns_cookie_secrets keys = secrets_of(secrets);
	struct address address = address_of(client);
	return dns_cookie_check(&keys, wire(value), &address, now_s);
}

#define FIRST  "e5e973e5a6b2a43f48e7dc849e37bfcf"
#define SECOND "dd3bdf9344b678b185a6f5cb60fca715"
#define THIRD  "445536bcd2513298075a5d379663c962"

/* RFC 9018 appendix A: what a server says, to whom, when. */
static void test_vectors(void **state)
{
	(void)state;
	static const struct {
		const char *secrets;
		const char *client;
		uint32_t now_s;
		const char *asked;
		enum dns_cookie_state state;
		const char *answered;
	} rows[] = {
		/* A.1: a new client */
		{ FIRST, "198.51.100.100", 1559731985, "2464c4abcf10c957", DNS_COOKIE_CLIENT,
			"2464c4abcf10c957 010000005cf79f111f8130c3eee29480" },
		/* A.2: the same one, 40 minutes later */
		{ FIRST, "198.51.100.100", 1559734385,
			"2464c4abcf10c957 010000005cf79f111f8130c3eee29480", DNS_COOKIE_OLD,
			"2464c4abcf10c957 010000005cf7a871d4a564a1442aca77" },
		/* A.3: another one, almost two hours later: too late */
		{ FIRST, "203.0.113.203", 1559734700,
			"fc93fc62807ddb86 01abcdef5cf78f71a314227b6679ebf5", DNS_COOKIE_INVALID,
			"fc93fc62807ddb86 010000005cf7a9acf73a7810aca2381e" },
		/* A.4: IPv6, and a secret that was replaced */
		{ THIRD "\n" SECOND, "2001:db8:220:1:59de:d0f4:8769:82b8", 1559741961,
			"22681ab97d52c298 010000005cf7c57926556bd0934c72f8", DNS_COOKIE_OLD,
			"22681ab97d52c298 010000005cf7c609a6bb79d16625507a" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint8_t cookie[DNS_COOKIE_LEN];
		struct dns_cookie_secrets secrets = secrets_of(rows[i].secrets);
		struct address client = address_of(rows[i].client);
		struct slice asked = wire(rows[i].asked);
		struct slice answered = wire(rows[i].answered);
		assert_int_equal(
			dns_cookie_check(&secrets, asked, &client, rows[i].now_s), rows[i].state);
		dns_cookie_make(cookie, &secrets, asked, &client, rows[i].now_s);
		assert_memory_equal(cookie, answered.at, answered.len);
		assert_int_equal(answered.len, DNS_COOKIE_LEN);
	}
}

/* A.3's is good in its time: the reserved bytes are hashed as they came. */
static void test_reserved(void **state)
{
	(void)state;
	assert_int_equal(check(FIRST, "fc93fc62807ddb86 01abcdef5cf78f71a314227b6679ebf5",
				 "203.0.113.203", 1559727985 + 600),
		DNS_COOKIE_FRESH);
	assert_int_equal(check(FIRST, "fc93fc62807ddb86 010000005cf78f71a314227b6679ebf5",
				 "203.0.113.203", 1559727985 + 600),
		DNS_COOKIE_INVALID);
}

static void test_lengths(void **state)
{
	(void)state;
	for (size_t len = 0; len <= 64; len++) {
		char value[16];
		snprintf(value, sizeof value, "00*%zu", len);
		enum dns_cookie_state wanted = len == 8 ? DNS_COOKIE_CLIENT
			: len < 16 || len > 40          ? DNS_COOKIE_MALFORMED
							: DNS_COOKIE_INVALID;
		assert_int_equal(check(FIRST, len ? value : "", "192.0.2.1", 1559731985), wanted);
	}
}

/* A.1's cookie, at all times. */
static void test_times(void **state)
{
	(void)state;
	static const struct {
		int64_t age_s;
		enum dns_cookie_state state;
	} rows[] = {
		{ -2147483647, DNS_COOKIE_INVALID }, { -86400, DNS_COOKIE_INVALID },
		{ -301, DNS_COOKIE_INVALID }, { -300, DNS_COOKIE_FRESH }, { 0, DNS_COOKIE_FRESH },
		{ 1800, DNS_COOKIE_FRESH }, { 1801, DNS_COOKIE_OLD }, { 3600, DNS_COOKIE_OLD },
		{ 3601, DNS_COOKIE_INVALID }, { 86400, DNS_COOKIE_INVALID },
		{ 2147483648, DNS_COOKIE_INVALID },
		{ 4294967296, DNS_COOKIE_FRESH }, /* 136 years later: serial numbers */
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(check(FIRST, "2464c4abcf10c957 010000005cf79f111f8130c3eee29480",
					 "198.51.100.100", (uint32_t)(1559731985 + rows[i].age_s)),
			rows[i].state);
}

/* Around the end of 32 bits of seconds. */
static void test_wrap(void **state)
{
	(void)state;
	struct dns_cookie_secrets secrets = secrets_of(FIRST);
	struct address client = address_of("2001:db8::1");
	uint8_t cookie[DNS_COOKIE_LEN];
	dns_cookie_make(cookie, &secrets, wire("0102030405060708"), &client, UINT32_MAX - 10);
	struct slice value = slice_of(cookie, sizeof cookie);
	assert_int_equal(dns_cookie_check(&secrets, value, &client, 100), DNS_COOKIE_FRESH);
	assert_int_equal(dns_cookie_check(&secrets, value, &client, 2000), DNS_COOKIE_OLD);
	assert_int_equal(dns_cookie_check(&secrets, value, &client, 4000), DNS_COOKIE_INVALID);
}

/* Whatever bit is another one, whoever else shows it: it is not ours. */
static void test_tampering(void **state)
{
	(void)state;
	struct dns_cookie_secrets secrets = secrets_of(SECOND "\n" FIRST);
	struct address client = address_of("192.0.2.1");
	uint8_t cookie[DNS_COOKIE_LEN];
	dns_cookie_make(cookie, &secrets, wire("a1a2a3a4a5a6a7a8"), &client, 1700000000);
	struct slice value = slice_of(cookie, sizeof cookie);
	assert_int_equal(dns_cookie_check(&secrets, value, &client, 1700000000), DNS_COOKIE_FRESH);
	for (unsigned bit = 0; bit < 8 * DNS_COOKIE_LEN; bit++) {
		cookie[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(
			dns_cookie_check(&secrets, value, &client, 1700000000), DNS_COOKIE_INVALID);
		cookie[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	static const char *const others[] = { "192.0.2.2", "193.0.2.1", "::c000:201", "::1" };
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		struct address other = address_of(others[i]);
		assert_int_equal(
			dns_cookie_check(&secrets, value, &other, 1700000000), DNS_COOKIE_INVALID);
	}
	struct dns_cookie_secrets rotated = secrets_of(FIRST "\n" SECOND);
	assert_int_equal(dns_cookie_check(&rotated, value, &client, 1700000000), DNS_COOKIE_OLD);
	struct dns_cookie_secrets gone = secrets_of(FIRST "\n" THIRD);
	assert_int_equal(dns_cookie_check(&gone, value, &client, 1700000000), DNS_COOKIE_INVALID);
}

static void test_secrets(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		unsigned line; /* where it is wrong */
		unsigned count;
	} rows[] = {
		{ FIRST, 0, 1 },
		{ FIRST "\n", 0, 1 },
		{ "# new\n" FIRST "\n\n# old\n" SECOND "\n", 0, 2 },
		{ "E5E973E5A6B2A43F48E7DC849E37BFCF", 0, 1 },
		{ "", 1, 0 },
		{ "\n# nothing\n", 2, 0 },
		{ FIRST "\n" SECOND "0\n", 2, 1 },
		{ FIRST "\n" SECOND "\r\n", 2, 1 },
		{ FIRST "\n " SECOND "\n", 2, 1 },
		{ "e5e973e5a6b2a43f48e7dc849e37bfc", 1, 0 },
		{ "e5e973e5a6b2a43f48e7dc849e37bfcg", 1, 0 },
		{ "0xe973e5a6b2a43f48e7dc849e37bfcf", 1, 0 },
		{ FIRST "\n" FIRST "\n" FIRST "\n" FIRST "\n" FIRST "\n" FIRST "\n" FIRST
			"\n" SECOND "\n",
			0, 8 },
		{ FIRST "\n" FIRST "\n" FIRST "\n" FIRST "\n" FIRST "\n" FIRST "\n" FIRST
			"\n" SECOND "\n" THIRD "\n",
			9, 8 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct dns_cookie_secrets secrets;
		struct slice text = wire_keep(slice_of_text(rows[i].text));
		assert_int_equal(dns_cookie_secrets_read(&secrets, text), rows[i].line);
		assert_int_equal(secrets.count, rows[i].count);
		if (secrets.count > 0)
			assert_int_equal(secrets.keys[0][0], 0xe5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_reserved),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_tampering),
		cmocka_unit_test(test_secrets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
