/* process_stats.h - what the kernel knows of this process, read from /proc. */
#ifndef PROXY_WATCH_PROCESS_STATS_H
#define PROXY_WATCH_PROCESS_STATS_H

#include <stdint.h>

/* What could not be read is 0. Zero-initialise it once and read into the same again: the start is
 * found out once, so that a clock that is set does not move it. */
struct process_stats {
	double cpu_s;
	uint64_t resident_bytes;
	uint64_t virtual_bytes;
	uint64_t open_fds;
	uint64_t max_fds;
	double start_time_s; /* since 1970 */
};

void process_stats_read(struct process_stats *stats);

#endif
