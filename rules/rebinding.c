#include "rules/rebinding.h"

#include <stdlib.h>

#include "rules/addresses.h"

static const struct network private_v4[] = {
#define V4(a, b, c, d, len)                                                                        \
	{                                                                                          \
		{ { [10] = 0xff, [11] = 0xff, [12] = (a), [13] = (b), [14] = (c), [15] = (d) } },  \
			96 + (len)                                                                 \
	}
	V4(0, 0, 0, 0, 8),
	V4(10, 0, 0, 0, 8),
	V4(100, 64, 0, 0, 10),
	V4(127, 0, 0, 0, 8),
	V4(169, 254, 0, 0, 16),
	V4(172, 16, 0, 0, 12),
	V4(192, 168, 0, 0, 16),
#undef V4
};

static const struct network private_v6[] = {
	{ { { 0 } }, 128 },         /* :: */
	{ { { [15] = 1 } }, 128 },  /* ::1 */
	{ { { 0xfc } }, 7 },        /* unique local */
	{ { { 0xfe, 0x80 } }, 10 }, /* link-local */
	{ { { 0xfe, 0xc0 } }, 10 }, /* site-local */
};

/* Where an IPv4 address stands in an IPv6 one. */
struct embedding {
	struct network network;
	uint8_t at[4];
	bool is_guess; /* one of several readings; then 0.0.0.0/8 is no address */
};

/* RFC 8215 does not say which of the prefix lengths of RFC 6052 2.2 a network uses below
 * 64:ff9b:1::/48: it is private when it is so in one of them. */
#define LOCAL_NAT64                                                                                \
	{                                                                                          \
		{ { 0, 0x64, 0xff, 0x9b, 0, 1 } }, 48                                              \
	}
static const struct embedding embeddings[] = {
	{ { { { 0 } }, 96 }, { 12, 13, 14, 15 }, false },
	{ { { { 0, 0x64, 0xff, 0x9b } }, 96 }, { 12, 13, 14, 15 }, false },
	{ { { { 0x20, 0x02 } }, 16 }, { 2, 3, 4, 5 }, false },
	{ LOCAL_NAT64, { 12, 13, 14, 15 }, true },
	{ LOCAL_NAT64, { 9, 10, 11, 12 }, true },
	{ LOCAL_NAT64, { 7, 9, 10, 11 }, true },
	{ LOCAL_NAT64, { 6, 7, 9, 10 }, true },
};

static bool is_in(const struct network *networks, size_t count, const struct address *address)
{
	for (size_t i = 0; i < count; i++)
		if (network_contains(&networks[i], address))
			return true;
	return false;
}

static bool is_private_v4(const struct address *address)
{
	return is_in(private_v4, sizeof private_v4 / sizeof *private_v4, address);
}

static bool embeds_private(const struct embedding *embedding, const struct address *address)
{
	uint8_t v4[4];
	if (!network_contains(&embedding->network, address))
		return false;
	for (size_t i = 0; i < sizeof v4; i++)
		v4[i] = address->bytes[embedding->at[i]];
	struct address embedded = address_of_v4(v4);
	return is_private_v4(&embedded) && !(embedding->is_guess && v4[0] == 0);
}

bool rebinding_is_private(const struct address *address)
{
	if (address_is_v4(address)) /* ::ffff:0:0/96 too: it is the same value */
		return is_private_v4(address);
	if (is_in(private_v6, sizeof private_v6 / sizeof *private_v6, address))
		return true;
	for (size_t i = 0; i < sizeof embeddings / sizeof *embeddings; i++)
		if (embeds_private(&embeddings[i], address))
			return true;
	return false;
}

/* ---- exceptions ---- */

static int compare_names(const void *a, const void *b)
{
	const struct slice *one = a;
	const struct slice *other = b;
	if (one->len != other->len)
		return one->len < other->len ? -1 : 1;
	return memcmp(one->at, other->at, one->len);
}

void rebinding_sort(struct slice *exceptions, size_t count)
{
	if (count > 0)
		qsort(exceptions, count, sizeof *exceptions, compare_names);
}

static bool is_public(struct slice name)
{
	static const char *const others[] = { "\x09localhost", "\x05local", "\x08internal",
		"\x04home\x04"
		"arpa",
		"\x08resolver\x04"
		"arpa" };
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (dns_name_is_under(name, slice_of(others[i], strlen(others[i]) + 1)))
			return false;
	return true;
}

/* Is the name or one above it among them? */
static bool is_excepted(struct slice name, const struct slice *exceptions, size_t count)
{
	uint8_t lower[DNS_NAME_MAX];
	dns_name_lower(lower, name.at, name.len);
	for (size_t at = 0; at < name.len && count > 0; at += (size_t)lower[at] + 1) {
		struct slice end = slice_of(lower + at, name.len - at);
		if (bsearch(&end, exceptions, count, sizeof *exceptions, compare_names))
			return true;
	}
	return false;
}

/* ---- the answer ---- */

static bool note_private(void *context, const struct address *address, const struct dns_name *owner)
{
	struct dns_name *found = context;
	if (!rebinding_is_private(address))
		return false;
	if (found)
		*found = *owner;
	return true;
}

bool rebinding_finds(const struct dns_answer *answer, const struct slice *exceptions, size_t count,
	struct dns_name *owner)
{
	return addresses_each(answer, note_private, owner) && is_public(answer->name) &&
		!is_excepted(answer->name, exceptions, count);
}
