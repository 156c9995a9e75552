/* log_source.h - files of a recorded query log, line by line: plain, gzip or zstd, "-" for standard
 * input. For the command line; blocks. */
#ifndef PROXY_REPLAY_LOG_SOURCE_H
#define PROXY_REPLAY_LOG_SOURCE_H

#include "proxy/replay/log_line.h"

struct log_source_counts {
	uint64_t lines; /* that were read */
	uint64_t bytes; /* of the files, as they lie there */
	uint64_t total_bytes;
	uint64_t bad_lines;
};

struct log_sink {
	/* One good line; false ends the reading. */
	bool (*on_line)(void *context, const struct log_line *line);
	/* Now and then, for a progress line; may be NULL. */
	void (*on_progress)(void *context, const struct log_source_counts *counts);
	void *context;
};

/* Reads all files. False when one cannot be read, after a message on standard error. */
bool log_source_read(char *const *files, size_t file_count, const struct log_sink *sink,
	struct log_source_counts *counts);

#endif
