/* user_name.h - who a user is, for a line that people read: by the local file alone, as asking a
 * directory service could take long. */
#ifndef PROXY_EXCEPTIONS_USER_NAME_H
#define PROXY_EXCEPTIONS_USER_NAME_H

#include <stddef.h>
#include <sys/types.h>

/* "anna", or the number where /etc/passwd has no such user; with a NUL, cut to `size`. */
void user_name_write(char *to, size_t size, uid_t uid);

#endif
