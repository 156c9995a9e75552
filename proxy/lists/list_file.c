#include "proxy/lists/list_file.h"

#include "base/error.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The kernel copies what is in its memory without a break, and on most of them nobody else has the
 * core meanwhile: many megabytes at once would be many milliseconds in which no question is
 * answered. */
enum {
	PIECE = 32 * 1024,
	SEND_EVERY = 32 * PIECE,
};

static size_t piece_of(size_t len)
{
	return len < PIECE ? len : PIECE;
}

static int read_all(int fd, uint8_t *to, size_t size, size_t *len)
{
	*len = 0;
	while (*len < size) {
		ssize_t got = read(fd, to + *len, piece_of(size - *len));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return 0;
		*len += (size_t)got;
	}
	return 0;
}

static int read_open(int fd, size_t most, struct slice *bytes)
{
	struct stat status;
	size_t len;
	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return ERR_INVALID;
	if ((uint64_t)status.st_size > most)
		return ERR_TOO_LONG;
	uint8_t *memory = malloc((size_t)status.st_size + 1);
	if (!memory)
		return ERR_NO_MEMORY;
	int error = read_all(fd, memory, (size_t)status.st_size, &len);
	if (error)
		free(memory);
	else
		*bytes = slice_of(memory, len);
	return error;
}

int list_file_read(const char *path, size_t most, struct slice *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	int error = read_open(fd, most, bytes);
	close(fd);
	return error;
}

/* What is written is sent on its way to the disk by and by: the rename would do it for all of it.
 */
static int write_all(int fd, struct slice bytes)
{
	off_t at = 0, sent = 0;
	while (bytes.len > 0) {
		ssize_t put = write(fd, bytes.at, piece_of(bytes.len));
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return put < 0 ? -errno : -EIO;
		at += put;
		bytes = slice_of(bytes.at + put, bytes.len - (size_t)put);
		if (at - sent < SEND_EVERY)
			continue;
		sync_file_range(fd, sent, at - sent, SYNC_FILE_RANGE_WRITE);
		sent = at;
	}
	return 0;
}

int list_file_write(const char *path, struct slice bytes)
{
	char aside[PATH_MAX];
	/* The process's number: two that share a directory do not write to one file. */
	int len = snprintf(aside, sizeof aside, "%s.%ld.new", path, (long)getpid());
	if (len < 0 || (size_t)len >= sizeof aside)
		return -ENAMETOOLONG;
	int fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	int error = write_all(fd, bytes);
	if (close(fd) < 0 && !error)
		error = -errno;
	if (!error && rename(aside, path) < 0)
		error = -errno;
	if (error)
		unlink(aside);
	return error;
}
