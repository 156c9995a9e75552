#include "proxy/cookie_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"

static bool read_secrets(struct dns_cookie_secrets *secrets, const char *file, uint8_t *bytes,
	char message[COOKIE_FILE_MESSAGE_MAX])
{
	size_t len;
	int error = file_read(file, bytes, COOKIE_FILE_MAX + 1, &len);
	if (error || len > COOKIE_FILE_MAX) {
		snprintf(message, COOKIE_FILE_MESSAGE_MAX, "%.400s: %s", file,
			error ? error_text_of_file(error, file) : "it is longer than 64KiB");
		return false;
	}
	unsigned line = dns_cookie_secrets_read(secrets, slice_of(bytes, len));
	if (line)
		snprintf(message, COOKIE_FILE_MESSAGE_MAX,
			"%.300s:%u: one to %d lines of 32 hexadecimal digits are wanted "
			"(openssl rand -hex 16), and comments behind a \"#\"",
			file, line, DNS_COOKIE_SECRETS_MAX);
	return line == 0;
}

bool cookie_file_load(
	struct dns_cookie_secrets *secrets, const char *file, char message[COOKIE_FILE_MESSAGE_MAX])
{
	uint8_t *bytes = malloc(COOKIE_FILE_MAX + 1);
	if (!bytes) {
		snprintf(message, COOKIE_FILE_MESSAGE_MAX, "out of memory");
		return false;
	}
	bool good = read_secrets(secrets, file, bytes, message);
	explicit_bzero(bytes, COOKIE_FILE_MAX + 1);
	free(bytes);
	return good;
}

void cookie_secrets_random(struct dns_cookie_secrets *secrets)
{
	secrets->count = 1;
	random_fill(secrets->keys[0], sizeof secrets->keys[0]);
}
