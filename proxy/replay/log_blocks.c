#include "proxy/replay/log_blocks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/error.h"
#include "proxy/replay/log_stream.h"

struct log_blocks {
	char *const *files;
	size_t file_count;
	size_t file; /* the one that is read; file_count: none is left */
	struct log_stream *stream;
	uint64_t next_line;
	uint64_t done_bytes; /* of files before */
	uint64_t total_bytes;
	uint64_t long_lines;
	bool is_too_long; /* within a line that is longer than a block */
	bool has_failed;
	size_t tail_len; /* the beginning of a line, for the next block */
	uint8_t tail[LOG_BLOCK_SIZE];
};

static uint64_t length_of(const char *file)
{
	struct stat status;
	if (strcmp(file, "-") == 0 || stat(file, &status) < 0 || !S_ISREG(status.st_mode))
		return 0;
	return (uint64_t)status.st_size;
}

struct log_blocks *log_blocks_open(char *const *files, size_t file_count)
{
	struct log_blocks *blocks = malloc(sizeof *blocks);
	if (!blocks)
		return NULL;
	memset(blocks, 0, offsetof(struct log_blocks, tail));
	blocks->files = files;
	blocks->file_count = file_count;
	for (size_t i = 0; i < file_count; i++)
		blocks->total_bytes += length_of(files[i]);
	return blocks;
}

void log_blocks_close(struct log_blocks *blocks)
{
	if (!blocks)
		return;
	log_stream_close(blocks->stream);
	free(blocks);
}

static bool fail(struct log_blocks *blocks, long error)
{
	const char *file = blocks->files[blocks->file];
	if (error == ERR_MALFORMED)
		fprintf(stderr,
			"namegate: %s: damaged, or cut off: it cannot be unpacked to its end\n",
			file);
	else
		fprintf(stderr, "namegate: %s: %s\n", file, error_text((int)error));
	blocks->has_failed = true;
	blocks->file = blocks->file_count;
	return false;
}

static bool begin_file(struct log_blocks *blocks)
{
	blocks->stream = log_stream_open(blocks->files[blocks->file]);
	blocks->next_line = 1;
	blocks->tail_len = 0;
	blocks->is_too_long = false;
	return blocks->stream || fail(blocks, errno == ENOMEM ? ERR_NO_MEMORY : -errno);
}

static void end_file(struct log_blocks *blocks)
{
	blocks->done_bytes += log_stream_position(blocks->stream);
	log_stream_close(blocks->stream);
	blocks->stream = NULL;
	blocks->file++;
}

/* Up to a full buffer. False when it failed; *has_ended when the file ended. */
static bool fill(struct log_blocks *blocks, uint8_t *buffer, size_t *len, bool *has_ended)
{
	*has_ended = false;
	while (*len < LOG_BLOCK_SIZE) {
		long got = log_stream_read(blocks->stream, buffer + *len, LOG_BLOCK_SIZE - *len);
		if (got < 0)
			return fail(blocks, got);
		*has_ended = got == 0;
		if (*has_ended)
			return true;
		*len += (size_t)got;
	}
	return true;
}

/* The rest of a line that was too long is dropped from the front. */
static struct slice drop_too_long(struct log_blocks *blocks, struct slice text)
{
	const uint8_t *end =
		blocks->is_too_long && text.len ? memchr(text.at, '\n', text.len) : NULL;
	if (!blocks->is_too_long)
		return text;
	if (!end)
		return slice_of(text.at, 0);
	blocks->is_too_long = false;
	blocks->next_line++;
	size_t dropped = (size_t)(end + 1 - text.at);
	return slice_of(end + 1, text.len - dropped);
}

/* What follows the last line's end is kept for the next block. */
static struct slice keep_tail(struct log_blocks *blocks, struct slice text)
{
	const uint8_t *end = text.len ? memrchr(text.at, '\n', text.len) : NULL;
	size_t whole = end ? (size_t)(end + 1 - text.at) : 0;
	blocks->tail_len = text.len - whole;
	if (blocks->tail_len == LOG_BLOCK_SIZE) {
		blocks->tail_len = 0;
		blocks->is_too_long = true;
		blocks->long_lines++;
	} else if (blocks->tail_len > 0) {
		memcpy(blocks->tail, text.at + whole, blocks->tail_len);
	}
	return slice_of(text.at, whole);
}

static uint64_t count_lines(struct slice text)
{
	uint64_t count = 0;
	struct slice line;
	while (log_blocks_line(&text, &line))
		count++;
	return count;
}

/* One buffer of the file; it may come to nothing. */
static bool next_of_file(struct log_blocks *blocks, uint8_t *buffer, struct log_block *block)
{
	bool has_ended;
	size_t len = blocks->tail_len;
	memcpy(buffer, blocks->tail, len);
	if (!fill(blocks, buffer, &len, &has_ended) && len == blocks->tail_len)
		return false;
	struct slice text = drop_too_long(blocks, slice_of(buffer, len));
	/* Of a file that is cut off the last line is as well. */
	block->text = has_ended && !blocks->has_failed ? text : keep_tail(blocks, text);
	block->line_count = count_lines(block->text);
	block->first_line = blocks->next_line;
	blocks->next_line += block->line_count;
	if (has_ended || blocks->has_failed)
		end_file(blocks);
	return true;
}

bool log_blocks_next(struct log_blocks *blocks, void *buffer, struct log_block *block)
{
	while (blocks->file < blocks->file_count) {
		if (!blocks->stream && !begin_file(blocks))
			return false;
		block->file = blocks->file;
		if (!next_of_file(blocks, buffer, block))
			return false;
		if (block->text.len > 0)
			return true;
	}
	return false;
}

bool log_blocks_have_failed(const struct log_blocks *blocks)
{
	return blocks->has_failed;
}

uint64_t log_blocks_position(const struct log_blocks *blocks)
{
	return blocks->done_bytes + (blocks->stream ? log_stream_position(blocks->stream) : 0);
}

uint64_t log_blocks_length(const struct log_blocks *blocks)
{
	return blocks->total_bytes;
}

uint64_t log_blocks_long_lines(const struct log_blocks *blocks)
{
	return blocks->long_lines;
}

bool log_blocks_line(struct slice *text, struct slice *line)
{
	if (text->len == 0)
		return false;
	const uint8_t *end = memchr(text->at, '\n', text->len);
	size_t len = end ? (size_t)(end - text->at) : text->len;
	size_t step = end ? len + 1 : len;
	*line = slice_of(text->at, len > 0 && text->at[len - 1] == '\r' ? len - 1 : len);
	*text = slice_of(text->at + step, text->len - step);
	return true;
}
