#include "proxy/cli/claims_arguments.h"

#include <ctype.h>
#include <string.h>

#include "tls/digest.h"

bool claims_arguments_take(struct claims_arguments *arguments, int option, const char *value)
{
	switch (option) {
	case CLAIMS_OPTION_CLIENT: arguments->client = value; return true;
	case CLAIMS_OPTION_LISTENER: arguments->listener = value; return true;
	case CLAIMS_OPTION_TOKEN: arguments->token = value; return true;
	case CLAIMS_OPTION_PATH: arguments->path = value; return true;
	case CLAIMS_OPTION_TLS_NAME: arguments->tls_name = value; return true;
	case CLAIMS_OPTION_CERTIFICATE:
		if (arguments->certificate_count == CLAIMS_CERTIFICATES_MAX)
			return false;
		arguments->certificates[arguments->certificate_count++] = value;
		return true;
	default: return false;
	}
}

static bool find_listener(const struct config *config, const char *name, uint16_t *listener)
{
	for (size_t i = 0; i < config->listener_count; i++) {
		if (strcmp(config->listeners[i].name, name) != 0)
			continue;
		*listener = (uint16_t)i;
		return true;
	}
	return false;
}

static bool is_certificate_claim(const char *text)
{
	static const char *const kinds[] = { "uri:", "dns:", "email:", "cn:", "sha256:" };
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strncmp(text, kinds[i], strlen(kinds[i])) == 0)
			return text[strlen(kinds[i])] != '\0';
	return false;
}

/* As it comes out of a handshake. */
static bool read_tls_name(struct claims_arguments *arguments, struct claims *claims)
{
	size_t len = strlen(arguments->tls_name);
	if (len > 0 && arguments->tls_name[len - 1] == '.')
		len--;
	if (len == 0 || len > CLAIMS_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		arguments->lower[i] = (char)tolower((unsigned char)arguments->tls_name[i]);
	arguments->lower[len] = '\0';
	claims->tls_name = slice_of(arguments->lower, len);
	return true;
}

static const char *read_certificates(
	struct claims_arguments *arguments, struct claims *claims, const char **wrong)
{
	for (size_t i = 0; i < arguments->certificate_count; i++) {
		*wrong = arguments->certificates[i];
		if (!is_certificate_claim(*wrong))
			return "a certificate has uri:, dns:, email:, cn: or sha256: and a name";
		arguments->names[i] = slice_of_text(*wrong);
	}
	claims->certificate = arguments->names;
	claims->certificate_count = arguments->certificate_count;
	return NULL;
}

const char *claims_arguments_read(struct claims_arguments *arguments, const struct config *config,
	int64_t now_s, struct claims *claims, const char **wrong)
{
	*claims = (struct claims){ .now_s = now_s };
	*wrong = arguments->client ? arguments->client : "127.0.0.1";
	if (!address_parse(&claims->client, *wrong))
		return "not an address";
	*wrong = arguments->listener;
	if (*wrong && !find_listener(config, *wrong, &claims->listener))
		return "no such listener";
	*wrong = "--token";
	if (arguments->token) {
		if (!digest_sha256(slice_of_text(arguments->token), arguments->digest))
			return "out of memory";
		claims->token = arguments->digest;
	}
	*wrong = arguments->path;
	if (*wrong && (**wrong == '\0' || strchr(*wrong, '/')))
		return "a path is the one segment behind the listener's, without \"/\"";
	if (*wrong)
		claims->path = slice_of_text(*wrong);
	*wrong = arguments->tls_name;
	if (*wrong && !read_tls_name(arguments, claims))
		return "not a host name";
	return read_certificates(arguments, claims, wrong);
}
