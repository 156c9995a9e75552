#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_regular(int fd)
{
	struct stat status;
	if (fstat(fd, &status) < 0)
		return -errno;
	if (S_ISDIR(status.st_mode))
		return -EISDIR;
	return S_ISREG(status.st_mode) ? 0 : -EINVAL;
}

static int fill(int fd, uint8_t *bytes, size_t size, size_t *len)
{
	for (*len = 0; *len < size;) {
		ssize_t got = read(fd, bytes + *len, size - *len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : 0;
		*len += (size_t)got;
	}
	return 0;
}

int file_read(const char *path, uint8_t *bytes, size_t size, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	int error = check_regular(fd);
	if (!error)
		error = fill(fd, bytes, size, len);
	close(fd);
	return error;
}

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
