#include "rules/claims.h"

static const char *const kind_names[CLAIM_KINDS] = {
	[CLAIM_CERTIFICATE] = "certificate",
	[CLAIM_TOKEN] = "token",
	[CLAIM_PATH] = "path",
	[CLAIM_TLS_NAME] = "tls_name",
	[CLAIM_NETWORK] = "network",
};

const char *claim_kind_name(enum claim_kind kind)
{
	return (unsigned)kind < CLAIM_KINDS ? kind_names[kind] : "unknown";
}
