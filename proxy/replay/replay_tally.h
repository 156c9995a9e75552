/* replay_tally.h - how often each of many texts came, and where first. Bounded: a text that finds
 * no room is counted among the others. One for each thread; merged at the end. */
#ifndef PROXY_REPLAY_REPLAY_TALLY_H
#define PROXY_REPLAY_REPLAY_TALLY_H

#include "base/slice.h"

enum {
	TALLY_ROWS_MAX = 65536,
	TALLY_TEXT_MAX = 8 << 20, /* bytes of all texts */
	TALLY_NONE = 0xffffffff,
};

/* A line of a log. */
struct tally_place {
	uint32_t file;
	uint64_t line;
};
bool tally_place_is_before(const struct tally_place *a, const struct tally_place *b);

struct tally_row {
	struct slice key; /* until the next addition */
	uint64_t count;
	struct tally_place first;
	struct slice name; /* told with the first */
};

struct tally;

/* NULL when out of memory. `rows_max` is at most TALLY_ROWS_MAX. */
struct tally *tally_new(uint32_t rows_max);
void tally_free(struct tally *tally); /* NULL is fine */

/* Counts `count` more; returns the number of the row, or TALLY_NONE: among the others. */
uint32_t tally_add(struct tally *tally, struct slice key, uint64_t count,
	const struct tally_place *place, struct slice name);

uint32_t tally_row_count(const struct tally *tally);
struct tally_row tally_row(const struct tally *tally, uint32_t row);
uint64_t tally_others(const struct tally *tally);

/* All of `from` as well. */
void tally_merge(struct tally *into, const struct tally *from);

/* The numbers of at most `most` rows, the most frequent first, then by key. Returns how many. */
size_t tally_top(const struct tally *tally, uint32_t *rows, size_t most);

#endif
