/* entry.h - one entry of the cache as it lies in a log, and what time does to it. Pure.
 *
 * Times are seconds of the cache's clock modulo 2^32 and are only compared with each other, so an
 * entry of before the last boot (from a file) may be stored at a "negative" time, and a thread
 * whose clock is a second behind sees an age of 0, not of 136 years. */
#ifndef PROXY_CACHE_ENTRY_H
#define PROXY_CACHE_ENTRY_H

#include "proxy/cache/cache.h"

enum entry_kind {
	ENTRY_DEAD, /* forgotten, or filler: only `size` and `kind` have a meaning */
	ENTRY_ANSWER,
	ENTRY_FAILURE, /* there is no answer; kept for longer than it is given out, to know how
			  often in a row it failed */
};

struct entry {
	uint32_t size; /* bytes in the log, this head included; a multiple of ENTRY_ALIGN */
	uint8_t kind;
	uint8_t frequency; /* S3-FIFO's: hits, at most ENTRY_FREQUENCY_MAX */
	uint8_t flags;     /* of the key */
	uint8_t name_len;
	uint32_t tag;         /* of the hash: place in the index */
	uint16_t fingerprint; /* of the hash: in the ghost table */
	uint8_t hits;         /* since it was put, at most ENTRY_POPULAR */
	uint8_t failures;     /* in a row */
	uint32_t group;
	uint16_t type;
	uint16_t class;
	uint32_t value_len;
	uint32_t stored_s;
	uint32_t expires_s;
	uint32_t retry_s;   /* failed: is not to be asked for again before */
	uint32_t refresh_s; /* a refresh is not asked for again before */
	uint8_t bytes[];    /* name, value */
};

enum {
	ENTRY_ALIGN = 8,
	ENTRY_FREQUENCY_MAX = 3,
	ENTRY_POPULAR = 2, /* hits from which on a refresh pays */
	ENTRY_REFRESH_EVERY_S =
		5, /* a refresh that was asked for and never came is asked for again */
	ENTRY_TTL_MAX_S = 0x3fffffff, /* keeps comparisons modulo 2^32 honest */
};

/* What the cache is told with each call. */
struct entry_clock {
	uint32_t now_s;
	uint32_t stale_s;
	uint32_t refresh_percent;
};

/* `a - b`, also when one of them is a little, or a boot, behind. */
static inline int64_t entry_time_between(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

static inline struct slice entry_name(const struct entry *entry)
{
	return slice_of(entry->bytes, entry->name_len);
}

static inline struct slice entry_value(const struct entry *entry)
{
	return slice_of(entry->bytes + entry->name_len, entry->value_len);
}

/* Bytes that an entry takes in a log. */
static inline size_t entry_size(size_t name_len, size_t value_len)
{
	size_t size = offsetof(struct entry, bytes) + name_len + value_len;
	return (size + ENTRY_ALIGN - 1) & ~(size_t)(ENTRY_ALIGN - 1);
}

/* CACHE_MISS when it is not given out any more. */
enum cache_state entry_state(const struct entry *entry, const struct entry_clock *clock);

/* Nothing in it is worth keeping any more. */
bool entry_is_over(const struct entry *entry, const struct entry_clock *clock);

uint32_t entry_age_s(const struct entry *entry, uint32_t now_s);

/* Is a look-up that found it the one who is to refresh it? Says yes once, then not for a while. */
bool entry_take_refresh(struct entry *entry, const struct entry_clock *clock);

/* The last attempt to renew it failed a moment ago. */
bool entry_is_backing_off(const struct entry *entry, uint32_t now_s);

/* One more failure: sets until when it is not to be asked for. A failure while that holds is of a
 * question that was asked before, and says nothing new. */
void entry_fail(struct entry *entry, uint32_t most_s, uint32_t now_s);

#endif
