#include "proxy/framing/forwarded.h"

enum { NODE_MAX = 64 /* bytes of an address with brackets and a port */ };

/* The last hops of a field, the newest where `count` says; only so many can matter. */
struct hop {
	bool is_known;
	struct address address;
};
struct hops {
	struct hop ring[FORWARDED_HOPS_MAX];
	size_t count;
};

static void add_hop(struct hops *hops, const struct hop *hop)
{
	hops->ring[hops->count++ % FORWARDED_HOPS_MAX] = *hop;
}

/* ---- one node: an address, perhaps with a port (RFC 7239 6) ---- */

static struct slice drop(struct slice text, size_t count)
{
	return slice_of(text.at + count, text.len - count);
}

/* Digits, or a name that hides them. */
static bool is_port(struct slice text)
{
	if (text.len > 1 && text.at[0] == '_')
		return true;
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
	return text.len >= 1 && text.len <= 5;
}

/* What stands behind an address: nothing, or a colon and a port. */
static bool is_port_part(struct slice text)
{
	return text.len == 0 || (text.at[0] == ':' && is_port(drop(text, 1)));
}

static bool read_address(struct slice text, struct address *address)
{
	char copy[ADDRESS_TEXT_MAX];
	if (text.len >= sizeof copy || memchr(text.at, '\0', text.len))
		return false;
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	return address_parse(address, copy);
}

static size_t find(struct slice text, uint8_t byte)
{
	const uint8_t *at = text.len ? memchr(text.at, byte, text.len) : NULL;
	return at ? (size_t)(at - text.at) : text.len;
}

/* X-Forwarded-For has IPv6 addresses without brackets too, and then without a port. */
static struct hop hop_of(struct slice node)
{
	struct hop hop = { .is_known = false };
	if (node.len == 0 || node.len > NODE_MAX)
		return hop;
	if (node.at[0] == '[') {
		size_t end = find(node, ']');
		hop.is_known = end < node.len && find(node, ':') < end &&
			read_address(slice_of(node.at + 1, end - 1), &hop.address) &&
			is_port_part(drop(node, end + 1));
		return hop;
	}
	size_t colon = find(node, ':');
	bool has_v6 = colon < node.len && find(drop(node, colon + 1), ':') < node.len - colon - 1;
	size_t len = has_v6 ? node.len : colon;
	hop.is_known =
		read_address(slice_of(node.at, len), &hop.address) && is_port_part(drop(node, len));
	return hop;
}

/* ---- Forwarded: elements of pairs (RFC 7239 4) ---- */

struct text {
	struct slice left;
	bool is_broken;
};

static bool is_blank(uint8_t byte)
{
	return byte == ' ' || byte == '\t';
}

static void skip_blanks(struct text *text)
{
	while (text->left.len > 0 && is_blank(text->left.at[0]))
		text->left = drop(text->left, 1);
}

static bool skip(struct text *text, uint8_t byte)
{
	if (text->left.len == 0 || text->left.at[0] != byte)
		return false;
	text->left = drop(text->left, 1);
	return true;
}

/* A token (RFC 9110 5.6.2); in values brackets and colons too, as some forget the quotes. */
static bool is_token_byte(uint8_t byte, bool in_value)
{
	static const char others[] = "!#$%&'*+-.^_`|~";
	static const char lenient[] = "[]:";
	if ((byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
		(byte >= 'a' && byte <= 'z'))
		return true;
	return byte && (strchr(others, byte) || (in_value && strchr(lenient, byte)));
}

static struct slice take_token(struct text *text, bool in_value)
{
	size_t len = 0;
	while (len < text->left.len && is_token_byte(text->left.at[len], in_value))
		len++;
	struct slice token = slice_of(text->left.at, len);
	text->left = drop(text->left, len);
	text->is_broken |= len == 0;
	return token;
}

/* A quoted string (RFC 9110 5.6.4), behind its first quote. What does not fit into `to` is no
 * address; it ends all the same where it ends. */
static struct slice take_quoted(struct text *text, uint8_t to[NODE_MAX + 1])
{
	size_t len = 0;
	while (text->left.len > 0) {
		uint8_t byte = text->left.at[0];
		text->left = drop(text->left, 1);
		if (byte == '"')
			return slice_of(to, len);
		if (byte == '\\' && text->left.len > 0) {
			byte = text->left.at[0];
			text->left = drop(text->left, 1);
		}
		if (byte != '\t' && (byte < ' ' || byte == 0x7f))
			break;
		to[len] = byte;
		len += len < NODE_MAX;
	}
	text->is_broken = true;
	return slice_of(to, 0);
}

static bool is_for(struct slice name)
{
	return name.len == 3 && (name.at[0] | 0x20) == 'f' && (name.at[1] | 0x20) == 'o' &&
		(name.at[2] | 0x20) == 'r';
}

/* One element up to its comma. One that says nothing of whom it is for is of nobody. */
static void take_element(struct text *text, struct hops *hops)
{
	uint8_t unquoted[NODE_MAX + 1];
	struct hop hop = { .is_known = false };
	bool is_empty = true, has_for = false;
	do {
		skip_blanks(text);
		if (text->left.len == 0 || text->left.at[0] == ',' || text->left.at[0] == ';')
			continue; /* nothing between two separators */
		is_empty = false;
		struct slice name = take_token(text, false);
		if (!skip(text, '=')) {
			text->is_broken = true;
			return;
		}
		struct slice value =
			skip(text, '"') ? take_quoted(text, unquoted) : take_token(text, true);
		if (is_for(name)) {
			text->is_broken |= has_for;
			has_for = true;
			hop = hop_of(value);
		}
		skip_blanks(text);
	} while (!text->is_broken && skip(text, ';'));
	if (!is_empty)
		add_hop(hops, &hop);
}

/* Quotes can only be told from the left, so all of it must follow the grammar: one quote too many,
 * sent by a client, would swallow what a proxy wrote behind it. */
static bool read_forwarded(struct slice field, struct hops *hops)
{
	struct text text = { .left = field };
	do
		take_element(&text, hops);
	while (!text.is_broken && skip(&text, ','));
	return !text.is_broken && text.left.len == 0 && hops->count > 0;
}

/* ---- X-Forwarded-For: addresses and commas ---- */

static struct slice trim(struct slice text)
{
	while (text.len > 0 && is_blank(text.at[0]))
		text = drop(text, 1);
	while (text.len > 0 && is_blank(text.at[text.len - 1]))
		text.len--;
	return text;
}

static bool read_x_forwarded_for(struct slice field, struct hops *hops)
{
	for (;;) {
		size_t comma = find(field, ',');
		struct slice node = trim(slice_of(field.at, comma));
		struct hop hop = hop_of(node);
		if (node.len > 0)
			add_hop(hops, &hop);
		if (comma == field.len)
			return hops->count > 0;
		field = drop(field, comma + 1);
	}
}

/* ---- whom to believe ---- */

static bool walk(const struct hops *hops, const struct network *trusted, size_t trusted_count,
	struct address *client)
{
	size_t seen = 0;
	for (; seen < hops->count && seen < FORWARDED_HOPS_MAX; seen++) {
		const struct hop *hop = &hops->ring[(hops->count - 1 - seen) % FORWARDED_HOPS_MAX];
		if (!hop->is_known)
			return false;
		*client = hop->address;
		if (!networks_contain(trusted, trusted_count, client))
			return true;
	}
	return seen == hops->count;
}

bool forwarded_find(const struct framer_claims *said, const struct network *trusted,
	size_t trusted_count, struct address *client)
{
	struct hops hops = { .count = 0 }, x_hops = { .count = 0 };
	struct address x_client = *client;
	bool has_both = said->forwarded.len > 0 && said->x_forwarded_for.len > 0;
	if (said->forwarded.len > 0 &&
		!(read_forwarded(said->forwarded, &hops) &&
			walk(&hops, trusted, trusted_count, client)))
		return false;
	if (said->x_forwarded_for.len > 0 &&
		!(read_x_forwarded_for(said->x_forwarded_for, &x_hops) &&
			walk(&x_hops, trusted, trusted_count, &x_client)))
		return false;
	if (has_both)
		return memcmp(client, &x_client, sizeof x_client) == 0;
	if (said->x_forwarded_for.len > 0)
		*client = x_client;
	return true;
}
