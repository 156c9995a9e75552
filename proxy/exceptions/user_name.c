#include "proxy/exceptions/user_name.h"

#include <pwd.h>
#include <stdio.h>

void user_name_write(char *to, size_t size, uid_t uid)
{
	FILE *users = fopen("/etc/passwd", "re");
	snprintf(to, size, "%lu", (unsigned long)uid);
	if (!users)
		return;
	for (struct passwd *user; (user = fgetpwent(users)) != NULL;) {
		if (user->pw_uid != uid)
			continue;
		snprintf(to, size, "%s", user->pw_name);
		break;
	}
	fclose(users);
}
