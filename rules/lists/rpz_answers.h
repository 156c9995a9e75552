/* rpz_answers.h - the local data of a policy zone: records of one owner, which may stand apart in
 * the file, become one answer. They are kept until the file is at its end; what takes no records
 * (NXDOMAIN, a CNAME) is told at once and never comes here. Memory: about 80 bytes a record. */
#ifndef RULES_LISTS_RPZ_ANSWERS_H
#define RULES_LISTS_RPZ_ANSWERS_H

#include "base/arena.h"
#include "dns/name.h"
#include "rules/facet.h"

enum { RPZ_ANSWERS_MAX = 1 << 21 }; /* records of a zone */

struct rpz_answer;

/* All zeros is empty. */
struct rpz_answers {
	struct arena arena;
	struct rpz_answer *records;
	size_t count;
	size_t capacity;
};

/* The owner of records: `kind` is the caller's, and part of the key. */
struct rpz_owner_key {
	uint8_t kind;
	struct slice name;
};

/* Keeps a copy. `line_at` is where the record's line begins, `line` its number. 0, ERR_NO_MEMORY,
 * or ERR_TOO_LONG: there are RPZ_ANSWERS_MAX already. */
int rpz_answers_add(struct rpz_answers *answers, const struct rpz_owner_key *owner, uint32_t line,
	const uint8_t *line_at, uint16_t type, uint32_t ttl_s, struct slice rdata);

struct rpz_answers_sink {
	/* An owner and all of its records, as in a facet; the line of the first one. */
	void (*on_answer)(void *context, const struct rpz_owner_key *owner, uint32_t line,
		struct slice records);
	/* A record for which the answer has no room. */
	void (*on_left_out)(void *context, uint32_t line, const uint8_t *line_at);
	void *context;
};

/* Tells all of it, owner by owner in an order of no meaning, and empties it. Records of one type
 * get the smallest TTL among them (RFC 2181 5.2). */
void rpz_answers_tell(struct rpz_answers *answers, const struct rpz_answers_sink *sink);

/* Empties it. */
void rpz_answers_deinit(struct rpz_answers *answers);

#endif
