/* file.h - what writing a file that must not be lost takes. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <limits.h>

#include "base/slice.h"

/* All of it, however many write() that takes. 0 or a negative errno. */
int file_write_all(int fd, struct slice bytes);

/* The directory that `path` is in, as text; "." when it names none. */
void file_directory_of(char directory[PATH_MAX], const char *path);

/* After a rename: the directory that `path` is in goes to the disk, and with it the new name. Where
 * it cannot be opened, it is a pity. */
void file_sync_directory_of(const char *path);

#endif
