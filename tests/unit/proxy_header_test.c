/* PROXY protocol headers: as the specification has them, byte by byte, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "base/error.h"
#include "proxy/framing/proxy_header.h"

#define BYTES(text) (text), sizeof(text) - 1

struct row {
	const char *bytes;
	size_t len;
	ssize_t result;
	const char *client; /* NULL: none */
	uint16_t port;
};

#define V4   "192.0.2.1 198.51.100.2 56324 443\r\n"
#define LONG "2001:0db8:aaaa:bbbb:cccc:dddd:eeee:ffff"

static const struct row text_rows[] = {
	{ BYTES("PROXY TCP4 " V4), 45, "192.0.2.1", 56324 },
	{ BYTES("PROXY TCP4 " V4 "\0\x1d..."), 45, "192.0.2.1", 56324 },
	{ BYTES("PROXY TCP4 " V4 "PROXY TCP4 " V4), 45, "192.0.2.1", 56324 },
	{ BYTES("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), 56,
		"255.255.255.255", 65535 },
	{ BYTES("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"), 32, "0.0.0.0", 0 },
	{ BYTES("PROXY TCP6 2001:db8::1 ::1 1 2\r\n"), 32, "2001:db8::1", 1 },
	{ BYTES("PROXY TCP6 " LONG " " LONG " 65535 65535\r\n"), 104,
		"2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff", 65535 },
	{ BYTES("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"), 37, "192.0.2.1", 1 },
	{ BYTES("PROXY UNKNOWN\r\n"), 15, NULL, 0 },
	{ BYTES("PROXY UNKNOWN 192.0.2.1 x y z\r\n"), 31, NULL, 0 },
	/* The longest that there is, of 107 bytes, and one byte more. */
	{ BYTES("PROXY UNKNOWN " LONG " " LONG " 65535 65535\r\n"), 107, NULL, 0 },
	{ BYTES("PROXY UNKNOWN " LONG " " LONG " 65535 655350\r\n"), ERR_MALFORMED, NULL, 0 },
	{ BYTES("PROXY UNKNOWN " LONG " " LONG " 65535 6553500"), ERR_MALFORMED, NULL, 0 },
	/* Not quite. */
	{ BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\n"), ERR_MALFORMED, NULL, 0 },
	{ BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\rx"), ERR_MALFORMED, NULL, 0 },
	{ BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443 \r\n"), ERR_MALFORMED, NULL, 0 },
	{ BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443 x\r\n"), ERR_MALFORMED, NULL, 0 },
	{ BYTES("PROXY  TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"), ERR_MALFORMED, NULL, 0 },
	{ BYTES("PROXY TCP4  192.0.2.1 198.51.100.2 56324 443\r\n"), ERR_MALFORMED, NULL, 0 },
	{ BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 56324\r\n"), ERR_MALFORMED, NULL, 0 },
	{ BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 65536 443\r\n"), ERR_MALFORMED, NULL, 0 },
	{ BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 056 443\r\n"), ERR_MALFORMED, NULL, 0 },
	{ BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 -1 443\r\n"), ERR_MALFORMED, NULL, 0 },
	{ BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1 99999\r\n"), ERR_MALFORMED, NULL, 0 },
	{ BYTES("PROXY TCP4 192.0.2.256 198.51.100.2 1 2\r\n"), ERR_MALFORMED, NULL, 0 },
	{ BYTES("PROXY TCP4 192.0.2.1 nobody 1 2\r\n"), ERR_MALFORMED, NULL, 0 },
	{ BYTES("PROXY TCP4 ::1 ::1 1 2\r\n"), ERR_MALFORMED, NULL, 0 },
	{ BYTES("PROXY TCP6 192.0.2.1 192.0.2.1 1 2\r\n"), ERR_MALFORMED, NULL, 0 },
	{ BYTES("PROXY TCP6 [::1] ::1 1 2\r\n"), ERR_MALFORMED, NULL, 0 },
	{ BYTES("PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n"), ERR_MALFORMED, NULL, 0 },
	{ BYTES("PROXY tcp4 192.0.2.1 198.51.100.2 1 2\r\n"), ERR_MALFORMED, NULL, 0 },
	{ BYTES("PROXY UNKNOWNX\r\n"), ERR_MALFORMED, NULL, 0 },
	{ BYTES("PROXY \r\n"), ERR_MALFORMED, NULL, 0 },
	{ BYTES("PROXY TCP4 192.0.2.1\0 198.51.100.2 1 2\r\n"), ERR_MALFORMED, NULL, 0 },
	{ BYTES("PROXY TCP4 \xff"), ERR_MALFORMED, NULL, 0 },
	{ BYTES("proxy TCP4 " V4), ERR_MALFORMED, NULL, 0 },
	{ BYTES(" PROXY TCP4 " V4), ERR_MALFORMED, NULL, 0 },
	/* What comes where a header is owed. */
	{ BYTES("\x16\x03\x01\x02\x00\x01"), ERR_MALFORMED, NULL, 0 },
	{ BYTES("\0\x1d\x12\x34\x01\0"), ERR_MALFORMED, NULL, 0 },
	{ BYTES("PRI * HTTP/2.0\r\n\r\n"), ERR_MALFORMED, NULL, 0 },
	{ BYTES("\r\n\r\n\0\r\nQUIT\r"), ERR_MALFORMED, NULL, 0 },
};

#define SIGN   "\r\n\r\n\0\r\nQUIT\n"
#define ENDS_4 "\xc0\0\2\1\xc6\x33\x64\2\xdc\4\1\xbb"
#define ENDS_6 "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\xdc\4\1\xbb"

static const struct row binary_rows[] = {
	{ BYTES(SIGN "\x21\x11\0\x0c" ENDS_4), 28, "192.0.2.1", 56324 },
	{ BYTES(SIGN "\x21\x11\0\x0c" ENDS_4 "\0\x1d"), 28, "192.0.2.1", 56324 },
	{ BYTES(SIGN "\x21\x12\0\x0c" ENDS_4), 28, "192.0.2.1", 56324 },
	{ BYTES(SIGN "\x21\x21\0\x24" ENDS_6), 52, "2001:db8::1", 56324 },
	{ BYTES(SIGN "\x21\x22\0\x24" ENDS_6), 52, "2001:db8::1", 56324 },
	/* TLVs: of types that we know nothing of, empty ones. */
	{ BYTES(SIGN "\x21\x11\0\x13" ENDS_4 "\x05\0\4abcd"), 35, "192.0.2.1", 56324 },
	{ BYTES(SIGN "\x21\x11\0\x12" ENDS_4 "\x04\0\0\xea\0\0"), 34, "192.0.2.1", 56324 },
	/* The proxy itself: a health check. Whatever else it says. */
	{ BYTES(SIGN "\x20\0\0\0"), 16, NULL, 0 },
	{ BYTES(SIGN "\x20\x11\0\x0c" ENDS_4), 28, NULL, 0 },
	{ BYTES(SIGN "\x20\xff\0\3abc"), 19, NULL, 0 },
	{ BYTES(SIGN "\x21\0\0\0"), 16, NULL, 0 },
	{ BYTES(SIGN "\x21\0\0\3abc"), 19, NULL, 0 },
	/* Not quite. */
	{ BYTES(SIGN "\x11"), ERR_MALFORMED, NULL, 0 },
	{ BYTES(SIGN "\x31\x11\0\x0c" ENDS_4), ERR_MALFORMED, NULL, 0 },
	{ BYTES(SIGN "\x22\x11\0\x0c" ENDS_4), ERR_MALFORMED, NULL, 0 },
	{ BYTES(SIGN "\x2f\x11\0\x0c" ENDS_4), ERR_MALFORMED, NULL, 0 },
	{ BYTES(SIGN "\x21\x10\0\x0c" ENDS_4), ERR_MALFORMED, NULL, 0 },
	{ BYTES(SIGN "\x21\x13\0\x0c" ENDS_4), ERR_MALFORMED, NULL, 0 },
	{ BYTES(SIGN "\x21\x41\0\x0c" ENDS_4), ERR_MALFORMED, NULL, 0 },
	{ BYTES(SIGN "\x21\x01\0\x0c" ENDS_4), ERR_MALFORMED, NULL, 0 },
	{ BYTES(SIGN "\x21\x11\0\x0b" ENDS_4), ERR_MALFORMED, NULL, 0 },
	{ BYTES(SIGN "\x21\x11\0\0" ENDS_4), ERR_MALFORMED, NULL, 0 },
	{ BYTES(SIGN "\x21\x21\0\x0c" ENDS_4), ERR_MALFORMED, NULL, 0 },
	{ BYTES(SIGN "\x21\x31\0\x0c" ENDS_4), ERR_MALFORMED, NULL, 0 },
	{ BYTES(SIGN "\x21\x11\0\x0d" ENDS_4 "\5"), ERR_MALFORMED, NULL, 0 },
	{ BYTES(SIGN "\x21\x11\0\x0f" ENDS_4 "\5\0\1"), ERR_MALFORMED, NULL, 0 },
	{ BYTES(SIGN "\x21\x11\0\x10" ENDS_4 "\5\xff\xff"
		     "a"),
		ERR_MALFORMED, NULL, 0 },
	{ BYTES(SIGN "\x21\x11\0\x12" ENDS_4 "\3\0\3abc"), ERR_MALFORMED, NULL, 0 },
	{ BYTES(SIGN "\x21\x11\0\x13" ENDS_4 "\3\0\4abcd"), ERR_MALFORMED, NULL, 0 },
	/* More than anybody needs is not waited for. */
	{ BYTES(SIGN "\x21\x11\7\xf1"), ERR_TOO_LONG, NULL, 0 },
	{ BYTES(SIGN "\x20\x11\xff\xff"), ERR_TOO_LONG, NULL, 0 },
};

static ssize_t read_copy(const char *at, size_t len, struct proxy_header *header)
{
	char *copy = malloc(len + !len); /* so that a sanitizer sees a read beyond */
	memcpy(copy, at, len);
	ssize_t result = proxy_header_read(slice_of(copy, len), header);
	free(copy);
	return result;
}

static void expect(const struct row *row)
{
	struct proxy_header header;
	ssize_t result = read_copy(row->bytes, row->len, &header);
	if (result != row->result)
		fail_msg("\"%.*s\": %zd instead of %zd", (int)row->len, row->bytes, result,
			row->result);
	if (result <= 0)
		return;
	char client[ADDRESS_TEXT_MAX] = "";
	assert_int_equal(header.has_client, row->client != NULL);
	if (header.has_client)
		address_text(&header.client, client);
	assert_string_equal(client, row->client ? row->client : "");
	assert_int_equal(header.client_port, row->port);
}

/* It comes in pieces: what is the beginning of a header waits for the rest, and once it is none, or
 * whole, more bytes change nothing. */
static void expect_in_pieces(const struct row *row)
{
	struct proxy_header header;
	ssize_t before = 0;
	for (size_t len = 0; len <= row->len; len++) {
		ssize_t result = read_copy(row->bytes, len, &header);
		if (before)
			assert_int_equal(result, before);
		if (row->result > 0)
			assert_int_equal(result, len >= (size_t)row->result ? row->result : 0);
		before = result;
	}
}

static void test_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof text_rows / sizeof *text_rows; i++) {
		expect(&text_rows[i]);
		expect_in_pieces(&text_rows[i]);
	}
}

static void test_binary(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof binary_rows / sizeof *binary_rows; i++) {
		expect(&binary_rows[i]);
		expect_in_pieces(&binary_rows[i]);
	}
}

/* A UNIX socket's paths are 216 bytes, and no address. */
static void test_unix_sockets(void **state)
{
	(void)state;
	char bytes[16 + 216] = SIGN "\x21\x31\0\xd8";
	struct proxy_header header;
	assert_int_equal(read_copy(bytes, sizeof bytes, &header), sizeof bytes);
	assert_false(header.has_client);
}

/* The longest that is taken, and one byte more. */
static void test_length(void **state)
{
	(void)state;
	for (size_t over = 0; over < 2; over++) {
		size_t len = PROXY_HEADER_MAX + over, rest = len - 16, tlv = rest - 12 - 3;
		char *bytes = calloc(1, len);
		memcpy(bytes, SIGN "\x21\x11\0\0" ENDS_4 "\xe0", 29);
		bytes[14] = (char)(rest >> 8);
		bytes[15] = (char)rest;
		bytes[29] = (char)(tlv >> 8);
		bytes[30] = (char)tlv;
		struct proxy_header header;
		assert_int_equal(
			read_copy(bytes, len, &header), over ? ERR_TOO_LONG : (ssize_t)len);
		free(bytes);
	}
}

/* CRC-32C by its table of one entry a byte (RFC 3720 B.4), another way than the reader's. */
static uint32_t crc32c_of(const char *at, size_t len)
{
	uint32_t table[256], crc = UINT32_MAX;
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t entry = i;
		for (unsigned bit = 0; bit < 8; bit++)
			entry = entry & 1 ? 0x82f63b78 ^ entry >> 1 : entry >> 1;
		table[i] = entry;
	}
	for (size_t i = 0; i < len; i++)
		crc = table[(crc ^ (uint8_t)at[i]) & 0xff] ^ crc >> 8;
	return ~crc;
}

static void put_checksum(char *at, uint32_t checksum)
{
	for (unsigned i = 0; i < 4; i++)
		at[i] = (char)(checksum >> (24 - 8 * i));
}

static void test_checksum(void **state)
{
	(void)state;
	/* The value that every implementation of it is tested with. */
	assert_int_equal(crc32c_of("123456789", 9), 0xe3069283);
	/* Between two other TLVs. */
	char bytes[] = SIGN "\x21\x11\0\x18" ENDS_4 "\xe0\0\1x"
			    "\3\0\4\0\0\0\0"
			    "\xe1\0";
	size_t len = sizeof bytes - 1;
	bytes[15] = (char)(len + 1 - 16);
	put_checksum(bytes + 35, crc32c_of(bytes, len + 1));
	struct proxy_header header;
	assert_int_equal(read_copy(bytes, len + 1, &header), len + 1);
	assert_true(header.has_client);
	for (size_t i = 16; i < len + 1; i++) {
		if (i >= 28 && i < 39)
			continue; /* lengths and types, which may make it something else */
		bytes[i] ^= 0x10;
		assert_int_equal(read_copy(bytes, len + 1, &header), ERR_MALFORMED);
		bytes[i] ^= 0x10;
	}
}

/* A header with two of them is none, whatever they say. */
static void test_two_checksums(void **state)
{
	(void)state;
	char bytes[] = SIGN "\x21\x11\0\x1a" ENDS_4 "\3\0\4\0\0\0\0"
			    "\3\0\4\0\0\0\0";
	size_t len = sizeof bytes - 1;
	struct proxy_header header;
	put_checksum(bytes + 31, crc32c_of(bytes, len));
	assert_int_equal(read_copy(bytes, len, &header), ERR_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_binary),
		cmocka_unit_test(test_unix_sockets),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_checksum),
		cmocka_unit_test(test_two_checksums),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
