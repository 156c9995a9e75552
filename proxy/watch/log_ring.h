/* log_ring.h - a ring of bytes between one writer and one reader, without locks.
 * The writer formats a line straight into reserved room and commits it; the reader sees committed
 * bytes only. Half of the ring is kept for important lines (design, decision 11). */
#ifndef PROXY_WATCH_LOG_RING_H
#define PROXY_WATCH_LOG_RING_H

#include <stdatomic.h>

#include "base/writer.h"

enum {
	LOG_LINE_MAX = 16 * 1024,        /* bytes of one line */
	LOG_RING_MIN = 8 * LOG_LINE_MAX, /* so that either half takes a few of the longest lines */
};

/* Each side has a cache line of its own. Positions count bytes since birth and never wrap. */
struct log_ring {
	uint8_t *at;   /* `size` bytes, and LOG_LINE_MAX more that only the writer touches */
	uint64_t size; /* a power of two */
	_Alignas(64) _Atomic uint64_t head; /* written by the writer: committed up to here */
	uint64_t tail_seen;                 /* the writer's last look at `tail` */
	_Alignas(64) _Atomic uint64_t tail; /* written by the reader: released up to here */
};

/* At least `size` bytes. 0 or ERR_NO_MEMORY. */
int log_ring_init(struct log_ring *ring, size_t size);
void log_ring_deinit(struct log_ring *ring);

/* Writer: room for one line of up to LOG_LINE_MAX bytes; false when the ring is full for a line of
 * this kind. Reserving again without a commit gives the same room. */
bool log_ring_reserve(struct log_ring *ring, bool important, struct writer *line);

/* Writer: publishes what was written; returns how many bytes now wait: less than a quarter of the
 * ring by the writer's last look at the reader, exactly from there on. */
uint64_t log_ring_commit(struct log_ring *ring, const struct writer *line);

/* Reader: what is committed and not released, in one or two pieces (the second may be empty). */
void log_ring_peek(struct log_ring *ring, struct slice pieces[2]);
void log_ring_release(struct log_ring *ring, size_t len);

/* Bytes committed and not released; from any thread. */
uint64_t log_ring_waiting(const struct log_ring *ring);

#endif
