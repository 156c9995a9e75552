/* log_stream.h - the bytes of one file of a log, unpacked on the way: plain, gzip, zstd, found out
 * by its first bytes; "-" is standard input. A log may be far larger than memory, so nothing but
 * two buffers is held. For the command line; blocks. */
#ifndef PROXY_REPLAY_LOG_STREAM_H
#define PROXY_REPLAY_LOG_STREAM_H

#include "base/slice.h"

struct log_stream;

/* NULL when it cannot be opened: errno says why. */
struct log_stream *log_stream_open(const char *file);
void log_stream_close(struct log_stream *stream); /* NULL is fine */

/* Up to `size` bytes (not 0) and how many; 0 at the end. Negative: ERR_MALFORMED when it is damaged
 * or ends within a packed stream, ERR_TOO_LONG (a zstd window above 128 MiB), ERR_NO_MEMORY, or
 * what read() said. What came before is good. */
long log_stream_read(struct log_stream *stream, void *to, size_t size);

/* Bytes taken from the file so far, and its length; 0 when it has none (a pipe). */
uint64_t log_stream_position(const struct log_stream *stream);
uint64_t log_stream_length(const struct log_stream *stream);

#endif
