#include "base/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

DIR *directory_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	int error = errno;
	if (!directory && fd >= 0)
		close(fd);
	errno = error;
	return directory;
}
