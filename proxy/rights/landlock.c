#include "proxy/rights/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Debian 12's headers know ABI 2, kernels more. The numbers are the kernel's for good. */
enum {
	ABI_TRUNCATE = 3,
	ABI_NETWORK = 4,
	ABI_IOCTL = 5,
	ABI_SCOPE = 6,
};
enum { RULE_NET_PORT = 2 };

#define FS_TRUNCATE           (UINT64_C(1) << 14)
#define FS_IOCTL_DEV          (UINT64_C(1) << 15)
#define NET_BIND_TCP          (UINT64_C(1) << 0)
#define SCOPE_ABSTRACT_SOCKET (UINT64_C(1) << 0)
#define SCOPE_SIGNAL          (UINT64_C(1) << 1)

struct ruleset {
	uint64_t files;
	uint64_t network; /* ABI 4 */
	uint64_t scoped;  /* ABI 6 */
};
struct port_rule {
	uint64_t allowed;
	uint64_t port;
};

static const uint64_t read_use = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
static const uint64_t write_use = LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE |
	LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
	LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
	LANDLOCK_ACCESS_FS_REFER;
static const uint64_t start_use = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE;
/* What can be said of something that is no directory. */
static const uint64_t file_use = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
	LANDLOCK_ACCESS_FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV;

int landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	return abi < LANDLOCK_ABI_LEAST ? 0 : (int)abi;
}

/* Everything that this kernel can deny. */
static uint64_t files_of(int abi)
{
	uint64_t files = (LANDLOCK_ACCESS_FS_REFER << 1) - 1;
	if (abi >= ABI_TRUNCATE)
		files |= FS_TRUNCATE;
	if (abi >= ABI_IOCTL)
		files |= FS_IOCTL_DEV;
	return files;
}

int landlock_open(struct landlock *landlock)
{
	int abi = landlock_abi();
	*landlock = (struct landlock){ .fd = -1, .abi = abi, .files = files_of(abi) };
	if (abi == 0)
		return -ENOSYS;
	const struct ruleset rules = { .files = landlock->files,
		.network = abi >= ABI_NETWORK ? NET_BIND_TCP : 0,
		.scoped = abi >= ABI_SCOPE ? SCOPE_ABSTRACT_SOCKET | SCOPE_SIGNAL : 0 };
	size_t len = abi >= ABI_SCOPE ? sizeof rules
		: abi >= ABI_NETWORK  ? offsetof(struct ruleset, scoped)
				      : offsetof(struct ruleset, network);
	landlock->fd = (int)syscall(SYS_landlock_create_ruleset, &rules, len, 0);
	return landlock->fd < 0 ? -errno : 0;
}

static uint64_t access_of(const struct landlock *landlock, unsigned use, const struct stat *status)
{
	uint64_t wanted = use & LANDLOCK_READ ? read_use : 0;
	wanted |= use & LANDLOCK_WRITE ? write_use : 0;
	wanted |= use & LANDLOCK_START ? start_use : 0;
	return wanted & landlock->files & (S_ISDIR(status->st_mode) ? ~UINT64_C(0) : file_use);
}

/* Or behind a directory that is not ours to search: whoever opens it will say so. */
static bool is_not_there(int error)
{
	return error == ENOENT || error == ENOTDIR || error == EACCES;
}

int landlock_allow(struct landlock *landlock, const char *path, unsigned use)
{
	struct stat status;
	int error = 0;
	int fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return is_not_there(errno) ? 0 : -errno;
	if (fstat(fd, &status) < 0) {
		error = -errno;
	} else {
		const struct landlock_path_beneath_attr rule = {
			.allowed_access = access_of(landlock, use, &status), .parent_fd = fd
		};
		if (syscall(SYS_landlock_add_rule, landlock->fd, LANDLOCK_RULE_PATH_BENEATH, &rule,
			    0))
			error = -errno;
	}
	close(fd);
	return error;
}

int landlock_allow_port(struct landlock *landlock, uint16_t port)
{
	const struct port_rule rule = { .allowed = NET_BIND_TCP, .port = port };
	if (landlock->abi < ABI_NETWORK)
		return 0;
	return syscall(SYS_landlock_add_rule, landlock->fd, RULE_NET_PORT, &rule, 0) ? -errno : 0;
}

void landlock_close(struct landlock *landlock)
{
	if (landlock->fd >= 0)
		close(landlock->fd);
	landlock->fd = -1;
}

int landlock_enter(struct landlock *landlock)
{
	int error = syscall(SYS_landlock_restrict_self, landlock->fd, 0) ? -errno : 0;
	landlock_close(landlock);
	return error;
}
