/* address.h - IP addresses and networks as values.
 * IPv4 is kept as ::ffff:a.b.c.d (RFC 4291 2.5.5.2), so that one comparison serves both families
 * and a v4-mapped client on an IPv6 socket is the same client. */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include "base/writer.h"

#include <sys/socket.h>

struct address {
	uint8_t bytes[16];
};

struct network {
	struct address address; /* host bits are zero */
	uint8_t prefix_len;     /* of the 128; an IPv4 /8 is 104 */
};

enum { ADDRESS_TEXT_MAX = 46 }; /* INET6_ADDRSTRLEN, with the NUL */

bool address_is_v4(const struct address *address);
struct address address_of_v4(const uint8_t bytes[4]);

/* The address of an AF_INET or AF_INET6 socket address; `port` (host order) may be NULL. */
struct address address_of_sockaddr(const struct sockaddr *from, uint16_t *port);

/* A socket address of the family that the address has by itself. Returns its length. */
socklen_t address_to_sockaddr(
	const struct address *address, uint16_t port, struct sockaddr_storage *to);

/* "192.0.2.1" or "2001:db8::1". False when the text is neither. */
bool address_parse(struct address *address, const char *text);

/* Writes the text with a NUL and returns its length. IPv4 has no ::ffff: in front. */
size_t address_text(const struct address *address, char text[ADDRESS_TEXT_MAX]);

/* The same without printf and without a NUL, as the query log needs it (RFC 5952 4 and 5). */
void address_write(struct writer *to, const struct address *address);
void address_write_v4(struct writer *to, const uint8_t bytes[4]);
/* ::ffff:192.0.2.1 is written as such: 16 bytes of an AAAA record are an IPv6 address. */
void address_write_v6(struct writer *to, const uint8_t bytes[16]);

/* "10.0.0.0/8", "2001:db8::/32", or a bare address. False when malformed or when host bits are
 * set: a typing error there would silently mean another network. */
bool network_parse(struct network *network, const char *text);

/* The first address of the network that has so many of the address's 128 bits: what behind them is
 * set goes. */
struct address address_masked(const struct address *address, unsigned bits);

/* One client: an IPv4 address, or the /64 that everybody with IPv6 has as a whole. */
struct address address_of_client(const struct address *address);

/* An IPv4 address is in IPv4 networks only: "::/0" is all of IPv6 and nothing else. */
bool network_contains(const struct network *network, const struct address *address);

/* The first address behind the network; false, and the all-zero one or that of the network, when it
 * reaches to the last of all. */
bool network_behind(const struct network *network, struct address *behind);

/* The same of a handful of them: one after the other. */
bool networks_contain(const struct network *networks, size_t count, const struct address *address);

#endif
