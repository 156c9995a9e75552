#include "proxy/fetch/rights.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	FILES_MAX = 64,
	MEMORY_MAX_MB = 512,
};

/* The sanitizers take terabytes of addresses, and look for leaks from a process of their own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

static int limit(int resource, rlim_t most)
{
	const struct rlimit wanted = { most, most };
	return setrlimit((__rlimit_resource_t)resource, &wanted) ? -errno : 0;
}

void rights_begin(int first_foreign)
{
	clearenv();
	close_range((unsigned)first_foreign, ~0U, 0);
	limit(RLIMIT_CORE, 0);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

/* In this order: without root groups cannot be changed any more. */
static int become(uid_t user, gid_t group)
{
	if (geteuid() != 0)
		return 0;
	if (setgroups(0, NULL) || setresgid(group, group, group) || setresuid(user, user, user))
		return -errno;
	/* It cannot be undone, or it was not done. */
	if (user != 0 && setuid(0) == 0)
		return -EPERM;
	return 0;
}

/* Those that were inherited as ambient ones too: no user but root needs them to be dangerous. */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
		return -errno;
	return syscall(SYS_capset, &header, none) ? -errno : 0;
}

static int forbid_new_rights(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0;
}

/* A change of user takes this back, so it comes after. The parent may be gone already. */
static int die_with(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		return -errno;
	return getppid() == parent ? 0 : -ESRCH;
}

static int limit_resources(const struct rights_wish *wish)
{
	int error = limit(RLIMIT_FSIZE, wish->file_max);
	if (!error)
		error = limit(RLIMIT_NOFILE, FILES_MAX);
	if (IS_SANITIZED) {
		prctl(PR_SET_DUMPABLE, 1);
		return error;
	}
	if (!error)
		error = limit(RLIMIT_NPROC, 0);
	if (!error)
		error = limit(RLIMIT_AS, (rlim_t)MEMORY_MAX_MB * 1024 * 1024);
	return error;
}

static int say(int error, const char *what, char message[RIGHTS_MESSAGE_MAX])
{
	if (error)
		snprintf(message, RIGHTS_MESSAGE_MAX, "%s: %s", what, strerror(-error));
	return error;
}

int rights_drop(const struct rights_wish *wish, pid_t parent, char message[RIGHTS_MESSAGE_MAX])
{
	int error = say(become(wish->user, wish->group), "cannot become another user", message);
	if (!error)
		error = say(drop_capabilities(), "cannot give up capabilities", message);
	if (!error)
		error = say(forbid_new_rights(), "cannot forbid new rights", message);
	if (!error)
		error = say(die_with(parent), "the parent is gone", message);
	if (!error)
		error = say(limit_resources(wish), "cannot set limits", message);
	alarm(wish->alarm_s);
	return error;
}
