/* file_watch.h - tells that one of some files may have become another. Directories are watched, not
 * files, so that a file that is replaced, by renaming or by a link that leads elsewhere, is seen.
 * On one loop, used by its thread alone. */
#ifndef PROXY_LISTS_FILE_WATCH_H
#define PROXY_LISTS_FILE_WATCH_H

#include <stdbool.h>
#include <uv.h>

enum { FILE_WATCH_ENTRIES_MAX = 4096 }; /* directory entries, over all files */

struct file_watch;

/* NULL when out of memory. `on_change` is called as often as something happens; it may come when
 * nothing has changed, and while a file is being written. */
struct file_watch *file_watch_new(uv_loop_t *loop, void (*on_change)(void *context), void *context);

/* Watches these files instead of those before. A directory that cannot be watched is logged. */
void file_watch_set(struct file_watch *watch, const char *const *paths, size_t count);

/* Call it after a change: links may lead elsewhere now. */
void file_watch_again(struct file_watch *watch);

void file_watch_close(struct file_watch *watch); /* NULL is fine */

#endif
