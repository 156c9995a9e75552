#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

enum { V6_CLIENT_BITS = 64 };

static const uint8_t v4_prefix[12] = { [10] = 0xff, [11] = 0xff };

bool address_is_v4(const struct address *address)
{
	return memcmp(address->bytes, v4_prefix, sizeof v4_prefix) == 0;
}

struct address address_of_v4(const uint8_t bytes[4])
{
	struct address address;
	memcpy(address.bytes, v4_prefix, sizeof v4_prefix);
	memcpy(address.bytes + sizeof v4_prefix, bytes, 4);
	return address;
}

struct address address_of_sockaddr(const struct sockaddr *from, uint16_t *port)
{
	if (from->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, from, sizeof in);
		if (port)
			*port = ntohs(in.sin_port);
		return address_of_v4((const uint8_t *)&in.sin_addr);
	}
	struct sockaddr_in6 in6;
	memcpy(&in6, from, sizeof in6);
	struct address address;
	memcpy(address.bytes, &in6.sin6_addr, sizeof address.bytes);
	if (port)
		*port = ntohs(in6.sin6_port);
	return address;
}

socklen_t address_to_sockaddr(
	const struct address *address, uint16_t port, struct sockaddr_storage *to)
{
	memset(to, 0, sizeof *to);
	if (address_is_v4(address)) {
		struct sockaddr_in *in = (struct sockaddr_in *)to;
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, address->bytes + sizeof v4_prefix, 4);
		return sizeof *in;
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)to;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, address->bytes, sizeof address->bytes);
	return sizeof *in6;
}

bool address_parse(struct address *address, const char *text)
{
	uint8_t v4[4];
	if (inet_pton(AF_INET, text, v4) == 1) {
		*address = address_of_v4(v4);
		return true;
	}
	return inet_pton(AF_INET6, text, address->bytes) == 1;
}

/* Digit by digit: each line of a query log has two of them (120 instructions less an address). */
void address_write_v4(struct writer *to, const uint8_t bytes[4])
{
	uint8_t text[sizeof "255.255.255.255."];
	size_t len = 0;
	for (size_t i = 0; i < 4; i++) {
		unsigned byte = bytes[i];
		if (byte >= 100)
			text[len++] = (uint8_t)('0' + byte / 100);
		if (byte >= 10)
			text[len++] = (uint8_t)('0' + byte / 10 % 10);
		text[len++] = (uint8_t)('0' + byte % 10);
		text[len++] = '.';
	}
	writer_bytes(to, text, len - 1);
}

static void write_hex(struct writer *to, unsigned group)
{
	bool begun = false;
	for (unsigned shift = 16; shift > 0;) {
		shift -= 4;
		begun |= shift == 0 || group >> shift > 0;
		if (begun)
			writer_u8(to, (uint8_t) "0123456789abcdef"[group >> shift & 0xf]);
	}
}

/* The first of the longest rows of zero groups; one group alone is no row (RFC 5952 4.2). */
static size_t find_zeros(const unsigned groups[8], size_t *count)
{
	size_t best = 8;
	*count = 1;
	for (size_t start = 0; start < 8; start++) {
		size_t end = start;
		while (end < 8 && groups[end] == 0)
			end++;
		if (end - start > *count) {
			*count = end - start;
			best = start;
		}
	}
	return best;
}

void address_write_v6(struct writer *to, const uint8_t bytes[16])
{
	unsigned groups[8];
	size_t count;
	for (size_t i = 0; i < 8; i++)
		groups[i] = (unsigned)(bytes[2 * i] << 8 | bytes[2 * i + 1]);
	size_t zeros = find_zeros(groups, &count);
	/* ::192.0.2.1 and ::ffff:192.0.2.1, as inet_ntop() writes them (RFC 5952 5). */
	bool ends_in_v4 = zeros == 0 && (count == 6 || (count == 5 && groups[5] == 0xffff));
	for (size_t i = 0; i < (ends_in_v4 ? 6u : 8u); i++) {
		if (i == zeros) {
			writer_text(to, "::");
			i += count - 1;
			continue;
		}
		if (i > 0 && i != zeros + count)
			writer_u8(to, ':');
		write_hex(to, groups[i]);
	}
	if (!ends_in_v4)
		return;
	if (count == 5)
		writer_u8(to, ':');
	address_write_v4(to, bytes + 12);
}

void address_write(struct writer *to, const struct address *address)
{
	if (address_is_v4(address))
		address_write_v4(to, address->bytes + sizeof v4_prefix);
	else
		address_write_v6(to, address->bytes);
}

size_t address_text(const struct address *address, char text[ADDRESS_TEXT_MAX])
{
	struct writer to = writer_of(text, ADDRESS_TEXT_MAX - 1);
	address_write(&to, address);
	text[to.len] = '\0';
	return to.len;
}

static bool parse_prefix(const char *text, unsigned most, unsigned *prefix_len)
{
	if (*text < '0' || *text > '9' || strlen(text) > 3)
		return false;
	char *end;
	unsigned long value = strtoul(text, &end, 10);
	if (*end || value > most)
		return false;
	*prefix_len = (unsigned)value;
	return true;
}

bool network_parse(struct network *network, const char *text)
{
	char host[ADDRESS_TEXT_MAX];
	const char *slash = strchr(text, '/');
	size_t host_len = slash ? (size_t)(slash - text) : strlen(text);
	if (host_len >= sizeof host)
		return false;
	memcpy(host, text, host_len);
	host[host_len] = '\0';
	if (!address_parse(&network->address, host))
		return false;
	bool v4 = strchr(host, ':') == NULL;
	unsigned prefix_len = v4 ? 32 : 128;
	if (slash && !parse_prefix(slash + 1, prefix_len, &prefix_len))
		return false;
	network->prefix_len = (uint8_t)(v4 ? prefix_len + 96 : prefix_len);
	for (unsigned bit = network->prefix_len; bit < 128; bit++)
		if (network->address.bytes[bit / 8] & (0x80 >> bit % 8))
			return false;
	return true;
}

bool network_contains(const struct network *network, const struct address *address)
{
	unsigned whole = network->prefix_len / 8;
	unsigned rest = network->prefix_len % 8;
	if (memcmp(network->address.bytes, address->bytes, whole) != 0)
		return false;
	/* A short IPv6 prefix such as ::/0 would cover ::ffff:0:0/96, and so all IPv4 clients. */
	if (whole < sizeof v4_prefix && address_is_v4(address))
		return false;
	if (rest == 0)
		return true;
	uint8_t mask = (uint8_t)(0xff << (8 - rest));
	return ((network->address.bytes[whole] ^ address->bytes[whole]) & mask) == 0;
}

struct address address_masked(const struct address *address, unsigned bits)
{
	struct address masked = *address;
	for (unsigned i = 0; i < sizeof masked.bytes; i++) {
		unsigned kept = bits > 8 * i ? bits - 8 * i : 0;
		if (kept < 8)
			masked.bytes[i] &= (uint8_t)(0xff00u >> kept);
	}
	return masked;
}

struct address address_of_client(const struct address *address)
{
	return address_is_v4(address) ? *address : address_masked(address, V6_CLIENT_BITS);
}

bool network_behind(const struct network *network, struct address *behind)
{
	*behind = network->address;
	if (network->prefix_len == 0)
		return false;
	unsigned at = (network->prefix_len - 1u) / 8;
	unsigned step = 1u << (7 - (network->prefix_len - 1u) % 8);
	for (;; step = 1, at--) {
		unsigned sum = behind->bytes[at] + step;
		behind->bytes[at] = (uint8_t)sum;
		if (sum < 256)
			return true;
		if (at == 0)
			return false;
	}
}

bool networks_contain(const struct network *networks, size_t count, const struct address *address)
{
	for (size_t i = 0; i < count; i++)
		if (network_contains(&networks[i], address))
			return true;
	return false;
}
