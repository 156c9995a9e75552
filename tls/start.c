#include "tls/start.h"

#include <openssl/crypto.h>

bool tls_start(void)
{
	return OSSL_LIB_CTX_get0_global_default() != NULL;
}
