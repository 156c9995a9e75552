/* list_file.h - the bytes of a file that somebody may be writing to. */
#ifndef PROXY_LISTS_LIST_FILE_H
#define PROXY_LISTS_LIST_FILE_H

#include "base/slice.h"

/* Reads a regular file into memory that is the caller's (free()). Read, not mapped: a file that is
 * truncated while it is mapped kills who looks at it. 0, ERR_TOO_LONG (over `most` bytes),
 * ERR_INVALID (no regular file), ERR_NO_MEMORY, or a negative errno. */
int list_file_read(const char *path, size_t most, struct slice *bytes);

/* Writes a file of which readers see the old content or the new one: under another name first, then
 * renamed. 0 or a negative errno. */
int list_file_write(const char *path, struct slice bytes);

#endif
