#include "proxy/rights/grants.h"

#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "proxy/lists/fetch_child.h"
#include "proxy/rights/named_files.h"

static void allow(struct landlock *landlock, const char *path, unsigned use)
{
	int error = landlock_allow(landlock, path, use);
	if (error)
		log_warning("rights: %s cannot be allowed: %s", path, error_text(error));
}

/* ---- the system ---- */

static const struct {
	const char *path;
	unsigned use;
} system_paths[] = {
	/* what libraries load when they are asked for it, the program that fetches as a whole */
	{ "/lib", LANDLOCK_READ },
	{ "/lib64", LANDLOCK_READ },
	{ "/usr/lib", LANDLOCK_READ },
	{ "/usr/lib64", LANDLOCK_READ },
	{ "/usr/local/lib", LANDLOCK_READ },
	{ "/etc/ld.so.cache", LANDLOCK_READ },
	{ "/etc/ld.so.preload", LANDLOCK_READ },
	/* time zones, authorities, public suffixes */
	{ "/usr/share", LANDLOCK_READ },
	{ "/usr/local/share", LANDLOCK_READ },
	{ "/etc/ssl", LANDLOCK_READ },
	{ "/etc/pki", LANDLOCK_READ },
	{ "/etc/ca-certificates", LANDLOCK_READ },
	{ "/etc/crypto-policies", LANDLOCK_READ },
	{ "/etc/localtime", LANDLOCK_READ },
	/* names of hosts and users */
	{ "/etc/resolv.conf", LANDLOCK_READ },
	{ "/etc/hosts", LANDLOCK_READ },
	{ "/etc/host.conf", LANDLOCK_READ },
	{ "/etc/nsswitch.conf", LANDLOCK_READ },
	{ "/etc/gai.conf", LANDLOCK_READ },
	{ "/etc/services", LANDLOCK_READ },
	{ "/etc/passwd", LANDLOCK_READ },
	/* processors and their shares, ourselves; of others only what everybody may know */
	{ "/proc", LANDLOCK_READ },
	{ "/sys/fs/cgroup", LANDLOCK_READ },
	{ "/sys/devices/system", LANDLOCK_READ },
	{ "/dev/null", LANDLOCK_READ | LANDLOCK_WRITE },
	{ "/dev/urandom", LANDLOCK_READ },
	{ "/dev/random", LANDLOCK_READ },
};

/* ---- files with the directories that they stand in ---- */

/* Of a file in the root alone the file: its directory would be everything. */
static void allow_directory_of(struct landlock *landlock, const char *file, unsigned use)
{
	char path[PATH_MAX];
	file_directory_of(path, file);
	allow(landlock, strcmp(path, "/") == 0 ? file : path, use);
}

/* Where the name stands, and where what it leads to does: a certificate is often a link. */
static void allow_file(struct landlock *landlock, const char *file, unsigned use)
{
	char real[PATH_MAX];
	if (!file)
		return;
	allow_directory_of(landlock, file, use);
	if (realpath(file, real))
		allow_directory_of(landlock, real, use);
}

/* ---- programs ---- */

/* The loader by the name under which the kernel opens it. */
static void allow_loader(struct landlock *landlock, const struct dl_phdr_info *object)
{
	for (unsigned i = 0; i < object->dlpi_phnum; i++)
		if (object->dlpi_phdr[i].p_type == PT_INTERP)
			allow(landlock,
				(const char *)(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr),
				LANDLOCK_START);
}

/* Libraries that were found elsewhere than in the system's directories have neighbours there. */
static int on_object(struct dl_phdr_info *object, size_t size, void *context)
{
	struct landlock *landlock = context;
	(void)size;
	if (strchr(object->dlpi_name, '/'))
		allow_file(landlock, object->dlpi_name, LANDLOCK_READ);
	return 0;
}

static int on_program(struct dl_phdr_info *object, size_t size, void *context)
{
	(void)size;
	allow_loader(context, object);
	return 1; /* the first is the program itself */
}

static void allow_fetching(struct landlock *landlock)
{
	char path[FETCH_CHILD_PATH_MAX];
	if (!fetch_child_program(path))
		return;
	allow(landlock, path, LANDLOCK_START);
	dl_iterate_phdr(on_program, landlock);
}

void grants_of_system(struct landlock *landlock, bool programs)
{
	for (size_t i = 0; i < sizeof system_paths / sizeof *system_paths; i++)
		allow(landlock, system_paths[i].path, system_paths[i].use);
	dl_iterate_phdr(on_object, landlock);
	if (programs)
		allow_fetching(landlock);
}

void grants_of_resolvers(struct landlock *landlock)
{
	allow_file(landlock, "/etc/resolv.conf", LANDLOCK_READ);
}

/* ---- a configuration ---- */

static void allow_query_log(struct landlock *landlock, const char *file)
{
	struct stat status;
	if (!file || strcmp(file, "-") == 0)
		return;
	if (stat(file, &status) < 0 || S_ISREG(status.st_mode)) {
		allow_file(landlock, file, LANDLOCK_READ | LANDLOCK_WRITE);
		return;
	}
	/* Of a device or a FIFO not its neighbours; but those of a link to it, which may come to
	 * lead elsewhere. */
	allow(landlock, file, LANDLOCK_READ | LANDLOCK_WRITE);
	if (lstat(file, &status) == 0 && S_ISLNK(status.st_mode))
		allow_directory_of(landlock, file, LANDLOCK_READ | LANDLOCK_WRITE);
}

static bool allow_read(void *context, const char *path)
{
	allow_file(context, path, LANDLOCK_READ);
	return true;
}

static void allow_ports(struct landlock *landlock, const struct config *config)
{
	bool good =
		config->admin_port == 0 || landlock_allow_port(landlock, config->admin_port) == 0;
	for (size_t i = 0; good && i < config->listener_count; i++)
		good = landlock_allow_port(landlock, config->listeners[i].port) == 0;
	if (!good)
		log_warning("rights: a port cannot be allowed");
}

void grants_of_config(struct landlock *landlock, const struct config *config)
{
	named_files_all(config, allow_read, landlock);
	allow_query_log(landlock, config->query_log.file);
	allow_file(landlock, config->cache.file, LANDLOCK_READ | LANDLOCK_WRITE);
	allow_file(landlock, config->control_socket, LANDLOCK_READ | LANDLOCK_WRITE);
	if (*config->state_directory)
		allow(landlock, config->state_directory, LANDLOCK_READ | LANDLOCK_WRITE);
	allow_ports(landlock, config);
}
