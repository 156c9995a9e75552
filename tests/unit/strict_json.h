/* strict_json.h - is it JSON by RFC 8259, and nothing else? A small judge for what we write, apart
 * from what writes it. Also refuses what we never mean to write: control characters in the clear,
 * bytes that are not UTF-8, a key that comes twice in one object. */
#ifndef TESTS_UNIT_STRICT_JSON_H
#define TESTS_UNIT_STRICT_JSON_H

#include "base/reader.h"

enum { STRICT_JSON_KEYS_MAX = 64, STRICT_JSON_DEPTH_MAX = 8 };

static bool json_value(struct reader *from, unsigned depth);

static uint8_t json_peek(const struct reader *from)
{
	return reader_left(from) ? *from->at : 0;
}

static bool json_is_hex(uint8_t byte)
{
	return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') ||
		(byte >= 'A' && byte <= 'F');
}

static bool json_escape(struct reader *from)
{
	uint8_t kind = reader_u8(from);
	if (kind != 'u')
		return kind && strchr("\"\\/bfnrt", kind);
	for (int i = 0; i < 4; i++)
		if (!json_is_hex(reader_u8(from)))
			return false;
	return true;
}

/* One character beyond ASCII, decoded the long way round: by its value. */
static bool json_utf8(struct reader *from, uint8_t first)
{
	unsigned more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
	uint32_t smallest = more == 3 ? 0x10000 : more == 2 ? 0x800 : 0x80;
	uint32_t value = first & (0x3fu >> more);
	if (first < 0xc0 || first > 0xf7)
		return false;
	for (; more; more--) {
		uint8_t byte = reader_u8(from);
		if ((byte & 0xc0) != 0x80)
			return false;
		value = value << 6 | (byte & 0x3fu);
	}
	return value >= smallest && value <= 0x10ffff && (value < 0xd800 || value > 0xdfff) &&
		value >= 0xa0;
}

static bool json_string(struct reader *from, struct slice *inside)
{
	if (reader_u8(from) != '"')
		return false;
	const uint8_t *start = from->at;
	for (;;) {
		uint8_t byte = reader_u8(from);
		if (from->failed || byte < 0x20 || byte == 0x7f)
			return false;
		if (byte == '"')
			break;
		if (byte == '\\' ? !json_escape(from) : byte >= 0x80 && !json_utf8(from, byte))
			return false;
	}
	*inside = slice_of(start, (size_t)(from->at - start) - 1);
	return true;
}

static bool json_number(struct reader *from)
{
	size_t digits = 0;
	uint8_t first = json_peek(from);
	for (; json_peek(from) >= '0' && json_peek(from) <= '9'; digits++)
		reader_skip(from, 1);
	return digits == 1 || (digits > 1 && first != '0'); /* we write no other numbers */
}

static bool json_word(struct reader *from, const char *word)
{
	return slice_equals_text(reader_bytes(from, strlen(word)), word);
}

static bool json_object(struct reader *from, unsigned depth)
{
	struct slice keys[STRICT_JSON_KEYS_MAX];
	size_t count = 0;
	reader_skip(from, 1);
	if (json_peek(from) == '}')
		return reader_u8(from) == '}';
	for (;;) {
		if (count == STRICT_JSON_KEYS_MAX || !json_string(from, &keys[count]))
			return false;
		for (size_t i = 0; i < count; i++)
			if (slice_equals(keys[i], keys[count]))
				return false;
		count++;
		if (reader_u8(from) != ':' || !json_value(from, depth + 1))
			return false;
		uint8_t next = reader_u8(from);
		if (next != ',')
			return next == '}';
	}
}

static bool json_array(struct reader *from, unsigned depth)
{
	reader_skip(from, 1);
	if (json_peek(from) == ']')
		return reader_u8(from) == ']';
	for (;;) {
		if (!json_value(from, depth + 1))
			return false;
		uint8_t next = reader_u8(from);
		if (next != ',')
			return next == ']';
	}
}

static bool json_value(struct reader *from, unsigned depth)
{
	struct slice ignored;
	if (depth > STRICT_JSON_DEPTH_MAX)
		return false;
	switch (json_peek(from)) {
	case '{': return json_object(from, depth);
	case '[': return json_array(from, depth);
	case '"': return json_string(from, &ignored);
	case 't': return json_word(from, "true");
	case 'f': return json_word(from, "false");
	default: return json_number(from);
	}
}

/* Exactly one value without white space around it. */
static bool json_is_strict(struct slice text)
{
	struct reader from = reader_of(text);
	return json_value(&from, 0) && !from.failed && reader_left(&from) == 0;
}

/* The text of one member of an object that is strict JSON; empty when there is none. */
static inline struct slice json_member(struct slice object, const char *key)
{
	struct reader from = reader_of(object);
	struct slice name;
	reader_skip(&from, 1);
	while (reader_left(&from) > 1) {
		if (!json_string(&from, &name))
			break;
		reader_skip(&from, 1);
		const uint8_t *start = from.at;
		json_value(&from, 1);
		if (slice_equals_text(name, key))
			return slice_of(start, (size_t)(from.at - start));
		reader_skip(&from, 1);
	}
	return slice_of(NULL, 0);
}

#endif
