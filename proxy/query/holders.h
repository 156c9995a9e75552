/* holders.h - how many places each client holds in the table of queries that wait: all its
 * connections, and datagrams with a cookie of ours, together. Datagrams without one may be
 * anybody's and are counted apart, or who forges them would take the places of whoever he says he
 * is. A client is an IPv4 address, or an IPv6 /64, as anybody has as many addresses in it as he
 * likes. One table per worker, of fixed size. */
#ifndef PROXY_QUERY_HOLDERS_H
#define PROXY_QUERY_HOLDERS_H

#include "base/address.h"

struct holders;

#define HOLDERS_NONE UINT32_MAX

/* For `capacity` places, which are never more than that many clients. NULL when out of memory. */
struct holders *holders_new(size_t capacity);
void holders_free(struct holders *holders);

/* Takes one more place for a client; who it was is to be given back. HOLDERS_NONE when the client
 * has `most` already, or all places are held. */
uint32_t holders_take(
	struct holders *holders, const struct address *client, bool is_proven, size_t most);
void holders_give(struct holders *holders, uint32_t holder);

/* How many places there are for a query. The last eighth is for those who are certainly there: who
 * forges addresses has as many as he likes. */
size_t holders_left(size_t capacity, size_t waiting, bool is_proven);

/* How many one client may hold: as configured, and three times what is left. So nobody takes all,
 * those who hold most are refused first, and whoever holds nothing finds a place as long as there
 * is one ("dynamic thresholds", Choudhury and Hahne 1998, with alpha = 3). */
size_t holders_share(size_t configured, size_t left);

#endif
