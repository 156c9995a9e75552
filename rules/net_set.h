/* net_set.h - which value does an address have? Networks, compiled to disjoint ranges over the
 * 128-bit address space and found by binary search. The longest network wins, then the higher rank,
 * then the lower value. As in network_contains(), "::/0" and the like hold no IPv4 address.
 * Immutable once built. */
#ifndef RULES_NET_SET_H
#define RULES_NET_SET_H

#include "base/address.h"

enum { NET_SET_NONE = 0xffff };

struct net_set_entry {
	struct network network; /* host bits are zero */
	uint16_t value;
	uint16_t rank;
};

struct net_set_range {
	struct address first; /* up to the next range's first */
	uint16_t value;
};

struct net_set {
	struct net_set_range *ranges;
	size_t count;
};

/* 0 or ERR_NO_MEMORY. */
int net_set_build(struct net_set *set, const struct net_set_entry *entries, size_t count);
void net_set_deinit(struct net_set *set);

/* NET_SET_NONE when no network holds the address. */
uint16_t net_set_find(const struct net_set *set, const struct address *address);

/* Bytes of memory that the set holds. */
size_t net_set_memory(const struct net_set *set);

#endif
