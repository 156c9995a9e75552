/* claims_arguments.h - what a client would show, from the command line: --client, --listener,
 * --certificate, --token, --path and --tls-name, for verbs that try how views are found. */
#ifndef PROXY_CLI_CLAIMS_ARGUMENTS_H
#define PROXY_CLI_CLAIMS_ARGUMENTS_H

#include <getopt.h>

#include "proxy/config.h"

enum { CLAIMS_CERTIFICATES_MAX = 32, CLAIMS_NAME_MAX = 255 };

/* Zeros are a client at 127.0.0.1 that shows nothing, on the first listener. */
struct claims_arguments {
	const char *client;
	const char *listener;
	const char *token;
	const char *path;
	const char *tls_name;
	const char *certificates[CLAIMS_CERTIFICATES_MAX];
	size_t certificate_count;
	/* Of claims_arguments_read(). */
	uint8_t digest[CLAIMS_TOKEN_LEN];
	struct slice names[CLAIMS_CERTIFICATES_MAX];
	char lower[CLAIMS_NAME_MAX + 1];
};

/* For a verb's own table of long options; the numbers are beyond all letters. */
enum claims_option {
	CLAIMS_OPTION_CLIENT = 0x1000,
	CLAIMS_OPTION_LISTENER,
	CLAIMS_OPTION_CERTIFICATE,
	CLAIMS_OPTION_TOKEN,
	CLAIMS_OPTION_PATH,
	CLAIMS_OPTION_TLS_NAME,
};
/* clang-format off */
#define CLAIMS_OPTIONS                                                                             \
	{ "client", required_argument, NULL, CLAIMS_OPTION_CLIENT },                               \
	{ "listener", required_argument, NULL, CLAIMS_OPTION_LISTENER },                           \
	{ "certificate", required_argument, NULL, CLAIMS_OPTION_CERTIFICATE },                     \
	{ "token", required_argument, NULL, CLAIMS_OPTION_TOKEN },                                 \
	{ "path", required_argument, NULL, CLAIMS_OPTION_PATH },                                   \
	{ "tls-name", required_argument, NULL, CLAIMS_OPTION_TLS_NAME }
/* clang-format on */

/* What getopt_long() gave; false when it is none of ours, or one certificate too many. */
bool claims_arguments_take(struct claims_arguments *arguments, int option, const char *value);

/* Fills `claims`, which borrow from the arguments and from `config`; `now_s` is the time at which
 * tokens are judged. NULL, or what is wrong: a sentence, with the word in `wrong`. Tokens are
 * hashed here, and go nowhere else. */
const char *claims_arguments_read(struct claims_arguments *arguments, const struct config *config,
	int64_t now_s, struct claims *claims, const char **wrong);

#endif
