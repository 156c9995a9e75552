#include "proxy/lists/path_trail.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct walk {
	char directory[PATH_MAX]; /* what lies behind us: "" is the working directory */
	char rest[PATH_MAX];      /* what lies ahead */
	unsigned links;
};

static bool take_name(struct walk *walk, char name[NAME_MAX + 1])
{
	char *at = walk->rest;
	at += strspn(at, "/");
	size_t len = strcspn(at, "/");
	if (len == 0 || len > NAME_MAX)
		return false;
	memcpy(name, at, len);
	name[len] = '\0';
	memmove(walk->rest, at + len, strlen(at + len) + 1);
	return true;
}

static bool join(char to[PATH_MAX], const char *directory, const char *name)
{
	const char *slash = directory[0] && strcmp(directory, "/") != 0 ? "/" : "";
	int len = snprintf(to, PATH_MAX, "%s%s%s", directory, slash, name);
	return len > 0 && len < PATH_MAX;
}

/* Puts what a link leads to before the rest of the way. */
static bool follow(struct walk *walk, const char *path)
{
	char target[PATH_MAX];
	char rest[PATH_MAX];
	ssize_t len = readlink(path, target, sizeof target - 1);
	if (len <= 0 || walk->links++ >= PATH_TRAIL_LINKS_MAX)
		return false;
	target[len] = '\0';
	int whole = snprintf(rest, sizeof rest, "%s/%s", target, walk->rest);
	if (whole < 0 || (size_t)whole >= sizeof rest)
		return false;
	memcpy(walk->rest, rest, (size_t)whole + 1);
	if (target[0] == '/')
		strcpy(walk->directory, "/");
	return true;
}

static bool is_link(const char *path)
{
	struct stat status;
	return lstat(path, &status) == 0 && S_ISLNK(status.st_mode);
}

/* Directories on the way that are no links do not change what the path leads to in any way that we
 * could survive: only links and the file itself are told. */
static bool step(struct walk *walk,
	void (*on_entry)(void *context, const char *directory, const char *name), void *context)
{
	char name[NAME_MAX + 1];
	char path[PATH_MAX];
	if (!take_name(walk, name) || !join(path, walk->directory, name))
		return false;
	bool last = walk->rest[strspn(walk->rest, "/")] == '\0';
	bool link = is_link(path);
	if (last || link)
		on_entry(context, walk->directory[0] ? walk->directory : ".", name);
	if (link)
		return follow(walk, path);
	memcpy(walk->directory, path, sizeof path);
	return !last;
}

void path_trail(const char *path,
	void (*on_entry)(void *context, const char *directory, const char *name), void *context)
{
	struct walk walk = { .directory = "", .links = 0 };
	if (strlen(path) >= sizeof walk.rest)
		return;
	strcpy(walk.rest, path);
	if (path[0] == '/')
		strcpy(walk.directory, "/");
	while (step(&walk, on_entry, context))
		;
}
