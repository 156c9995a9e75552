/* image_file.h - an image and the memory it lies in: a mapped file, whose pages all processes that
 * map it share, or memory of our own where nothing may be written. Counted by itself: a reload that
 * changes no list goes on with the same one. */
#ifndef PROXY_LISTS_IMAGE_FILE_H
#define PROXY_LISTS_IMAGE_FILE_H

#include "rules/image.h"

struct image_file {
	_Atomic unsigned references;
	struct image *image;
	void *bytes;
	size_t len;
	bool is_mapped;
};

/* Maps and checks. The file must be replaced by renaming only, never written to. NULL on failure,
 * and why. */
struct image_file *image_file_open(const char *path, const char **why);

/* Takes memory over that image_build() gave, also on failure. */
struct image_file *image_file_of(struct slice bytes, const char **why);

/* Puts an image under a path and gives it mapped from there; the one in memory is let go. When that
 * fails it stays in memory, and *why is told. */
struct image_file *image_file_settle(struct image_file *file, const char *path, const char **why);

struct image_file *image_file_ref(struct image_file *file);
void image_file_unref(struct image_file *file); /* NULL is fine */

#endif
