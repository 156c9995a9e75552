/* shadow_tally.h - what came of a shadow since it began: how many queries were judged, and each
 * kind of difference with its number and a few names. Every worker has a table of its own and alone
 * writes to it; whoever tells adds the tables up meanwhile. Nothing is allocated, nobody waits: a
 * row is filled first and shown then, its number is an atomic, and examples are only ever added.
 *
 * Bounded: SHADOW_ROWS kinds of differences of each worker; what finds no row is in `others`. */
#ifndef PROXY_SHADOW_SHADOW_TALLY_H
#define PROXY_SHADOW_SHADOW_TALLY_H

#include <stdatomic.h>

#include "dns/name.h"
#include "proxy/watch/intern.h"
#include "proxy/watch/metrics.h"

enum {
	SHADOW_ROWS = 512, /* a power of two; three quarters of them are taken at most */
	SHADOW_EXAMPLES = 3,
	SHADOW_NAMES = 16384, /* of views and rules; further ones share "other" */
};

/* A kind of difference. Names are numbers of shadow_tally.names; 0xffff: none. No padding, so that
 * two can be compared as bytes. */
struct shadow_difference {
	uint16_t view; /* that of the policy in force */
	uint16_t from_by;
	uint16_t to_by;
	uint8_t from; /* enum metrics_outcome */
	uint8_t to;
	uint8_t from_response; /* enum block_response, of a BLOCK; else 0 */
	uint8_t to_response;
};
enum { SHADOW_NO_NAME = 0xffff };

struct shadow_example {
	uint16_t type;
	uint8_t len;
	uint8_t name[DNS_NAME_MAX]; /* wire, as asked */
};

struct shadow_row {
	_Atomic bool is_shown; /* `what` is there */
	struct shadow_difference what;
	_Atomic unsigned example_count; /* so many are there */
	_Atomic uint64_t count;
	struct shadow_example examples[SHADOW_EXAMPLES];
};

struct shadow_table {
	_Atomic uint64_t judged;
	_Atomic uint64_t differing;
	_Atomic uint64_t unknown;   /* of these: blocked now, so nobody knows the answer */
	_Atomic uint64_t elsewhere; /* the same outcome, by another rule */
	_Atomic uint64_t others;    /* differences without a row */
	unsigned used;
	struct shadow_row rows[SHADOW_ROWS];
};

struct shadow_tally {
	_Atomic unsigned references;
	int64_t since_s;     /* seconds since 1970 */
	uint64_t salt;       /* which clients are in the share */
	struct intern names; /* "lan", "baseline/no-malware", "default action" */
	unsigned worker_count;
	struct shadow_table **tables; /* one for each worker */
};

/* NULL when out of memory. */
struct shadow_tally *shadow_tally_new(unsigned worker_count, int64_t now_s);
struct shadow_tally *shadow_tally_ref(struct shadow_tally *tally);
void shadow_tally_unref(struct shadow_tally *tally); /* NULL is fine */

/* ---- by the worker whose table it is ---- */

enum shadow_step { SHADOW_JUDGED, SHADOW_ELSEWHERE, SHADOW_UNKNOWN };
void shadow_table_count(struct shadow_table *table, enum shadow_step step);
/* A difference, met with this name (wire) and type. */
void shadow_table_add(struct shadow_table *table, const struct shadow_difference *what,
	struct slice name, uint16_t type);

/* ---- by whoever tells ---- */

/* All tables as one; the rows with the largest numbers first, and how many of them there are. NULL
 * when out of memory; free() it. */
struct shadow_sum {
	uint64_t judged, differing, unknown, elsewhere, others;
	size_t row_count;
	struct shadow_row rows[]; /* `is_shown` means nothing here */
};
struct shadow_sum *shadow_tally_sum(struct shadow_tally *tally);

#endif
