#include "proxy/fetch/public_address.h"

#include "rules/rebinding.h"

static const struct network special[] = {
#define V4(a, b, c, d, len)                                                                        \
	{                                                                                          \
		{ { [10] = 0xff, [11] = 0xff, [12] = (a), [13] = (b), [14] = (c), [15] = (d) } },  \
			96 + (len)                                                                 \
	}
	V4(192, 0, 0, 0, 24),   /* RFC 6890 */
	V4(192, 0, 2, 0, 24),   /* documentation, RFC 5737 */
	V4(192, 88, 99, 0, 24), /* 6to4 relays, RFC 7526 */
	V4(198, 18, 0, 0, 15),  /* benchmarks, RFC 2544 */
	V4(198, 51, 100, 0, 24), V4(203, 0, 113, 0, 24), V4(224, 0, 0, 0, 4), /* multicast */
	V4(240, 0, 0, 0, 4), /* reserved, with the broadcast address */
#undef V4
};

/* RFC 4291 2.4 and IANA: all that is given out is in 2000::/3. */
static const struct network global_v6 = { { { 0x20 } }, 3 };

/* What looks like such an address, and leads elsewhere. NAT64's prefix is outside of 2000::/3, but
 * where there is no IPv4 it is how everything is reached. */
static const struct network nat64 = { { { 0, 0x64, 0xff, 0x9b } }, 96 };
static const struct network special_v6[] = {
	{ { { 0x20, 0x01 } }, 23 },             /* RFC 2928, with Teredo and ORCHID */
	{ { { 0x20, 0x01, 0x0d, 0xb8 } }, 32 }, /* documentation, RFC 3849 */
	{ { { 0x20, 0x02 } }, 16 },             /* 6to4 */
	{ { { 0x3f, 0xff } }, 20 },             /* documentation, RFC 9637 */
};

static bool is_in(const struct network *networks, size_t count, const struct address *address)
{
	for (size_t i = 0; i < count; i++)
		if (network_contains(&networks[i], address))
			return true;
	return false;
}

static bool is_special_v4(const struct address *address)
{
	return is_in(special, sizeof special / sizeof *special, address);
}

bool public_address(const struct address *address)
{
	if (rebinding_is_private(address))
		return false;
	if (address_is_v4(address))
		return !is_special_v4(address);
	if (network_contains(&nat64, address)) {
		struct address embedded = address_of_v4(address->bytes + 12);
		return !is_special_v4(&embedded);
	}
	return network_contains(&global_v6, address) &&
		!is_in(special_v6, sizeof special_v6 / sizeof *special_v6, address);
}
