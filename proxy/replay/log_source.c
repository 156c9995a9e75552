#include "proxy/replay/log_source.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "proxy/replay/log_blocks.h"
#include "proxy/watch/escape.h"

enum { BAD_SHOWN = 3, BAD_TEXT_MAX = 120 };

struct reading {
	const struct log_sink *sink;
	struct log_source_counts *counts;
	char *const *files;
	struct log_line line;
	bool has_enough; /* the sink wants no more */
};

static void show_bad(const char *file, uint64_t number, struct slice line)
{
	char text[4 * BAD_TEXT_MAX];
	struct writer to = writer_of(text, sizeof text - 1);
	escape_text(&to, line, BAD_TEXT_MAX);
	text[to.len] = '\0';
	fprintf(stderr, "namegate: %s:%llu: not a line of a query log: %s\n", file,
		(unsigned long long)number, text);
}

static void read_block(struct reading *reading, const struct log_block *block)
{
	struct slice text = block->text;
	struct slice line;
	for (uint64_t number = block->first_line; log_blocks_line(&text, &line); number++) {
		if (line.len == 0)
			continue;
		reading->counts->lines++;
		if (!log_line_read(&reading->line, line)) {
			if (reading->counts->bad_lines++ < BAD_SHOWN)
				show_bad(reading->files[block->file], number, line);
			continue;
		}
		if (!reading->sink->on_line(reading->sink->context, &reading->line)) {
			reading->has_enough = true;
			return;
		}
	}
}

static bool read_blocks(struct reading *reading, struct log_blocks *blocks, uint8_t *buffer)
{
	struct log_block block;
	const struct log_sink *sink = reading->sink;
	while (!reading->has_enough && log_blocks_next(blocks, buffer, &block)) {
		read_block(reading, &block);
		reading->counts->bytes = log_blocks_position(blocks);
		if (sink->on_progress)
			sink->on_progress(sink->context, reading->counts);
	}
	reading->counts->lines += log_blocks_long_lines(blocks);
	reading->counts->bad_lines += log_blocks_long_lines(blocks);
	return !log_blocks_have_failed(blocks);
}

bool log_source_read(char *const *files, size_t file_count, const struct log_sink *sink,
	struct log_source_counts *counts)
{
	bool fine = false;
	struct reading *reading = malloc(sizeof *reading);
	struct log_blocks *blocks = log_blocks_open(files, file_count);
	uint8_t *buffer = malloc(LOG_BLOCK_SIZE);
	*counts = (struct log_source_counts){ 0 };
	if (reading && blocks && buffer) {
		counts->total_bytes = log_blocks_length(blocks);
		*reading = (struct reading){ .sink = sink, .counts = counts, .files = files };
		fine = read_blocks(reading, blocks, buffer);
	} else {
		fprintf(stderr, "namegate: %s\n", error_text(ERR_NO_MEMORY));
	}
	free(buffer);
	log_blocks_close(blocks);
	free(reading);
	return fine;
}
