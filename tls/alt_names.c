/* Who a certificate says that it is: the subjectAltNames of a leaf that others want to know of. */
#include <ctype.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "tls/private.h"

/* A certificate of 24 kB holds more than three thousand; nobody listens on that many. */
enum { ADDRESSES_MAX = 64 };

/* RFC 5280 4.2.1.6: an IA5String. One with a NUL inside would be another name to C than to the
 * rest of the world. */
static bool is_text(const char *bytes, size_t len)
{
	return len > 0 && !memchr(bytes, '\0', len) && !memchr(bytes, '*', len);
}

/* What a client may ask for. A '*' stands for the whole first label, or for nothing
 * (RFC 9525 6.3). */
static bool is_host_name(const char *bytes, size_t len)
{
	if (len > 2 && bytes[0] == '*' && bytes[1] == '.')
		return tls_name_is_sane(bytes + 2, len - 2);
	return tls_name_is_sane(bytes, len);
}

/* The array grows by doubling, so its capacity is known by its length. */
static bool make_room(struct tls_alt_names *names)
{
	size_t count = names->name_count;
	if (count & (count - 1))
		return true;
	char **more = OPENSSL_realloc(names->names, (count ? 2 * count : 1) * sizeof *more);
	if (more)
		names->names = more;
	return more;
}

static bool keep_name(struct tls_alt_names *names, const ASN1_IA5STRING *text)
{
	size_t len = (size_t)ASN1_STRING_length(text);
	const char *bytes = (const char *)ASN1_STRING_get0_data(text);
	if (!names->name && is_text(bytes, len)) {
		names->name = OPENSSL_strndup(bytes, len);
		if (!names->name)
			return false;
	}
	if (!is_host_name(bytes, len))
		return true;
	char *copy = make_room(names) ? OPENSSL_strndup(bytes, len) : NULL;
	if (!copy)
		return false;
	for (size_t i = 0; i < len; i++)
		copy[i] = (char)tolower((unsigned char)copy[i]);
	names->names[names->name_count++] = copy;
	return true;
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
	for (size_t i = 0; i < names->name_count; i++)
		OPENSSL_free(names->names[i]);
	OPENSSL_free(names->name);
	OPENSSL_free(names->names);
	OPENSSL_free(names->addresses);
	*names = (struct tls_alt_names){ 0 };
}

bool tls_alt_names_have(const struct tls_alt_names *names, const char *name)
{
	for (size_t i = 0; i < names->name_count; i++)
		if (strcmp(names->names[i], name) == 0)
			return true;
	return false;
}

/* In whatever order: certificates of two kinds for one server are often made by two tools. */
bool tls_alt_names_equal(const struct tls_alt_names *a, const struct tls_alt_names *b)
{
	bool equal = a->name_count == b->name_count && a->address_count == b->address_count;
	for (size_t i = 0; equal && i < a->name_count; i++)
		equal = tls_alt_names_have(b, a->names[i]);
	for (size_t i = 0; equal && i < a->address_count; i++) {
		equal = false;
		for (size_t j = 0; !equal && j < b->address_count; j++)
			equal = memcmp(&a->addresses[i], &b->addresses[j], sizeof *a->addresses) ==
				0;
	}
	return equal;
}
