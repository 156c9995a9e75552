#include "proxy/lists/file_watch.h"

#include "base/error.h"
#include "base/log.h"
#include "proxy/lists/path_trail.h"

#include <stdlib.h>
#include <string.h>

/* One directory; freed when its handle is closed. */
struct directory {
	uv_fs_event_t event;
	struct file_watch *watch; /* NULL: being closed */
	struct directory *next;
	char *path;
	bool is_wanted;
};

struct entry {
	struct directory *directory;
	char *name;
};

struct file_watch {
	uv_loop_t *loop;
	void (*on_change)(void *context);
	void *context;
	struct directory *directories;
	struct entry *entries;
	size_t entry_count;
	char **paths;
	size_t path_count;
};

struct file_watch *file_watch_new(uv_loop_t *loop, void (*on_change)(void *context), void *context)
{
	struct file_watch *watch = calloc(1, sizeof *watch);
	struct entry *entries = calloc(FILE_WATCH_ENTRIES_MAX, sizeof *entries);
	if (!watch || !entries) {
		free(watch);
		free(entries);
		return NULL;
	}
	watch->loop = loop;
	watch->on_change = on_change;
	watch->context = context;
	watch->entries = entries;
	return watch;
}

static void on_closed(uv_handle_t *handle)
{
	struct directory *directory = handle->data;
	free(directory->path);
	free(directory);
}

static void close_directory(struct directory *directory)
{
	directory->watch = NULL;
	uv_close((uv_handle_t *)&directory->event, on_closed);
}

/* Without a name something happened to the directory itself. */
static void on_event(uv_fs_event_t *event, const char *name, int events, int status)
{
	struct directory *directory = event->data;
	struct file_watch *watch = directory->watch;
	(void)events;
	(void)status;
	if (!watch)
		return;
	bool ours = !name;
	for (size_t i = 0; !ours && i < watch->entry_count; i++)
		ours = watch->entries[i].directory == directory &&
			strcmp(watch->entries[i].name, name) == 0;
	if (ours)
		watch->on_change(watch->context);
}

static struct directory *open_directory(struct file_watch *watch, const char *path)
{
	struct directory *directory = calloc(1, sizeof *directory);
	char *copy = strdup(path);
	if (!directory || !copy || uv_fs_event_init(watch->loop, &directory->event)) {
		free(directory);
		free(copy);
		return NULL;
	}
	directory->event.data = directory;
	directory->path = copy;
	directory->watch = watch;
	directory->next = watch->directories;
	watch->directories = directory;
	int error = uv_fs_event_start(&directory->event, on_event, path, 0);
	if (error)
		log_warning("lists: cannot watch %s: %s; a change in it is seen at the next reload",
			path, error_text(error));
	return directory;
}

static struct directory *find_directory(struct file_watch *watch, const char *path)
{
	struct directory *directory = watch->directories;
	while (directory && strcmp(directory->path, path) != 0)
		directory = directory->next;
	return directory ? directory : open_directory(watch, path);
}

static void on_entry(void *context, const char *path, const char *name)
{
	struct file_watch *watch = context;
	if (watch->entry_count == FILE_WATCH_ENTRIES_MAX)
		return;
	struct directory *directory = find_directory(watch, path);
	char *copy = directory ? strdup(name) : NULL;
	if (!copy)
		return;
	directory->is_wanted = true;
	watch->entries[watch->entry_count++] = (struct entry){ directory, copy };
}

static void drop_entries(struct file_watch *watch)
{
	while (watch->entry_count > 0)
		free(watch->entries[--watch->entry_count].name);
	for (struct directory *at = watch->directories; at; at = at->next)
		at->is_wanted = false;
}

static void close_unwanted(struct file_watch *watch)
{
	for (struct directory **at = &watch->directories; *at;) {
		struct directory *directory = *at;
		if (directory->is_wanted) {
			at = &directory->next;
			continue;
		}
		*at = directory->next;
		close_directory(directory);
	}
}

void file_watch_again(struct file_watch *watch)
{
	drop_entries(watch);
	for (size_t i = 0; i < watch->path_count; i++)
		path_trail(watch->paths[i], on_entry, watch);
	close_unwanted(watch);
}

static void drop_paths(struct file_watch *watch)
{
	while (watch->path_count > 0)
		free(watch->paths[--watch->path_count]);
	free(watch->paths);
	watch->paths = NULL;
}

void file_watch_set(struct file_watch *watch, const char *const *paths, size_t count)
{
	drop_paths(watch);
	watch->paths = calloc(count + 1, sizeof *watch->paths);
	for (size_t i = 0; watch->paths && i < count; i++) {
		char *copy = strdup(paths[i]);
		if (copy)
			watch->paths[watch->path_count++] = copy;
	}
	file_watch_again(watch);
}

void file_watch_close(struct file_watch *watch)
{
	if (!watch)
		return;
	drop_paths(watch);
	drop_entries(watch);
	close_unwanted(watch);
	free(watch->entries);
	free(watch);
}
