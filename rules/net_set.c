#include "rules/net_set.h"

#include "base/error.h"

#include <endian.h>
#include <stdlib.h>

static int compare_addresses(const struct address *a, const struct address *b)
{
	return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

/* Outer networks before the inner ones that begin at the same address; of the same network the one
 * that wins first. */
static int compare_entries(const void *a, const void *b)
{
	const struct net_set_entry *one = a;
	const struct net_set_entry *other = b;
	int order = compare_addresses(&one->network.address, &other->network.address);
	if (order != 0)
		return order;
	if (one->network.prefix_len != other->network.prefix_len)
		return one->network.prefix_len < other->network.prefix_len ? -1 : 1;
	if (one->rank != other->rank)
		return one->rank > other->rank ? -1 : 1;
	return one->value < other->value ? -1 : one->value > other->value;
}

/* From here on it is `value`; what was said before about the same address is void. */
static void set_from(struct net_set *set, const struct address *first, uint16_t value)
{
	if (set->count > 0 && compare_addresses(&set->ranges[set->count - 1].first, first) == 0)
		set->count--;
	if (set->count > 0 && set->ranges[set->count - 1].value == value)
		return;
	set->ranges[set->count++] = (struct net_set_range){ .first = *first, .value = value };
}

/* All of IPv4, without a value: a short IPv6 network around it ends here. Loses to any entry for
 * the same network. */
static const struct net_set_entry all_v4 = {
	.network = { .address = { { [10] = 0xff, [11] = 0xff } }, .prefix_len = 96 },
	.value = NET_SET_NONE,
};

struct nest {
	const struct net_set_entry *around[129]; /* networks that hold each other, by length */
	size_t depth;
};

/* By bits alone: does `outer`, which sorts before it, hold `address`? */
static bool holds(const struct network *outer, const struct address *address)
{
	struct address behind;
	return !network_behind(outer, &behind) || compare_addresses(address, &behind) < 0;
}

/* Leaves the networks that do not hold `address` (all of them when it is NULL). */
static void nest_leave(struct nest *nest, struct net_set *set, const struct address *address)
{
	while (nest->depth > 0) {
		const struct net_set_entry *inner = nest->around[nest->depth - 1];
		if (address && holds(&inner->network, address))
			return;
		nest->depth--;
		struct address behind;
		if (network_behind(&inner->network, &behind))
			set_from(set, &behind,
				nest->depth ? nest->around[nest->depth - 1]->value : NET_SET_NONE);
	}
}

static void sweep(struct net_set *set, const struct net_set_entry *entries, size_t count)
{
	struct nest nest = { .depth = 0 };
	for (size_t i = 0; i < count; i++) {
		const struct network *network = &entries[i].network;
		nest_leave(&nest, set, &network->address);
		const struct net_set_entry *outer = nest.depth ? nest.around[nest.depth - 1] : NULL;
		if (outer && outer->network.prefix_len == network->prefix_len)
			continue; /* the same network, claimed by one that wins */
		nest.around[nest.depth++] = &entries[i];
		set_from(set, &network->address, entries[i].value);
	}
	nest_leave(&nest, set, NULL);
}

int net_set_build(struct net_set *set, const struct net_set_entry *entries, size_t count)
{
	struct net_set built = { .ranges = malloc(2 * (count + 1) * sizeof *built.ranges) };
	struct net_set_entry *sorted = malloc((count + 1) * sizeof *sorted);
	if (!built.ranges || !sorted) {
		free(built.ranges);
		free(sorted);
		return ERR_NO_MEMORY;
	}
	sorted[0] = all_v4;
	if (count > 0)
		memcpy(sorted + 1, entries, count * sizeof *sorted);
	qsort(sorted, count + 1, sizeof *sorted, compare_entries);
	sweep(&built, sorted, count + 1);
	free(sorted);
	/* Networks in each other need fewer ranges; a failure to shrink is none. */
	void *shrunk = realloc(built.ranges, built.count * sizeof *built.ranges);
	built.ranges = shrunk ? shrunk : built.ranges;
	*set = built;
	return 0;
}

void net_set_deinit(struct net_set *set)
{
	free(set->ranges);
	*set = (struct net_set){ 0 };
}

/* What compare_addresses() goes by, without a call of memcmp() for each step of a search. */
static inline unsigned __int128 number_of(const struct address *address)
{
	uint64_t halves[2];
	memcpy(halves, address->bytes, sizeof halves);
	return (unsigned __int128)be64toh(halves[0]) << 64 | be64toh(halves[1]);
}

uint16_t net_set_find(const struct net_set *set, const struct address *address)
{
	unsigned __int128 wanted = number_of(address);
	size_t low = 0;
	size_t high = set->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (number_of(&set->ranges[middle].first) <= wanted)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 ? set->ranges[low - 1].value : NET_SET_NONE;
}

size_t net_set_memory(const struct net_set *set)
{
	return set->count * sizeof *set->ranges;
}
