#include "dns/compress.h"

#include "base/not_cleared.h"

enum { POINTER_BITS = 0xc000, POSITION_MAX = 0x3fff, PROBES = 4 };

/* A name's labels as a row of (label, place of the label behind it) makes the slots a tree that is
 * descended from the root. Remembering whole suffixes by their hash instead would mean to compare
 * up to 127 labels per probe: a message made for that costs quadratic time (CVE-2024-8508 and
 * CVE-2026-44390 in another server). */

void dns_compress_init(struct dns_compress *compress)
{
	compress->learned = 0;
	compress->learned_len = 0;
	compress->has_slots = false;
}

static uint32_t hash_label(size_t parent, const uint8_t *label)
{
	uint32_t hash = 2166136261u ^ (uint32_t)parent;
	for (size_t at = 0; at <= label[0]; at++)
		hash = (hash ^ dns_lower(label[at])) * 16777619u;
	return hash ^ hash >> 15;
}

/* Labels stand where they were written, never behind a pointer. */
static bool label_stands_at(const struct writer *message, size_t position, const uint8_t *label)
{
	size_t len = (size_t)label[0] + 1;
	return position + len <= message->len &&
		dns_name_equals(slice_of(message->at + position, len), slice_of(label, len));
}

/* Where `label` stands with the name at `parent` behind it; 0 when that is not known. */
static size_t find(const struct dns_compress *compress, const struct writer *message, size_t parent,
	const uint8_t *label)
{
	uint32_t hash = hash_label(parent, label);
	for (unsigned i = 0; i < PROBES; i++) {
		unsigned slot = (hash + i) % DNS_COMPRESS_SLOTS;
		size_t position = compress->slots[slot].position;
		if (position && compress->slots[slot].parent == parent &&
			label_stands_at(message, position, label))
			return position;
	}
	return 0;
}

static bool remember(
	struct dns_compress *compress, size_t parent, const uint8_t *label, size_t position)
{
	if (position > POSITION_MAX)
		return false;
	uint32_t hash = hash_label(parent, label);
	for (unsigned i = 0; i < PROBES; i++) {
		unsigned slot = (hash + i) % DNS_COMPRESS_SLOTS;
		if (compress->slots[slot].position)
			continue;
		compress->slots[slot].position = (uint16_t)position;
		compress->slots[slot].parent = (uint16_t)parent;
		return true;
	}
	return false;
}

/* Remembers the first `count` labels of a name whose other labels stand at `parent`. A label that
 * finds no slot ends it: those before it could not be found without it. */
static void remember_labels(struct dns_compress *compress, const struct writer *message,
	size_t position, const uint8_t *offsets, size_t count, size_t parent)
{
	while (count-- > 0) {
		size_t at = position + offsets[count];
		if (!remember(compress, parent, message->at + at, at))
			return;
		parent = at;
	}
}

/* Where `name` stands within the learned one, as all of it or as a suffix; 0: not there. Most of
 * what is written is the question's name or the zone that it is in, and is found so without a slot.
 */
static size_t find_learned(
	const struct dns_compress *compress, const struct writer *message, struct slice name)
{
	size_t at = compress->learned;
	size_t end = at + compress->learned_len;
	if (!at || name.len > compress->learned_len)
		return 0;
	while (end - at > name.len)
		at += (size_t)message->at[at] + 1;
	return end - at == name.len && at <= POSITION_MAX &&
			dns_name_equals(slice_of(message->at + at, name.len), name)
		? at
		: 0;
}

/* Remembers the labels of the learned name. */
static void fill_slots(struct dns_compress *compress, const struct writer *message)
{
	NOT_CLEARED uint8_t offsets[DNS_NAME_LABELS_MAX];
	size_t at = compress->learned;
	compress->has_slots = true;
	memset(compress->slots, 0, sizeof compress->slots);
	if (!at)
		return;
	struct slice name = slice_of(message->at + at, compress->learned_len);
	remember_labels(compress, message, at, offsets, dns_name_labels(name, offsets), 0);
}

void dns_compress_write(struct dns_compress *compress, struct writer *message, struct slice name)
{
	NOT_CLEARED uint8_t offsets[DNS_NAME_LABELS_MAX];
	size_t learned_at = name.len > 1 ? find_learned(compress, message, name) : 0;
	if (learned_at) {
		writer_u16(message, (uint16_t)(POINTER_BITS | learned_at));
		return;
	}
	if (!compress->has_slots)
		fill_slots(compress, message);
	size_t count = dns_name_labels(name, offsets);
	size_t known = 0;     /* where the longest known suffix stands; 0: only the root is known */
	size_t fresh = count; /* labels before it */
	size_t fresh_len = name.len > 0 ? name.len - 1 : 0;
	while (fresh > 0) {
		size_t found = find(compress, message, known, name.at + offsets[fresh - 1]);
		if (!found)
			break;
		known = found;
		fresh_len = offsets[--fresh];
	}
	size_t position = message->len;
	writer_bytes(message, name.at, fresh_len);
	if (known)
		writer_u16(message, (uint16_t)(POINTER_BITS | known));
	else
		writer_u8(message, 0);
	if (!message->failed)
		remember_labels(compress, message, position, offsets, fresh, known);
}

void dns_compress_learn(
	struct dns_compress *compress, const struct writer *message, size_t position)
{
	if (position > POSITION_MAX || position >= message->len || message->at[position] == 0)
		return;
	compress->learned = (uint16_t)position;
	compress->learned_len =
		(uint8_t)dns_name_check(slice_of(message->at + position, message->len - position));
	compress->has_slots = false;
}

void dns_compress_cut(struct dns_compress *compress, size_t position)
{
	for (unsigned i = 0; i < DNS_COMPRESS_SLOTS && compress->has_slots; i++)
		if (compress->slots[i].position >= position)
			compress->slots[i].position = 0;
	if (compress->learned + compress->learned_len > position)
		compress->learned = 0;
}
