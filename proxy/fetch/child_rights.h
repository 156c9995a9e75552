/* child_rights.h - what the program that fetches lists may do: read its configuration as whoever
 * started it, then next to nothing, as it is about to read what strangers send. */
#ifndef PROXY_FETCH_CHILD_RIGHTS_H
#define PROXY_FETCH_CHILD_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
	CHILD_RIGHTS_NOBODY = 65534, /* user and group, when nobody else is named */
	CHILD_RIGHTS_MESSAGE_MAX = 160,
};

struct child_rights {
	uid_t user; /* taken on when we are root; else we stay who we are */
	gid_t group;
	bool landlock;    /* files: as `hardening` of the configuration has it */
	bool seccomp;     /* system calls: the same */
	size_t file_max;  /* bytes of the largest file that may be written */
	unsigned alarm_s; /* then the kernel ends us */
};

/* First of all: forgets the environment (proxies, authorities, configuration of libraries) and all
 * descriptors from `first_foreign` on; no core dumps, no signals for closed pipes and full files.
 */
void child_rights_begin(int first_foreign);

/* Gives up, for good: root, groups, every capability, the gaining of new ones, files other than the
 * system's libraries and authorities, processes of its own, large files and much memory; and dies
 * with its parent `parent`. 0, or -errno with a message; then nothing more must be done. */
int child_rights_drop(
	const struct child_rights *wish, pid_t parent, char message[CHILD_RIGHTS_MESSAGE_MAX]);

#endif
