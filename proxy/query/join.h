/* join.h - identical questions in flight are asked once (RFC 5452 5: a birthday attack needs many
 * open questions for one name). A fixed table of asks; each knows who waits for it. */
#ifndef PROXY_QUERY_JOIN_H
#define PROXY_QUERY_JOIN_H

#include "base/list.h"
#include "dns/request.h"

enum join_flag { JOIN_RD = 1, JOIN_CD = 2, JOIN_DO = 4, JOIN_AD = 8 };

/* What makes two questions the same: the request with its name in lower case, and whom it goes to.
 */
struct join_key {
	struct dns_name name;
	uint16_t type;
	uint16_t class;
	uint8_t flags;  /* enum join_flag */
	uint32_t group; /* identity of the upstream group */
};

struct join_ask {
	struct join_key key;
	uint32_t generation;
	struct list waiting;   /* of those who wait; what they are is the caller's business */
	struct join_ask *next; /* in its bucket, or in the free list */
	bool used;
};

struct join_table;

struct join_table *join_table_new(size_t capacity);
void join_table_free(struct join_table *table);

struct join_key join_key_of(const struct dns_request *request, uint32_t group);

/* The ask for this key: one that is in flight (*fresh false), or a new one that must now be asked
 * (*fresh true). NULL when the table is full. */
struct join_ask *join_find_or_add(
	struct join_table *table, const struct join_key *key, bool *fresh);

/* A number for an ask that finds it again, and nothing else after it has ended. */
uint64_t join_ask_number(const struct join_table *table, const struct join_ask *ask);
struct join_ask *join_find_number(const struct join_table *table, uint64_t number);

/* Takes the ask out of the table; `waiting` must have been emptied by the caller before. */
void join_end(struct join_table *table, struct join_ask *ask);

#endif
