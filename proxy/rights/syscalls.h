/* syscalls.h - the system calls that a thread can make at all (seccomp(2)). Everything else fails
 * with EPERM and is told to the kernel's audit log; a program that is killed instead would be a
 * gift to whoever finds the one call that was forgotten. */
#ifndef PROXY_RIGHTS_SYSCALLS_H
#define PROXY_RIGHTS_SYSCALLS_H

#include <stdbool.h>

enum syscalls_user {
	SYSCALLS_SERVER = 1, /* the whole process, and what it starts */
	SYSCALLS_ROOT = 2,   /* a server that stays root: what it starts becomes another user */
	SYSCALLS_WORKER = 4, /* a thread that serves: no programs, no files but to read */
	SYSCALLS_FETCH = 8,  /* namegate-fetch, once it has read what is ours: the same */
};

/* From now on, of the calling thread and what it starts; `all_threads`: of the others too. Filters
 * add up: nothing comes back. Sets no_new_privs. 0 or -errno: -ENOSYS in a build with a sanitizer,
 * -EINVAL where the kernel has no filters. */
int syscalls_limit(enum syscalls_user user, bool all_threads);

#endif
