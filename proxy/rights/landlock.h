/* landlock.h - the files that a thread, and what it starts, can reach at all, whatever they belong
 * to (landlock(7)); and the TCP ports on which it can listen.
 *
 * landlock_open(), then landlock_allow() for each path, then landlock_enter(). A rule holds for the
 * file or directory that has the name now, not for one that is renamed into its place later. */
#ifndef PROXY_RIGHTS_LANDLOCK_H
#define PROXY_RIGHTS_LANDLOCK_H

#include <stdint.h>

/* What may be done with a file, or with all below a directory; may be or-ed. */
enum landlock_use {
	LANDLOCK_READ = 1,
	LANDLOCK_WRITE = 2, /* create, rename and remove as well; devices: write */
	LANDLOCK_START = 4, /* as a program */
};

/* The oldest that can rename between directories (Linux 5.19); before, the state directory could
 * not be written. */
enum { LANDLOCK_ABI_LEAST = 2 };

struct landlock {
	int fd; /* -1: not open */
	int abi;
	uint64_t files; /* what is denied unless allowed */
};

/* What the kernel has; 0: nothing that is of use. */
int landlock_abi(void);

/* 0, or -errno: -ENOSYS where there is none. */
int landlock_open(struct landlock *landlock);

/* A path that cannot be found is passed over. 0 or -errno. */
int landlock_allow(struct landlock *landlock, const char *path, unsigned use);

/* Without any, none can be listened on; before ABI 4 all can. */
int landlock_allow_port(struct landlock *landlock, uint16_t port);

/* From here on: of this thread and those that it starts; needs no_new_privs. Closes; 0 or -errno.
 * Where the kernel can (ABI 6), signals to and abstract sockets of others are out of reach too. */
int landlock_enter(struct landlock *landlock);

/* Gives up what landlock_open() began. */
void landlock_close(struct landlock *landlock);

#endif
