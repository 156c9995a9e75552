/* log_sink.h - where finished lines go: a file, a FIFO, standard output. Never waits: what cannot
 * be written now gives -EAGAIN, whatever the sink is. Used by the log's own thread alone. SIGPIPE
 * must be ignored by the program. */
#ifndef PROXY_WATCH_LOG_SINK_H
#define PROXY_WATCH_LOG_SINK_H

#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/slice.h"

enum log_sink_kind { LOG_SINK_FILE, LOG_SINK_PIPE, LOG_SINK_SOCKET };

struct log_sink {
	const char *file; /* borrowed; "-" is standard output */
	int fd;           /* -1: not open */
	enum log_sink_kind kind;
	size_t chunk_max; /* most bytes to write at once, of whole lines */
	dev_t device;     /* with inode: which file this is */
	ino_t inode;
	bool wants_newline; /* it ends within a line: that line is ended before the next one */
};

void log_sink_init(struct log_sink *sink, const char *file);

/* Opens, or opens again by name; the old descriptor stays in use when that fails. *is_same says
 * that it is the very file that was open before, so that a line begun there can be finished.
 * 0 or -errno; -ENXIO is a FIFO without a reader. */
int log_sink_open(struct log_sink *sink, bool *is_same);
void log_sink_close(struct log_sink *sink);

/* Bytes written, perhaps fewer than given; or -errno. */
ssize_t log_sink_write(struct log_sink *sink, const struct iovec *pieces, int count);

/* The last `len` bytes were the beginning of a line that cannot be finished: takes them back out of
 * a regular file, or sees to it that the next line begins on a line of its own. */
void log_sink_take_back(struct log_sink *sink, size_t len);

#endif
