/* file.h - small files that are read as a whole, and what writing a file that must not be lost
 * takes.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <limits.h>

#include "base/slice.h"

/* A regular file from its beginning, `size` bytes at most; `len` is how many. Never waits: a FIFO
 * that nobody writes to would hold a reload for ever. Leaves no second copy, so secrets may be
 * read. 0, or a negative errno: -EISDIR of a directory, -EINVAL of what else is no regular file. */
int file_read(const char *path, uint8_t *bytes, size_t size, size_t *len);

/* All of it, however many write() that takes. 0 or a negative errno. */
int file_write_all(int fd, struct slice bytes);

/* The directory that `path` is in, as text; "." when it names none. */
void file_directory_of(char directory[PATH_MAX], const char *path);

/* After a rename: the directory that `path` is in goes to the disk, and with it the new name. Where
 * it cannot be opened, it is a pity. */
void file_sync_directory_of(const char *path);

#endif
