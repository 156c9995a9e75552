/* path_trail.h - which directory entries decide what a path leads to: the file's own, and those of
 * every symbolic link on the way. Kubernetes replaces a volume's files by renaming one link
 * ("..data"), and nothing happens in the directory that the file seems to be in. */
#ifndef PROXY_LISTS_PATH_TRAIL_H
#define PROXY_LISTS_PATH_TRAIL_H

#include <limits.h>
#include <stdbool.h>

enum { PATH_TRAIL_LINKS_MAX = 40 }; /* as many as the kernel follows (path_resolution(7)) */

/* Tells each entry: the directory's path and the name in it. What does not exist ends the trail,
 * and is told: it may come. A path that is relative starts at the working directory. */
void path_trail(const char *path,
	void (*on_entry)(void *context, const char *directory, const char *name), void *context);

#endif
