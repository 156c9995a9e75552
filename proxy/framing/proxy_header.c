#include "proxy/framing/proxy_header.h"

#include "base/error.h"
#include "base/reader.h"

static bool is_start_of(struct slice bytes, const char *whole, size_t whole_len)
{
	size_t len = bytes.len < whole_len ? bytes.len : whole_len;
	return len == 0 || memcmp(bytes.at, whole, len) == 0;
}

/* ---- version 1: a line of text (2.1) ---- */

static const char text_start[] = "PROXY ";

static struct slice take_word(struct slice *line)
{
	const uint8_t *blank = line->len ? memchr(line->at, ' ', line->len) : NULL;
	size_t len = blank ? (size_t)(blank - line->at) : line->len;
	struct slice word = slice_of(line->at, len);
	len += blank != NULL;
	*line = slice_of(line->at + len, line->len - len);
	return word;
}

/* `mark` is what tells the families apart. */
static bool read_address(struct slice word, char mark, struct address *address)
{
	char text[ADDRESS_TEXT_MAX];
	if (word.len == 0 || word.len >= sizeof text || !memchr(word.at, mark, word.len))
		return false;
	memcpy(text, word.at, word.len);
	text[word.len] = '\0';
	return address_parse(address, text);
}

static bool read_port(struct slice word, uint16_t *port)
{
	uint32_t number = 0;
	if (word.len == 0 || word.len > 5 || (word.len > 1 && word.at[0] == '0'))
		return false;
	for (size_t i = 0; i < word.len; i++) {
		if (word.at[i] < '0' || word.at[i] > '9')
			return false;
		number = number * 10 + word.at[i] - '0';
	}
	*port = (uint16_t)number;
	return number <= UINT16_MAX;
}

/* "TCP4 192.0.2.1 192.0.2.2 56324 443": source, destination, their ports. */
static bool read_line(struct slice line, struct proxy_header *header)
{
	struct address destination;
	uint16_t destination_port;
	struct slice family = take_word(&line);
	if (slice_equals_text(family, "UNKNOWN"))
		return true; /* whatever else it says */
	bool is_v4 = slice_equals_text(family, "TCP4");
	if (!is_v4 && !slice_equals_text(family, "TCP6"))
		return false;
	if (line.len == 0 || line.at[line.len - 1] == ' ')
		return false;
	char mark = is_v4 ? '.' : ':';
	header->has_client = true;
	return read_address(take_word(&line), mark, &header->client) &&
		read_address(take_word(&line), mark, &destination) &&
		read_port(take_word(&line), &header->client_port) &&
		read_port(take_word(&line), &destination_port) && line.len == 0;
}

static bool is_line(struct slice line)
{
	for (size_t i = 0; i < line.len; i++)
		if (line.at[i] < ' ' || line.at[i] > '~')
			return false;
	return true;
}

/* `bytes` begin with text_start. */
static ssize_t read_text(struct slice bytes, struct proxy_header *header)
{
	size_t start = sizeof text_start - 1;
	size_t len = bytes.len < PROXY_HEADER_TEXT_MAX ? bytes.len : PROXY_HEADER_TEXT_MAX;
	const uint8_t *at = bytes.at + start;
	const uint8_t *end = memchr(at, '\r', len - start);
	struct slice line = slice_of(at, end ? (size_t)(end - at) : len - start);
	bool is_whole = end && start + line.len + 1 < len;
	if (!is_line(line) || (is_whole && end[1] != '\n'))
		return ERR_MALFORMED;
	if (!is_whole)
		return len == PROXY_HEADER_TEXT_MAX ? ERR_MALFORMED : 0;
	return read_line(line, header) ? (ssize_t)(start + line.len + 2) : ERR_MALFORMED;
}

/* ---- version 2: binary (2.2) ---- */

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";

enum {
	SIGNATURE_LEN = sizeof signature - 1,
	FIXED_LEN = SIGNATURE_LEN + 4,
	TLV_CRC32C = 3,
	UNIX_PATHS_LEN = 216,
};

enum command { COMMAND_LOCAL = 0x20, COMMAND_PROXY = 0x21 };

/* RFC 3720 B.4, bit by bit: a header is short, and a connection has one. */
static uint32_t crc32c(uint32_t crc, struct slice bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		crc ^= bytes.at[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return crc;
}

/* Over the whole header, with zeros in the place of the checksum at `hole`. */
static bool checksum_is_right(struct slice whole, size_t hole, uint32_t checksum)
{
	static const uint8_t zeros[4];
	uint32_t crc = crc32c(UINT32_MAX, slice_of(whole.at, hole));
	crc = crc32c(crc, slice_of(zeros, sizeof zeros));
	hole += sizeof zeros;
	return ~crc32c(crc, slice_of(whole.at + hole, whole.len - hole)) == checksum;
}

/* What is left of the header. A second checksum would have to be of a header without the first. */
static bool read_tlvs(struct reader *r, struct slice whole)
{
	unsigned checksums = 0;
	while (reader_left(r)) {
		uint8_t type = reader_u8(r);
		struct reader value = reader_of(reader_bytes(r, reader_u16(r)));
		if (type != TLV_CRC32C || r->failed)
			continue;
		size_t hole = (size_t)(value.at - whole.at);
		if (reader_left(&value) != 4 || ++checksums > 1 ||
			!checksum_is_right(whole, hole, reader_u32(&value)))
			return false;
	}
	return !r->failed;
}

static bool take_v4(struct reader *r, struct proxy_header *header)
{
	struct slice client = reader_bytes(r, 4);
	reader_skip(r, 4);
	header->client_port = reader_u16(r);
	reader_skip(r, 2);
	if (!r->failed)
		header->client = address_of_v4(client.at);
	return header->has_client = true;
}

static bool take_v6(struct reader *r, struct proxy_header *header)
{
	struct slice client = reader_bytes(r, sizeof header->client.bytes);
	reader_skip(r, sizeof header->client.bytes);
	header->client_port = reader_u16(r);
	reader_skip(r, 2);
	if (!r->failed)
		memcpy(header->client.bytes, client.at, client.len);
	return header->has_client = true;
}

/* Whether the client came by TCP or UDP does not matter; what is neither is not in the protocol. */
static bool take_addresses(struct reader *r, uint8_t family, struct proxy_header *header)
{
	switch (family) {
	case 0x00: return true; /* UNSPEC */
	case 0x11:
	case 0x12: return take_v4(r, header);
	case 0x21:
	case 0x22: return take_v6(r, header);
	case 0x31:
	case 0x32: reader_skip(r, UNIX_PATHS_LEN); return true;
	default: return false;
	}
}

/* With UNSPEC, and with LOCAL whatever it says, what follows is nobody's address and is skipped. */
static ssize_t read_binary(struct slice bytes, struct proxy_header *header)
{
	struct reader r = reader_of(bytes);
	reader_skip(&r, SIGNATURE_LEN);
	uint8_t command = reader_u8(&r);
	uint8_t family = reader_u8(&r);
	size_t len = FIXED_LEN + (size_t)reader_u16(&r);
	if (bytes.len > SIGNATURE_LEN && command != COMMAND_LOCAL && command != COMMAND_PROXY)
		return ERR_MALFORMED;
	if (r.failed)
		return 0;
	if (len > PROXY_HEADER_MAX)
		return ERR_TOO_LONG;
	if (bytes.len < len)
		return 0;
	struct slice whole = slice_of(bytes.at, len);
	r = reader_of(whole);
	reader_skip(&r, FIXED_LEN);
	if (command == COMMAND_LOCAL)
		return (ssize_t)len;
	if (!take_addresses(&r, family, header) || (family && !read_tlvs(&r, whole)))
		return ERR_MALFORMED;
	return (ssize_t)len;
}

ssize_t proxy_header_read(struct slice bytes, struct proxy_header *header)
{
	*header = (struct proxy_header){ .has_client = false };
	if (bytes.len == 0)
		return 0;
	if (is_start_of(bytes, signature, SIGNATURE_LEN))
		return bytes.len < SIGNATURE_LEN ? 0 : read_binary(bytes, header);
	if (!is_start_of(bytes, text_start, sizeof text_start - 1))
		return ERR_MALFORMED;
	return bytes.len < sizeof text_start - 1 ? 0 : read_text(bytes, header);
}
