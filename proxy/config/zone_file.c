#include "proxy/config/zone_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/directory.h"
#include "base/error.h"
#include "proxy/config/problem.h"

enum { NAME_LEN_MAX = 64, PATH_SIZE = 4096 };

static const char *zone_directory(void)
{
	const char *directory = getenv("TZDIR");
	return directory && *directory == '/' ? directory : "/usr/share/zoneinfo";
}

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		(c && strchr("_+-/", c));
}

/* It becomes part of a path: no dots at all, no segment that is empty. */
static bool is_name(const char *name)
{
	size_t len = strlen(name);
	if (len == 0 || len > NAME_LEN_MAX || name[0] == '/' || name[len - 1] == '/')
		return false;
	for (const char *c = name; *c; c++)
		if (!is_name_byte(*c) || (c[0] == '/' && c[1] == '/'))
			return false;
	return true;
}

/* The name that was meant, among its neighbours: "Europe/Berlyn" is looked for in Europe. */
static void suggest(struct suggestion *suggestion, const char *name, struct arena *scratch)
{
	char path[PATH_SIZE], whole[NAME_LEN_MAX + sizeof(((struct dirent *)NULL)->d_name)];
	const char *slash = strrchr(name, '/');
	int parent_len = slash ? (int)(slash + 1 - name) : 0;
	int len = snprintf(path, sizeof path, "%s/%.*s", zone_directory(), parent_len, name);
	DIR *directory = len < PATH_SIZE ? directory_open(path) : NULL;
	if (!directory)
		return;
	for (struct dirent *entry; (entry = readdir(directory));) {
		if (strlen(entry->d_name) >= NAME_LEN_MAX || !is_name(entry->d_name))
			continue;
		snprintf(whole, sizeof whole, "%.*s%s", parent_len, name, entry->d_name);
		const char *kept = arena_text(scratch, whole);
		if (kept && strcmp(kept, name) != 0)
			suggestion_offer(suggestion, kept);
	}
	closedir(directory);
}

static const char *tell_missing(const char *name, struct arena *scratch, struct zone_fault *fault)
{
	struct hint hint;
	struct suggestion suggestion = suggestion_for(name);
	if (access(zone_directory(), F_OK) != 0) {
		snprintf(fault->text, sizeof fault->text,
			"needs the time zones of the system, and there is no %.256s: apt install "
			"tzdata",
			zone_directory());
		return fault->text;
	}
	suggest(&suggestion, name, scratch);
	snprintf(fault->text, sizeof fault->text,
		"is no time zone that this system has (packages tzdata and tzdata-legacy)%s",
		suggestion_hint(&suggestion, &hint));
	return fault->text;
}

/* The whole file into `bytes`, of ZONE_FILE_MAX + 1; a negative errno when that fails. */
static ssize_t read_whole(const char *path, uint8_t *bytes)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t len = fd < 0 ? -errno : 0;
	if (fd >= 0 && (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)))
		len = -EISDIR;
	for (ssize_t got = 1; fd >= 0 && len >= 0 && got > 0 && len <= ZONE_FILE_MAX;) {
		got = read(fd, bytes + len, (size_t)(ZONE_FILE_MAX + 1 - len));
		len = got < 0 ? -errno : len + got;
	}
	if (fd >= 0)
		close(fd);
	return len;
}

const char *zone_file_read(struct zone **zone, const char *name, struct arena *memory,
	struct arena *scratch, struct zone_fault *fault)
{
	char path[PATH_SIZE];
	*zone = NULL;
	if (strcmp(name, "UTC") == 0)
		return NULL;
	if (!is_name(name))
		return "is not the name of a time zone such as \"Europe/Berlin\"";
	if (snprintf(path, sizeof path, "%s/%s", zone_directory(), name) >= PATH_SIZE)
		return "is too long";
	uint8_t *bytes = arena_take(scratch, ZONE_FILE_MAX + 1, 1);
	if (!bytes)
		return "";
	ssize_t len = read_whole(path, bytes);
	if (len == -ENOENT || len == -ENOTDIR || len == -EISDIR)
		return tell_missing(name, scratch, fault);
	if (len < 0) {
		snprintf(fault->text, sizeof fault->text, "cannot be read from %.256s: %s", path,
			error_text((int)len));
		return fault->text;
	}
	int error = len > ZONE_FILE_MAX ? ERR_MALFORMED
					: zone_read(zone, slice_of(bytes, (size_t)len), memory);
	if (error == ERR_NO_MEMORY)
		return "";
	if (!error)
		return NULL;
	return "has a file that is broken: it is none of a time zone";
}
