#include "dns/name.h"

enum { LABEL_POINTER = 0xc0, HEADER_LEN = 12, SPARE_POINTERS = 16 };

size_t dns_name_check(struct slice bytes)
{
	size_t at = 0;
	while (at < bytes.len && at < DNS_NAME_MAX) {
		uint8_t label = bytes.at[at];
		if (label == 0)
			return at + 1;
		if (label > DNS_LABEL_MAX)
			return 0;
		at += (size_t)label + 1;
	}
	return 0;
}

/* Bytes of the plain labels at the reader's position, up to a root label, a pointer or rubbish. */
static size_t plain_labels_len(const struct reader *message)
{
	size_t left = reader_left(message);
	size_t len = 0;
	while (len < left && len < DNS_NAME_MAX && message->at[len] > 0 &&
		message->at[len] <= DNS_LABEL_MAX)
		len += (size_t)message->at[len] + 1;
	return len;
}

/* Copies the labels at the reader's position, root label included. True when a pointer came instead
 * of the root label: the name goes on at *target. */
static bool read_labels(struct reader *message, struct dns_name *name, size_t *target)
{
	struct slice labels = reader_bytes(message, plain_labels_len(message));
	uint8_t last = reader_u8(message);
	bool is_pointer = (last & LABEL_POINTER) == LABEL_POINTER;
	if (is_pointer)
		*target = (size_t)(last & ~LABEL_POINTER) << 8 | reader_u8(message);
	if ((last > 0 && !is_pointer) || name->len + labels.len >= DNS_NAME_MAX)
		message->failed = true; /* the root label must fit as well, now or later */
	if (message->failed)
		return false;
	memcpy(name->wire + name->len, labels.at, labels.len);
	name->len = (uint8_t)(name->len + labels.len);
	if (!is_pointer)
		name->wire[name->len++] = 0;
	return is_pointer;
}

void dns_name_read(struct reader *message, struct dns_name *name)
{
	size_t target;
	size_t lowest = reader_position(message);
	name->len = 0;
	bool goes_on = read_labels(message, name, &target);
	size_t resume = reader_position(message);
	/* Each pointer goes before the lowest place seen so far, so this ends (RFC 1035 4.1.4: a
	 * pointer is to a prior occurrence). But 8000 pointers in a row would go backwards too, and
	 * every record of the message could begin behind them: so each pays with a label. */
	for (unsigned hops = 0; goes_on; hops++) {
		bool too_many = hops >= SPARE_POINTERS + name->len / 2u;
		if (target >= lowest || target < HEADER_LEN || too_many)
			message->failed = true;
		lowest = target;
		reader_seek(message, target);
		goes_on = read_labels(message, name, &target);
	}
	reader_seek(message, resume);
	if (message->failed)
		name->len = 0;
}

void dns_name_skip(struct reader *message)
{
	size_t len = plain_labels_len(message);
	reader_skip(message, len);
	uint8_t last = reader_u8(message);
	if ((last & LABEL_POINTER) == LABEL_POINTER)
		reader_skip(message, 1);
	else if (last > 0)
		message->failed = true;
	if (len >= DNS_NAME_MAX)
		message->failed = true;
}

/* dns_lower() of eight bytes at once: names are folded and compared several times a query, and byte
 * by byte that was a seventh of its instructions. In each byte the seventh bit says, after the
 * additions, whether the lower ones are at least 'A', or beyond 'Z'; bytes above 127 stay. */
static inline uint64_t lower_eight(uint64_t bytes)
{
	const uint64_t each = UINT64_C(0x0101010101010101);
	uint64_t low = bytes & each * 0x7f;
	uint64_t from_a = low + each * (0x80 - 'A');
	uint64_t beyond_z = low + each * (0x80 - 'Z' - 1);
	uint64_t is_upper = (from_a ^ beyond_z) & ~bytes & each * 0x80;
	return bytes | is_upper >> 2;
}

static inline uint64_t load_eight(const uint8_t *at)
{
	uint64_t bytes;
	memcpy(&bytes, at, sizeof bytes);
	return bytes;
}

static inline void lower_eight_at(uint8_t *to, const uint8_t *from)
{
	uint64_t bytes = lower_eight(load_eight(from));
	memcpy(to, &bytes, sizeof bytes);
}

void dns_name_lower(uint8_t *to, const uint8_t *from, size_t len)
{
	if (len < 8) {
		for (size_t i = 0; i < len; i++)
			to[i] = dns_lower(from[i]);
		return;
	}
	for (size_t i = 0; i + 8 < len; i += 8)
		lower_eight_at(to + i, from + i);
	/* The last eight: some of them for the second time, which changes nothing, in place or not.
	 */
	lower_eight_at(to + len - 8, from + len - 8);
}

static inline bool eight_are_equal(const uint8_t *a, const uint8_t *b)
{
	uint64_t one = load_eight(a);
	uint64_t other = load_eight(b);
	return one == other || lower_eight(one) == lower_eight(other);
}

bool dns_name_equals(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return false;
	/* Length bytes are below 'A', so folding them changes nothing. */
	if (a.len < 8) {
		for (size_t i = 0; i < a.len; i++)
			if (dns_lower(a.at[i]) != dns_lower(b.at[i]))
				return false;
		return true;
	}
	for (size_t i = 0; i + 8 < a.len; i += 8)
		if (!eight_are_equal(a.at + i, b.at + i))
			return false;
	return eight_are_equal(a.at + a.len - 8, b.at + a.len - 8);
}

bool dns_name_is_under(struct slice name, struct slice parent)
{
	size_t at = 0;
	if (parent.len == 0)
		return false;
	while (name.len - at > parent.len)
		at += (size_t)name.at[at] + 1;
	return dns_name_equals(slice_of(name.at + at, name.len - at), parent);
}

size_t dns_name_labels(struct slice name, uint8_t offsets[DNS_NAME_LABELS_MAX])
{
	size_t count = 0;
	for (size_t at = 0; at < name.len && name.at[at] && count < DNS_NAME_LABELS_MAX;
		at += (size_t)name.at[at] + 1)
		offsets[count++] = (uint8_t)at;
	return count;
}

/* One byte of a label in presentation form; the reader fails at a bad escape. `escaped` tells a
 * dot that separates from a dot inside a label. */
static uint8_t read_text_byte(struct reader *text, bool *escaped)
{
	uint8_t byte = reader_u8(text);
	*escaped = byte == '\\';
	if (!*escaped)
		return byte;
	byte = reader_u8(text);
	if (byte < '0' || byte > '9')
		return byte;
	struct slice more = reader_bytes(text, 2);
	if (text->failed)
		return 0;
	unsigned value = (byte - '0') * 100u;
	for (size_t i = 0; i < 2; i++) {
		if (more.at[i] < '0' || more.at[i] > '9')
			text->failed = true;
		value += (unsigned)(more.at[i] - '0') * (i ? 1 : 10);
	}
	if (value > 255)
		text->failed = true;
	return (uint8_t)value;
}

bool dns_name_from_text(struct dns_name *name, struct slice text)
{
	struct reader from = reader_of(text);
	size_t length_at = 0; /* of the label being written */
	size_t len = 1;
	if (slice_equals_text(text, ".")) {
		*name = (struct dns_name){ .len = 1 };
		return true;
	}
	while (reader_left(&from) > 0) {
		bool escaped;
		uint8_t byte = read_text_byte(&from, &escaped);
		bool ends_label = byte == '.' && !escaped;
		if (from.failed || len >= DNS_NAME_MAX)
			return false;
		if (!ends_label) {
			name->wire[len++] = byte;
			continue;
		}
		if (len - length_at - 1 == 0 || len - length_at - 1 > DNS_LABEL_MAX)
			return false;
		name->wire[length_at] = (uint8_t)(len - length_at - 1);
		length_at = len++;
	}
	size_t label_len = len - length_at - 1;
	if (from.failed || len == 1 || label_len > DNS_LABEL_MAX)
		return false;
	name->wire[length_at] = (uint8_t)label_len;
	if (label_len > 0) { /* no dot at the end: the root label is yet to come */
		if (len >= DNS_NAME_MAX)
			return false;
		name->wire[len++] = 0;
	}
	name->len = (uint8_t)len;
	return true;
}

/* Letters, digits, '-', '_' and '*': a bit for each byte. */
static bool is_plain(uint8_t byte)
{
	static const uint64_t plain[4] = { 0x03ff240000000000, 0x07fffffe87fffffe };
	return plain[byte >> 6] >> (byte & 63) & 1;
}

static void write_escaped(struct writer *to, uint8_t byte)
{
	writer_u8(to, '\\');
	writer_u8(to, (uint8_t)('0' + byte / 100));
	writer_u8(to, (uint8_t)('0' + byte / 10 % 10));
	writer_u8(to, (uint8_t)('0' + byte % 10));
}

/* Text is as long as the name then, less the root label. */
bool dns_name_write_plain(struct writer *to, struct slice name)
{
	bool plain = true;
	if (name.len <= 1 || to->failed || to->capacity < to->len ||
		to->capacity - to->len < name.len)
		return false;
	uint8_t *text = to->at + to->len;
	for (size_t at = 0; at < name.len && name.at[at];) {
		size_t end = at + 1 + name.at[at];
		while (++at < end && at < name.len) {
			plain &= is_plain(name.at[at]);
			*text++ = name.at[at];
		}
		*text++ = '.';
	}
	if (plain)
		to->len = (size_t)(text - to->at);
	return plain;
}

void dns_name_write_text(struct writer *to, struct slice name)
{
	if (name.len <= 1) {
		writer_u8(to, '.');
		return;
	}
	if (dns_name_write_plain(to, name))
		return;
	for (size_t at = 0; at < name.len && name.at[at];) {
		size_t end = at + 1 + name.at[at];
		while (++at < end && at < name.len)
			if (is_plain(name.at[at]))
				writer_u8(to, name.at[at]);
			else
				write_escaped(to, name.at[at]);
		writer_u8(to, '.');
	}
}

const char *dns_name_text(struct slice name, char text[DNS_NAME_TEXT_MAX])
{
	struct writer to = writer_of(text, DNS_NAME_TEXT_MAX - 1);
	dns_name_write_text(&to, name);
	text[to.len] = '\0';
	return text;
}
