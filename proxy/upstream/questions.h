/* questions.h - the questions in flight to one DoT or DoH upstream: slots that are used again, and
 * the numbers by which a link knows them. Where a question stands (it waits, is on a link, is
 * done) is secure.c's matter. */
#ifndef PROXY_UPSTREAM_QUESTIONS_H
#define PROXY_UPSTREAM_QUESTIONS_H

#include "base/list.h"
#include "base/random.h"
#include "dns/request.h"
#include "proxy/upstream/exchange.h"
#include "proxy/upstream/upstream.h"

struct link;

enum { QUESTIONS_BUCKETS = 1024 /* power of two */ };

/* One question, in a slot; all but `next_by_number` and `number` is the owner's. */
struct question {
	struct list age; /* secure->fresh, then secure->quiet, by start; free ones: questions->free
			  */
	struct list place; /* link->questions, secure->waiting or secure->done */
	struct link *link; /* NULL: it waits, or is done */
	struct question *next_by_number;
	uint64_t owner;
	uint64_t started_ns;
	uint64_t started_ms;
	uint64_t put_ms;               /* on its link */
	uint64_t put_ns;               /* the same, finer */
	uint64_t after;                /* goes on links with a higher serial only */
	enum exchange_outcome outcome; /* when done */
	uint16_t number;
	uint16_t wire_len;
	uint8_t deaths; /* links that ended under it */
	uint8_t wire[DNS_REQUEST_PADDED_MAX];
};

struct questions {
	struct question *slots; /* UPSTREAM_IN_FLIGHT of them */
	unsigned touched;       /* those beyond were never used, so they cost no memory */
	unsigned in_flight;
	struct list free;
	struct question *by_number[QUESTIONS_BUCKETS];
};

/* False when out of memory. */
bool questions_init(struct questions *questions);
void questions_deinit(struct questions *questions);

/* Everything but `wire` is zero, and it is in no list. NULL when all slots are taken. */
struct question *questions_take(struct questions *questions);

/* Takes it out of its lists; it has no number any more. */
void questions_free(struct questions *questions, struct question *question);

/* A random number, unique among those in flight to this upstream. */
void questions_take_number(
	struct questions *questions, struct question *question, struct random_pool *random);
void questions_give_number_back(struct questions *questions, struct question *question);

/* NULL when none has this number. */
struct question *questions_find(const struct questions *questions, uint32_t number);

#endif
