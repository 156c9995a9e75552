#include "proxy/state_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/directory.h"
#include "base/log.h"

/* "lists.image.4711.new": what the process of that number did not come to rename. */
static bool is_left_over(const char *name)
{
	size_t len = strlen(name), end = strlen(".new");
	if (len <= end || strcmp(name + len - end, ".new") != 0)
		return false;
	size_t at = len - end, digits = 0;
	while (at > 0 && name[at - 1] >= '0' && name[at - 1] <= '9')
		at--, digits++;
	return digits > 0 && at > 1 && name[at - 1] == '.';
}

/* Each of them may be as large as all lists. */
static void sweep(const char *path)
{
	DIR *directory = directory_open(path);
	if (!directory)
		return;
	for (struct dirent *entry; (entry = readdir(directory));)
		if (is_left_over(entry->d_name) &&
			unlinkat(dirfd(directory), entry->d_name, 0) == 0)
			log_info("state_directory %s: removed %s of a run that was ended", path,
				entry->d_name);
	closedir(directory);
}

void state_directory_claim(const char *path)
{
	int fd = *path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (fd < 0)
		return; /* there is none yet, or others have said that it cannot be read */
	/* The descriptor is left open: the lock goes with it. */
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		sweep(path);
	else if (errno == EWOULDBLOCK)
		log_error("state_directory %s: another running program has it: each writes over "
			  "what the other keeps",
			path);
}

bool state_directory_is_writable(const char *path)
{
	struct statvfs about;
	if (!*path || faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) < 0 ||
		statvfs(path, &about) < 0)
		return false;
	/* Some file systems count no inodes. */
	return !(about.f_flag & ST_RDONLY) && about.f_bavail > 0 &&
		(about.f_files == 0 || about.f_favail > 0);
}
