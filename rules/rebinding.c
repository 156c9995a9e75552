#include "rules/rebinding.h"

#include <stdlib.h>

#include "dns/types.h"

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

/* ---- the answer's addresses ---- */

/* A row of addresses of `size` bytes each. */
static bool has_private(struct slice bytes, size_t size)
{
	for (size_t at = 0; at + size <= bytes.len; at += size) {
		struct address address;
		if (size == 4)
			address = address_of_v4(bytes.at + at);
		else
			memcpy(address.bytes, bytes.at + at, sizeof address.bytes);
		if (rebinding_is_private(&address))
			return true;
	}
	return false;
}

enum { KEY_IPV4HINT = 4, KEY_IPV6HINT = 6 }; /* RFC 9460 14.3.2 */

/* RFC 9460 2.2: priority, target, then keys with their values. */
static bool has_private_hint(const struct dns_answer *answer, const struct dns_record *record)
{
	struct reader rdata =
		reader_of(slice_of(answer->message.at, record->rdata_at + record->rdata.len));
	reader_seek(&rdata, record->rdata_at + 2);
	dns_name_skip(&rdata);
	while (reader_left(&rdata) > 0) {
		uint16_t key = reader_u16(&rdata);
		struct slice value = reader_bytes(&rdata, reader_u16(&rdata));
		if (key == KEY_IPV4HINT && has_private(value, 4))
			return true;
		if (key == KEY_IPV6HINT && has_private(value, 16))
			return true;
	}
	return false;
}

static bool is_bad(const struct dns_answer *answer, const struct dns_record *record)
{
	switch (record->type) {
	case DNS_TYPE_A: return has_private(record->rdata, 4);
	case DNS_TYPE_AAAA: return has_private(record->rdata, 16);
	case DNS_TYPE_SVCB:
	case DNS_TYPE_HTTPS: return has_private_hint(answer, record);
	default: return false;
	}
}

/* Beside an HTTPS or SVCB record its target's addresses save the client a question (RFC 9460 4.1),
 * and there are browsers that believe them. Nobody takes those beside other records for more than
 * they are. */
static bool is_used(const struct dns_answer *answer, const struct dns_record *record)
{
	bool is_service = answer->type == DNS_TYPE_HTTPS || answer->type == DNS_TYPE_SVCB;
	return record->section == DNS_SECTION_ANSWER ||
		(record->section == DNS_SECTION_ADDITIONAL && is_service);
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

bool rebinding_finds(const struct dns_answer *answer, const struct slice *exceptions, size_t count,
	struct dns_name *owner)
{
	struct dns_record_walk walk;
	struct dns_record record;
	dns_record_walk_begin(&walk, answer);
	while (dns_record_next(&walk, &record)) {
		if (!is_used(answer, &record) || !is_bad(answer, &record))
			continue;
		if (!is_public(answer->name) || is_excepted(answer->name, exceptions, count))
			return false;
		if (owner)
			*owner = record.owner;
		return true;
	}
	return false;
}
