/* source.h - the text of a configuration: its file and all @include files in one piece, with a map
 * back to file and line. Looks at bytes only: what is neither comment nor string nor @include is
 * for syntax.c. We include by ourselves, as libconfig opens whatever path it is given. */
#ifndef PROXY_CONFIG_SOURCE_H
#define PROXY_CONFIG_SOURCE_H

#include "proxy/config.h"

enum {
	SOURCE_BYTES_MAX = 16 * 1024 * 1024, /* all files together */
	SOURCE_FILES_MAX = 256,
	SOURCE_DEPTH_MAX = 8, /* files that include files */
};

/* From `first_line` of the whole text on, lines are those of `file` from `line` on. */
struct source_segment {
	unsigned first_line;
	const char *file;
	unsigned line;
};

/* A file that was read. */
struct source_file_read {
	const char *path; /* relative to the directory of the configuration */
	uint64_t hash[2]; /* of its bytes */
};

struct source {
	char *text; /* NUL-terminated; malloc'd */
	size_t len;
	size_t capacity;
	unsigned line; /* of the whole text, while it is being put together */
	unsigned file_count;
	struct source_segment segments[2 * SOURCE_FILES_MAX + 1];
	size_t segment_count;
	struct source_file_read files[SOURCE_FILES_MAX];
	const char *directory; /* @include may name what is in here and below; NULL: nothing */
	struct arena *memory;  /* of file names */
	struct config_errors *errors;
	bool broken;    /* no use in reading on: strings or comments have no end, files are missing
			 */
	bool no_memory; /* has been told */
};

/* `memory` must outlive the source. Then one of the two reads; on any problem it is told, and
 * `broken` says whether the text is worth a look. */
void source_init(struct source *source, const char *directory, struct arena *memory,
	struct config_errors *errors);
void source_read_file(struct source *source, const char *file);
void source_read_text(struct source *source, const char *file, struct slice text);
void source_deinit(struct source *source);

/* Where a line of the whole text comes from. */
struct source_place {
	const char *file;
	unsigned line;
};
struct source_place source_place(const struct source *source, unsigned line);

#endif
