/* become.h - another user than root. */
#ifndef PROXY_RIGHTS_BECOME_H
#define PROXY_RIGHTS_BECOME_H

#include <stdint.h>
#include <sys/types.h>

enum { BECOME_NAME_MAX = 64, BECOME_MESSAGE_MAX = 160 };

struct become {
	uid_t user;
	gid_t group;
	char name[BECOME_NAME_MAX]; /* "": a number was given that has none */
};

/* Finds them: names or numbers; `group` may be NULL. 0, or ERR_INVALID with a message. Asks the
 * system's databases (getpwnam(3)), so: as root, and before anything is given up. */
int become_find(
	struct become *to, const char *user, const char *group, char message[BECOME_MESSAGE_MAX]);

/* Takes user, group and the user's other groups on for good, in every thread, and keeps of root's
 * capabilities (capabilities.h) no more than these, in the calling thread. 0 or -errno. */
int become_user(const struct become *to, uint64_t capabilities);

#endif
