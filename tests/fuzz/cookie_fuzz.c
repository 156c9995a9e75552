/* cookie_fuzz.c - an option and a file of secrets, both as they come: no cookie is good that we
 * have not made for this client, and what we make is good. The first byte says how long the option
 * is; behind it is the file. */
#include "dns/cookie.h"

#include "tests/unit/rebuild.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW_S = 1700000000 };

static const struct address client = { { 0x20, 1, 0x0d, 0xb8, [15] = 1 } };

static void check_ours(const struct dns_cookie_secrets *secrets, struct slice value)
{
	struct address other = client;
	uint8_t cookie[DNS_COOKIE_LEN] = { 0 };
	struct slice ours = slice_of(cookie, sizeof cookie);
	other.bytes[15] = 2;
	dns_cookie_make(cookie, secrets, value, &client, NOW_S);
	REBUILD_REQUIRE(memcmp(cookie, value.at, DNS_COOKIE_CLIENT_LEN) == 0);
	REBUILD_REQUIRE(dns_cookie_check(secrets, ours, &client, NOW_S) == DNS_COOKIE_FRESH);
	REBUILD_REQUIRE(dns_cookie_check(secrets, ours, &client, NOW_S + 1801) == DNS_COOKIE_OLD);
	REBUILD_REQUIRE(
		dns_cookie_check(secrets, ours, &client, NOW_S + 3601) == DNS_COOKIE_INVALID);
	REBUILD_REQUIRE(dns_cookie_check(secrets, ours, &other, NOW_S) == DNS_COOKIE_INVALID);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_cookie_secrets secrets;
	if (size == 0)
		return 0;
	size_t len = data[0] < size ? data[0] : size - 1;
	struct slice value = slice_of(data + 1, len);
	dns_cookie_secrets_read(&secrets, slice_of(data + 1 + len, size - 1 - len));
	REBUILD_REQUIRE(secrets.count <= DNS_COOKIE_SECRETS_MAX);
	if (secrets.count == 0)
		return 0;
	enum dns_cookie_state state = dns_cookie_check(&secrets, value, &client, NOW_S);
	bool is_long_enough = len == 8 || (len >= 16 && len <= 40);
	REBUILD_REQUIRE((state == DNS_COOKIE_MALFORMED) == !is_long_enough);
	REBUILD_REQUIRE((state == DNS_COOKIE_CLIENT) == (len == 8));
	REBUILD_REQUIRE(state < DNS_COOKIE_OLD || len == DNS_COOKIE_LEN);
	if (state != DNS_COOKIE_MALFORMED)
		check_ours(&secrets, value);
	return 0;
}
