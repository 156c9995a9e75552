#include "proxy/watch/log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FILE_CHUNK_MAX = 256 * 1024 };

void log_sink_init(struct log_sink *sink, const char *file)
{
	*sink = (struct log_sink){ .file = file, .fd = -1, .chunk_max = FILE_CHUNK_MAX };
}

static bool is_standard_output(const struct log_sink *sink)
{
	return strcmp(sink->file, "-") == 0;
}

/* Standard output may be shared with other programs, and O_NONBLOCK would hold for them too; a pipe
 * or terminal is therefore opened anew. What cannot be opened anew (a socket, no /proc) is
 * duplicated and written with care. */
static int open_standard_output(void)
{
	struct stat status;
	if (fstat(STDOUT_FILENO, &status) < 0)
		return -1;
	if (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)) {
		int fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd >= 0 || errno == ENXIO)
			return fd;
	}
	return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
}

static int open_by_name(const struct log_sink *sink)
{
	if (is_standard_output(sink))
		return open_standard_output();
	/* Names that people looked up are nobody else's business: no rights for others. */
	return open(sink->file, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		0640);
}

static bool ends_within_a_line(const struct log_sink *sink, const struct stat *status)
{
	char last = '\n';
	if (!S_ISREG(status->st_mode) || status->st_size == 0 || is_standard_output(sink))
		return false;
	int fd = open(sink->file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t count = pread(fd, &last, 1, status->st_size - 1);
	close(fd);
	return count == 1 && last != '\n';
}

static enum log_sink_kind kind_of(const struct stat *status)
{
	if (S_ISFIFO(status->st_mode))
		return LOG_SINK_PIPE;
	return S_ISSOCK(status->st_mode) ? LOG_SINK_SOCKET : LOG_SINK_FILE;
}

int log_sink_open(struct log_sink *sink, bool *is_same)
{
	struct stat status;
	*is_same = false;
	int fd = open_by_name(sink);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0) {
		int error = -errno;
		close(fd);
		return error;
	}
	*is_same = sink->fd >= 0 && sink->device == status.st_dev && sink->inode == status.st_ino;
	log_sink_close(sink);
	sink->fd = fd;
	sink->device = status.st_dev;
	sink->inode = status.st_ino;
	sink->kind = kind_of(&status);
	/* A pipe takes up to PIPE_BUF as a whole or not at all, so lines of several writers into
	 * one pipe, such as our own program log, do not mix (pipe(7)). */
	sink->chunk_max = sink->kind == LOG_SINK_PIPE ? PIPE_BUF : FILE_CHUNK_MAX;
	if (!*is_same)
		sink->wants_newline = ends_within_a_line(sink, &status);
	return 0;
}

void log_sink_close(struct log_sink *sink)
{
	if (sink->fd >= 0)
		close(sink->fd);
	sink->fd = -1;
}

static bool takes_more(int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLOUT };
	return poll(&wait, 1, 0) == 1 && (wait.revents & (POLLOUT | POLLERR | POLLHUP));
}

static ssize_t write_now(struct log_sink *sink, const struct iovec *pieces, int count)
{
	ssize_t written;
	if (sink->kind == LOG_SINK_SOCKET) {
		struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)pieces,
			.msg_iovlen = (size_t)count };
		written = sendmsg(sink->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	} else if (!takes_more(sink->fd)) {
		/* A pipe that is writable has room for PIPE_BUF: asked first, because a duplicated
		 * descriptor may be a blocking one. */
		return -EAGAIN;
	} else {
		written = writev(sink->fd, pieces, count);
	}
	if (written < 0)
		return errno == EINTR || errno == EWOULDBLOCK ? -EAGAIN : -errno;
	return written;
}

ssize_t log_sink_write(struct log_sink *sink, const struct iovec *pieces, int count)
{
	static const char newline = '\n';
	struct iovec end_of_line = { .iov_base = (void *)(uintptr_t)&newline, .iov_len = 1 };
	if (sink->fd < 0)
		return -ENXIO; /* a FIFO without a reader */
	if (sink->wants_newline) {
		ssize_t written = write_now(sink, &end_of_line, 1);
		if (written <= 0)
			return written;
		sink->wants_newline = false;
	}
	return write_now(sink, pieces, count);
}

void log_sink_take_back(struct log_sink *sink, size_t len)
{
	struct stat status;
	bool is_ours = !is_standard_output(sink) && fstat(sink->fd, &status) == 0 &&
		S_ISREG(status.st_mode) && (uint64_t)status.st_size >= len;
	if (!is_ours || ftruncate(sink->fd, status.st_size - (off_t)len) < 0)
		sink->wants_newline = true;
}
