#include "proxy/state_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include "base/log.h"

void state_directory_claim(const char *path)
{
	int fd = *path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (fd < 0)
		return; /* there is none yet, or others have said that it cannot be read */
	/* The descriptor is left open: the lock goes with it. */
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		log_error("state_directory %s: another running program has it: each writes over "
			  "what the other keeps",
			path);
}
