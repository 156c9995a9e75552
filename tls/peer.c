/* Who a client says it is: the server name that it asked for, and what its certificate calls it, as
 * text. Text because rules compare text; and only what can be printed, so that nobody is taken for
 * somebody else who looks the same in a log.
 *
 * Whether a certificate may be believed is not asked here (client_ca.c). */
#include <ctype.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/reader.h"
#include "base/writer.h"
#include "tls/digest.h"
#include "tls/private.h"

enum {
	ALT_NAMES_MAX = 32,
	NAMES_MAX =
		ALT_NAMES_MAX + 2, /* the common name and the digest have a place of their own */
	NAME_LEN_MAX = 2048,       /* of a SPIFFE ID */
	ALT_TEXT_MAX = 8 * 1024,
	OTHER_TEXT_MAX = 512,
	SERVER_NAME_MAX = 254, /* with a dot at its end */
};

/* --- the server name --- */

static struct slice host_name_of(struct slice extension)
{
	struct reader r = reader_of(extension);
	struct reader names = reader_of(reader_bytes(&r, reader_u16(&r)));
	while (reader_left(&names)) {
		uint8_t type = reader_u8(&names);
		struct slice name = reader_bytes(&names, reader_u16(&names));
		if (!names.failed && type == TLSEXT_NAMETYPE_host_name)
			return name;
	}
	return slice_of(NULL, 0);
}

/* SNI has no addresses (RFC 6066 3). */
static bool is_host_name(const char *name, size_t len)
{
	struct address address;
	return tls_name_is_sane(name, len) && !address_parse(&address, name);
}

/* Without memory for it there is none. */
void tls_peer_take_server_name(struct tls_peer *peer, struct slice extension)
{
	char lower[SERVER_NAME_MAX + 1];
	struct slice name = host_name_of(extension);
	tls_peer_drop_server_name(peer);
	if (name.len == 0 || name.len > SERVER_NAME_MAX)
		return;
	size_t len = name.len - (name.at[name.len - 1] == '.');
	for (size_t i = 0; i < len; i++)
		lower[i] = (char)tolower(name.at[i]);
	lower[len] = '\0';
	uint8_t *copy = is_host_name(lower, len) ? OPENSSL_memdup(lower, len) : NULL;
	if (copy)
		peer->tls_name = slice_of(copy, len);
}

void tls_peer_drop_server_name(struct tls_peer *peer)
{
	OPENSSL_free((void *)(uintptr_t)peer->tls_name.at);
	peer->tls_name = slice_of(NULL, 0);
}

/* --- names of a certificate --- */

struct names {
	struct slice at[NAMES_MAX];
	size_t count;
	struct writer text;
	uint8_t bytes[ALT_TEXT_MAX + OTHER_TEXT_MAX];
};

static bool is_printable(struct slice text, uint8_t first)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] < first || text.at[i] > '~')
			return false;
	return text.len > 0;
}

/* What does not fit is left out. */
static void add(struct names *names, const char *kind, struct slice text)
{
	struct writer *to = &names->text;
	size_t len = strlen(kind) + text.len;
	if (names->count == NAMES_MAX || text.len > NAME_LEN_MAX || to->capacity - to->len < len)
		return;
	names->at[names->count++] = slice_of(to->at + to->len, len);
	writer_text(to, kind);
	writer_slice_bytes(to, text);
}

static void lower_from(struct names *names, size_t start)
{
	for (size_t i = start; i < names->text.len; i++)
		names->text.at[i] = (uint8_t)tolower(names->text.at[i]);
}

static struct slice asn1_text(const ASN1_STRING *text)
{
	return slice_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
}

static void add_uri(struct names *names, struct slice text)
{
	if (is_printable(text, '!'))
		add(names, "uri:", text);
}

/* A wildcard is a server's: no client is called that. */
static void add_host(struct names *names, struct slice text)
{
	size_t start = names->text.len;
	if (!is_printable(text, '!') || memchr(text.at, '*', text.len))
		return;
	add(names, "dns:", text);
	lower_from(names, start);
}

/* What is behind the @ is a host, whatever its case (RFC 5280 7.5). */
static void add_email(struct names *names, struct slice text)
{
	size_t start = names->text.len;
	const uint8_t *host = text.len ? memrchr(text.at, '@', text.len) : NULL;
	if (!host || !is_printable(text, '!'))
		return;
	add(names, "email:", text);
	if (names->text.len > start)
		lower_from(names, names->text.len - (size_t)(text.at + text.len - host));
}

static void add_alt_names(struct names *names, X509 *leaf)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	names->text.capacity = ALT_TEXT_MAX;
	for (int i = 0; i < sk_GENERAL_NAME_num(all) && names->count < ALT_NAMES_MAX; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);
		switch (name->type) {
		case GEN_URI: add_uri(names, asn1_text(name->d.uniformResourceIdentifier)); break;
		case GEN_DNS: add_host(names, asn1_text(name->d.dNSName)); break;
		case GEN_EMAIL: add_email(names, asn1_text(name->d.rfc822Name)); break;
		default: break;
		}
	}
	names->text.capacity = sizeof names->bytes;
	GENERAL_NAMES_free(all);
}

/* The last one: the most specific. */
static void add_common_name(struct names *names, X509 *leaf)
{
	const X509_NAME *subject = X509_get_subject_name(leaf);
	int last = -1;
	for (int i = -1; (i = X509_NAME_get_index_by_NID(subject, NID_commonName, i)) >= 0;)
		last = i;
	if (last < 0)
		return;
	unsigned char *utf8 = NULL;
	int len = ASN1_STRING_to_UTF8(
		&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, last)));
	if (len > 0 && is_printable(slice_of(utf8, (size_t)len), ' '))
		add(names, "cn:", slice_of(utf8, (size_t)len));
	OPENSSL_free(utf8);
}

static void add_digest(struct names *names, X509 *leaf)
{
	char hex[DIGEST_SHA256_HEX_MAX];
	unsigned char *der = NULL;
	int len = i2d_X509(leaf, &der);
	if (len > 0 && digest_sha256_hex(slice_of(der, (size_t)len), hex))
		add(names, "sha256:", slice_of_text(hex));
	OPENSSL_free(der);
}

/* One block: the slices, then what they point at. */
static bool keep(struct tls_peer *peer, const struct names *names)
{
	size_t list_len = names->count * sizeof *names->at;
	uint8_t *block = OPENSSL_malloc(list_len + names->text.len + 1);
	if (!block)
		return false;
	struct slice *list = (struct slice *)(void *)block;
	memcpy(block + list_len, names->bytes, names->text.len);
	for (size_t i = 0; i < names->count; i++)
		list[i] = slice_of(
			block + list_len + (names->at[i].at - names->bytes), names->at[i].len);
	peer->names = list;
	peer->name_count = names->count;
	return true;
}

bool tls_peer_take_certificate(struct tls_peer *peer, X509 *leaf, int64_t not_after_s)
{
	struct names names;
	names.count = 0;
	names.text = writer_of(names.bytes, sizeof names.bytes);
	add_alt_names(&names, leaf);
	add_common_name(&names, leaf);
	add_digest(&names, leaf);
	peer->not_after_s = not_after_s;
	return keep(peer, &names);
}

void tls_peer_deinit(struct tls_peer *peer)
{
	tls_peer_drop_server_name(peer);
	OPENSSL_free((void *)(uintptr_t)peer->names);
	*peer = (struct tls_peer){ 0 };
}
