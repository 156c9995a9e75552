#include "proxy/explain/svcb_hints.h"

enum { IPV4HINT = 4, IPV6HINT = 6, VALUE_MAX = 4096 };

static bool read_priority(struct slice text, uint16_t *priority)
{
	unsigned value = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9' || value > UINT16_MAX)
			return false;
		value = value * 10 + (unsigned)(text.at[i] - '0');
	}
	*priority = (uint16_t)value;
	return text.len > 0 && value <= UINT16_MAX;
}

/* What stands behind "key=", without quotes; NULL at when it is another key. */
static struct slice value_of(const struct zone_word *word, const char *key)
{
	size_t len = strlen(key);
	struct slice text = word->text;
	if (text.len <= len || memcmp(text.at, key, len) != 0)
		return slice_of(NULL, 0);
	text = slice_of(text.at + len, text.len - len);
	if (text.len >= 2 && text.at[0] == '"' && text.at[text.len - 1] == '"')
		text = slice_of(text.at + 1, text.len - 2);
	return text;
}

static bool write_address(struct writer *to, struct slice text, bool is_v4)
{
	char copy[ADDRESS_TEXT_MAX];
	struct address address;
	if (text.len >= sizeof copy)
		return false;
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	if (!address_parse(&address, copy) || address_is_v4(&address) != is_v4)
		return false;
	writer_bytes(to, address.bytes + (is_v4 ? 12 : 0), is_v4 ? 4 : 16);
	return true;
}

static bool write_hints(struct writer *to, struct slice list, uint16_t key)
{
	writer_u16(to, key);
	size_t len_at = to->len;
	writer_u16(to, 0);
	while (list.len) {
		const uint8_t *comma = memchr(list.at, ',', list.len);
		size_t len = comma ? (size_t)(comma - list.at) : list.len;
		if (!write_address(to, slice_of(list.at, len), key == IPV4HINT))
			return false;
		size_t taken = comma ? len + 1 : len;
		list = slice_of(list.at + taken, list.len - taken);
	}
	writer_patch_u16(to, len_at, (uint16_t)(to->len - len_at - 2));
	return to->len - len_at - 2 <= VALUE_MAX;
}

/* Keys come in ascending order on the wire, in any in the text. */
static bool write_key(struct writer *to, const struct zone_word *words, size_t count,
	const char *name, uint16_t key)
{
	for (size_t i = 0; i < count; i++) {
		struct slice value = value_of(&words[i], name);
		if (value.len)
			return write_hints(to, value, key);
	}
	return true;
}

bool svcb_hints_read(struct writer *to, const struct zone_word *words, size_t count,
	const struct dns_name *origin)
{
	struct dns_name target;
	uint16_t priority;
	if (count < 2 || !read_priority(words[0].text, &priority) ||
		!zone_name_read(&target, words[1].text, origin))
		return false;
	writer_u16(to, priority);
	writer_slice_bytes(to, dns_name_slice(&target));
	return write_key(to, words + 2, count - 2, "ipv4hint=", IPV4HINT) &&
		write_key(to, words + 2, count - 2, "ipv6hint=", IPV6HINT) && !to->failed;
}
