/* log_blocks.h - files of a log, one after the other, as blocks of whole lines: so that several
 * threads can read lines at once, each from a block of its own. For the command line; blocks, and
 * tells on standard error which file cannot be read and why. */
#ifndef PROXY_REPLAY_LOG_BLOCKS_H
#define PROXY_REPLAY_LOG_BLOCKS_H

#include "base/slice.h"

enum { LOG_BLOCK_SIZE = 1 << 20 /* bytes; a line is no longer */ };

struct log_block {
	struct slice text;   /* in the caller's buffer; the last line of a file may have no end */
	size_t file;         /* its index */
	uint64_t first_line; /* of that file, from 1 */
	uint64_t line_count;
};

struct log_blocks;

/* `files` stays. NULL when out of memory. */
struct log_blocks *log_blocks_open(char *const *files, size_t file_count);
void log_blocks_close(struct log_blocks *blocks); /* NULL is fine */

/* The next block, in a buffer of LOG_BLOCK_SIZE bytes. False when there are no more: at the end, or
 * because a file cannot be read, which was told. */
bool log_blocks_next(struct log_blocks *blocks, void *buffer, struct log_block *block);
bool log_blocks_have_failed(const struct log_blocks *blocks);

/* Bytes of the files, as they lie there, that were read, and all of them; 0: nobody knows. */
uint64_t log_blocks_position(const struct log_blocks *blocks);
uint64_t log_blocks_length(const struct log_blocks *blocks);
/* Lines that were longer than a block, and left out. */
uint64_t log_blocks_long_lines(const struct log_blocks *blocks);

/* The next line of a block's text, which becomes what is left of it; false when there is none.
 * Without its end (also CR LF). */
bool log_blocks_line(struct slice *text, struct slice *line);

#endif
