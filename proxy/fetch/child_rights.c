#include "proxy/fetch/child_rights.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/sanitized.h"
#include "proxy/rights/become.h"
#include "proxy/rights/capabilities.h"
#include "proxy/rights/grants.h"
#include "proxy/rights/syscalls.h"

enum {
	FILES_MAX = 64,
	MEMORY_MAX_MB = 512,
};

static int limit(int resource, rlim_t most)
{
	const struct rlimit wanted = { most, most };
	return setrlimit((__rlimit_resource_t)resource, &wanted) ? -errno : 0;
}

void child_rights_begin(int first_foreign)
{
	clearenv();
	close_range((unsigned)first_foreign, ~0U, 0);
	limit(RLIMIT_CORE, 0);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

static int become(uid_t user, gid_t group)
{
	const struct become to = { .user = user, .group = group };
	/* Whoever is no root may have inherited some as ambient ones: they are dangerous enough. */
	return geteuid() == 0 ? become_user(&to, 0) : capabilities_keep(0);
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

static int limit_resources(const struct child_rights *wish)
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

/* Nothing is read any more but what libraries load; where the kernel cannot say so, the user's own
 * rights must do. */
static int limit_files(const struct child_rights *wish)
{
	struct landlock landlock;
	if (!wish->landlock || landlock_open(&landlock))
		return 0;
	grants_of_system(&landlock, false);
	return landlock_enter(&landlock);
}

static void limit_syscalls(const struct child_rights *wish)
{
	if (wish->seccomp)
		syscalls_limit(SYSCALLS_FETCH, true);
}

static int say(int error, const char *what, char message[CHILD_RIGHTS_MESSAGE_MAX])
{
	if (error)
		snprintf(message, CHILD_RIGHTS_MESSAGE_MAX, "%s: %s", what, strerror(-error));
	return error;
}

int child_rights_drop(
	const struct child_rights *wish, pid_t parent, char message[CHILD_RIGHTS_MESSAGE_MAX])
{
	int error = say(become(wish->user, wish->group), "cannot become another user", message);
	if (!error)
		error = say(forbid_new_rights(), "cannot forbid new rights", message);
	if (!error)
		error = say(die_with(parent), "the parent is gone", message);
	if (!error)
		error = say(limit_files(wish), "cannot give up files", message);
	if (!error)
		error = say(limit_resources(wish), "cannot set limits", message);
	alarm(wish->alarm_s);
	if (!error)
		limit_syscalls(wish);
	return error;
}
