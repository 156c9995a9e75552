#include "proxy/query/special.h"

#include "base/not_cleared.h"

/* --- which zone --- */

struct zone {
	enum special_name special;
	struct slice apex; /* within the name */
};

/* The labels of a name, from its end: 0 is the last one before the root. */
struct labels {
	struct slice name;
	size_t count;
	uint8_t offsets[DNS_NAME_LABELS_MAX];
};

static struct slice label_from_end(const struct labels *labels, size_t at)
{
	const uint8_t *label = labels->name.at + labels->offsets[labels->count - 1 - at];
	return slice_of(label + 1, label[0]);
}

/* The last `count` labels and the root. */
static struct slice suffix(const struct labels *labels, size_t count)
{
	size_t at = labels->offsets[labels->count - count];
	return slice_of(labels->name.at + at, labels->name.len - at);
}

struct named_zone {
	enum special_name special;
	struct slice labels[2]; /* from the end */
};

#define LABEL(text)                                                                                \
	{                                                                                          \
		(const uint8_t *)(text), sizeof(text) - 1                                          \
	}

static const struct named_zone named_zones[] = {
	{ SPECIAL_LOCALHOST, { LABEL("localhost") } },
	{ SPECIAL_INVALID, { LABEL("invalid") } },
	{ SPECIAL_TEST, { LABEL("test") } },
	{ SPECIAL_ONION, { LABEL("onion") } },
	{ SPECIAL_LOCAL, { LABEL("local") } },
	{ SPECIAL_HOME_ARPA, { LABEL("arpa"), LABEL("home") } },
	{ SPECIAL_CANARY, { LABEL("net"), LABEL("use-application-dns") } },
};

/* Reverse zones of IPv4: the octets as in an address, the last one up to `to`. */
struct v4_zone {
	uint8_t octets;
	uint8_t prefix[4];
	uint8_t to; /* 0: the last octet alone */
};

static const struct v4_zone v4_zones[] = {
	/* RFC 6303 4.1 and RFC 6761 6.1: private */
	{ 1, { 10 }, 0 },
	{ 2, { 172, 16 }, 31 },
	{ 2, { 192, 168 }, 0 },
	/* RFC 6303 4.2: this network, loopback, link-local, documentation, broadcast */
	{ 1, { 0 }, 0 },
	{ 1, { 127 }, 0 },
	{ 2, { 169, 254 }, 0 },
	{ 3, { 192, 0, 2 }, 0 },
	{ 3, { 198, 51, 100 }, 0 },
	{ 3, { 203, 0, 113 }, 0 },
	{ 4, { 255, 255, 255, 255 }, 0 },
	/* RFC 7793 2.1: shared between a provider and its customers */
	{ 2, { 100, 64 }, 127 },
};

/* Reverse zones of IPv6: the nibbles as in an address. */
static const char *const v6_zones[] = {
	"00000000000000000000000000000000", /* RFC 6303 4.3: unspecified */
	"00000000000000000000000000000001", /* loopback */
	"fd",                               /* 4.4: locally assigned */
	"fe8", "fe9", "fea", "feb",         /* 4.5: link-local */
	"20010db8",                         /* 4.6: documentation */
};

static bool named_zone_find(const struct labels *labels, struct zone *zone)
{
	for (size_t i = 0; i < sizeof named_zones / sizeof *named_zones; i++) {
		const struct named_zone *row = &named_zones[i];
		size_t count = row->labels[1].len ? 2 : 1;
		if (!slice_equals(label_from_end(labels, 0), row->labels[0]) ||
			labels->count < count ||
			(count == 2 && !slice_equals(label_from_end(labels, 1), row->labels[1])))
			continue;
		*zone = (struct zone){ row->special, suffix(labels, count) };
		return true;
	}
	return false;
}

/* "010" is not an octet: nobody asks so for an address (RFC 1035 3.5). -1 when it is none. */
static int octet_of(struct slice label)
{
	int value = 0;
	if (label.len == 0 || label.len > 3 || (label.len > 1 && label.at[0] == '0'))
		return -1;
	for (size_t i = 0; i < label.len; i++) {
		if (label.at[i] < '0' || label.at[i] > '9')
			return -1;
		value = value * 10 + (label.at[i] - '0');
	}
	return value <= 255 ? value : -1;
}

static bool v4_zone_has(const struct v4_zone *row, const int octets[4])
{
	size_t last = row->octets - 1u;
	for (size_t i = 0; i < last; i++)
		if (octets[i] != row->prefix[i])
			return false;
	int to = row->to ? row->to : row->prefix[last];
	return octets[last] >= row->prefix[last] && octets[last] <= to;
}

static bool v4_zone_find(const struct labels *labels, struct zone *zone)
{
	int octets[4] = { -1, -1, -1, -1 };
	for (size_t i = 0; i < 4 && labels->count > i + 2; i++)
		octets[i] = octet_of(label_from_end(labels, i + 2));
	for (size_t i = 0; i < sizeof v4_zones / sizeof *v4_zones; i++) {
		if (!v4_zone_has(&v4_zones[i], octets))
			continue;
		*zone = (struct zone){ SPECIAL_PRIVATE_REVERSE,
			suffix(labels, v4_zones[i].octets + 2u) };
		return true;
	}
	return false;
}

static bool v6_zone_has(const char *nibbles, size_t count, const struct labels *labels)
{
	if (labels->count < count + 2)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!slice_equals(label_from_end(labels, i + 2), slice_of(nibbles + i, 1)))
			return false;
	return true;
}

static bool v6_zone_find(const struct labels *labels, struct zone *zone)
{
	for (size_t i = 0; i < sizeof v6_zones / sizeof *v6_zones; i++) {
		size_t count = strlen(v6_zones[i]);
		if (!v6_zone_has(v6_zones[i], count, labels))
			continue;
		*zone = (struct zone){ SPECIAL_PRIVATE_REVERSE, suffix(labels, count + 2) };
		return true;
	}
	return false;
}

static bool zone_find(struct slice name, struct zone *zone)
{
	NOT_CLEARED struct labels labels;
	labels.name = name;
	labels.count = dns_name_labels(name, labels.offsets);
	if (labels.count == 0)
		return false;
	if (named_zone_find(&labels, zone))
		return true;
	if (labels.count < 3 || !slice_equals_text(label_from_end(&labels, 0), "arpa"))
		return false;
	struct slice family = label_from_end(&labels, 1);
	if (slice_equals_text(family, "in-addr"))
		return v4_zone_find(&labels, zone);
	return slice_equals_text(family, "ip6") && v6_zone_find(&labels, zone);
}

/* --- what is in it --- */

enum kind {
	KIND_LOOPBACK, /* every name has the loopback addresses */
	KIND_EMPTY,    /* an apex with SOA and NS */
	KIND_ABSENT,   /* does not exist, neither do names below it */
};

/* RFC 6303 3 wants 10800 for its zones. For the others there is no number: what an operator may
 * soon decide otherwise is not kept for long. */
enum { TTL_LONG_S = 10800, TTL_S = 600 };

static const struct {
	const char *text;
	enum kind kind;
	uint32_t ttl_s;
} specials[SPECIAL_NAMES] = {
	[SPECIAL_LOCALHOST] = { "localhost", KIND_LOOPBACK, TTL_LONG_S },
	[SPECIAL_INVALID] = { "invalid", KIND_ABSENT, TTL_LONG_S },
	[SPECIAL_TEST] = { "test", KIND_ABSENT, TTL_S },
	[SPECIAL_ONION] = { "onion", KIND_ABSENT, TTL_S },
	[SPECIAL_HOME_ARPA] = { "home_arpa", KIND_EMPTY, TTL_LONG_S },
	[SPECIAL_LOCAL] = { "local", KIND_ABSENT, TTL_S },
	[SPECIAL_PRIVATE_REVERSE] = { "private_reverse", KIND_EMPTY, TTL_LONG_S },
	[SPECIAL_CANARY] = { "canary", KIND_ABSENT, TTL_S },
};

#define WIRE(text)                                                                                 \
	{                                                                                          \
		(const uint8_t *)(text), sizeof(text)                                              \
	}

static const struct slice localhost = WIRE("\11localhost");

/* RFC 6303 4.2 and 4.3: "a meaningful reverse mapping should exist". */
static const struct slice loopback_pointers[] = {
	WIRE("\0011\0010\0010\003127\7in-addr\4arpa"),
	WIRE("\0011\0010\0010\0010\0010\0010\0010\0010\0010\0010\0010\0010\0010\0010\0010\0010"
	     "\0010\0010\0010\0010\0010\0010\0010\0010\0010\0010\0010\0010\0010\0010\0010\0010"
	     "\3ip6\4arpa"),
};

static const uint8_t loopback_v4[4] = { 127, 0, 0, 1 };
static const uint8_t loopback_v6[16] = { [15] = 1 };

bool special_find(const bool enabled[SPECIAL_NAMES], struct slice name, uint16_t type,
	enum special_name *special)
{
	struct zone zone;
	if (!zone_find(name, &zone) || !enabled[zone.special])
		return false;
	if (type == DNS_TYPE_DS && specials[zone.special].kind == KIND_EMPTY &&
		zone.apex.len == name.len)
		return false;
	*special = zone.special;
	return true;
}

/* The zone as it is being written. */
struct page {
	struct dns_reply *reply;
	struct slice name;
	struct slice apex;
	uint32_t ttl_s;
};

static void add_soa(const struct page *page, enum dns_section section)
{
	dns_reply_add_zone_soa(page->reply, section, page->apex, page->ttl_s);
}

/* The record, if its type was asked for. */
static void offer(const struct page *page, uint16_t type, struct slice rdata)
{
	uint16_t wanted = page->reply->query->type;
	if (wanted == type || wanted == DNS_TYPE_ANY)
		dns_reply_add(page->reply, DNS_SECTION_ANSWER, page->name, type, DNS_CLASS_IN,
			page->ttl_s, rdata);
}

static void offer_apex(const struct page *page)
{
	uint16_t wanted = page->reply->query->type;
	if (wanted == DNS_TYPE_SOA || wanted == DNS_TYPE_ANY)
		add_soa(page, DNS_SECTION_ANSWER);
	offer(page, DNS_TYPE_NS, page->apex);
}

/* Writes what an empty zone has at a name; false when the name is not there. One above a name that
 * is there is there as well (RFC 4592 2.2.2). */
static bool write_empty(const struct page *page)
{
	bool exists = page->name.len == page->apex.len;
	if (exists)
		offer_apex(page);
	for (size_t i = 0; i < sizeof loopback_pointers / sizeof *loopback_pointers; i++) {
		if (!dns_name_is_under(loopback_pointers[i], page->name))
			continue;
		exists = true;
		if (page->name.len == loopback_pointers[i].len)
			offer(page, DNS_TYPE_PTR, localhost);
	}
	return exists;
}

static bool write_by_kind(const struct page *page, enum kind kind)
{
	if (kind == KIND_ABSENT)
		return false;
	if (kind == KIND_EMPTY)
		return write_empty(page);
	offer(page, DNS_TYPE_A, slice_of(loopback_v4, sizeof loopback_v4));
	offer(page, DNS_TYPE_AAAA, slice_of(loopback_v6, sizeof loopback_v6));
	return true;
}

void special_answer(enum special_name special, struct slice name, struct dns_reply *reply)
{
	struct zone zone;
	if (!zone_find(name, &zone))
		zone.apex = name; /* the caller's mistake, and still an answer */
	const struct page page = { reply, name, zone.apex, specials[special].ttl_s };
	if (!write_by_kind(&page, specials[special].kind))
		reply->rcode = DNS_RCODE_NXDOMAIN;
	if (reply->counts[DNS_SECTION_ANSWER] == 0)
		add_soa(&page, DNS_SECTION_AUTHORITY);
}

const char *special_name_text(enum special_name special)
{
	return specials[special].text;
}
