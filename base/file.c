#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

int file_write_all(int fd, struct slice bytes)
{
	while (bytes.len > 0) {
		ssize_t put = write(fd, bytes.at, bytes.len);
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return put < 0 ? -errno : -EIO;
		bytes = slice_of(bytes.at + put, bytes.len - (size_t)put);
	}
	return 0;
}

void file_directory_of(char directory[PATH_MAX], const char *path)
{
	snprintf(directory, PATH_MAX, "%s", path);
	char *slash = strrchr(directory, '/');
	if (slash)
		slash[slash == directory] = '\0';
	else
		snprintf(directory, PATH_MAX, ".");
}

void file_sync_directory_of(const char *path)
{
	char directory[PATH_MAX];
	file_directory_of(directory, path);
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}
