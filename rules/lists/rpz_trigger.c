#include "rules/lists/rpz_trigger.h"

enum { V4_LABELS = 4, V6_WORDS = 8 };

/* The last label of a name, as it lies there. */
#define END(text)                                                                                  \
	{                                                                                          \
		(const uint8_t *)(text), sizeof(text)                                              \
	}

static const struct slice rpz_ip = END("\6rpz-ip");

static bool read_number(const uint8_t *label, unsigned base, unsigned digits_max, unsigned *number)
{
	static const char digits[] = "0123456789abcdef";
	*number = 0;
	if (label[0] == 0 || label[0] > digits_max)
		return false;
	for (unsigned i = 1; i <= label[0]; i++) {
		const char *at = label[i] ? strchr(digits, label[i]) : NULL;
		if (!at || (unsigned)(at - digits) >= base)
			return false;
		*number = *number * base + (unsigned)(at - digits);
	}
	return true;
}

static bool is_zeros(const uint8_t *label)
{
	return label[0] == 2 && label[1] == 'z' && label[2] == 'z';
}

/* The last octet stands first. */
static bool read_v4(const uint8_t *const *labels, struct address *address)
{
	uint8_t bytes[V4_LABELS];
	for (unsigned i = 0; i < V4_LABELS; i++) {
		unsigned number;
		if (!read_number(labels[V4_LABELS - 1 - i], 10, 3, &number) || number > UINT8_MAX)
			return false;
		bytes[i] = (uint8_t)number;
	}
	*address = address_of_v4(bytes);
	return true;
}

/* So does the last word; one "zz" stands for as many words of zeros as are missing. */
static bool read_v6(const uint8_t *const *labels, size_t count, struct address *address)
{
	size_t word = 0;
	bool has_zeros = false;
	memset(address, 0, sizeof *address);
	for (size_t i = count; i-- > 0;) {
		unsigned number;
		if (is_zeros(labels[i]) && !has_zeros && count <= V6_WORDS) {
			has_zeros = true;
			word += V6_WORDS + 1 - count;
			continue;
		}
		if (!read_number(labels[i], 16, 4, &number) || word == V6_WORDS)
			return false;
		address->bytes[2 * word] = (uint8_t)(number >> 8);
		address->bytes[2 * word + 1] = (uint8_t)number;
		word++;
	}
	return word == V6_WORDS && !address_is_v4(address);
}

static bool has_host_bits(const struct network *network)
{
	for (unsigned bit = network->prefix_len; bit < 128; bit++)
		if (network->address.bytes[bit / 8] & (0x80 >> bit % 8))
			return true;
	return false;
}

/* `name` ends in rpz-ip. */
static bool read_network(struct slice name, struct network *network)
{
	enum { LABELS_MAX = 1 + V6_WORDS + 1 };
	uint8_t offsets[DNS_NAME_LABELS_MAX];
	const uint8_t *labels[LABELS_MAX];
	size_t count = dns_name_labels(name, offsets);
	unsigned prefix_len;
	bool has_zeros = false;
	if (count < 3 || count > LABELS_MAX)
		return false;
	for (size_t i = 0; i < count; i++) {
		labels[i] = name.at + offsets[i];
		has_zeros = has_zeros || is_zeros(labels[i]);
	}
	bool is_v4 = count - 2 == V4_LABELS && !has_zeros;
	if (!read_number(labels[0], 10, 3, &prefix_len) || prefix_len == 0 ||
		prefix_len > (is_v4 ? 32 : 128))
		return false;
	network->prefix_len = (uint8_t)(is_v4 ? prefix_len + 96 : prefix_len);
	bool is_read = is_v4 ? read_v4(labels + 1, &network->address)
			     : read_v6(labels + 1, count - 2, &network->address);
	return is_read && !has_host_bits(network);
}

static bool ends_with(struct slice name, struct slice end)
{
	return name.len >= end.len && memcmp(name.at + name.len - end.len, end.at, end.len) == 0;
}

enum list_reject rpz_trigger_settle(struct rpz_trigger *trigger, bool is_below)
{
	static const struct slice others[] = { END("\15rpz-client-ip"), END("\10rpz-nsip"),
		END("\13rpz-nsdname") };
	struct slice name = dns_name_slice(&trigger->name);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (ends_with(name, others[i]))
			return LIST_REJECT_TRIGGER;
	if (ends_with(name, rpz_ip)) {
		trigger->kind = RPZ_TRIGGER_NETWORK;
		return is_below || !read_network(name, &trigger->network) ? LIST_REJECT_SYNTAX
									  : LIST_REJECT_NONE;
	}
	trigger->kind = is_below ? RPZ_TRIGGER_BELOW
		: name.len == 1  ? RPZ_TRIGGER_APEX
				 : RPZ_TRIGGER_EXACT;
	return LIST_REJECT_NONE;
}

bool rpz_trigger_is(const struct rpz_trigger *trigger, struct slice target)
{
	struct dns_name self = trigger->name;
	if (trigger->kind == RPZ_TRIGGER_NETWORK) {
		self.len = (uint8_t)(self.len - rpz_ip.len + 1);
		self.wire[self.len - 1] = 0;
	}
	return trigger->kind != RPZ_TRIGGER_BELOW && dns_name_equals(target, dns_name_slice(&self));
}
