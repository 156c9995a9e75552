#include "proxy/rights/become.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/number.h"
#include "proxy/rights/capabilities.h"

/* -1 means "leave it" to setresuid(2). */
static bool read_id(const char *text, unsigned *id)
{
	uint64_t number;
	bool good = number_parse(text, 0, UINT32_MAX - 1, &number);
	*id = (unsigned)number;
	return good;
}

static int fail(char message[BECOME_MESSAGE_MAX], const char *what, const char *name)
{
	snprintf(message, BECOME_MESSAGE_MAX, "there is no %s \"%s\"", what, name);
	return ERR_INVALID;
}

static int find_group(struct become *to, const char *group, char message[BECOME_MESSAGE_MAX])
{
	unsigned number;
	const struct group *found = getgrnam(group);
	if (!found && !read_id(group, &number))
		return fail(message, "group", group);
	to->group = found ? found->gr_gid : number;
	return 0;
}

int become_find(
	struct become *to, const char *user, const char *group, char message[BECOME_MESSAGE_MAX])
{
	unsigned number;
	const struct passwd *found = getpwnam(user);
	if (!found && read_id(user, &number))
		found = getpwuid(number);
	else if (!found)
		return fail(message, "user", user);
	*to = (struct become){ .user = found ? found->pw_uid : number };
	if (found) {
		snprintf(to->name, sizeof to->name, "%s", found->pw_name);
		to->group = found->pw_gid;
	} else if (!group) {
		snprintf(message, BECOME_MESSAGE_MAX, "user %u has no name: a group is needed too",
			number);
		return ERR_INVALID;
	}
	if (to->user == 0) {
		snprintf(message, BECOME_MESSAGE_MAX, "the user \"%s\" is root", user);
		return ERR_INVALID;
	}
	return group ? find_group(to, group, message) : 0;
}

static int take_groups(const struct become *to)
{
	int failed = *to->name ? initgroups(to->name, to->group) : setgroups(0, NULL);
	return failed ? -errno : 0;
}

/* In this order: without root groups cannot be changed any more. */
int become_user(const struct become *to, uint64_t capabilities)
{
	capabilities_bound(0);
	int error = take_groups(to);
	if (error)
		return error;
	if ((capabilities && prctl(PR_SET_KEEPCAPS, 1)) ||
		setresgid(to->group, to->group, to->group) ||
		setresuid(to->user, to->user, to->user))
		return -errno;
	error = capabilities_keep(capabilities);
	if (error)
		return error;
	/* It cannot be undone, or it was not done. */
	return to->user != 0 && setuid(0) == 0 ? -EPERM : 0;
}
