/* token.c - makes a token: a secret by which a client is known. It is shown once and kept nowhere;
 * the configuration gets its digest. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/random.h"
#include "base/utc.h"
#include "proxy/cli/cli.h"
#include "proxy/cli/duration.h"
#include "proxy/framing/base64url.h"
#include "tls/digest.h"

enum { SECRET_LEN = 32, SECRET_TEXT_MAX = 48, NAME_LEN = 64 };

struct token_arguments {
	const char *name;
	int64_t for_s; /* 0: it does not expire */
};

/* As the configuration takes names (config/value.c). */
static bool is_name(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_.: ";
	size_t len = strlen(text);
	return len > 0 && len <= NAME_LEN && strspn(text, letters) == len && text[0] != ' ' &&
		text[len - 1] != ' ';
}

static int parse_arguments(int argc, char **argv, struct token_arguments *arguments)
{
	static const struct option options[] = { { "for", required_argument, NULL, 'f' }, { 0 } };
	opterr = 0;
	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (option != 'f')
			return cli_usage("token does not know \"%s\"", argv[optind - 1]);
		if (!cli_duration_parse(optarg, &arguments->for_s))
			return cli_usage("\"%s\" is not a time such as 90d", optarg);
	}
	if (optind != argc - 1)
		return cli_usage("token needs one NAME");
	arguments->name = argv[optind];
	if (!is_name(arguments->name))
		return cli_usage("\"%s\" cannot be a token's name", arguments->name);
	return 0;
}

static bool make_secret(char text[SECRET_TEXT_MAX], char digest[DIGEST_SHA256_HEX_MAX])
{
	uint8_t secret[SECRET_LEN];
	struct writer to = writer_of(text, SECRET_TEXT_MAX - 1);
	random_fill(secret, sizeof secret);
	base64url_encode(&to, slice_of(secret, sizeof secret));
	text[to.len] = '\0';
	return !to.failed && digest_sha256_hex(slice_of(text, to.len), digest);
}

static void print_row(const struct token_arguments *arguments, const char *digest)
{
	char text[UTC_TEXT_LEN];
	struct writer until = writer_of(text, sizeof text);
	utc_write(&until, time(NULL) + arguments->for_s);
	printf("  { name = \"%s\"; sha256 = \"%s\";", arguments->name, digest);
	if (arguments->for_s)
		printf(" expires = \"%.*s\";", (int)until.len, text);
	puts(" }");
}

int cli_token(int argc, char **argv)
{
	struct token_arguments arguments = { .for_s = 0 };
	char text[SECRET_TEXT_MAX];
	char digest[DIGEST_SHA256_HEX_MAX];
	int error = parse_arguments(argc, argv, &arguments);
	if (error)
		return error;
	if (!make_secret(text, digest)) {
		fputs("namegate: out of memory\n", stderr);
		return EXIT_FAILED;
	}
	printf("the token, for the client; it is shown only this once:\n  %s\n", text);
	puts("its row among the \"tokens\" of the configuration:");
	print_row(&arguments, digest);
	return EXIT_FINE;
}
