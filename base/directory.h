/* directory.h - opendir(3) for a program with threads. */
#ifndef BASE_DIRECTORY_H
#define BASE_DIRECTORY_H

#include <dirent.h>

/* NULL with errno set when it cannot be opened; else for readdir(3) and closedir(3). Not opendir():
 * the thread sanitizer does not see that it takes a descriptor which another thread has closed, and
 * reports a race. */
DIR *directory_open(const char *path);

#endif
