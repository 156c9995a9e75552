#include "dns/compress.h"

enum { POINTER_BITS = 0xc000, POSITION_MAX = 0x3fff, PROBES = 4 };

void dns_compress_init(struct dns_compress *compress)
{
	memset(compress, 0, sizeof *compress);
}

/* Hashes of the suffixes that begin at each label, from the last label to the first. */
static void hash_suffixes(struct slice name, const uint8_t *offsets, size_t count, uint32_t *hashes)
{
	uint32_t hash = 2166136261u;
	for (size_t i = count; i-- > 0;) {
		const uint8_t *label = name.at + offsets[i];
		for (size_t at = 0; at <= label[0]; at++)
			hash = (hash ^ dns_lower(label[at])) * 16777619u;
		hashes[i] = hash ^ hash >> 15;
	}
}

/* Does the name that was written at `position`, pointers followed, equal `suffix`? What we wrote
 * ourselves points backwards only. */
static bool stands_at(const struct writer *message, size_t position, struct slice suffix)
{
	size_t at = 0;
	while (at < suffix.len) {
		uint8_t label = message->at[position];
		if (label >= 0xc0) {
			position = (size_t)(label & 0x3f) << 8 | message->at[position + 1];
			continue;
		}
		if (label != suffix.at[at] || position + label >= message->len)
			return false;
		for (size_t i = 1; i <= label; i++)
			if (dns_lower(message->at[position + i]) != dns_lower(suffix.at[at + i]))
				return false;
		position += (size_t)label + 1;
		at += (size_t)label + 1;
	}
	return true;
}

static size_t find(const struct dns_compress *compress, const struct writer *message,
	struct slice suffix, uint32_t hash)
{
	for (unsigned i = 0; i < PROBES; i++) {
		size_t position = compress->positions[(hash + i) % DNS_COMPRESS_SLOTS];
		if (position && stands_at(message, position, suffix))
			return position;
	}
	return 0;
}

static void remember(struct dns_compress *compress, uint32_t hash, size_t position)
{
	if (position > POSITION_MAX)
		return;
	for (unsigned i = 0; i < PROBES; i++) {
		uint16_t *slot = &compress->positions[(hash + i) % DNS_COMPRESS_SLOTS];
		if (*slot)
			continue;
		*slot = (uint16_t)position;
		return;
	}
}

void dns_compress_write(struct dns_compress *compress, struct writer *message, struct slice name)
{
	uint8_t offsets[DNS_NAME_LABELS_MAX];
	uint32_t hashes[DNS_NAME_LABELS_MAX];
	size_t count = dns_name_labels(name, offsets);
	hash_suffixes(name, offsets, count, hashes);
	for (size_t i = 0; i < count; i++) {
		struct slice suffix = slice_of(name.at + offsets[i], name.len - offsets[i]);
		size_t known = find(compress, message, suffix, hashes[i]);
		if (known) {
			writer_u16(message, (uint16_t)(POINTER_BITS | known));
			return;
		}
		size_t position = message->len;
		writer_bytes(message, suffix.at, (size_t)suffix.at[0] + 1);
		if (message->failed)
			return;
		remember(compress, hashes[i], position);
	}
	writer_u8(message, 0);
}

void dns_compress_learn(
	struct dns_compress *compress, const struct writer *message, size_t position)
{
	uint8_t offsets[DNS_NAME_LABELS_MAX];
	uint32_t hashes[DNS_NAME_LABELS_MAX];
	struct slice name = slice_of(message->at + position, message->len - position);
	name.len = dns_name_check(name);
	size_t count = dns_name_labels(name, offsets);
	hash_suffixes(name, offsets, count, hashes);
	for (size_t i = 0; i < count; i++)
		remember(compress, hashes[i], position + offsets[i]);
}

void dns_compress_cut(struct dns_compress *compress, size_t position)
{
	for (unsigned i = 0; i < DNS_COMPRESS_SLOTS; i++)
		if (compress->positions[i] >= position)
			compress->positions[i] = 0;
}
