/* rights.h - what the program that fetches lists may do: read its configuration as whoever started
 * it, then next to nothing, as it is about to read what strangers send. */
#ifndef PROXY_FETCH_RIGHTS_H
#define PROXY_FETCH_RIGHTS_H

#include <stddef.h>
#include <sys/types.h>

enum {
	RIGHTS_NOBODY = 65534, /* user and group, when nobody else is named */
	RIGHTS_MESSAGE_MAX = 160,
};

struct rights_wish {
	uid_t user; /* taken on when we are root; else we stay who we are */
	gid_t group;
	size_t file_max;  /* bytes of the largest file that may be written */
	unsigned alarm_s; /* then the kernel ends us */
};

/* First of all: forgets the environment (proxies, authorities, configuration of libraries) and all
 * descriptors from `first_foreign` on; no core dumps, no signals for closed pipes and full files.
 */
void rights_begin(int first_foreign);

/* Gives up, for good: root, groups, every capability, the gaining of new ones, processes of its
 * own, large files and much memory; and dies with its parent `parent`. 0, or -errno with a message;
 * then nothing more must be done. */
int rights_drop(const struct rights_wish *wish, pid_t parent, char message[RIGHTS_MESSAGE_MAX]);

#endif
