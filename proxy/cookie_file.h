/* cookie_file.h - the secrets of DNS cookies, in a file: all servers behind one address have the
 * same, so that one takes the cookies of another (RFC 9018 5). */
#ifndef PROXY_COOKIE_FILE_H
#define PROXY_COOKIE_FILE_H

#include "dns/cookie.h"

enum { COOKIE_FILE_MAX = 64 * 1024, COOKIE_FILE_MESSAGE_MAX = 512 };

/* Reads a file of secrets, as dns_cookie_secrets_read() has it. False, and what is wrong in
 * `message`, when that cannot be done. */
bool cookie_file_load(struct dns_cookie_secrets *secrets, const char *file,
	char message[COOKIE_FILE_MESSAGE_MAX]);

/* One secret, by chance. */
void cookie_secrets_random(struct dns_cookie_secrets *secrets);

#endif
