#include "proxy/rights/provide.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "proxy/rights/named_files.h"

enum { STATE_MODE = 0750, SOCKET_DIRECTORY_MODE = 0755, LOG_MODE = 0640 };

static void tell(const char *path)
{
	log_warning("rights: %s: its owner cannot be set: %s", path, error_text(-errno));
}

/* ---- what is missing ---- */

static void provide_directory(const char *path, mode_t mode, const struct become *owner)
{
	if (mkdir(path, mode) < 0 || !owner)
		return;
	/* It is empty and in a directory that only root has written to so far. */
	if (lchown(path, owner->user, owner->group) < 0)
		tell(path);
}

/* False for what has none of its own: it stands in the root, or where we are. */
static bool directory_of(const char *file, char path[PATH_MAX])
{
	file_directory_of(path, file);
	return strcmp(path, "/") != 0 && strcmp(path, ".") != 0;
}

static void provide_log(const char *file, const struct become *owner)
{
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = strcmp(file, "-") != 0 ? open(file, flags, LOG_MODE) : -1;
	if (fd < 0)
		return;
	if (fchown(fd, owner->user, owner->group) < 0)
		tell(file);
	close(fd);
}

void provide_places(const struct config *config, const struct become *owner)
{
	char path[PATH_MAX];
	if (*config->state_directory)
		provide_directory(config->state_directory, STATE_MODE, owner);
	if (!owner)
		return;
	if (config->control_socket && directory_of(config->control_socket, path))
		provide_directory(path, SOCKET_DIRECTORY_MODE, owner);
	if (config->query_log.file)
		provide_log(config->query_log.file, owner);
}

/* ---- is it enough? ---- */

static void refuse(const struct become *owner, const char *verb, const char *path)
{
	struct stat status;
	const char *what = access(path, F_OK) == 0 ? "" : ", or a directory above it";
	if (stat(path, &status) < 0) {
		log_error("rights: the user %s may not %s %s%s: see docs/hardening.md", owner->name,
			verb, path, what);
		return;
	}
	log_error("rights: the user %s may not %s %s (owner %u:%u, mode %04o): let group %u do it, "
		  "or give it to the user",
		owner->name, verb, path, (unsigned)status.st_uid, (unsigned)status.st_gid,
		(unsigned)status.st_mode & 07777, (unsigned)owner->group);
}

/* What is not there at all is told by whoever reads it. */
static bool may(const struct become *owner, const char *path, int how, const char *verb)
{
	if (access(path, how) == 0 || errno == ENOENT || errno == ENOTDIR)
		return true;
	refuse(owner, verb, path);
	return false;
}

struct reading {
	const struct become *owner;
	bool good;
};

/* All of them are told at once. */
static bool may_read(void *context, const char *path)
{
	struct reading *reading = context;
	reading->good &= may(reading->owner, path, R_OK, "read");
	return true;
}

bool provide_is_enough(const struct config *config, const struct become *owner)
{
	struct reading reading = { .owner = owner, .good = true };
	char path[PATH_MAX];
	named_files_all(config, may_read, &reading);
	bool good = reading.good;
	if (*config->state_directory)
		good &= may(owner, config->state_directory, R_OK | W_OK | X_OK, "write to");
	if (config->control_socket && directory_of(config->control_socket, path))
		good &= may(owner, path, W_OK | X_OK, "write to");
	return good;
}
