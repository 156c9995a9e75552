/* A whole file, small and perhaps secret, with errors that a tired operator can act on. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "tls/private.h"

enum { FILE_MAX = 1024 * 1024 };

bool tls_file_fail(struct tls_file *file, const char *format, ...)
{
	int used = snprintf(file->message, TLS_MESSAGE_MAX, "%s \"%s\": ", file->kind, file->name);
	if (used < 0 || used >= TLS_MESSAGE_MAX)
		return false;
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(file->message + used, (size_t)(TLS_MESSAGE_MAX - used), format, arguments);
	va_end(arguments);
	return false;
}

static bool file_fill(struct tls_file *file, int fd)
{
	while (file->len < file->capacity) {
		ssize_t count = read(fd, file->bytes + file->len, file->capacity - file->len);
		if (count == 0)
			return true;
		if (count < 0 && errno != EINTR)
			return tls_file_fail(file, "%s", strerror(errno));
		if (count > 0)
			file->len += (size_t)count;
	}
	return tls_file_fail(file, "changed while it was read");
}

static bool file_read_fd(struct tls_file *file, int fd)
{
	if (fstat(fd, &file->status) < 0)
		return tls_file_fail(file, "%s", strerror(errno));
	if (!S_ISREG(file->status.st_mode))
		return tls_file_fail(file, "not a regular file");
	if (file->status.st_size == 0)
		return tls_file_fail(file, "the file is empty");
	if (file->status.st_size > FILE_MAX)
		return tls_file_fail(file, "larger than %d bytes", FILE_MAX);
	file->capacity = (size_t)file->status.st_size + 1; /* one more shows that it grew */
	file->bytes = OPENSSL_malloc(file->capacity);
	if (!file->bytes)
		return tls_file_fail(file, "out of memory");
	return file_fill(file, fd);
}

bool tls_file_open(struct tls_file *file)
{
	int fd = open(file->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int error = fd < 0 ? -errno : 0;
	if (error == -EACCES && faccessat(AT_FDCWD, file->name, R_OK, AT_EACCESS) != 0)
		return tls_file_fail(file, "user %u may not read it: %s", (unsigned)geteuid(),
			error_text(error));
	if (error)
		return tls_file_fail(file, "%s", error_text_of_file(error, file->name));
	bool done = file_read_fd(file, fd);
	close(fd);
	return done;
}

void tls_file_close(struct tls_file *file)
{
	OPENSSL_clear_free(file->bytes, file->capacity);
}

bool tls_file_is_open_to_all(const struct tls_file *file)
{
	return file->status.st_mode & (S_IROTH | S_IWOTH);
}
