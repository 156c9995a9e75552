/* Who a certificate says that it is: the subjectAltNames of a leaf that others want to know of. */
#include <openssl/x509v3.h>
#include <string.h>

#include "tls/private.h"

/* A certificate of 24 kB holds more than three thousand; nobody listens on that many. */
enum { ADDRESSES_MAX = 64 };

/* RFC 5280 4.2.1.6: an IA5String. One with a NUL inside would be another name to C than to the
 * rest of the world. */
static bool is_host_name(const ASN1_IA5STRING *text)
{
	size_t len = (size_t)ASN1_STRING_length(text);
	const void *bytes = ASN1_STRING_get0_data(text);
	return len > 0 && !memchr(bytes, '\0', len) && !memchr(bytes, '*', len);
}

static bool keep_name(struct tls_alt_names *names, const ASN1_IA5STRING *text)
{
	if (names->name || !is_host_name(text))
		return true;
	size_t len = (size_t)ASN1_STRING_length(text);
	names->name = OPENSSL_strndup((const char *)ASN1_STRING_get0_data(text), len);
	return names->name;
}

/* An IPv4 address in sixteen bytes is none that a client would look for; it stays out. */
static void keep_address(struct tls_alt_names *names, const ASN1_OCTET_STRING *octets)
{
	int len = ASN1_STRING_length(octets);
	const uint8_t *bytes = ASN1_STRING_get0_data(octets);
	struct address address;
	if (names->address_count == ADDRESSES_MAX || (len != 4 && len != 16))
		return;
	if (len == 4)
		address = address_of_v4(bytes);
	else
		memcpy(address.bytes, bytes, sizeof address.bytes);
	if (len == 4 || !address_is_v4(&address))
		names->addresses[names->address_count++] = address;
}

bool tls_alt_names_read(struct tls_alt_names *names, X509 *leaf)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	*names = (struct tls_alt_names){ .addresses = OPENSSL_zalloc(
						 ADDRESSES_MAX * sizeof(struct address)) };
	bool done = names->addresses;
	for (int i = 0; done && i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);
		if (name->type == GEN_DNS)
			done = keep_name(names, name->d.dNSName);
		else if (name->type == GEN_IPADD)
			keep_address(names, name->d.iPAddress);
	}
	GENERAL_NAMES_free(all);
	if (!done)
		tls_alt_names_free(names);
	return done;
}

void tls_alt_names_free(struct tls_alt_names *names)
{
	OPENSSL_free(names->name);
	OPENSSL_free(names->addresses);
	*names = (struct tls_alt_names){ 0 };
}
