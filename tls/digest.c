#include "tls/digest.h"

#include <openssl/evp.h>
#include <strings.h>

bool digest_sha256(struct slice bytes, uint8_t digest[DIGEST_SHA256_LEN])
{
	const void *at = bytes.at ? (const void *)bytes.at : "";
	return EVP_Digest(at, bytes.len, digest, NULL, EVP_sha256(), NULL) == 1;
}

bool digest_sha256_hex(struct slice bytes, char hex[DIGEST_SHA256_HEX_MAX])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t digest[DIGEST_SHA256_LEN];
	if (!digest_sha256(bytes, digest))
		return false;
	for (size_t i = 0; i < sizeof digest; i++) {
		hex[2 * i] = digits[digest[i] >> 4];
		hex[2 * i + 1] = digits[digest[i] & 0xf];
	}
	hex[2 * sizeof digest] = '\0';
	return true;
}

bool digest_sha256_hex_check(const char *hex)
{
	size_t len = strspn(hex, "0123456789abcdefABCDEF");
	return len == DIGEST_SHA256_HEX_MAX - 1 && hex[len] == '\0';
}

bool digest_sha256_hex_matches(struct slice bytes, const char *hex)
{
	char ours[DIGEST_SHA256_HEX_MAX];
	return digest_sha256_hex(bytes, ours) && strcasecmp(ours, hex) == 0;
}
